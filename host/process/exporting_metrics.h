/* exporting_metrics.h — what exporters tell of their work, as metrics of the supervisor */
#ifndef RT_PROCESS_EXPORTING_METRICS_H
#define RT_PROCESS_EXPORTING_METRICS_H

#include "process/exporting.h"

/* `text`: RT_EXPORT_KINDS numbers of the signal since the exporter's start. What is more than
 * `told` counts, and is told from then on; text that is no such thing does not. */
void rt_exporting_count(uint64_t told[RT_SIGNAL_COUNT][RT_EXPORT_KINDS], uint64_t signal,
                        const char *text);

#endif
