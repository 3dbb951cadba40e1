/* sse.c — server-sent events (the HTML standard, section 9.2) */
#include "http/internal.h"
#include "http/live.h"

#include <rt/sse.h>
#include <stdlib.h>
#include <string.h>

/* --- one event as text ----------------------------------------------------------------------- */

static bool has_any(rt_str text, const char *characters, size_t count)
{
    for (size_t i = 0; text.length && i < count; i++)
        if (memchr(text.data, characters[i], text.length))
            return true;
    return false;
}

static void line(rt_buffer *out, const char *name, rt_str value)
{
    rt_buffer_text(out, name);
    rt_buffer_add(out, value.data, value.length);
    rt_buffer_char(out, '\n');
}

/* Each line of the data is a line of its own; CR, LF and CRLF end one. */
static void data_lines(rt_buffer *out, rt_str data)
{
    const char *at = data.data, *end = data.length ? at + data.length : at;
    for (bool more = true; more;) {
        const char *stop = at;
        while (stop < end && *stop != '\r' && *stop != '\n')
            stop++;
        line(out, "data: ", (rt_str){at, (uint64_t)(stop - at)});
        more = stop < end;
        at = stop + (end - stop > 1 && stop[0] == '\r' && stop[1] == '\n' ? 2 : more);
    }
}

static int encode(rt_ctx *ctx, const rt_sse_event *event, rt_buffer *out)
{
    if (has_any(event->name, "\r\n", 2))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the name of an event is one line");
    if (has_any(event->id, "\r\n\0", 3))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the id of an event is one line");
    if (event->name.length)
        line(out, "event: ", event->name);
    if (event->id.data)
        line(out, "id: ", event->id);
    if (event->retry)
        rt_buffer_format(out, "retry: %llu\n", (unsigned long long)(event->retry / 1000000));
    if (event->data.data)
        data_lines(out, event->data);
    rt_buffer_char(out, '\n');
    return 0;
}

/* --- the stream ------------------------------------------------------------------------------ */

static void quiet(rt_live *live)
{
    if (!live->ending && !rt_live_is_full(live))
        rt_live_write(live, ":\n\n", 3);
}

static void drains(rt_live *live)
{
    (void)live; /* the next event says so to the handler */
}

/* Who ends because the server does has not failed. */
static bool over(rt_ctx *ctx, rt_live *live, const rt_exit *exit)
{
    bool whole = exit->kind == RT_EXIT_SUCCESS || (live->ending && exit->kind != RT_EXIT_DEFECT);
    if (!whole)
        rt_problem_log(ctx, live->exchange, exit);
    return whole;
}

static void free_stream(rt_live *live)
{
    free(live);
}

static const rt_live_kind kind = {"sse", quiet, drains, over, free_stream};

int rt_host_sse_begin(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_exchange *exchange = ((const rt_full_request *)request)->exchange;
    RT_TRY(rt_live_check(ctx, exchange));
    RT_TRY(rt_response_check_open(ctx, response));
    rt_response_add_line(response, "Cache-Control", "no-cache");
    rt_response_add_line(response, "X-Accel-Buffering", "no");
    RT_TRY(rt_response_begin_plain(ctx, response, 200, "text/event-stream"));
    rt_live *live = rt_xcalloc(1, sizeof *live);
    RT_TRY(rt_live_open(ctx, live, &kind, exchange));
    live->ending = response->head_only; /* nobody looks at events */
    return 0;
}

static int send_all(rt_ctx *ctx, rt_live *live, const rt_buffer *text)
{
    int result = rt_live_sendable(ctx, live);
    for (size_t done = 0, piece; result == 0 && done < text->length; done += piece) {
        piece = text->length - done;
        if (piece > RT_STREAM_WINDOW)
            piece = RT_STREAM_WINDOW;
        result = rt_live_await_room(ctx, live);
        if (result == 0)
            rt_live_write(live, text->data + done, piece);
        else if (done)
            live->broken = true;
    }
    return result;
}

static int send_in_turn(rt_ctx *ctx, rt_live *live, const rt_buffer *text)
{
    RT_TRY(rt_live_sendable(ctx, live));
    RT_TRY(rt_host_mutex_lock(ctx, live->turn));
    int result = send_all(ctx, live, text);
    rt_host_mutex_unlock(ctx, live->turn);
    return result;
}

int rt_host_sse_send(rt_ctx *ctx, rt_response *response, const rt_sse_event *event)
{
    rt_live *live = response->magic == RT_RESPONSE_MAGIC ? rt_exchange_of(response)->live : NULL;
    rt_sse_event copy = {.size = sizeof copy};
    rt_buffer text = {0};
    if (!live || live->kind != &kind)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "no event stream was begun");
    rt_struct_copy(&copy, event);
    rt_live_enter(live);
    int result = encode(ctx, &copy, &text);
    if (result == 0)
        result = send_in_turn(ctx, live, &text);
    rt_live_exit(live);
    rt_buffer_free(&text);
    return result;
}
