/* Whether the providers of the plan are fit for the environment and for its workers. */
#include "compose/internal.h"

#include "base/suggest.h"

#include <rt/module.h>
#include <string.h>

/* --- who serves what ------------------------------------------------------------------------- */

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

/* --- the gate -------------------------------------------------------------------------------- */

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
    if (!rt_candidate_development_only(provider, provides))
        return;
    bool test_tier = provides->tier == RT_TIER_TEST;
    if (test_tier && !offence->test_tier) /* weighs more than what was found before */
        *offence = (struct offence){.candidate = provider, .test_tier = true};
    else if (offence->provides && offence->provides != provides)
        return;
    offence->provides = provides;
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
            other->tier != RT_TIER_PRODUCTION || other->development_only ||
            candidate->manifest->development_only)
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
    const char *or_change = offence->candidate->condition ? "change that setting, or " : "";
    if (list)
        rt_help(diagnostic, "%sconfigure one of: %s%s", or_change, list, acknowledge);
    else if (offence->candidate->condition)
        rt_help(diagnostic, "change that setting%s", acknowledge);
    else if (!offence->provides && rt_node_member(composer->tree, "load"))
        rt_help(diagnostic, "take it out of `load`%s", acknowledge);
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

static struct offence offence_of(rt_composer *composer, rt_candidate *candidate)
{
    struct offence offence = {.candidate = candidate};
    each_binding(composer, collect_offence, &offence);
    return offence;
}

static bool is_offence(const struct offence *offence)
{
    return offence->provides || rt_candidate_development_only(offence->candidate, NULL);
}

static void judge_gate(rt_composer *composer)
{
    for (size_t i = 0; i < composer->order_count; i++) {
        struct offence offence = offence_of(composer, composer->order[i]);
        if (is_offence(&offence))
            judge_offence(composer, &offence);
    }
}

static void label_unknown(rt_composer *composer, const char *name, rt_diagnostic *diagnostic)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, name);
    for (size_t i = 0; i < composer->candidate_count; i++)
        rt_suggest(&suggestion, composer->candidates[i]->name);
    if (suggestion.nearest)
        rt_label(diagnostic, "did you mean `%s`?", suggestion.nearest);
    else
        rt_label(diagnostic, "no module or instance has this name");
}

/* Why nothing comes of acknowledging it; NULL if something does. */
static const char *pointless(rt_composer *composer, rt_candidate *candidate)
{
    struct offence offence = offence_of(composer, candidate);
    return !candidate->planned     ? "it is not in the plan"
           : !is_offence(&offence) ? "it is not development-only"
           : offence.test_tier     ? "a test double cannot be acknowledged"
                                   : NULL;
}

static void judge_acknowledged(rt_composer *composer, const rt_node *name)
{
    bool is_text = name->type == RT_NODE_STRING;
    rt_candidate *candidate = is_text ? rt_candidate_find(composer, name->value.text) : NULL;
    const char *reason = candidate ? pointless(composer, candidate) : NULL;
    if (!is_text || (candidate && !reason))
        return;
    rt_diagnostic *diagnostic = RT_DIAGNOSE(composer->diagnostics, ACKNOWLEDGES_NOTHING,
                                            &name->value_place, name->value.text);
    if (candidate)
        rt_label(diagnostic, "%s", reason);
    else
        label_unknown(composer, name->value.text, diagnostic);
}

static void judge_acknowledge(rt_composer *composer)
{
    const rt_node *list = rt_node_member(composer->tree, "acknowledge");
    for (const rt_node *name = list ? list->first : NULL; name; name = name->next)
        judge_acknowledged(composer, name);
}

/* --- fallbacks by oversight ------------------------------------------------------------------ */

/* Who is served with one capability of one module. */
struct service {
    const rt_candidate *candidate;
    const rt_provides *provides;
    const char *consumers;
};

static void collect_service(rt_composer *composer, const rt_candidate *consumer,
                            const rt_plan_binding *binding, rt_candidate *provider, void *argument)
{
    struct service *service = argument;
    const rt_provides *provides;
    if (provider != service->candidate)
        return;
    rt_candidate_provides(provider, CAPABILITY(binding), &provides);
    if (provides == service->provides)
        rt_list_add(composer, &service->consumers, "`%s`", consumer->name);
}

static void judge_fallback(rt_composer *composer, const rt_candidate *candidate,
                           const rt_provides *provides)
{
    struct service service = {.candidate = candidate, .provides = provides};
    const char *list = alternatives(composer, provides);
    if (!list || provides->tier != RT_TIER_FALLBACK ||
        rt_candidate_development_only(candidate, provides))
        return; /* without alternatives there is nothing that somebody could have forgotten */
    each_binding(composer, collect_service, &service);
    if (!service.consumers)
        return;
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, FALLBACK_BY_OVERSIGHT, PLACE_OF(candidate),
                    candidate->name, CAPABILITY(provides), service.consumers);
    rt_help(diagnostic, "configure one of: %s, or say `%s: { };` if this is meant", list,
            candidate->name);
}

static void judge_fallbacks(rt_composer *composer)
{
    for (size_t i = 0; i < composer->order_count; i++) {
        const rt_candidate *candidate = composer->order[i];
        for (size_t k = 0; k < candidate->manifest->provides_count; k++)
            if (!candidate->configured && !candidate->named)
                judge_fallback(composer, candidate, &candidate->manifest->provides[k]);
    }
}

/* --- one process, several workers ------------------------------------------------------------ */

static bool is_process_local(rt_composer *composer, const rt_candidate *candidate)
{
    for (size_t i = 0; i < candidate->manifest->provides_count; i++) {
        struct service service = {.candidate = candidate,
                                  .provides = &candidate->manifest->provides[i]};
        if (service.provides->process_local)
            each_binding(composer, collect_service, &service);
        if (service.consumers)
            return true;
    }
    return candidate->manifest->process_local || candidate->process_local;
}

static void judge_workers(rt_composer *composer)
{
    for (size_t i = 0; composer->host.workers > 1 && i < composer->order_count; i++) {
        const rt_candidate *candidate = composer->order[i];
        if (!is_process_local(composer, candidate))
            continue;
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, PROCESS_LOCAL, PLACE_OF(candidate), candidate->name,
                        (long long)composer->host.workers);
        rt_help(diagnostic, "set `workers = 1;` or bind another provider");
    }
}

void rt_gate_judge(rt_composer *composer)
{
    if (composer->strict) {
        judge_gate(composer);
        judge_acknowledge(composer);
        judge_fallbacks(composer);
    }
    judge_workers(composer);
}
