#include "kept.h"

#include <rt/cap/clock.h>
#include <rt/metric.h>
#include <stdlib.h>
#include <sys/random.h>

RT_USES(clock)
RT_GAUGE(cache_size, "cache.size", "By", "Memory of the values kept, their keys included")
RT_GAUGE(cache_entries, "cache.entries", "{value}", "Values kept")
RT_COUNTER(cache_evictions, "cache.evictions", "{value}", "Values that went for want of room")

static void tell(rt_ctx *ctx, rt_kept_cache *cache)
{
    const char *name = ctx->instance->name;
    uint64_t evicted = rt_lru_evicted(cache->lru);
    rt_metric_set(ctx, &cache_size, (double)rt_lru_bytes(cache->lru), {"cache", name});
    rt_metric_set(ctx, &cache_entries, (double)rt_lru_count(cache->lru), {"cache", name});
    if (evicted > cache->told)
        rt_metric_add(ctx, &cache_evictions, (int64_t)(evicted - cache->told), {"cache", name});
    cache->told = evicted;
}

/* --- what the flights use --------------------------------------------------------------------- */

static int find_value(rt_ctx *ctx, const char *key, rt_str *value)
{
    rt_kept_cache *cache = rt_state(ctx);
    int64_t now;
    rt_str found;
    RT_TRY(rt_clock_monotonic(ctx, rt_clock, &now));
    if (!rt_lru_get(cache->lru, rt_string(key), now, &found))
        return -RT_ENOT_FOUND;
    *value = rt_str_copy(ctx, found);
    return 0;
}

static int keep_value(rt_ctx *ctx, const char *key, rt_str value, int64_t ttl)
{
    rt_kept_cache *cache = rt_state(ctx);
    int64_t expiry;
    RT_TRY(rt_clock_monotonic(ctx, rt_clock, &expiry));
    if (__builtin_add_overflow(expiry, ttl, &expiry))
        expiry = INT64_MAX;
    if (!rt_lru_set(cache->lru, rt_string(key), value, expiry))
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory to keep `%s`", key);
    tell(ctx, cache);
    return 0;
}

static const rt_cache_driver driver = {.get = find_value, .set = keep_value};

/* --- cache/1 ---------------------------------------------------------------------------------- */

/* Others run, as they would while a server answers: that is what a provider in production does. */
static int begin(rt_ctx *ctx, rt_kept_cache **cache)
{
    *cache = rt_state(ctx);
    return rt_sleep(ctx, 0);
}

int rt_kept_get(rt_ctx *ctx, const char *key, rt_str *value)
{
    rt_kept_cache *cache;
    RT_TRY(begin(ctx, &cache));
    return rt_flights_get(ctx, cache->flights, key, value);
}

int rt_kept_set(rt_ctx *ctx, const char *key, const void *value, uint64_t length, int64_t ttl)
{
    rt_kept_cache *cache;
    RT_TRY(begin(ctx, &cache));
    return rt_flights_set(ctx, cache->flights, key, value, length, ttl);
}

int rt_kept_delete(rt_ctx *ctx, const char *key)
{
    rt_kept_cache *cache;
    RT_TRY(begin(ctx, &cache));
    RT_TRY(rt_cache_check_key(ctx, key));
    rt_lru_delete(cache->lru, rt_string(key));
    tell(ctx, cache);
    return 0;
}

int rt_kept_get_or_compute(rt_ctx *ctx, const char *key, int64_t ttl, const rt_cache_source *source,
                           rt_str *value)
{
    rt_kept_cache *cache;
    RT_TRY(begin(ctx, &cache));
    return rt_flights_get_or_compute(ctx, cache->flights, key, ttl, source, value);
}

/* --- life ------------------------------------------------------------------------------------- */

static void free_cache(rt_kept_cache *cache)
{
    rt_flights_close(cache->flights);
    rt_lru_close(cache->lru);
    rt_recorder_close(cache->recorder);
    free(cache);
}

int rt_kept_open(rt_ctx *ctx, const rt_kept_options *options)
{
    uint64_t seed = 0;
    rt_kept_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0)
        seed = rt_now();
    cache->flights = rt_flights_open(&driver, options->max_value, options->ttl);
    cache->lru = rt_lru_open(options->max_bytes, options->max_entries, seed);
    if (!cache->flights || !cache->lru) {
        free_cache(cache);
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    }
    rt_set_state(ctx, cache);
    return 0;
}

int rt_kept_close(rt_ctx *ctx)
{
    free_cache(rt_state(ctx));
    rt_set_state(ctx, NULL);
    return 0;
}
