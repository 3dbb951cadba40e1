#include "http/router.h"
#include "process/runtime.h"

#include <string.h>

#define TABLE_SIZE_LIMIT 65536u
#define FORM_LIMIT 4096u /* methods */

bool rt_capability_is(const char *spelled_in_c, const char *name)
{
    for (; *spelled_in_c && *name; spelled_in_c++, name++)
        if (*spelled_in_c != *name && !(*spelled_in_c == '_' && *name == '-'))
            return false;
    return *spelled_in_c == *name;
}

int rt_registry_refuse(rt_registry *registry, int code, enum rt_diagnostic_id id,
                       const char *format, ...)
{
    rt_buffer text = {0};
    va_list arguments;
    va_start(arguments, format);
    rt_buffer_vformat(&text, format, arguments);
    va_end(arguments);
    if (!registry->failed)
        rt_problem(registry->running, id, "%s", text.data);
    registry->failed = true;
    rt_host_fail(registry->ctx, code, "%s", text.data);
    rt_buffer_free(&text);
    return -code;
}

static bool is_over(const rt_registry *registry)
{
    return !registry || !registry->ctx;
}

/* An index, or -1: it did not declare that. */
static int offered(const rt_running *running, const char *capability, uint32_t major)
{
    const rt_plan_instance *plan = running->plan;
    for (size_t i = 0; i < plan->provides_count; i++)
        if (plan->provides[i].major == major &&
            rt_capability_is(capability, plan->provides[i].capability))
            return (int)i;
    return -1;
}

int rt_host_provide_form(rt_registry *registry, const char *capability, uint32_t major,
                         const void *table, const rt_form *form)
{
    RT_TRY(rt_host_provide(registry, capability, major, table));
    rt_running *running = registry->running;
    if (form && (form->size < sizeof *form || form->count > FORM_LIMIT || !form->methods))
        return rt_registry_refuse(registry, RT_EINVALID_ARGUMENT, RT_D_REGISTER_FAILED,
                                  "it says nothing sensible of the form of `%s/%u`", capability,
                                  major);
    running->forms[offered(running, capability, major)] = form;
    return 0;
}

int rt_host_provide(rt_registry *registry, const char *capability, uint32_t major,
                    const void *table)
{
    if (is_over(registry))
        return -RT_EFAILED_PRECONDITION;
    if (!capability || !table)
        return rt_registry_refuse(registry, RT_EINVALID_ARGUMENT, RT_D_REGISTER_FAILED,
                                  "it offers a capability without name or table");
    int place = offered(registry->running, capability, major);
    uint32_t size = *(const uint32_t *)table;
    if (place < 0)
        return rt_registry_refuse(registry, RT_EFAILED_PRECONDITION, RT_D_UNDECLARED_KIND,
                                  "it offers `%s/%u` without RT_PROVIDES(%s, %u, …)", capability,
                                  major, capability, major);
    if (registry->running->tables[place])
        return rt_registry_refuse(registry, RT_EALREADY_EXISTS, RT_D_REGISTER_FAILED,
                                  "it offers `%s/%u` twice", capability, major);
    if (size < 2 * sizeof(uint32_t) || size > TABLE_SIZE_LIMIT)
        return rt_registry_refuse(registry, RT_EINVALID_ARGUMENT, RT_D_REGISTER_FAILED,
                                  "its table of `%s/%u` says that it has %u bytes", capability,
                                  major, size);
    registry->running->tables[place] = table;
    return 0;
}

typedef int (*life_function)(rt_ctx *ctx);

static bool merge(life_function *kept, life_function given)
{
    if (!given)
        return true;
    if (*kept && *kept != given)
        return false;
    *kept = given;
    return true;
}

static bool merge_health(rt_lifecycle *kept, const rt_lifecycle *given)
{
    if (!given->health)
        return true;
    if (kept->health && kept->health != given->health)
        return false;
    kept->health = given->health;
    return true;
}

int rt_host_lifecycle(rt_registry *registry, const rt_lifecycle *functions)
{
    if (is_over(registry))
        return -RT_EFAILED_PRECONDITION;
    rt_lifecycle *kept = &registry->running->lifecycle, given = {0};
    if (!functions || functions->size < sizeof functions->size)
        return rt_registry_refuse(registry, RT_EINVALID_ARGUMENT, RT_D_REGISTER_FAILED,
                                  "it gives life-cycle functions without their size");
    memcpy(&given, functions, functions->size < sizeof given ? functions->size : sizeof given);
    if (!merge(&kept->configure, given.configure) || !merge(&kept->start, given.start) ||
        !merge(&kept->stop, given.stop) || !merge_health(kept, &given))
        return rt_registry_refuse(registry, RT_EALREADY_EXISTS, RT_D_REGISTER_FAILED,
                                  "it gives a life-cycle function twice");
    return 0;
}

rt_ctx *rt_host_registry_context(rt_registry *registry)
{
    return registry ? registry->ctx : NULL;
}

static const char *method_name(uint32_t method)
{
    switch (method) {
#define METHOD_NAME(number, name) \
    case number:                  \
        return #name;
        RT_HTTP_METHODS(METHOD_NAME)
#undef METHOD_NAME
    default:
        return NULL;
    }
}

static void enter_route(const rt_running *running, rt_route *route)
{
    rt_board *board = running->runtime->board;
    route->entry = rt_board_enter(board, RT_ENTRY_ROUTE, running->plan->name, running->plan->module,
                                  route->name);
    route->quarantined = rt_board_quarantine(board, route->entry);
}

int rt_host_route(rt_registry *registry, uint32_t method, const char *pattern, rt_handler handler,
                  const rt_route_options *options)
{
    if (is_over(registry))
        return -RT_EFAILED_PRECONDITION;
    rt_running *running = registry->running;
    const char *name = method_name(method), *conflict = NULL;
    if (!name || !pattern || !handler)
        return rt_registry_refuse(registry, RT_EINVALID_ARGUMENT, RT_D_REGISTER_FAILED,
                                  "it gives a route without method, pattern or handler");
    if (!(running->plan->serves & RT_SERVES_ROUTES))
        return rt_registry_refuse(registry, RT_EFAILED_PRECONDITION, RT_D_UNDECLARED_KIND,
                                  "it has the route `%s %s` without RT_SERVES(routes)", name,
                                  pattern);
    int result =
        rt_router_add(running->runtime->router, &running->instance, running->plan->stack_size,
                      method, pattern, handler, options, &conflict);
    if (result == -RT_EALREADY_EXISTS)
        return rt_registry_refuse(registry, RT_EALREADY_EXISTS, RT_D_ROUTE_CONFLICT,
                                  "`%s %s` belongs to `%s`", name, pattern,
                                  conflict ? conflict : "another");
    if (result < 0)
        return rt_registry_refuse(registry, -result, RT_D_REGISTER_FAILED,
                                  "the route `%s %s` is malformed", name, pattern);
    enter_route(running, rt_router_newest(running->runtime->router));
    return 0;
}
