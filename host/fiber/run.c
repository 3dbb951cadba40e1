#include "fiber/internal.h"

#include <stdlib.h>

/* --- inside a fiber -------------------------------------------------------------------------- */

/* Nested work has a fiber of its own, so that rt_die ends it alone; the caller waits for it. */
struct nested {
    const rt_run_options *options;
    rt_unit *outer;
    rt_waiter waiter;
    bool ended;
    rt_exit *exit;
};

static void nested_ended(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    struct nested *nested = argument;
    (void)ctx;
    rt_exit_copy(&nested->outer->arena, nested->exit, exit);
    if (nested->options->on_exit)
        nested->options->on_exit(exit, nested->options->on_exit_argument);
    nested->ended = true;
    if (nested->waiter.unit)
        rt_wake(&nested->waiter, 0);
}

static void run_nested(rt_unit *outer, const rt_run_options *options, const char *name,
                       rt_work work, void *argument, rt_exit *exit)
{
    struct nested nested = {
        .options = options, .outer = outer, .waiter.what = "nested work", .exit = exit};
    rt_instance *instance = options->instance ? options->instance : outer->context.instance;
    rt_unit_options started = {.instance = instance,
                               .name = name,
                               .deadline = options->deadline,
                               .cancel = options->cancel,
                               .stack_size = (uint32_t)outer->stack_size,
                               .spanned = true,
                               .done = nested_ended,
                               .done_argument = &nested};
    rt_unit_launch(outer, &started, work, argument);
    if (!nested.ended)
        rt_wait(outer, &nested.waiter, 0, 0);
}

/* --- in a thread that is none of the runtime's ----------------------------------------------- */

static void run_foreign(rt_arena *arena, const rt_run_options *options, const char *name,
                        rt_work work, void *argument, rt_exit *exit)
{
    rt_foreign foreign = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .arena = arena};
    int result = rt_on_loop ? -RT_EFAILED_PRECONDITION
                            : rt_remote_send(options, name, &foreign, work, argument);
    if (result < 0) {
        *exit = (rt_exit){.size = sizeof *exit,
                          .kind = RT_EXIT_FAILURE,
                          .result = result,
                          .error = rt_error_meaning(result)};
        return;
    }
    pthread_mutex_lock(&foreign.lock);
    while (!foreign.ended)
        pthread_cond_wait(&foreign.changed, &foreign.lock);
    pthread_mutex_unlock(&foreign.lock);
    *exit = foreign.exit;
    pthread_mutex_destroy(&foreign.lock);
    pthread_cond_destroy(&foreign.changed);
}

static pthread_once_t exits_once = PTHREAD_ONCE_INIT;
static pthread_key_t exits_key;

static void free_exits(void *arena)
{
    rt_arena_free(arena);
    free(arena);
}

static void make_exits_key(void)
{
    pthread_key_create(&exits_key, free_exits);
}

/* Where a foreign thread's exit lives: until its next one, or its end. */
static rt_arena *exits_arena(void)
{
    pthread_once(&exits_once, make_exits_key);
    rt_arena *arena = pthread_getspecific(exits_key);
    if (!arena) {
        arena = rt_xcalloc(1, sizeof *arena);
        pthread_setspecific(exits_key, arena);
    }
    rt_arena_reset(arena);
    return arena;
}

/* --- both ------------------------------------------------------------------------------------ */

static rt_unit *running(rt_ctx *ctx)
{
    return ctx ? rt_unit_of(ctx) : rt_current_unit;
}

int rt_host_run(rt_ctx *ctx, const rt_run_options *options, rt_work work, void *argument)
{
    const char *name = options->name ? options->name : "runtime.run";
    rt_unit *outer = running(ctx);
    rt_exit exit;
    if (!outer) {
        rt_arena arena;
        rt_arena_init(&arena);
        run_foreign(&arena, options, name, work, argument, &exit);
        rt_arena_free(&arena);
        return exit.result;
    }
    RT_TRY(rt_wait_own(outer));
    run_nested(outer, options, name, work, argument, &exit);
    if (exit.error)
        outer->error = exit.error;
    return exit.result;
}

static void run_to_exit(rt_ctx *ctx, const rt_run_options *options, rt_work work, void *argument,
                        rt_exit *exit)
{
    const char *name = options->name ? options->name : "runtime.run_exit";
    rt_unit *outer = running(ctx);
    if (!outer) {
        run_foreign(exits_arena(), options, name, work, argument, exit);
        return;
    }
    int result = rt_wait_own(outer);
    if (result == 0)
        run_nested(outer, options, name, work, argument, exit);
    else
        *exit = (rt_exit){.size = sizeof *exit,
                          .kind = RT_EXIT_FAILURE,
                          .result = result,
                          .error = rt_error_meaning(result)};
}

void rt_host_run_exit(rt_ctx *ctx, const rt_run_options *options, rt_work work, void *argument,
                      rt_exit *exit)
{
    rt_exit ours;
    run_to_exit(ctx, options, work, argument, &ours);
    rt_struct_copy(exit, &ours);
}
