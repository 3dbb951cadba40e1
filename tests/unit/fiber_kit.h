/* fiber_kit.h — a loop for one test, and the host's table with the functions of fiber/ */
#ifndef RT_TEST_FIBER_KIT_H
#define RT_TEST_FIBER_KIT_H

#include "fiber/fiber.h"
#include "harness.h"

#include <stdbool.h>
#include <string.h>

static const rt_host fiber_table = {
    .size = sizeof(rt_host),
    .abi_major = RT_ABI_MAJOR,
    .abi_minor = RT_ABI_MINOR,
    .alloc = rt_host_alloc,
    .format = rt_host_format,
    .fail = rt_host_fail,
    .fail_with = rt_host_fail_with,
    .last_error = rt_host_last_error,
    .current = rt_host_current,
    .deadline = rt_host_deadline,
    .set_deadline = rt_host_set_deadline,
    .cancelled = rt_host_cancelled,
    .correlation_id = rt_host_correlation_id,
    .defer = rt_host_defer,
    .die = rt_host_die,
    .run = rt_host_run,
    .run_exit = rt_host_run_exit,
    .run_async = rt_host_run_async,
    .spawn = rt_host_spawn,
    .join = rt_host_join,
    .service = rt_host_service,
    .post = rt_host_post,
    .cancel_new = rt_host_cancel_new,
    .cancel_fire = rt_host_cancel_fire,
    .cancel_free = rt_host_cancel_free,
    .now = rt_host_now,
    .wait_fd = rt_host_wait_fd,
    .sleep = rt_host_sleep,
    .blocking = rt_host_blocking,
    .mutex_new = rt_host_mutex_new,
    .mutex_free = rt_host_mutex_free,
    .mutex_lock = rt_host_mutex_lock,
    .mutex_unlock = rt_host_mutex_unlock,
    .semaphore_new = rt_host_semaphore_new,
    .semaphore_free = rt_host_semaphore_free,
    .semaphore_acquire = rt_host_semaphore_acquire,
    .semaphore_release = rt_host_semaphore_release,
    .channel_new = rt_host_channel_new,
    .channel_free = rt_host_channel_free,
    .channel_send = rt_host_channel_send,
    .channel_receive = rt_host_channel_receive,
    .channel_close = rt_host_channel_close,
    .context_value = rt_host_context_value,
    .set_context_value = rt_host_set_context_value,
};
const rt_host *rt_host_table = &fiber_table;

/* Memory that is not there is part of the tests. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static rt_instance shop = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .name = "shop", .module = "shop"};

/* What a unit's `done` saw; texts are copied. */
typedef struct ending {
    bool seen;
    uint32_t kind;
    int result;
    char error[128], defect[128], finalizer_error[128], finalizer_cause[128];
} ending;

__attribute__((unused)) static void copy_text(char to[128], const char *from)
{
    snprintf(to, 128, "%s", from ? from : "");
}

__attribute__((unused)) static void note_exit(ending *end, const rt_exit *exit)
{
    const rt_error *last = exit->finalizer_error;
    end->seen = true;
    end->kind = exit->kind;
    end->result = exit->result;
    copy_text(end->error, exit->error ? exit->error->message : NULL);
    copy_text(end->defect, exit->defect);
    copy_text(end->finalizer_error, last ? last->message : NULL);
    copy_text(end->finalizer_cause, last && last->cause ? last->cause->message : NULL);
}

__attribute__((unused)) static void note_end(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    (void)ctx;
    note_exit(argument, exit);
}

__attribute__((unused)) static void note_end_and_stop(rt_ctx *ctx, const rt_exit *exit,
                                                      void *argument)
{
    note_end(ctx, exit, argument);
    rt_loop_stop();
}

/* Opens the loop, runs `work` to its end as the first unit, sees that nothing is left, closes. */
__attribute__((unused)) static ending run_with(const rt_loop_options *loop, rt_unit_options options,
                                               rt_work work, void *argument)
{
    ending end = {0};
    CU_ASSERT_EQUAL(rt_loop_open(loop), 0);
    options.instance = &shop;
    options.name = options.name ? options.name : "test";
    options.done = note_end_and_stop;
    options.done_argument = &end;
    rt_unit_start(&options, work, argument);
    rt_loop_run();
    CU_ASSERT_TRUE(end.seen);
    CU_ASSERT_EQUAL(rt_unit_count(), 0);
    rt_loop_close();
    return end;
}

__attribute__((unused)) static ending run(rt_work work, void *argument)
{
    return run_with(&(rt_loop_options){0}, (rt_unit_options){0}, work, argument);
}

#endif
