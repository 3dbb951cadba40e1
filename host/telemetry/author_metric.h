/* author_metric.h — behind the SDK's table: metrics that modules declare */
#ifndef RT_TELEMETRY_AUTHOR_METRIC_H
#define RT_TELEMETRY_AUTHOR_METRIC_H

#include <rt/metric.h>

void rt_host_metric_add(rt_ctx *ctx, rt_metric *metric, int64_t more, const rt_field *labels,
                        uint64_t count);
void rt_host_metric_set(rt_ctx *ctx, rt_metric *metric, double value, const rt_field *labels,
                        uint64_t count);
void rt_host_metric_record(rt_ctx *ctx, rt_metric *metric, double value, const rt_field *labels,
                           uint64_t count);

#endif
