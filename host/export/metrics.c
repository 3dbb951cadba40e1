#include "export/metrics.h"

#include "export/otlp.h"
#include "export/otlp_fields.h"
#include "export/protobuf.h"

static const struct {
    uint32_t data; /* field of Metric */
    bool is_sum, is_cumulative;
} forms[RT_INSTRUMENT_KINDS] = {
    [RT_COUNTER] = {RT_OTLP_METRIC_SUM, true, true},
    [RT_COUNTER_REAL] = {RT_OTLP_METRIC_SUM, true, true},
    [RT_GAUGE] = {RT_OTLP_METRIC_GAUGE, false, false},
    [RT_HISTOGRAM] = {RT_OTLP_METRIC_HISTOGRAM, false, true},
};

static void write_labels(rt_buffer *out, uint32_t number, const rt_metric_point *point)
{
    rt_str rest = point->labels, name, value;
    while (rt_labels_next(&rest, &name, &value))
        rt_otlp_text_attribute(out, number, name, value);
}

static void write_number(rt_buffer *out, const rt_metric_point *point, const rt_metric_times *times)
{
    const rt_metric_family *family = point->family;
    if (forms[family->kind].is_cumulative)
        rt_pb_fixed64(out, RT_OTLP_NUMBER_START, times->began);
    rt_pb_fixed64(out, RT_OTLP_NUMBER_TIME, times->now);
    if (family->kind == RT_COUNTER)
        rt_pb_fixed64(out, RT_OTLP_NUMBER_INT, point->values[0]);
    else
        rt_pb_fixed64(out, RT_OTLP_NUMBER_DOUBLE, point->values[0]); /* its bits */
    write_labels(out, RT_OTLP_NUMBER_ATTRIBUTES, point);
}

static void write_histogram(rt_buffer *out, const rt_metric_point *point,
                            const rt_metric_times *times)
{
    const rt_metric_family *family = point->family;
    size_t bounds = family->bound_count;
    rt_pb_fixed64(out, RT_OTLP_HISTOGRAM_START, times->began);
    rt_pb_fixed64(out, RT_OTLP_HISTOGRAM_TIME, times->now);
    rt_pb_fixed64(out, RT_OTLP_HISTOGRAM_COUNT, rt_metric_point_count(point));
    rt_pb_fixed64(out, RT_OTLP_HISTOGRAM_SUM, point->values[0]); /* its bits */
    rt_pb_bytes(out, RT_OTLP_HISTOGRAM_COUNTS, point->values + 1, 8 * (bounds + 1));
    if (bounds)
        rt_pb_bytes(out, RT_OTLP_HISTOGRAM_BOUNDS, family->bounds, 8 * bounds);
    write_labels(out, RT_OTLP_HISTOGRAM_ATTRIBUTES, point);
}

static void write_string(rt_buffer *out, uint32_t number, rt_str text)
{
    if (text.length)
        rt_pb_string(out, number, text.data, text.length);
}

size_t rt_otlp_family(rt_buffer *items, const rt_metric_family *family, size_t from,
                      const rt_metric_times *times)
{
    size_t left = family->point_count - from;
    size_t count = left < RT_METRIC_POINTS ? left : RT_METRIC_POINTS;
    size_t metric = rt_pb_open(items, RT_OTLP_OF_SCOPE_ITEMS);
    write_string(items, RT_OTLP_METRIC_NAME, family->name);
    write_string(items, RT_OTLP_METRIC_DESCRIPTION, family->help);
    write_string(items, RT_OTLP_METRIC_UNIT, family->unit);
    size_t data = rt_pb_open(items, forms[family->kind].data);
    for (size_t i = 0; i < count; i++) {
        size_t point = rt_pb_open(items, RT_OTLP_DATA_POINTS);
        if (family->kind == RT_HISTOGRAM)
            write_histogram(items, family->points[from + i], times);
        else
            write_number(items, family->points[from + i], times);
        rt_pb_close(items, point);
    }
    if (forms[family->kind].is_cumulative)
        rt_pb_varint(items, RT_OTLP_DATA_TEMPORALITY, RT_OTLP_CUMULATIVE);
    if (forms[family->kind].is_sum)
        rt_pb_varint(items, RT_OTLP_DATA_MONOTONIC, true);
    rt_pb_close(items, data);
    rt_pb_close(items, metric);
    return count;
}
