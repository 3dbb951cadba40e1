/* top_sample.h — what `rtctl top` knows of one moment, and what happened between two */
#ifndef RT_RTCTL_TOP_SAMPLE_H
#define RT_RTCTL_TOP_SAMPLE_H

#include "base/arena.h"

#include <rt/json.h>
#include <stddef.h>
#include <stdint.h>

#define RT_TOP_BOUNDS 64

/* A line of the metrics: `name{labels} value`. */
typedef struct rt_top_line {
    const char *name, *labels;
    double value;
} rt_top_line;

typedef struct rt_top_sample {
    rt_arena arena;
    uint64_t at; /* monotonic ns */
    const rt_json_value *status;
    rt_top_line *lines;
    size_t count;
} rt_top_sample;

/* False: one of the texts is not what an rtd answers. The metrics' text is taken apart. */
bool rt_top_sample_take(rt_top_sample *sample, const char *status, size_t length, char *metrics);
void rt_top_sample_free(rt_top_sample *sample);

/* The value of a label, copied to the sample's arena; NULL: there is none. */
const char *rt_top_label(rt_top_sample *sample, const rt_top_line *line, const char *name);
/* Of all lines of the name that have the label's value (`label` NULL: of all). */
double rt_top_sum(rt_top_sample *sample, const char *name, const char *label, const char *value);

/* What one route, or one effect, came to. */
typedef struct rt_top_row {
    const char *key; /* "GET /orders/{id}" */
    double count, failed;
    double bounds[RT_TOP_BOUNDS], counts[RT_TOP_BOUNDS]; /* cumulated; the last bound is infinite */
    size_t bound_count;
    const char *state; /* of its breaker; or NULL */
} rt_top_row;

typedef struct rt_top_rows {
    rt_top_row *items;
    size_t count;
} rt_top_rows;

/* Between the samples, the busiest first, in the arena of `now`. */
rt_top_rows rt_top_routes(rt_top_sample *before, rt_top_sample *now);
rt_top_rows rt_top_effects(rt_top_sample *before, rt_top_sample *now);
/* All of them as one. */
rt_top_row rt_top_total(const rt_top_rows *rows);
/* In seconds, within the bucket in proportion; negative: nothing was seen. */
double rt_top_quantile(const rt_top_row *row, double share);

#endif
