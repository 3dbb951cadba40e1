/* rt/health.h — how a module is
 *
 * A module that can be up and yet unable to do its work (its backend is lost, a queue is full) says
 * so by a function of its life cycle. The host asks it once after start and then every
 * `health.interval`, never twice at once and never for a request; what it says is the answer of
 * `/health/ready`, by which load balancers choose, and of `rtctl health`. A module without the
 * function is healthy.
 *
 * May wait, for at most `health.timeout`: without an answer by then the module is unhealthy. It
 * should look at what the module knows, or ask its backend for something cheap.
 * Ownership: the reason is copied when the function returns; it is cut after 219 bytes.
 * Errors: a function that fails, or dies, is an answer too: unhealthy, for that reason.
 *
 *     static int health(rt_ctx *ctx, rt_health *health)
 *     {
 *         const struct pool *pool = rt_state(ctx);
 *         if (pool->open == 0)
 *             return rt_unhealthy(ctx, health, "no connection to `%s`", pool->host);
 *         if (pool->open < pool->least)
 *             return rt_degraded(ctx, health, "%d of %d connections", pool->open, pool->least);
 *         return 0;
 *     }
 *
 *     RT_REGISTER(registry)
 *     {
 *         return rt_on(registry, .start = open_pool, .stop = close_pool, .health = health);
 *     }
 */
#ifndef RT_HEALTH_H
#define RT_HEALTH_H

#include <rt/context.h>

enum rt_health_status {
    RT_HEALTHY = 0,
    RT_DEGRADED = 1,  /* works, but not as it should: readiness stays 200, with the reason */
    RT_UNHEALTHY = 2, /* cannot work: readiness is 503 */
};

/* Zeroed, that is healthy, when the function is called. */
typedef struct rt_health {
    uint32_t size;
    uint32_t status;    /* rt_health_status */
    const char *reason; /* or NULL */
} rt_health;

/* Each is 0, to be returned; the reason is printf's. */
#define rt_degraded(ctx_, health_, ...) rt_health_is_(ctx_, health_, RT_DEGRADED, __VA_ARGS__)
#define rt_unhealthy(ctx_, health_, ...) rt_health_is_(ctx_, health_, RT_UNHEALTHY, __VA_ARGS__)
#define rt_health_is_(ctx_, health_, status_, ...)         \
    __extension__({                                        \
        rt_health *const rt_health_ = (health_);           \
        rt_health_->status = (status_);                    \
        rt_health_->reason = rt_format(ctx_, __VA_ARGS__); \
        0;                                                 \
    })

#endif
