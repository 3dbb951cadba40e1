/* cache_memory.c — cache-memory: values in the worker's own memory, for development
 *
 * Each worker has its own, so what one deletes another still has: not for production.
 */
#include "kept.h"

#include <rt/cap/clock.h>

RT_MODULE("cache-memory", "0.1.0", "Keeps values in memory, the least recently used go",
          RT_DEVELOPMENT_ONLY RT_PROCESS_LOCAL)
RT_PROVIDES(cache, 1, fallback, 0)
RT_REQUIRES(clock, 1, RT_RAW)
RT_KEPT_OPTIONS

static int open_cache(rt_ctx *ctx)
{
    return rt_kept_open(ctx, RT_KEPT_OPTIONS_OF(ctx));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = open_cache, .stop = rt_kept_close));
    return rt_provide(registry, cache, .get = rt_kept_get, .set = rt_kept_set,
                      .delete = rt_kept_delete, .get_or_compute = rt_kept_get_or_compute);
}
