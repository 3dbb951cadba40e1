#include "process/exporting_metrics.h"

#include "export/exporter.h"
#include "telemetry/metric.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(RT_SENT_KINDS <= RT_EXPORT_KINDS, "a number for each");

/* Source: OpenTelemetry's semantic conventions for SDK metrics. */
#define COUNTER(name_, unit_, help_)                                    \
    {                                                                   \
        .name = name_, .unit = unit_, .help = help_, .kind = RT_COUNTER \
    }
static rt_instrument exported[RT_SIGNAL_COUNT] = {
    COUNTER("otel.sdk.exporter.span.exported", "{span}", "Spans whose export has ended"),
    COUNTER("otel.sdk.exporter.metric_data_point.exported", "{data_point}",
            "Data points whose export has ended"),
    COUNTER("otel.sdk.exporter.log.exported", "{log_record}", "Log lines whose export has ended"),
};
static rt_instrument processed[RT_SIGNAL_COUNT] = {
    COUNTER("otel.sdk.processor.span.processed", "{span}", "Spans that never reached an export"),
    COUNTER("otel.sdk.processor.metric_data_point.processed", "{data_point}",
            "Data points that never reached an export"),
    COUNTER("otel.sdk.processor.log.processed", "{log_record}",
            "Log lines that never reached an export"),
};

/* By rt_sent. */
static const struct {
    rt_instrument *instruments;
    const char *error;
} meanings[RT_SENT_KINDS] = {
    [RT_SENT_EXPORTED] = {exported, NULL},         [RT_SENT_REJECTED] = {exported, "rejected"},
    [RT_SENT_REFUSED] = {exported, "refused"},     [RT_SENT_EXPIRED] = {exported, "timeout"},
    [RT_SENT_DROPPED] = {processed, "queue_full"}, [RT_SENT_LOST] = {processed, "queue_full"},
};

static rt_series *series_of(size_t signal, size_t kind)
{
    const char *error = meanings[kind].error;
    rt_metric_label label = {"error.type", {error, error ? strlen(error) : 0}};
    return rt_series_of(&meanings[kind].instruments[signal], &label, error ? 1 : 0);
}

void rt_exporting_count(uint64_t told[RT_SIGNAL_COUNT][RT_EXPORT_KINDS], uint64_t signal,
                        const char *text)
{
    char *end;
    if (signal >= RT_SIGNAL_COUNT)
        return;
    for (size_t i = 0; i < RT_SENT_KINDS; i++, text = end) {
        uint64_t now = strtoull(text, &end, 10);
        if (end == text)
            return;
        if (now > told[signal][i])
            rt_series_add(series_of(signal, i), now - told[signal][i]);
        told[signal][i] = now > told[signal][i] ? now : told[signal][i];
    }
}
