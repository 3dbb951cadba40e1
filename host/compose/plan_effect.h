/* plan_effect.h — the part of a plan that is about the calls of one method */
#ifndef RT_COMPOSE_PLAN_EFFECT_H
#define RT_COMPOSE_PLAN_EFFECT_H

#include <stdbool.h>
#include <stdint.h>

/* How much chance there is in a pause between attempts. */
typedef enum rt_jitter {
    RT_JITTER_FULL,
    RT_JITTER_EQUAL,
    RT_JITTER_NONE,
    RT_JITTER_COUNT
} rt_jitter;

typedef struct rt_plan_retry {
    int64_t max_attempts; /* 1: it is not tried again */
    int64_t delay, max_delay;
    double factor;
    rt_jitter jitter;
} rt_plan_retry;

/* With neither `failures` nor `failure_rate` there is none. */
typedef struct rt_plan_breaker {
    int64_t failures;      /* in a row that open it; 0: not counted */
    double failure_rate;   /* share of failed calls that opens it; 0: not counted */
    int64_t minimum_calls; /* before the share means anything */
    int64_t window;        /* that the share is taken over */
    int64_t open_for;
    int64_t probes;
} rt_plan_breaker;

/* What happens around each call of one method of one provider: `effects` of the configuration with
 * all that overrides it, and without what the method's flags make idle. Times are ns. */
typedef struct rt_plan_effect {
    const char *method;
    bool log, trace, metrics;
    int64_t timeout;     /* of an attempt; 0: none */
    int64_t concurrency; /* calls at once; 0: any number */
    int64_t queue;       /* calls that may wait for their turn */
    rt_plan_retry retry;
    rt_plan_breaker breaker;
} rt_plan_effect;

static inline bool rt_effect_has_breaker(const rt_plan_effect *effect)
{
    return effect->breaker.failures > 0 || effect->breaker.failure_rate > 0;
}

#endif
