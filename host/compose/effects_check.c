/* What no single setting of `effects` shows: values that contradict each other, and settings that
 * lead to nothing for any method they are about. */
#include "compose/effects.h"

#include "compose/schema.h"

/* A method that a layer is about, and what holds for it. */
struct covered {
    const rt_method_spec *method;
    rt_effect_settings merged;
    rt_plan_effect effect;
};

typedef bool (*judgement)(rt_composer *composer, const struct covered *covered);

/* True if one of the methods that the layer is about passes. */
static bool any_covered(rt_composer *composer, const rt_effect_layer *layer, judgement passes)
{
    struct covered covered;
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_candidate *candidate = composer->candidates[i];
        for (size_t k = 0; k < candidate->manifest->provides_count; k++) {
            const rt_provides *provides = &candidate->manifest->provides[k];
            for (size_t m = 0; m < provides->method_count; m++) {
                covered.method = &provides->methods[m];
                if (!rt_effect_layer_covers(layer, candidate, provides, covered.method))
                    continue;
                rt_effects_merge(composer, candidate, provides, covered.method, &covered.merged);
                covered.effect = rt_effect_made_of(covered.method, &covered.merged);
                if (passes(composer, &covered))
                    return true;
            }
        }
    }
    return false;
}

/* --- contradictions -------------------------------------------------------------------------- */

/* The same two settings meet in many methods. */
static bool is_told(const rt_composer *composer, const rt_place *place)
{
    for (size_t i = 0; i < composer->diagnostics->count; i++) {
        const rt_diagnostic *told = composer->diagnostics->items[i];
        if (told->id == RT_D_EFFECT_CONTRADICTION && told->place.file == place->file &&
            told->place.line == place->line && told->place.column == place->column)
            return true;
    }
    return false;
}

static bool tell_pauses(rt_composer *composer, const struct covered *covered)
{
    const rt_effect_settings *merged = &covered->merged;
    const rt_node *first = merged->nodes[RT_EFFECT_DELAY];
    const rt_node *most = merged->nodes[RT_EFFECT_MAX_DELAY];
    const char *delay = rt_effect_default(composer->arena, merged, RT_EFFECT_DELAY);
    if (first)
        delay = first->raw ? first->raw : first->value.text;
    if (rt_effect_integer(merged, RT_EFFECT_MAX_DELAY) >=
            rt_effect_integer(merged, RT_EFFECT_DELAY) ||
        is_told(composer, &most->value_place))
        return false;
    RT_DIAGNOSE(composer->diagnostics, EFFECT_CONTRADICTION, &most->value_place, "max_delay",
                "delay", delay);
    return false;
}

/* --- settings that lead to nothing ----------------------------------------------------------- */

static bool waits(rt_composer *composer, const struct covered *covered)
{
    (void)composer;
    return covered->method->waits;
}

static bool repeats(rt_composer *composer, const struct covered *covered)
{
    (void)composer;
    return covered->method->waits && covered->method->idempotent;
}

static bool is_limited(rt_composer *composer, const struct covered *covered)
{
    (void)composer;
    return covered->effect.concurrency > 0;
}

static bool takes_shares(rt_composer *composer, const struct covered *covered)
{
    (void)composer;
    return covered->effect.breaker.failure_rate > 0;
}

/* Of one value, the first that does not hold is told. `one` and `none` say why, behind "`a.b`" and
 * behind "no method of `a`". */
static const struct {
    enum rt_effect_value value;
    judgement works;
    const char *one, *none;
} conditions[] = {
    {RT_EFFECT_TIMEOUT, waits, "never waits", "waits"},
    {RT_EFFECT_CONCURRENCY, waits, "never waits", "waits"},
    {RT_EFFECT_QUEUE, is_limited, "has no `concurrency`", "has a `concurrency`"},
    {RT_EFFECT_RETRY, waits, "never waits", "waits"},
    {RT_EFFECT_RETRY, repeats, "is not idempotent, and so is never tried again",
     "that waits is idempotent, and so none is ever tried again"},
    {RT_EFFECT_MINIMUM_CALLS, takes_shares, "has no `failure_rate`", "has a `failure_rate`"},
    {RT_EFFECT_WINDOW, takes_shares, "has no `failure_rate`", "has a `failure_rate`"},
};

/* What asks for nothing need not work. */
static bool is_off(const rt_effect_layer *layer, enum rt_effect_value value)
{
    const rt_setting *attempts = &layer->settings.values[RT_EFFECT_MAX_ATTEMPTS];
    if (value == RT_EFFECT_RETRY)
        return attempts->type != RT_SETTING_NONE && attempts->value.integer == 1;
    return layer->settings.values[value].value.integer == 0;
}

static bool is_idle(rt_composer *composer, const rt_effect_layer *layer, size_t condition)
{
    enum rt_effect_value value = conditions[condition].value;
    return layer->settings.values[value].type != RT_SETTING_NONE && !is_off(layer, value) &&
           !any_covered(composer, layer, conditions[condition].works);
}

static const char *reason_for(rt_composer *composer, const rt_effect_layer *layer, size_t condition)
{
    if (layer->method)
        return rt_arena_format(composer->arena, "`%s.%s` %s", layer->capability, layer->method,
                               conditions[condition].one);
    return rt_arena_format(composer->arena, "no method of `%s` %s", layer->capability,
                           conditions[condition].none);
}

static void tell_idle(rt_composer *composer, const rt_effect_layer *layer)
{
    enum rt_effect_value told = RT_EFFECT_VALUES;
    for (size_t i = 0; i < COUNT(conditions); i++) {
        enum rt_effect_value value = conditions[i].value;
        if (value == told || !is_idle(composer, layer, i))
            continue;
        RT_DIAGNOSE(composer->diagnostics, EFFECT_IDLE, &layer->settings.nodes[value]->name_place,
                    layer->path, rt_effect_value_name(composer->arena, value),
                    reason_for(composer, layer, i));
        told = value;
    }
}

void rt_effects_check(rt_composer *composer)
{
    for (size_t i = 0; i < composer->layer_count; i++) {
        any_covered(composer, &composer->layers[i], tell_pauses);
        tell_idle(composer, &composer->layers[i]);
    }
}
