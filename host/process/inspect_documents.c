/* Documents of what only a running worker knows. */
#include "http/router.h"
#include "process/inspect.h"

#include <string.h>
#include <unistd.h>

static void put_text(rt_buffer *out, const char *lead, const char *text)
{
    rt_buffer_text(out, lead);
    rt_buffer_quote(out, text);
}

/* --- routes ---------------------------------------------------------------------------------- */

static void put_route(void *argument, const rt_route *route)
{
    rt_buffer *out = argument;
    rt_buffer_text(out, out->length > 1 ? ",\n" : "\n");
    put_text(out, "{\"method\":", rt_http_method_name(route->method));
    put_text(out, ",\"path\":", route->pattern);
    put_text(out, ",\"module\":", route->instance ? route->instance->name : NULL);
    rt_buffer_format(out, ",\"timeout\":%llu,\"max_body\":%llu,\"streams\":%s}",
                     (unsigned long long)route->timeout, (unsigned long long)route->max_body,
                     route->streams ? "true" : "false");
}

void rt_inspect_routes(rt_buffer *out, const rt_runtime *runtime)
{
    rt_buffer_char(out, '[');
    rt_router_each(runtime->router, put_route, out);
    rt_buffer_text(out, "\n]");
}

/* --- effects --------------------------------------------------------------------------------- */

static void put_call(rt_buffer *out, const rt_plan_instance *consumer,
                     const rt_plan_binding *planned, const rt_binding *bound)
{
    rt_buffer_text(out, out->length > 1 ? ",\n" : "\n");
    put_text(out, "{\"consumer\":", consumer->name);
    put_text(out, ",\"capability\":", planned->capability);
    rt_buffer_format(out, ",\"major\":%u", planned->major);
    put_text(out, ",\"provider\":", bound->instance->name);
    rt_buffer_format(out, ",\"raw\":%s", planned->raw ? "true" : "false");
}

/* What the plan has the calls of one method bear; nothing where it says nothing. */
static void put_policy(rt_buffer *out, const rt_binding *bound, const rt_plan_binding *planned,
                       uint32_t method)
{
    const rt_plan_instance *provider = ((const rt_running *)bound->instance)->plan;
    for (size_t i = 0; i < provider->provides_count; i++) {
        const rt_plan_provides *offer = &provider->provides[i];
        rt_buffer text = {0};
        if (offer->major != planned->major || strcmp(offer->capability, planned->capability) != 0 ||
            method >= offer->effect_count)
            continue;
        rt_effect_print(&text, &offer->effects[method]);
        put_text(out, ",\"policy\":", text.length ? text.data : NULL);
        rt_buffer_free(&text);
    }
}

/* A line for each method that was called, or one for all if none was. */
static void put_effects(rt_buffer *out, const rt_plan_instance *consumer,
                        const rt_plan_binding *planned, const rt_binding *bound)
{
    const struct rt_effects *effects = bound->effects;
    rt_operation_counts counts;
    bool called = false;
    for (uint32_t i = 0; effects && i < effects->operation_count; i++) {
        if (!rt_operation_counted(&effects->operations[i], &counts))
            continue;
        called = true;
        put_call(out, consumer, planned, bound);
        put_text(out, ",\"method\":", effects->operations[i].name);
        put_policy(out, bound, planned, i);
        rt_buffer_format(out, ",\"succeeded\":%llu,\"failed\":%llu,\"seconds\":%.9f}",
                         (unsigned long long)counts.succeeded, (unsigned long long)counts.failed,
                         counts.seconds);
    }
    if (!called) {
        put_call(out, consumer, planned, bound);
        rt_buffer_char(out, '}');
    }
}

static void put_slot(rt_buffer *out, const rt_running *consumer, const rt_slot *slot)
{
    const rt_binding *bound = &consumer->instance.bindings[slot->index];
    for (size_t i = 0; i < consumer->plan->binding_count; i++) {
        const rt_plan_binding *planned = &consumer->plan->bindings[i];
        if (planned->major != slot->major ||
            !rt_capability_is(slot->capability, planned->capability))
            continue;
        for (uint32_t k = 0; k < bound->count; k++)
            put_effects(out, consumer->plan, planned, &bound->all[k]);
    }
}

void rt_inspect_effects(rt_buffer *out, const rt_runtime *runtime)
{
    rt_buffer_char(out, '[');
    for (size_t i = 0; i < runtime->plan->instance_count; i++) {
        const rt_running *consumer = &runtime->instances[i];
        if (!consumer->registered)
            continue;
        for (rt_slot *const *slot = consumer->descriptor->slots;
             slot < consumer->descriptor->slots_end; slot++)
            if (*slot)
                put_slot(out, consumer, *slot);
    }
    rt_buffer_text(out, "\n]");
}

/* --- health and the process ------------------------------------------------------------------ */

void rt_inspect_health(rt_buffer *out, const rt_runtime *runtime, const rt_health_watch *health)
{
    const rt_plan *plan = runtime->plan;
    rt_buffer_char(out, '[');
    for (size_t i = 0; i < plan->instance_count; i++) {
        const char *reason = NULL;
        rt_module_health condition =
            health->report ? rt_health_report_get(health->report, i, &reason) : RT_MODULE_UNKNOWN;
        put_text(out, i ? ",\n{\"module\":" : "\n{\"module\":", plan->instances[i].name);
        put_text(out, ",\"condition\":", rt_module_health_names[condition]);
        put_text(out, ",\"reason\":", reason);
        rt_buffer_char(out, '}');
    }
    rt_buffer_text(out, "\n]");
}

void rt_inspect_process(rt_buffer *out, const rt_runtime *runtime)
{
    put_text(out, "{\"name\":", runtime->plan->host.name);
    put_text(out, ",\"version\":", RT_VERSION);
    put_text(out, ",\"environment\":", rt_environment_names[runtime->plan->environment]);
    rt_buffer_format(out, ",\"abi\":\"%u.%u\",\"pid\":%d", RT_ABI_MAJOR, RT_ABI_MINOR,
                     (int)getpid());
    rt_buffer_format(out, ",\"modules\":%zu}", runtime->plan->instance_count);
}
