/* http2_answer.c — answers of HTTP/2: heads to fields, bodies as far as the windows go */
#include "http/http2.h"
#include "http/status.h"

#include <ctype.h>
#include <string.h>

#define FEW_FIELDS 24

/* --- the head -------------------------------------------------------------------------------- */

typedef struct fields {
    nghttp2_nv *list;
    size_t count;
} fields;

static void add(fields *to, const char *name, size_t name_length, const char *value,
                size_t value_length, uint8_t flags)
{
    to->list[to->count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value,
                                         name_length, value_length, flags};
}

/* Names in lower case that stay. */
#define ADD(to, name, value, length) \
    add(to, name, sizeof name - 1, value, length, NGHTTP2_NV_FLAG_NO_COPY_NAME)

/* Before `end`, without an end of its own; where it begins. */
static char *write_number(char *end, uint64_t number)
{
    do
        *--end = (char)('0' + number % 10);
    while (number /= 10);
    return end;
}

static void add_length(fields *to, char *end, uint64_t length)
{
    const char *text = write_number(end, length);
    ADD(to, "content-length", text, (size_t)(end - text));
}

/* Lines as HTTP/1.1 has them; nghttp2 puts the names in lower case. */
static void add_lines(fields *to, const char *at, size_t length)
{
    const char *end = length ? at + length : at;
    while (at < end) {
        const char *colon = memchr(at, ':', (size_t)(end - at));
        const char *stop = memchr(colon, '\r', (size_t)(end - colon));
        add(to, at, (size_t)(colon - at), colon + 2, (size_t)(stop - colon - 2), 0);
        at = stop + 2;
    }
}

static size_t count_lines(const char *lines, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += lines[i] == '\n';
    return count;
}

/* Names in lower case and values that stay need no copy, and are not looked through again. */
void rt_http2_learn_common(rt_http2_library *library, const rt_buffer *lines)
{
    rt_buffer *own = &library->lines;
    rt_buffer_add(own, lines->data, lines->length);
    library->common = rt_xcalloc(count_lines(own->data, own->length), sizeof *library->common);
    fields list = {library->common, 0};
    add_lines(&list, own->data, own->length);
    for (size_t i = 0; i < list.count; i++) {
        nghttp2_nv *field = &library->common[i];
        for (size_t at = 0; at < field->namelen; at++)
            field->name[at] = (uint8_t)tolower(field->name[at]);
        field->flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    }
    library->common_count = list.count;
}

/* What the server gives all its answers has been made fields of. */
static void add_common(fields *to, const rt_response *response)
{
    const rt_http_server *server = response->server;
    const rt_http2_library *library = server->http2_library;
    if (!response->common.length)
        return;
    memcpy(to->list + to->count, library->common, library->common_count * sizeof *to->list);
    to->count += library->common_count;
}

/* An id in the table is of no use but for its name, which the others then need not spell. The dates
 * push it out, about once a minute. */
static void add_id(fields *to, rt_http2 *http2, const char *id, uint64_t now)
{
    bool names = !http2->named || now - http2->named >= RT_HTTP2_NAMED_AGAIN;
    if (names)
        http2->named = now;
    add(to, "x-correlation-id", 16, id, strlen(id),
        NGHTTP2_NV_FLAG_NO_COPY_NAME | (names ? 0 : NGHTTP2_NV_FLAG_NO_INDEX));
}

static nghttp2_nv *room_for(rt_arena *arena, nghttp2_nv *few, size_t count)
{
    return count <= FEW_FIELDS ? few : rt_arena_alloc(arena, count * sizeof *few);
}

static bool tells_length(const rt_response *response)
{
    return response->streamed ? response->sized
                              : response->status != 204 && response->status != 304;
}

/* Sends the head; with `body`, nghttp2 asks for it as it has room. */
static void submit(rt_ctx *ctx, rt_http2_stream *stream, bool body);

/* --- the body -------------------------------------------------------------------------------- */

static void end_of_body(rt_http2_stream *stream, uint32_t *flags)
{
    const rt_buffer *trailers = &stream->exchange.response.trailers;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    stream->answering = false;
    if (!trailers->length)
        return;
    nghttp2_nv few[FEW_FIELDS];
    size_t count = count_lines(trailers->data, trailers->length);
    rt_arena arena;
    rt_arena_init(&arena);
    fields list = {room_for(&arena, few, count), 0};
    add_lines(&list, trailers->data, trailers->length);
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(rt_http2_of(stream)->session, stream->id, list.list, list.count);
    rt_arena_free(&arena);
}

static ssize_t give_body(nghttp2_session *session, int32_t id, uint8_t *into, size_t size,
                         uint32_t *flags, nghttp2_data_source *source, void *argument)
{
    rt_http2_stream *stream = source->ptr;
    rt_connection *connection = argument;
    size_t length = stream->out.length - stream->sent;
    (void)session, (void)id;
    stream->since = uv_now(connection->server->loop);
    if (!length && !stream->finished) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    length = length < size ? length : size;
    if (length)
        memcpy(into, stream->out.data + stream->sent, length);
    stream->sent += length;
    rt_http2_give_back(&connection->http2->budget);
    if (stream->sent < stream->out.length)
        return (ssize_t)length;
    stream->sent = stream->out.length = 0;
    if (stream->finished)
        end_of_body(stream, flags);
    else
        rt_exchange_sent(&stream->exchange);
    return (ssize_t)length;
}

static void submit(rt_ctx *ctx, rt_http2_stream *stream, bool body)
{
    const rt_response *response = &stream->exchange.response;
    const char *id = rt_host_correlation_id(ctx);
    char status[3], digits[20], *end = digits + sizeof digits;
    size_t lines = response->server->http2_library->common_count +
                   count_lines(response->headers.data, response->headers.length);
    nghttp2_nv few[FEW_FIELDS];
    fields list = {room_for(rt_unit_arena(ctx), few, 5 + lines), 0};
    stream->since = uv_now(response->server->loop);
    write_number(status + sizeof status, response->status);
    ADD(&list, ":status", status, 3);
    ADD(&list, "date", rt_date_line(response->server) + 6, RT_DATE_LENGTH - 8);
    if (response->content_type)
        ADD(&list, "content-type", response->content_type, response->type_length);
    if (tells_length(response))
        add_length(&list, end, response->length);
    add_common(&list, response);
    add_lines(&list, response->headers.data, response->headers.length);
    add_id(&list, rt_http2_of(stream), id, stream->since);
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = give_body};
    stream->answering = body;
    nghttp2_submit_response(rt_http2_of(stream)->session, stream->id, list.list, list.count,
                            body ? &provider : NULL);
}

void rt_http2_send_continue(rt_http2_stream *stream)
{
    static const nghttp2_nv field = {(uint8_t *)":status", (uint8_t *)"100", 7, 3,
                                     NGHTTP2_NV_FLAG_NONE};
    nghttp2_submit_headers(rt_http2_of(stream)->session, NGHTTP2_FLAG_NONE, stream->id, NULL,
                           &field, 1, NULL);
}

/* --- the way --------------------------------------------------------------------------------- */

static rt_http2_stream *stream_of(const rt_exchange *exchange)
{
    return (rt_http2_stream *)(uintptr_t)exchange;
}

static void answer(rt_ctx *ctx, rt_exchange *exchange)
{
    rt_http2_stream *stream = stream_of(exchange);
    rt_response *response = &exchange->response;
    bool body = response->length && !response->head_only;
    if (body) {
        stream->out = response->bytes;
        stream->sent = response->body_at;
        response->bytes = (rt_buffer){0};
    }
    stream->finished = true;
    submit(ctx, stream, body);
    rt_response_discard(response);
}

static void begin(rt_ctx *ctx, rt_exchange *exchange)
{
    submit(ctx, stream_of(exchange), !exchange->response.head_only);
    rt_http2_push(exchange->connection);
}

static void resume(rt_http2_stream *stream)
{
    if (!stream->deferred)
        return;
    stream->deferred = false;
    nghttp2_session_resume_data(rt_http2_of(stream)->session, stream->id);
}

static void write_piece(rt_exchange *exchange, const char *data, size_t length)
{
    rt_http2_stream *stream = stream_of(exchange);
    rt_buffer_add(&stream->out, data, length);
    stream->since = uv_now(exchange->connection->server->loop);
    resume(stream);
    rt_http2_push(exchange->connection);
}

static bool is_full(const rt_exchange *exchange)
{
    return stream_of(exchange)->out.length > 0;
}

static void finish(rt_exchange *exchange, bool whole)
{
    rt_http2_stream *stream = stream_of(exchange);
    stream->finished = true;
    if (!whole)
        rt_http2_reset(stream, NGHTTP2_INTERNAL_ERROR);
    else
        resume(stream);
}

/* What the handler has taken since: the peer may send as much again. */
static void read_more(rt_exchange *exchange)
{
    rt_http2_stream *stream = stream_of(exchange);
    nghttp2_session *session = rt_http2_of(stream)->session;
    size_t taken = stream->got - exchange->body.length;
    stream->since = uv_now(exchange->connection->server->loop);
    if (taken > stream->returned) {
        nghttp2_session_consume_stream(session, stream->id, taken - stream->returned);
        stream->returned = taken;
    }
    if (stream->owes_continue && exchange->awaits && !exchange->response.streamed)
        rt_http2_send_continue(stream);
    stream->owes_continue = false;
    rt_http2_push(exchange->connection);
}

static void ended(rt_exchange *exchange)
{
    rt_http2_stream *stream = stream_of(exchange);
    rt_connection *connection = exchange->connection;
    rt_http2 *http2 = connection->http2;
    rt_buffer_free(&exchange->body);
    exchange->body_open = exchange->awaits = false;
    if (stream->over || connection->closed || http2->ended)
        rt_http2_stream_free(stream);
    if (!rt_connection_left(connection) || http2->receiving)
        return;
    rt_http2_pull(connection);
    if (connection->server->interrupted && !connection->active)
        connection->last = true;
    rt_connection_settle(connection);
}

const rt_way rt_http2_way = {
    .protocol = "HTTP/2.0",
    .answer = answer,
    .begin = begin,
    .write = write_piece,
    .is_full = is_full,
    .finish = finish,
    .read = read_more,
    .ended = ended,
};

/* --- frames that went out -------------------------------------------------------------------- */

/* A stream that we reset is charged to the peer, who may have made us do it. One whose answer is
 * whole while its request is not is of no use to anybody (RFC 9113, 8.1). */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *argument)
{
    rt_connection *connection = argument;
    rt_http2 *http2 = connection->http2;
    uint64_t now = uv_now(connection->server->loop);
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        !rt_http2_charge_reset(&http2->budget, now))
        http2->verdict = NGHTTP2_ENHANCE_YOUR_CALM;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        rt_http2_notice_sent(connection);
    bool ends = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    rt_http2_stream *stream =
        ends ? nghttp2_session_get_stream_user_data(session, frame->hd.stream_id) : NULL;
    if (stream && stream->remote_open)
        rt_http2_reset(stream, NGHTTP2_NO_ERROR);
    return 0;
}

void rt_http2_set_sending(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
}
