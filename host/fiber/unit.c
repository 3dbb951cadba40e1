#include "fiber/internal.h"

#include <stdlib.h>
#include <string.h>

#define IDLE_MOST 1024

_Thread_local rt_unit *rt_current_unit;
_Thread_local rt_unit *rt_blocked_unit;

/* --- the pool -------------------------------------------------------------------------------- */

static rt_unit *take_unit(void)
{
    rt_unit *unit = rt_the_loop.idle_units;
    if (unit) {
        rt_the_loop.idle_units = unit->next_idle;
        rt_the_loop.idle_count--;
        return unit;
    }
    unit = rt_xcalloc(1, sizeof *unit);
    rt_arena_init(&unit->arena);
    uv_timer_init(&rt_the_loop.uv, &unit->timer);
    return unit;
}

static void free_unit(uv_handle_t *timer)
{
    rt_unit *unit = RT_ENTRY(timer, rt_unit, timer);
    rt_arena_free(&unit->arena);
    free(unit);
}

static void give_unit(rt_unit *unit)
{
    memset(unit, 0, offsetof(rt_unit, arena));
    rt_arena_reset(&unit->arena);
    if (rt_the_loop.idle_count >= IDLE_MOST) {
        uv_close((uv_handle_t *)&unit->timer, free_unit);
        return;
    }
    unit->next_idle = rt_the_loop.idle_units;
    rt_the_loop.idle_units = unit;
    rt_the_loop.idle_count++;
}

void rt_unit_free_idle(void)
{
    for (rt_unit *unit = rt_the_loop.idle_units, *next; unit; unit = next) {
        next = unit->next_idle;
        uv_close((uv_handle_t *)&unit->timer, free_unit);
    }
    rt_the_loop.idle_units = NULL;
    rt_the_loop.idle_count = 0;
}

_Static_assert(offsetof(rt_unit, trace) == offsetof(rt_traced, trace), "rt_trace_of");

/* --- switching ------------------------------------------------------------------------------- */

#if RT_SANITIZED
unsigned long ERR_peek_error(void) __attribute__((weak));
void rt_check_left_behind(void)
{
    if (ERR_peek_error && ERR_peek_error())
        rt_misuse("a fiber waits with errors in OpenSSL's queue");
}
#endif

static _Noreturn void leave_for_good(rt_unit *unit)
{
    rt_shadow_leave(&unit->shadow, true);
    jump_fcontext(unit->back, unit);
    rt_misuse("a unit of work was resumed after its end");
}

/* The first frame of every fiber. */
static void run_body(rt_transfer transfer)
{
    rt_unit *unit = transfer.data;
    unit->back = transfer.context;
    rt_shadow_arrived(&unit->shadow);
    if (unit->spanned)
        rt_the_loop.span(&unit->context, unit->name);
    unit->result = unit->work(&unit->context, unit->argument);
    rt_unit_finish(unit);
    leave_for_good(unit);
}

/* Who resumed it may be a fiber. What is called here could neither suspend that nor end it. */
static void tell_end(rt_unit *unit)
{
    rt_exit exit;
    rt_unit *resumer = rt_current_unit;
    rt_unit_exit(&unit->context, &exit);
    unit->context.instance = unit->home; /* not the last finalizer's */
    rt_current_unit = NULL;
    unit->done(&unit->context, &exit, unit->done_argument);
    rt_current_unit = resumer;
}

static void end_unit(rt_unit *unit)
{
    rt_list_remove(&unit->cancel_link);
    rt_mutexes_release(unit);
    if (unit->done)
        tell_end(unit);
    rt_child_leaves(unit);
    rt_the_loop.alive--;
    give_unit(unit);
}

void rt_unit_left(rt_unit *unit)
{
    rt_shadow_free(&unit->shadow);
    rt_stack_give(unit->stack);
    end_unit(unit);
}

/* --- start ----------------------------------------------------------------------------------- */

static void join_parent(rt_unit *unit, rt_unit *parent)
{
    unit->parent = parent;
    unit->root = parent->root;
    unit->trace = parent->trace;
    unit->trace.open = NULL;
    unit->values = unit->inherited = parent->values;
    unit->deadline = rt_sooner(unit->deadline, rt_effective_deadline(parent));
    /* Once a task has failed, later ones start cancelled, as if they had been there. */
    bool lost = parent->cancelled || (parent->failed && rt_unit_is_task(unit));
    unit->cancelled = lost && !parent->shielded;
    if (!unit->entry)
        unit->entry = parent->entry;
    rt_list_append(&parent->children, &unit->sibling);
}

static void join_roots(rt_unit *unit, const rt_unit_options *options)
{
    if (rt_correlation_valid(options->correlation_id))
        unit->correlation = rt_arena_copy(&unit->arena, options->correlation_id);
    if (options->trace)
        unit->trace = *options->trace;
    rt_list_append(&rt_the_loop.roots, &unit->sibling);
}

static rt_unit *make_unit(rt_unit *parent, const rt_unit_options *options, rt_work work,
                          void *argument)
{
    rt_unit *unit = take_unit();
    unit->context = (rt_ctx){RT_CTX_MAGIC, sizeof unit->context, options->instance};
    unit->name = options->name;
    unit->deadline = options->deadline;
    unit->home = options->instance;
    unit->entry = options->entry;
    unit->began = uv_now(&rt_the_loop.uv);
    unit->root = unit;
    unit->spanned = options->spanned && rt_the_loop.span;
    unit->work = work;
    unit->argument = argument;
    unit->done = options->done;
    unit->done_argument = options->done_argument;
    rt_list_init(&unit->children);
    rt_list_init(&unit->held);
    if (parent)
        join_parent(unit, parent);
    else
        join_roots(unit, options);
    if (!unit->entry)
        unit->entry = RT_MARK_UNNAMED;
    if (options->cancel)
        rt_cancel_attach(options->cancel, unit);
    rt_the_loop.alive++;
    return unit;
}

static void refuse_unit(rt_unit *unit)
{
    unit->result = rt_host_fail(&unit->context, RT_ERESOURCE_EXHAUSTED, "no memory for a stack");
    unit->exit_error = unit->error;
    unit->kind = RT_EXIT_FAILURE;
    end_unit(unit);
}

rt_ctx *rt_unit_launch(rt_unit *parent, const rt_unit_options *options, rt_work work,
                       void *argument)
{
    rt_unit *unit = make_unit(parent, options, work, argument);
    unit->stack_size = options->stack_size ? options->stack_size : rt_the_loop.stack_size;
    unit->stack = rt_stack_take(unit->stack_size);
    if (!unit->stack) {
        refuse_unit(unit);
        return NULL;
    }
    unit->here =
        make_fcontext(unit->stack, (size_t)((char *)unit->stack - unit->stack->low), run_body);
    rt_shadow_make(&unit->shadow);
    return rt_unit_resume(unit) ? NULL : &unit->context;
}

rt_ctx *rt_unit_start(const rt_unit_options *options, rt_work work, void *argument)
{
    return rt_unit_launch(NULL, options, work, argument);
}

/* --- defects --------------------------------------------------------------------------------- */

/* The first frame after rt_die, on a fresh stack: the dead one may have no room left, and nothing
 * on it is needed any more since the children have ended. */
static void run_rest(rt_transfer transfer)
{
    rt_unit *unit = transfer.data;
    rt_shadow_moved();
    rt_shadow_free(&unit->abandoned_shadow);
    rt_stack_give(unit->abandoned);
    unit->abandoned = NULL;
    rt_unit_finish(unit);
    leave_for_good(unit);
}

static _Noreturn void abandon_stack(rt_unit *unit)
{
    rt_stack *fresh = rt_stack_take(unit->stack_size);
    if (!fresh) {
        rt_unit_finish(unit);
        leave_for_good(unit);
    }
    unit->abandoned = unit->stack;
    unit->stack = fresh;
    void *context = make_fcontext(fresh, (size_t)((char *)fresh - fresh->low), run_rest);
    rt_shadow_move(&unit->shadow, &unit->abandoned_shadow, fresh->low, fresh->size);
    jump_fcontext(context, unit);
    rt_misuse("a dead fiber was resumed");
}

void rt_host_die(rt_ctx *ctx, const char *format, ...)
{
    rt_unit *unit = rt_current_unit;
    if (!unit)
        rt_misuse("`rt_die` was called outside of a fiber");
    (void)ctx;
    va_list arguments;
    va_start(arguments, format);
    const char *text = rt_arena_vformat(&unit->arena, format, arguments);
    va_end(arguments);
    if (unit->shielded) {
        rt_finalizer_failed(unit, RT_EINTERNAL, text);
    } else {
        unit->result = rt_host_fail(&unit->context, RT_EINTERNAL, "%s", text);
        unit->defect = unit->error->message;
    }
    rt_children_cancel(unit);
    rt_children_await(unit);
    abandon_stack(unit);
}
