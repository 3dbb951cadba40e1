/* Metrics: what a process counts, and what another one finds of it. */
#include "telemetry/metric.h"
#include "telemetry/metric_room.h"

#include "harness.h"

#include <math.h>
#include <stdlib.h>

static rt_instrument counter = {.name = "test.taken", .unit = "{order}", .help = "Orders taken"};

static rt_series *labelled(rt_instrument *instrument, const char *name, const char *value)
{
    return rt_series_of(instrument, &(rt_metric_label){name, {value, strlen(value)}}, 1);
}

static void a_series_is_found_again_by_its_labels_in_any_order(void)
{
    const rt_metric_label there[] = {{"a", RT_STR("1")}, {"b", RT_STR("2")}, {"c", RT_STR("3")}};
    const rt_metric_label back[] = {there[2], there[0], there[1]};
    rt_metrics_open(NULL, 0);
    rt_series *series = rt_series_of(&counter, there, 3);
    CU_ASSERT_PTR_EQUAL(rt_series_of(&counter, back, 3), series);
    CU_ASSERT_PTR_NOT_EQUAL(rt_series_of(&counter, there, 2), series);
    CU_ASSERT_PTR_NOT_EQUAL(labelled(&counter, "a", "12"), labelled(&counter, "a", "1"));
    rt_series_add(series, 3);
    rt_series_add(rt_series_of(&counter, back, 3), 4);
    CU_ASSERT_EQUAL(*series->values, 7);
    rt_metrics_close();
}

RT_TEST_MAIN("metric", {"a series is found again by its labels, in any order",
                        a_series_is_found_again_by_its_labels_in_any_order})
