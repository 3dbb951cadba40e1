/* Documents of what only a running worker knows. */
#include "http/router.h"
#include "process/inspect.h"

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

static void put_effect(rt_buffer *out, const rt_plan *plan, const rt_plan_instance *consumer,
                       const rt_plan_binding *binding)
{
    for (size_t i = 0; i < binding->provider_count; i++) {
        rt_buffer_text(out, out->length > 1 ? ",\n" : "\n");
        put_text(out, "{\"consumer\":", consumer->name);
        put_text(out, ",\"capability\":", binding->capability);
        rt_buffer_format(out, ",\"major\":%u", binding->major);
        put_text(out, ",\"provider\":", plan->instances[binding->providers[i]].name);
        rt_buffer_format(out, ",\"raw\":%s}", binding->raw ? "true" : "false");
    }
}

void rt_inspect_effects(rt_buffer *out, const rt_runtime *runtime)
{
    const rt_plan *plan = runtime->plan;
    rt_buffer_char(out, '[');
    for (size_t i = 0; i < plan->instance_count; i++)
        for (size_t k = 0; k < plan->instances[i].binding_count; k++)
            put_effect(out, plan, &plan->instances[i], &plan->instances[i].bindings[k]);
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
