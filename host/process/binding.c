#include "process/runtime.h"

#include "telemetry/log.h"

#include <string.h>

#define VIEW_LIMIT 65536u /* bytes of a table as a consumer knows it */

static const rt_plan_binding *planned(const rt_running *running, const rt_slot *slot)
{
    const rt_plan_instance *plan = running->plan;
    for (size_t i = 0; i < plan->binding_count; i++)
        if (plan->bindings[i].major == slot->major &&
            rt_capability_is(slot->capability, plan->bindings[i].capability))
            return &plan->bindings[i];
    return NULL;
}

/* Which of what the provider offers is meant; NULL: none. */
static const rt_plan_provides *offer_for(const rt_running *provider, const rt_plan_binding *binding)
{
    for (size_t i = 0; i < provider->plan->provides_count; i++) {
        const rt_plan_provides *offer = &provider->plan->provides[i];
        if (offer->major == binding->major && strcmp(offer->capability, binding->capability) == 0)
            return offer;
    }
    return NULL;
}

/* What the provider offered for it, or NULL: it is not loaded (a load child may skip it). */
static const void *offered(const rt_running *provider, const rt_plan_binding *binding)
{
    const rt_plan_provides *offer = offer_for(provider, binding);
    return offer && provider->registered ? provider->tables[offer - provider->plan->provides]
                                         : NULL;
}

/* A consumer may know more methods than the provider has, or fewer: the copy has room for both and
 * zeros where the provider has nothing. */
static const void *padded(rt_arena *arena, const void *table, uint32_t view_size)
{
    uint32_t size = table ? *(const uint32_t *)table : 0;
    uint32_t room = size > view_size ? size : view_size;
    uint32_t *copy = rt_arena_alloc(arena, room);
    if (table)
        memcpy(copy, table, size);
    *copy = room;
    return copy;
}

static rt_effect_operation operation_of(const rt_running *provider, const rt_plan_provides *offer,
                                        uint32_t index)
{
    const struct rt_telemetry_settings *telemetry = &provider->runtime->plan->host.telemetry;
    const rt_policies *policies = provider->policies[offer - provider->plan->provides];
    if (index >= offer->effect_count)
        return (rt_effect_operation){0}; /* the provider has no such method */
    const rt_plan_effect *effect = &offer->effects[index];
    return (rt_effect_operation){.logged = effect->log, /* the level may change while it runs */
                                 .traced = telemetry->traces && effect->trace,
                                 .counted = telemetry->metrics && effect->metrics,
                                 .policy = policies ? policies->items[index] : NULL};
}

static bool is_heard(const rt_effect_operation *operation)
{
    return operation->logged || operation->traced || operation->counted || operation->policy;
}

/* NULL where a call can go straight through. */
static const struct rt_effects *effects_of(rt_running *provider, const rt_plan_binding *binding,
                                           uint32_t view_size)
{
    rt_arena *arena = &provider->runtime->arena;
    struct rt_effects effects = {
        .operation_count = (uint32_t)((view_size - 2 * sizeof(uint32_t)) / sizeof(void *))};
    const rt_plan_provides *offer = offer_for(provider, binding);
    bool heard = false;
    effects.operations =
        rt_arena_alloc(arena, effects.operation_count * sizeof(rt_effect_operation));
    for (uint32_t i = 0; i < effects.operation_count && offer && !binding->raw; i++) {
        effects.operations[i] = operation_of(provider, offer, i);
        heard |= is_heard(&effects.operations[i]);
    }
    if (provider->starts_late) {
        effects.prepare = rt_lazy_start;
        effects.prepare_argument = provider;
    }
    if (!heard && !effects.prepare)
        return NULL;
    struct rt_effects *kept = rt_arena_alloc(arena, sizeof *kept);
    *kept = effects;
    return kept;
}

static rt_binding bound_to(rt_runtime *runtime, rt_running *provider, const void *table,
                           const rt_plan_binding *binding, uint32_t view_size)
{
    return (rt_binding){.table = padded(&runtime->arena, table, view_size),
                        .instance = &provider->instance,
                        .effects = effects_of(provider, binding, view_size),
                        .count = 1};
}

/* How consumers of the capability are bound, so that the same is done around the calls of one that
 * is in no plan. */
static rt_plan_binding planned_elsewhere(const rt_runtime *runtime, const rt_plan_provides *offer)
{
    for (size_t i = 0; i < runtime->plan->instance_count; i++) {
        const rt_plan_instance *consumer = &runtime->plan->instances[i];
        for (size_t k = 0; k < consumer->binding_count; k++)
            if (consumer->bindings[k].major == offer->major &&
                strcmp(consumer->bindings[k].capability, offer->capability) == 0)
                return consumer->bindings[k];
    }
    return (rt_plan_binding){.capability = offer->capability, .major = offer->major};
}

const rt_binding *rt_bind_to(rt_running *provider, size_t provides)
{
    rt_binding *direct = &provider->direct[provides];
    if (direct->table)
        return direct;
    rt_plan_binding binding =
        planned_elsewhere(provider->runtime, &provider->plan->provides[provides]);
    const uint32_t *table = provider->tables[provides]; /* its size comes first */
    binding.raw = false;
    *direct = bound_to(provider->runtime, provider, table, &binding, *table);
    direct->all = direct;
    return direct;
}

static void bind_slot(rt_running *running, const rt_plan_binding *binding, const rt_slot *slot,
                      rt_binding *out)
{
    rt_runtime *runtime = running->runtime;
    rt_binding *all = rt_arena_alloc(&runtime->arena, binding->provider_count * sizeof *all);
    uint32_t count = 0;
    for (size_t i = 0; i < binding->provider_count; i++) {
        rt_running *provider = &runtime->instances[binding->providers[i]];
        const void *table = offered(provider, binding);
        if (table)
            all[count++] = bound_to(runtime, provider, table, binding, slot->view_size);
    }
    *out = count ? all[0] : (rt_binding){.table = padded(&runtime->arena, NULL, slot->view_size)};
    out->all = all;
    out->count = count;
}

static bool is_sound(const rt_slot *slot)
{
    return slot->capability && slot->view_size >= 2 * sizeof(uint32_t) &&
           slot->view_size <= VIEW_LIMIT;
}

bool rt_bind(rt_running *running)
{
    const rt_module_descriptor *descriptor = running->descriptor;
    size_t most = (size_t)(descriptor->slots_end - descriptor->slots);
    rt_binding *bindings = rt_arena_alloc(&running->runtime->arena, most * sizeof *bindings);
    for (rt_slot *const *slot = descriptor->slots; slot < descriptor->slots_end; slot++) {
        if (!*slot)
            continue;
        if (!is_sound(*slot))
            return rt_problem(running, RT_D_DESCRIPTOR_MISMATCH, "one of its handles is damaged");
        const rt_plan_binding *binding = planned(running, *slot);
        if (!binding)
            return rt_problem(running, RT_D_DESCRIPTOR_MISMATCH,
                              "its manifest does not require `%s/%u`", (*slot)->capability,
                              (*slot)->major);
        bind_slot(running, binding, *slot, &bindings[(*slot)->index]);
    }
    running->instance.bindings = bindings;
    return true;
}
