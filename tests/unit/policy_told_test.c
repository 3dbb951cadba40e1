/* What policies tell: the log and the metrics. */
#include "policy_kit.h"
#include "telemetry/log.h"
#include "telemetry/metric_room.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int log_file = -1;
static char logged[4096];

static void log_from(const char *level)
{
    char path[32];
    if (log_file < 0)
        log_file = memfd_create("log", 0);
    CU_ASSERT_EQUAL(ftruncate(log_file, 0), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", log_file);
    CU_ASSERT_EQUAL(rt_log_open(&(rt_log_options){.level = level, .file = path}), 0);
}

static int count_lines(const char *text)
{
    int count = 0;
    ssize_t length = pread(log_file, logged, sizeof logged - 1, 0);
    logged[length < 0 ? 0 : length] = '\0';
    for (const char *at = logged; (at = strstr(at, text)); at++)
        count++;
    return count;
}

/* Fails until it is refused, waits until a probe passes. */
static int break_and_mend(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(rt_policies_refusing(made.policies), "email.send");
    CU_ASSERT_EQUAL(made.calls, 1);
    while (call(ctx, argument) < 0)
        RT_TRY(rt_sleep(ctx, RT_MS(5)));
    CU_ASSERT_PTR_NULL(rt_policies_refusing(made.policies));
    return call(ctx, argument);
}

static void each_change_of_a_breaker_is_logged_once(void)
{
    const rt_plan_effect effect = {
        .breaker = {.failures = 1, .open_for = (int64_t)RT_MS(50), .probes = 1}};
    log_from("info");
    CU_ASSERT_EQUAL(run_made(break_and_mend, &effect, "us").result, 0);
    CU_ASSERT_EQUAL(count_lines(" WARN  smtp    the breaker of `email.send` is open for 0.05 s: "
                                "too many calls fail code=UNAVAILABLE"),
                    1);
    CU_ASSERT_EQUAL(count_lines(" INFO  smtp    the breaker of `email.send` is closed"), 1);
    CU_ASSERT_EQUAL(count_lines("breaker"), 2);
}

static struct {
    const char *name, *reason;
    double value;
    int found;
} wanted;

static bool is_text(rt_str text, const char *expected)
{
    return text.length == strlen(expected) && memcmp(text.data, expected, text.length) == 0;
}

static bool has_labels(const rt_room_series *series, const char *reason)
{
    rt_str rest = series->labels, name, value;
    int sound = 0;
    while (rt_labels_next(&rest, &name, &value))
        sound += (is_text(name, "operation") && is_text(value, "email.send")) ||
                 (is_text(name, "provider") && is_text(value, "smtp")) ||
                 (is_text(name, "reason") && is_text(value, reason));
    return sound == (*reason ? 3 : 2);
}

static void look_at_series(void *argument, const rt_room_instrument *instrument,
                           const rt_room_series *series)
{
    (void)argument;
    if (!is_text(instrument->name, wanted.name) || !has_labels(series, wanted.reason))
        return;
    wanted.found++;
    wanted.value =
        instrument->kind == RT_GAUGE ? rt_bits_real(*series->values) : (double)*series->values;
}

static void pass_instrument(void *argument, rt_room_instrument *instrument)
{
    (void)argument, (void)instrument;
}

/* Of a series, or -1. */
static double metric(const char *name, const char *reason)
{
    size_t size;
    const void *room = rt_metrics_room(&size);
    void *copy = malloc(size);
    const rt_room_visitor visitor = {.instrument = pass_instrument, .series = look_at_series};
    wanted.name = name;
    wanted.reason = reason;
    wanted.found = 0;
    rt_room_walk(copy, rt_room_copy(copy, room, size), &visitor);
    free(copy);
    return wanted.found == 1 ? wanted.value : -1;
}

/* While the breaker is open, and after it. */
static int count_and_mend(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(metric("effects.breaker.state", ""), 2);
    CU_ASSERT_EQUAL(metric("effects.retries", ""), 2);
    CU_ASSERT_EQUAL(metric("effects.rejected", "breaker"), 0);
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(metric("effects.rejected", "breaker"), 1);
    CU_ASSERT_EQUAL(metric("effects.rejected", "bulkhead"), 0);
    while (call(ctx, argument) < 0)
        RT_TRY(rt_sleep(ctx, RT_MS(5)));
    CU_ASSERT_EQUAL(metric("effects.breaker.state", ""), 0);
    return 0;
}

static void retries_refusals_and_the_breakers_state_are_counted(void)
{
    const rt_plan_effect effect = {
        .metrics = true,
        .concurrency = 1,
        .retry = three,
        .breaker = {.failures = 1, .open_for = (int64_t)RT_MS(50), .probes = 1}};
    rt_metrics_open(NULL, 0);
    CU_ASSERT_EQUAL(run_made(count_and_mend, &effect, "uuus").result, 0);
    rt_metrics_close();
    rt_metrics_open(NULL, 0);
    const rt_plan_effect quiet = {.retry = three};
    CU_ASSERT_EQUAL(run_made(call, &quiet, "us").result, 0);
    CU_ASSERT_EQUAL(metric("effects.retries", ""), -1);
    rt_metrics_close();
}

RT_TEST_MAIN("policy_told",
             {"each change of a breaker is logged once", each_change_of_a_breaker_is_logged_once},
             {"retries, refusals and the breaker's state are counted",
              retries_refusals_and_the_breakers_state_are_counted})
