/* http1.c — requests of HTTP/1.1, one after the other (RFC 9112) */
#include "http/internal.h"

/* --- taking requests ------------------------------------------------------------------------- */

static uint64_t body_limit(const rt_http_server *server, const rt_route *route)
{
    return route && route->max_body ? route->max_body : server->options.max_body;
}

/* The head of `ahead`, as far as it is there, becomes the server's parsed head. */
static void recall_head(const rt_connection *connection)
{
    rt_http_server *server = connection->server;
    rt_http_scan scan = {0};
    const rt_buffer *ahead = &connection->http1.ahead;
    rt_http_parse_head(&server->head, &scan, ahead->data, ahead->length,
                       server->options.max_header);
}

static void begin_exchange(rt_connection *connection)
{
    rt_http1 *http1 = &connection->http1;
    http1->tunnel = false;
    http1->exchange.connection = connection;
    http1->understands_chunks = connection->server->head.minor > 0;
    http1->exchange.way = http1->understands_chunks ? &rt_http1_way : &rt_http10_way;
}

/* Answers the server's parsed head by a refusal, the connection's last answer. */
static void refuse(rt_connection *connection, uint32_t status, const char *problem)
{
    connection->last = connection->linger = true;
    begin_exchange(connection);
    rt_exchange_refuse(&connection->http1.exchange, status, problem);
}

void rt_http1_refuse(rt_connection *connection, uint32_t status, const char *problem)
{
    recall_head(connection);
    refuse(connection, status, problem);
}

static void dispatch(rt_connection *connection)
{
    rt_http1 *http1 = &connection->http1;
    http1->reading_body = false;
    http1->scan = (rt_http_scan){0};
    begin_exchange(connection);
    connection->last |= connection->server->head.close;
    rt_timeout_set(connection, RT_TIMEOUT_NONE);
    rt_exchange_start(&http1->exchange);
}

static void refuse_body(rt_connection *connection, int status)
{
    if (connection->http1.reading_body)
        recall_head(connection);
    refuse(connection, (uint32_t)status,
           status == 413 ? "the body is too large" : "the body is malformed");
}

/* Moves content to `body`. False: more bytes are needed. */
static bool read_body(rt_connection *connection, rt_window *w)
{
    rt_http1 *http1 = &connection->http1;
    int result = rt_http_body_read(&http1->body_reader, &http1->exchange.body, &w->at, w->end);
    if (result > RT_HTTP_DONE)
        refuse_body(connection, result);
    return result == RT_HTTP_DONE;
}

static void ask_for_body(rt_connection *connection)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    rt_buffer_add(&connection->out, interim, sizeof interim - 1);
}

/* Nobody will look at the body, so it is neither asked for nor waited for. The connection ends,
 * also where the body is there already: what is answered must not depend on how the stream was cut.
 */
static void answer_without_body(rt_connection *connection)
{
    connection->last = connection->linger = true;
    dispatch(connection);
}

/* The head stays in `ahead` until its body is complete, and is then parsed again: cheaper than to
 * keep what was parsed for every connection. */
static void await_body(rt_connection *connection, const char *head, size_t length)
{
    rt_http1 *http1 = &connection->http1;
    rt_buffer_add(&http1->ahead, head, length);
    http1->reading_body = true;
    rt_timeout_set(connection, RT_TIMEOUT_BODY);
    if (connection->server->head.expects_continue && !http1->exchange.body.length)
        ask_for_body(connection);
}

/* The handler reads the rest of the body itself. */
static void leave_body_open(rt_connection *connection)
{
    rt_http1 *http1 = &connection->http1;
    http1->exchange.body_open = true;
    http1->owes_continue =
        connection->server->head.expects_continue && !http1->exchange.body.length;
}

/* True: the request may run. */
static bool begin_body(rt_connection *connection, rt_window *w)
{
    rt_http1 *http1 = &connection->http1;
    const rt_http_head *head = &connection->server->head;
    const rt_route *route = http1->exchange.route;
    int result =
        rt_http_body_begin(&http1->body_reader, head, body_limit(connection->server, route));
    http1->body_reader.trailers = &http1->exchange.trailers;
    if (result != RT_HTTP_DONE && !route) {
        answer_without_body(connection);
        return false;
    }
    if (result > RT_HTTP_DONE) {
        refuse_body(connection, result);
        return false;
    }
    const char *start = w->at;
    w->at += head->length;
    if (result == RT_HTTP_DONE || read_body(connection, w))
        return true;
    if (connection->last)
        return false;
    if (rt_exchange_streams(&http1->exchange)) {
        leave_body_open(connection);
        return true;
    }
    await_body(connection, start, head->length);
    return false;
}

static int parse(rt_connection *connection, const char *data, size_t length)
{
    rt_http_server *server = connection->server;
    rt_exchange *exchange = &connection->http1.exchange;
    int result = rt_http_parse_head(&server->head, &connection->http1.scan, data, length,
                                    server->options.max_header);
    if (result == RT_HTTP_DONE)
        exchange->route = rt_router_find(server->router, &server->head, &exchange->allowed);
    return result;
}

/* Goes on with a request whose head is in `ahead`; the window has bytes of its body. */
static bool take_rest(rt_connection *connection, rt_window *w)
{
    if (!read_body(connection, w))
        return false;
    rt_buffer head = connection->http1.ahead;
    connection->http1.ahead = (rt_buffer){0};
    if (parse(connection, head.data, head.length) == RT_HTTP_DONE)
        dispatch(connection);
    rt_buffer_free(&head);
    return true;
}

/* Takes one request. False: more bytes are needed, or the connection ends. */
static bool take_request(rt_connection *connection, rt_window *w)
{
    if (w->at == w->end)
        return false;
    if (connection->http1.reading_body)
        return take_rest(connection, w);
    int result = parse(connection, w->at, (size_t)(w->end - w->at));
    if (result == RT_HTTP_MORE)
        return false;
    if (result != RT_HTTP_DONE) {
        refuse(connection, (uint32_t)result, connection->server->head.problem);
        return false;
    }
    if (!begin_body(connection, w))
        return false;
    dispatch(connection);
    return true;
}

static bool may_take(rt_connection *connection)
{
    if (connection->out.length - connection->sent > RT_BATCH_LIMIT)
        rt_connection_flush(connection);
    return !connection->http1.exchange.busy && !connection->last && !connection->closed &&
           connection->out.length - connection->sent <= RT_BATCH_LIMIT;
}

/* Takes what requests it can; the rest of the window goes to `ahead`. */
static void pump(rt_connection *connection, rt_window w)
{
    connection->http1.taking = &w;
    while (may_take(connection) && take_request(connection, &w))
        ;
    connection->http1.taking = NULL;
    if (w.at < w.end && !connection->closed && !connection->last)
        rt_buffer_add(&connection->http1.ahead, w.at, (size_t)(w.end - w.at));
}

/* Takes requests from `ahead`. */
static void pump_ahead(rt_connection *connection)
{
    rt_http1 *http1 = &connection->http1;
    if (!http1->ahead.length || http1->reading_body)
        return;
    rt_buffer held = http1->ahead;
    http1->ahead = (rt_buffer){0};
    pump(connection, (rt_window){held.data, held.data + held.length});
    rt_buffer_free(&held);
}

static bool has_whole_body(const rt_http_server *server, const rt_route *route, rt_window rest)
{
    rt_http_body body;
    int result = rt_http_body_begin(&body, &server->head, body_limit(server, route));
    if (result != RT_HTTP_MORE || !route)
        return true;
    rt_buffer content = {0};
    result = rt_http_body_read(&body, &content, &rest.at, rest.end);
    rt_buffer_free(&content);
    return result != RT_HTTP_MORE;
}

bool rt_http1_holds_request(const rt_connection *connection)
{
    rt_http_server *server = connection->server;
    const rt_buffer *ahead = &connection->http1.ahead;
    rt_window rest = {0};
    if (connection->http1.taking)
        rest = *connection->http1.taking;
    else if (ahead->length)
        rest = (rt_window){ahead->data, ahead->data + ahead->length};
    if (rest.at == rest.end)
        return false;
    rt_http_scan scan = {0};
    uint32_t allowed;
    int result = rt_http_parse_head(&server->head, &scan, rest.at, (size_t)(rest.end - rest.at),
                                    server->options.max_header);
    if (result != RT_HTTP_DONE)
        return result != RT_HTTP_MORE;
    rest.at += server->head.length;
    return has_whole_body(server, rt_router_find(server->router, &server->head, &allowed), rest);
}

void rt_http1_answered(rt_connection *connection)
{
    rt_buffer_free(&connection->http1.exchange.body);
    if (!rt_connection_left(connection) || connection->http1.taking)
        return;
    pump_ahead(connection);
    rt_connection_settle(connection);
}

/* --- bodies that stream ---------------------------------------------------------------------- */

static void end_body(rt_connection *connection, uint32_t status)
{
    rt_exchange *exchange = &connection->http1.exchange;
    exchange->body_open = false;
    exchange->body_status = status;
    if (status)
        connection->last = connection->linger = true;
    rt_exchange_received(exchange);
}

static void take_body(rt_connection *connection, rt_window w)
{
    rt_http1 *http1 = &connection->http1;
    if (http1->tunnel) {
        rt_buffer_add(&http1->exchange.body, w.at, (size_t)(w.end - w.at));
        rt_exchange_received(&http1->exchange);
        return;
    }
    int result = rt_http_body_read(&http1->body_reader, &http1->exchange.body, &w.at, w.end);
    if (result == RT_HTTP_MORE) {
        rt_exchange_received(&http1->exchange);
        return;
    }
    end_body(connection, result == RT_HTTP_DONE ? 0 : (uint32_t)result);
    if (w.at < w.end && !connection->last)
        rt_buffer_add(&http1->ahead, w.at, (size_t)(w.end - w.at));
}

/* --- the protocol ---------------------------------------------------------------------------- */

static void received(rt_connection *connection, const char *data, size_t length)
{
    rt_http1 *http1 = &connection->http1;
    bool busy = http1->exchange.busy;
    if (busy && http1->exchange.body_open) {
        take_body(connection, (rt_window){data, data + length});
    } else if (busy || (http1->ahead.length && !http1->reading_body)) {
        rt_buffer_add(&http1->ahead, data, length);
        if (!busy)
            pump_ahead(connection);
    } else if (!connection->last) {
        pump(connection, (rt_window){data, data + length});
    }
}

static void finished(rt_connection *connection)
{
    rt_http1 *http1 = &connection->http1;
    if (http1->tunnel)
        end_body(connection, 0);
    else if (http1->exchange.body_open)
        end_body(connection, 400);
    else if (http1->exchange.live) /* nobody ends half an event stream */
        rt_connection_close(connection);
}

static void flushed(rt_connection *connection)
{
    rt_http1 *http1 = &connection->http1;
    if (http1->exchange.busy)
        rt_exchange_sent(&http1->exchange);
    else if (!connection->last)
        pump_ahead(connection);
}

/* While draining, what was not read before the answer is for the client to send elsewhere. */
static bool reads(const rt_connection *connection)
{
    const rt_http1 *http1 = &connection->http1;
    if (http1->exchange.busy && http1->exchange.body_open)
        return http1->exchange.body.length < RT_STREAM_WINDOW;
    if (connection->out.length)
        return false;
    return !http1->exchange.busy ||
           (!connection->server->draining && http1->ahead.length < RT_AHEAD_LIMIT);
}

static bool is_idle(const rt_connection *connection)
{
    return !connection->http1.reading_body && !connection->http1.ahead.length;
}

static enum rt_timeout_class awaits(const rt_connection *connection)
{
    const rt_http1 *http1 = &connection->http1;
    if (http1->exchange.busy)
        return http1->exchange.awaits && !http1->tunnel ? RT_TIMEOUT_BODY : RT_TIMEOUT_NONE;
    if (http1->reading_body)
        return RT_TIMEOUT_BODY;
    if (connection->fresh && connection->server->ends_idle)
        return RT_TIMEOUT_LINGER;
    return http1->ahead.length || connection->fresh ? RT_TIMEOUT_HEADER : RT_TIMEOUT_IDLE;
}

static void expired(rt_connection *connection)
{
    rt_http1 *http1 = &connection->http1;
    bool begun = http1->reading_body || http1->ahead.length;
    if (http1->exchange.awaits && !connection->out.length) {
        end_body(connection, 408);
    } else if (begun && !http1->exchange.busy && !connection->out.length) {
        recall_head(connection);
        http1->reading_body = false;
        refuse(connection, 408, "the request did not come in time");
    } else {
        rt_connection_close(connection);
        return;
    }
    rt_connection_settle(connection);
}

static void interrupt(rt_connection *connection)
{
    if (connection->http1.exchange.ctx)
        rt_unit_cancel(connection->http1.exchange.ctx);
}

static void closed(rt_connection *connection)
{
    rt_exchange_abandon(&connection->http1.exchange);
}

static void release(rt_connection *connection)
{
    rt_http1 *http1 = &connection->http1;
    http1->reading_body = false;
    rt_buffer_free(&http1->ahead);
    rt_exchange_free(&http1->exchange);
}

const rt_protocol rt_http1_protocol = {
    .received = received,
    .finished = finished,
    .flushed = flushed,
    .reads = reads,
    .is_idle = is_idle,
    .awaits = awaits,
    .expired = expired,
    .interrupt = interrupt,
    .closed = closed,
    .release = release,
};
