#include "compose/compose.h"

#include "base/suggest.h"
#include "compose/document.h"
#include "compose/internal.h"

#include <string.h>

static void find_main_folder(rt_composer *composer)
{
    const rt_compose_request *request = composer->request;
    const char *file = request->config_count ? request->config_files[0] : "";
    const char *slash = strrchr(file, '/');
    composer->main_folder = "";
    if (slash)
        composer->main_folder =
            slash == file ? "/" : rt_arena_copy_n(composer->arena, file, (size_t)(slash - file));
    composer->result->config_name = slash ? slash + 1 : file;
}

/* --environment beats --set beats RT_ENVIRONMENT beats the file. */
static void find_environment(rt_composer *composer)
{
    const rt_node *node = rt_node_member(composer->tree, "environment");
    const char *variable = rt_variable(composer, "RT_ENVIRONMENT");
    const char *set = rt_settings_set(composer, "environment");
    const char *word = composer->request->environment;
    rt_place place = {.file = "--environment"};
    if (!word && set) {
        word = set;
        place = (rt_place){.file = "--set environment"};
    } else if (!word && variable) {
        word = variable;
        place = (rt_place){.file = "environment variable RT_ENVIRONMENT"};
    } else if (!word && node && node->type == RT_NODE_STRING) {
        word = node->value.text;
        place = node->value_place;
    }
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, word ? word : "");
    for (int i = 0; word && i < RT_ENVIRONMENT_COUNT; i++) {
        rt_suggest(&suggestion, rt_environment_names[i]);
        if (strcmp(rt_environment_names[i], word) == 0) {
            composer->environment = (rt_environment)i;
            word = NULL;
        }
    }
    if (word) {
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, UNKNOWN_ENVIRONMENT, &place, word);
        rt_suggest_label(&suggestion, diagnostic);
        rt_help(diagnostic, "it is one of development, test, staging, production");
        composer->environment = RT_PRODUCTION; /* the strictest reading of what cannot be read */
    }
    composer->strict = composer->environment >= RT_STAGING;
    composer->result->environment = composer->environment;
}

static void acknowledge(rt_composer *composer)
{
    const rt_node *list = rt_node_member(composer->tree, "acknowledge");
    for (const rt_node *name = list ? list->first : NULL; name; name = name->next) {
        rt_candidate *candidate =
            name->type == RT_NODE_STRING ? rt_candidate_find(composer, name->value.text) : NULL;
        if (candidate)
            candidate->acknowledged = true;
    }
}

static void check_links(rt_composer *composer)
{
    rt_library_cache *cache = rt_library_cache_new(composer->arena);
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_candidate *candidate = composer->candidates[i];
        size_t first = composer->diagnostics->count;
        if (candidate->is_instance)
            continue;
        rt_manifest_check_links(cache, composer->diagnostics, candidate->manifest);
        for (size_t k = first; k < composer->diagnostics->count; k++)
            if (!candidate->planned)
                rt_set_severity(composer->diagnostics, composer->diagnostics->items[k], RT_WARNING);
    }
    rt_library_cache_close(cache);
}

/* --- the plan -------------------------------------------------------------------------------- */

static void plan_provides(rt_composer *composer, const rt_candidate *candidate,
                          rt_plan_instance *instance)
{
    size_t count = candidate->manifest->provides_count;
    instance->provides = rt_arena_alloc(composer->arena, (count + 1) * sizeof *instance->provides);
    instance->provides_count = count;
    for (size_t i = 0; i < count; i++) {
        const rt_provides *provides = &candidate->manifest->provides[i];
        instance->provides[i] = (rt_plan_provides){CAPABILITY(provides), provides->tier};
        rt_effects_plan(composer, candidate, provides, &instance->provides[i]);
    }
}

static void plan_bindings(rt_composer *composer, const rt_candidate *candidate,
                          rt_plan_instance *instance)
{
    instance->bindings = candidate->bindings;
    instance->binding_count = candidate->manifest->requires_count;
    for (size_t i = 0; i < instance->binding_count; i++) {
        rt_plan_binding *binding = &instance->bindings[i];
        for (size_t k = 0; k < binding->provider_count; k++)
            binding->providers[k] = composer->candidates[binding->providers[k]]->position;
    }
}

static bool serves_development_only(const rt_candidate *candidate)
{
    for (size_t i = 0; i < candidate->manifest->provides_count; i++)
        if (rt_candidate_development_only(candidate, &candidate->manifest->provides[i]))
            return true;
    return rt_candidate_development_only(candidate, NULL);
}

static void plan_instance(rt_composer *composer, rt_candidate *candidate,
                          rt_plan_instance *instance)
{
    const rt_manifest *manifest = candidate->manifest;
    *instance = (rt_plan_instance){.name = candidate->name,
                                   .module = manifest->name,
                                   .version = manifest->version,
                                   .file = manifest->file,
                                   .build_id = manifest->build_id,
                                   .root = candidate->root,
                                   .lazy = candidate->lazy,
                                   .development_only = serves_development_only(candidate),
                                   .acknowledged = candidate->acknowledged,
                                   .inspects = manifest->inspects,
                                   .required_by = candidate->required_by,
                                   .serves = manifest->serves,
                                   .stack_size = manifest->stack_size,
                                   .needs = manifest->needs,
                                   .slice = manifest->slice,
                                   .options = candidate->options,
                                   .option_count = manifest->option_count};
    plan_provides(composer, candidate, instance);
    plan_bindings(composer, candidate, instance);
    rt_paths_collect(composer, candidate, instance);
}

static void make_plan(rt_composer *composer)
{
    rt_plan *plan = RT_NEW(composer->arena, rt_plan);
    plan->environment = composer->environment;
    plan->host = composer->host;
    plan->secret_variables = composer->secret_variables;
    plan->secret_variable_count = composer->secret_variable_count;
    plan->secrets = composer->secrets;
    plan->secret_count = composer->secret_count;
    plan->instances =
        rt_arena_alloc(composer->arena, (composer->order_count + 1) * sizeof *plan->instances);
    plan->instance_count = composer->order_count;
    for (size_t i = 0; i < composer->order_count; i++)
        plan_instance(composer, composer->order[i], &plan->instances[i]);
    composer->result->plan = plan;
}

/* Which settings there are depends on the plugins, and `plugins` may itself come from a variable or
 * --set. So the host's settings are read ahead, without a word, to find the folders. */
static void read_ahead(rt_composer *composer)
{
    rt_diagnostics *diagnostics = composer->diagnostics, quiet;
    rt_diagnostics_init(&quiet, composer->arena);
    composer->diagnostics = &quiet;
    rt_settings_override(composer);
    rt_host_settings_judge(composer);
    composer->secret_variable_count = composer->secret_count = 0;
    composer->diagnostics = diagnostics;
}

static void compose(rt_composer *composer)
{
    find_main_folder(composer);
    rt_settings_read(composer);
    if (composer->diagnostics->errors)
        return; /* half a configuration would only breed errors that are none */
    find_environment(composer);
    read_ahead(composer);
    rt_discover(composer);
    rt_candidates_make(composer, false);
    rt_settings_override(composer);
    rt_candidates_make(composer, true);
    rt_host_settings_judge(composer);
    rt_candidates_configure(composer);
    acknowledge(composer);
    rt_effects_judge(composer);
    rt_resolve(composer);
    bool ordered = rt_order(composer);
    rt_slices_judge(composer);
    rt_policy_judge(composer);
    rt_tls_judge(composer);
    rt_log_judge(composer);
    check_links(composer);
    rt_effective_collect(composer);
    if (ordered)
        make_plan(composer);
}

rt_composition *rt_compose(rt_arena *arena, const rt_compose_request *request)
{
    rt_composition *result = RT_NEW(arena, rt_composition);
    rt_diagnostics_init(&result->diagnostics, arena);
    rt_composer composer = {
        .arena = arena, .diagnostics = &result->diagnostics, .request = request, .result = result};
    compose(&composer);
    rt_secret_redact(&composer);
    rt_diagnostics_sort(&result->diagnostics);
    rt_documents_make(arena, result);
    return result;
}
