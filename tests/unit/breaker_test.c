/* The breaker as a machine: outcomes and times in, admissions out. */
#include "harness.h"
#include "telemetry/breaker.h"

static rt_outcome outcome_for(char letter)
{
    return letter == 'f'   ? RT_OUTCOME_FAILURE
           : letter == 's' ? RT_OUTCOME_SUCCESS
                           : RT_OUTCOME_NONE;
}

/* Calls one after the other, each with the outcome of its letter; how many were admitted. */
static int feed(rt_breaker *breaker, const rt_plan_breaker *settings, uint64_t now,
                const char *outcomes)
{
    int admitted = 0;
    for (; *outcomes; outcomes++) {
        uint32_t ticket;
        if (!rt_breaker_admit(breaker, settings, now, &ticket))
            continue;
        admitted++;
        rt_breaker_settle(breaker, settings, now, ticket, outcome_for(*outcomes));
    }
    return admitted;
}

static void failures_in_a_row_open_it(void)
{
    const rt_plan_breaker settings = {.failures = 3, .open_for = 100, .probes = 1};
    rt_breaker breaker = {0};
    CU_ASSERT_EQUAL(feed(&breaker, &settings, 10, "ffsffsff"), 8);
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_CLOSED);
    CU_ASSERT_EQUAL(feed(&breaker, &settings, 10, "-f"), 2);
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_OPEN);
    CU_ASSERT_TRUE(rt_breaker_refuses(&breaker, &settings, 109));
    CU_ASSERT_EQUAL(feed(&breaker, &settings, 109, "sss"), 0);
    CU_ASSERT_FALSE(rt_breaker_refuses(&breaker, &settings, 110));
}

static void it_closes_when_all_its_probes_have_succeeded(void)
{
    const rt_plan_breaker settings = {.failures = 1, .open_for = 100, .probes = 2};
    rt_breaker breaker = {0};
    uint32_t one, two, three;
    feed(&breaker, &settings, 0, "f");
    CU_ASSERT_TRUE(rt_breaker_admit(&breaker, &settings, 100, &one));
    CU_ASSERT_TRUE(rt_breaker_admit(&breaker, &settings, 100, &two));
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_HALF_OPEN);
    CU_ASSERT_FALSE(rt_breaker_admit(&breaker, &settings, 100, &three));
    rt_breaker_settle(&breaker, &settings, 100, one, RT_OUTCOME_SUCCESS);
    CU_ASSERT_FALSE(rt_breaker_admit(&breaker, &settings, 100, &three));
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_HALF_OPEN);
    rt_breaker_settle(&breaker, &settings, 100, two, RT_OUTCOME_SUCCESS);
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_CLOSED);
}

static void a_probe_that_fails_opens_it_for_the_whole_time_again(void)
{
    const rt_plan_breaker settings = {.failures = 5, .open_for = 100, .probes = 3};
    rt_breaker breaker = {0};
    feed(&breaker, &settings, 0, "fffff");
    CU_ASSERT_EQUAL(feed(&breaker, &settings, 150, "sfs"), 2);
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_OPEN);
    CU_ASSERT_TRUE(rt_breaker_refuses(&breaker, &settings, 249));
    CU_ASSERT_FALSE(rt_breaker_refuses(&breaker, &settings, 250));
}

static void a_probe_without_an_outcome_gives_its_place_back(void)
{
    const rt_plan_breaker settings = {.failures = 1, .open_for = 100, .probes = 1};
    rt_breaker breaker = {0};
    feed(&breaker, &settings, 0, "f");
    CU_ASSERT_EQUAL(feed(&breaker, &settings, 100, "--s"), 3);
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_CLOSED);
}

static void what_was_admitted_before_a_change_tells_nothing_after_it(void)
{
    const rt_plan_breaker settings = {.failures = 1, .open_for = 100, .probes = 1};
    rt_breaker breaker = {0};
    uint32_t early, late, probe;
    CU_ASSERT_TRUE(rt_breaker_admit(&breaker, &settings, 0, &early));
    CU_ASSERT_TRUE(rt_breaker_admit(&breaker, &settings, 0, &late));
    feed(&breaker, &settings, 0, "f");
    rt_breaker_settle(&breaker, &settings, 50, early, RT_OUTCOME_SUCCESS);
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_OPEN);
    CU_ASSERT_TRUE(rt_breaker_admit(&breaker, &settings, 100, &probe));
    rt_breaker_settle(&breaker, &settings, 100, late, RT_OUTCOME_FAILURE);
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_HALF_OPEN);
    rt_breaker_settle(&breaker, &settings, 100, probe, RT_OUTCOME_SUCCESS);
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_CLOSED);
}

static void a_share_of_failures_opens_it_once_there_are_calls_enough(void)
{
    const rt_plan_breaker settings = {
        .failure_rate = 0.5, .minimum_calls = 6, .window = 1000, .open_for = 100, .probes = 1};
    rt_breaker breaker = {0};
    feed(&breaker, &settings, 5000, "fffff");
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_CLOSED);
    feed(&breaker, &settings, 5050, "s"); /* the sixth; it is no failure that opens it */
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_CLOSED);
    feed(&breaker, &settings, 5100, "f");
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_OPEN);

    rt_breaker other = {0};
    feed(&other, &settings, 5000, "sssssfffs");
    feed(&other, &settings, 5000, "sf");
    CU_ASSERT_EQUAL(other.state, RT_BREAKER_CLOSED);
}

static void calls_older_than_the_window_do_not_count(void)
{
    const rt_plan_breaker settings = {
        .failure_rate = 0.5, .minimum_calls = 4, .window = 1000, .open_for = 100, .probes = 1};
    rt_breaker breaker = {0};
    feed(&breaker, &settings, 5000, "fff");
    feed(&breaker, &settings, 6000, "f");
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_CLOSED);
    feed(&breaker, &settings, 6400, "ff");
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_CLOSED);
    feed(&breaker, &settings, 6900, "f");
    CU_ASSERT_EQUAL(breaker.state, RT_BREAKER_OPEN);
}

RT_TEST_MAIN("breaker", {"failures in a row open it", failures_in_a_row_open_it},
             {"it closes when all its probes have succeeded",
              it_closes_when_all_its_probes_have_succeeded},
             {"a probe that fails opens it for the whole time again",
              a_probe_that_fails_opens_it_for_the_whole_time_again},
             {"a probe without an outcome gives its place back",
              a_probe_without_an_outcome_gives_its_place_back},
             {"what was admitted before a change tells nothing after it",
              what_was_admitted_before_a_change_tells_nothing_after_it},
             {"a share of failures opens it once there are calls enough",
              a_share_of_failures_opens_it_once_there_are_calls_enough},
             {"calls older than the window do not count", calls_older_than_the_window_do_not_count})
