/* author_metric.c — behind the SDK's rt/metric.h
 *
 * An author's metric becomes an instrument at its first use. */
#include "telemetry/author_metric.h"

#include "base/arena.h"
#include "base/redact.h"
#include "fiber/fiber.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"

#include <stdio.h>

static const double seconds[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                 0.5,   0.75, 1,     2.5,  5,     7.5, 10};

static rt_arena instruments; /* of all authors; as long as the process */

static const enum rt_instrument_kind kinds[] = {[RT_METRIC_COUNTER] = RT_COUNTER,
                                                [RT_METRIC_GAUGE] = RT_GAUGE,
                                                [RT_METRIC_HISTOGRAM] = RT_HISTOGRAM};

static rt_instrument *instrument_of(rt_metric *metric)
{
    if (metric->host)
        return metric->host;
    rt_instrument *instrument = RT_NEW(&instruments, rt_instrument);
    bool without = metric->kind == RT_METRIC_HISTOGRAM && !metric->bound_count;
    *instrument = (rt_instrument){.name = metric->name,
                                  .unit = metric->unit,
                                  .help = metric->help,
                                  .kind = kinds[metric->kind],
                                  .bounds = without ? seconds : metric->bounds,
                                  .bound_count = without ? sizeof seconds / sizeof *seconds
                                                         : (uint32_t)metric->bound_count};
    return metric->host = instrument;
}

/* Two that write at once would lose what one of them counts, or worse. */
static bool may_count(rt_ctx *ctx, const rt_metric *metric, uint32_t kinds_of_call)
{
    static bool said;
    bool here = rt_loop_is_here(),
         fits = metric->kind <= RT_METRIC_HISTOGRAM && kinds_of_call & 1u << metric->kind;
    if (here && fits)
        return true;
    if (!__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
        rt_host_log(here ? ctx : NULL, RT_LOG_WARN,
                    here ? "metric `%s` is of another kind than what is told of it: not counted"
                         : "metric `%s` was told outside of the loop's thread: not counted",
                    metric->name);
    return false;
}

/* Redacted here, where the secrets are known: others read the labels as they are. */
static rt_series *series_of(rt_ctx *ctx, rt_metric *metric, const rt_field *fields, uint64_t count)
{
    rt_metric_label labels[RT_LABELS_MOST];
    char numbers[RT_LABELS_MOST][24];
    size_t kept = count < RT_LABELS_MOST ? count : RT_LABELS_MOST;
    for (size_t i = 0; i < kept; i++) {
        const char *text = fields[i].text;
        if (!text) {
            snprintf(numbers[i], sizeof numbers[i], "%lld", (long long)fields[i].integer);
            text = numbers[i];
        } else if (rt_redact_finds(text, strlen(text))) {
            text = ctx ? rt_redacted(rt_unit_arena(ctx), text) : "***";
        }
        labels[i] = (rt_metric_label){fields[i].name ? fields[i].name : "", {text, strlen(text)}};
    }
    return rt_series_of(instrument_of(metric), labels, kept);
}

void rt_host_metric_add(rt_ctx *ctx, rt_metric *metric, int64_t more, const rt_field *labels,
                        uint64_t count)
{
    if (!may_count(ctx, metric, 1u << RT_METRIC_COUNTER | 1u << RT_METRIC_GAUGE))
        return;
    if (metric->kind == RT_METRIC_GAUGE)
        rt_series_change(series_of(ctx, metric, labels, count), (double)more);
    else if (more >= 0)
        rt_series_add(series_of(ctx, metric, labels, count), (uint64_t)more);
}

void rt_host_metric_set(rt_ctx *ctx, rt_metric *metric, double value, const rt_field *labels,
                        uint64_t count)
{
    if (may_count(ctx, metric, 1u << RT_METRIC_GAUGE))
        rt_series_set(series_of(ctx, metric, labels, count), value);
}

void rt_host_metric_record(rt_ctx *ctx, rt_metric *metric, double value, const rt_field *labels,
                           uint64_t count)
{
    if (may_count(ctx, metric, 1u << RT_METRIC_HISTOGRAM))
        rt_series_observe(series_of(ctx, metric, labels, count), value);
}
