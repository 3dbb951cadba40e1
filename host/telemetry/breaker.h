/* breaker.h — a circuit breaker as a machine of its own: told of outcomes and the time, it says
 * whether a call may be tried
 *
 * Closed, it counts; too many failures open it. Open, it refuses everything for a while. Then it is
 * half open: the first call that comes becomes a probe, with as many others as may probe at once.
 * When that many have succeeded it closes; the first that fails opens it again.
 *
 * A ticket says which time it was: what was admitted before the breaker changed tells nothing about
 * the time after.
 */
#ifndef RT_TELEMETRY_BREAKER_H
#define RT_TELEMETRY_BREAKER_H

#include "compose/plan_effect.h"

enum { RT_BREAKER_BUCKETS = 10 }; /* of a window: its start moves in steps of a tenth */

typedef enum rt_breaker_state {
    RT_BREAKER_CLOSED,
    RT_BREAKER_HALF_OPEN,
    RT_BREAKER_OPEN
} rt_breaker_state;

typedef enum rt_outcome {
    RT_OUTCOME_NONE, /* says nothing about the backend */
    RT_OUTCOME_SUCCESS,
    RT_OUTCOME_FAILURE
} rt_outcome;

/* Zeroed is closed. */
typedef struct rt_breaker {
    rt_breaker_state state;
    uint32_t ticket;
    int64_t in_row; /* failures */
    uint64_t until; /* it refuses everything */
    int64_t probing, passed;
    struct {
        uint64_t step; /* of time that it counts */
        uint32_t calls, failures;
    } buckets[RT_BREAKER_BUCKETS];
} rt_breaker;

/* It would admit nothing now. */
bool rt_breaker_refuses(const rt_breaker *breaker, const rt_plan_breaker *settings, uint64_t now);
/* False: refused. Else the outcome is to be told, with the ticket. */
bool rt_breaker_admit(rt_breaker *breaker, const rt_plan_breaker *settings, uint64_t now,
                      uint32_t *ticket);
void rt_breaker_settle(rt_breaker *breaker, const rt_plan_breaker *settings, uint64_t now,
                       uint32_t ticket, rt_outcome outcome);

#endif
