/* policy.h — what calls of a capability must bear: limits, breaker, further attempts, time-outs
 *
 * Outermost first: the unit's deadline and cancellation, the bulkhead (so many calls at once, so
 * many may wait), the breaker, the attempts with pauses between them, and the time-out of each. All
 * state is of one method of one provider's instance in this worker, and of the loop's thread.
 *
 * effect.c calls rt_policy_begin before the provider and rt_policy_again after it, in the fiber of
 * the call.
 */
#ifndef RT_TELEMETRY_POLICY_H
#define RT_TELEMETRY_POLICY_H

#include "compose/plan_effect.h"
#include "fiber/fiber.h"

#include <rt/capability.h>

enum { RT_POLICY_SCRATCH = 3 }; /* which of the frame's words is the policy's */

typedef struct rt_policy rt_policy;

/* Of what one instance provides of one capability; in the arena. NULL if no method has a policy.
 * `instance` and `effects` outlive them. `counted`: metrics are made. */
typedef struct rt_policies {
    rt_policy **items; /* by method index; NULL: none */
    size_t count;
} rt_policies;
rt_policies *rt_policies_new(rt_arena *arena, const char *capability, rt_instance *instance,
                             const rt_plan_effect *effects, size_t count, bool counted);

/* 0: the provider is to be called, and then rt_policy_again; or -RT_E…, and it is over. */
int rt_policy_begin(rt_ctx *ctx, rt_policy *policy, rt_effect_frame *frame);
/* After the provider. True: it is to be called again. False: `*result` is the call's. */
bool rt_policy_again(rt_ctx *ctx, rt_effect_frame *frame, int *result);

/* The name of a method ("email.send") whose breaker refuses all calls now, or NULL. */
const char *rt_policies_refusing(const rt_policies *policies);

/* The pause behind the attempt of this number, from 1; `random` is any number. */
uint64_t rt_policy_pause(const rt_plan_retry *retry, uint32_t attempt, uint64_t random);

#endif
