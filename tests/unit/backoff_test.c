/* How long a worker that keeps dying has to wait. */
#include "process/backoff.h"

#include "harness.h"

#define SECOND UINT64_C(1000000000)

/* Deaths one after another, each `life` after a start that came when it was due. */
static uint64_t die(rt_backoff *backoff, uint64_t *clock, uint64_t life)
{
    uint64_t started = *clock;
    *clock += life;
    uint64_t delay = rt_backoff_delay(backoff, started, *clock);
    *clock += delay;
    return delay;
}

static void early_deaths_cost_more_each_time_up_to_half_a_minute(void)
{
    static const uint64_t expected[] = {0, 1, 2, 4, 8, 16, 30, 30, 30};
    rt_backoff backoff = {0};
    uint64_t clock = 12345;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        CU_ASSERT_EQUAL(die(&backoff, &clock, SECOND / 10), expected[i] * SECOND);
}

static void a_minute_of_life_makes_good(void)
{
    rt_backoff backoff = {0};
    uint64_t clock = 12345;
    for (int i = 0; i < 8; i++)
        die(&backoff, &clock, 1);
    CU_ASSERT_EQUAL(die(&backoff, &clock, 60 * SECOND - 1), 30 * SECOND);
    CU_ASSERT_EQUAL(die(&backoff, &clock, 60 * SECOND), 0);
    CU_ASSERT_EQUAL(die(&backoff, &clock, 1), SECOND);
    CU_ASSERT_EQUAL(die(&backoff, &clock, 1), 2 * SECOND);
}

RT_TEST_MAIN("backoff",
             {"early deaths cost more each time, up to half a minute",
              early_deaths_cost_more_each_time_up_to_half_a_minute},
             {"a minute of life makes good", a_minute_of_life_makes_good})
