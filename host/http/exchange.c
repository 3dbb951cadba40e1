/* exchange.c — one request and its answer, as a unit of work */
#include "http/internal.h"
#include "http/status.h"

#include <string.h>

/* What the host itself answers runs as this instance. */
static rt_instance host_instance = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .name = "http", .module = "http"};

static int answer_options(rt_ctx *ctx, rt_connection *connection, const char *allow)
{
    RT_TRY(rt_host_response_header(ctx, &connection->response, "Allow", allow));
    return rt_host_respond(ctx, &connection->response, 204, NULL, NULL, 0);
}

/* The host's own answer: OPTIONS, or a refusal. */
static int answer_refusal(rt_ctx *ctx, rt_connection *connection)
{
    rt_response *response = &connection->response;
    rt_buffer allow = {0};
    int result = 0;
    rt_router_allow(connection->allowed, &allow);
    if (connection->refusal == 204)
        result = answer_options(ctx, connection, allow.data);
    else if (connection->refusal == 405)
        result = rt_host_response_header(ctx, response, "Allow", allow.data);
    else if (connection->refusal == 503)
        result = rt_host_response_header(ctx, response, "Retry-After", "1");
    if (connection->refusal != 204)
        rt_problem_answer(ctx, response, connection->refusal, NULL, connection->problem);
    rt_buffer_free(&allow);
    return result;
}

static int run(rt_ctx *ctx, void *argument)
{
    rt_connection *connection = argument;
    connection->began = true;
    if (connection->refusal)
        return answer_refusal(ctx, connection);
    rt_full_request *full = rt_request_build(ctx, connection);
    return connection->route->handler(ctx, &full->request, &connection->response);
}

/* What had been read as draining began gets its answers first. */
static bool ends_with_this(const rt_connection *connection)
{
    const rt_http_server *server = connection->server;
    return server->interrupted || (server->draining && !rt_connection_holds_request(connection));
}

static void done(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    rt_connection *connection = argument;
    rt_http_server *server = connection->server;
    connection->busy = false;
    connection->ctx = NULL;
    server->running -= connection->counted;
    if (!connection->closed) {
        if (ends_with_this(connection))
            connection->last = connection->linger = true;
        if (exit->kind != RT_EXIT_SUCCESS)
            rt_problem_of_exit(ctx, connection, exit);
        else if (!connection->response.status)
            rt_host_respond(ctx, &connection->response, 204, NULL, NULL, 0);
        rt_response_commit(ctx, connection);
    }
    rt_connection_answered(connection);
}

static void start(rt_connection *connection, rt_unit_options *options)
{
    connection->busy = true;
    connection->began = false;
    options->done = done;
    options->done_argument = connection;
    rt_ctx *ctx = rt_unit_start(options, run, connection);
    if (!ctx)
        return;
    connection->ctx = ctx;
    if (connection->closed) /* meanwhile, by what the handler did */
        rt_unit_cancel(ctx);
}

/* The host's own answer to a request whose response was begun. */
static void refuse(rt_connection *connection, uint32_t status, const char *problem,
                   const char *correlation_id)
{
    rt_unit_options options = {
        .instance = &host_instance, .name = "http.refuse", .correlation_id = correlation_id};
    connection->route = NULL;
    connection->refusal = status;
    connection->problem = problem;
    connection->counted = false;
    start(connection, &options);
}

/* NUL-terminated; NULL if there is none. */
static const char *copy_correlation(char copy[RT_CORRELATION_LIMIT + 1], rt_str id)
{
    if (!id.length)
        return NULL;
    memcpy(copy, id.data, id.length);
    copy[id.length] = '\0';
    return copy;
}

void rt_exchange_refuse(rt_connection *connection, uint32_t status, const char *problem)
{
    const rt_http_head *head = &connection->server->head;
    char copy[RT_CORRELATION_LIMIT + 1];
    rt_response_begin(&connection->response, connection->server, head->method == RT_HEAD);
    connection->allowed = 0;
    connection->last = connection->linger = true;
    refuse(connection, status, problem, copy_correlation(copy, head->correlation));
}

static uint32_t judge(const rt_connection *connection, const rt_http_head *head)
{
    const rt_http_server *server = connection->server;
    if (connection->route)
        return server->running >= server->options.max_requests ? 503 : 0;
    if (!connection->allowed)
        return 404;
    return head->method == RT_OPTIONS ? 204 : 405;
}

static void start_route(rt_connection *connection, const char *correlation_id)
{
    const rt_http_server *server = connection->server;
    const rt_route *route = connection->route;
    uint64_t timeout = route->timeout ? route->timeout : server->options.request_timeout;
    /* The loop's clock may be behind by its resolution, and a deadline must not come early. */
    uint64_t now = (uv_now(server->loop) + 1) * 1000000;
    rt_unit_options options = {.instance = route->instance,
                               .name = route->name,
                               .deadline = now + timeout,
                               .correlation_id = correlation_id,
                               .stack_size = route->stack_size};
    connection->refusal = 0;
    connection->counted = true;
    connection->server->running++;
    start(connection, &options);
}

void rt_exchange_start(rt_connection *connection)
{
    static const char *const problems[] = {"no such resource", "the resource has other methods",
                                           "too many requests at once"};
    const rt_http_head *head = &connection->server->head;
    char copy[RT_CORRELATION_LIMIT + 1];
    const char *id = copy_correlation(copy, head->correlation);
    rt_response_begin(&connection->response, connection->server, head->method == RT_HEAD);
    connection->last |= head->close;
    uint32_t status = judge(connection, head);
    if (status)
        refuse(connection, status, problems[status == 405 ? 1 : status == 503 ? 2 : 0], id);
    else
        start_route(connection, id);
}
