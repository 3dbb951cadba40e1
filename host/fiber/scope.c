#include "fiber/internal.h"

#define TASK_MAGIC 0x6b736174u /* "task" */

struct rt_task {
    uint32_t magic;
    bool ended, joined;
    int result;
    rt_unit *parent;
    const rt_error *error;
    rt_waiter *joiner;
};

/* --- cancellation ---------------------------------------------------------------------------- */

/* True if its children are to be cancelled as well. Those of a finalizer are shielded like it. */
static bool cancel_one(rt_unit *unit)
{
    if (unit->cancelled)
        return false;
    unit->cancelled = true;
    if (unit->shielded)
        return false;
    if (unit->waiter && unit->waiter->interrupt)
        unit->waiter->interrupt(unit->waiter, -RT_ECANCELED);
    return true;
}

rt_unit *rt_unit_next(rt_unit *unit, const rt_unit *top, bool below)
{
    if (below && !rt_list_empty(&unit->children))
        return RT_ENTRY(unit->children.next, rt_unit, sibling);
    while (unit != top) {
        if (unit->sibling.next != &unit->parent->children)
            return RT_ENTRY(unit->sibling.next, rt_unit, sibling);
        unit = unit->parent;
    }
    return NULL;
}

void rt_unit_cancel(rt_ctx *ctx)
{
    rt_unit *top = rt_unit_of(ctx);
    for (rt_unit *unit = top; unit;)
        unit = rt_unit_next(unit, top, cancel_one(unit));
}

int rt_host_cancelled(const rt_ctx *ctx)
{
    const rt_unit *unit = rt_unit_of(ctx);
    return unit->cancelled && !unit->shielded;
}

void rt_children_cancel(rt_unit *unit)
{
    for (rt_list *link = unit->children.next; link != &unit->children; link = link->next)
        rt_unit_cancel(&RT_ENTRY(link, rt_unit, sibling)->context);
}

/* --- children -------------------------------------------------------------------------------- */

void rt_children_await(rt_unit *unit)
{
    while (!rt_list_empty(&unit->children)) {
        rt_waiter waiter = {.what = "children"};
        unit->children_waiter = &waiter;
        rt_wait(unit, &waiter, 0, 0);
    }
}

void rt_child_leaves(rt_unit *unit)
{
    rt_unit *parent = unit->parent;
    rt_list_remove(&unit->sibling);
    if (!parent) {
        rt_wake_all(&rt_the_loop.root_waiters, 0);
        return;
    }
    if (!parent->children_waiter || !rt_list_empty(&parent->children))
        return;
    rt_wake(parent->children_waiter, 0);
    parent->children_waiter = NULL;
}

static void task_ended(rt_ctx *ctx, const rt_exit *exit, void *argument);

/* A nested rt_run is no task: it is the parent's own work. */
bool rt_unit_is_task(const rt_unit *unit)
{
    return unit->done == task_ended;
}

static void fail_scope(rt_unit *parent, rt_task *task)
{
    parent->failed = task;
    for (rt_list *link = parent->children.next; link != &parent->children; link = link->next) {
        rt_unit *sibling = RT_ENTRY(link, rt_unit, sibling);
        if (rt_unit_is_task(sibling))
            rt_unit_cancel(&sibling->context);
    }
}

static void task_ended(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    rt_task *task = argument;
    rt_unit *parent = task->parent;
    (void)ctx;
    task->ended = true;
    task->result = exit->result;
    if (exit->result < 0) {
        task->error = rt_error_copy(&parent->arena, exit->error);
        if (!parent->failed)
            fail_scope(parent, task);
    }
    if (task->joiner)
        rt_wake(task->joiner, 0);
    task->joiner = NULL;
}

rt_task *rt_host_spawn(rt_ctx *ctx, rt_work work, void *argument)
{
    rt_unit *parent = rt_unit_of(ctx);
    rt_task *task = RT_NEW(&parent->arena, rt_task);
    *task = (rt_task){.magic = TASK_MAGIC, .parent = parent};
    rt_unit_options options = {.instance = ctx->instance,
                               .name = parent->name,
                               .stack_size = (uint32_t)parent->stack_size,
                               .done = task_ended,
                               .done_argument = task};
    rt_unit_launch(parent, &options, work, argument);
    return task;
}

struct joiner {
    rt_waiter waiter;
    rt_task *task;
};

static void stop_joining(rt_waiter *waiter, int reason)
{
    RT_ENTRY(waiter, struct joiner, waiter)->task->joiner = NULL;
    rt_wake(waiter, reason);
}

int rt_host_join(rt_ctx *ctx, rt_task *task)
{
    rt_unit *unit = rt_unit_of(ctx);
    if (!task || task->magic != TASK_MAGIC)
        rt_misuse("`rt_join` was given a task that is none");
    RT_TRY(rt_wait_check(unit));
    if (task->joined || task->joiner)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "a task is joined once");
    if (!task->ended) {
        struct joiner joiner = {.waiter = {.what = "a task", .interrupt = stop_joining},
                                .task = task};
        task->joiner = &joiner.waiter;
        RT_TRY(rt_wait(unit, &joiner.waiter, 0, 0));
    }
    task->joined = true;
    if (task->result < 0)
        unit->error = task->error;
    return task->result;
}

/* --- the end of a unit ----------------------------------------------------------------------- */

static bool is_interruption(const rt_unit *unit)
{
    if (unit->result == -RT_ECANCELED)
        return unit->cancelled;
    return unit->result == -RT_EDEADLINE && unit->deadline && rt_host_now() >= unit->deadline;
}

/* A child's failure counts where the body succeeded, and where the body only reports the
 * cancellation of siblings that followed from it. */
static void settle(rt_unit *unit)
{
    const rt_task *failed = unit->failed;
    bool consequence = unit->result == -RT_ECANCELED && !unit->cancelled;
    if (failed && !unit->defect && (unit->result >= 0 || consequence)) {
        unit->result = failed->result;
        unit->error = failed->error;
    }
    if (unit->defect)
        unit->kind = RT_EXIT_DEFECT;
    else if (unit->result >= 0)
        unit->kind = RT_EXIT_SUCCESS;
    else
        unit->kind = is_interruption(unit) ? RT_EXIT_INTERRUPTION : RT_EXIT_FAILURE;
    if (unit->kind != RT_EXIT_SUCCESS)
        unit->error = rt_error_for(unit, unit->result);
    unit->exit_error = unit->kind == RT_EXIT_SUCCESS ? NULL : unit->error;
}

void rt_finalizer_failed(rt_unit *unit, int code, const char *message)
{
    rt_error *error = RT_NEW(&unit->arena, rt_error);
    *error = (rt_error){
        .size = sizeof *error, .code = code, .message = message, .cause = unit->finalizer_error};
    unit->finalizer_error = error;
}

static void run_finalizer(rt_unit *unit)
{
    rt_finalizer *finalizer = unit->finalizers;
    unit->finalizers = finalizer->older;
    unit->shield_deadline = 0;
    unit->context.instance = finalizer->instance;
    finalizer->run(&unit->context, finalizer->argument);
    rt_children_await(unit);
    if (unit->shield_deadline && rt_host_now() >= unit->shield_deadline)
        rt_finalizer_failed(unit, RT_EDEADLINE, "a finalizer ran out of time");
}

void rt_unit_finish(rt_unit *unit)
{
    unit->limit = 0; /* it may have died in the middle of an attempt */
    if (!unit->shielded) {
        if (unit->result < 0)
            rt_children_cancel(unit);
        rt_children_await(unit);
        settle(unit);
        unit->shielded = true;
    }
    while (unit->finalizers)
        run_finalizer(unit);
    while (rt_open_abandon(&unit->context))
        ;
}

int rt_host_defer(rt_ctx *ctx, void (*run)(rt_ctx *, void *), void *argument)
{
    rt_unit *unit = rt_unit_of(ctx);
    rt_finalizer *finalizer = RT_NEW(&unit->arena, rt_finalizer);
    *finalizer = (rt_finalizer){unit->finalizers, ctx->instance, run, argument};
    unit->finalizers = finalizer;
    return 0;
}

void rt_unit_exit(const rt_ctx *ctx, rt_exit *exit)
{
    const rt_unit *unit = rt_unit_of(ctx);
    *exit = (rt_exit){.size = sizeof *exit,
                      .kind = unit->kind,
                      .result = unit->result,
                      .error = unit->exit_error,
                      .defect = unit->defect,
                      .finalizer_error = unit->finalizer_error};
}

void rt_exit_copy(rt_arena *arena, rt_exit *to, const rt_exit *from)
{
    *to = *from;
    to->error = rt_error_copy(arena, from->error);
    to->defect = rt_arena_copy(arena, from->defect);
    to->finalizer_error = rt_error_copy(arena, from->finalizer_error);
}
