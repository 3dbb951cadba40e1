#include "process/inspect.h"

#include "base/redact.h"
#include "telemetry/record_json.h"
#include "telemetry/tap.h"

#include <string.h>

/* Records of a burst are given together: a page that is told of each would do nothing else. */
#define LOOK_AGAIN UINT64_C(50000000)

static struct {
    const rt_runtime *runtime;
    const rt_health_watch *health;
} shown;

static void show_health(rt_buffer *out, const rt_runtime *runtime)
{
    rt_inspect_health(out, runtime, shown.health);
}

static const struct {
    const char *name;
    int packed; /* rt_document of the plan, where there is no function */
    void (*write)(rt_buffer *out, const rt_runtime *runtime);
} documents[] = {
    {"plan", RT_DOCUMENT_PLAN, NULL},
    {"config", RT_DOCUMENT_CONFIG, NULL},
    {"diagnostics", RT_DOCUMENT_DIAGNOSTICS, NULL},
    {"routes", 0, rt_inspect_routes},
    {"effects", 0, rt_inspect_effects},
    {"health", 0, show_health},
    {"process", 0, rt_inspect_process},
};
enum { DOCUMENT_COUNT = sizeof documents / sizeof documents[0] };

void rt_inspect_open(const rt_runtime *runtime, const rt_health_watch *health)
{
    const rt_plan *plan = runtime->plan;
    shown.runtime = runtime;
    shown.health = health;
    for (size_t i = 0; plan->environment == RT_DEVELOPMENT && i < plan->instance_count; i++) {
        if (!plan->instances[i].inspects)
            continue;
        rt_tap_open();
        rt_tap_hide(plan->instances[i].name);
    }
}

void rt_inspect_close(void)
{
    rt_tap_close();
    shown.runtime = NULL;
}

/* Whose code runs is what the plan says of it, not what the module does. */
static bool may_look(const rt_ctx *ctx)
{
    const rt_runtime *runtime = shown.runtime;
    if (!runtime || runtime->plan->environment != RT_DEVELOPMENT)
        return false;
    for (size_t i = 0; i < runtime->plan->instance_count; i++)
        if (&runtime->instances[i].instance == ctx->instance)
            return runtime->plan->instances[i].inspects;
    return false;
}

static int refuse(rt_ctx *ctx)
{
    return rt_host_fail(ctx, RT_EPERMISSION_DENIED,
                        "`%s` may not look at the host: it takes RT_INSPECTS and development",
                        ctx->instance && ctx->instance->name ? ctx->instance->name : "it");
}

/* --- documents ------------------------------------------------------------------------------- */

static int give(rt_ctx *ctx, rt_buffer *written, rt_str *text)
{
    rt_redact(written); /* the reason of a health, for one, is a module's own text */
    char *copy = rt_host_alloc(ctx, written->length + 1);
    memcpy(copy, written->data, written->length);
    *text = (rt_str){copy, written->length};
    rt_buffer_free(written);
    return 0;
}

int rt_host_inspect(rt_ctx *ctx, const char *document, rt_str *text)
{
    rt_buffer out = {0};
    size_t i = 0;
    if (!may_look(ctx))
        return refuse(ctx);
    while (i < DOCUMENT_COUNT && (!document || strcmp(documents[i].name, document) != 0))
        i++;
    if (i == DOCUMENT_COUNT)
        return rt_host_fail(ctx, RT_ENOT_FOUND, "there is no document `%s`",
                            document ? document : "");
    const char *packed = shown.runtime->plan->documents[documents[i].packed];
    if (documents[i].write)
        documents[i].write(&out, shown.runtime);
    else
        rt_buffer_text(&out, packed ? packed : "null");
    return give(ctx, &out, text);
}

/* --- records --------------------------------------------------------------------------------- */

/* False: it does not fit behind the others, and is the first of the next call. */
static bool add_line(rt_observation *seen, const rt_buffer *record)
{
    rt_buffer line = {0};
    bool sound = rt_record_json(&line, record->data, record->length);
    rt_buffer_char(&line, '\n');
    bool fits = line.length <= seen->room - seen->length;
    bool never = !sound || line.length > seen->room;
    if (never)
        seen->missed++;
    else if (fits)
        memcpy(seen->text + seen->length, line.data, line.length);
    if (!never && fits)
        seen->length += line.length;
    rt_buffer_free(&line);
    return never || fits;
}

static void collect(rt_observation *seen)
{
    rt_buffer record = {0};
    uint64_t cursor = seen->cursor;
    while (rt_tap_next(&cursor, &seen->missed, &record) && add_line(seen, &record)) {
        seen->cursor = cursor;
        record.length = 0;
    }
    rt_buffer_free(&record);
}

int rt_host_observe(rt_ctx *ctx, rt_observation *observation)
{
    rt_observation seen = {.size = sizeof seen};
    if (!may_look(ctx))
        return refuse(ctx);
    if (!observation || !RT_HAS(observation, length))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the observation has no `size`");
    rt_struct_copy(&seen, observation);
    seen.missed = seen.length = 0;
    uint64_t now = rt_host_now(), end = now + seen.timeout < now ? UINT64_MAX : now + seen.timeout;
    int result = 0;
    for (collect(&seen); result == 0 && !seen.length && !seen.missed && rt_host_now() < end;
         collect(&seen))
        result = rt_host_sleep(ctx, LOOK_AGAIN);
    rt_struct_copy(observation, &seen);
    return result;
}
