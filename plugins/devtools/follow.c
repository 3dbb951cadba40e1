/* follow.c — what happens, as server-sent events
 *
 *     hello     the process that sends; another `pid` than before: a new one has taken over
 *     records   spans and log lines, one object a line; its id is where to go on from
 *     missed    so many records were gone before they could be sent
 *     health, effects, mails    the document, or the count, when it has changed
 *
 * Documents are written in a child with memory of its own: the stream may last for days.
 */
#include "devtools/devtools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 262144
#define BEAT RT_MS(250)    /* how soon a drain is noticed */
#define PAUSE RT_MS(50)    /* between records under load: a page draws no faster */
#define LOOK_EVERY RT_S(2) /* at what is not a record */

static const char *const watched[] = {"health", "effects"};
enum { WATCHED = sizeof watched / sizeof watched[0] };

struct stream {
    rt_response *response;
    rt_observation seen;
    uint64_t sums[WATCHED]; /* of the documents that were sent */
    uint64_t mails;
    bool mails_told;
};

static uint64_t sum_of(rt_str text)
{
    uint64_t sum = 0xcbf29ce484222325u; /* FNV-1a */
    for (uint64_t i = 0; i < text.length; i++)
        sum = (sum ^ (unsigned char)text.data[i]) * 0x100000001b3u;
    return sum;
}

static rt_str text_of(const char *text)
{
    return (rt_str){text, strlen(text)};
}

/* --- what changes now and then --------------------------------------------------------------- */

static int send_changes(rt_ctx *ctx, void *argument)
{
    struct stream *stream = argument;
    uint64_t mails = devtools_mail_count(ctx);
    for (size_t i = 0; i < WATCHED; i++) {
        rt_str document;
        RT_TRY(rt_inspect(ctx, watched[i], &document));
        uint64_t sum = sum_of(document);
        if (sum == stream->sums[i])
            continue;
        stream->sums[i] = sum;
        RT_TRY(rt_sse_send(ctx, stream->response, .name = text_of(watched[i]), .data = document));
    }
    if (stream->mails_told && mails == stream->mails)
        return 0;
    stream->mails = mails;
    stream->mails_told = true;
    return rt_sse_send(ctx, stream->response, .name = RT_STR("mails"),
                       .data = text_of(rt_format(ctx, "%llu", (unsigned long long)mails)));
}

static int look_around(rt_ctx *ctx, struct stream *stream)
{
    rt_task *child = rt_spawn(ctx, send_changes, stream);
    return rt_join(ctx, child);
}

static int say_hello(rt_ctx *ctx, struct stream *stream)
{
    rt_str process;
    RT_TRY(rt_inspect(ctx, "process", &process));
    return rt_sse_send(ctx, stream->response, .name = RT_STR("hello"), .data = process,
                       .retry = RT_S(1));
}

/* --- records --------------------------------------------------------------------------------- */

static int send_records(rt_ctx *ctx, struct stream *stream)
{
    char id[24], missed[24];
    const rt_observation *seen = &stream->seen;
    rt_str lines = {seen->text, seen->length ? seen->length - 1 : 0};
    snprintf(id, sizeof id, "%llu", (unsigned long long)seen->cursor);
    snprintf(missed, sizeof missed, "%llu", (unsigned long long)seen->missed);
    if (seen->missed)
        RT_TRY(rt_sse_send(ctx, stream->response, .name = RT_STR("missed"), .id = text_of(id),
                           .data = text_of(missed)));
    if (!seen->length)
        return 0;
    RT_TRY(rt_sse_send(ctx, stream->response, .name = RT_STR("records"), .id = text_of(id),
                       .data = lines));
    return rt_sleep(ctx, PAUSE);
}

static uint64_t number_of(rt_str text)
{
    uint64_t number = 0;
    for (uint64_t i = 0; i < text.length && i < 19; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    return number;
}

/* A browser comes back with the field; the page, where it had to begin anew, with the parameter. */
static uint64_t begin_after(rt_ctx *ctx, const rt_request *request)
{
    rt_str after = rt_sse_last_id(request);
    if (!after.length && rt_query(ctx, request, "after", &after) < 0)
        return 0;
    return number_of(after);
}

static void free_text(rt_ctx *ctx, void *text)
{
    (void)ctx;
    free(text);
}

int devtools_follow(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct stream stream = {.response = response};
    RT_TRY(devtools_admit(ctx, request, response));
    stream.seen = (rt_observation){.size = sizeof stream.seen,
                                   .cursor = begin_after(ctx, request),
                                   .timeout = BEAT,
                                   .text = malloc(ROOM),
                                   .room = ROOM};
    if (!stream.seen.text)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    RT_TRY(rt_defer(ctx, free_text, stream.seen.text));
    RT_TRY(rt_sse_begin(ctx, request, response));
    RT_TRY(say_hello(ctx, &stream));
    for (uint64_t due = 0; !rt_stream_ends(response);) {
        if (rt_now() >= due) {
            RT_TRY(look_around(ctx, &stream));
            due = rt_now() + LOOK_EVERY;
        }
        RT_TRY(rt_observe(ctx, &stream.seen));
        RT_TRY(send_records(ctx, &stream));
    }
    return 0;
}
