#include "telemetry/clock.h"

#include "base/buffer.h"
#include "fiber/fiber.h"

#include <stdbool.h>
#include <string.h>

#define SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define SECOND UINT64_C(1000000000)
#define LEAST (SECOND / 100) /* to tell the rate from */

#if defined __x86_64__
#include <cpuid.h>
#include <x86intrin.h>

static uint64_t read_counter(void)
{
    return __rdtsc();
}

static bool is_constant(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1u << 8; /* invariant TSC */
}
#else
static uint64_t read_counter(void)
{
    return 0;
}

static bool is_constant(void)
{
    return false;
}
#endif

static struct {
    bool usable;
    uint64_t ticks, time; /* when both were read last */
    uint64_t rate;        /* ns a tick, times 2^32; 0: not known yet */
    uint64_t good;        /* ticks after which both are read again */
    uint64_t last;        /* told */
} clock_state;

void rt_clock_open(void)
{
    rt_buffer source = {0};
    bool trusted = rt_buffer_read_file(&source, SOURCE, 64) == 0 && source.data &&
                   strcmp(source.data, "tsc\n") == 0;
    rt_buffer_free(&source);
    memset(&clock_state, 0, sizeof clock_state);
    clock_state.usable = trusted && is_constant();
    clock_state.time = rt_host_now();
    clock_state.ticks = read_counter();
}

static uint64_t set_right(void)
{
    uint64_t time = rt_host_now(), ticks = read_counter();
    uint64_t passed = time - clock_state.time, counted = ticks - clock_state.ticks;
    if (passed < LEAST)
        return time;
    clock_state.rate = (uint64_t)(((unsigned __int128)passed << 32) / (counted ? counted : 1));
    clock_state.good = (uint64_t)((unsigned __int128)counted * SECOND / passed);
    clock_state.time = time;
    clock_state.ticks = ticks;
    return time;
}

uint64_t rt_clock_now(void)
{
    if (!clock_state.usable)
        return rt_host_now();
    uint64_t counted = read_counter() - clock_state.ticks, now;
    if (counted < clock_state.good)
        now = clock_state.time + (uint64_t)((unsigned __int128)counted * clock_state.rate >> 32);
    else
        now = set_right();
    return clock_state.last = now > clock_state.last ? now : clock_state.last;
}
