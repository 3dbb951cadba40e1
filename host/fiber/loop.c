#include "fiber/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fibers resumed before the loop looks at descriptors and timers again. */
#define BATCH 64
#define DEFAULT_STACK ((size_t)128 << 10)

rt_loop rt_the_loop;
_Thread_local bool rt_on_loop;

static void nothing(uv_idle_t *idle)
{
    (void)idle;
}

/* Runs before the loop polls and after it. An active idle handle keeps the poll from blocking; it
 * is on only while fibers are left over. */
static void run_ready(void)
{
    rt_loop *loop = &rt_the_loop;
    for (int i = 0; i < BATCH && !rt_list_empty(&loop->ready); i++)
        rt_unit_resume(RT_ENTRY(rt_list_take(&loop->ready), rt_unit, ready));
    if (rt_list_empty(&loop->ready))
        uv_idle_stop(&loop->idle);
    else
        uv_idle_start(&loop->idle, nothing);
}

static void before_poll(uv_prepare_t *prepare)
{
    rt_loop *loop = &rt_the_loop;
    (void)prepare;
    run_ready();
    if (loop->turned && loop->woke)
        loop->turned(uv_hrtime() - loop->woke);
    __atomic_store_n(&rt_the_loop.marks->polling, 1, __ATOMIC_RELAXED);
}

static void after_poll(uv_check_t *check)
{
    (void)check;
    if (rt_the_loop.turned)
        rt_the_loop.woke = uv_hrtime();
    __atomic_store_n(&rt_the_loop.marks->polling, 0, __ATOMIC_RELAXED);
    run_ready();
}

static void other_threads_sent(uv_async_t *async)
{
    (void)async;
    rt_cancel_drain();
    rt_remote_drain();
}

void rt_loop_ready(rt_unit *unit)
{
    rt_list_append(&rt_the_loop.ready, &unit->ready);
}

static void set_pool_threads(uint32_t threads)
{
    char text[16];
    snprintf(text, sizeof text, "%u", threads ? threads : 4);
    setenv("UV_THREADPOOL_SIZE", text, 1);
}

static void open_handles(rt_loop *loop)
{
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_prepare_start(&loop->prepare, before_poll);
    uv_check_init(&loop->uv, &loop->check);
    uv_check_start(&loop->check, after_poll);
    uv_idle_init(&loop->uv, &loop->idle);
    rt_list_init(&loop->ready);
    rt_list_init(&loop->roots);
    rt_list_init(&loop->root_waiters);
}

static void close_handle(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_handles(rt_loop *loop)
{
    rt_unit_free_idle();
    uv_walk(&loop->uv, close_handle, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop->uv) != 0)
        rt_misuse("the loop was closed with requests under way");
}

int rt_loop_open(const rt_loop_options *options)
{
    static rt_loop_marks unread;
    rt_loop *loop = &rt_the_loop;
    if (loop->open)
        rt_misuse("a process has one loop");
    *loop = (rt_loop){.stack_size = options->stack_size ? options->stack_size : DEFAULT_STACK,
                      .finalizer_timeout = options->finalizer_timeout ? options->finalizer_timeout
                                                                      : (uint64_t)5 * 1000000000u,
                      .marks = options->marks ? options->marks : &unread,
                      .service_entry = options->service_entry,
                      .service_entry_argument = options->service_entry_argument,
                      .turned = options->turned,
                      .called = options->called,
                      .report = options->report,
                      .span = options->span};
    rt_stack_limit(options->stack_memory);
    set_pool_threads(options->pool_threads);
    RT_TRY(rt_correlation_seed());
    RT_TRY(uv_loop_init(&loop->uv));
    open_handles(loop);
    int result = uv_async_init(&loop->uv, &loop->async, other_threads_sent);
    if (result == 0)
        result = rt_descriptors_open();
    if (result < 0) {
        close_handles(loop);
        rt_descriptors_free();
        return result;
    }
    rt_remote_open();
    loop->open = rt_on_loop = true;
    return 0;
}

uv_loop_t *rt_loop_uv(void)
{
    return &rt_the_loop.uv;
}

bool rt_loop_is_here(void)
{
    return rt_on_loop;
}

void rt_loop_run(void)
{
    rt_on_loop = true;
    uv_run(&rt_the_loop.uv, UV_RUN_DEFAULT);
}

void rt_loop_stop(void)
{
    uv_stop(&rt_the_loop.uv);
}

void rt_loop_close(void)
{
    rt_loop *loop = &rt_the_loop;
    if (!loop->open)
        return;
    if (loop->alive)
        rt_misuse("the loop was closed while units of work live");
    rt_remote_close();
    rt_descriptors_close();
    close_handles(loop);
    rt_descriptors_free();
    rt_stack_free_idle();
    loop->open = rt_on_loop = false;
}

void rt_report(rt_ctx *ctx, const char *name, const rt_exit *exit)
{
    bool lost = exit->kind == RT_EXIT_FAILURE || exit->kind == RT_EXIT_DEFECT;
    if (rt_the_loop.report && (lost || exit->finalizer_error))
        rt_the_loop.report(ctx, name, exit);
}

uint32_t rt_unit_count(void)
{
    return rt_the_loop.alive;
}
