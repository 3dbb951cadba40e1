/* rt/sse.h — server-sent events: an answer that goes on for as long as somebody listens
 *
 * rt_sse_begin answers 200 `text/event-stream`; each rt_sse_send is an event. The host sends a
 * comment when nothing was sent for `http.ping_interval`. The stream has no deadline unless its
 * route has a timeout of its own; the client's going cancels the handler. When the server drains,
 * sends answer -RT_EUNAVAILABLE, rt_stream_ends says so and what rt_stream_on_end was given is
 * called: the handler returns, and the client comes back to who serves then, with Last-Event-ID.
 * At `drain_timeout` what still runs is cancelled.
 *
 * Ownership: texts are copied. The response is the handler's: others that send on it (rt_spawn,
 * rt_post) must know when the handler ends (rt_defer).
 * Waiting: rt_sse_send waits while the client does not read.
 * Source: the HTML standard, section 9.2.
 *
 *     static void hang_up(void *channel) { rt_channel_close(channel); }
 *
 *     static int follow(rt_ctx *ctx, const rt_request *request, rt_response *response)
 *     {
 *         rt_channel *news = subscribe(ctx, rt_sse_last_id(request));
 *         RT_TRY(rt_sse_begin(ctx, request, response));
 *         RT_TRY(rt_stream_on_end(ctx, response, hang_up, news));
 *         for (void *item; rt_channel_receive(ctx, news, &item) == 0;)
 *             RT_TRY(rt_sse_send(ctx, response, .name = RT_STR("news"), .data = text_of(item)));
 *         return 0;
 *     }
 */
#ifndef RT_SSE_H
#define RT_SSE_H

#include <rt/http.h>

/* A member that is not set is not sent; an event without data only sets id and retry. */
typedef struct rt_sse_event {
    uint32_t size;
    uint32_t reserved;
    rt_str name;    /* one line */
    rt_str id;      /* one line; empty, but not NULL, makes the client forget its last one */
    rt_str data;    /* any lines */
    uint64_t retry; /* nanoseconds to wait before coming back; 0: the client's own choice */
} rt_sse_event;

/* Begins the stream. -RT_EUNAVAILABLE (503) while the server drains. */
static inline int rt_sse_begin(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    return rt_host_table->sse_begin(ctx, request, response);
}

/* Sends an event: rt_sse_send(ctx, response, .data = text). -RT_ECANCELED: the client is gone;
 * -RT_EUNAVAILABLE: the server drains; -RT_EINVALID_ARGUMENT: a name or id of several lines. An
 * event that was cancelled half sent is the stream's last: -RT_EABORTED from then on. */
#define rt_sse_send(ctx_, response_, ...)    \
    rt_host_table->sse_send(ctx_, response_, \
                            &(rt_sse_event){.size = sizeof(rt_sse_event), __VA_ARGS__})

/* What the client saw last, or {NULL, 0}. */
static inline rt_str rt_sse_last_id(const rt_request *request)
{
    return rt_request_header(request, "Last-Event-ID");
}

#endif
