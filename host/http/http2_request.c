/* http2_request.c — header blocks and DATA to requests */
#include "http/http2.h"

#include <stdlib.h>
#include <string.h>

enum { METHOD, PATH, AUTHORITY, SCHEME };

static uint64_t now_of(const rt_connection *connection)
{
    return uv_now(connection->server->loop);
}

/* Ends the connection; what nghttp2 is told only stops it. */
static int condemn(rt_http2 *http2, uint32_t code)
{
    http2->verdict = code;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* --- what it costs --------------------------------------------------------------------------- */

static bool block_is_flood(const rt_connection *connection, rt_http2_block *block, size_t length)
{
    block->decoded += length; /* of what is encoded: a block of nothing but frames counts too */
    return ++block->frames > RT_HTTP2_CONTINUATIONS ||
           block->decoded > connection->server->options.max_header * RT_HTTP2_HEAD_EXCESS;
}

static bool is_affordable(rt_connection *connection, const nghttp2_frame_hd *header)
{
    rt_http2 *http2 = connection->http2;
    switch (header->type) {
    case NGHTTP2_HEADERS:
        http2->block.frames = 0;
        http2->block.decoded = 0;
        rt_http2_give_back(&http2->budget);
        return true;
    case NGHTTP2_CONTINUATION:
        return !block_is_flood(connection, &http2->block, header->length);
    case NGHTTP2_DATA: /* judged when it is there: it may be padding alone */
        return true;
    case NGHTTP2_RST_STREAM:
        return rt_http2_charge_reset(&http2->budget, now_of(connection));
    default:
        return rt_http2_charge_frame(&http2->budget, now_of(connection));
    }
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *header, void *argument)
{
    rt_connection *connection = argument;
    (void)session;
    return is_affordable(connection, header)
               ? 0
               : condemn(connection->http2, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* --- header blocks --------------------------------------------------------------------------- */

void rt_http2_block_clear(rt_http2_block *block)
{
    for (int i = METHOD; i <= SCHEME; i++)
        if (block->pseudo[i])
            nghttp2_rcbuf_decref(block->pseudo[i]);
    rt_buffer text = block->text, cookies = block->cookies;
    text.length = cookies.length = 0;
    *block = (rt_http2_block){.text = text, .cookies = cookies};
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *argument)
{
    rt_connection *connection = argument;
    rt_http2_block *block = &connection->http2->block;
    (void)session;
    if (block->begun) /* and nobody saw its end */
        rt_http2_block_clear(block);
    block->begun = block->open = true;
    block->trailers = frame->headers.cat != NGHTTP2_HCAT_REQUEST;
    if (!block->text.data)
        block->text = rt_buffer_take(connection->server);
    return 0;
}

static void find_fault(rt_http2_block *block, uint32_t status, const char *problem)
{
    if (block->problem)
        return;
    block->status = status;
    block->problem = problem;
}

static void add(rt_buffer *text, nghttp2_vec piece)
{
    rt_buffer_add(text, piece.base, piece.len);
}

#define LITERAL(text)                       \
    (nghttp2_vec)                           \
    {                                       \
        (uint8_t *)(text), sizeof(text) - 1 \
    }

static char *append(char *at, nghttp2_vec piece)
{
    return (char *)memcpy(at, piece.base, piece.len) + piece.len;
}

static void add_four(rt_buffer *text, nghttp2_vec a, nghttp2_vec b, nghttp2_vec c, nghttp2_vec d)
{
    rt_buffer_reserve(text, a.len + b.len + c.len + d.len);
    char *at = text->data + text->length;
    at = append(append(append(append(at, a), b), c), d);
    *at = '\0';
    text->length = (size_t)(at - text->data);
}

static void add_field(rt_http2_block *block, nghttp2_vec name, nghttp2_vec value)
{
    add_four(&block->text, name, LITERAL(": "), value, LITERAL("\r\n"));
    block->fields++;
}

static nghttp2_vec pseudo(const rt_http2_block *block, int which, nghttp2_vec otherwise)
{
    return block->pseudo[which] ? nghttp2_rcbuf_get_buf(block->pseudo[which]) : otherwise;
}

/* nghttp2 has seen to it that pseudo fields come first, each once, and that `:method` is there. */
static void write_request_line(rt_http2_block *block)
{
    nghttp2_vec path = pseudo(block, PATH, LITERAL("/"));
    nghttp2_vec method = pseudo(block, METHOD, LITERAL("-"));
    if (block->lined)
        return;
    block->lined = true;
    block->method = method.len == 4 && !memcmp(method.base, "HEAD", 4) ? RT_HEAD : 0;
    if (!path.len || (path.base[0] != '/' && (path.len != 1 || path.base[0] != '*')))
        find_fault(block, 400, "`:path` is no path");
    add_four(&block->text, method, LITERAL(" "), path, LITERAL(" HTTP/1.1\r\n"));
    if (block->pseudo[AUTHORITY])
        add_field(block, LITERAL("Host"), nghttp2_rcbuf_get_buf(block->pseudo[AUTHORITY]));
}

static int keep_pseudo(rt_http2_block *block, nghttp2_vec name, nghttp2_rcbuf *value)
{
    static const nghttp2_vec names[] = {[METHOD] = LITERAL(":method"),
                                        [PATH] = LITERAL(":path"),
                                        [AUTHORITY] = LITERAL(":authority"),
                                        [SCHEME] = LITERAL(":scheme")};
    for (int i = METHOD; i <= SCHEME; i++)
        if (!block->pseudo[i] && names[i].len == name.len &&
            !memcmp(names[i].base, name.base, name.len)) {
            block->pseudo[i] = value;
            nghttp2_rcbuf_incref(value);
            return 0;
        }
    find_fault(block, 400, "a pseudo field is not known");
    return 0;
}

static bool is_named(nghttp2_vec name, const char *text, size_t length)
{
    return name.len == length && !memcmp(name.base, text, length);
}

static void keep_cookie(rt_http2_block *block, nghttp2_vec value)
{
    if (block->cookies.length)
        add(&block->cookies, LITERAL("; "));
    add(&block->cookies, value);
}

static void keep_field(rt_http2_block *block, nghttp2_vec name, nghttp2_vec value)
{
    write_request_line(block);
    if (is_named(name, "cookie", 6)) {
        keep_cookie(block, value);
    } else if (block->pseudo[AUTHORITY] && is_named(name, "host", 4)) {
        nghttp2_vec authority = nghttp2_rcbuf_get_buf(block->pseudo[AUTHORITY]);
        if (authority.len != value.len ||
            strncasecmp((char *)authority.base, (char *)value.base, value.len) != 0)
            find_fault(block, 400, "Host is not `:authority`");
    } else {
        add_field(block, name, value);
    }
}

/* They are lines as HTTP/1.1 has them behind a body; what is too much is the peer's fault. */
static void keep_trailer(rt_http2_stream *stream, nghttp2_vec name, nghttp2_vec value)
{
    rt_buffer *lines = &stream->exchange.trailers;
    if (lines->length + name.len + value.len + 4 > RT_HTTP_TRAILERS) {
        rt_http2_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    rt_buffer_add(lines, (const char *)name.base, name.len);
    rt_buffer_char(lines, ':');
    rt_buffer_add(lines, (const char *)value.base, value.len);
    rt_buffer_text(lines, "\r\n");
}

/* What is too much for a request is not kept; what is far too much ends the connection, for its
 * decoding is work too (one byte may stand for 4 KiB). */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *argument)
{
    rt_connection *connection = argument;
    rt_http2_block *block = &connection->http2->block;
    uint64_t most = connection->server->options.max_header;
    nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
    (void)flags;
    block->decoded += n.len + v.len + 4;
    if (block->decoded > most * RT_HTTP2_HEAD_EXCESS)
        return condemn(connection->http2, NGHTTP2_ENHANCE_YOUR_CALM);
    if (block->trailers) {
        rt_http2_stream *stream =
            nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (stream && stream->remote_open)
            keep_trailer(stream, n, v);
        return 0;
    }
    if (block->decoded > most)
        find_fault(block, 431, "the header is too large");
    else if (n.base[0] == ':')
        return keep_pseudo(block, n, value);
    else if (block->fields >= RT_HTTP_HEADERS)
        find_fault(block, 431, "too many header fields");
    else
        keep_field(block, n, v);
    return 0;
}

static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
                             void *argument)
{
    rt_connection *connection = argument;
    (void)session, (void)frame, (void)name, (void)value, (void)flags;
    find_fault(&connection->http2->block, 400, "a header field is malformed");
    return 0;
}

/* --- from a head to a request ---------------------------------------------------------------- */

static void forget_head(rt_http_server *server, uint32_t method)
{
    rt_http_scan scan = {0};
    rt_http_parse_head(&server->head, &scan, "", 0, 1);
    server->head.method = method;
}

static void refuse(rt_http2_stream *stream, uint32_t status, const char *problem)
{
    stream->reading = false;
    stream->exchange.route = NULL;
    rt_exchange_refuse(&stream->exchange, status, problem);
}

static int parse(rt_connection *connection, rt_http2_stream *stream, const rt_buffer *text)
{
    rt_http_server *server = connection->server;
    rt_http_scan scan = {0};
    int result =
        rt_http_parse_head(&server->head, &scan, text->data, text->length, text->length + 1);
    if (result != RT_HTTP_DONE)
        return result == RT_HTTP_MORE ? 400 : result;
    stream->exchange.route =
        rt_router_find(server->router, &server->head, &stream->exchange.allowed);
    return result;
}

void rt_http2_refuse_body(rt_http2_stream *stream, uint32_t status, const char *problem)
{
    rt_connection *connection = stream->exchange.connection;
    connection->http2->held -= stream->exchange.body.length;
    stream->reading = false; /* what `held` counts */
    parse(connection, stream, &stream->head);
    refuse(stream, status, problem);
}

/* The whole body is there. */
static void start_after_body(rt_http2_stream *stream)
{
    rt_connection *connection = stream->exchange.connection;
    rt_buffer head = stream->head;
    connection->http2->held -= stream->exchange.body.length;
    stream->reading = false;
    stream->head = (rt_buffer){0};
    parse(connection, stream, &head);
    connection->server->head.chunked = stream->exchange.body.length > 0; /* it has a body */
    rt_exchange_start(&stream->exchange);
    rt_buffer_free(&head);
}

static void await_body(rt_http2_stream *stream, const rt_buffer *text)
{
    rt_connection *connection = stream->exchange.connection;
    rt_buffer_add(&stream->head, text->data, text->length);
    stream->reading = true;
    stream->since = now_of(connection);
    if (connection->server->head.expects_continue)
        rt_http2_send_continue(stream);
}

static void begin_body(rt_connection *connection, rt_http2_stream *stream, const rt_buffer *text)
{
    rt_exchange *exchange = &stream->exchange;
    const rt_http_head *head = &connection->server->head;
    uint64_t own = exchange->route->max_body;
    stream->limit = own ? own : connection->server->options.max_body;
    if (head->content_length > stream->limit) {
        refuse(stream, 413, "the body is too large");
    } else if (rt_exchange_streams(exchange)) {
        exchange->body_open = true;
        stream->owes_continue = head->expects_continue;
        rt_exchange_start(exchange);
    } else {
        await_body(stream, text);
    }
}

static void take_request(rt_connection *connection, int32_t id, bool has_body)
{
    rt_http2_block *block = &connection->http2->block;
    rt_http2_stream *stream = rt_http2_stream_new(connection, id);
    stream->remote_open = has_body;
    if (connection->timeout == RT_TIMEOUT_IDLE)
        rt_timeout_set(connection, RT_TIMEOUT_NONE); /* the limit begins anew behind this one */
    nghttp2_session_set_stream_user_data(connection->http2->session, id, stream);
    int result = block->problem ? (int)block->status : parse(connection, stream, &block->text);
    const rt_http_head *head = &connection->server->head;
    if (block->problem)
        forget_head(connection->server, block->method);
    if (result != RT_HTTP_DONE)
        refuse(stream, (uint32_t)result, block->problem ? block->problem : head->problem);
    else if (head->header_count != block->fields || head->length != block->text.length)
        refuse(stream, 400, "a header field is malformed");
    else if (has_body && stream->exchange.route)
        begin_body(connection, stream, &block->text);
    else
        rt_exchange_start(&stream->exchange);
}

/* Units whose streams were reset run on until they have ended, and count. */
static void finish_head(rt_connection *connection, int32_t id, bool has_body)
{
    rt_http2 *http2 = connection->http2;
    rt_http2_block *block = &http2->block;
    write_request_line(block);
    if (block->cookies.length)
        add_field(block, LITERAL("Cookie"),
                  (nghttp2_vec){(uint8_t *)block->cookies.data, block->cookies.length});
    add(&block->text, LITERAL("\r\n"));
    if (http2->stream_count >= connection->server->options.max_streams)
        nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    else
        take_request(connection, id, has_body);
}

/* --- bodies ---------------------------------------------------------------------------------- */

static bool is_beyond_bodies(const rt_connection *connection)
{
    uint64_t one = connection->server->options.max_body;
    uint64_t most = (one > RT_STREAM_WINDOW ? one : RT_STREAM_WINDOW) * RT_HTTP2_BODIES_LEAST;
    return connection->http2->held > most;
}

static void keep_early(rt_http2_stream *stream, const uint8_t *data, size_t length)
{
    rt_connection *connection = stream->exchange.connection;
    nghttp2_session_consume_stream(connection->http2->session, stream->id, length);
    if (stream->got > stream->limit) {
        rt_http2_refuse_body(stream, 413, "the body is too large");
        return;
    }
    rt_buffer_add(&stream->exchange.body, data, length);
    connection->http2->held += length;
    if (!is_beyond_bodies(connection) || connection->http2->held == stream->got)
        return;
    connection->http2->held -= stream->exchange.body.length;
    stream->reading = false;
    rt_buffer_free(&stream->exchange.body);
    /* Nothing has been done for it, so that the peer may send it again. */
    rt_http2_reset(stream, NGHTTP2_REFUSED_STREAM);
}

static void keep_streamed(rt_http2_stream *stream, const uint8_t *data, size_t length)
{
    rt_exchange *exchange = &stream->exchange;
    stream->exchange.awaits = false;
    if (stream->got > stream->limit) {
        exchange->body_open = false;
        exchange->body_status = 413;
    } else {
        rt_buffer_add(&exchange->body, data, length);
    }
    rt_exchange_received(exchange);
}

/* The window of the connection is given back at once, so that no stream holds up another; each
 * stream's own when its bytes are taken. */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                   size_t length, void *argument)
{
    rt_http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)flags, (void)argument;
    nghttp2_session_consume_connection(session, length);
    if (stream)
        stream->got += length;
    if (stream && stream->reading)
        keep_early(stream, data, length);
    else if (stream && stream->exchange.busy && stream->exchange.body_open)
        keep_streamed(stream, data, length);
    else
        nghttp2_session_consume_stream(session, id, length);
    return 0;
}

static void finish_body(rt_http2_stream *stream)
{
    rt_exchange *exchange = &stream->exchange;
    stream->remote_open = stream->exchange.awaits = false;
    if (stream->reading) {
        start_after_body(stream);
    } else if (exchange->body_open) {
        exchange->body_open = false;
        rt_exchange_received(exchange);
    }
}

/* --- frames ---------------------------------------------------------------------------------- */

static void take_headers(rt_connection *connection, const nghttp2_frame *frame, bool ends)
{
    rt_http2_block *block = &connection->http2->block;
    block->open = false;
    if (!block->trailers)
        finish_head(connection, frame->hd.stream_id, !ends);
    rt_http2_block_clear(block);
    rt_buffer_recycle(connection->server, &block->text);
    rt_buffer_free(&block->cookies);
}

/* DATA without content moves nothing. */
static bool is_empty(const nghttp2_frame *frame, bool ends)
{
    return frame->hd.type == NGHTTP2_DATA && !ends && frame->hd.length <= frame->data.padlen;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *argument)
{
    rt_connection *connection = argument;
    bool has_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    bool ends = has_end && frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    bool is_request =
        frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    if (is_empty(frame, ends) &&
        !rt_http2_charge_frame(&connection->http2->budget, now_of(connection)))
        return condemn(connection->http2, NGHTTP2_ENHANCE_YOUR_CALM);
    if (frame->hd.type == NGHTTP2_HEADERS)
        take_headers(connection, frame, ends);
    if (frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK)
        rt_http2_ping_answered(connection);
    rt_http2_stream *stream =
        ends && !is_request ? nghttp2_session_get_stream_user_data(session, frame->hd.stream_id)
                            : NULL;
    if (stream)
        finish_body(stream);
    return 0;
}

/* nghttp2 resets the stream, or ends the connection, by itself. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *argument)
{
    rt_connection *connection = argument;
    (void)session, (void)error;
    if (frame->hd.type == NGHTTP2_HEADERS)
        connection->http2->block.open = false;
    return 0;
}

static int on_stream_closed(nghttp2_session *session, int32_t id, uint32_t code, void *argument)
{
    rt_http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)code, (void)argument;
    if (!stream)
        return 0;
    stream->over = true;
    stream->answering = stream->exchange.awaits = false;
    if (stream->exchange.busy)
        rt_exchange_abandon(&stream->exchange);
    else
        rt_http2_stream_free(stream);
    return 0;
}

void rt_http2_set_receiving(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_closed);
}
