/* Resolution: which modules are in the plan, and who serves whom.
 *
 * Starts with the roots and binds what each planned module requires, first match: `use` in its
 * group, `bind` at the top, in test the test tier, the configured production provider of highest
 * priority, the fallback of highest priority. */
#include "compose/internal.h"

#include "base/suggest.h"

#include <stdlib.h>
#include <string.h>

/* One capability that one candidate offers. */
struct offer {
    const char *capability;
    const rt_provides *provides;
    rt_candidate *candidate;
};

struct resolver {
    rt_composer *composer;
    struct offer *offers; /* by capability, priority (highest first), name */
    size_t offer_count;
    rt_candidate **queue; /* planned, bindings still to be made from `next` on */
    size_t queue_count, next;
};

/* What one requirement of one consumer may choose from. */
struct request {
    struct resolver *resolver;
    rt_candidate *consumer;
    const rt_requires *requires;
    rt_plan_binding *binding;
    const struct offer *offers; /* of the capability, any major version */
    size_t offer_count;
};

/* --- offers ---------------------------------------------------------------------------------- */

static int by_preference(const void *a, const void *b)
{
    const struct offer *left = a, *right = b;
    int order = strcmp(left->capability, right->capability);
    if (order == 0)
        order = (left->provides->priority < right->provides->priority) -
                (left->provides->priority > right->provides->priority);
    return order ? order : strcmp(left->candidate->name, right->candidate->name);
}

static void collect_offers(struct resolver *resolver)
{
    rt_composer *composer = resolver->composer;
    for (size_t i = 0; i < composer->candidate_count; i++) {
        rt_candidate *candidate = composer->candidates[i];
        for (size_t k = 0; k < candidate->manifest->provides_count; k++) {
            const rt_provides *provides = &candidate->manifest->provides[k];
            rt_push(composer->arena, resolver->offers, resolver->offer_count) =
                (struct offer){provides->capability, provides, candidate};
        }
    }
    if (resolver->offer_count)
        qsort(resolver->offers, resolver->offer_count, sizeof(struct offer), by_preference);
}

static void find_offers(struct request *request)
{
    const struct resolver *resolver = request->resolver;
    size_t low = 0, high = resolver->offer_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(resolver->offers[middle].capability, request->requires->capability) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    request->offers = resolver->offers + low;
    while (low + request->offer_count < resolver->offer_count &&
           strcmp(request->offers[request->offer_count].capability,
                  request->requires->capability) == 0)
        request->offer_count++;
}

/* --- binding --------------------------------------------------------------------------------- */

static void plan(struct resolver *resolver, rt_candidate *candidate)
{
    if (candidate->planned)
        return;
    candidate->planned = true;
    rt_candidate_options(resolver->composer, candidate);
    rt_push(resolver->composer->arena, resolver->queue, resolver->queue_count) = candidate;
}

static void bind(struct request *request, rt_candidate *provider, const char *reason)
{
    rt_plan_binding *binding = request->binding;
    rt_composer *composer = request->resolver->composer;
    rt_push(composer->arena, binding->providers, binding->provider_count) = provider->index;
    binding->reason = reason;
    if (!provider->required_by && !provider->root) {
        provider->required_by = request->consumer->name;
        provider->serves = rt_arena_format(composer->arena, "%s/%u", CAPABILITY(request->requires));
    }
    plan(request->resolver, provider);
}

/* --- (1) and (2): by name -------------------------------------------------------------------- */

static void unknown_name(struct request *request, const rt_node *node, const char *name)
{
    rt_composer *composer = request->resolver->composer;
    rt_suggestion suggestion;
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, BOUND_UNKNOWN, &node->value_place,
                    request->requires->capability, name);
    rt_suggest_begin(&suggestion, name);
    for (size_t i = 0; i < request->offer_count; i++)
        rt_suggest(&suggestion, request->offers[i].candidate->name);
    rt_suggest_label(&suggestion, diagnostic);
}

static bool is_bound(const rt_plan_binding *binding, const rt_candidate *provider)
{
    for (size_t i = 0; i < binding->provider_count; i++)
        if (binding->providers[i] == provider->index)
            return true;
    return false;
}

static void bind_name(struct request *request, const rt_node *node, const char *rule)
{
    rt_composer *composer = request->resolver->composer;
    const rt_requires *requires = request->requires;
    if (node->type != RT_NODE_STRING) {
        RT_DIAGNOSE(composer->diagnostics, WRONG_TYPE, &node->value_place, requires->capability,
                    "a module name in quotes, or several in brackets",
                    rt_node_type_name(node->type));
        return;
    }
    rt_candidate *provider = rt_candidate_find(composer, node->value.text);
    if (!provider)
        unknown_name(request, node, node->value.text);
    else if (!rt_candidate_provides(provider, CAPABILITY(requires), NULL))
        RT_DIAGNOSE(composer->diagnostics, BOUND_WRONG, &node->value_place, provider->name,
                    CAPABILITY(requires), request->consumer->name);
    else if (!provider->enabled)
        RT_DIAGNOSE(composer->diagnostics, BOUND_DISABLED, &node->value_place, provider->name);
    else if (is_bound(request->binding, provider))
        RT_DIAGNOSE(composer->diagnostics, BOUND_TWICE, &node->value_place, provider->name,
                    CAPABILITY(requires), request->consumer->name);
    else {
        provider->named = true;
        bind(request, provider, rt_arena_format(composer->arena, "named by `%s`", rule));
    }
}

/* True if a name was given, whether or not it was any good. */
static bool bind_by_name(struct request *request, const rt_node *names, const char *rule)
{
    const rt_node *node = names && names->type == RT_NODE_GROUP
                              ? rt_node_member(names, request->requires->capability)
                              : NULL;
    if (!node)
        return false;
    bool list = node->type == RT_NODE_ARRAY || node->type == RT_NODE_LIST;
    if (list && !request->requires->many) {
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(request->resolver->composer->diagnostics, BOUND_MANY, &node->value_place,
                        CAPABILITY(request->requires));
        rt_help(diagnostic, "name one module, in quotes and without brackets");
        return true;
    }
    if (list && !node->first && !request->requires->optional) {
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(request->resolver->composer->diagnostics, NO_PROVIDER, &node->value_place,
                        CAPABILITY(request->requires), request->consumer->name);
        rt_label(diagnostic, "this list is empty");
    }
    if (!list)
        bind_name(request, node, rule);
    for (const rt_node *name = list ? node->first : NULL; name; name = name->next)
        bind_name(request, name, rule);
    return true;
}

/* --- (3) to (5): by tier --------------------------------------------------------------------- */

/* Optional requirements and sets never pull a development-only module into production. */
static bool left_out(const struct request *request, const struct offer *offer)
{
    rt_composer *composer = request->resolver->composer;
    bool voluntary = request->requires->optional || request->requires->many;
    if (!composer->strict || !voluntary)
        return false;
    if (offer->candidate->manifest->condition_count)
        rt_candidate_options(composer, offer->candidate);
    if (!rt_candidate_development_only(offer->candidate, offer->provides) ||
        (offer->candidate->acknowledged && offer->provides->tier != RT_TIER_TEST))
        return false;
    RT_DIAGNOSE(composer->diagnostics, LEFT_OUT, PLACE_OF(offer->candidate), offer->candidate->name,
                CAPABILITY(request->requires), request->consumer->name);
    return true;
}

static bool is_eligible(const struct request *request, const struct offer *offer, rt_tier tier)
{
    const rt_candidate *candidate = offer->candidate;
    return offer->provides->tier == tier && offer->provides->major == request->requires->major &&
           !candidate->is_instance && candidate->enabled && candidate != request->consumer &&
           (tier != RT_TIER_PRODUCTION || candidate->configured) && !left_out(request, offer);
}

static void ambiguous(const struct request *request, const struct offer *first,
                      const struct offer *second)
{
    rt_composer *composer = request->resolver->composer;
    rt_diagnostic *diagnostic = RT_DIAGNOSE(
        composer->diagnostics, AMBIGUOUS, NULL, first->candidate->name, second->candidate->name,
        CAPABILITY(request->requires), first->provides->priority, request->consumer->name);
    rt_help(diagnostic, "settle it with `bind: { %s = \"%s\"; };`", request->requires->capability,
            first->candidate->name);
}

/* A group that no file holds is easily overlooked: it is said where it came from. */
static const char *how_configured(rt_arena *arena, const rt_node *group)
{
    if (!group->origin || group->name_place.line)
        return "configured, ";
    return rt_arena_format(arena, "configured by %s, ", group->origin);
}

static const char *tier_reason(const struct request *request, const struct offer *offer)
{
    rt_arena *arena = request->resolver->composer->arena;
    bool production = offer->provides->tier == RT_TIER_PRODUCTION;
    return rt_arena_format(arena, "%s%s tier, priority %d",
                           production ? how_configured(arena, offer->candidate->group) : "",
                           rt_tier_name(offer->provides->tier), offer->provides->priority);
}

/* The best of a tier, or all of it; false if it has none. Offers come best first. */
static bool bind_tier(struct request *request, rt_tier tier, bool all)
{
    const struct offer *best = NULL;
    for (size_t i = 0; i < request->offer_count; i++) {
        const struct offer *offer = &request->offers[i];
        if (best && !all && offer->provides->priority < best->provides->priority)
            return true;
        if (!is_eligible(request, offer, tier))
            continue;
        if (best && !all) {
            ambiguous(request, best, offer);
            return true;
        }
        best = offer;
        bind(request, offer->candidate, tier_reason(request, offer));
    }
    return best != NULL;
}

static bool bind_by_tier(struct request *request)
{
    bool many = request->requires->many;
    if (request->resolver->composer->environment == RT_TEST &&
        bind_tier(request, RT_TIER_TEST, many))
        return true;
    return bind_tier(request, RT_TIER_PRODUCTION, many) ||
           bind_tier(request, RT_TIER_FALLBACK, false);
}

/* --- nothing to bind ------------------------------------------------------------------------- */

/* The offers that settings would bring, as help; for policy.c too. */
static void suggest_offers(const struct request *request, rt_diagnostic *diagnostic)
{
    rt_composer *composer = request->resolver->composer;
    const char *list = NULL, *versions = NULL;
    for (size_t i = 0; i < request->offer_count; i++) {
        const struct offer *offer = &request->offers[i];
        const char *needs = rt_candidate_needs(composer, offer->candidate);
        if (offer->provides->major != request->requires->major)
            rt_list_add(composer, &versions, "`%s/%u` by `%s`", offer->capability,
                        offer->provides->major, offer->candidate->name);
        else if (offer->candidate->is_instance)
            rt_note(diagnostic, "the instance `%s` is bound by `use` or `bind` only",
                    offer->candidate->name);
        else if (!offer->candidate->enabled)
            rt_note(diagnostic, "`%s` would serve, but has `enabled = false`",
                    offer->candidate->name);
        else if (offer->provides->tier == RT_TIER_PRODUCTION)
            rt_list_add(composer, &list, *needs ? "`%s` (needs %s)" : "`%s`%s",
                        offer->candidate->name, needs);
    }
    if (versions)
        rt_note(diagnostic, "offered are: %s", versions);
    if (list)
        rt_help(diagnostic, "configure one of: %s", list);
    else if (!request->offer_count)
        rt_help(diagnostic, "put a plugin that provides `%s/%u` into the plugin folder",
                CAPABILITY(request->requires));
}

static bool offers_other_major_only(const struct request *request)
{
    for (size_t i = 0; i < request->offer_count; i++)
        if (request->offers[i].provides->major == request->requires->major)
            return false;
    return request->offer_count != 0;
}

static void nothing_bound(struct request *request)
{
    rt_composer *composer = request->resolver->composer;
    const rt_candidate *consumer = request->consumer;
    rt_diagnostic *diagnostic;
    if (request->requires->optional)
        diagnostic = RT_DIAGNOSE(composer->diagnostics, OPTIONAL_UNBOUND, PLACE_OF(consumer),
                                 CAPABILITY(request->requires), consumer->name);
    else if (offers_other_major_only(request))
        diagnostic = RT_DIAGNOSE(composer->diagnostics, OTHER_VERSION, PLACE_OF(consumer),
                                 CAPABILITY(request->requires), consumer->name);
    else
        diagnostic = RT_DIAGNOSE(composer->diagnostics, NO_PROVIDER, PLACE_OF(consumer),
                                 CAPABILITY(request->requires), consumer->name);
    suggest_offers(request, diagnostic);
}

static void bind_requirement(struct resolver *resolver, rt_candidate *consumer, size_t i)
{
    rt_composer *composer = resolver->composer;
    const rt_requires *requires = &consumer->manifest->requires[i];
    struct request request = {.resolver = resolver,
                              .consumer = consumer,
                              .requires = requires,
                              .binding = &consumer->bindings[i]};
    *request.binding = (rt_plan_binding){.capability = requires->capability,
                                         .major = requires->major,
                                         .optional = requires->optional,
                                         .raw = requires->raw,
                                         .many = requires->many,
                                         .reason = "nothing bound"};
    find_offers(&request);
    const rt_node *use = consumer->group ? rt_node_member(consumer->group, "use") : NULL;
    if (!bind_by_name(&request, use, "use") &&
        !bind_by_name(&request, rt_node_member(composer->tree, "bind"), "bind") &&
        !bind_by_tier(&request))
        nothing_bound(&request);
}

static void bind_all(struct resolver *resolver, rt_candidate *consumer)
{
    size_t count = consumer->manifest->requires_count;
    consumer->bindings =
        rt_arena_alloc(resolver->composer->arena, (count + 1) * sizeof(rt_plan_binding));
    for (size_t i = 0; i < count; i++)
        bind_requirement(resolver, consumer, i);
}

/* --- roots ----------------------------------------------------------------------------------- */

static void load_root(struct resolver *resolver, const rt_node *name)
{
    rt_composer *composer = resolver->composer;
    rt_candidate *candidate =
        name->type == RT_NODE_STRING ? rt_candidate_find(composer, name->value.text) : NULL;
    if (candidate && candidate->enabled) {
        candidate->root = candidate->named = true;
        plan(resolver, candidate);
    } else if (candidate) {
        RT_DIAGNOSE(composer->diagnostics, BOUND_DISABLED, &name->value_place, candidate->name);
    } else if (name->type == RT_NODE_STRING) {
        rt_suggestion suggestion;
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, UNKNOWN_ROOT, &name->value_place, name->value.text);
        rt_suggest_begin(&suggestion, name->value.text);
        for (size_t i = 0; i < composer->candidate_count; i++)
            rt_suggest(&suggestion, composer->candidates[i]->name);
        rt_suggest_label(&suggestion, diagnostic);
    }
}

static void find_roots(struct resolver *resolver)
{
    rt_composer *composer = resolver->composer;
    const rt_node *load = rt_node_member(composer->tree, "load");
    if (load && (load->type == RT_NODE_ARRAY || load->type == RT_NODE_LIST)) {
        for (const rt_node *name = load->first; name; name = name->next)
            load_root(resolver, name);
        return;
    }
    for (size_t i = 0; i < composer->candidate_count; i++) {
        rt_candidate *candidate = composer->candidates[i];
        uint32_t where = candidate->manifest->enabled_in;
        if (!candidate->enabled || !candidate->manifest->serves ||
            (where && !(where & 1u << composer->environment)))
            continue;
        candidate->root = true;
        plan(resolver, candidate);
    }
}

/* --- names nobody asked for ------------------------------------------------------------------ */

static bool is_known_capability(const rt_composer *composer, const char *capability,
                                rt_suggestion *suggestion)
{
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_manifest *manifest = composer->candidates[i]->manifest;
        for (size_t k = 0; k < manifest->provides_count; k++) {
            rt_suggest(suggestion, manifest->provides[k].capability);
            if (strcmp(manifest->provides[k].capability, capability) == 0)
                return true;
        }
        for (size_t k = 0; k < manifest->requires_count; k++) {
            rt_suggest(suggestion, manifest->requires[k].capability);
            if (strcmp(manifest->requires[k].capability, capability) == 0)
                return true;
        }
    }
    return false;
}

static void judge_bind_names(rt_composer *composer)
{
    const rt_node *names = rt_node_member(composer->tree, "bind");
    if (!names || names->type != RT_NODE_GROUP)
        return;
    for (const rt_node *node = names->first; node; node = node->next) {
        rt_suggestion suggestion;
        rt_suggest_begin(&suggestion, node->name);
        if (is_known_capability(composer, node->name, &suggestion))
            continue;
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, UNKNOWN_CAPABILITY, &node->name_place, node->name);
        rt_suggest_label(&suggestion, diagnostic);
    }
}

static void judge_use_name(rt_composer *composer, const rt_candidate *candidate,
                           const rt_node *node)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, node->name);
    for (size_t i = 0; i < candidate->manifest->requires_count; i++) {
        const rt_requires *requires = &candidate->manifest->requires[i];
        if (strcmp(requires->capability, node->name) == 0)
            return;
        rt_suggest(&suggestion, requires->capability);
    }
    rt_diagnostic *diagnostic = RT_DIAGNOSE(composer->diagnostics, USE_NOT_REQUIRED,
                                            &node->name_place, candidate->name, node->name);
    rt_suggest_label(&suggestion, diagnostic);
}

static void judge_use_names(rt_composer *composer)
{
    for (size_t i = 0; i < composer->candidate_count; i++) {
        const rt_candidate *candidate = composer->candidates[i];
        const rt_node *use = candidate->group ? rt_node_member(candidate->group, "use") : NULL;
        if (use && use->type != RT_NODE_GROUP)
            RT_DIAGNOSE(composer->diagnostics, WRONG_TYPE, &use->value_place, "use", "a group",
                        rt_node_type_name(use->type));
        for (const rt_node *node = use && use->type == RT_NODE_GROUP ? use->first : NULL; node;
             node = node->next)
            judge_use_name(composer, candidate, node);
    }
}

void rt_resolve(rt_composer *composer)
{
    struct resolver resolver = {.composer = composer};
    collect_offers(&resolver);
    judge_bind_names(composer);
    judge_use_names(composer);
    find_roots(&resolver);
    while (resolver.next < resolver.queue_count)
        bind_all(&resolver, resolver.queue[resolver.next++]);
    composer->order = resolver.queue;
    composer->order_count = resolver.queue_count;
}
