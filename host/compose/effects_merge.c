/* What the layers of `effects` come to for one method of one provider. */
#include "compose/effects.h"

#include "compose/schema.h"

#include <string.h>

#define MS INT64_C(1000000)
#define S (1000 * MS)
#define MAX_DELAY_OF_DELAY 10 /* how many times `delay` the longest pause is by default */
#define DEFAULT_FAILURES 5

/* Where nothing is said. */
static const struct {
    const char *text;
    int64_t integer;
    double real;
} defaults[RT_EFFECT_VALUES] = {
    [RT_EFFECT_LOG] = {"true", 1, 0},
    [RT_EFFECT_TRACE] = {"true", 1, 0},
    [RT_EFFECT_METRICS] = {"true", 1, 0},
    [RT_EFFECT_MAX_ATTEMPTS] = {"3", 3, 0},
    [RT_EFFECT_DELAY] = {"\"100 ms\"", 100 * MS, 0},
    [RT_EFFECT_FACTOR] = {"2.0", 0, 2},
    [RT_EFFECT_JITTER] = {"\"full\"", RT_JITTER_FULL, 0},
    [RT_EFFECT_FAILURE_RATE] = {"0.0", 0, 0},
    [RT_EFFECT_MINIMUM_CALLS] = {"20", 20, 0},
    [RT_EFFECT_WINDOW] = {"\"10 s\"", 10 * S, 0},
    [RT_EFFECT_OPEN_FOR] = {"\"30 s\"", 30 * S, 0},
    [RT_EFFECT_PROBES] = {"1", 1, 0},
};

/* --- layers ---------------------------------------------------------------------------------- */

bool rt_effect_layer_covers(const rt_effect_layer *layer, const rt_candidate *candidate,
                            const rt_provides *provides, const rt_method_spec *method)
{
    return (!layer->owner || layer->owner == candidate) &&
           strcmp(layer->capability, provides->capability) == 0 &&
           (!layer->method || strcmp(layer->method, method->name) == 0);
}

void rt_effects_merge(const rt_composer *composer, const rt_candidate *candidate,
                      const rt_provides *provides, const rt_method_spec *method,
                      rt_effect_settings *merged)
{
    memset(merged, 0, sizeof *merged);
    for (size_t i = 0; i < composer->layer_count; i++) {
        const rt_effect_layer *layer = &composer->layers[i];
        if (!rt_effect_layer_covers(layer, candidate, provides, method))
            continue;
        for (size_t k = 0; k < RT_EFFECT_VALUES; k++) {
            if (layer->settings.values[k].type == RT_SETTING_NONE)
                continue;
            merged->values[k] = layer->settings.values[k];
            merged->nodes[k] = layer->settings.nodes[k];
        }
    }
}

/* --- values ---------------------------------------------------------------------------------- */

static bool is_set(const rt_effect_settings *merged, enum rt_effect_value value)
{
    return merged->values[value].type != RT_SETTING_NONE;
}

static double real(const rt_effect_settings *merged, enum rt_effect_value value)
{
    return is_set(merged, value) ? merged->values[value].value.real : defaults[value].real;
}

/* Where others decide what a value is unless it is set. */
static int64_t derived(const rt_effect_settings *merged, enum rt_effect_value value)
{
    switch (value) {
    case RT_EFFECT_QUEUE:
        return rt_effect_integer(merged, RT_EFFECT_CONCURRENCY);
    case RT_EFFECT_MAX_DELAY:
        return MAX_DELAY_OF_DELAY * rt_effect_integer(merged, RT_EFFECT_DELAY);
    case RT_EFFECT_FAILURES:
        return real(merged, RT_EFFECT_FAILURE_RATE) > 0 ? 0 : DEFAULT_FAILURES;
    default:
        return defaults[value].integer;
    }
}

int64_t rt_effect_integer(const rt_effect_settings *merged, enum rt_effect_value value)
{
    return is_set(merged, value) ? merged->values[value].value.integer : derived(merged, value);
}

static rt_jitter jitter(const rt_effect_settings *merged)
{
    int word = RT_JITTER_FULL;
    for (int i = 0; is_set(merged, RT_EFFECT_JITTER) && i < RT_JITTER_COUNT; i++)
        if (strcmp(merged->values[RT_EFFECT_JITTER].value.text, rt_jitter_words[i]) == 0)
            word = i;
    return (rt_jitter)word;
}

static void make_retry(rt_plan_effect *effect, const rt_effect_settings *merged)
{
    effect->retry.max_attempts = rt_effect_integer(merged, RT_EFFECT_MAX_ATTEMPTS);
    effect->retry.delay = rt_effect_integer(merged, RT_EFFECT_DELAY);
    effect->retry.max_delay = rt_effect_integer(merged, RT_EFFECT_MAX_DELAY);
    effect->retry.factor = real(merged, RT_EFFECT_FACTOR);
    effect->retry.jitter = jitter(merged);
}

static void make_breaker(rt_plan_effect *effect, const rt_effect_settings *merged)
{
    effect->breaker.failures = rt_effect_integer(merged, RT_EFFECT_FAILURES);
    effect->breaker.failure_rate = real(merged, RT_EFFECT_FAILURE_RATE);
    effect->breaker.minimum_calls = rt_effect_integer(merged, RT_EFFECT_MINIMUM_CALLS);
    effect->breaker.window = rt_effect_integer(merged, RT_EFFECT_WINDOW);
    effect->breaker.open_for = rt_effect_integer(merged, RT_EFFECT_OPEN_FOR);
    effect->breaker.probes = rt_effect_integer(merged, RT_EFFECT_PROBES);
}

rt_plan_effect rt_effect_made_of(const rt_method_spec *method, const rt_effect_settings *merged)
{
    rt_plan_effect effect = {.method = method->name,
                             .log = rt_effect_integer(merged, RT_EFFECT_LOG) != 0,
                             .trace = rt_effect_integer(merged, RT_EFFECT_TRACE) != 0,
                             .metrics = rt_effect_integer(merged, RT_EFFECT_METRICS) != 0,
                             .retry.max_attempts = 1};
    if (method->waits) {
        effect.timeout = rt_effect_integer(merged, RT_EFFECT_TIMEOUT);
        effect.concurrency = rt_effect_integer(merged, RT_EFFECT_CONCURRENCY);
    }
    if (effect.concurrency)
        effect.queue = rt_effect_integer(merged, RT_EFFECT_QUEUE);
    if (method->waits && method->idempotent && is_set(merged, RT_EFFECT_RETRY))
        make_retry(&effect, merged);
    if (is_set(merged, RT_EFFECT_BREAKER))
        make_breaker(&effect, merged);
    return effect;
}

void rt_effects_plan(rt_composer *composer, const rt_candidate *candidate,
                     const rt_provides *provides, rt_plan_provides *planned)
{
    rt_effect_settings merged;
    planned->effect_count = provides->method_count;
    planned->effects =
        rt_arena_alloc(composer->arena, (provides->method_count + 1) * sizeof *planned->effects);
    for (size_t i = 0; i < provides->method_count; i++) {
        rt_effects_merge(composer, candidate, provides, &provides->methods[i], &merged);
        planned->effects[i] = rt_effect_made_of(&provides->methods[i], &merged);
    }
}

/* --- for people ------------------------------------------------------------------------------ */

const char *rt_effect_default(rt_arena *arena, const rt_effect_settings *merged,
                              enum rt_effect_value value)
{
    switch (value) {
    case RT_EFFECT_QUEUE:
    case RT_EFFECT_FAILURES:
        return rt_arena_format(arena, "%lld", (long long)derived(merged, value));
    case RT_EFFECT_MAX_DELAY:
        return rt_arena_format(arena, "\"%g ms\"", (double)derived(merged, value) / MS);
    default:
        return defaults[value].text;
    }
}
