#include "process/runtime.h"

#include "process/slice.h"
#include "telemetry/log.h"

#include <string.h>

static void init_instance(rt_runtime *runtime, rt_running *running, const rt_plan_instance *plan)
{
    running->runtime = runtime;
    running->plan = plan;
    running->registry.running = running;
    running->tables =
        rt_arena_alloc(&runtime->arena, plan->provides_count * sizeof *running->tables);
    running->forms = rt_arena_alloc(&runtime->arena, plan->provides_count * sizeof *running->forms);
    running->direct =
        rt_arena_alloc(&runtime->arena, plan->provides_count * sizeof *running->direct);
    running->policies =
        rt_arena_alloc(&runtime->arena, plan->provides_count * sizeof *running->policies);
    running->instance = (rt_instance){.magic = RT_INSTANCE_MAGIC,
                                      .size = sizeof(rt_instance),
                                      .name = plan->name,
                                      .module = plan->module,
                                      .version = plan->version};
    for (size_t i = 0; i < plan->provides_count; i++)
        running->policies[i] =
            rt_policies_new(&runtime->arena, plan->provides[i].capability, &running->instance,
                            plan->provides[i].effects, plan->provides[i].effect_count,
                            runtime->plan->host.telemetry.metrics);
}

void rt_runtime_init(rt_runtime *runtime, const rt_plan *plan, const rt_watch *watch)
{
    *runtime = (rt_runtime){.plan = plan, .watch = *watch, .router = rt_router_new()};
    rt_arena_init(&runtime->arena);
    runtime->instances =
        rt_arena_alloc(&runtime->arena, plan->instance_count * sizeof *runtime->instances);
    for (size_t i = 0; i < plan->instance_count; i++)
        init_instance(runtime, &runtime->instances[i], &plan->instances[i]);
}

void rt_runtime_free(rt_runtime *runtime)
{
    rt_router_free(runtime->router);
    rt_arena_free(&runtime->arena);
}

bool rt_problem(const rt_running *running, enum rt_diagnostic_id id, const char *format, ...)
{
    rt_buffer text = {0};
    va_list arguments;
    va_start(arguments, format);
    rt_buffer_text(&text, "");
    rt_buffer_vformat(&text, format, arguments);
    va_end(arguments);
    running->runtime->watch.problem(running->runtime->watch.argument, running, id, text.data);
    rt_buffer_free(&text);
    return false;
}

static bool is_told(const rt_running *running)
{
    return running->registry.failed || running->slice_told;
}

bool rt_run_phase(rt_ctx *ctx, rt_running *running, rt_phase phase, rt_phase_function function,
                  enum rt_diagnostic_id id)
{
    rt_runtime *runtime = running->runtime;
    const char *error;
    if (runtime->stopping)
        return rt_problem(running, id, "the runtime stops");
    runtime->current = rt_phase_start(running, phase, function, runtime->plan->host.start_timeout);
    int result = rt_phase_wait(ctx, runtime->current, &error);
    if (result < 0 && !is_told(running))
        rt_problem(running, id, "%s", error ? error : rt_code_name(result));
    rt_phase_release(runtime->current);
    runtime->current = NULL;
    return result >= 0 && !running->registry.failed;
}

static int register_itself(rt_ctx *ctx)
{
    rt_running *running = (rt_running *)ctx->instance;
    running->registry.ctx = ctx;
    return running->descriptor->register_module(&running->registry);
}

static bool all_offered(const rt_running *running)
{
    const rt_plan_instance *plan = running->plan;
    for (size_t i = 0; i < plan->provides_count; i++)
        if (!running->tables[i])
            return rt_problem(running, RT_D_NOT_REGISTERED, "`%s/%u` has no rt_provide",
                              plan->provides[i].capability, plan->provides[i].major);
    return true;
}

static bool has_its_slice(const rt_running *running)
{
    return !running->plan->slice || running->slice ||
           rt_problem(running, RT_D_NOT_REGISTERED, "slice `%s` has no rt_slice_register",
                      running->plan->slice);
}

static void choose_effects(rt_running *running)
{
    running->starts_late =
        running->plan->lazy && !running->plan->serves && running->lifecycle.start;
}

bool rt_register(rt_ctx *ctx, rt_running *running)
{
    if (!rt_bind(running))
        return false;
    bool fine =
        rt_run_phase(ctx, running, RT_PHASE_REGISTER, register_itself, RT_D_REGISTER_FAILED);
    running->registry.ctx = NULL;
    if (!fine || !all_offered(running) || !has_its_slice(running))
        return false;
    choose_effects(running);
    running->registered = true;
    return true;
}

bool rt_configure(rt_ctx *ctx, rt_running *running)
{
    return !running->lifecycle.configure ||
           rt_run_phase(ctx, running, RT_PHASE_CONFIGURE, running->lifecycle.configure,
                        RT_D_CONFIGURE_FAILED);
}

bool rt_start(rt_ctx *ctx, rt_running *running)
{
    if (!rt_slice_open(ctx, running))
        return false;
    if (running->starts_late)
        return true;
    running->started =
        !running->lifecycle.start ||
        rt_run_phase(ctx, running, RT_PHASE_START, running->lifecycle.start, RT_D_START_FAILED);
    return running->started;
}

static void run_stop(rt_ctx *ctx, rt_running *running)
{
    const char *error;
    rt_phase_run *run = rt_phase_start(running, RT_PHASE_STOP, running->lifecycle.stop,
                                       running->runtime->plan->host.finalizer_timeout);
    int result = rt_phase_wait(ctx, run, &error);
    if (result < 0)
        rt_log_host(RT_LOG_WARN, "module `%s` failed to stop: %s", running->plan->name,
                    error ? error : rt_code_name(result));
    rt_phase_release(run);
}

void rt_stop(rt_ctx *ctx, rt_running *running)
{
    rt_lazy_settle(ctx, running);
    rt_units_stop(ctx, &running->instance); /* a failed registration may have left some, too */
    if (running->started && running->lifecycle.stop) {
        run_stop(ctx, running);
        rt_units_stop(ctx, &running->instance);
    }
    running->started = false;
}

void rt_runtime_interrupt(rt_runtime *runtime)
{
    runtime->stopping = true;
    if (runtime->current)
        rt_phase_cancel(runtime->current);
}
