#include "process/runtime.h"

#include <stdlib.h>
#include <string.h>

struct rt_phase_run {
    rt_running *running;
    rt_phase phase;
    rt_phase_function function;
    int64_t timeout;
    rt_ctx *ctx;       /* while it runs */
    rt_channel *ended; /* closed at its end: that wakes all who wait */
    unsigned holders;  /* the unit of work itself is one */
    bool over;
    int result;
    char *error;
};

rt_phase_run *rt_phase_hold(rt_phase_run *run)
{
    run->holders++;
    return run;
}

void rt_phase_release(rt_phase_run *run)
{
    if (--run->holders)
        return;
    rt_host_channel_free(run->ended);
    free(run->error);
    free(run);
}

/* A cause that the error itself quotes is not said again. */
static const char *cause_of(const rt_error *error)
{
    const char *cause =
        error->cause && error->cause != error && error->cause->message ? error->cause->message : "";
    return error->message && strstr(error->message, cause) ? "" : cause;
}

static void describe_error(rt_buffer *text, const rt_error *error)
{
    rt_buffer_text(text, error->message ? error->message : rt_code_name(error->code));
    if (error->detail)
        rt_buffer_format(text, " (%s)", error->detail);
    if (error->hint)
        rt_buffer_format(text, "; %s", error->hint);
    if (*cause_of(error))
        rt_buffer_format(text, ", because %s", cause_of(error));
}

static char *describe(const rt_phase_run *run, const rt_exit *exit)
{
    rt_buffer text = {0};
    rt_buffer_text(&text, "");
    if (exit->kind == RT_EXIT_DEFECT)
        rt_buffer_format(&text, "defect: %s", exit->defect ? exit->defect : "unknown");
    else if (exit->result == -RT_EDEADLINE)
        rt_buffer_format(&text, "it did not end within %.3g s", (double)run->timeout / 1e9);
    else if (exit->error)
        describe_error(&text, exit->error);
    else
        rt_buffer_format(&text, "it returned %s and no message", rt_code_name(exit->result));
    if (exit->result == -RT_EDEADLINE && exit->error && exit->error->message)
        rt_buffer_format(&text, ": %s", exit->error->message);
    return text.data;
}

static void phase_ended(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    rt_phase_run *run = argument;
    (void)ctx;
    run->ctx = NULL;
    run->over = true;
    run->result = exit->result;
    if (exit->result < 0 || exit->kind != RT_EXIT_SUCCESS) {
        run->result = exit->result < 0 ? exit->result : -RT_EINTERNAL;
        run->error = describe(run, exit);
    }
    rt_host_channel_close(run->ended);
    rt_phase_release(run);
}

static int run_function(rt_ctx *ctx, void *argument)
{
    rt_phase_run *run = argument;
    return run->function(ctx);
}

rt_phase_run *rt_phase_start(rt_running *running, rt_phase phase, rt_phase_function function,
                             int64_t timeout)
{
    rt_phase_run *run = rt_xcalloc(1, sizeof *run);
    *run = (rt_phase_run){.running = running,
                          .phase = phase,
                          .function = function,
                          .timeout = timeout,
                          .ended = rt_host_channel_new(0),
                          .holders = 2};
    running->runtime->watch.phase(running->runtime->watch.argument, running, phase);
    rt_unit_options options = {.instance = &running->instance,
                               .name = rt_phase_names[phase],
                               .deadline = rt_host_now() + (uint64_t)timeout,
                               .stack_size = running->plan->stack_size,
                               .entry = rt_board_enter(running->runtime->board, RT_ENTRY_PHASE,
                                                       running->plan->name, running->plan->module,
                                                       rt_phase_names[phase]),
                               .done = phase_ended,
                               .done_argument = run};
    rt_ctx *ctx = rt_unit_start(&options, run_function, run);
    if (!run->over)
        run->ctx = ctx;
    return run;
}

int rt_phase_wait(rt_ctx *ctx, rt_phase_run *run, const char **error)
{
    void *item;
    *error = NULL;
    if (!run->over) {
        int result = rt_host_channel_receive(ctx, run->ended, &item);
        if (!run->over)
            return result < 0 ? result : -RT_EINTERNAL;
    }
    *error = run->error;
    return run->result;
}

void rt_phase_cancel(rt_phase_run *run)
{
    if (run->ctx)
        rt_unit_cancel(run->ctx);
}
