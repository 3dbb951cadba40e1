/* `effects`: what happens around calls of a capability, by capability and by method.
 *
 *     effects: { email: { timeout = "5 s"; send: { log = false; timeout = "2 s"; }; }; };
 *     email-smtp: { effects: { email: { concurrency = 4; }; }; };
 *
 * Methods are in the manifests, so a mistyped one is found here. A setting's name is never taken
 * for a method's. */
#include "compose/effects.h"

#include "base/suggest.h"
#include "compose/schema.h"

#include <string.h>

const char *const rt_jitter_words[RT_JITTER_COUNT] = {
    [RT_JITTER_FULL] = "full", [RT_JITTER_EQUAL] = "equal", [RT_JITTER_NONE] = "none"};

/* No defaults: a layer that says nothing leaves it to the weaker ones. */
static const rt_option_spec retry_options[] = {
    OPTION("max_attempts", INT, NULL, "1", "100", "Attempts of a call in all; 1: one"),
    OPTION("delay", DURATION, NULL, "0 s", "1 h", "Pause before the second attempt"),
    OPTION("max_delay", DURATION, NULL, "0 s", "24 h", "Longest pause"),
    OPTION("factor", FLOAT, NULL, "1", "100", "By which each pause is longer than the last"),
    WORDS("jitter", rt_jitter_words, NULL, "How much of a pause is left to chance"),
};
static const rt_option_spec breaker_options[] = {
    OPTION("failures", INT, NULL, "0", "1000000", "Failures in a row that open it; 0: any number"),
    OPTION("failure_rate", FLOAT, NULL, "0", "1", "Share of failed calls that opens it; 0: any"),
    OPTION("minimum_calls", INT, NULL, "1", "1000000", "Calls before the share counts"),
    OPTION("window", DURATION, NULL, "100 ms", "1 h", "Time that the share is taken over"),
    OPTION("open_for", DURATION, NULL, "1 ms", "24 h", "For how long calls are refused"),
    OPTION("probes", INT, NULL, "1", "1000", "Calls that try then, and must succeed to close it"),
};
const rt_option_spec rt_effect_options[RT_EFFECT_OPTIONS] = {
    OPTION("log", BOOL, NULL, NULL, NULL, "Log each call"),
    OPTION("trace", BOOL, NULL, NULL, NULL, "Make a span of each call"),
    OPTION("metrics", BOOL, NULL, NULL, NULL, "Count and time calls"),
    OPTION("timeout", DURATION, NULL, "0 s", "24 h", "For each attempt; 0 s: none"),
    OPTION("concurrency", INT, NULL, "0", "1000000", "Most calls at once in a worker; 0: any"),
    OPTION("queue", INT, NULL, "0", "1000000", "Most calls that wait for their turn"),
    SECTION("retry", retry_options, "Further attempts, of methods that may be repeated"),
    SECTION("breaker", breaker_options, "Refuse calls for a while when too many fail"),
};

/* Where the members of a group begin among the values. */
static const struct {
    enum rt_effect_value group, first;
} groups[] = {{RT_EFFECT_RETRY, RT_EFFECT_MAX_ATTEMPTS}, {RT_EFFECT_BREAKER, RT_EFFECT_FAILURES}};

const char *rt_effect_value_name(rt_arena *arena, enum rt_effect_value value)
{
    if (value < RT_EFFECT_OPTIONS)
        return rt_effect_options[value].name;
    size_t k = value >= groups[1].first;
    const rt_option_spec *group = &rt_effect_options[groups[k].group];
    return rt_arena_format(arena, "%s.%s", group->name,
                           group->fields[value - groups[k].first].name);
}

/* --- names ----------------------------------------------------------------------------------- */

/* The methods of a capability as any module's manifest lists them, in the order of their indexes.
 */
static const rt_provides *find_capability(const rt_composer *composer, const char *name,
                                          rt_suggestion *suggestion)
{
    const rt_provides *found = NULL;
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_manifest *manifest = composer->candidates[i]->manifest;
        for (size_t k = 0; k < manifest->provides_count; k++) {
            rt_suggest(suggestion, manifest->provides[k].capability);
            if (strcmp(manifest->provides[k].capability, name) == 0 &&
                (!found || manifest->provides[k].method_count > found->method_count))
                found = &manifest->provides[k];
        }
    }
    return found;
}

static const rt_provides *find_own(const rt_candidate *owner, const char *name,
                                   rt_suggestion *suggestion)
{
    const rt_manifest *manifest = owner->manifest;
    const rt_provides *found = NULL;
    for (size_t k = 0; k < manifest->provides_count; k++) {
        rt_suggest(suggestion, manifest->provides[k].capability);
        if (strcmp(manifest->provides[k].capability, name) == 0 &&
            (!found || manifest->provides[k].method_count > found->method_count))
            found = &manifest->provides[k];
    }
    return found;
}

static const rt_provides *capability_of(rt_composer *composer, const rt_candidate *owner,
                                        const rt_node *node)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, node->name);
    const rt_provides *found = owner ? find_own(owner, node->name, &suggestion)
                                     : find_capability(composer, node->name, &suggestion);
    if (found)
        return found;
    rt_diagnostic *diagnostic =
        owner ? RT_DIAGNOSE(composer->diagnostics, EFFECT_OF_ANOTHER, &node->name_place,
                            owner->name, node->name)
              : RT_DIAGNOSE(composer->diagnostics, UNKNOWN_EFFECT, &node->name_place, node->name);
    rt_suggest_label(&suggestion, diagnostic);
    return NULL;
}

static const rt_method_spec *find_method(const rt_provides *capability, const char *name)
{
    for (size_t i = 0; i < capability->method_count; i++)
        if (strcmp(capability->methods[i].name, name) == 0)
            return &capability->methods[i];
    return NULL;
}

static void unknown_method(rt_composer *composer, const rt_provides *capability,
                           const rt_node *node)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, node->name);
    for (size_t i = 0; i < capability->method_count; i++)
        rt_suggest(&suggestion, capability->methods[i].name);
    for (size_t i = 0; i < RT_EFFECT_OPTIONS; i++)
        if (rt_effect_options[i].type == RT_SETTING_GROUP)
            rt_suggest(&suggestion, rt_effect_options[i].name);
    rt_suggest_label(&suggestion,
                     RT_DIAGNOSE(composer->diagnostics, UNKNOWN_METHOD, &node->name_place,
                                 node->name, capability->capability, capability->major));
}

/* --- one layer ------------------------------------------------------------------------------- */

static void flatten(rt_effect_settings *settings, const rt_node *node, const rt_setting *values)
{
    for (size_t i = 0; i < RT_EFFECT_OPTIONS; i++) {
        settings->nodes[i] = rt_node_member(node, rt_effect_options[i].name);
        if (settings->nodes[i])
            settings->values[i] = values[i];
    }
    for (size_t g = 0; g < COUNT(groups); g++) {
        const rt_node *group = settings->nodes[groups[g].group];
        const rt_setting *members = &settings->values[groups[g].group];
        const rt_option_spec *spec = &rt_effect_options[groups[g].group];
        for (size_t k = 0; members->type == RT_SETTING_GROUP && k < spec->field_count; k++) {
            settings->values[groups[g].first + k] = members->value.members[k];
            settings->nodes[groups[g].first + k] = rt_node_member(group, spec->fields[k].name);
        }
    }
}

/* `methods` are names that are no settings but may stand there. */
static void take_layer(rt_composer *composer, const rt_effect_layer *layer, const rt_node *node,
                       const rt_option_spec *methods, size_t method_count)
{
    rt_setting values[RT_EFFECT_OPTIONS] = {0};
    rt_group_check check = {.owner = rt_arena_format(composer->arena, "`%s`", layer->path),
                            .path = layer->path,
                            .options = rt_effect_options,
                            .option_count = RT_EFFECT_OPTIONS,
                            .common = methods,
                            .common_count = method_count};
    rt_group_judge(composer, &check, node, values);
    rt_effect_layer *kept = &rt_push(composer->arena, composer->layers, composer->layer_count);
    *kept = *layer;
    flatten(&kept->settings, node, values);
}

static bool is_group(rt_composer *composer, const char *path, const rt_node *node)
{
    if (node->type != RT_NODE_GROUP)
        RT_DIAGNOSE(composer->diagnostics, WRONG_TYPE, &node->value_place, path, "a group",
                    rt_node_type_name(node->type));
    return node->type == RT_NODE_GROUP;
}

static bool is_setting(const rt_node *node)
{
    return rt_option_find(rt_effect_options, RT_EFFECT_OPTIONS, node->name);
}

/* The names that take_layer is to leave alone: methods, and groups that should have been. */
static rt_option_spec *methods_among(rt_composer *composer, const rt_provides *capability,
                                     const rt_node *group, size_t *count)
{
    rt_option_spec *names = NULL;
    for (size_t i = 0; i < capability->method_count; i++)
        rt_push(composer->arena, names, *count).name = capability->methods[i].name;
    for (const rt_node *node = group->first; node; node = node->next)
        if (node->type == RT_NODE_GROUP && !is_setting(node) &&
            !find_method(capability, node->name)) {
            unknown_method(composer, capability, node);
            rt_push(composer->arena, names, *count).name = node->name;
        }
    return names;
}

static void judge_capability(rt_composer *composer, const rt_candidate *owner, const char *prefix,
                             const rt_node *group)
{
    rt_arena *arena = composer->arena;
    const rt_provides *capability = capability_of(composer, owner, group);
    rt_effect_layer layer = {.owner = owner,
                             .path = rt_arena_format(arena, "%s.%s", prefix, group->name)};
    size_t count = 0;
    if (!capability || !is_group(composer, layer.path, group))
        return;
    layer.capability = capability->capability;
    const rt_option_spec *names = methods_among(composer, capability, group, &count);
    take_layer(composer, &layer, group, names, count);
    for (const rt_node *node = group->first; node; node = node->next) {
        const rt_method_spec *method = find_method(capability, node->name);
        rt_effect_layer inner = layer;
        if (!method || is_setting(node))
            continue;
        inner.method = method->name;
        inner.path = rt_arena_format(arena, "%s.%s", layer.path, node->name);
        if (is_group(composer, inner.path, node))
            take_layer(composer, &inner, node, NULL, 0);
    }
}

static void judge_effects(rt_composer *composer, const rt_candidate *owner, const rt_node *group)
{
    const char *prefix =
        owner ? rt_arena_format(composer->arena, "%s.effects", owner->name) : "effects";
    const rt_node *effects = group ? rt_node_member(group, "effects") : NULL;
    if (!effects || (owner && !is_group(composer, prefix, effects)))
        return;
    for (const rt_node *node = effects->first; node; node = node->next)
        judge_capability(composer, owner, prefix, node);
}

void rt_effects_judge(rt_composer *composer)
{
    const rt_node *top = rt_node_member(composer->tree, "effects");
    if (top && top->type == RT_NODE_GROUP) /* else the host's schema has complained */
        judge_effects(composer, NULL, composer->tree);
    for (size_t i = 0; i < composer->candidate_count; i++)
        judge_effects(composer, composer->candidates[i], composer->candidates[i]->group);
    rt_effects_check(composer);
}
