/* effects.h — `effects` of the configuration: layers of settings, and what they come to
 *
 * Each group that says something about a capability or about one of its methods is a layer. What
 * holds for a method of a provider is merged from the layers that are about it, value by value,
 * stronger ones over weaker ones: capability at the top, method at the top, capability in the
 * provider's own group, method there.
 */
#ifndef RT_COMPOSE_EFFECTS_H
#define RT_COMPOSE_EFFECTS_H

#include "compose/internal.h"

/* In the order of rt_effect_options, the members of its groups behind. */
enum rt_effect_value {
    RT_EFFECT_LOG,
    RT_EFFECT_TRACE,
    RT_EFFECT_METRICS,
    RT_EFFECT_TIMEOUT,
    RT_EFFECT_CONCURRENCY,
    RT_EFFECT_QUEUE,
    RT_EFFECT_RETRY, /* the group is there */
    RT_EFFECT_BREAKER,
    RT_EFFECT_OPTIONS,
    RT_EFFECT_MAX_ATTEMPTS = RT_EFFECT_OPTIONS,
    RT_EFFECT_DELAY,
    RT_EFFECT_MAX_DELAY,
    RT_EFFECT_FACTOR,
    RT_EFFECT_JITTER,
    RT_EFFECT_FAILURES,
    RT_EFFECT_FAILURE_RATE,
    RT_EFFECT_MINIMUM_CALLS,
    RT_EFFECT_WINDOW,
    RT_EFFECT_OPEN_FOR,
    RT_EFFECT_PROBES,
    RT_EFFECT_VALUES
};
extern const rt_option_spec rt_effect_options[RT_EFFECT_OPTIONS];
extern const char *const rt_jitter_words[RT_JITTER_COUNT];
/* "retry.max_delay" */
const char *rt_effect_value_name(rt_arena *arena, enum rt_effect_value value);

/* What is not set is RT_SETTING_NONE and has no node. */
typedef struct rt_effect_settings {
    rt_setting values[RT_EFFECT_VALUES];
    const rt_node *nodes[RT_EFFECT_VALUES];
} rt_effect_settings;

typedef struct rt_effect_layer {
    const rt_candidate *owner; /* in whose group it stands; NULL: at the top */
    const char *capability;
    const char *method; /* NULL: all of them */
    const char *path;   /* "effects.email.send" */
    rt_effect_settings settings;
} rt_effect_layer;

/* effects_merge.c */
bool rt_effect_layer_covers(const rt_effect_layer *layer, const rt_candidate *candidate,
                            const rt_provides *provides, const rt_method_spec *method);
void rt_effects_merge(const rt_composer *composer, const rt_candidate *candidate,
                      const rt_provides *provides, const rt_method_spec *method,
                      rt_effect_settings *merged);
rt_plan_effect rt_effect_made_of(const rt_method_spec *method, const rt_effect_settings *merged);
int64_t rt_effect_integer(const rt_effect_settings *merged, enum rt_effect_value value);
/* What the settings stand for where they say nothing, as it would be written; NULL: nothing. */
const char *rt_effect_default(rt_arena *arena, const rt_effect_settings *merged,
                              enum rt_effect_value value);

/* effects_check.c: what is wrong with layers together, or leads to nothing. */
void rt_effects_check(rt_composer *composer);

/* effects_text.c: what holds for the methods of a planned candidate, among the effective settings.
 */
void rt_effects_show(rt_composer *composer, const rt_candidate *candidate);

#endif
