/* effect.h — what happens around an instrumented call of a capability method
 *
 * A binding whose `effects` is set runs rt_host_effect_begin before the provider and
 * rt_host_effect_again after it. Today an effect logs `<op> completed in N ms` (debug) or
 * `<op> failed after N ms` (error, with the code), and starts a lazy provider on its first use.
 */
#ifndef RT_TELEMETRY_EFFECT_H
#define RT_TELEMETRY_EFFECT_H

#include <rt/capability.h>

struct rt_effects {
    bool log_success;
    bool log_failure;
    uint64_t quiet; /* methods that are not logged all the same: bits by method index */
    /* Starts a lazy provider; 0 or -RT_E…. Called at each use, by several fibers at once too. */
    int (*prepare)(rt_ctx *ctx, void *argument);
    void *prepare_argument;
};

int rt_host_effect_begin(rt_ctx *ctx, rt_effect_frame *frame);
int rt_host_effect_again(rt_ctx *ctx, rt_effect_frame *frame, int *result);
int rt_host_unimplemented(rt_ctx *ctx, const rt_method *method);

#endif
