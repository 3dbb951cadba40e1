/* metric.h — what a process counts and measures, in memory that others read
 *
 * An instrument is a static struct with an OpenTelemetry name and a UCUM unit; a series is one set
 * of its labels. Finding a series costs a hash of its labels (about 50 ns); whoever is called often
 * keeps it, and then adding costs a store.
 *
 *     static rt_instrument sent = {.name = "mail.sent", .unit = "{mail}", .help = "Mails sent"};
 *     rt_series_add(rt_series_of(&sent, &(rt_metric_label){"kind", RT_STR("receipt")}, 1), 1);
 *
 * All of it lives in a room (metric_room.h) that rt_metrics_open was given, or in private memory
 * before that. One thread writes: the loop's. There are no locks; a value is one relaxed store.
 * Counters and histograms of a room go on where its former process left them, gauges begin anew.
 *
 * A series lives as long as the process. An instrument has at most `limit` of them; what would be
 * one more, or has no room, is told by the series `otel.metric.overflow="true"`.
 */
#ifndef RT_TELEMETRY_METRIC_H
#define RT_TELEMETRY_METRIC_H

#include <rt/abi.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum rt_instrument_kind {
    RT_COUNTER,      /* whole, never goes back: rt_series_add */
    RT_GAUGE,        /* rt_series_set, rt_series_change */
    RT_HISTOGRAM,    /* rt_series_observe */
    RT_COUNTER_REAL, /* as RT_COUNTER, of parts as well: rt_series_add_real */
    RT_INSTRUMENT_KINDS,
};

/* What a gauge of several workers comes to. Counters and histograms are always summed. */
enum rt_aggregate {
    RT_SUM,
    RT_MAX,
    RT_EACH, /* labels `rt.worker` and `rt.generation` tell them apart */
    RT_AGGREGATES,
};

#define RT_BOUNDS_MOST 60
#define RT_LABELS_MOST 16
#define RT_SERIES_LIMIT 2000 /* an instrument, unless rt_metrics_limit says otherwise */

/* The bytes of a room hold 10,000 series of the size that HTTP's histograms have. */
#define RT_METRIC_ROOM ((size_t)4 << 20)

typedef struct rt_instrument {
    const char *name; /* "http.server.request.duration" */
    const char *unit; /* "s", "By", "{request}", "1" */
    const char *help;
    enum rt_instrument_kind kind;
    enum rt_aggregate aggregate;
    const double *bounds; /* of a histogram's buckets, ascending */
    uint32_t bound_count;
    uint32_t limit; /* of series; 0: the limit of all */
    /* metric.c's: */
    uint64_t epoch;
    struct rt_instrument_record *record;
} rt_instrument;

/* Values are cut at 255 bytes, and what is no UTF-8 or a control replaced. */
typedef struct rt_metric_label {
    const char *name; /* "http.route" */
    rt_str value;
} rt_metric_label;

typedef struct rt_series {
    uint64_t *values; /* in the room: the value; or the sum, then the buckets */
    const double *bounds;
    uint32_t bound_count;
    uint32_t kind;
} rt_series;

/* --- the room -------------------------------------------------------------------------------- */

/* `room` is RT_METRIC_ROOM bytes that outlive the process's use of metrics, zeroed or as a process
 * left them; NULL: private ones. Series that were found before stay where they were. */
void rt_metrics_open(void *room, size_t size);
/* Series an instrument that is used from now on, unless its own limit is lower. */
void rt_metrics_limit(uint32_t series);
/* For tests: forgets all that was opened. */
void rt_metrics_close(void);
/* What this process writes to, for a reader in it. */
const void *rt_metrics_room(size_t *size);

/* --- series ---------------------------------------------------------------------------------- */

/* Never NULL. The labels may come in any order; at most RT_LABELS_MOST count. */
rt_series *rt_series_of(rt_instrument *instrument, const rt_metric_label *labels, size_t count);

static inline double rt_bits_real(uint64_t bits)
{
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

static inline uint64_t rt_real_bits(double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits;
}

/* Others read it meanwhile; nobody else writes. */
static inline void rt_value_store(uint64_t *value, uint64_t bits)
{
    __atomic_store_n(value, bits, __ATOMIC_RELAXED);
}

static inline void rt_series_add(rt_series *series, uint64_t more)
{
    rt_value_store(series->values, *series->values + more);
}

/* What is negative, infinite or no number is left out. */
static inline void rt_series_add_real(rt_series *series, double more)
{
    if (more >= 0 && more <= __DBL_MAX__)
        rt_value_store(series->values, rt_real_bits(rt_bits_real(*series->values) + more));
}

static inline void rt_series_set(rt_series *series, double value)
{
    rt_value_store(series->values, rt_real_bits(value));
}

/* Of a gauge that goes up and down. */
static inline void rt_series_change(rt_series *series, double more)
{
    rt_series_set(series, rt_bits_real(*series->values) + more);
}

/* The bucket is the first whose bound is not below the value. */
static inline void rt_series_observe(rt_series *series, double value)
{
    uint32_t bucket = 0;
    if (!(value >= -__DBL_MAX__ && value <= __DBL_MAX__))
        return;
    while (bucket < series->bound_count && value > series->bounds[bucket])
        bucket++;
    rt_series_change(series, value);
    uint64_t *counted = &series->values[1 + bucket];
    rt_value_store(counted, *counted + 1);
}

#endif
