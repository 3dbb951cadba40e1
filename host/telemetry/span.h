/* span.h — spans: what happened when, inside of what
 *
 * A span is open in the context it was opened in, from rt_span_open to rt_span_close; those opened
 * meanwhile are inside it. When somebody listens (an exporter, developer tools) and the trace is
 * sampled, it is recorded and put out at its end. A trace that is not sampled costs a test: its
 * spans are NULL, and every function here takes that.
 *
 * All for the loop's thread. Nothing here waits.
 *
 * Source: OpenTelemetry's trace API and SDK; W3C Trace Context, levels 1 and 2.
 */
#ifndef RT_TELEMETRY_SPAN_H
#define RT_TELEMETRY_SPAN_H

#include "base/buffer.h"
#include "fiber/fiber.h"
#include "telemetry/record.h"

#include <rt/log.h>
#include <rt/span.h>

#define RT_SPAN_NOTES 128u       /* most attributes and events of a span */
#define RT_SPAN_EVENT_NOTES 128u /* most attributes of an event */

struct rt_span {
    rt_open open; /* first; pushed while it is open, unless it is a request's */
    struct rt_span *next_idle;
    const char *name;            /* lives as long as the span */
    const rt_instance *instance; /* whose code opened it; NULL: the host */
    rt_trace place;              /* its trace; `parent` is its parent */
    uint64_t id;
    uint64_t began; /* monotonic ns */
    uint32_t kind;
    uint32_t status; /* rt_span_status; RT_STATUS_UNSET: by how it ends */
    uint32_t note_count, dropped;
    bool authored; /* what is added may be there already */
    rt_buffer notes;
    rt_buffer title; /* a name that would not live as long */
};

typedef struct rt_span_options {
    bool traces;     /* false: none are made, and what comes in is only passed on */
    double sampling; /* share of the traces that begin here */
} rt_span_options;

void rt_spans_configure(const rt_span_options *options);
void rt_spans_free(void); /* the pool */

/* Whether traces are made. */
bool rt_spans_are_on(void);
/* Begins a trace where there is none: its id, and whether it is sampled. */
void rt_trace_begin(rt_trace *trace);

/* A span that is not recorded is NULL. */
rt_span *rt_span_open(rt_ctx *ctx, const char *name, enum rt_span_kind kind, uint64_t now);
/* `result` 0 or -RT_E…, with the context's error if that belongs to it. */
void rt_span_close(rt_ctx *ctx, rt_span *span, uint64_t now, int result);
/* The innermost recorded span of the context; NULL: none. */
rt_span *rt_span_current(const rt_ctx *ctx);
/* For rt_loop_options.span. */
void rt_span_of_work(rt_ctx *ctx, const char *name);

/* A span that no unit of work brackets: it begins inside of `place`, whose parent it becomes. */
rt_span *rt_span_begin(rt_trace *place, const char *name, enum rt_span_kind kind,
                       const rt_instance *instance, uint64_t now);
/* What happens in the context from now on is said of it; it is not ended with the context. */
void rt_span_enter(rt_ctx *ctx, rt_span *span);
/* Tells developer tools that it has begun, with what it says of itself by now. */
void rt_span_announce(rt_span *span);
/* `ctx`: whose correlation id it gets; or NULL. `error`: what went wrong, or an empty text. */
void rt_span_end(const rt_ctx *ctx, rt_span *span, uint64_t now, rt_str error);

/* Attributes. The last of a name counts; beyond the limits they are counted as dropped. */
void rt_span_text(rt_span *span, const char *name, const char *text); /* NULL text: left out */
void rt_span_bytes(rt_span *span, const char *name, rt_str text);     /* empty: left out */
void rt_span_integer(rt_span *span, const char *name, int64_t value);
/* An event with attributes; fields as logs have them. */
void rt_span_event(rt_span *span, const char *name, const rt_field *fields, size_t count);
/* The `exception` event, and `error.type`; at the time of its end, not after it. */
void rt_span_error(rt_span *span, uint64_t now, const char *type, const char *message);

/* --- W3C Trace Context ----------------------------------------------------------------------- */

#define RT_TRACEPARENT_LENGTH 55u

/* True if `text` is a `traceparent`; only then is `trace` changed, but for its `state`. */
bool rt_traceparent_read(rt_trace *trace, rt_str text);
/* Of what is called from here; 55 characters and a NUL. Begins a trace where there is none. */
void rt_traceparent_write(char text[RT_TRACEPARENT_LENGTH + 1], rt_trace *trace);
/* What is kept of one `tracestate` header field, or several joined by a comma: at most 512 bytes of
 * well-formed members; empty: it is damaged, and dropped as the specification says. */
rt_str rt_tracestate_judge(rt_str text);

/* Behind the SDK's table. */
rt_span *rt_host_span_start(rt_ctx *ctx, const char *name, uint32_t kind);
void rt_host_span_finish(rt_ctx *ctx, rt_span *span, int result);
int rt_host_span_recorded(const rt_ctx *ctx);
void rt_host_span_add(rt_ctx *ctx, const char *event, const rt_field *fields, uint64_t count);
const char *rt_host_traceparent(rt_ctx *ctx, char *text);

void rt_hexadecimal(char text[17], uint64_t value); /* 16 digits and a NUL */

/* Monotonic ns as ns since the epoch; the offset is looked at each second. */
uint64_t rt_wall_time(uint64_t monotonic);

#endif
