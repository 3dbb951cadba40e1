#include "http/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_BYTES (1u << 20)

static void on_event(uv_poll_t *poll, int status, int events);
static void settle(rt_connection *connection);

/* --- life ------------------------------------------------------------------------------------ */

static void add_to_server(rt_connection *connection)
{
    rt_http_server *server = connection->server;
    connection->next = server->connections;
    if (server->connections)
        server->connections->previous = connection;
    server->connections = connection;
    server->connection_count++;
}

static void remove_from_server(rt_connection *connection)
{
    rt_http_server *server = connection->server;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    server->connection_count--;
}

static void on_closed(uv_handle_t *handle)
{
    rt_connection *connection = (rt_connection *)handle;
    rt_http_server *server = connection->server;
    remove_from_server(connection);
    free(connection);
    rt_server_connection_gone(server);
}

static void free_buffers(rt_connection *connection)
{
    rt_buffer_free(&connection->ahead);
    rt_buffer_free(&connection->body);
    rt_buffer_recycle(connection->server, &connection->out);
    rt_response_discard(&connection->response);
}

/* The handle is closed last, so that memory goes only from the loop: never under a caller. Its
 * descriptor outlives it, for closing a poll handle takes the number out of the loop's epoll set,
 * and by then it could be another connection's. */
static void release(rt_connection *connection)
{
    free_buffers(connection);
    uv_close((uv_handle_t *)&connection->poll, on_closed);
    close(connection->fd);
}

void rt_connection_close(rt_connection *connection)
{
    if (connection->closed)
        return;
    connection->closed = true;
    rt_timeout_set(connection, RT_TIMEOUT_NONE);
    uv_poll_stop(&connection->poll);
    if (!connection->busy)
        release(connection);
    else if (connection->ctx)
        rt_unit_cancel(connection->ctx);
}

void rt_connection_accept(rt_http_server *server, int fd)
{
    rt_connection *connection = rt_xcalloc(1, sizeof *connection);
    connection->server = server;
    connection->fd = fd;
    connection->fresh = true;
    if (uv_poll_init(server->loop, &connection->poll, fd) < 0) {
        close(fd);
        free(connection);
        return;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* unix sockets have none */
    add_to_server(connection);
    settle(connection);
}

bool rt_connection_is_idle(const rt_connection *connection)
{
    return !connection->busy && !connection->reading_body && !connection->ahead.length &&
           !connection->out.length && !connection->lingering;
}

/* --- writing --------------------------------------------------------------------------------- */

static void flush(rt_connection *connection)
{
    while (connection->sent < connection->out.length) {
        ssize_t sent = send(connection->fd, connection->out.data + connection->sent,
                            connection->out.length - connection->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (sent < 0) {
            rt_connection_close(connection);
            return;
        }
        connection->sent += (size_t)sent;
        if (connection->sent < connection->out.length)
            rt_timeout_set(connection, RT_TIMEOUT_NONE); /* progress: the limit begins anew */
    }
    connection->sent = connection->out.length = 0;
    rt_buffer_recycle(connection->server, &connection->out);
}

static void begin_linger(rt_connection *connection)
{
    connection->lingering = true;
    connection->reading_body = false;
    rt_buffer_free(&connection->ahead);
    shutdown(connection->fd, SHUT_WR);
}

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
    rt_http_parse_head(&server->head, &scan, connection->ahead.data, connection->ahead.length,
                       server->options.max_header);
}

static void dispatch(rt_connection *connection)
{
    connection->reading_body = false;
    connection->scan = (rt_http_scan){0};
    rt_timeout_set(connection, RT_TIMEOUT_NONE);
    rt_exchange_start(connection);
}

static void refuse_body(rt_connection *connection, int status)
{
    if (connection->reading_body)
        recall_head(connection);
    rt_exchange_refuse(connection, (uint32_t)status,
                       status == 413 ? "the body is too large" : "the body is malformed");
}

/* Moves content to `body`. False: more bytes are needed. */
static bool read_body(rt_connection *connection, rt_window *w)
{
    int result = rt_http_body_read(&connection->body_reader, &connection->body, &w->at, w->end);
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
static bool begin_body(rt_connection *connection, rt_window *w)
{
    const rt_http_head *head = &connection->server->head;
    int result = rt_http_body_begin(&connection->body_reader, head,
                                    body_limit(connection->server, connection->route));
    if (result != RT_HTTP_DONE && !connection->route) {
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
    rt_buffer_add(&connection->ahead, start, head->length);
    connection->reading_body = true;
    rt_timeout_set(connection, RT_TIMEOUT_BODY);
    if (head->expects_continue && !connection->body.length)
        ask_for_body(connection);
    return false;
}

static int parse(rt_connection *connection, const char *data, size_t length)
{
    rt_http_server *server = connection->server;
    int result = rt_http_parse_head(&server->head, &connection->scan, data, length,
                                    server->options.max_header);
    if (result == RT_HTTP_DONE)
        connection->route = rt_router_find(server->router, &server->head, &connection->allowed);
    return result;
}

/* Goes on with a request whose head is in `ahead`; the window has bytes of its body. */
static bool take_rest(rt_connection *connection, rt_window *w)
{
    if (!read_body(connection, w))
        return false;
    rt_buffer head = connection->ahead;
    connection->ahead = (rt_buffer){0};
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
    if (connection->reading_body)
        return take_rest(connection, w);
    int result = parse(connection, w->at, (size_t)(w->end - w->at));
    if (result == RT_HTTP_MORE)
        return false;
    if (result != RT_HTTP_DONE) {
        rt_exchange_refuse(connection, (uint32_t)result, connection->server->head.problem);
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
        flush(connection);
    return !connection->busy && !connection->last && !connection->closed &&
           connection->out.length - connection->sent <= RT_BATCH_LIMIT;
}

/* Takes what requests it can; the rest of the window goes to `ahead`. */
static void pump(rt_connection *connection, rt_window w)
{
    connection->taking = &w;
    while (may_take(connection) && take_request(connection, &w))
        ;
    connection->taking = NULL;
    if (w.at < w.end && !connection->closed && !connection->last)
        rt_buffer_add(&connection->ahead, w.at, (size_t)(w.end - w.at));
}

/* Takes requests from `ahead`. */
static void pump_ahead(rt_connection *connection)
{
    if (!connection->ahead.length || connection->reading_body)
        return;
    rt_buffer held = connection->ahead;
    connection->ahead = (rt_buffer){0};
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

bool rt_connection_holds_request(const rt_connection *connection)
{
    rt_http_server *server = connection->server;
    const rt_buffer *ahead = &connection->ahead;
    rt_window rest = {0};
    if (connection->taking)
        rest = *connection->taking;
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

void rt_connection_answered(rt_connection *connection)
{
    rt_buffer_free(&connection->body);
    if (connection->closed) {
        release(connection);
        return;
    }
    if (connection->taking)
        return;
    pump_ahead(connection);
    settle(connection);
}

/* --- what to wait for ------------------------------------------------------------------------ */

/* While draining, what was not read before the answer is for the client to send elsewhere. */
static bool is_deaf(const rt_connection *connection)
{
    return connection->busy && (connection->eof || connection->server->draining ||
                                connection->ahead.length >= RT_AHEAD_LIMIT);
}

static int wanted_events(const rt_connection *connection)
{
    if (connection->out.length)
        return UV_WRITABLE;
    /* A hang-up is reported whatever is watched; out-of-band data nobody sends. */
    return is_deaf(connection) ? UV_PRIORITIZED : UV_READABLE;
}

static enum rt_timeout_class wanted_timeout(const rt_connection *connection)
{
    if (connection->out.length)
        return RT_TIMEOUT_WRITE;
    if (connection->busy)
        return RT_TIMEOUT_NONE;
    if (connection->lingering)
        return RT_TIMEOUT_LINGER;
    if (connection->reading_body)
        return RT_TIMEOUT_BODY;
    return connection->ahead.length || connection->fresh ? RT_TIMEOUT_HEADER : RT_TIMEOUT_IDLE;
}

static void watch(rt_connection *connection)
{
    int events = wanted_events(connection);
    if (events != connection->events) {
        connection->events = events;
        uv_poll_start(&connection->poll, events, on_event);
    }
    enum rt_timeout_class class = wanted_timeout(connection);
    if (class != connection->timeout)
        rt_timeout_set(connection, class);
}

/* Nothing more will be answered: closes, or first drains what the peer is sending, for a close with
 * unread bytes resets the connection and may take the answer with it. */
static void finish(rt_connection *connection)
{
    bool drain = connection->linger && !connection->eof && !connection->server->interrupted;
    if (!drain)
        rt_connection_close(connection);
    else if (!connection->lingering)
        begin_linger(connection);
}

/* Ends a turn: sends what is there and says what to wait for next. */
static void settle(rt_connection *connection)
{
    if (connection->closed)
        return;
    if (connection->out.length)
        flush(connection);
    bool blocked = connection->out.length > 0;
    if (connection->closed)
        return;
    if (blocked && connection->server->interrupted && !connection->busy) {
        rt_connection_close(connection);
        return;
    }
    if (!blocked && !connection->busy && (connection->last || connection->eof))
        finish(connection);
    else if (connection->server->ends_idle && rt_connection_is_idle(connection))
        rt_connection_finish_idle(connection); /* its answer was on its way as draining began */
    if (!connection->closed)
        watch(connection);
}

/* --- events ---------------------------------------------------------------------------------- */

static void received(rt_connection *connection, size_t length)
{
    rt_http_server *server = connection->server;
    connection->fresh = false;
    if (connection->lingering) {
        connection->lingered += length;
        if (connection->lingered > LINGER_BYTES)
            rt_connection_close(connection);
    } else if (connection->busy || (connection->ahead.length && !connection->reading_body)) {
        rt_buffer_add(&connection->ahead, server->read_buffer, length);
        if (!connection->busy)
            pump_ahead(connection);
    } else if (!connection->last) {
        pump(connection, (rt_window){server->read_buffer, server->read_buffer + length});
    }
}

/* False if nothing was there to read. */
static bool receive(rt_connection *connection)
{
    ssize_t got;
    do
        got = recv(connection->fd, connection->server->read_buffer, RT_READ_SIZE, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    if (got < 0)
        rt_connection_close(connection);
    else if (got == 0)
        connection->eof = true;
    else
        received(connection, (size_t)got);
    return true;
}

static void writable(rt_connection *connection)
{
    flush(connection);
    if (!connection->closed && !connection->out.length && !connection->busy && !connection->last)
        pump_ahead(connection);
}

/* A hang-up or an error (then `status` is negative) means that nobody will read an answer. */
static void on_event(uv_poll_t *poll, int status, int events)
{
    rt_connection *connection = (rt_connection *)poll;
    if (status < 0 || events & UV_PRIORITIZED) {
        rt_connection_close(connection);
        return;
    }
    if (events & UV_WRITABLE)
        writable(connection);
    else if (events & UV_READABLE && !is_deaf(connection))
        receive(connection);
    settle(connection);
}

void rt_connection_finish_idle(rt_connection *connection)
{
    if (!receive(connection)) {
        rt_connection_close(connection);
        return;
    }
    settle(connection);
}

void rt_connection_expired(rt_connection *connection)
{
    bool begun = connection->reading_body || connection->ahead.length;
    if (begun && !connection->busy && !connection->out.length) {
        recall_head(connection);
        connection->reading_body = false;
        rt_exchange_refuse(connection, 408, "the request did not come in time");
        settle(connection);
    } else {
        rt_connection_close(connection);
    }
}
