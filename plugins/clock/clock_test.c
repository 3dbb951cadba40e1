/* clock_test.c — clock-test: a clock that moves only when told to
 *
 * It stands still at `initial`, 2024-01-01T00:00:00Z unless configured, so that what a test sees
 * does not depend on when it runs. `set` moves the wall clock alone, either way, as an
 * administrator would; `advance` moves both clocks forward.
 */
#include <rt/cap/clock.h>
#include <rt/rt.h>
#include <stdlib.h>

RT_MODULE("clock-test", "0.1.0", "A clock that tests set and advance")
RT_PROVIDES(clock, 1, test, 0)
RT_OPTION(int, initial, RT_DEFAULT(1704067200) RT_RANGE(0, 9223372035),
          "Time it starts at, in seconds since 1970")

#define NANOSECONDS INT64_C(1000000000)

struct test_clock {
    int64_t utc;
    int64_t monotonic;
};

static int open_clock(rt_ctx *ctx)
{
    struct test_clock *times = calloc(1, sizeof *times);
    if (!times)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    *times = (struct test_clock){RT_GET(ctx, initial) * NANOSECONDS, NANOSECONDS};
    rt_set_state(ctx, times);
    return 0;
}

static int close_clock(rt_ctx *ctx)
{
    free(rt_state(ctx));
    rt_set_state(ctx, NULL);
    return 0;
}

static int now_utc(rt_ctx *ctx, int64_t *nanoseconds)
{
    *nanoseconds = ((struct test_clock *)rt_state(ctx))->utc;
    return 0;
}

static int now_monotonic(rt_ctx *ctx, int64_t *nanoseconds)
{
    *nanoseconds = ((struct test_clock *)rt_state(ctx))->monotonic;
    return 0;
}

static int set_utc(rt_ctx *ctx, int64_t nanoseconds)
{
    ((struct test_clock *)rt_state(ctx))->utc = nanoseconds;
    return 0;
}

static int advance(rt_ctx *ctx, int64_t nanoseconds)
{
    struct test_clock *times = rt_state(ctx);
    int64_t utc, monotonic;
    if (nanoseconds < 0)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "a clock cannot advance by a negative time");
    if (__builtin_add_overflow(times->utc, nanoseconds, &utc) ||
        __builtin_add_overflow(times->monotonic, nanoseconds, &monotonic))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the clock would pass the year 2262");
    *times = (struct test_clock){utc, monotonic};
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = open_clock, .stop = close_clock));
    return rt_provide(registry, clock, .now = now_utc, .monotonic = now_monotonic, .set = set_utc,
                      .advance = advance);
}
