/* clock_system.c — clock-system: the machine's clocks */
#include <rt/cap/clock.h>
#include <rt/rt.h>
#include <time.h>

RT_MODULE("clock-system", "0.1.0", "Tells the machine's time")
RT_PROVIDES(clock, 1, fallback, 0)

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int now_utc(rt_ctx *ctx, int64_t *nanoseconds)
{
    (void)ctx;
    *nanoseconds = read_clock(CLOCK_REALTIME);
    return 0;
}

static int now_monotonic(rt_ctx *ctx, int64_t *nanoseconds)
{
    (void)ctx;
    *nanoseconds = read_clock(CLOCK_MONOTONIC);
    return 0;
}

RT_REGISTER(registry)
{
    return rt_provide(registry, clock, .now = now_utc, .monotonic = now_monotonic);
}
