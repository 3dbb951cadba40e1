/* prometheus.h — metrics as Prometheus's text format 0.0.4
 *
 * Names by OpenTelemetry's rules for Prometheus: what is no letter, digit or `_` becomes `_`, the
 * unit is spelled out (`_seconds`, `_bytes`, `_ratio`), counters end in `_total`.
 */
#ifndef RT_TELEMETRY_PROMETHEUS_H
#define RT_TELEMETRY_PROMETHEUS_H

#include "base/buffer.h"
#include "telemetry/metric_view.h"

#define RT_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Of a finished view. */
void rt_prometheus_text(const rt_metric_view *view, rt_buffer *out);
/* How a family is called there; adds to `out`. */
void rt_prometheus_name(const rt_metric_family *family, rt_buffer *out);

#endif
