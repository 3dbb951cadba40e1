/* http_hello PORT — serves GET /hello alone, to measure what a request costs
 *
 *     valgrind --tool=callgrind build/tests/bench/http-hello 18080
 *
 * Ends on SIGTERM, after it has drained. */
#include "fiber/fiber.h"
#include "http/http.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static rt_instance instance = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .name = "bench", .module = "bench"};

static int hello(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return rt_host_respond(ctx, response, 200, "text/plain", "hello\n", 6);
}

static int listen_on(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)atoi(port))};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 511) < 0) {
        perror("http_hello: cannot listen");
        exit(1);
    }
    return fd;
}

static void drained(void *argument)
{
    (void)argument;
    rt_loop_stop();
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    rt_http_drain(signal->data, drained, NULL);
    uv_close((uv_handle_t *)signal, NULL);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: http_hello PORT\n");
        return 64;
    }
    if (rt_loop_open(&(rt_loop_options){0}) < 0)
        return 1;
    rt_router *router = rt_router_new();
    rt_router_add(router, &instance, 0, RT_GET, "/hello", hello, NULL, NULL);
    rt_http_server *server = rt_http_open(&(rt_http_options){0}, router);
    int fd = listen_on(argv[1]);
    if (rt_http_listen(server, fd, 0) < 0)
        return 1;
    uv_signal_t signal;
    uv_signal_init(rt_loop_uv(), &signal);
    signal.data = server;
    uv_signal_start(&signal, on_signal, SIGTERM);
    rt_loop_run();
    rt_http_close(server);
    rt_router_free(router);
    close(fd);
    rt_loop_close();
    return 0;
}
