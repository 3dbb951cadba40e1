#include "process/admin.h"

#include "http/router.h"
#include "process/metric_pool.h"
#include "process/readiness.h"
#include "telemetry/prometheus.h"

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

struct scrape {
    int pool;
    rt_buffer text;
};

static int scrape(void *argument)
{
    struct scrape *scrape = argument;
    return rt_metrics_text(scrape->pool, &scrape->text);
}

/* In a thread of the pool: 10,000 series take milliseconds. */
static int answer_metrics(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_admin *admin = ctx->instance->state;
    struct scrape work = {.pool = admin->metrics};
    (void)request;
    if (admin->metrics < 0)
        return rt_host_fail(ctx, RT_EUNAVAILABLE, "there are no metrics");
    int result = rt_host_blocking(ctx, scrape, &work);
    if (result == 0)
        result = rt_host_respond(ctx, response, 200, RT_PROMETHEUS_TYPE, work.text.data,
                                 work.text.length);
    rt_buffer_free(&work.text);
    return result;
}

static const struct {
    uint32_t method;
    const char *path;
    rt_handler handler;
} routes[] = {
    {RT_GET, "/health/live", answer_live},
    {RT_GET, "/health/ready", answer_ready},
    {RT_GET, "/metrics", answer_metrics},
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
                  const rt_sockets *sockets, int metrics)
{
    *admin = (rt_admin){.instance = {.magic = RT_INSTANCE_MAGIC,
                                     .size = sizeof(rt_instance),
                                     .state = admin,
                                     .name = "admin",
                                     .module = "rtd"},
                        .plan = plan,
                        .board = board,
                        .worker = worker,
                        .metrics = metrics,
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
