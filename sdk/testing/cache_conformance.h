/* cache_conformance.h — what every provider of cache/1 has to do
 *
 * Keys begin with `conformance:` and are deleted before they are used. The provider's `max_value`
 * is 1 MiB, and it has room for more than that. Waits; takes a few seconds at most.
 */
#ifndef RT_TESTING_CACHE_CONFORMANCE_H
#define RT_TESTING_CACHE_CONFORMANCE_H

#include "conformance.h"

#include <rt/cap/cache.h>

typedef struct rt_cache_conformance {
    struct rt_cache_slot *cache; /* the handle of RT_REQUIRES(cache, 1) */
    /* Lets time pass for the provider, so many nanoseconds. */
    int (*pass_time)(rt_ctx *ctx, int64_t nanoseconds);
} rt_cache_conformance;

/* Runs all cases on the caller's provider and returns the TAP. */
rt_str rt_cache_conformance_run(rt_ctx *ctx, const rt_cache_conformance *subject);

#endif
