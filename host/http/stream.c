/* stream.c — bodies in pieces: what a handler calls, and whom it waits for */
#include "http/internal.h"

#include <string.h>

bool rt_exchange_streams(const rt_exchange *exchange)
{
    return exchange->route && exchange->route->streams;
}

void rt_exchange_received(rt_exchange *exchange)
{
    rt_unpark(&exchange->reading, 0);
}

void rt_exchange_sent(rt_exchange *exchange)
{
    rt_unpark(&exchange->writing, 0);
}

/* --- the request's body ---------------------------------------------------------------------- */

static int fail_body(rt_ctx *ctx, const rt_exchange *exchange)
{
    if (exchange->body_status == 413)
        return rt_host_fail(ctx, RT_EOUT_OF_RANGE, "the body is too large");
    if (exchange->body_status == 408)
        return rt_host_fail(ctx, RT_EDEADLINE, "the body did not come in time");
    return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the body is malformed");
}

static int await_body(rt_ctx *ctx, rt_exchange *exchange)
{
    while (!exchange->body.length && exchange->body_open && !exchange->gone) {
        exchange->way->read(exchange);
        RT_TRY(rt_park(ctx, &exchange->reading));
    }
    return 0;
}

static uint64_t take_body(rt_exchange *exchange, void *into, uint64_t size)
{
    rt_buffer *body = &exchange->body;
    uint64_t length = body->length < size ? body->length : size;
    if (!length)
        return 0;
    memcpy(into, body->data, length);
    memmove(body->data, body->data + length, body->length - length);
    body->length -= length;
    return length;
}

int rt_host_body_read(rt_ctx *ctx, const rt_request *request, void *into, uint64_t size,
                      uint64_t *got)
{
    rt_exchange *exchange = ((const rt_full_request *)request)->exchange;
    *got = 0;
    if (!rt_exchange_streams(exchange))
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION,
                            "the route does not stream: its body is in the request");
    RT_TRY(await_body(ctx, exchange));
    *got = take_body(exchange, into, size);
    if (*got && exchange->body_open && !exchange->gone)
        exchange->way->read(exchange);
    return *got || !exchange->body_status ? 0 : fail_body(ctx, exchange);
}

/* --- the answer's ---------------------------------------------------------------------------- */

static int check_streamed(rt_ctx *ctx, const rt_response *response)
{
    if (!response || response->magic != RT_RESPONSE_MAGIC || !response->streamed)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "no streamed answer was begun");
    return 0;
}

int rt_host_respond_begin(rt_ctx *ctx, rt_response *response, uint32_t status,
                          const char *content_type)
{
    if (!rt_status_has_body(status))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "an answer of status %u has no body",
                            status);
    RT_TRY(rt_response_check(ctx, response, status, content_type, 0));
    rt_exchange *exchange = rt_exchange_of(response);
    rt_compress_begin(exchange, status, content_type);
    RT_TRY(rt_response_open(ctx, response, status, content_type, 0));
    response->streamed = true;
    if (!exchange->gone)
        exchange->way->begin(ctx, exchange);
    return 0;
}

/* Waits until the protocol has let go of what it was given. */
static int await_room(rt_ctx *ctx, rt_exchange *exchange)
{
    while (!exchange->gone && exchange->way->is_full(exchange))
        RT_TRY(rt_park(ctx, &exchange->writing));
    if (exchange->gone)
        return rt_host_fail(ctx, RT_ECANCELED, "the client is gone");
    return 0;
}

static int send_bytes(rt_ctx *ctx, rt_exchange *exchange, const char *data, uint64_t length)
{
    exchange->marks.sent += length;
    for (uint64_t done = 0, piece; done < length; done += piece) {
        piece = length - done < RT_STREAM_WINDOW ? length - done : RT_STREAM_WINDOW;
        RT_TRY(await_room(ctx, exchange));
        exchange->way->write(exchange, data + done, piece);
    }
    return exchange->gone ? rt_host_fail(ctx, RT_ECANCELED, "the client is gone") : 0;
}

int rt_host_respond_write(rt_ctx *ctx, rt_response *response, const char *data, uint64_t length)
{
    RT_TRY(check_streamed(ctx, response));
    rt_exchange *exchange = rt_exchange_of(response);
    rt_buffer coded = {0};
    if (response->head_only)
        return 0;
    if (!exchange->marks.encoder)
        return send_bytes(ctx, exchange, data, length);
    int result = rt_compress_piece(ctx, exchange, data, length, RT_ENCODER_FLUSH, &coded);
    if (!result)
        result = send_bytes(ctx, exchange, coded.data, coded.length);
    rt_buffer_free(&coded);
    return result;
}
