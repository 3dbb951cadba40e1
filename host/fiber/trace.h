/* trace.h — where a unit of work is in a trace, and what it has under way
 *
 * Every context carries an rt_trace, so that what happens in it finds its place at no cost; who
 * makes ids and decides about sampling is telemetry/span.h. Children and nested work begin where
 * their parent is.
 *
 * Source: W3C Trace Context; its ids are kept as numbers here.
 */
#ifndef RT_FIBER_TRACE_H
#define RT_FIBER_TRACE_H

#include <rt/abi.h>
#include <stdbool.h>

/* Something to be concluded even if the unit ends in the middle of it, as by rt_die. Lies in memory
 * of its owner; rt_open_push and rt_open_pop bracket it. */
typedef struct rt_open {
    struct rt_open *outer;
    /* The unit has ended, its exit is settled and its finalizers have run; or what it lies within
     * is concluded, and it was forgotten there. No longer pushed. */
    void (*abandon)(rt_ctx *ctx, struct rt_open *open);
} rt_open;

enum rt_trace_flags {
    RT_TRACE_SAMPLED = 1, /* as in `traceparent` */
};

typedef struct rt_trace {
    uint64_t high, low; /* id of the trace; both 0: none yet */
    uint64_t parent;    /* id of the innermost span, perhaps of another process; 0: none */
    const char *state;  /* `tracestate`; lives as long as the root of the units; NULL: none */
    rt_open *open;      /* the innermost of this unit */
    uint32_t flags;     /* rt_trace_flags */
} rt_trace;

/* How every context of the host begins. */
typedef struct rt_traced {
    rt_ctx context;
    rt_trace trace;
} rt_traced;

static inline rt_trace *rt_trace_of(const rt_ctx *ctx)
{
    return &((rt_traced *)ctx)->trace;
}

static inline void rt_open_push(rt_trace *trace, rt_open *open)
{
    open->outer = trace->open;
    trace->open = open;
}

/* The innermost; false: there is none. */
static inline bool rt_open_abandon(rt_ctx *ctx)
{
    rt_trace *trace = rt_trace_of(ctx);
    rt_open *open = trace->open;
    if (!open)
        return false;
    trace->open = open->outer;
    open->abandon(ctx, open);
    return true;
}

/* Abandons whatever was pushed after it and is not popped yet. */
static inline void rt_open_pop(rt_ctx *ctx, const rt_open *open)
{
    while (rt_trace_of(ctx)->open != open)
        if (!rt_open_abandon(ctx))
            return;
    rt_trace_of(ctx)->open = open->outer;
}

#endif
