/* rt/metric.h — an author's own metrics
 *
 * A module declares what it counts and measures at file scope, and tells it by one call; the host
 * adds it up over all workers and generations, shows it on `/metrics` of the admin listener and
 * sends it where `telemetry` says. Names are OpenTelemetry's ("orders.accepted": lower case, dots,
 * `_` within a word), units are UCUM's: "s", "By", "1", or what is counted in braces: "{order}".
 * The same name in two modules is one metric; declare it the same way in both.
 *
 * Labels tell series apart: {"channel", "web"}, or {"attempt", NULL, 3}. Each set of them that was
 * ever used costs memory for good, so a label has few values: a kind, a code, a route; never an id,
 * a text that a stranger chose, a time. Beyond `telemetry.metrics.max_series` sets (2,000) one more
 * becomes the series `otel.metric.overflow="true"`, which holds what all of those come to.
 *
 * A counter only grows; a value below 0 is left out. A gauge is how things are now in this process,
 * summed over processes. A histogram puts values into buckets by their upper bounds, ascending;
 * without any they suit seconds: 5 ms to 10 s. Of bounds that do not ascend those up to the first
 * such count, and a warning says so.
 *
 * Call these on the loop's thread alone (any fiber; not in rt_blocking, not in threads of a
 * module's own: there it is not counted). Nothing here waits or fails. A call costs some 60 ns.
 * Texts are copied. What is declared lives as long as the module.
 *
 *     RT_COUNTER(orders_accepted, "orders.accepted", "{order}", "Orders accepted")
 *     RT_GAUGE(orders_kept, "orders.kept", "{order}", "Orders in memory")
 *     RT_HISTOGRAM(order_size, "orders.size", "{item}", "Items of an order", 1, 5, 10, 50)
 *     …
 *     rt_metric_add(ctx, &orders_accepted, 1, {"channel", "web"});
 *     rt_metric_set(ctx, &orders_kept, kept);
 *     rt_metric_record(ctx, &order_size, quantity);
 */
#ifndef RT_METRIC_H
#define RT_METRIC_H

#include <rt/abi.h>
#include <rt/host.h>
#include <rt/log.h>

enum rt_metric_kind {
    RT_METRIC_COUNTER = 0,
    RT_METRIC_GAUGE = 1,
    RT_METRIC_HISTOGRAM = 2,
};

/* The macros below define it. The host writes `host` at the first use. */
typedef struct rt_metric {
    uint32_t size;
    uint32_t kind; /* rt_metric_kind */
    const char *name, *unit, *help;
    const double *bounds;
    uint64_t bound_count;
    void *host;
} rt_metric;

#define RT_METRIC_(metric_, kind_, name_, unit_, help_, ...)      \
    static const double metric_##_bounds_[] = {0, ##__VA_ARGS__}; \
    static rt_metric metric_ = {.size = sizeof(rt_metric),        \
                                .kind = (kind_),                  \
                                .name = "" name_,                 \
                                .unit = "" unit_,                 \
                                .help = "" help_,                 \
                                .bounds = metric_##_bounds_ + 1,  \
                                .bound_count = sizeof metric_##_bounds_ / sizeof(double) - 1};

#define RT_COUNTER(metric_, name_, unit_, help_) \
    RT_METRIC_(metric_, RT_METRIC_COUNTER, name_, unit_, help_)
#define RT_GAUGE(metric_, name_, unit_, help_) \
    RT_METRIC_(metric_, RT_METRIC_GAUGE, name_, unit_, help_)
/* …: the buckets' upper bounds, ascending, 60 at most. */
#define RT_HISTOGRAM(metric_, name_, unit_, help_, ...) \
    RT_METRIC_(metric_, RT_METRIC_HISTOGRAM, name_, unit_, help_, ##__VA_ARGS__)

#define RT_METRIC_CALL_(function_, ctx_, metric_, value_, ...)                  \
    do {                                                                        \
        RT_FIELDS_BEGIN_ const rt_field rt_fields_[] = {{0}, ##__VA_ARGS__};    \
        RT_FIELDS_END_                                                          \
        rt_host_table->function_(ctx_, metric_, value_, rt_fields_ + 1,         \
                                 sizeof rt_fields_ / sizeof rt_fields_[0] - 1); \
    } while (0)

/* Of a counter, and of a gauge that goes up and down: so much more (int64_t). */
#define rt_metric_add(ctx_, metric_, more_, ...) \
    RT_METRIC_CALL_(metric_add, ctx_, metric_, more_, ##__VA_ARGS__)
/* Of a gauge (double). */
#define rt_metric_set(ctx_, metric_, value_, ...) \
    RT_METRIC_CALL_(metric_set, ctx_, metric_, value_, ##__VA_ARGS__)
/* Of a histogram (double). */
#define rt_metric_record(ctx_, metric_, value_, ...) \
    RT_METRIC_CALL_(metric_record, ctx_, metric_, value_, ##__VA_ARGS__)

#endif
