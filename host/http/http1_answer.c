/* http1_answer.c — answers of HTTP/1.1: head and body in one piece, or chunk by chunk */
#include "http/internal.h"
#include "http/status.h"

#include <stdio.h>
#include <string.h>

/* --- the head -------------------------------------------------------------------------------- */

/* The head is written from its end to its start, right before the body. */
static char *prepend(char *at, const char *text, size_t length)
{
    return memcpy(at - length, text, length);
}

#define PREPEND(at, literal) prepend(at, literal, sizeof literal - 1)

static char *prepend_number(char *at, uint64_t number)
{
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    return at;
}

static char *prepend_framing(char *at, const rt_connection *connection)
{
    const rt_response *response = &connection->http1.exchange.response;
    uint32_t status = response->status;
    if (response->streamed && !response->sized)
        return connection->http1.understands_chunks ? PREPEND(at, "Transfer-Encoding: chunked\r\n")
                                                    : at;
    if (status == 204 || status == 304)
        return at;
    at = PREPEND(at, "\r\n");
    at = prepend_number(at, response->length);
    return PREPEND(at, "Content-Length: ");
}

static char *prepend_body_fields(char *at, const rt_connection *connection)
{
    const rt_response *response = &connection->http1.exchange.response;
    at = prepend_framing(at, connection);
    if (response->content_type) {
        at = PREPEND(at, "\r\n");
        at = prepend(at, response->content_type, response->type_length);
        at = PREPEND(at, "Content-Type: ");
    }
    return at;
}

static char *prepend_status_line(char *at, uint32_t status)
{
    const rt_status *entry = rt_status_find(status);
    at = PREPEND(at, "\r\n");
    if (entry->reason)
        at = prepend(at, entry->reason, entry->reason_length);
    at = PREPEND(at, " ");
    at = prepend_number(at, status);
    return PREPEND(at, "HTTP/1.1 ");
}

static char *write_head(rt_ctx *ctx, const rt_connection *connection)
{
    const rt_response *response = &connection->http1.exchange.response;
    const char *id = rt_host_correlation_id(ctx);
    char *at = response->bytes.data + response->body_at;
    at = PREPEND(at, "\r\n");
    if (connection->last)
        at = PREPEND(at, "Connection: close\r\n");
    at = PREPEND(at, "\r\n");
    at = prepend(at, id, strlen(id));
    at = PREPEND(at, "X-Correlation-Id: ");
    if (response->common.length)
        at = prepend(at, response->common.data, response->common.length);
    if (response->headers.length)
        at = prepend(at, response->headers.data, response->headers.length);
    at = prepend_body_fields(at, connection);
    at = prepend(at, rt_date_line(connection->server), RT_DATE_LENGTH);
    return prepend_status_line(at, response->status);
}

/* The head, and the body where it is there, become or join what is to be sent. */
static void commit(rt_ctx *ctx, rt_connection *connection)
{
    rt_response *response = &connection->http1.exchange.response;
    size_t start = (size_t)(write_head(ctx, connection) - response->bytes.data);
    if (connection->out.length == 0) {
        rt_buffer_recycle(connection->server, &connection->out);
        connection->out = response->bytes;
        connection->sent = start;
        response->bytes = (rt_buffer){0};
    } else {
        rt_buffer_add(&connection->out, response->bytes.data + start,
                      response->bytes.length - start);
    }
}

/* What had been read as draining began gets its answers first. What is left of a body that the
 * handler did not want can only be left behind. */
static void judge_end(rt_connection *connection)
{
    const rt_http_server *server = connection->server;
    bool ends = server->interrupted || connection->http1.exchange.body_open ||
                (server->draining && !rt_http1_holds_request(connection));
    if (ends)
        connection->last = connection->linger = true;
}

static void answer(rt_ctx *ctx, rt_exchange *exchange)
{
    rt_connection *connection = exchange->connection;
    judge_end(connection);
    commit(ctx, connection);
    rt_response_discard(&exchange->response);
}

/* --- streams --------------------------------------------------------------------------------- */

static void push_out(rt_connection *connection)
{
    rt_connection_flush(connection);
    if (connection->closed)
        return;
    if (!connection->out.length)
        rt_exchange_sent(&connection->http1.exchange); /* another fiber may wait for that */
    rt_connection_watch(connection);
}

static bool sends_chunks(const rt_connection *connection)
{
    const rt_http1 *http1 = &connection->http1;
    return http1->understands_chunks && !http1->exchange.response.sized && !http1->tunnel;
}

static void begin(rt_ctx *ctx, rt_exchange *exchange)
{
    rt_connection *connection = exchange->connection;
    /* A body without chunks and length ends with the connection. */
    bool delimited = connection->http1.understands_chunks || exchange->response.sized;
    if (!delimited || connection->server->draining)
        connection->last = connection->linger = true;
    commit(ctx, connection);
    push_out(connection);
}

static void write_piece(rt_exchange *exchange, const char *data, size_t length)
{
    rt_connection *connection = exchange->connection;
    bool chunks = sends_chunks(connection);
    if (chunks)
        rt_buffer_format(&connection->out, "%zx\r\n", length);
    rt_buffer_add(&connection->out, data, length);
    if (chunks)
        rt_buffer_add(&connection->out, "\r\n", 2);
    push_out(connection);
}

static bool is_full(const rt_exchange *exchange)
{
    return exchange->connection->out.length > 0;
}

/* A body that ends with its connection is cut visibly only by a reset, one of chunks by any end. */
static void cut(rt_connection *connection)
{
    rt_transport_cut(&connection->transport);
    rt_connection_close(connection);
}

static void finish(rt_exchange *exchange, bool whole)
{
    rt_connection *connection = exchange->connection;
    rt_response *response = &exchange->response;
    if (!whole) {
        cut(connection);
        return;
    }
    judge_end(connection);
    if (sends_chunks(connection) && !response->head_only) {
        rt_buffer_text(&connection->out, "0\r\n");
        rt_buffer_add(&connection->out, response->trailers.data, response->trailers.length);
        rt_buffer_text(&connection->out, "\r\n");
    }
    rt_response_discard(response);
}

static void read_more(rt_exchange *exchange)
{
    rt_connection *connection = exchange->connection;
    rt_http1 *http1 = &connection->http1;
    if (http1->owes_continue && exchange->awaits && !exchange->response.streamed)
        rt_buffer_text(&connection->out, "HTTP/1.1 100 Continue\r\n\r\n");
    http1->owes_continue = false;
    push_out(connection);
}

static void ended(rt_exchange *exchange)
{
    exchange->body_open = false;
    rt_http1_answered(exchange->connection);
}

/* What came behind the request is the other protocol's already. */
static void take_ahead(rt_connection *connection)
{
    rt_http1 *http1 = &connection->http1;
    rt_buffer_add(&http1->exchange.body, http1->ahead.data, http1->ahead.length);
    rt_buffer_free(&http1->ahead);
    if (!http1->taking)
        return;
    rt_window *rest = http1->taking;
    rt_buffer_add(&http1->exchange.body, rest->at, (size_t)(rest->end - rest->at));
    rest->at = rest->end;
}

static void upgrade(rt_ctx *ctx, rt_exchange *exchange, const char *protocol)
{
    rt_connection *connection = exchange->connection;
    rt_buffer *out = &connection->out;
    connection->http1.tunnel = true;
    connection->last = connection->linger = true;
    exchange->body_open = !connection->eof;
    take_ahead(connection);
    rt_buffer_text(out, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n");
    rt_buffer_format(out, "Upgrade: %s\r\n", protocol);
    rt_buffer_add(out, rt_date_line(connection->server), RT_DATE_LENGTH);
    rt_buffer_add(out, exchange->response.headers.data, exchange->response.headers.length);
    rt_buffer_add(out, exchange->response.common.data, exchange->response.common.length);
    rt_buffer_format(out, "X-Correlation-Id: %s\r\n\r\n", rt_host_correlation_id(ctx));
    push_out(connection);
}

const rt_way rt_http1_way = {
    .answer = answer,
    .begin = begin,
    .write = write_piece,
    .is_full = is_full,
    .finish = finish,
    .read = read_more,
    .ended = ended,
    .upgrade = upgrade,
};

/* HTTP/1.0 ends where its answer does. */
const rt_way rt_http10_way = {
    .answer = answer,
    .begin = begin,
    .write = write_piece,
    .is_full = is_full,
    .finish = finish,
    .read = read_more,
    .ended = ended,
};
