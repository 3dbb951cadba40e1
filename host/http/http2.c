/* http2.c — the session: frames in and out, time limits, farewells */
#include "http/http2.h"

#include "http/http2_memory.h"

#include <stdlib.h>
#include <string.h>

/* --- streams --------------------------------------------------------------------------------- */

rt_http2_stream *rt_http2_stream_new(rt_connection *connection, int32_t id)
{
    rt_http2 *http2 = connection->http2;
    rt_http2_stream *stream = rt_http2_alloc_zeroed(sizeof *stream);
    if (!stream)
        abort();
    stream->exchange.connection = connection;
    stream->exchange.way = &rt_http2_way;
    stream->id = id;
    stream->next = http2->streams;
    if (http2->streams)
        http2->streams->previous = stream;
    http2->streams = stream;
    http2->stream_count++;
    return stream;
}

void rt_http2_stream_free(rt_http2_stream *stream)
{
    rt_http2 *http2 = rt_http2_of(stream);
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        http2->streams = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    http2->stream_count--;
    if (stream->reading)
        http2->held -= stream->exchange.body.length;
    rt_buffer_free(&stream->head);
    rt_buffer_recycle(stream->exchange.connection->server, &stream->out);
    rt_exchange_free(&stream->exchange);
    rt_http2_free(stream);
}

void rt_http2_reset(rt_http2_stream *stream, uint32_t code)
{
    nghttp2_submit_rst_stream(rt_http2_of(stream)->session, NGHTTP2_FLAG_NONE, stream->id, code);
}

static bool has_unsent(const rt_http2_stream *stream)
{
    return stream->answering && stream->sent < stream->out.length;
}

/* --- sending --------------------------------------------------------------------------------- */

/* Nothing more is said to nghttp2, which may have stopped in the middle of a frame. */
static void end_badly(rt_connection *connection, uint32_t code)
{
    rt_http2 *http2 = connection->http2;
    uint32_t last = (uint32_t)nghttp2_session_get_last_proc_stream_id(http2->session);
    const unsigned char goaway[] = {0,
                                    0,
                                    8,
                                    NGHTTP2_GOAWAY,
                                    0,
                                    0,
                                    0,
                                    0,
                                    0,
                                    (unsigned char)(last >> 24),
                                    (unsigned char)(last >> 16),
                                    (unsigned char)(last >> 8),
                                    (unsigned char)last,
                                    (unsigned char)(code >> 24),
                                    (unsigned char)(code >> 16),
                                    (unsigned char)(code >> 8),
                                    (unsigned char)code};
    rt_buffer_add(&connection->out, goaway, sizeof goaway);
    http2->ended = true;
    http2->block.open = false;
    connection->last = connection->linger = true;
    for (rt_http2_stream *stream = http2->streams; stream; stream = stream->next)
        rt_exchange_abandon(&stream->exchange);
}

/* True if there is more than a batch. */
static bool fill(rt_connection *connection)
{
    nghttp2_session *session = connection->http2->session;
    if (!connection->out.length)
        connection->http2->filled = uv_now(connection->server->loop);
    while (connection->out.length - connection->sent < RT_BATCH_LIMIT) {
        const uint8_t *bytes;
        ssize_t length = nghttp2_session_mem_send(session, &bytes);
        if (length < 0)
            end_badly(connection, NGHTTP2_INTERNAL_ERROR);
        if (length <= 0)
            return false;
        if (!connection->out.data)
            connection->out = rt_buffer_take(connection->server);
        rt_buffer_add(&connection->out, bytes, (size_t)length);
    }
    return true;
}

/* The session is over when it says so, or when the peer knows the last stream and that has gone. */
static void judge_end(rt_connection *connection)
{
    rt_http2 *http2 = connection->http2;
    bool over =
        !nghttp2_session_want_read(http2->session) && !nghttp2_session_want_write(http2->session);
    if (over || (http2->parted && !http2->stream_count))
        connection->last = connection->linger = true;
}

void rt_http2_pull(rt_connection *connection)
{
    rt_http2 *http2 = connection->http2;
    if (http2->receiving || http2->ended || connection->closed || connection->lingering)
        return;
    while (fill(connection)) {
        rt_connection_flush(connection);
        if (connection->closed || connection->out.length)
            return;
    }
    if (http2->verdict && !http2->ended)
        end_badly(connection, http2->verdict);
    if (!http2->ended)
        judge_end(connection);
}

void rt_http2_push(rt_connection *connection)
{
    if (connection->http2->receiving || connection->closed)
        return;
    rt_http2_pull(connection);
    if (!connection->closed && connection->out.length)
        rt_connection_flush(connection);
    if (!connection->closed)
        rt_connection_watch(connection);
}

/* --- the farewell ---------------------------------------------------------------------------- */

/* Streams up to the last that was begun are served; later ones are the peer's to send elsewhere. */
static void part(rt_connection *connection)
{
    rt_http2 *http2 = connection->http2;
    if (http2->parted)
        return;
    http2->parted = true;
    nghttp2_submit_goaway(http2->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(http2->session), NGHTTP2_NO_ERROR,
                          NULL, 0);
}

/* First a notice that refuses nothing. The PING behind it comes back after whatever the peer had
 * sent before it knew, and then the last stream is named. */
static void notify(rt_connection *connection)
{
    rt_http2 *http2 = connection->http2;
    if (http2->noticed)
        return;
    http2->noticed = true;
    nghttp2_submit_shutdown_notice(http2->session);
}

/* nghttp2 would send a PING before the notice if it had both. */
void rt_http2_notice_sent(rt_connection *connection)
{
    const rt_http2 *http2 = connection->http2;
    if (http2->noticed && !http2->parted)
        nghttp2_submit_ping(http2->session, NGHTTP2_FLAG_NONE, NULL);
}

void rt_http2_ping_answered(rt_connection *connection)
{
    if (connection->http2->noticed)
        part(connection);
}

static void drain(rt_connection *connection)
{
    rt_http2 *http2 = connection->http2;
    if (!http2 || http2->ended || connection->lingering)
        return;
    notify(connection);
    if (http2->receiving)
        return;
    rt_http2_pull(connection);
    rt_connection_settle(connection);
}

/* --- the protocol ---------------------------------------------------------------------------- */

static uint32_t code_of(const rt_http2 *http2, ssize_t result)
{
    if (http2->verdict)
        return http2->verdict;
    if (result == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        return NGHTTP2_PROTOCOL_ERROR;
    return result == NGHTTP2_ERR_NOMEM ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM;
}

/* What runs meanwhile keeps the connection, so that nothing of the session goes under nghttp2. */
static void received(rt_connection *connection, const char *data, size_t length)
{
    rt_http2 *http2 = connection->http2;
    if (http2->ended)
        return;
    http2->receiving = true;
    connection->active++;
    ssize_t result = nghttp2_session_mem_recv(http2->session, (const uint8_t *)data, length);
    connection->active--;
    http2->receiving = false;
    if (!rt_connection_left(connection))
        return;
    if (result < 0 || http2->verdict)
        end_badly(connection, code_of(http2, result));
    else
        rt_http2_pull(connection);
}

/* No window can be opened any more, no body goes on, and nobody listens to events. */
static void finished(rt_connection *connection)
{
    rt_http2 *http2 = connection->http2;
    for (rt_http2_stream *stream = http2 ? http2->streams : NULL; stream; stream = stream->next) {
        rt_exchange *exchange = &stream->exchange;
        if (exchange->live)
            rt_http2_reset(stream, NGHTTP2_CANCEL);
        if (!exchange->body_open)
            continue;
        exchange->body_open = exchange->awaits = false;
        exchange->body_status = 400;
        rt_exchange_received(exchange);
    }
    if (http2)
        rt_http2_pull(connection);
}

static void flushed(rt_connection *connection)
{
    if (connection->http2)
        rt_http2_pull(connection);
}

/* Who does not read is not read from. */
static bool reads(const rt_connection *connection)
{
    return !connection->out.length && !connection->last;
}

static bool is_idle(const rt_connection *connection)
{
    const rt_http2 *http2 = connection->http2;
    return !http2 || (!http2->stream_count && !http2->block.open && !http2->noticed);
}

static enum rt_timeout_class awaits(const rt_connection *connection)
{
    const rt_http2 *http2 = connection->http2;
    enum rt_timeout_class class = RT_TIMEOUT_NONE;
    if (!http2)
        return RT_TIMEOUT_NONE;
    if (http2->block.open)
        return RT_TIMEOUT_HEADER;
    if (!http2->stream_count && http2->noticed)
        return RT_TIMEOUT_LINGER;
    if (!http2->stream_count)
        return connection->fresh ? RT_TIMEOUT_HEADER : RT_TIMEOUT_IDLE;
    for (const rt_http2_stream *stream = http2->streams; stream; stream = stream->next) {
        if (stream->reading || stream->exchange.awaits)
            return RT_TIMEOUT_BODY;
        if (has_unsent(stream))
            class = RT_TIMEOUT_WRITE;
    }
    return class;
}

static bool is_past(const rt_connection *connection, uint64_t since, enum rt_timeout_class class)
{
    const rt_http_server *server = connection->server;
    return uv_now(server->loop) - since >= server->timeouts[class].duration;
}

static void sweep_stream(rt_connection *connection, rt_http2_stream *stream)
{
    rt_exchange *exchange = &stream->exchange;
    if (stream->reading && is_past(connection, stream->since, RT_TIMEOUT_BODY)) {
        rt_http2_refuse_body(stream, 408, "the request did not come in time");
    } else if (stream->exchange.awaits && is_past(connection, stream->since, RT_TIMEOUT_BODY)) {
        exchange->awaits = exchange->body_open = false;
        exchange->body_status = 408;
        rt_exchange_received(exchange);
    } else if (has_unsent(stream) && is_past(connection, stream->since, RT_TIMEOUT_WRITE)) {
        rt_http2_reset(stream, NGHTTP2_CANCEL);
    }
}

/* Nothing is to be had of this peer: not even a farewell would reach it. */
static bool is_lost(const rt_connection *connection)
{
    const rt_http2 *http2 = connection->http2;
    if (!http2 || http2->ended || (http2->noticed && !http2->stream_count))
        return true;
    return connection->out.length && is_past(connection, http2->filled, RT_TIMEOUT_WRITE);
}

static void expired(rt_connection *connection)
{
    rt_http2 *http2 = connection->http2;
    if (is_lost(connection)) {
        rt_connection_close(connection);
        return;
    }
    if (http2->block.open)
        end_badly(connection, NGHTTP2_NO_ERROR);
    else if (!http2->stream_count)
        part(connection);
    for (rt_http2_stream *stream = http2->streams, *next; stream && !http2->ended; stream = next) {
        next = stream->next;
        sweep_stream(connection, stream);
    }
    rt_http2_pull(connection);
    rt_connection_settle(connection);
}

static void interrupt(rt_connection *connection)
{
    rt_http2 *http2 = connection->http2;
    for (rt_http2_stream *stream = http2 ? http2->streams : NULL; stream; stream = stream->next)
        if (stream->exchange.ctx)
            rt_unit_cancel(stream->exchange.ctx);
}

static void closed(rt_connection *connection)
{
    for (rt_http2_stream *stream = connection->http2->streams; stream; stream = stream->next)
        rt_exchange_abandon(&stream->exchange);
}

static void release(rt_connection *connection)
{
    rt_http2 *http2 = connection->http2;
    if (!http2)
        return;
    while (http2->streams)
        rt_http2_stream_free(http2->streams);
    nghttp2_session_del(http2->session);
    rt_http2_block_clear(&http2->block);
    rt_buffer_recycle(connection->server, &http2->block.text);
    rt_buffer_free(&http2->block.cookies);
    free(http2);
    connection->http2 = NULL;
}

const rt_protocol rt_http2_protocol = {
    .received = received,
    .finished = finished,
    .flushed = flushed,
    .reads = reads,
    .is_idle = is_idle,
    .awaits = awaits,
    .expired = expired,
    .drain = drain,
    .interrupt = interrupt,
    .closed = closed,
    .release = release,
};

/* --- the start ------------------------------------------------------------------------------- */

static void open_library(rt_http_server *server)
{
    rt_http2_library *library = rt_xcalloc(1, sizeof *library);
    nghttp2_session_callbacks_new(&library->callbacks);
    nghttp2_option_new(&library->options);
    if (!library->callbacks || !library->options)
        abort();
    rt_http2_set_receiving(library->callbacks);
    rt_http2_set_sending(library->callbacks);
    nghttp2_option_set_no_auto_window_update(library->options, 1);
    nghttp2_option_set_no_closed_streams(library->options, 1);
    rt_http2_learn_common(library, &server->features.security);
    server->http2_library = library;
}

void rt_http2_close_library(rt_http_server *server)
{
    rt_http2_library *library = server->http2_library;
    if (!library)
        return;
    nghttp2_session_callbacks_del(library->callbacks);
    nghttp2_option_del(library->options);
    rt_buffer_free(&library->lines);
    free(library->common);
    free(library);
    rt_http2_memory_clear();
}

void rt_http2_begin(rt_connection *connection)
{
    rt_http_server *server = connection->server;
    const rt_http_options *options = &server->options;
    rt_http2 *http2 = rt_xcalloc(1, sizeof *http2);
    if (!server->http2_library)
        open_library(server);
    if (nghttp2_session_server_new3(&http2->session, server->http2_library->callbacks, connection,
                                    server->http2_library->options, &rt_http2_memory))
        abort();
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->max_streams},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)options->max_header},
        /* The tree of RFC 7540 costs memory for streams that are long gone. */
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, settings,
                            sizeof settings / sizeof settings[0]);
    rt_http2_budget_begin(&http2->budget, uv_now(server->loop));
    connection->protocol->release(connection);
    connection->http2 = http2;
    connection->protocol = &rt_http2_protocol;
    if (server->draining)
        notify(connection);
    rt_http2_pull(connection);
}
