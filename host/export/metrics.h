/* metrics.h — families of metrics as OTLP's protobuf messages
 *
 * All are cumulative since counting began. A family with many points becomes several metrics of the
 * same name, so that a request can be cut between two of them.
 */
#ifndef RT_EXPORT_METRICS_H
#define RT_EXPORT_METRICS_H

#include "base/buffer.h"
#include "telemetry/metric_view.h"

#define RT_METRIC_POINTS 256 /* of one metric at most */

typedef struct rt_metric_times {
    uint64_t began, now; /* ns since the epoch */
} rt_metric_times;

/* Appends the points from the given one on as one item of a scope; how many they are. */
size_t rt_otlp_family(rt_buffer *items, const rt_metric_family *family, size_t from,
                      const rt_metric_times *times);

#endif
