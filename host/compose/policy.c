/* What the environment, the files and the plan as a whole allow. */
#include "compose/internal.h"

#include "compose/quantity.h"

#include <rt/module.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- who serves what
 * ------------------------------------------------------------------------------- */

typedef void (*binding_visitor)(rt_composer *composer, const rt_candidate *consumer,
                                const rt_plan_binding *binding, rt_candidate *provider,
                                void *argument);

static void each_binding(rt_composer *composer, binding_visitor visit, void *argument)
{
    for (size_t i = 0; i < composer->order_count; i++) {
        const rt_candidate *consumer = composer->order[i];
        for (size_t r = 0; r < consumer->manifest->requires_count; r++) {
            const rt_plan_binding *binding = &consumer->bindings[r];
            for (size_t k = 0; k < binding->provider_count; k++)
                visit(composer, consumer, binding, composer->candidates[binding->providers[k]],
                      argument);
        }
    }
}

/* --- the gate
 * ---------------------------------------------------------------------------------------- */

struct offence {
    rt_candidate *candidate;
    const rt_provides *provides; /* what it serves that makes it one, or NULL */
    const char *consumers;
    bool test_tier;
};

static void collect_offence(rt_composer *composer, const rt_candidate *consumer,
                            const rt_plan_binding *binding, rt_candidate *provider, void *argument)
{
    struct offence *offence = argument;
    const rt_provides *provides = NULL;
    if (provider != offence->candidate)
        return;
    rt_candidate_provides(provider, CAPABILITY(binding), &provides);
    if (offence->provides && offence->provides != provides)
        return;
    if (!rt_candidate_development_only(provider, provides))
        return;
    offence->provides = provides;
    offence->test_tier |= provides->tier == RT_TIER_TEST;
    rt_list_add(composer, &offence->consumers, "`%s`", consumer->name);
}

/* Production providers that settings would bring, by name and what they need. */
static const char *alternatives(rt_composer *composer, const rt_provides *provides)
{
    const char *list = NULL;
    for (size_t i = 0; provides && i < composer->candidate_count; i++) {
        const rt_candidate *candidate = composer->candidates[i];
        const rt_provides *other = NULL;
        if (candidate->is_instance ||
            !rt_candidate_provides(candidate, CAPABILITY(provides), &other) ||
            other->tier != RT_TIER_PRODUCTION || rt_candidate_development_only(candidate, other))
            continue;
        const char *needs = rt_candidate_needs(composer, candidate);
        rt_list_add(composer, &list, *needs ? "`%s` (needs %s)" : "`%s`%s", candidate->name, needs);
    }
    return list;
}

static void explain_offence(rt_composer *composer, const struct offence *offence,
                            rt_diagnostic *diagnostic)
{
    const char *list = alternatives(composer, offence->provides);
    const char *acknowledge = offence->test_tier ? "" : ", or list it under `acknowledge`";
    if (offence->provides)
        rt_note(diagnostic, "it serves `%s/%u`, required by %s", CAPABILITY(offence->provides),
                offence->consumers);
    if (offence->candidate->condition)
        rt_note(diagnostic, "it is development-only because %s", offence->candidate->condition);
    if (list)
        rt_help(diagnostic, "configure one of: %s%s", list, acknowledge);
    else if (offence->candidate->condition)
        rt_help(diagnostic, "change that setting%s", acknowledge);
    else if (offence->test_tier)
        rt_help(diagnostic, "bind another provider");
    else
        rt_help(diagnostic, "set `%s: { enabled = false; };`%s", offence->candidate->name,
                acknowledge);
}

static void judge_offence(rt_composer *composer, const struct offence *offence)
{
    rt_candidate *candidate = offence->candidate;
    const char *environment = rt_environment_names[composer->environment];
    rt_diagnostic *diagnostic;
    if (offence->test_tier)
        diagnostic = RT_DIAGNOSE(composer->diagnostics, TEST_TIER, PLACE_OF(candidate),
                                 candidate->name, environment);
    else if (candidate->acknowledged)
        diagnostic = RT_DIAGNOSE(composer->diagnostics, ACKNOWLEDGED, PLACE_OF(candidate),
                                 candidate->name, environment);
    else
        diagnostic = RT_DIAGNOSE(composer->diagnostics, DEVELOPMENT_ONLY, PLACE_OF(candidate),
                                 candidate->name, environment);
    if (!candidate->acknowledged || offence->test_tier)
        explain_offence(composer, offence, diagnostic);
    else if (offence->provides)
        rt_note(diagnostic, "it serves `%s/%u`, required by %s", CAPABILITY(offence->provides),
                offence->consumers);
}

static void judge_gate(rt_composer *composer)
{
    for (size_t i = 0; i < composer->order_count; i++) {
        struct offence offence = {.candidate = composer->order[i]};
        each_binding(composer, collect_offence, &offence);
        if (offence.provides || rt_candidate_development_only(offence.candidate, NULL))
            judge_offence(composer, &offence);
    }
}

static bool is_offender(rt_composer *composer, rt_candidate *candidate)
{
    struct offence offence = {.candidate = candidate};
    each_binding(composer, collect_offence, &offence);
    return candidate->planned && !offence.test_tier &&
           (offence.provides || rt_candidate_development_only(candidate, NULL));
}

static void judge_acknowledge(rt_composer *composer)
{
    const rt_node *list = rt_node_member(composer->tree, "acknowledge");
    for (const rt_node *name = list ? list->first : NULL; name; name = name->next) {
        rt_candidate *candidate =
            name->type == RT_NODE_STRING ? rt_candidate_find(composer, name->value.text) : NULL;
        if (name->type != RT_NODE_STRING || (candidate && is_offender(composer, candidate)))
            continue;
        rt_diagnostic *diagnostic = RT_DIAGNOSE(composer->diagnostics, ACKNOWLEDGES_NOTHING,
                                                &name->value_place, name->value.text);
        rt_label(diagnostic, !candidate ? "no module or instance has this name"
                             : !candidate->planned
                                 ? "it is not in the plan"
                                 : "it is not development-only, or of the test tier");
    }
}

/* --- fallbacks by oversight
 * ----------------------------------------------------------------------------- */

static void judge_fallback(rt_composer *composer, const rt_candidate *consumer,
                           const rt_plan_binding *binding, rt_candidate *provider, void *argument)
{
    const rt_provides *provides;
    (void)argument;
    rt_candidate_provides(provider, CAPABILITY(binding), &provides);
    if (provides->tier != RT_TIER_FALLBACK || provider->configured || provider->named ||
        rt_candidate_development_only(provider, provides))
        return;
    const char *list = alternatives(composer, provides);
    if (!list)
        return; /* there is nothing that somebody could have forgotten */
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, FALLBACK_BY_OVERSIGHT, PLACE_OF(provider),
                    provider->name, CAPABILITY(binding), consumer->name);
    rt_help(diagnostic, "configure one of: %s, or say `%s: { };` if this is meant", list,
            provider->name);
}

/* --- one process, several workers
 * -------------------------------------------------------------------------- */

static void judge_workers(rt_composer *composer)
{
    for (size_t i = 0; composer->host.workers > 1 && i < composer->order_count; i++) {
        const rt_candidate *candidate = composer->order[i];
        if (!candidate->manifest->process_local)
            continue;
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, PROCESS_LOCAL, PLACE_OF(candidate), candidate->name,
                        (long long)composer->host.workers);
        rt_help(diagnostic, "set `workers = 1;` or bind another provider");
    }
}

/* --- events
 * --------------------------------------------------------------------------------------------------
 */

static const rt_candidate *publisher(const rt_composer *composer, const rt_event *handled)
{
    for (size_t i = 0; i < composer->order_count; i++)
        for (size_t k = 0; k < composer->order[i]->manifest->publishes_count; k++) {
            const rt_event *event = &composer->order[i]->manifest->publishes[k];
            if (strcmp(event->topic, handled->topic) == 0 && event->version == handled->version)
                return composer->order[i];
        }
    return NULL;
}

static bool is_handled(const rt_composer *composer, const rt_event *published)
{
    for (size_t i = 0; i < composer->order_count; i++)
        for (size_t k = 0; k < composer->order[i]->manifest->handles_count; k++) {
            const rt_event *event = &composer->order[i]->manifest->handles[k];
            if (strcmp(event->topic, published->topic) == 0 && event->version == published->version)
                return true;
        }
    return false;
}

static void judge_wire_name(rt_composer *composer, size_t at, const rt_event *event)
{
    for (size_t i = 0; i < at; i++)
        for (size_t k = 0; k < composer->order[i]->manifest->publishes_count; k++) {
            const rt_event *other = &composer->order[i]->manifest->publishes[k];
            if (composer->order[i]->manifest == composer->order[at]->manifest ||
                strcmp(other->wire, event->wire) != 0 || other->version != event->version)
                continue;
            rt_diagnostic *diagnostic = RT_DIAGNOSE(
                composer->diagnostics, WIRE_NAME_TWICE, PLACE_OF(composer->order[at]), event->wire,
                event->version, composer->order[i]->name, composer->order[at]->name);
            rt_help(diagnostic, "one of the two modules must name its event otherwise");
        }
}

static void judge_events(rt_composer *composer)
{
    for (size_t i = 0; i < composer->order_count; i++) {
        const rt_candidate *candidate = composer->order[i];
        for (size_t k = 0; k < candidate->manifest->handles_count; k++) {
            const rt_event *event = &candidate->manifest->handles[k];
            if (!publisher(composer, event))
                RT_DIAGNOSE(composer->diagnostics, EVENT_UNPUBLISHED, PLACE_OF(candidate),
                            candidate->name, event->topic, event->version);
        }
        for (size_t k = 0; k < candidate->manifest->publishes_count; k++) {
            const rt_event *event = &candidate->manifest->publishes[k];
            if (!is_handled(composer, event))
                RT_DIAGNOSE(composer->diagnostics, EVENT_UNHANDLED, PLACE_OF(candidate),
                            event->topic, event->version, candidate->name);
            judge_wire_name(composer, i, event);
        }
    }
}

/* --- the machine
 * ------------------------------------------------------------------------------------------------
 */

static bool host_flag(const rt_composer *composer, const char *section, const char *name)
{
    const rt_option_spec *option =
        rt_option_find(rt_host_options, rt_host_option_count, section ? section : name);
    const rt_setting *value = &composer->host_values[option - rt_host_options];
    if (section)
        value = rt_setting_member(value, name);
    return value && value->type != RT_SETTING_NONE && value->value.integer;
}

static void judge_listening(rt_composer *composer)
{
    const rt_setting *listen = composer->host.http.listen;
    if (composer->strict || host_flag(composer, "http", "allow_remote"))
        return;
    const rt_node *node = rt_settings_find(composer->tree, "http.listen");
    for (uint32_t i = 0; listen->type != RT_SETTING_NONE && i < listen->count; i++) {
        const rt_setting *address = &listen->value.members[i];
        if (address->type == RT_SETTING_NONE || rt_address_is_loopback(address->value.text))
            continue;
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, REMOTE_LISTEN, node ? &node->value_place : NULL,
                        address->value.text, rt_environment_names[composer->environment]);
        rt_help(diagnostic, "listen on 127.0.0.1, or set `http.allow_remote = true`");
    }
}

static void judge_root(rt_composer *composer)
{
    if (!composer->request->running || geteuid() != 0 || host_flag(composer, NULL, "allow_root"))
        return;
    rt_diagnostic *diagnostic = RT_DIAGNOSE(composer->diagnostics, RUNNING_AS_ROOT, NULL);
    rt_help(diagnostic, "start it as a user of its own, or set `allow_root = true`");
    if (composer->strict)
        rt_set_severity(composer->diagnostics, diagnostic, RT_ERROR);
}

static void judge_writable(rt_composer *composer, const char *path, bool folder)
{
    struct stat status;
    if (stat(path, &status) < 0 || !(status.st_mode & S_IWOTH) ||
        (folder && status.st_mode & S_ISVTX))
        return;
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, WRITABLE_PLUGIN, &(rt_place){.file = path},
                    folder ? "folder" : "file", path);
    rt_help(diagnostic, "chmod o-w %s", path);
    if (composer->strict)
        rt_set_severity(composer->diagnostics, diagnostic, RT_ERROR);
}

static void judge_files(rt_composer *composer)
{
    const char *last = "";
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_candidate *candidate = composer->candidates[i];
        const char *file = candidate->manifest->file;
        const char *slash = strrchr(file, '/');
        if (!candidate->planned || candidate->is_instance)
            continue;
        const char *folder =
            slash ? rt_arena_copy_n(composer->arena, file, (size_t)(slash - file)) : ".";
        if (strcmp(folder, last) != 0)
            judge_writable(composer, folder, true);
        last = folder;
        judge_writable(composer, file, false);
    }
}

/* --- manifests
 * ----------------------------------------------------------------------------------------------------
 */

static void judge_option_name(rt_composer *composer, const rt_candidate *candidate,
                              const rt_option_spec *option)
{
    for (size_t i = 0; i < option->field_count; i++)
        judge_option_name(composer, candidate, &option->fields[i]);
    if (option->type != RT_SETTING_STRING || option->not_secret ||
        !rt_secret_sounding(option->name))
        return;
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, SECRET_LOOKING_OPTION, PLACE_OF(candidate), option->name,
                    candidate->manifest->name);
    rt_help(diagnostic, "its author declares it `secret`, or RT_NOT_SECRET if it is none");
}

static void judge_options(rt_composer *composer)
{
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_candidate *candidate = composer->candidates[i];
        if (candidate->is_instance || !(candidate->planned || candidate->configured))
            continue;
        for (size_t k = 0; k < candidate->manifest->option_count; k++)
            judge_option_name(composer, candidate, &candidate->manifest->options[k]);
    }
}

#define MOST_UNUSED_NAMED 12

static void report_unused(rt_composer *composer)
{
    const char *list = NULL;
    size_t count = 0;
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_candidate *candidate = composer->candidates[i];
        if (candidate->planned)
            continue;
        if (++count <= MOST_UNUSED_NAMED)
            rt_list_add(composer, &list, "`%s`", candidate->name);
    }
    if (count > MOST_UNUSED_NAMED)
        rt_list_add(composer, &list, "and %zu more", count - MOST_UNUSED_NAMED);
    if (count)
        RT_DIAGNOSE(composer->diagnostics, UNUSED, NULL, list);
}

void rt_policy_judge(rt_composer *composer)
{
    if (composer->strict) {
        judge_gate(composer);
        judge_acknowledge(composer);
        each_binding(composer, judge_fallback, NULL);
    }
    judge_workers(composer);
    judge_events(composer);
    judge_listening(composer);
    judge_root(composer);
    judge_files(composer);
    judge_options(composer);
    report_unused(composer);
}
