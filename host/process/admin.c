#include "process/admin.h"

#include "http/router.h"
#include "process/readiness.h"

#include <unistd.h>

/* Probes and a scraper or two need few; the others are for strangers who hold some open and say
 * nothing, for as long as the time limits let them. */
#define CONNECTIONS 256

/* --- the routes ------------------------------------------------------------------------------ */

static int respond(rt_ctx *ctx, rt_response *response, uint32_t status, const rt_buffer *json)
{
    RT_TRY(rt_host_response_header(ctx, response, "Cache-Control", "no-store"));
    return rt_host_respond(ctx, response, status, "application/json", json->data, json->length);
}

/* That it answers is the answer. */
static int answer_live(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    static char text[] = "{\"status\":\"live\"}\n";
    (void)request;
    return respond(ctx, response, 200, &(rt_buffer){.data = text, .length = sizeof text - 1});
}

static int answer_ready(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_admin *admin = ctx->instance->state;
    rt_buffer json = {0};
    (void)request;
    const rt_readiness *readiness = rt_readiness_judge(rt_unit_arena(ctx), admin->plan,
                                                       admin->board, admin->worker, rt_host_now());
    rt_readiness_json(readiness, &json);
    int result = respond(ctx, response, rt_readiness_status(readiness), &json);
    rt_buffer_free(&json);
    return result;
}

static const struct {
    uint32_t method;
    const char *path;
    rt_handler handler;
} routes[] = {
    {RT_GET, "/health/live", answer_live},
    {RT_GET, "/health/ready", answer_ready},
};

static void add_routes(rt_admin *admin)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        rt_router_add(admin->router, &admin->instance, 0, routes[i].method, routes[i].path,
                      routes[i].handler, NULL, NULL);
        rt_route *route = rt_router_newest(admin->router);
        route->entry = rt_board_enter(admin->board, RT_ENTRY_ROUTE, admin->instance.name,
                                      admin->instance.module, route->name);
    }
}

/* --- the server ------------------------------------------------------------------------------ */

static void open_server(rt_admin *admin)
{
    const rt_http_options options = {.request_timeout = RT_S(5),
                                     .header_timeout = RT_S(2),
                                     .idle_timeout = RT_S(5),
                                     .max_header = 8192,
                                     .max_body = 1, /* 0 would be the default */
                                     .max_requests = CONNECTIONS,
                                     .max_connections = CONNECTIONS};
    admin->router = rt_router_new();
    add_routes(admin);
    admin->drained = rt_host_channel_new(0);
    admin->server = rt_http_open(&options, admin->router);
}

static bool is_ours(const rt_socket *socket)
{
    return socket->flags & RT_LISTEN_ADMIN;
}

static bool has_ours(const rt_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        if (is_ours(&sockets->items[i]))
            return true;
    return false;
}

static int listen_on(const rt_admin *admin)
{
    int error = 0;
    for (size_t i = 0; i < admin->sockets.count && !error; i++)
        if (is_ours(&admin->sockets.items[i]))
            error = rt_http_listen(admin->server, admin->sockets.items[i].fd, 0);
    return error;
}

int rt_admin_open(rt_admin *admin, const rt_plan *plan, rt_board *board, uint32_t worker,
                  const rt_sockets *sockets)
{
    *admin = (rt_admin){.instance = {.magic = RT_INSTANCE_MAGIC,
                                     .size = sizeof(rt_instance),
                                     .state = admin,
                                     .name = "admin",
                                     .module = "rtd"},
                        .plan = plan,
                        .board = board,
                        .worker = worker,
                        .sockets = *sockets};
    if (!has_ours(sockets) || !board->memory)
        return 0;
    open_server(admin);
    return listen_on(admin);
}

static void on_drained(void *argument)
{
    rt_admin *admin = argument;
    rt_host_channel_close(admin->drained);
}

static void close_sockets(const rt_admin *admin)
{
    for (size_t i = 0; i < admin->sockets.count; i++)
        if (is_ours(&admin->sockets.items[i]))
            close(admin->sockets.items[i].fd);
}

void rt_admin_retire(rt_admin *admin)
{
    if (!admin->server)
        return;
    admin->retired = true;
    rt_http_retire(admin->server, on_drained, admin);
    close_sockets(admin);
}

void rt_admin_await(rt_ctx *ctx, const rt_admin *admin)
{
    void *item;
    while (admin->retired && rt_host_channel_receive(ctx, admin->drained, &item) >= 0)
        ;
}

void rt_admin_interrupt(const rt_admin *admin)
{
    if (admin->server)
        rt_http_interrupt(admin->server);
}

void rt_admin_close(rt_ctx *ctx, rt_admin *admin)
{
    void *item;
    if (!admin->server)
        return;
    if (!admin->retired) {
        rt_http_drain(admin->server, on_drained, admin);
        close_sockets(admin);
    }
    rt_http_interrupt(admin->server);
    while (rt_host_channel_receive(ctx, admin->drained, &item) >= 0)
        ;
    rt_http_close(admin->server);
    rt_router_free(admin->router);
    rt_host_channel_free(admin->drained);
    admin->server = NULL;
}
