#include "fiber/internal.h"

#include <stdlib.h>
#include <string.h>

static void service_ended(rt_ctx *ctx, const rt_exit *exit, void *name)
{
    rt_report(ctx, name, exit);
    free(name);
}

static uint32_t entry_of(const rt_instance *instance, const char *name)
{
    const rt_loop *loop = &rt_the_loop;
    return loop->service_entry ? loop->service_entry(loop->service_entry_argument, instance, name)
                               : 0;
}

int rt_host_service(rt_ctx *ctx, const char *name, rt_work work, void *argument)
{
    rt_unit *starter = rt_unit_of(ctx);
    char *own_name = strdup(name);
    if (!own_name)
        return rt_host_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no memory for service `%s`", name);
    rt_unit_options options = {.instance = ctx->instance,
                               .name = own_name,
                               .stack_size = (uint32_t)starter->stack_size,
                               .entry = entry_of(ctx->instance, name),
                               .done = service_ended,
                               .done_argument = own_name};
    rt_unit_start(&options, work, argument);
    return 0;
}

/* Those that the caller belongs to are left alone: they would wait for themselves. */
static bool cancel_roots(rt_instance *instance, const rt_unit *caller)
{
    rt_list *roots = &rt_the_loop.roots;
    bool any = false;
    for (rt_list *link = roots->next; link != roots; link = link->next) {
        rt_unit *root = RT_ENTRY(link, rt_unit, sibling);
        if (root->home != instance || root == caller->root)
            continue;
        any = true;
        rt_unit_cancel(&root->context);
    }
    return any;
}

int rt_units_stop(rt_ctx *ctx, rt_instance *instance)
{
    rt_unit *unit = rt_unit_of(ctx);
    RT_TRY(rt_wait_own(unit));
    while (cancel_roots(instance, unit)) {
        rt_waiter waiter = {.what = "services", .interrupt = rt_waiter_leave};
        RT_TRY(rt_wait_check(unit));
        rt_list_append(&rt_the_loop.root_waiters, &waiter.link);
        RT_TRY(rt_wait(unit, &waiter, 0, 0));
    }
    return 0;
}
