/* Frames behind a preface, into a server over a pair of sockets: whatever they are, the connection
 * ends when its peer goes, and nothing of it is left. */
#include "http/internal.h"

#include "fiber/fiber.h"
#include "telemetry/log.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURNS 10000 /* of the loop, in which everything must have ended */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rt_http_server *server;
static rt_instance instance = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .name = "fuzz", .module = "fuzz"};

static int echo(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    return rt_host_respond(ctx, response, 200, "text/plain", request->body.data,
                           request->body.length);
}

static int mirror(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    char piece[512];
    uint64_t got = 1;
    RT_TRY(rt_host_respond_begin(ctx, response, 200, "text/plain"));
    while (got) {
        RT_TRY(rt_host_body_read(ctx, request, piece, sizeof piece, &got));
        RT_TRY(rt_host_respond_write(ctx, response, piece, got));
    }
    return 0;
}

static void begin(void)
{
    rt_http_options options = {.max_header = 2048, .max_body = 4096, .max_streams = 8};
    rt_route_options streams = {.size = sizeof streams, .streams = 1};
    rt_log_open(&(rt_log_options){.level = "fatal", .format = "pretty"});
    if (rt_loop_open(&(rt_loop_options){0}))
        abort();
    rt_router *router = rt_router_new();
    rt_router_add(router, &instance, 0, RT_GET, "/", echo, NULL, NULL);
    rt_router_add(router, &instance, 0, RT_POST, "/", echo, NULL, NULL);
    rt_router_add(router, &instance, 0, RT_PUT, "/", mirror, &streams, NULL);
    server = rt_http_open(&options, router);
}

static void turn(int peer)
{
    char bytes[65536];
    uv_run(rt_loop_uv(), UV_RUN_NOWAIT);
    while (recv(peer, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char start[] = RT_HTTP2_PREFACE "\0\0\0\4\0\0\0\0";
    int pair[2];
    if (size > 65536)
        return 0;
    if (!server)
        begin();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
        abort();
    rt_listener listener = {.server = server};
    rt_connection_accept(&listener, pair[0], &(rt_ip){0});
    /* The preface, and the settings that must follow it. */
    if (send(pair[1], start, sizeof start, 0) < 0 || send(pair[1], data, size, MSG_NOSIGNAL) < 0)
        abort();
    for (int i = 0; i < 20 && server->connection_count; i++)
        turn(pair[1]);
    shutdown(pair[1], SHUT_WR);
    for (int i = 0; i < 20 && server->connection_count; i++)
        turn(pair[1]);
    close(pair[1]);
    for (int i = 0; i < TURNS && (server->connection_count || rt_unit_count()); i++)
        uv_run(rt_loop_uv(), UV_RUN_NOWAIT);
    if (server->connection_count || rt_unit_count())
        abort();
    return 0;
}
