#include "telemetry/breaker.h"

#include <string.h>

/* --- transitions ----------------------------------------------------------------------------- */

static void change(rt_breaker *breaker, rt_breaker_state state)
{
    breaker->state = state;
    breaker->ticket++;
    breaker->in_row = breaker->probing = breaker->passed = 0;
    memset(breaker->buckets, 0, sizeof breaker->buckets);
}

static void open_it(rt_breaker *breaker, const rt_plan_breaker *settings, uint64_t now)
{
    change(breaker, RT_BREAKER_OPEN);
    breaker->until = now + (uint64_t)settings->open_for;
}

/* --- the window ------------------------------------------------------------------------------ */

static uint64_t step_of(const rt_plan_breaker *settings, uint64_t now)
{
    uint64_t length = (uint64_t)settings->window / RT_BREAKER_BUCKETS;
    return now / (length ? length : 1);
}

static void count(rt_breaker *breaker, uint64_t step, bool failed)
{
    size_t i = step % RT_BREAKER_BUCKETS;
    if (breaker->buckets[i].step != step)
        memset(&breaker->buckets[i], 0, sizeof breaker->buckets[i]);
    breaker->buckets[i].step = step;
    breaker->buckets[i].calls++;
    breaker->buckets[i].failures += failed;
}

static bool too_many_failed(const rt_breaker *breaker, const rt_plan_breaker *settings,
                            uint64_t step)
{
    int64_t calls = 0, failures = 0;
    for (size_t i = 0; i < RT_BREAKER_BUCKETS; i++) {
        if (breaker->buckets[i].step + RT_BREAKER_BUCKETS <= step)
            continue;
        calls += breaker->buckets[i].calls;
        failures += breaker->buckets[i].failures;
    }
    return calls >= settings->minimum_calls &&
           (double)failures >= settings->failure_rate * (double)calls;
}

/* --- calls ----------------------------------------------------------------------------------- */

static bool is_free(const rt_breaker *breaker, const rt_plan_breaker *settings)
{
    return breaker->probing + breaker->passed < settings->probes;
}

bool rt_breaker_refuses(const rt_breaker *breaker, const rt_plan_breaker *settings, uint64_t now)
{
    if (breaker->state == RT_BREAKER_OPEN)
        return now < breaker->until;
    return breaker->state == RT_BREAKER_HALF_OPEN && !is_free(breaker, settings);
}

bool rt_breaker_admit(rt_breaker *breaker, const rt_plan_breaker *settings, uint64_t now,
                      uint32_t *ticket)
{
    if (rt_breaker_refuses(breaker, settings, now))
        return false;
    if (breaker->state == RT_BREAKER_OPEN)
        change(breaker, RT_BREAKER_HALF_OPEN);
    breaker->probing += breaker->state == RT_BREAKER_HALF_OPEN;
    *ticket = breaker->ticket;
    return true;
}

static void settle_probe(rt_breaker *breaker, const rt_plan_breaker *settings, uint64_t now,
                         rt_outcome outcome)
{
    breaker->probing--;
    if (outcome == RT_OUTCOME_FAILURE)
        open_it(breaker, settings, now);
    else if (outcome == RT_OUTCOME_SUCCESS && ++breaker->passed >= settings->probes)
        change(breaker, RT_BREAKER_CLOSED);
}

static void settle_closed(rt_breaker *breaker, const rt_plan_breaker *settings, uint64_t now,
                          bool failed)
{
    uint64_t step = step_of(settings, now);
    breaker->in_row = failed ? breaker->in_row + 1 : 0;
    bool opens = settings->failures && breaker->in_row >= settings->failures;
    if (settings->failure_rate > 0) {
        count(breaker, step, failed);
        opens |= failed && too_many_failed(breaker, settings, step);
    }
    if (opens)
        open_it(breaker, settings, now);
}

void rt_breaker_settle(rt_breaker *breaker, const rt_plan_breaker *settings, uint64_t now,
                       uint32_t ticket, rt_outcome outcome)
{
    if (ticket != breaker->ticket)
        return;
    if (breaker->state == RT_BREAKER_HALF_OPEN)
        settle_probe(breaker, settings, now, outcome);
    else if (outcome != RT_OUTCOME_NONE)
        settle_closed(breaker, settings, now, outcome == RT_OUTCOME_FAILURE);
}
