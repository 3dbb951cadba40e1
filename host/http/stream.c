/* stream.c — bodies in pieces: what a handler calls, and whom it waits for */
#include "http/internal.h"

#include <string.h>

bool rt_exchange_streams(const rt_exchange *exchange)
{
    return exchange->route && exchange->route->streams;
}

void rt_exchange_received(rt_exchange *exchange)
{
    exchange->awaits = false; /* its time limit begins anew */
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

static bool has_body(const rt_exchange *exchange)
{
    return exchange->taken < exchange->taking.length || exchange->body.length;
}

/* What has come is taken as a whole, so that nothing is moved: the two buffers change places. */
static void swap_body(rt_exchange *exchange)
{
    rt_buffer emptied = exchange->taking;
    exchange->taking = exchange->body;
    exchange->taken = emptied.length = 0;
    exchange->body = emptied;
    if (exchange->taking.length && exchange->body_open && !exchange->gone)
        exchange->way->read(exchange);
}

rt_str rt_exchange_look(rt_exchange *exchange)
{
    if (exchange->taken == exchange->taking.length)
        swap_body(exchange);
    if (!exchange->taking.length)
        return (rt_str){0};
    return (rt_str){exchange->taking.data + exchange->taken,
                    exchange->taking.length - exchange->taken};
}

void rt_exchange_skip(rt_exchange *exchange, uint64_t length)
{
    exchange->taken += length;
}

/* Who waits, perhaps for hours, holds no buffers. */
void rt_exchange_want(rt_exchange *exchange)
{
    if (exchange->taken == exchange->taking.length) {
        rt_buffer_free(&exchange->taking);
        exchange->taken = 0;
    }
    if (!exchange->body.length)
        rt_buffer_free(&exchange->body);
    exchange->awaits = true;
    exchange->way->read(exchange);
}

static int await_body(rt_ctx *ctx, rt_exchange *exchange)
{
    while (!has_body(exchange) && exchange->body_open && !exchange->gone) {
        rt_exchange_want(exchange);
        if (exchange->gone) /* by what was sent */
            break;
        int result = rt_park(ctx, &exchange->reading);
        exchange->awaits = false;
        RT_TRY(result);
    }
    return 0;
}

static uint64_t take_body(rt_exchange *exchange, void *into, uint64_t size)
{
    rt_str here = rt_exchange_look(exchange);
    uint64_t length = here.length < size ? here.length : size;
    if (length)
        memcpy(into, here.data, length);
    rt_exchange_skip(exchange, length);
    return length;
}

int rt_exchange_read(rt_ctx *ctx, rt_exchange *exchange, void *into, uint64_t size, uint64_t *got)
{
    *got = 0;
    RT_TRY(await_body(ctx, exchange));
    if (has_body(exchange))
        *got = take_body(exchange, into, size);
    else if (exchange->body_open) /* a body that is cut must not look complete */
        return rt_host_fail(ctx, RT_ECANCELED, "the client is gone");
    return 0;
}

int rt_host_body_read(rt_ctx *ctx, const rt_request *request, void *into, uint64_t size,
                      uint64_t *got)
{
    rt_exchange *exchange = ((const rt_full_request *)request)->exchange;
    *got = 0;
    if (!rt_exchange_streams(exchange))
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION,
                            "the route does not stream: its body is in the request");
    if (!size)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "there is no room to read into");
    RT_TRY(rt_exchange_read(ctx, exchange, into, size, got));
    return *got || !exchange->body_status ? 0 : fail_body(ctx, exchange);
}

void rt_exchange_lift_deadline(rt_ctx *ctx, const rt_exchange *exchange)
{
    if (exchange->route && !exchange->route->timeout)
        rt_unit_lift_deadline(ctx);
}

/* --- the answer's ---------------------------------------------------------------------------- */

static int check_streamed(rt_ctx *ctx, const rt_response *response)
{
    if (!response || response->magic != RT_RESPONSE_MAGIC || !response->streamed)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "no streamed answer was begun");
    return 0;
}

static int begin(rt_ctx *ctx, rt_response *response, uint32_t status, const char *content_type,
                 const uint64_t *length, bool coded)
{
    if (!rt_status_has_body(status))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "an answer of status %u has no body",
                            status);
    RT_TRY(rt_response_check(ctx, response, status, content_type, 0));
    rt_exchange *exchange = rt_exchange_of(response);
    if (coded)
        rt_compress_begin(exchange, status, content_type);
    RT_TRY(rt_response_open(ctx, response, status, content_type, 0));
    response->streamed = true;
    response->sized = length != NULL;
    response->length = length ? *length : 0;
    if (!exchange->gone)
        exchange->way->begin(ctx, exchange);
    return 0;
}

int rt_host_respond_begin(rt_ctx *ctx, rt_response *response, uint32_t status,
                          const char *content_type)
{
    return begin(ctx, response, status, content_type, NULL, true);
}

int rt_response_begin_plain(rt_ctx *ctx, rt_response *response, uint32_t status,
                            const char *content_type)
{
    return begin(ctx, response, status, content_type, NULL, false);
}

int rt_response_begin_sized(rt_ctx *ctx, rt_response *response, uint32_t status,
                            const char *content_type, uint64_t length)
{
    return begin(ctx, response, status, content_type, &length, false);
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

void rt_exchange_write(rt_exchange *exchange, const char *data, size_t length)
{
    exchange->marks.sent += length;
    exchange->way->write(exchange, data, length);
}

static int send_bytes(rt_ctx *ctx, rt_exchange *exchange, const char *data, uint64_t length)
{
    rt_response *response = &exchange->response;
    if (response->sized && length > response->length - response->written)
        return rt_host_fail(ctx, RT_EOUT_OF_RANGE, "the body is longer than was announced");
    for (uint64_t done = 0, piece; done < length; done += piece) {
        piece = length - done < RT_STREAM_WINDOW ? length - done : RT_STREAM_WINDOW;
        RT_TRY(await_room(ctx, exchange));
        rt_exchange_write(exchange, data + done, piece);
        response->written += piece;
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
