/* Candidates: every module, and every instance the configuration makes of one. */
#include "compose/internal.h"

#include "base/suggest.h"
#include "config/quantity.h"

#include <rt/module.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp((*(rt_candidate *const *)a)->name, (*(rt_candidate *const *)b)->name);
}

static int name_against(const void *name, const void *candidate)
{
    return strcmp(name, (*(rt_candidate *const *)candidate)->name);
}

rt_candidate *rt_candidate_find(const rt_composer *composer, const char *name)
{
    if (!composer->candidate_count)
        return NULL; /* bsearch wants an array even for none */
    rt_candidate **found = bsearch(name, composer->candidates, composer->candidate_count,
                                   sizeof composer->candidates[0], name_against);
    return found ? *found : NULL;
}

static const rt_manifest *manifest_of(const rt_composer *composer, const char *module)
{
    rt_manifest **manifests = composer->result->manifests;
    size_t low = 0, high = composer->result->manifest_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(module, manifests[middle]->name);
        if (order == 0)
            return manifests[middle];
        *(order < 0 ? &high : &low) = order < 0 ? middle : middle + 1;
    }
    return NULL;
}

static bool is_broken(const rt_composer *composer, const char *module)
{
    for (size_t i = 0; i < composer->broken_count; i++)
        if (strcmp(composer->broken[i], module) == 0)
            return true;
    return false;
}

static void suggest_module(rt_composer *composer, rt_diagnostic *diagnostic, const char *name)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, name);
    for (size_t i = 0; i < composer->result->manifest_count; i++)
        rt_suggest(&suggestion, composer->result->manifests[i]->name);
    for (size_t i = 0; i < rt_host_option_count; i++)
        rt_suggest(&suggestion, rt_host_options[i].name);
    rt_suggest_label(&suggestion, diagnostic);
    rt_help(diagnostic, "`rtctl modules` lists the modules that were found");
}

static void unknown_top(rt_composer *composer, const rt_node *node)
{
    if (is_broken(composer, node->name))
        return; /* its plugin file has been reported */
    rt_diagnostic *diagnostic;
    if (node->type == RT_NODE_GROUP)
        diagnostic =
            RT_DIAGNOSE(composer->diagnostics, UNKNOWN_GROUP, &node->name_place, node->name);
    else
        diagnostic = RT_DIAGNOSE(composer->diagnostics, UNKNOWN_SETTING, &node->name_place,
                                 node->name, "the host");
    suggest_module(composer, diagnostic, node->name);
}

static const char *instance_module(const rt_node *group)
{
    const rt_node *module = group->type == RT_NODE_GROUP ? rt_node_member(group, "module") : NULL;
    return module && module->type == RT_NODE_STRING ? module->value.text : NULL;
}

static rt_candidate *add(rt_composer *composer, const char *name, const rt_manifest *manifest)
{
    rt_candidate *candidate = RT_NEW(composer->arena, rt_candidate);
    candidate->name = name;
    candidate->manifest = manifest;
    candidate->enabled = true;
    rt_push(composer->arena, composer->candidates, composer->candidate_count) = candidate;
    return candidate;
}

static void add_instance(rt_composer *composer, const rt_node *group, bool report)
{
    const char *module = instance_module(group);
    const rt_manifest *manifest = module ? manifest_of(composer, module) : NULL;
    if (manifest) {
        add(composer, group->name, manifest)->is_instance = true;
    } else if (report && !module) {
        unknown_top(composer, group);
    } else if (report && !is_broken(composer, module)) {
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, UNKNOWN_MODULE,
                        &rt_node_member(group, "module")->value_place, group->name, module);
        suggest_module(composer, diagnostic, module);
    }
}

static void take_top(rt_composer *composer, const rt_node *node, bool report)
{
    if (!manifest_of(composer, node->name))
        add_instance(composer, node, report);
    else if (report && node->type != RT_NODE_GROUP)
        RT_DIAGNOSE(composer->diagnostics, WRONG_TYPE, &node->value_place, node->name, "a group",
                    rt_node_type_name(node->type));
}

void rt_candidates_make(rt_composer *composer, bool report)
{
    rt_composition *result = composer->result;
    composer->candidates = NULL;
    composer->candidate_count = 0;
    for (size_t i = 0; i < result->manifest_count; i++) {
        const rt_manifest *manifest = result->manifests[i];
        if (!rt_option_find(rt_host_options, rt_host_option_count, manifest->name))
            add(composer, manifest->name, manifest);
        else if (report)
            RT_DIAGNOSE(composer->diagnostics, RESERVED_NAME, &(rt_place){.file = manifest->file},
                        manifest->name);
    }
    for (const rt_node *node = composer->tree->first; node; node = node->next)
        if (!rt_option_find(rt_host_options, rt_host_option_count, node->name))
            take_top(composer, node, report);
    if (composer->candidate_count)
        qsort(composer->candidates, composer->candidate_count, sizeof composer->candidates[0],
              by_name);
    for (size_t i = 0; i < composer->candidate_count; i++)
        composer->candidates[i]->index = (uint32_t)i;
}

/* --- options --------------------------------------------------------------------------------- */

static void judge_common(rt_composer *composer, rt_candidate *candidate)
{
    for (size_t i = 0; i < rt_module_option_count; i++) {
        const rt_option_spec *option = &rt_module_options[i];
        const rt_node *node =
            candidate->group ? rt_node_member(candidate->group, option->name) : NULL;
        const char *path = rt_arena_format(composer->arena, "%s.%s", candidate->name, option->name);
        rt_setting value;
        if (!node || option->type == RT_SETTING_GROUP ||
            !rt_option_convert(composer, option, path, node, &value))
            continue;
        if (strcmp(option->name, "enabled") == 0)
            candidate->enabled = value.value.integer != 0;
        else if (strcmp(option->name, "start") == 0)
            candidate->lazy = strcmp(value.value.text, "lazy") == 0;
        else if (strcmp(value.value.text, candidate->manifest->name) != 0)
            RT_DIAGNOSE(composer->diagnostics, NOT_ITS_MODULE, &node->value_place, candidate->name,
                        value.value.text);
    }
    candidate->configured = candidate->group && candidate->enabled;
}

/* The option "name", or the field "name.field" of a group; NULL if it has no value. */
static const rt_setting *setting_at(const rt_candidate *candidate, const char *path)
{
    size_t length = strcspn(path, ".");
    for (size_t i = 0; i < candidate->manifest->option_count; i++) {
        const rt_plan_option *option = &candidate->options[i];
        if (strncmp(option->name, path, length) != 0 || option->name[length])
            continue;
        if (!path[length])
            return &option->value;
        return option->value.type == RT_SETTING_GROUP
                   ? rt_setting_member(&option->value, path + length + 1)
                   : NULL;
    }
    return NULL;
}

static bool is_equal(const rt_composer *composer, const rt_setting *value, const char *text)
{
    int64_t quantity;
    switch (value->type) {
    case RT_SETTING_NONE:
    case RT_SETTING_LIST:
    case RT_SETTING_GROUP:
    case RT_SETTING_MAP:
        return false;
    case RT_SETTING_BOOL:
        return strcmp(text, value->value.integer ? "true" : "false") == 0;
    case RT_SETTING_INT:
        return value->value.integer == strtoll(text, NULL, 0);
    case RT_SETTING_FLOAT:
        return value->value.real == strtod(text, NULL);
    case RT_SETTING_DURATION:
        return !rt_parse_duration(text, &quantity) && quantity == value->value.integer;
    case RT_SETTING_SIZE:
        return !rt_parse_size(text, &quantity) && quantity == value->value.integer;
    case RT_SETTING_PATH: /* it has been joined to the folder of the configuration, or is a word */
        return strcmp(value->value.text, text) == 0 ||
               strcmp(value->value.text, rt_relative_path(composer, text)) == 0;
    default:
        return strcmp(value->value.text, text) == 0;
    }
}

static bool condition_holds(const rt_composer *composer, const rt_candidate *candidate,
                            const rt_manifest_condition *condition)
{
    const rt_setting *value = setting_at(candidate, condition->path);
    return value && is_equal(composer, value, condition->equals);
}

static void judge_conditions(const rt_composer *composer, rt_candidate *candidate)
{
    for (size_t i = 0; i < candidate->manifest->condition_count; i++) {
        const rt_manifest_condition *condition = &candidate->manifest->conditions[i];
        if (!condition_holds(composer, candidate, condition))
            continue;
        if (condition->process_local)
            candidate->process_local = true;
        else
            candidate->condition = rt_arena_format(composer->arena, "`%s` is \"%s\"",
                                                   condition->path, condition->equals);
    }
}

/* Called for all candidates that are configured or in the plan, once each. */
void rt_candidate_options(rt_composer *composer, rt_candidate *candidate)
{
    const rt_manifest *manifest = candidate->manifest;
    size_t count = manifest->option_count;
    if (candidate->options_ready)
        return;
    candidate->options_ready = true;
    rt_setting *values = rt_arena_alloc(composer->arena, (count + 1) * sizeof *values);
    rt_group_check check = {
        .owner = rt_arena_format(composer->arena, "module `%s`", candidate->name),
        .path = candidate->name,
        .where = rt_arena_format(composer->arena, "`rtctl inspect %s`", manifest->name),
        .options = manifest->options,
        .option_count = count,
        .common = rt_module_options,
        .common_count = rt_module_option_count,
        .place = candidate->group ? NULL : PLACE_OF(candidate)};
    composer->judging_disabled = !candidate->enabled;
    rt_group_judge(composer, &check, candidate->group, values);
    composer->judging_disabled = false;
    candidate->options = rt_arena_alloc(composer->arena, (count + 1) * sizeof(rt_plan_option));
    for (size_t i = 0; i < count; i++)
        candidate->options[i] = (rt_plan_option){.name = manifest->options[i].name,
                                                 .type = manifest->options[i].type,
                                                 .value = values[i]};
    judge_conditions(composer, candidate);
}

void rt_candidates_configure(rt_composer *composer)
{
    for (size_t i = 0; i < composer->candidate_count; i++) {
        rt_candidate *candidate = composer->candidates[i];
        const rt_node *group = rt_node_member(composer->tree, candidate->name);
        candidate->group = group && group->type == RT_NODE_GROUP ? group : NULL;
        if (!candidate->group)
            continue;
        judge_common(composer, candidate);
        rt_candidate_options(composer, candidate);
    }
}

/* --- questions ------------------------------------------------------------------------------- */

bool rt_candidate_provides(const rt_candidate *candidate, const char *capability, uint32_t major,
                           const rt_provides **provides)
{
    for (size_t i = 0; i < candidate->manifest->provides_count; i++) {
        const rt_provides *offer = &candidate->manifest->provides[i];
        if (offer->major != major || strcmp(offer->capability, capability) != 0)
            continue;
        if (provides)
            *provides = offer;
        return true;
    }
    return false;
}

bool rt_candidate_development_only(const rt_candidate *candidate, const rt_provides *provides)
{
    return candidate->manifest->development_only || candidate->condition ||
           (provides && (provides->development_only || provides->tier == RT_TIER_TEST));
}

const char *rt_candidate_needs(rt_composer *composer, const rt_candidate *candidate)
{
    const char *list = NULL;
    for (size_t i = 0; i < candidate->manifest->option_count; i++) {
        const rt_option_spec *option = &candidate->manifest->options[i];
        if (option->required && !option->default_text)
            rt_list_add(composer, &list, "%s", option->name);
    }
    return list ? list : "";
}
