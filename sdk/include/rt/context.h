/* rt/context.h — the context of a unit of work, and running work
 *
 * An `rt_ctx` is one unit of work (a request, a service, a start function, an rt_run): its arena,
 * deadline, cancellation, correlation id, last error and finalizers. It belongs to the fiber that
 * runs it; only rt_post, rt_run_async, rt_cancel_fire and rt_run with a null context may be called
 * from other threads.
 *
 * Ownership: what rt_alloc and rt_format return lives until the unit of work ends.
 * Waiting: rt_run, rt_run_exit and rt_join wait; rt_defer's finalizers may wait; the rest do not.
 * Times: nanoseconds; deadlines are absolute, on the clock of rt_now; 0 means none.
 *
 *     static int work(rt_ctx *ctx, void *argument)
 *     {
 *         struct file *file = open_file(argument);
 *         RT_TRY(rt_defer(ctx, close_file, file));     // runs on every kind of exit
 *         rt_task *left = rt_spawn(ctx, read_left, file);
 *         rt_task *right = rt_spawn(ctx, read_right, file);
 *         RT_TRY(rt_join(ctx, left));
 *         return rt_join(ctx, right);                  // if one fails, the other is cancelled
 *     }
 */
#ifndef RT_CONTEXT_H
#define RT_CONTEXT_H

#include <rt/abi.h>
#include <rt/error.h>
#include <rt/host.h>

/* --- life of a module ------------------------------------------------------------------------ */

/* Functions of an instance's life; each may be null. Each returns 0 or -RT_E…, may wait, and has
 * `start_timeout` (configure, start), `finalizer_timeout` (stop) or `health.timeout` (health) to
 * end.
 *   configure  looks at settings, opens nothing; also run by `rtctl validate --load`
 *   start      opens what the instance needs; providers it requires have started
 *   stop       closes it; runs only if start succeeded, in reverse order of start
 *   health     says how it is between start and stop: rt/health.h */
typedef struct rt_lifecycle {
    uint32_t size;
    uint32_t reserved;
    int (*configure)(rt_ctx *ctx);
    int (*start)(rt_ctx *ctx);
    int (*stop)(rt_ctx *ctx);
    int (*health)(rt_ctx *ctx, struct rt_health *health);
} rt_lifecycle;

/* In RT_REGISTER: RT_TRY(rt_on(registry, .start = open_pool, .stop = close_pool)); */
#define rt_on(registry_, ...)                                                                  \
    __extension__({                                                                            \
        static const rt_lifecycle rt_lifecycle_ = {.size = sizeof(rt_lifecycle), __VA_ARGS__}; \
        rt_host_table->lifecycle(registry_, &rt_lifecycle_);                                   \
    })

/* In RT_REGISTER: a context to read options with and to fail in. It must not wait. */
static inline rt_ctx *rt_registry_context(rt_registry *registry)
{
    return rt_host_table->registry_context(registry);
}

/* What the instance keeps; the module allocates it in start and frees it in stop. */
static inline void *rt_state(const rt_ctx *ctx)
{
    return ctx->instance->state;
}
static inline void rt_set_state(rt_ctx *ctx, void *state)
{
    ctx->instance->state = state;
}

/* --- memory and errors ----------------------------------------------------------------------- */

/* Zeroed memory, aligned to 16, until the unit of work ends. Never NULL: a unit of work that
 * cannot have its memory ends as a defect. */
static inline void *rt_alloc(rt_ctx *ctx, uint64_t size)
{
    return rt_host_table->alloc(ctx, size);
}

/* printf into such memory. */
#define rt_format(ctx_, ...) rt_host_table->format(ctx_, __VA_ARGS__)

/* Sets the context's error and returns -code:  return rt_fail(ctx, RT_ENOT_FOUND, "no %s", id); */
#define rt_fail(ctx_, code_, ...) rt_host_table->fail(ctx_, code_, __VA_ARGS__)

/* The same with all members; texts and causes are copied. If no cause is named and the last error
 * has the same code, that error becomes the cause. */
static inline int rt_fail_with(rt_ctx *ctx, const rt_error *error)
{
    return rt_host_table->fail_with(ctx, error);
}

/* The error set last; NULL if none was. */
static inline const rt_error *rt_last_error(const rt_ctx *ctx)
{
    return rt_host_table->last_error(ctx);
}

/* --- deadline, cancellation, identity -------------------------------------------------------- */

/* The running fiber's context; NULL outside of fibers. */
static inline rt_ctx *rt_current(void)
{
    return rt_host_table->current();
}

/* When every wait of this unit of work returns -RT_EDEADLINE; 0: never. */
static inline uint64_t rt_deadline(const rt_ctx *ctx)
{
    return rt_host_table->deadline(ctx);
}

/* Brings the deadline closer; a later one than it has is ignored. Returns 0. */
static inline int rt_set_deadline(rt_ctx *ctx, uint64_t deadline)
{
    return rt_host_table->set_deadline(ctx, deadline);
}

/* 1 if the unit of work was cancelled: its waits return -RT_ECANCELED. */
static inline int rt_cancelled(const rt_ctx *ctx)
{
    return rt_host_table->cancelled(ctx);
}

/* Never NULL. Made on first use unless the unit of work came with one. */
static inline const char *rt_correlation_id(const rt_ctx *ctx)
{
    return rt_host_table->correlation_id(ctx);
}

/* --- values that go along -------------------------------------------------------------------- */

/* A value that this unit of work and those it starts from now on (rt_run, rt_spawn) see under a
 * key: an address that nobody else uses, such as that of an instance. NULL: none. Setting it again
 * in the same unit of work changes it for those it started too; in one of those it does not change
 * it for the outer one. The value is the caller's. Services and posted work begin with none. */
static inline void *rt_context_value(const rt_ctx *ctx, const void *key)
{
    return RT_HAS(rt_host_table, context_value) ? rt_host_table->context_value(ctx, key) : NULL;
}

/* 0, or -RT_EUNIMPLEMENTED where the host is older than 1.3. */
static inline int rt_set_context_value(rt_ctx *ctx, const void *key, void *value)
{
    return RT_HAS(rt_host_table, set_context_value)
               ? rt_host_table->set_context_value(ctx, key, value)
               : -RT_EUNIMPLEMENTED;
}

/* --- clean-up and defects -------------------------------------------------------------------- */

/* Registers a finalizer: last in, first out, on every kind of exit, shielded (cancellation off, a
 * deadline of its own, `finalizer_timeout`). Runs as the instance that registered it. Returns 0. */
static inline int rt_defer(rt_ctx *ctx, void (*finalizer)(rt_ctx *ctx, void *argument),
                           void *argument)
{
    return rt_host_table->defer(ctx, finalizer, argument);
}

/* Ends the unit of work as a defect: finalizers run, nothing of the stack is resumed, an HTTP
 * request is answered with 500. Forbidden in callbacks of foreign libraries. Does not return. */
#define rt_die(ctx_, ...) (rt_host_table->die(ctx_, __VA_ARGS__), __builtin_unreachable())

/* --- running work ---------------------------------------------------------------------------- */

enum rt_exit_kind {
    RT_EXIT_SUCCESS = 0,
    RT_EXIT_FAILURE = 1,      /* a typed error */
    RT_EXIT_DEFECT = 2,       /* rt_die */
    RT_EXIT_INTERRUPTION = 3, /* cancelled, or out of time */
};

/* How a unit of work ended, all causes kept: `error` is the body's, with a failing finalizer's
 * beside it in `finalizer_error`. Points into the memory of the context given to rt_run_exit. */
typedef struct rt_exit {
    uint32_t size;
    uint32_t kind;  /* rt_exit_kind */
    int32_t result; /* 0 or -RT_E…; -RT_EINTERNAL for a defect */
    uint32_t reserved;
    const rt_error *error;
    const char *defect;              /* the text given to rt_die, or NULL */
    const rt_error *finalizer_error; /* a finalizer that died or ran out of time, or NULL */
} rt_exit;

typedef struct rt_run_options {
    uint32_t size;
    uint32_t reserved;
    const char *name;      /* of the span; NULL: "runtime.run" or "runtime.run_exit" */
    uint64_t deadline;     /* absolute; 0: the surrounding one */
    rt_cancel *cancel;     /* or NULL */
    rt_instance *instance; /* needed where there is no context; else NULL: the current one */
    void (*on_exit)(const rt_exit *exit, void *argument); /* on the loop; or NULL */
    void *on_exit_argument;
    int completion_fd; /* rt_run_async: an eventfd to which 1 is added at the end; -1 or 0: none */
    uint32_t reserved2;
} rt_run_options;

/* Runs a unit of work in a span and returns its result. With a context: in the calling fiber's
 * time, and its cancellation and deadline apply. With NULL and options.instance: from a thread that
 * is none of the runtime's, which alone is blocked. */
#define rt_run(ctx_, work_, argument_, ...)                                                  \
    rt_host_table->run(ctx_, &(rt_run_options){.size = sizeof(rt_run_options), __VA_ARGS__}, \
                       work_, argument_)

/* The same, but never fails: fills `*exit_`. */
#define rt_run_exit(ctx_, exit_, work_, argument_, ...)                                            \
    ((exit_)->size = sizeof(rt_exit),                                                              \
     rt_host_table->run_exit(ctx_, &(rt_run_options){.size = sizeof(rt_run_options), __VA_ARGS__}, \
                             work_, argument_, exit_))

/* Starts a unit of work from any thread and returns at once; 0 or -RT_EUNAVAILABLE when the runtime
 * is stopping. Completion by options.on_exit or options.completion_fd. */
#define rt_run_async(work_, argument_, ...)                                                  \
    rt_host_table->run_async(&(rt_run_options){.size = sizeof(rt_run_options), __VA_ARGS__}, \
                             work_, argument_)

/* Starts a child of this unit of work. The unit ends after its children; the first child that fails
 * cancels the others, and its error becomes the unit's if the unit itself succeeds. */
static inline rt_task *rt_spawn(rt_ctx *ctx, rt_work work, void *argument)
{
    return rt_host_table->spawn(ctx, work, argument);
}

/* Waits for a child and returns its result; once for each task. */
static inline int rt_join(rt_ctx *ctx, rt_task *task)
{
    return rt_host_table->join(ctx, task);
}

/* In start: a fiber for the instance's life. It is cancelled before stop and awaited. */
static inline int rt_service(rt_ctx *ctx, const char *name, rt_work work, void *argument)
{
    return rt_host_table->service(ctx, name, work, argument);
}

/* From any thread: runs `work` as a unit of work of `instance` on its loop. 0, or -RT_EUNAVAILABLE
 * when the runtime is stopping. What runs still when the instance stops is cancelled and awaited,
 * as services are; that holds for rt_run_async too. */
static inline int rt_post(rt_instance *instance, rt_work work, void *argument)
{
    return rt_host_table->post(instance, work, argument);
}

/* A handle that cancels the work it is given to, from any thread, as often as wanted. The owner
 * frees it after that work has ended. */
static inline rt_cancel *rt_cancel_new(void)
{
    return rt_host_table->cancel_new();
}
static inline void rt_cancel_fire(rt_cancel *cancel)
{
    rt_host_table->cancel_fire(cancel);
}
static inline void rt_cancel_free(rt_cancel *cancel)
{
    rt_host_table->cancel_free(cancel);
}

#endif
