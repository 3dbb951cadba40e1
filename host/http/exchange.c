/* exchange.c — one request and its answer, as a unit of work */
#include "http/internal.h"
#include "http/live.h"
#include "http/observe.h"
#include "http/status.h"

#include <string.h>

/* What the host itself answers runs as this instance. */
static rt_instance host_instance = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .name = "http", .module = "http"};

static int answer_options(rt_ctx *ctx, rt_exchange *exchange, const char *allow)
{
    const rt_http_server *server = exchange->connection->server;
    if (server->features.cors && rt_cors_is_preflight(&server->head))
        rt_cors_preflight(server->features.cors, &exchange->marks);
    if (allow)
        RT_TRY(rt_host_response_header(ctx, &exchange->response, "Allow", allow));
    return rt_host_respond(ctx, &exchange->response, 204, NULL, NULL, 0);
}

/* The host's own answer: OPTIONS, or a refusal. */
static int answer_refusal(rt_ctx *ctx, rt_exchange *exchange)
{
    rt_response *response = &exchange->response;
    rt_buffer allow = {0};
    int result = 0;
    rt_router_allow(exchange->allowed, &allow);
    if (exchange->refusal == 204)
        result = answer_options(ctx, exchange, allow.data);
    else if (exchange->refusal == 405)
        result = rt_host_response_header(ctx, response, "Allow", allow.data);
    else if (exchange->refusal == 415)
        result = rt_host_response_header(ctx, response, "Accept-Encoding", "identity");
    else if (exchange->refusal == 503)
        result = rt_host_response_header(ctx, response, "Retry-After", "1");
    if (exchange->refusal != 204)
        rt_problem_answer(ctx, response, exchange->refusal, NULL, exchange->problem);
    rt_buffer_free(&allow);
    return result;
}

static int run(rt_ctx *ctx, void *argument)
{
    rt_exchange *exchange = argument;
    exchange->began = true;
    if (exchange->connection->server->features.spans)
        rt_observe_enter(ctx, exchange);
    if (exchange->refusal)
        return answer_refusal(ctx, exchange);
    rt_full_request *full = rt_request_build(ctx, exchange);
    return exchange->route->handler(ctx, &full->request, &exchange->response);
}

/* --- the end --------------------------------------------------------------------------------- */

/* What the encoder holds back until it knows that nothing follows. */
static bool finish_coding(rt_ctx *ctx, rt_exchange *exchange)
{
    rt_buffer coded = {0};
    int result = 0;
    if (exchange->marks.encoder && !exchange->response.head_only)
        result = rt_compress_piece(ctx, exchange, NULL, 0, RT_ENCODER_END, &coded);
    if (coded.length && !result)
        rt_exchange_write(exchange, coded.data, coded.length);
    rt_buffer_free(&coded);
    return !result;
}

/* Tells who counts, before the answer leaves. */
static void report(rt_ctx *ctx, rt_exchange *exchange, const rt_exit *exit)
{
    const rt_response *response = &exchange->response;
    if (!response->streamed && !response->head_only)
        exchange->marks.sent = response->length;
    if (exchange->marks.began)
        rt_features_end(ctx, exchange, exit, response->status);
}

static void conclude_stream(rt_ctx *ctx, rt_exchange *exchange, const rt_exit *exit)
{
    const rt_response *response = &exchange->response;
    bool whole = exit->kind == RT_EXIT_SUCCESS;
    if (exchange->live)
        whole = rt_live_over(ctx, exchange->live, exit);
    else if (!whole)
        rt_problem_log(ctx, exchange, exit);
    if (response->sized && !response->head_only && response->written != response->length)
        whole = false;
    whole = whole && finish_coding(ctx, exchange);
    report(ctx, exchange, exit);
    if (!exchange->gone) /* it may have gone by the last words */
        exchange->way->finish(exchange, whole);
}

static void conclude(rt_ctx *ctx, rt_exchange *exchange, const rt_exit *exit)
{
    bool succeeded = exit->kind == RT_EXIT_SUCCESS;
    if (exchange->response.streamed) {
        conclude_stream(ctx, exchange, exit);
        return;
    }
    if (!succeeded)
        rt_problem_of_exit(ctx, exchange, exit);
    else if (!exchange->response.status)
        rt_host_respond(ctx, &exchange->response, 204, NULL, NULL, 0);
    report(ctx, exchange, exit);
    exchange->way->answer(ctx, exchange);
}

static void leave_stream(rt_exchange *exchange)
{
    rt_live_leave(exchange);
    rt_buffer_free(&exchange->taking);
    rt_buffer_free(&exchange->trailers);
    exchange->taken = 0;
}

static void done(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    rt_exchange *exchange = argument;
    exchange->busy = false;
    exchange->ctx = NULL;
    exchange->connection->server->running -= exchange->counted;
    if (!exchange->gone)
        conclude(ctx, exchange, exit);
    else if (exchange->marks.began)
        rt_features_end(ctx, exchange, exit, RT_STATUS_GONE);
    if (exchange->connection->server->features.marks)
        rt_marks_free(&exchange->marks);
    if (exchange->live || exchange->taking.data || exchange->trailers.data)
        leave_stream(exchange);
    /* Only now: while it counts, a connection that is closed by the last words stays. */
    exchange->connection->active--;
    exchange->way->ended(exchange);
}

void rt_exchange_abandon(rt_exchange *exchange)
{
    exchange->gone = true;
    rt_exchange_sent(exchange); /* other units may wait to send */
    if (exchange->ctx)
        rt_unit_cancel(exchange->ctx);
}

void rt_exchange_abort(const rt_exchange *exchange)
{
    if (exchange->ctx)
        rt_unit_cancel(exchange->ctx);
}

void rt_exchange_free(rt_exchange *exchange)
{
    rt_buffer_free(&exchange->body);
    rt_buffer_free(&exchange->trailers);
    rt_marks_free(&exchange->marks);
    rt_response_discard(&exchange->response);
}

/* --- the start ------------------------------------------------------------------------------- */

/* Where a unit of work starts from, by its request's head. */
typedef struct rt_start {
    rt_trace place;
    const rt_trace *trace;   /* `place`; NULL: requests are no part of traces */
    const char *correlation; /* NULL: none came */
    char copy[RT_CORRELATION_LIMIT + 1];
} rt_start;

static void start(rt_exchange *exchange, rt_unit_options *options)
{
    exchange->busy = true;
    exchange->began = exchange->gone = false;
    exchange->connection->active++;
    options->done = done;
    options->done_argument = exchange;
    rt_ctx *ctx = rt_unit_start(options, run, exchange);
    if (!ctx)
        return;
    exchange->ctx = ctx;
    if (exchange->gone) /* meanwhile, by what the handler did */
        rt_unit_cancel(ctx);
}

/* The host's own answer to a request whose response was begun. */
static void refuse(rt_exchange *exchange, uint32_t status, const char *problem,
                   const rt_start *from)
{
    rt_unit_options options = {.instance = &host_instance,
                               .name = "http.refuse",
                               .correlation_id = from->correlation,
                               .trace = from->trace};
    exchange->route = NULL;
    exchange->refusal = status;
    exchange->problem = problem;
    exchange->counted = false;
    start(exchange, &options);
}

static void copy_correlation(rt_start *from, rt_str id)
{
    if (!id.length)
        return;
    memcpy(from->copy, id.data, id.length);
    from->copy[id.length] = '\0';
    from->correlation = from->copy;
}

static void begin(rt_exchange *exchange, rt_start *from)
{
    rt_http_server *server = exchange->connection->server;
    rt_response_begin(&exchange->response, server, server->head.method == RT_HEAD);
    exchange->response.takes_trailers = server->head.takes_trailers;
    exchange->refused = NULL;
    exchange->awaits = false;
    from->correlation = NULL;
    from->trace = NULL;
    if (server->features.spans) {
        from->place = (rt_trace){0};
        from->trace = &from->place;
    }
    rt_features_begin(exchange, &from->place);
    copy_correlation(from, server->head.correlation);
}

void rt_exchange_refuse(rt_exchange *exchange, uint32_t status, const char *problem)
{
    rt_start from;
    exchange->route = NULL;
    begin(exchange, &from);
    exchange->allowed = 0;
    refuse(exchange, status, problem, &from);
}

/* The host decodes no bodies. A handler that reads its body in pieces takes the bytes as they come,
 * and can see by the header what they are. */
static bool is_coded(const rt_exchange *exchange)
{
    const rt_http_head *head = &exchange->connection->server->head;
    if ((!head->content_length && !head->chunked) || exchange->route->streams)
        return false;
    rt_str coding = rt_head_field(head, "content-encoding");
    return coding.length && !rt_http_same(coding, "identity");
}

static uint32_t judge(const rt_exchange *exchange)
{
    const rt_http_server *server = exchange->connection->server;
    if (server->features.cors && (exchange->route || exchange->allowed) &&
        rt_cors_is_preflight(&server->head))
        return 204;
    if (exchange->route && *exchange->route->quarantined)
        return 503;
    if (exchange->route && is_coded(exchange))
        return 415;
    if (exchange->route)
        return server->running >= server->options.max_requests ? 503 : 0;
    if (!exchange->allowed)
        return 404;
    return server->head.method == RT_OPTIONS ? 204 : 405;
}

static void start_route(rt_exchange *exchange, const rt_start *from)
{
    rt_http_server *server = exchange->connection->server;
    const rt_route *route = exchange->route;
    uint64_t timeout = route->timeout ? route->timeout : server->options.request_timeout;
    /* The loop's clock may be behind by its resolution, and a deadline must not come early. */
    uint64_t now = (uv_now(server->loop) + 1) * 1000000;
    rt_unit_options options = {.instance = route->instance,
                               .name = route->name,
                               .deadline = now + timeout,
                               .correlation_id = from->correlation,
                               .trace = from->trace,
                               .stack_size = route->stack_size,
                               .entry = route->entry};
    exchange->refusal = 0;
    exchange->body_status = 0;
    exchange->counted = true;
    server->running++;
    __atomic_store_n(server->options.requests, *server->options.requests + 1, __ATOMIC_RELAXED);
    start(exchange, &options);
}

static const char *problem_of(const rt_exchange *exchange, uint32_t status)
{
    static const struct {
        uint32_t status;
        const char *text;
    } problems[] = {{404, "no such resource"},
                    {405, "the resource has other methods"},
                    {415, "the body has a content coding"},
                    {503, "too many requests at once"}};
    if (status == 503 && *exchange->route->quarantined)
        return "the resource is in quarantine: it crashed its server repeatedly";
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
        if (problems[i].status == status)
            return problems[i].text;
    return NULL;
}

void rt_exchange_start(rt_exchange *exchange)
{
    rt_start from;
    begin(exchange, &from);
    uint32_t status = judge(exchange);
    if (status)
        refuse(exchange, status, problem_of(exchange, status), &from);
    else
        start_route(exchange, &from);
}
