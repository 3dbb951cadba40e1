/* What it costs to count: into a series that was kept, and with finding it by its labels
 *
 * Exits 1 when finding a series with one label takes 100 ns or more.
 */
#include "telemetry/metric.h"

#include "least.h"

#include <time.h>

enum { TIMES = 1000000 };
#define MOST 100.0

static const double bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                0.025,  0.05,    0.075,  0.1,   0.25,   0.5,   0.75,
                                1,      2.5,     5,      7.5,   10};
static rt_instrument counter = {.name = "bench.counted", .unit = "{time}", .help = "Times"};
static rt_instrument histogram = {.name = "bench.duration",
                                  .unit = "s",
                                  .help = "Durations",
                                  .kind = RT_HISTOGRAM,
                                  .bounds = bounds,
                                  .bound_count = sizeof bounds / sizeof *bounds};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double measure_add(void *argument)
{
    rt_series *series = rt_series_of(&counter, NULL, 0);
    (void)argument;
    double before = now();
    for (int i = 0; i < TIMES; i++) {
        rt_series_add(series, 1);
        __asm__ volatile("" ::: "memory");
    }
    return (now() - before) / TIMES;
}

static double measure_observe(void *argument)
{
    rt_series *series = rt_series_of(&histogram, NULL, 0);
    (void)argument;
    double before = now();
    for (int i = 0; i < TIMES; i++) {
        rt_series_observe(series, 0.0007);
        __asm__ volatile("" ::: "memory");
    }
    return (now() - before) / TIMES;
}

static double measure_find(void *argument)
{
    size_t count = *(const size_t *)argument;
    const rt_metric_label labels[] = {{"operation", RT_STR("email.send")},
                                      {"outcome", RT_STR("success")},
                                      {"provider", RT_STR("email-smtp")},
                                      {"tenant", RT_STR("north-by-northwest")}};
    double before = now();
    for (int i = 0; i < TIMES; i++)
        rt_series_add(rt_series_of(&counter, labels, count), 1);
    return (now() - before) / TIMES;
}

int main(void)
{
    static size_t one = 1, four = 4;
    measurement all[] = {{"adding to a series that was kept", measure_add, NULL, 0},
                         {"observing in a histogram of 19 bounds", measure_observe, NULL, 0},
                         {"finding a series by one label, and adding", measure_find, &one, 0},
                         {"by four labels", measure_find, &four, 0}};
    rt_metrics_open(NULL, 0);
    least_of_all(all, sizeof all / sizeof all[0]);
    bool met = least_verdict("finding a series", all[2].least, MOST);
    rt_metrics_close();
    return !met;
}
