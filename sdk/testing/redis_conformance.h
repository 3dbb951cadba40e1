/* redis_conformance.h — what every provider of redis/1 has to do
 *
 * The provider must lead to a database in which nobody else uses keys that begin with
 * `conformance:`; the suite deletes and writes them. Waits; takes a second or two.
 */
#ifndef RT_TESTING_REDIS_CONFORMANCE_H
#define RT_TESTING_REDIS_CONFORMANCE_H

#include "conformance.h"

#include <rt/cap/redis.h>

typedef struct rt_redis_conformance {
    struct rt_redis_slot *redis; /* the handle of RT_REQUIRES(redis, 1) */
} rt_redis_conformance;

/* Runs all cases on the caller's provider and returns the TAP. */
rt_str rt_redis_conformance_run(rt_ctx *ctx, const rt_redis_conformance *subject);

/* Commands written as text, and what is expected of each: what the tables of the suite hold, for
 * those who compare providers. Words are apart by blanks, or in '…'; `k:` stands for
 * `conformance:`. What comes is written as +status, 'string', 12, null, [a, b] or !CODE DOMAIN;
 * `&` before a command: it blocks. `1..9` is expected of a number in between, `~[…]` of elements in
 * any order, NULL of nothing. */
typedef struct rt_redis_step {
    const char *command;
    const char *expected;
} rt_redis_step;

const char *rt_redis_conformance_steps(rt_ctx *ctx, struct rt_redis_slot *redis,
                                       const rt_redis_step *steps, uint32_t count);
const char *rt_redis_conformance_text(rt_ctx *ctx, int code, const rt_redis_reply *reply);

#endif
