#include "process/runtime.h"

/* Takes note of how the start under way ended, if it has. */
static void settle(rt_running *running, int result)
{
    rt_phase_run *run = running->starting;
    running->starting = NULL;
    rt_phase_release(run);
    running->started = result >= 0;
}

static int wait_for_start(rt_ctx *ctx, rt_running *running)
{
    const char *error;
    rt_phase_run *run = rt_phase_hold(running->starting);
    int result = rt_phase_wait(ctx, run, &error);
    bool over = result >= 0 || error;
    if (over && running->starting == run)
        settle(running, result);
    if (error)
        rt_host_fail(ctx, -result, "`%s` did not start: %s", running->plan->name, error);
    rt_phase_release(run);
    return result;
}

/* Called for every use; cheap once the start has succeeded. The start is a unit of work of its own:
 * it goes on when the user that caused it is cancelled, and others wait for the same one. */
int rt_lazy_start(rt_ctx *ctx, void *argument)
{
    rt_running *running = argument;
    if (running->started)
        return 0;
    if (running->runtime->stopping)
        return rt_host_fail(ctx, RT_EUNAVAILABLE, "`%s` is not started: the runtime stops",
                            running->plan->name);
    if (!running->starting)
        running->starting = rt_phase_start(running, RT_PHASE_START, running->lifecycle.start,
                                           running->runtime->plan->host.start_timeout);
    return wait_for_start(ctx, running);
}

void rt_lazy_settle(rt_ctx *ctx, rt_running *running)
{
    if (!running->starting)
        return;
    rt_phase_cancel(running->starting);
    wait_for_start(ctx, running);
}
