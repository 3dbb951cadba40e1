/* One walk over the plan serves both directions, so that the two cannot disagree: with `out` it
 * writes each value it meets and leaves the plan alone, with `in` it reads it. */
#include "compose/plan.h"

#include "base/redact.h"

#include <string.h>

#define PLAN_MAGIC 0x3150414e4c505452ull /* "RTPLNAP1" */
#define DEEPEST 40                       /* of settings; the configuration itself stops at 32 */
#define SMALLEST_ITEM sizeof(uint64_t)   /* every item of an array starts with a number */

struct walk {
    rt_buffer *out; /* NULL: reading */
    rt_unpack in;
};

static void fail(struct walk *walk)
{
    walk->in.failed = true;
}

static void number(struct walk *walk, int64_t *value)
{
    if (walk->out)
        rt_pack_u64(walk->out, (uint64_t)*value);
    else
        *value = (int64_t)rt_unpack_u64(&walk->in);
}

static void small(struct walk *walk, uint32_t *value, uint32_t most)
{
    int64_t wide = *value;
    number(walk, &wide);
    if (wide < 0 || wide > (int64_t)most)
        fail(walk);
    else if (!walk->out)
        *value = (uint32_t)wide;
}

static void truth(struct walk *walk, bool *value)
{
    uint32_t bit = *value;
    small(walk, &bit, 1);
    if (!walk->out)
        *value = bit == 1;
}

static void text(struct walk *walk, const char **value)
{
    if (walk->out)
        rt_pack_text(walk->out, *value);
    else
        *value = rt_unpack_text(&walk->in);
}

static void needed_text(struct walk *walk, const char **value)
{
    text(walk, value);
    if (!*value)
        fail(walk);
}

/* The count of an array, and when reading the array itself, zeroed. */
static size_t items(struct walk *walk, void *array, size_t size, size_t *count)
{
    int64_t wide = (int64_t)*count;
    number(walk, &wide);
    if (walk->out)
        return *count;
    if (walk->in.failed ||
        (uint64_t)wide > (size_t)(walk->in.end - walk->in.next) / SMALLEST_ITEM) {
        fail(walk);
        return *count = 0;
    }
    *(void **)array = rt_arena_alloc(walk->in.arena, (size_t)wide * size);
    return *count = (size_t)wide;
}

static void setting(struct walk *walk, rt_setting *value, int depth);

static void members(struct walk *walk, rt_setting *value, int depth)
{
    size_t count = value->count;
    rt_setting *list = (rt_setting *)value->value.members;
    items(walk, &list, sizeof *list, &count);
    if (!walk->out) {
        value->count = (uint32_t)count;
        value->value.members = list;
    }
    if (depth == DEEPEST)
        fail(walk);
    for (size_t i = 0; i < count && !walk->in.failed; i++)
        setting(walk, &list[i], depth + 1);
}

static void setting(struct walk *walk, rt_setting *value, int depth)
{
    small(walk, &value->type, RT_SETTING_MAP);
    text(walk, &value->name);
    switch (value->type) {
    case RT_SETTING_NONE:
        break;
    case RT_SETTING_INT:
    case RT_SETTING_FLOAT: /* the same eight bytes */
    case RT_SETTING_BOOL:
    case RT_SETTING_DURATION:
    case RT_SETTING_SIZE:
        number(walk, &value->value.integer);
        break;
    case RT_SETTING_LIST:
    case RT_SETTING_GROUP:
    case RT_SETTING_MAP:
        members(walk, value, depth);
        break;
    default:
        needed_text(walk, &value->value.text);
    }
}

static void part(struct walk *walk, const rt_setting **value)
{
    bool present = *value != NULL;
    truth(walk, &present);
    if (present && !walk->out)
        *value = RT_NEW(walk->in.arena, rt_setting);
    if (present)
        setting(walk, (rt_setting *)*value, 0);
}

static void certificates(struct walk *walk, rt_host_settings *host)
{
    size_t count = items(walk, &host->http.certificates, sizeof *host->http.certificates,
                         &host->http.certificate_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++) {
        needed_text(walk, &host->http.certificates[i].certificate);
        needed_text(walk, &host->http.certificates[i].key);
    }
}

static void signal_settings(struct walk *walk, rt_telemetry_signal *signal)
{
    const char **texts[] = {&signal->endpoint, &signal->headers, &signal->ca, &signal->compression};
    int64_t *numbers[] = {&signal->timeout, &signal->batch, &signal->delay};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        text(walk, texts[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        number(walk, numbers[i]);
}

static void telemetry(struct walk *walk, struct rt_telemetry_settings *telemetry)
{
    int64_t *numbers[] = {&telemetry->max_series, &telemetry->interval, &telemetry->buffer};
    const char **texts[] = {&telemetry->service_name, &telemetry->service_version,
                            &telemetry->resource};
    int64_t sampling;
    memcpy(&sampling, &telemetry->sampling, sizeof sampling);
    number(walk, &sampling);
    if (!walk->out)
        memcpy(&telemetry->sampling, &sampling, sizeof sampling);
    truth(walk, &telemetry->traces);
    truth(walk, &telemetry->metrics);
    truth(walk, &telemetry->logs);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        number(walk, numbers[i]);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        text(walk, texts[i]);
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++)
        signal_settings(walk, &telemetry->signals[i]);
}

static void levels(struct walk *walk, rt_host_settings *host)
{
    size_t count = items(walk, &host->log.levels, sizeof *host->log.levels, &host->log.level_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++) {
        needed_text(walk, &host->log.levels[i].module);
        needed_text(walk, &host->log.levels[i].level);
    }
}

static void host_settings(struct walk *walk, rt_host_settings *host)
{
    int64_t *numbers[] = {&host->workers,
                          &host->start_timeout,
                          &host->drain_timeout,
                          &host->shutdown_delay,
                          &host->finalizer_timeout,
                          &host->watchdog,
                          &host->watchdog_timeout,
                          &host->crash.keep,
                          &host->http.request_timeout,
                          &host->http.header_timeout,
                          &host->http.idle_timeout,
                          &host->http.max_header,
                          &host->http.max_body,
                          &host->http.max_message,
                          &host->http.ping_interval,
                          &host->http.max_requests,
                          &host->http.max_connections,
                          &host->http.hsts,
                          &host->http.max_streams,
                          &host->health.interval,
                          &host->health.timeout,
                          &host->pool.threads,
                          &host->uid,
                          &host->gid,
                          &host->limits.open_files,
                          &host->limits.memory,
                          &host->log.repeat,
                          &host->limits.processes};
    const char **texts[] = {&host->name,           &host->log.level,
                            &host->log.format,     &host->log.file,
                            &host->user,           &host->group,
                            &host->control.socket, &host->http.access_format,
                            &host->health.fail_on, &host->crash.folder,
                            &host->log.journal};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        number(walk, numbers[i]);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        text(walk, texts[i]);
    truth(walk, &host->core_dumps);
    truth(walk, &host->log.automatic);
    truth(walk, &host->sandbox.system_calls);
    truth(walk, &host->sandbox.files);
    truth(walk, &host->quarantine);
    truth(walk, &host->http.security_headers);
    truth(walk, &host->http.http2);
    truth(walk, &host->http.only_tls_1_3);
    certificates(walk, host);
    levels(walk, host);
    telemetry(walk, &host->telemetry);
    const rt_setting **parts[] = {&host->http.listen,          &host->admin.listen,
                                  &host->http.trusted_proxies, &host->http.cors,
                                  &host->http.compression,     &host->http.access_log};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        part(walk, parts[i]);
}

static void real(struct walk *walk, double *value)
{
    int64_t bytes;
    memcpy(&bytes, value, sizeof bytes);
    number(walk, &bytes);
    memcpy(value, &bytes, sizeof bytes);
}

static void effect(struct walk *walk, rt_plan_effect *effect)
{
    int64_t *numbers[] = {&effect->timeout,
                          &effect->concurrency,
                          &effect->queue,
                          &effect->retry.max_attempts,
                          &effect->retry.delay,
                          &effect->retry.max_delay,
                          &effect->breaker.failures,
                          &effect->breaker.minimum_calls,
                          &effect->breaker.window,
                          &effect->breaker.open_for,
                          &effect->breaker.probes};
    needed_text(walk, &effect->method);
    truth(walk, &effect->log);
    truth(walk, &effect->trace);
    truth(walk, &effect->metrics);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        number(walk, numbers[i]);
    real(walk, &effect->retry.factor);
    real(walk, &effect->breaker.failure_rate);
    small(walk, (uint32_t *)&effect->retry.jitter, RT_JITTER_COUNT - 1);
}

static void provides(struct walk *walk, rt_plan_provides *offer)
{
    needed_text(walk, &offer->capability);
    small(walk, &offer->major, UINT32_MAX);
    small(walk, (uint32_t *)&offer->tier, RT_TIER_TEST);
    size_t count = items(walk, &offer->effects, sizeof *offer->effects, &offer->effect_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++)
        effect(walk, &offer->effects[i]);
}

static void binding(struct walk *walk, rt_plan_binding *bound, size_t instance_count)
{
    needed_text(walk, &bound->capability);
    small(walk, &bound->major, UINT32_MAX);
    truth(walk, &bound->optional);
    truth(walk, &bound->raw);
    truth(walk, &bound->many);
    text(walk, &bound->reason);
    size_t count = items(walk, &bound->providers, sizeof *bound->providers, &bound->provider_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++)
        small(walk, &bound->providers[i], (uint32_t)instance_count - 1);
}

static void path(struct walk *walk, rt_plan_path *entry)
{
    needed_text(walk, &entry->path);
    needed_text(walk, &entry->option);
    truth(walk, &entry->write);
}

static void option(struct walk *walk, rt_plan_option *entry)
{
    needed_text(walk, &entry->name);
    small(walk, (uint32_t *)&entry->type, RT_SETTING_MAP);
    setting(walk, &entry->value, 0);
}

static void instance_itself(struct walk *walk, rt_plan_instance *instance)
{
    needed_text(walk, &instance->name);
    needed_text(walk, &instance->module);
    needed_text(walk, &instance->version);
    needed_text(walk, &instance->file);
    text(walk, &instance->snapshot);
    truth(walk, &instance->root);
    truth(walk, &instance->lazy);
    truth(walk, &instance->development_only);
    truth(walk, &instance->acknowledged);
    truth(walk, &instance->inspects);
    small(walk, &instance->serves, UINT32_MAX);
    small(walk, &instance->stack_size, UINT32_MAX);
    small(walk, &instance->needs, UINT32_MAX);
    text(walk, &instance->slice);
}

static void instance(struct walk *walk, rt_plan_instance *instance, size_t instance_count)
{
    instance_itself(walk, instance);
    size_t count =
        items(walk, &instance->provides, sizeof *instance->provides, &instance->provides_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++)
        provides(walk, &instance->provides[i]);
    count = items(walk, &instance->bindings, sizeof *instance->bindings, &instance->binding_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++)
        binding(walk, &instance->bindings[i], instance_count);
    count = items(walk, &instance->options, sizeof *instance->options, &instance->option_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++)
        option(walk, &instance->options[i]);
    count = items(walk, &instance->paths, sizeof *instance->paths, &instance->path_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++)
        path(walk, &instance->paths[i]);
}

static void secrets(struct walk *walk, rt_plan *plan)
{
    size_t count = items(walk, &plan->secrets, sizeof *plan->secrets, &plan->secret_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++)
        needed_text(walk, &plan->secrets[i]);
}

static void whole(struct walk *walk, rt_plan *plan)
{
    int64_t magic = PLAN_MAGIC;
    number(walk, &magic);
    if (magic != (int64_t)PLAN_MAGIC)
        fail(walk);
    small(walk, (uint32_t *)&plan->environment, RT_ENVIRONMENT_COUNT - 1);
    host_settings(walk, &plan->host);
    secrets(walk, plan);
    for (size_t i = 0; i < RT_DOCUMENT_COUNT; i++)
        text(walk, &plan->documents[i]);
    size_t count = items(walk, &plan->instances, sizeof *plan->instances, &plan->instance_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++)
        instance(walk, &plan->instances[i], count);
}

void rt_plan_pack(rt_buffer *buffer, const rt_plan *plan)
{
    struct walk walk = {.out = buffer};
    whole(&walk, (rt_plan *)plan);
}

rt_plan *rt_plan_unpack(rt_arena *arena, const char *bytes, size_t length)
{
    struct walk walk = {.in = {.next = bytes, .end = bytes + length, .arena = arena}};
    rt_plan *plan = RT_NEW(arena, rt_plan);
    whole(&walk, plan);
    return walk.in.failed || walk.in.next != walk.in.end ? NULL : plan;
}

void rt_plan_redact(const rt_plan *plan)
{
    for (size_t i = 0; i < plan->secret_count; i++)
        rt_redact_add(plan->secrets[i]);
}
