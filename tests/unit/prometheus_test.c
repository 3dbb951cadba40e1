/* Metrics as Prometheus reads them: names, units, escapes. */
#include "telemetry/prometheus.h"

#include "harness.h"

#include <stdlib.h>

static rt_buffer text_of(void)
{
    size_t size;
    const void *room = rt_metrics_room(&size);
    rt_metric_view *view = rt_metric_view_new();
    rt_buffer text = {0};
    rt_metric_view_add(view, room, size, &(rt_metric_source){.alive = true, .worker = 2});
    rt_metric_view_finish(view);
    rt_prometheus_text(view, &text);
    rt_metric_view_free(view);
    return text;
}

/* What the exposed name of such an instrument is. */
static void is_called(const char *name, const char *unit, enum rt_instrument_kind kind,
                      const char *expected)
{
    rt_metric_family family = {
        .name = {name, strlen(name)}, .unit = {unit, strlen(unit)}, .kind = kind};
    rt_buffer exposed = {0};
    rt_prometheus_name(&family, &exposed);
    CU_ASSERT_STRING_EQUAL(exposed.data, expected);
    if (strcmp(exposed.data, expected) != 0)
        printf("\n`%s` {%s} is `%s`, not `%s`\n", name, unit, exposed.data, expected);
    rt_buffer_free(&exposed);
}

static void names_spell_out_their_units(void)
{
    is_called("http.server.request.duration", "s", RT_HISTOGRAM,
              "http_server_request_duration_seconds");
    is_called("http.server.request.body.size", "By", RT_HISTOGRAM,
              "http_server_request_body_size_bytes");
    is_called("orders.accepted", "{order}", RT_COUNTER, "orders_accepted_total");
    is_called("process.cpu.time", "s", RT_COUNTER_REAL, "process_cpu_time_seconds_total");
    is_called("rt.loop.utilization", "1", RT_GAUGE, "rt_loop_utilization_ratio");
    is_called("things.done", "1", RT_COUNTER, "things_done_total");
    is_called("disk.speed", "By/s", RT_GAUGE, "disk_speed_bytes_per_second");
    is_called("arrivals", "{car}/min", RT_GAUGE, "arrivals_per_min");
    is_called("arrivals", "{car}/m", RT_GAUGE, "arrivals_per_minute");
    is_called("wait.seconds", "s", RT_GAUGE, "wait_seconds");
    is_called("wait", "ms", RT_GAUGE, "wait_milliseconds");
    is_called("fan", "{rpm}", RT_GAUGE, "fan");
    is_called("pressure", "bar", RT_GAUGE, "pressure_bar");
}

static void names_hold_what_prometheus_allows(void)
{
    is_called("2xx..of-a b", "", RT_GAUGE, "_2xx_of_a_b");
    is_called("sn\xc3\xb6w", "", RT_GAUGE, "sn_w");
    is_called("a.total", "", RT_COUNTER, "a_total");
    is_called("a.count", "{thread}", RT_GAUGE, "a");
    is_called("a.bucket", "s", RT_HISTOGRAM, "a_seconds");
    is_called("a.sum", "", RT_GAUGE, "a");
    is_called("a.total", "", RT_GAUGE, "a");
    is_called("a.total.count", "", RT_GAUGE, "a");
    is_called("a.total.total", "", RT_COUNTER, "a_total");
    is_called("count", "", RT_GAUGE, "count");
    is_called("...", "", RT_GAUGE, "_");
}

static void labels_and_help_are_escaped(void)
{
    static rt_instrument odd = {.name = "odd", .help = "a \\ and\na \"quote\"", .kind = RT_GAUGE};
    rt_metrics_open(NULL, 0);
    const rt_metric_label labels[] = {{"a.b", RT_STR("back\\slash \"quoted\"\nline")},
                                      {"2nd", RT_STR("\xc3\xa4")}};
    rt_series_set(rt_series_of(&odd, labels, 2), -0.5);
    rt_buffer text = text_of();
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "# HELP odd a \\\\ and\\na \"quote\"\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "# TYPE odd gauge\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(
        text.data, "\nodd{_2nd=\"\xc3\xa4\",a_b=\"back\\\\slash \\\"quoted\\\"\\nline\"} -0.5\n"));
    rt_buffer_free(&text);
    rt_metrics_close();
}

static void a_histogram_has_cumulated_buckets_a_sum_and_a_count(void)
{
    static const double bounds[] = {0.00005, 0.1, 1, 1e6};
    static rt_instrument times = {
        .name = "times", .unit = "s", .kind = RT_HISTOGRAM, .bounds = bounds, .bound_count = 4};
    rt_metrics_open(NULL, 0);
    rt_series *series = rt_series_of(&times, &(rt_metric_label){"k", RT_STR("v")}, 1);
    for (int i = 0; i < 4; i++)
        rt_series_observe(series, (double[]){0.05, 0.075, 1, 2e6}[i]);
    rt_buffer text = text_of();
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "# TYPE times_seconds histogram\n"
                                             "times_seconds_bucket{k=\"v\",le=\"5e-05\"} 0\n"
                                             "times_seconds_bucket{k=\"v\",le=\"0.1\"} 2\n"
                                             "times_seconds_bucket{k=\"v\",le=\"1\"} 3\n"
                                             "times_seconds_bucket{k=\"v\",le=\"1000000\"} 3\n"
                                             "times_seconds_bucket{k=\"v\",le=\"+Inf\"} 4\n"
                                             "times_seconds_sum{k=\"v\"} 2000001.125\n"
                                             "times_seconds_count{k=\"v\"} 4\n"));
    rt_buffer_free(&text);
    rt_metrics_close();
}

static void a_label_never_meets_the_bounds_of_a_histogram(void)
{
    static const double bounds[] = {1};
    static rt_instrument sizes = {
        .name = "sizes", .kind = RT_HISTOGRAM, .bounds = bounds, .bound_count = 1};
    static rt_instrument plain = {.name = "plain", .kind = RT_GAUGE};
    const rt_metric_label label = {"le", RT_STR("mine")};
    rt_metrics_open(NULL, 0);
    rt_series_observe(rt_series_of(&sizes, &label, 1), 0.5);
    rt_series_set(rt_series_of(&plain, &label, 1), 1);
    rt_buffer text = text_of();
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "sizes_bucket{exported_le=\"mine\",le=\"1\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "sizes_count{exported_le=\"mine\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "plain{le=\"mine\"} 1\n"));
    rt_buffer_free(&text);
    rt_metrics_close();
}

static void a_value_that_reads_like_a_label_hides_none(void)
{
    static rt_instrument odd = {.name = "odd", .kind = RT_GAUGE};
    const rt_metric_label labels[] = {{"a", RT_STR("x,b=\"y")}, {"b", RT_STR("1")}};
    rt_metrics_open(NULL, 0);
    rt_series_set(rt_series_of(&odd, labels, 2), 1);
    rt_buffer text = text_of();
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "odd{a=\"x,b=\\\"y\",b=\"1\"} 1\n"));
    rt_buffer_free(&text);
    rt_metrics_close();
}

static void names_that_become_one_are_told_once(void)
{
    static rt_instrument dotted = {.name = "a.b", .kind = RT_GAUGE};
    static rt_instrument underlined = {.name = "a_b", .kind = RT_GAUGE};
    rt_metrics_open(NULL, 0);
    const rt_metric_label labels[] = {{"x.y", RT_STR("1")}, {"x_y", RT_STR("2")}};
    rt_series_set(rt_series_of(&dotted, labels, 2), 1);
    rt_series_set(rt_series_of(&underlined, NULL, 0), 2);
    rt_buffer text = text_of();
    const char *first = strstr(text.data, "# TYPE a_b gauge\n");
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NULL(strstr(first + 1, "# TYPE a_b gauge\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "\na_b{x_y=\"1\"} 1\n"));
    rt_buffer_free(&text);
    rt_metrics_close();
}

static void a_gauge_of_each_worker_says_whose_it_is(void)
{
    static rt_instrument lag = {.name = "lag", .unit = "s", .kind = RT_GAUGE, .aggregate = RT_EACH};
    rt_metrics_open(NULL, 0);
    rt_series_set(rt_series_of(&lag, NULL, 0), 1e-7);
    rt_buffer text = text_of();
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text.data, "\nlag_seconds{rt_generation=\"0\",rt_worker=\"2\"} 1e-07\n"));
    rt_buffer_free(&text);
    rt_metrics_close();
}

RT_TEST_MAIN("prometheus", {"names spell out their units", names_spell_out_their_units},
             {"names hold what Prometheus allows", names_hold_what_prometheus_allows},
             {"labels and help are escaped", labels_and_help_are_escaped},
             {"a histogram has cumulated buckets, a sum and a count",
              a_histogram_has_cumulated_buckets_a_sum_and_a_count},
             {"a label never meets the bounds of a histogram",
              a_label_never_meets_the_bounds_of_a_histogram},
             {"a value that reads like a label hides none",
              a_value_that_reads_like_a_label_hides_none},
             {"names that become one are told once", names_that_become_one_are_told_once},
             {"a gauge of each worker says whose it is", a_gauge_of_each_worker_says_whose_it_is})
