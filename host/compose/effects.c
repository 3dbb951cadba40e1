/* `effects`: what happens around calls of a capability, by capability and by method.
 *
 *     effects: { email: { log = false; send: { log = true; }; }; };
 *
 * The method level overrides the capability level. Methods are in the manifests, so a mistyped one
 * is found here. */
#include "compose/internal.h"

#include "base/suggest.h"

#include <string.h>

static const rt_option_spec effect_options[] = {
    {.name = "log", .type = RT_SETTING_BOOL, .help = "Log each call"},
};

/* The methods of a capability as any module's manifest lists them, in the order of
 * their indexes. */
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

static void unknown(rt_diagnostic *diagnostic, const rt_suggestion *suggestion)
{
    rt_suggest_label(suggestion, diagnostic);
}

static size_t method_index(const rt_provides *capability, const char *name,
                           rt_suggestion *suggestion)
{
    size_t i = 0;
    for (; i < capability->method_count; i++) {
        rt_suggest(suggestion, capability->methods[i].name);
        if (strcmp(capability->methods[i].name, name) == 0)
            break;
    }
    return i;
}

/* Whether `log` in this group is false; `otherwise` if it does not say. */
static bool is_quiet(rt_composer *composer, const char *path, const rt_node *group, bool otherwise)
{
    rt_setting value;
    const rt_node *node = rt_node_member(group, "log");
    if (!node || !rt_option_convert(composer, effect_options,
                                    rt_arena_format(composer->arena, "%s.log", path), node, &value))
        return otherwise;
    return !value.value.integer;
}

static uint64_t judge_method(rt_composer *composer, const rt_provides *capability,
                             const rt_node *node, uint64_t quiet)
{
    const char *path =
        rt_arena_format(composer->arena, "effects.%s.%s", capability->capability, node->name);
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, node->name);
    size_t index = method_index(capability, node->name, &suggestion);
    if (index == capability->method_count) {
        unknown(RT_DIAGNOSE(composer->diagnostics, UNKNOWN_METHOD, &node->name_place, node->name,
                            capability->capability, capability->major),
                &suggestion);
        return quiet;
    }
    if (node->type != RT_NODE_GROUP) {
        RT_DIAGNOSE(composer->diagnostics, WRONG_TYPE, &node->value_place, path, "a group",
                    rt_node_type_name(node->type));
        return quiet;
    }
    rt_setting value = {0};
    rt_group_check check = {.owner = rt_arena_format(composer->arena, "`%s`", path),
                            .path = path,
                            .options = effect_options,
                            .option_count = 1};
    rt_group_judge(composer, &check, node, &value);
    uint64_t bit = index < 64 ? UINT64_C(1) << index : 0;
    return is_quiet(composer, path, node, quiet & bit) ? quiet | bit : quiet & ~bit;
}

static void judge_capability(rt_composer *composer, const rt_node *node)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, node->name);
    const rt_provides *capability = find_capability(composer, node->name, &suggestion);
    const char *path = rt_arena_format(composer->arena, "effects.%s", node->name);
    if (!capability) {
        unknown(RT_DIAGNOSE(composer->diagnostics, UNKNOWN_EFFECT, &node->name_place, node->name),
                &suggestion);
        return;
    }
    if (node->type != RT_NODE_GROUP) {
        RT_DIAGNOSE(composer->diagnostics, WRONG_TYPE, &node->value_place, path, "a group",
                    rt_node_type_name(node->type));
        return;
    }
    uint64_t quiet = is_quiet(composer, path, node, false) ? UINT64_MAX : 0;
    for (const rt_node *member = node->first; member; member = member->next)
        if (strcmp(member->name, "log") != 0)
            quiet = judge_method(composer, capability, member, quiet);
    rt_push(composer->arena, composer->quiet, composer->quiet_count) =
        (rt_quiet){capability->capability, quiet};
}

void rt_effects_judge(rt_composer *composer)
{
    const rt_node *effects = rt_node_member(composer->tree, "effects");
    if (!effects || effects->type != RT_NODE_GROUP)
        return;
    for (const rt_node *node = effects->first; node; node = node->next)
        judge_capability(composer, node);
}

uint64_t rt_effects_quiet(const rt_composer *composer, const char *capability)
{
    for (size_t i = 0; i < composer->quiet_count; i++)
        if (strcmp(composer->quiet[i].capability, capability) == 0)
            return composer->quiet[i].methods;
    return 0;
}
