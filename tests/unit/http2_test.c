/* What floods cost, and which tickets are accepted. */
#include "harness.h"

#include "http/http2_budget.h"
#include "http/tickets.h"

#include <string.h>

#define NOON (UINT64_C(1000) * RT_TICKET_EPOCH)

static int frames_until_empty(rt_http2_budget *budget, uint64_t now)
{
    int count = 0;
    while (rt_http2_charge_frame(budget, now))
        count++;
    return count;
}

static void frames(void)
{
    rt_http2_budget budget;
    rt_http2_budget_begin(&budget, 5000);
    CU_ASSERT_EQUAL(frames_until_empty(&budget, 5000), RT_HTTP2_FRAMES);
    rt_http2_budget_begin(&budget, 5000);
    for (int i = 0; i < RT_HTTP2_FRAMES; i++)
        CU_ASSERT_TRUE(rt_http2_charge_frame(&budget, 5000));
    CU_ASSERT_EQUAL(frames_until_empty(&budget, 5000 + 100), RT_HTTP2_FRAMES_SECOND / 10);
}

static void frames_for_work(void)
{
    rt_http2_budget budget;
    rt_http2_budget_begin(&budget, 0);
    for (int i = 0; i < 10 * RT_HTTP2_FRAMES; i++) {
        CU_ASSERT_TRUE(rt_http2_charge_frame(&budget, 0));
        CU_ASSERT_TRUE(rt_http2_charge_frame(&budget, 0));
        rt_http2_give_back(&budget);
    }
    for (int i = 0; i < 100; i++)
        rt_http2_give_back(&budget); /* never more than at the start */
    CU_ASSERT_EQUAL(frames_until_empty(&budget, 0), RT_HTTP2_FRAMES);
}

static void resets(void)
{
    rt_http2_budget budget;
    int count = 0;
    rt_http2_budget_begin(&budget, 0);
    while (rt_http2_charge_reset(&budget, 0))
        count++;
    CU_ASSERT_EQUAL(count, RT_HTTP2_RESETS);
    rt_http2_give_back(&budget);
    CU_ASSERT_FALSE(rt_http2_charge_reset(&budget, 0)); /* requests do not pay for them */
    CU_ASSERT_TRUE(rt_http2_charge_frame(&budget, 0));
}

static void silences(void)
{
    rt_http2_budget budget;
    rt_http2_budget_begin(&budget, 10);
    CU_ASSERT_TRUE(rt_http2_charge_frame(&budget, 5)); /* a clock that went back gives nothing */
    CU_ASSERT_EQUAL(frames_until_empty(&budget, UINT64_MAX), RT_HTTP2_FRAMES);
}

static bool same_key(const rt_ticket_key *one, const rt_ticket_key *other)
{
    return !memcmp(one, other, sizeof *one);
}

static void shared_keys(void)
{
    rt_ticket_secret secret;
    rt_tickets early, late;
    CU_ASSERT_TRUE(rt_ticket_secret_make(&secret, NOON));
    rt_tickets_begin(&early, &secret);
    CU_ASSERT_FALSE(same_key(&early.present, &early.previous));
    rt_tickets_advance(&early, NOON + RT_TICKET_EPOCH - 1);
    CU_ASSERT_EQUAL(early.secret.epoch, secret.epoch);
    for (uint64_t passed = 1; passed < 4; passed++) {
        rt_ticket_key before = early.present;
        rt_tickets_advance(&early, NOON + passed * RT_TICKET_EPOCH);
        rt_ticket_secret_advance(&secret, NOON + passed * RT_TICKET_EPOCH);
        rt_tickets_begin(&late, &secret); /* of a worker that starts only now */
        CU_ASSERT_TRUE(same_key(&early.present, &late.present));
        CU_ASSERT_TRUE(same_key(&early.previous, &late.previous));
        CU_ASSERT_TRUE(same_key(&early.previous, &before));
        CU_ASSERT_FALSE(same_key(&early.present, &before));
    }
}

static void clock_back(void)
{
    rt_ticket_secret secret;
    rt_tickets tickets;
    rt_ticket_secret_make(&secret, NOON);
    rt_tickets_begin(&tickets, &secret);
    rt_ticket_key key = tickets.present;
    rt_tickets_advance(&tickets, NOON - 5 * RT_TICKET_EPOCH);
    CU_ASSERT_TRUE(same_key(&tickets.present, &key));
    CU_ASSERT_FALSE(rt_ticket_secret_make(&secret, 0)); /* 1970 means that there is no clock */
}

RT_TEST_MAIN("http2", {"frames that move nothing are counted, and forgiven with time", frames},
             {"who works may send frames without end", frames_for_work},
             {"streams reset are counted apart", resets},
             {"no silence fills more than the bucket", silences},
             {"all workers derive the same keys, whenever they start", shared_keys},
             {"a clock that goes back changes no key", clock_back})
