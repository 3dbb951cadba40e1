/* internal.h — what the files of fiber/ share
 *
 * A unit is context, fiber and arena in one. It is resumed by whoever starts it or by the loop, and
 * leaves to whoever resumed it. A unit that waits has a waiter on its own stack; who can end the
 * wait calls rt_wake, once.
 */
#ifndef RT_FIBER_INTERNAL_H
#define RT_FIBER_INTERNAL_H

#include "fiber/fiber.h"
#include "fiber/list.h"
#include "fiber/sanitizer.h"
#include "fiber/stack.h"
#include "fiber/switch.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

typedef struct rt_unit rt_unit;

typedef struct rt_waiter {
    rt_list link; /* in the queue of what it waits for */
    rt_unit *unit;
    const char *what; /* is waited for, for people */
    int number;       /* of the descriptor, if that is what */
    /* The unit was cancelled or its time is out: takes the waiter out and wakes it with the reason,
     * now or later. NULL: the wait cannot be interrupted. */
    void (*interrupt)(struct rt_waiter *waiter, int reason);
    int result;
} rt_waiter;

typedef struct rt_finalizer {
    struct rt_finalizer *older;
    rt_instance *instance;
    void (*run)(rt_ctx *ctx, void *argument);
    void *argument;
} rt_finalizer;

/* What rt_set_context_value keeps, in the arena of the unit that set it. */
typedef struct rt_context_entry {
    struct rt_context_entry *older;
    const void *key;
    void *value;
} rt_context_entry;

struct rt_unit {
    rt_ctx context; /* first: an rt_ctx is its unit */
    rt_trace trace; /* second: rt_trace_of */

    void *here;        /* where the fiber waits */
    void *back;        /* who resumed it */
    size_t stack_size; /* as asked for */
    rt_stack *stack;
    rt_stack *abandoned; /* by rt_die, until the next one is in use */
    rt_shadow shadow, abandoned_shadow;
    rt_list ready;
    rt_waiter *waiter; /* NULL: runs, is ready, or has ended */
    int on_time;       /* the reason when the timer fires */

    bool cancelled;
    bool shielded; /* its finalizers run */
    bool timed;    /* the timer is set */
    bool spanned;
    int result;
    uint32_t kind; /* rt_exit_kind, once the body has ended */
    uint64_t deadline;
    uint64_t limit;           /* of the attempt that is under way; 0: none */
    uint64_t shield_deadline; /* of the finalizer that runs; 0: it has not waited yet */
    const rt_error *error;    /* the last */
    const rt_error *exit_error, *finalizer_error;
    const char *defect;
    rt_finalizer *finalizers;
    rt_context_entry *values, *inherited; /* innermost first; where the parent's begin */

    rt_unit *parent, *root;
    rt_list children;
    rt_list sibling; /* in the parent's children, or among the roots */
    rt_waiter *children_waiter;
    rt_task *failed; /* the child that failed first */
    rt_list cancel_link;
    rt_list held; /* mutexes */

    const char *name;
    rt_work work;
    void *argument;
    void (*done)(rt_ctx *ctx, const rt_exit *exit, void *argument);
    void *done_argument;
    const char *correlation;
    rt_instance *home; /* whose work it is, whoever's code runs */
    uint32_t entry;
    uint64_t began; /* ms, by the loop's clock */

    /* From here on kept while the unit is idle. */
    rt_arena arena;
    uv_timer_t timer;
    rt_unit *next_idle;
};

typedef struct rt_loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_async_t async;
    rt_list ready;
    rt_list roots, root_waiters; /* units without a parent, and who awaits their end */
    rt_unit *idle_units;
    uint32_t idle_count, alive;
    size_t stack_size;
    uint64_t finalizer_timeout;
    bool open;
    rt_loop_marks *marks;
    uint32_t (*service_entry)(void *argument, const rt_instance *instance, const char *name);
    void *service_entry_argument;
    void (*turned)(uint64_t nanoseconds);
    void (*called)(uint64_t waited, uint64_t ran);
    uint64_t woke; /* when it last looked; only where somebody wants to know */
    void (*report)(rt_ctx *ctx, const char *name, const rt_exit *exit);
    void (*span)(rt_ctx *ctx, const char *name);
} rt_loop;

extern rt_loop rt_the_loop;
/* NULL outside of fibers, so in other threads too. */
extern _Thread_local rt_unit *rt_current_unit __attribute__((tls_model("initial-exec")));
/* In a thread of the pool: whose blocking call it runs. */
extern _Thread_local rt_unit *rt_blocked_unit __attribute__((tls_model("initial-exec")));

_Noreturn void rt_misuse(const char *what);

static inline rt_unit *rt_unit_of(const rt_ctx *ctx)
{
    if (__builtin_expect(!ctx || ctx->magic != RT_CTX_MAGIC, 0))
        rt_misuse("a function was given a context that is none, or has ended");
    return (rt_unit *)ctx;
}

/* --- unit.c ---------------------------------------------------------------------------------- */
/* As rt_unit_start; `parent` or NULL. */
rt_ctx *rt_unit_launch(rt_unit *parent, const rt_unit_options *options, rt_work work,
                       void *argument);
void rt_unit_free_idle(void);
/* After its fiber has left for good. */
void rt_unit_left(rt_unit *unit);

/* OpenSSL's error queue is the thread's: what a fiber leaves in it while it waits, another would
 * take for its own. Looked at where speed does not count. */
#if RT_SANITIZED
void rt_check_left_behind(void);
#else
static inline void rt_check_left_behind(void)
{
}
#endif

/* Plain stores that the compiler neither moves nor splits. */
RT_ALWAYS_INLINE uint32_t rt_mark_entered(uint32_t entry)
{
    rt_loop_marks *marks = rt_the_loop.marks;
    uint32_t before = marks->running;
    __atomic_store_n(&marks->turns, marks->turns + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&marks->running, entry, __ATOMIC_RELAXED);
    return before;
}

RT_ALWAYS_INLINE void rt_mark_left(uint32_t before)
{
    __atomic_store_n(&rt_the_loop.marks->running, before, __ATOMIC_RELAXED);
}

/* Both sides of a switch are inlined: a `ret` after a jump is mispredicted, 10 ns each. */

/* Runs it until it waits or ends; true: it has ended and is gone. */
RT_ALWAYS_INLINE bool rt_unit_resume(rt_unit *unit)
{
    int kept = errno;
    void *fake = NULL;
    rt_unit *starter = rt_current_unit;
    uint32_t before = rt_mark_entered(unit->entry);
    rt_current_unit = unit;
    rt_shadow_enter(&unit->shadow, &fake, unit->stack->low, unit->stack->size);
    rt_transfer transfer = jump_fcontext(unit->here, unit);
    rt_shadow_entered(fake);
    rt_current_unit = starter;
    if (__builtin_expect(!transfer.data, 1))
        unit->here = transfer.context;
    else
        rt_unit_left(unit);
    rt_mark_left(before);
    errno = kept;
    return transfer.data != NULL;
}

/* Out of the running unit, until it is resumed. */
RT_ALWAYS_INLINE void rt_unit_suspend(rt_unit *unit)
{
    int kept = errno;
    rt_check_left_behind();
    rt_shadow_leave(&unit->shadow, false);
    unit->back = jump_fcontext(unit->back, NULL).context;
    rt_shadow_arrived(&unit->shadow);
    errno = kept;
}

/* --- scope.c --------------------------------------------------------------------------------- */
/* The next of the tree under `top`, with or without what is below `unit`; NULL at its end. Trees
 * may be deeper than a stack has room for recursion. */
rt_unit *rt_unit_next(rt_unit *unit, const rt_unit *top, bool below);
void rt_children_cancel(rt_unit *unit);
void rt_children_await(rt_unit *unit);
void rt_child_leaves(rt_unit *unit);
bool rt_unit_is_task(const rt_unit *unit);
/* After the body: awaits children, settles the exit, runs the finalizers. */
void rt_unit_finish(rt_unit *unit);
void rt_finalizer_failed(rt_unit *unit, int code, const char *message);
/* The exit with all it points to copied to an arena. */
void rt_exit_copy(rt_arena *arena, rt_exit *to, const rt_exit *from);

/* --- wait.c ---------------------------------------------------------------------------------- */
/* 0 if it is the unit of the running fiber. */
int rt_wait_own(rt_unit *unit);
/* 0 if the unit may wait now, else the reason why not, also as its error. */
int rt_wait_check(rt_unit *unit);
/* Waits until rt_wake; `until` (absolute, 0: none) passing wakes it with `on_time`. */
int rt_wait(rt_unit *unit, rt_waiter *waiter, uint64_t until, int on_time);
void rt_wake(rt_waiter *waiter, int result);
/* An `interrupt` for waiters in a queue. */
void rt_waiter_leave(rt_waiter *waiter, int reason);
/* Wakes the first; false if nobody waits. */
bool rt_wake_first(rt_list *queue, int result);
void rt_wake_all(rt_list *queue, int result);
uint64_t rt_effective_deadline(rt_unit *unit);
/* Of two deadlines, where 0 is none. */
static inline uint64_t rt_sooner(uint64_t one, uint64_t other)
{
    if (!one || !other)
        return one | other;
    return one < other ? one : other;
}

/* --- loop.c ---------------------------------------------------------------------------------- */
void rt_loop_ready(rt_unit *unit);
extern _Thread_local bool rt_on_loop __attribute__((tls_model("initial-exec")));
static inline bool rt_deadline_passed(uint64_t deadline)
{
    /* The loop's clock is at most late, and reading it is free. */
    return deadline && uv_now(&rt_the_loop.uv) * 1000000u >= deadline;
}

/* --- descriptor.c ---------------------------------------------------------------------------- */
int rt_descriptors_open(void);
void rt_descriptors_close(void); /* before the loop's handles are closed */
void rt_descriptors_free(void);  /* after */

/* --- remote.c and cancel.c: what other threads have sent ------------------------------------- */
void rt_remote_open(void);
void rt_remote_close(void);
void rt_remote_drain(void);
/* Guards the queues from other threads, and that the loop is there to be woken. */
extern pthread_mutex_t rt_remote_lock;
void rt_remote_wake(void); /* with the lock held */
void rt_cancel_drain(void);
void rt_cancel_attach(rt_cancel *cancel, rt_unit *unit);

/* A thread of its own that waits for a unit's end. */
typedef struct rt_foreign {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ended;
    rt_exit exit;
    rt_arena *arena; /* of what the exit points to */
} rt_foreign;
int rt_remote_send(const rt_run_options *options, const char *name, rt_foreign *foreign,
                   rt_work work, void *argument);
/* For an end that nobody else gets to know. */
void rt_report(rt_ctx *ctx, const char *name, const rt_exit *exit);

/* --- sync.c ---------------------------------------------------------------------------------- */
void rt_mutexes_release(rt_unit *unit);

/* --- error.c --------------------------------------------------------------------------------- */
extern const rt_error rt_error_cancelled, rt_error_deadline;
/* The unit's error if it belongs to the result, else what the code means. */
const rt_error *rt_error_for(const rt_unit *unit, int result);
const rt_error *rt_error_meaning(int result);
const rt_error *rt_error_copy(rt_arena *arena, const rt_error *error);

/* --- correlation.c --------------------------------------------------------------------------- */
int rt_correlation_seed(void);
bool rt_correlation_valid(const char *id);

#endif
