/* rt/span.h — spans: what a unit of work did, when, and inside of what
 *
 * The host makes most spans: of each request, of each call of a capability, of rt_run. An author
 * adds attributes and events to the one that is open, or spans of his own in between. Where traces
 * are off, not sampled, or nobody listens, a span is NULL and everything here costs a call.
 *
 * Ownership: texts are copied. A span is open from rt_span_start to rt_span_finish in the context
 * it was started in; one that is forgotten ends with its unit of work. Waiting: nothing here waits.
 * Threads: the fiber that runs the context. Limits: 128 attributes and events a span, 16 KiB a
 * text, 31 KiB in all; more is left out and counted. Of attributes with one name the last counts.
 *
 * Source: OpenTelemetry's trace API and semantic conventions (1.27); W3C Trace Context.
 *
 *     rt_span *span = rt_span_start(ctx, "price the order", RT_SPAN_INTERNAL);
 *     rt_span_attributes(ctx, {"order.id", id}, {"order.lines", NULL, count});
 *     int result = price(ctx, order);
 *     return rt_span_finish(ctx, span, result);
 */
#ifndef RT_SPAN_H
#define RT_SPAN_H

#include <rt/abi.h>
#include <rt/error.h>
#include <rt/host.h>
#include <rt/log.h>

enum rt_span_kind {
    RT_SPAN_INTERNAL = 1,
    RT_SPAN_SERVER = 2,
    RT_SPAN_CLIENT = 3,   /* waits for an answer of another process */
    RT_SPAN_PRODUCER = 4, /* hands over a message */
    RT_SPAN_CONSUMER = 5, /* works on one */
};

/* Opens a span inside of the one that is open. NULL: it is not recorded, which all else here takes.
 */
static inline rt_span *rt_span_start(rt_ctx *ctx, const char *name, uint32_t kind)
{
    return RT_HAS(rt_host_table, span_start) ? rt_host_table->span_start(ctx, name, kind) : NULL;
}

/* Ends it, and those inside that are still open; returns `result`. Negative is an error: status,
 * `error.type`, and an `exception` event with the context's error if that belongs to it. */
static inline int rt_span_finish(rt_ctx *ctx, rt_span *span, int result)
{
    if (span)
        rt_host_table->span_finish(ctx, span, result);
    return result;
}

/* 1 if attributes of the open span are kept: to spare the work of making them. */
static inline int rt_span_recorded(const rt_ctx *ctx)
{
    return RT_HAS(rt_host_table, span_recorded) && rt_host_table->span_recorded(ctx);
}

static inline void rt_span_add(rt_ctx *ctx, const char *event, const rt_field *fields,
                               uint64_t count)
{
    if (RT_HAS(rt_host_table, span_add))
        rt_host_table->span_add(ctx, event, fields, count);
}

/* Attributes of the open span:  rt_span_attributes(ctx, {"order.id", id}, {"lines", NULL, 3}); */
#define rt_span_attributes(ctx_, ...)                                                  \
    do {                                                                               \
        RT_FIELDS_BEGIN_ const rt_field rt_fields_[] = {__VA_ARGS__};                  \
        RT_FIELDS_END_                                                                 \
        rt_span_add(ctx_, NULL, rt_fields_, sizeof rt_fields_ / sizeof rt_fields_[0]); \
    } while (0)

/* Something that happens now:  rt_span_event_with(ctx, "cache miss", {"key", key}); */
#define rt_span_event_with(ctx_, event_, ...)                                            \
    do {                                                                                 \
        RT_FIELDS_BEGIN_ const rt_field rt_fields_[] = {__VA_ARGS__};                    \
        RT_FIELDS_END_                                                                   \
        rt_span_add(ctx_, event_, rt_fields_, sizeof rt_fields_ / sizeof rt_fields_[0]); \
    } while (0)

/* --- other processes ------------------------------------------------------------------------- */

#define RT_TRACEPARENT_SIZE 56u /* with its NUL */

/* For a call of another process: the value of `traceparent`. Returns that of `tracestate`, or NULL
 * where there is none to be sent. `text` is empty where traces are off. */
static inline const char *rt_traceparent(rt_ctx *ctx, char text[RT_TRACEPARENT_SIZE])
{
    text[0] = '\0';
    return RT_HAS(rt_host_table, traceparent) ? rt_host_table->traceparent(ctx, text) : NULL;
}

/* What is known of them. */
static inline void rt_span_describe_(rt_ctx *ctx, const rt_field *fields, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (fields[i].text || fields[i].integer)
            rt_span_add(ctx, NULL, &fields[i], 1);
}

/* What a client span of HTTP tells; NULL and 0: left out. The URL without user and password. */
typedef struct rt_span_http {
    const char *method; /* as sent */
    const char *url;
    const char *address; /* of the server */
    int32_t port;
    int32_t status; /* 0: no answer came */
} rt_span_http;

static inline void rt_span_describe_http(rt_ctx *ctx, const rt_span_http *call)
{
    const rt_field fields[] = {{"http.request.method", call->method, 0},
                               {"url.full", call->url, 0},
                               {"server.address", call->address, 0},
                               {"server.port", NULL, call->port},
                               {"http.response.status_code", NULL, call->status}};
    rt_span_describe_(ctx, fields, sizeof fields / sizeof fields[0]);
}

/* What a client span of a database tells; its name is `operation collection`, or what of that is
 * known, or the system. NULL: left out. */
typedef struct rt_span_database {
    const char *system;     /* "postgresql", "sqlite", "redis" */
    const char *space;      /* the database: db.namespace */
    const char *operation;  /* "SELECT" */
    const char *collection; /* the table */
    const char *query;      /* with placeholders, never with values */
    const char *address;
    int32_t port;
} rt_span_database;

static inline void rt_span_describe_database(rt_ctx *ctx, const rt_span_database *call)
{
    const rt_field fields[] = {{"db.system", call->system, 0},
                               {"db.namespace", call->space, 0},
                               {"db.operation.name", call->operation, 0},
                               {"db.collection.name", call->collection, 0},
                               {"db.query.text", call->query, 0},
                               {"server.address", call->address, 0},
                               {"server.port", NULL, call->port}};
    rt_span_describe_(ctx, fields, sizeof fields / sizeof fields[0]);
}

/* What a producer's or consumer's span tells; its name is `operation destination`. */
typedef struct rt_span_message {
    const char *system;      /* "redis", "smtp" */
    const char *operation;   /* "send", "receive", "process": messaging.operation.type */
    const char *destination; /* queue or topic */
    const char *id;          /* of the message */
} rt_span_message;

static inline void rt_span_describe_message(rt_ctx *ctx, const rt_span_message *message)
{
    const rt_field fields[] = {{"messaging.system", message->system, 0},
                               {"messaging.operation.type", message->operation, 0},
                               {"messaging.destination.name", message->destination, 0},
                               {"messaging.message.id", message->id, 0}};
    rt_span_describe_(ctx, fields, sizeof fields / sizeof fields[0]);
}

#endif
