#include "http/http2_budget.h"

#define UNIT 1000 /* so that a millisecond's share is whole */

static int64_t filled(int64_t bucket, uint64_t elapsed, int64_t a_second, int64_t most)
{
    /* Long silences fill it whatever their length: beyond this the product could overflow. */
    int64_t share = elapsed > 3600000 ? most * UNIT : (int64_t)elapsed * a_second;
    return bucket + share < most * UNIT ? bucket + share : most * UNIT;
}

static void refill(rt_http2_budget *budget, uint64_t now)
{
    uint64_t elapsed = now > budget->refilled ? now - budget->refilled : 0;
    if (!elapsed)
        return;
    budget->refilled = now;
    budget->frames = filled(budget->frames, elapsed, RT_HTTP2_FRAMES_SECOND, RT_HTTP2_FRAMES);
    budget->resets = filled(budget->resets, elapsed, RT_HTTP2_RESETS_SECOND, RT_HTTP2_RESETS);
}

void rt_http2_budget_begin(rt_http2_budget *budget, uint64_t now)
{
    *budget = (rt_http2_budget){now, RT_HTTP2_FRAMES * UNIT, RT_HTTP2_RESETS * UNIT};
}

static bool charge(int64_t *bucket)
{
    *bucket -= UNIT;
    return *bucket >= 0;
}

bool rt_http2_charge_frame(rt_http2_budget *budget, uint64_t now)
{
    refill(budget, now);
    return charge(&budget->frames);
}

bool rt_http2_charge_reset(rt_http2_budget *budget, uint64_t now)
{
    refill(budget, now);
    return charge(&budget->resets);
}

void rt_http2_give_back(rt_http2_budget *budget)
{
    budget->frames += RT_HTTP2_GIVEN_BACK * UNIT;
    if (budget->frames > RT_HTTP2_FRAMES * UNIT)
        budget->frames = RT_HTTP2_FRAMES * UNIT;
}
