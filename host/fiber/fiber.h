/* fiber.h — units of work on fibers on the worker's one loop
 *
 * A process has at most one loop (libuv) and all fibers belong to it. A unit of work is a context,
 * an arena and a fiber; fibers and their stacks are pooled. SDK functions that wait suspend the
 * running fiber and go back to the loop. README.md says how.
 *
 * Everything here is for the loop's thread, except what says otherwise.
 */
#ifndef RT_FIBER_FIBER_H
#define RT_FIBER_FIBER_H

#include "base/arena.h"
#include "fiber/marks.h"
#include "fiber/trace.h"

#include <rt/context.h>
#include <rt/wait.h>
#include <stdbool.h>
#include <uv.h>

typedef struct rt_loop_options {
    size_t stack_size;          /* bytes; 0: 128 KiB (512 KiB under sanitizers) */
    size_t stack_memory;        /* bytes of all stacks together; 0: as much as there is */
    uint32_t pool_threads;      /* 0: 4 */
    uint64_t finalizer_timeout; /* ns; 0: 5 s */
    rt_loop_marks *marks;       /* outlives the loop; or NULL */
    /* The entry of a service that is about to start; or NULL. */
    uint32_t (*service_entry)(void *argument, const rt_instance *instance, const char *name);
    void *service_entry_argument;
    /* Told how long the loop did not look at its descriptors and timers, each time, and how long a
     * call that blocks waited for a thread and had it, all in ns; or NULL. */
    void (*turned)(uint64_t nanoseconds);
    void (*called)(uint64_t waited, uint64_t ran);
    /* Told of the end, other than in success or interruption, of work whose exit nobody gets:
     * services, posts, rt_run_async without on_exit. For logging; or NULL. */
    void (*report)(rt_ctx *ctx, const char *name, const rt_exit *exit);
    /* Opens the span of work that is to run in one, and pushes it; or NULL. */
    void (*span)(rt_ctx *ctx, const char *name);
} rt_loop_options;

int rt_loop_open(const rt_loop_options *options); /* 0 or -errno */
uv_loop_t *rt_loop_uv(void);
bool rt_loop_is_here(void); /* this thread runs it */
/* Runs until rt_loop_stop was called (from the loop). */
void rt_loop_run(void);
void rt_loop_stop(void);
/* From now on rt_post and rt_run_async answer -RT_EUNAVAILABLE; what they took before
 * has started. */
void rt_loop_refuse(void);
/* Frees everything; no unit may be alive. */
void rt_loop_close(void);

struct rt_buffer;

typedef struct rt_unit_options {
    rt_instance *instance;
    const char *name;           /* of the span; lives as long as the unit */
    uint64_t deadline;          /* absolute ns; 0: none */
    const char *correlation_id; /* copied; NULL: made on first use */
    rt_cancel *cancel;          /* or NULL */
    uint32_t stack_size;        /* bytes; 0: the default */
    uint32_t entry;             /* left in rt_loop_marks while it runs; 0: its parent's */
    bool spanned;               /* runs in a span of its name */
    const rt_trace *trace;      /* where it begins, copied; NULL: where its parent is, or nowhere */
    /* Called on the loop once the unit and its finalizers have ended, before its memory goes. */
    void (*done)(rt_ctx *ctx, const rt_exit *exit, void *argument);
    void *done_argument;
} rt_unit_options;

/* Starts a unit of work in a fiber of its own, which runs until it first waits before this returns.
 * The context is valid until `done` was called; NULL if it has ended already. -ENOMEM of stacks
 * ends it as a failure RT_ERESOURCE_EXHAUSTED: `done` is called all the same. */
rt_ctx *rt_unit_start(const rt_unit_options *options, rt_work work, void *argument);

/* Cancels it: its waits return -RT_ECANCELED. Harmless when repeated. */
void rt_unit_cancel(rt_ctx *ctx);
/* From now on its waits end with -RT_EDEADLINE at `limit` (absolute ns; 0: none) if that comes
 * before its deadline, which stays what it is. Units that start meanwhile inherit the sooner of
 * both. Returns the former limit; called in its own fiber. */
uint64_t rt_unit_limit(rt_ctx *ctx, uint64_t limit);
/* Takes away the deadline that its root was started with; called in its own fiber. */
void rt_unit_lift_deadline(rt_ctx *ctx);
/* How it ended, once it has. */
void rt_unit_exit(const rt_ctx *ctx, rt_exit *exit);
/* 64 bits for an id, never 0. */
uint64_t rt_random_id(void);
/* The arena of the unit. */
rt_arena *rt_unit_arena(rt_ctx *ctx);
/* Units alive, services and children among them. */
uint32_t rt_unit_count(void);
/* Bytes of address space of all stacks. */
size_t rt_stacks_mapped(void);
/* Calls of rt_host_blocking. */
typedef struct rt_pool_load {
    uint32_t active, queued;
} rt_pool_load;
rt_pool_load rt_pool_look(void);
/* One line a unit, its columns apart by tabs: name, instance, what it waits for, age in s, bytes of
 * its stack in use, most that were ever in use, and its size. */
void rt_units_list(struct rt_buffer *text);
/* The most that was ever in use of stacks of 16 KiB times two to the index, where that is more than
 * `high` says already. A system call a stack, 2 microseconds for 128 KiB. */
void rt_stacks_measure(uint64_t high[RT_STACK_ORDERS]);
/* Cancels what runs for one instance on its own (services, posts, rt_run_async) and waits for its
 * end; called in a fiber. */
int rt_units_stop(rt_ctx *ctx, rt_instance *instance);

/* Where one fiber waits for something that the loop's own code (a connection, a stream) will tell;
 * zeroed is empty. */
typedef struct rt_parking {
    struct rt_waiter *waiter;
    const char *what; /* is waited for, for people; NULL: the peer */
} rt_parking;
/* Waits for rt_unpark: what was given to it, or -RT_ECANCELED, -RT_EDEADLINE. */
int rt_park(rt_ctx *ctx, rt_parking *parking);
/* Ends the wait, if there is one. */
void rt_unpark(rt_parking *parking, int result);

/* The functions behind the SDK's table, in table order (host_table.c of process/). */
void *rt_host_alloc(rt_ctx *ctx, uint64_t size);
char *rt_host_format(rt_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
int rt_host_fail(rt_ctx *ctx, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int rt_host_fail_with(rt_ctx *ctx, const rt_error *error);
const rt_error *rt_host_last_error(const rt_ctx *ctx);
rt_ctx *rt_host_current(void);
void *rt_host_context_value(const rt_ctx *ctx, const void *key);
int rt_host_set_context_value(rt_ctx *ctx, const void *key, void *value);
uint64_t rt_host_deadline(const rt_ctx *ctx);
int rt_host_set_deadline(rt_ctx *ctx, uint64_t deadline);
int rt_host_cancelled(const rt_ctx *ctx);
const char *rt_host_correlation_id(const rt_ctx *ctx);
int rt_host_defer(rt_ctx *ctx, void (*finalizer)(rt_ctx *, void *), void *argument);
void rt_host_die(rt_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));
int rt_host_run(rt_ctx *ctx, const rt_run_options *options, rt_work work, void *argument);
void rt_host_run_exit(rt_ctx *ctx, const rt_run_options *options, rt_work work, void *argument,
                      rt_exit *exit);
int rt_host_run_async(const rt_run_options *options, rt_work work, void *argument);
rt_task *rt_host_spawn(rt_ctx *ctx, rt_work work, void *argument);
int rt_host_join(rt_ctx *ctx, rt_task *task);
int rt_host_service(rt_ctx *ctx, const char *name, rt_work work, void *argument);
int rt_host_post(rt_instance *instance, rt_work work, void *argument);
rt_cancel *rt_host_cancel_new(void);
void rt_host_cancel_fire(rt_cancel *cancel);
void rt_host_cancel_free(rt_cancel *cancel);
uint64_t rt_host_now(void);
int rt_host_wait_fd(rt_ctx *ctx, int fd, uint32_t events, uint64_t deadline);
int rt_host_sleep(rt_ctx *ctx, uint64_t nanoseconds);
int rt_host_blocking(rt_ctx *ctx, int (*function)(void *), void *argument);
rt_mutex *rt_host_mutex_new(void);
void rt_host_mutex_free(rt_mutex *mutex);
int rt_host_mutex_lock(rt_ctx *ctx, rt_mutex *mutex);
void rt_host_mutex_unlock(rt_ctx *ctx, rt_mutex *mutex);
rt_semaphore *rt_host_semaphore_new(uint32_t count);
void rt_host_semaphore_free(rt_semaphore *semaphore);
int rt_host_semaphore_acquire(rt_ctx *ctx, rt_semaphore *semaphore);
void rt_host_semaphore_release(rt_semaphore *semaphore);
rt_channel *rt_host_channel_new(uint32_t capacity);
void rt_host_channel_free(rt_channel *channel);
int rt_host_channel_send(rt_ctx *ctx, rt_channel *channel, void *item);
int rt_host_channel_receive(rt_ctx *ctx, rt_channel *channel, void **item);
void rt_host_channel_close(rt_channel *channel);

#endif
