/* metric_view.h — the metrics of many rooms as one: what a scrape, an exporter or a person is told
 *
 *     rt_metric_view *view = rt_metric_view_new();
 *     rt_metric_view_add(view, room, size, &(rt_metric_source){.alive = true, .worker = 1});
 *     rt_metric_view_finish(view);
 *     … view->families …
 *     rt_metric_view_free(view);
 *
 * Series with the same name and labels are merged: counters and histograms summed, gauges as their
 * instrument says, and only of processes that live. Any thread may do this; rooms are only read.
 */
#ifndef RT_TELEMETRY_METRIC_VIEW_H
#define RT_TELEMETRY_METRIC_VIEW_H

#include "base/arena.h"
#include "telemetry/metric_room.h"

/* Whose room it is. */
typedef struct rt_metric_source {
    bool alive;      /* its gauges count */
    uint32_t worker; /* 0: the supervisor */
    uint32_t generation;
} rt_metric_source;

/* A series; rt_labels_next walks its labels. */
typedef struct rt_metric_point {
    struct rt_metric_family *family;
    uint64_t hash;
    rt_str labels;
    uint64_t *values; /* the count, or a real's bits (rt_bits_real); a histogram's sum, as a real's
                         bits, and behind it its buckets, not cumulated */
} rt_metric_point;

typedef struct rt_metric_family {
    rt_str name, unit, help;
    uint32_t kind, aggregate; /* rt_instrument_kind, rt_aggregate */
    uint32_t bound_count;     /* it has one bucket more */
    const double *bounds;
    rt_metric_point **points; /* by labels */
    size_t point_count;
    struct rt_metric_family *next;
} rt_metric_family;

typedef struct rt_metric_view {
    rt_metric_family **families; /* by name, once it is finished */
    size_t family_count;
    /* metric_view.c's: */
    rt_arena arena;
    rt_metric_family *first;
    rt_metric_point **table;
    size_t table_size, point_count;
    void *copy;
    size_t copy_size;
} rt_metric_view;

rt_metric_view *rt_metric_view_new(void);
void rt_metric_view_free(rt_metric_view *view);
/* A room that is none adds nothing. */
void rt_metric_view_add(rt_metric_view *view, const void *room, size_t size,
                        const rt_metric_source *source);
/* Sorts, and leaves out what has no series. Nothing can be added any more. */
void rt_metric_view_finish(rt_metric_view *view);

const rt_metric_family *rt_metric_view_find(const rt_metric_view *view, const char *name);
/* Of a histogram: how many values it has seen. */
uint64_t rt_metric_point_count(const rt_metric_point *point);

#endif
