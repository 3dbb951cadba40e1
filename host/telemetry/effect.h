/* effect.h — what happens around an instrumented call of a capability method
 *
 * A binding whose `effects` is set runs rt_host_effect_begin before the provider and
 * rt_host_effect_again after it: the call gets a span, is counted and timed, and is logged as
 * `<op> completed in N ms` (debug) or `<op> failed after N ms` (error, with the code). A lazy
 * provider is started on its first use.
 */
#ifndef RT_TELEMETRY_EFFECT_H
#define RT_TELEMETRY_EFFECT_H

#include "telemetry/policy.h"

/* What is done around calls of one method through one binding. */
typedef struct rt_effect_operation {
    bool logged, traced, counted;
    rt_policy *policy;                      /* of the provider's method; NULL: none */
    struct rt_series *succeeded, *duration; /* found at its first call */
    const char *name;                       /* "email.send"; likewise */
} rt_effect_operation;

/* What is known of calls of the operation's name, whoever made them; false: none was counted. */
typedef struct rt_operation_counts {
    uint64_t succeeded, failed;
    double seconds; /* that all of them took */
} rt_operation_counts;
bool rt_operation_counted(const rt_effect_operation *operation, rt_operation_counts *counts);

struct rt_effects {
    rt_effect_operation *operations; /* by method index */
    uint32_t operation_count;
    /* Starts a lazy provider; 0 or -RT_E…. Called at each use, by several fibers at once too. */
    int (*prepare)(rt_ctx *ctx, void *argument);
    void *prepare_argument;
};

int rt_host_effect_begin(rt_ctx *ctx, rt_effect_frame *frame);
int rt_host_effect_again(rt_ctx *ctx, rt_effect_frame *frame, int *result);
int rt_host_unimplemented(rt_ctx *ctx, const rt_method *method);

#endif
