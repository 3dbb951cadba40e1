/* Which provider and method a name stands for, and what can be said of them. */
#include "process/call.h"

#include "base/suggest.h"

#include <string.h>

/* A capability's name out of "email.send", as far as the last point. */
struct wanted {
    char capability[128];
    const char *method;
};

typedef struct candidate {
    rt_running *provider;
    size_t provides;
} candidate;

static bool split(const char *name, struct wanted *wanted)
{
    const char *point = strrchr(name, '.');
    size_t length = (size_t)(point - name);
    if (length >= sizeof wanted->capability)
        return false;
    memcpy(wanted->capability, name, length);
    wanted->capability[length] = '\0';
    wanted->method = point + 1;
    return true;
}

/* Goes through the providers of a capability, in plan order; begins with a zeroed candidate. */
static bool next_provider(rt_runtime *runtime, const char *capability, candidate *at)
{
    size_t i = at->provider ? (size_t)(at->provider - runtime->instances) : 0;
    size_t k = at->provider ? at->provides + 1 : 0;
    for (; i < runtime->plan->instance_count; i++, k = 0) {
        rt_running *running = &runtime->instances[i];
        for (; k < running->plan->provides_count; k++) {
            if (!rt_capability_is(capability, running->plan->provides[k].capability))
                continue;
            *at = (candidate){running, k};
            return true;
        }
    }
    return false;
}

/* --- complaints ------------------------------------------------------------------------------ */

static void suggest(rt_buffer *why, const rt_suggestion *suggestion)
{
    if (suggestion->nearest)
        rt_buffer_format(why, "; did you mean `%s`?", suggestion->nearest);
    rt_buffer_text(why, "\nhint: `rtctl call --list` lists what can be called\n");
}

static int no_capability(rt_runtime *runtime, const struct wanted *wanted, rt_buffer *why)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, wanted->capability);
    for (size_t i = 0; i < runtime->plan->instance_count; i++)
        for (size_t k = 0; k < runtime->plan->instances[i].provides_count; k++)
            rt_suggest(&suggestion, runtime->plan->instances[i].provides[k].capability);
    rt_buffer_format(why, "NOT_FOUND: nothing provides `%s`", wanted->capability);
    suggest(why, &suggestion);
    return RT_ENOT_FOUND;
}

static void add_providers(rt_runtime *runtime, const char *capability, rt_buffer *why)
{
    const char *between = "";
    for (candidate at = {0}; next_provider(runtime, capability, &at); between = ", ")
        rt_buffer_format(why, "%s`%s`", between, at.provider->plan->name);
}

static int no_instance(rt_runtime *runtime, const struct wanted *wanted, const char *instance,
                       rt_buffer *why)
{
    rt_buffer_format(why, "NOT_FOUND: `%s` does not provide `%s`\nhint: these do: ", instance,
                     wanted->capability);
    add_providers(runtime, wanted->capability, why);
    rt_buffer_char(why, '\n');
    return RT_ENOT_FOUND;
}

static int ambiguous(rt_runtime *runtime, const struct wanted *wanted, rt_buffer *why)
{
    rt_buffer_format(why,
                     "FAILED_PRECONDITION: consumers of `%s` are bound to different providers\n"
                     "hint: choose with `--instance`: ",
                     wanted->capability);
    add_providers(runtime, wanted->capability, why);
    rt_buffer_char(why, '\n');
    return RT_EFAILED_PRECONDITION;
}

static int no_forms(const rt_running *provider, rt_buffer *why)
{
    rt_buffer_format(
        why,
        "UNIMPLEMENTED: `%s` does not say what JSON its methods take: it was built for "
        "ABI %u.%u\nhint: build it with the SDK of ABI %u.%u\n",
        provider->plan->name, provider->descriptor->abi_major, provider->descriptor->abi_minor,
        RT_ABI_MAJOR, RT_ABI_MINOR);
    return RT_EUNIMPLEMENTED;
}

static int no_method(const rt_form *form, const struct wanted *wanted, rt_buffer *why)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, wanted->method);
    for (uint32_t i = 0; i < form->count; i++)
        rt_suggest(&suggestion, form->methods[i].name);
    rt_buffer_format(why, "NOT_FOUND: `%s` has no method `%s`", wanted->capability, wanted->method);
    suggest(why, &suggestion);
    return RT_ENOT_FOUND;
}

/* --- choosing -------------------------------------------------------------------------------- */

static bool is_named(rt_runtime *runtime, const struct wanted *wanted, const char *instance,
                     candidate *chosen)
{
    for (candidate at = {0}; next_provider(runtime, wanted->capability, &at);) {
        if (strcmp(at.provider->plan->name, instance) != 0)
            continue;
        *chosen = at;
        return true;
    }
    return false;
}

static bool provides(const rt_running *provider, const rt_plan_binding *binding, size_t *index)
{
    for (size_t i = 0; i < provider->plan->provides_count; i++) {
        const rt_plan_provides *offer = &provider->plan->provides[i];
        *index = i;
        if (offer->major == binding->major && strcmp(offer->capability, binding->capability) == 0)
            return true;
    }
    return false;
}

/* The provider that consumers are bound to; `*several` if they do not agree. */
static bool bound(rt_runtime *runtime, const struct wanted *wanted, candidate *chosen,
                  bool *several)
{
    for (size_t i = 0; i < runtime->plan->instance_count; i++) {
        const rt_plan_instance *consumer = &runtime->plan->instances[i];
        for (size_t k = 0; k < consumer->binding_count; k++) {
            const rt_plan_binding *binding = &consumer->bindings[k];
            candidate at = {0};
            if (!binding->provider_count ||
                !rt_capability_is(wanted->capability, binding->capability))
                continue;
            at.provider = &runtime->instances[binding->providers[0]];
            if (!provides(at.provider, binding, &at.provides))
                continue;
            *several |= chosen->provider &&
                        (chosen->provider != at.provider || chosen->provides != at.provides);
            *chosen = at;
        }
    }
    return chosen->provider;
}

/* As composition would choose by tier; the lower the better. */
static unsigned rank(const rt_runtime *runtime, const candidate *at)
{
    rt_tier tier = at->provider->plan->provides[at->provides].tier;
    if (tier != RT_TIER_TEST)
        return 1 + (unsigned)tier;
    return runtime->plan->environment == RT_TEST ? 0 : 3;
}

static bool preferred(rt_runtime *runtime, const struct wanted *wanted, candidate *chosen)
{
    for (candidate at = {0}; next_provider(runtime, wanted->capability, &at);)
        if (!chosen->provider || rank(runtime, &at) < rank(runtime, chosen))
            *chosen = at;
    return chosen->provider;
}

static int choose_provider(rt_runtime *runtime, const struct wanted *wanted, const char *instance,
                           candidate *chosen, rt_buffer *why)
{
    candidate any = {0};
    bool several = false;
    if (!next_provider(runtime, wanted->capability, &any))
        return no_capability(runtime, wanted, why);
    if (instance)
        return is_named(runtime, wanted, instance, chosen)
                   ? 0
                   : no_instance(runtime, wanted, instance, why);
    if (!bound(runtime, wanted, chosen, &several))
        preferred(runtime, wanted, chosen);
    return several ? ambiguous(runtime, wanted, why) : 0;
}

int rt_call_choose(rt_runtime *runtime, const rt_call_request *request, rt_called *called,
                   rt_buffer *why)
{
    struct wanted wanted;
    candidate chosen = {0};
    if (!split(request->name, &wanted)) {
        rt_buffer_text(why, "NOT_FOUND: no capability has a name that long\n");
        return RT_ENOT_FOUND;
    }
    int code = choose_provider(runtime, &wanted, request->instance, &chosen, why);
    if (code)
        return code;
    const rt_form *form = chosen.provider->forms[chosen.provides];
    if (!form)
        return no_forms(chosen.provider, why);
    const rt_form_method *method = rt_form_find(form, wanted.method);
    if (!method)
        return no_method(form, &wanted, why);
    *called = (rt_called){chosen.provider, chosen.provides, method};
    return 0;
}

/* --- showing --------------------------------------------------------------------------------- */

static void list_form(const rt_plan_instance *plan, const rt_plan_provides *offer,
                      const rt_form *form, rt_buffer *out)
{
    for (uint32_t i = 0; i < form->count; i++) {
        rt_buffer line = {0};
        rt_buffer_format(&line, "%s.", offer->capability);
        rt_form_summary(&form->methods[i], &line);
        rt_buffer_format(out, "%-20s %s%s\n", plan->name, line.data,
                         rt_form_obstacle(&form->methods[i]) ? "   (not with JSON)" : "");
        rt_buffer_free(&line);
    }
}

void rt_call_list(const rt_runtime *runtime, rt_buffer *out)
{
    for (size_t i = 0; i < runtime->plan->instance_count; i++) {
        const rt_running *running = &runtime->instances[i];
        const rt_plan_instance *plan = running->plan;
        for (size_t k = 0; k < plan->provides_count; k++) {
            if (running->forms[k])
                list_form(plan, &plan->provides[k], running->forms[k], out);
            else
                rt_buffer_format(out, "%-20s %s   (built for ABI %u.%u: not with JSON)\n",
                                 plan->name, plan->provides[k].capability,
                                 running->descriptor->abi_major, running->descriptor->abi_minor);
        }
    }
}

void rt_call_describe(const rt_called *called, rt_buffer *out)
{
    const rt_plan_instance *plan = called->provider->plan;
    const char *capability = plan->provides[called->provides].capability;
    const rt_form_method *method = called->method;
    rt_buffer_format(out, "%s.%s of `%s`%s%s\n", capability, method->name, plan->name,
                     method->flags & RT_WAITS ? ", may wait" : "",
                     method->flags & RT_IDEMPOTENT ? ", may be repeated" : "");
    rt_form_explain(method, out);
    if (rt_form_obstacle(method)) {
        rt_buffer_text(out, "cannot be called with JSON\n");
        return;
    }
    rt_buffer_format(out, "example\n  rtctl call %s.%s", capability, method->name);
    if (rt_form_takes_any(method)) {
        rt_buffer_text(out, " '");
        rt_form_example(method, out);
        rt_buffer_char(out, '\'');
    }
    rt_buffer_char(out, '\n');
}
