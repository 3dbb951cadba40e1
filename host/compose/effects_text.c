/* A policy in words, and as the settings it comes from. */
#include "compose/effects.h"

#include "compose/schema.h"

/* In the unit that says it shortest. */
static void print_duration(rt_buffer *text, int64_t nanoseconds)
{
    static const struct {
        int64_t size;
        const char *name;
    } units[] = {{60 * INT64_C(1000000000), "min"},
                 {INT64_C(1000000000), "s"},
                 {1000000, "ms"},
                 {1000, "us"}};
    size_t i = 0;
    while (i + 1 < COUNT(units) && nanoseconds % units[i].size)
        i++;
    rt_buffer_format(text, "%g %s", (double)nanoseconds / (double)units[i].size, units[i].name);
}

static void print_switches(rt_buffer *text, const rt_plan_effect *effect)
{
    const struct {
        bool on;
        const char *text;
    } switches[] = {{effect->log, "not logged"},
                    {effect->trace, "not traced"},
                    {effect->metrics, "not counted"}};
    for (size_t i = 0; i < COUNT(switches); i++)
        if (!switches[i].on)
            rt_buffer_format(text, "%s%s", text->length ? "; " : "", switches[i].text);
}

static void print_bulkhead(rt_buffer *text, const rt_plan_effect *effect)
{
    if (effect->concurrency)
        rt_buffer_format(text, "%s%lld at once, %lld may wait", text->length ? "; " : "",
                         (long long)effect->concurrency, (long long)effect->queue);
}

static void print_breaker(rt_buffer *text, const rt_plan_effect *effect)
{
    if (!rt_effect_has_breaker(effect))
        return;
    rt_buffer_format(text, "%sbreaker opens", text->length ? "; " : "");
    if (effect->breaker.failures)
        rt_buffer_format(text, " after %lld failures in a row",
                         (long long)effect->breaker.failures);
    if (effect->breaker.failure_rate > 0) {
        rt_buffer_format(text, "%s when %g%% of at least %lld calls fail within ",
                         effect->breaker.failures ? " or" : "", effect->breaker.failure_rate * 100,
                         (long long)effect->breaker.minimum_calls);
        print_duration(text, effect->breaker.window);
    }
    rt_buffer_text(text, ", for ");
    print_duration(text, effect->breaker.open_for);
    rt_buffer_format(text, ", then %lld probe%s", (long long)effect->breaker.probes,
                     effect->breaker.probes == 1 ? "" : "s");
}

static void print_attempts(rt_buffer *text, const rt_plan_effect *effect)
{
    if (effect->retry.max_attempts > 1) {
        rt_buffer_format(text, "%s%lld attempts, after ", text->length ? "; " : "",
                         (long long)effect->retry.max_attempts);
        print_duration(text, effect->retry.delay);
        rt_buffer_format(text, " times %g up to ", effect->retry.factor);
        print_duration(text, effect->retry.max_delay);
        rt_buffer_format(text, ", jitter %s", rt_jitter_words[effect->retry.jitter]);
    }
    if (effect->timeout) {
        rt_buffer_format(text, "%stimeout ", text->length ? "; " : "");
        print_duration(text, effect->timeout);
    }
}

void rt_effect_print(rt_buffer *text, const rt_plan_effect *effect)
{
    print_switches(text, effect);
    print_bulkhead(text, effect);
    print_breaker(text, effect);
    print_attempts(text, effect);
}

/* --- for `rtctl config` ---------------------------------------------------------------------- */

static bool is_in(enum rt_effect_value value, enum rt_effect_value first,
                  enum rt_effect_value behind)
{
    return value >= first && value < behind;
}

/* What belongs to something that is switched on is shown with its default, too. */
static bool is_shown(const rt_plan_effect *effect, const rt_effect_settings *merged,
                     enum rt_effect_value value)
{
    if (value == RT_EFFECT_RETRY || value == RT_EFFECT_BREAKER)
        return false; /* their members are */
    if (is_in(value, RT_EFFECT_MAX_ATTEMPTS, RT_EFFECT_FAILURES))
        return effect->retry.max_attempts > 1;
    if (is_in(value, RT_EFFECT_FAILURES, RT_EFFECT_VALUES))
        return rt_effect_has_breaker(effect);
    if (value == RT_EFFECT_QUEUE)
        return effect->concurrency != 0;
    if (value == RT_EFFECT_CONCURRENCY)
        return effect->concurrency != 0;
    if (value == RT_EFFECT_TIMEOUT)
        return effect->timeout != 0;
    return merged->values[value].type != RT_SETTING_NONE;
}

static void show_method(rt_composer *composer, const rt_candidate *candidate,
                        const rt_provides *provides, const rt_method_spec *method)
{
    rt_effect_settings merged;
    rt_effects_merge(composer, candidate, provides, method, &merged);
    rt_plan_effect effect = rt_effect_made_of(method, &merged);
    for (int i = 0; i < RT_EFFECT_VALUES; i++) {
        enum rt_effect_value value = (enum rt_effect_value)i;
        if (!is_shown(&effect, &merged, value))
            continue;
        const char *path = rt_arena_format(composer->arena, "%s.effects.%s.%s.%s", candidate->name,
                                           provides->capability, method->name,
                                           rt_effect_value_name(composer->arena, value));
        rt_effective_add(composer, path, merged.nodes[value],
                         rt_effect_default(composer->arena, &merged, value));
    }
}

void rt_effects_show(rt_composer *composer, const rt_candidate *candidate)
{
    for (size_t k = 0; k < candidate->manifest->provides_count; k++) {
        const rt_provides *provides = &candidate->manifest->provides[k];
        for (size_t m = 0; m < provides->method_count; m++)
            show_method(composer, candidate, provides, &provides->methods[m]);
    }
}
