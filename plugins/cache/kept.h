/* kept.h — cache/1 in memory, for cache-memory and cache-test
 *
 * The state of the module begins with a struct rt_kept_cache, but for the recorder of a double,
 * which comes before it: both find it through rt_kept_cache_of. The module requires clock/1 (raw):
 * values expire by its monotonic time, so that a test can make it pass.
 */
#ifndef PLUGINS_CACHE_KEPT_H
#define PLUGINS_CACHE_KEPT_H

#include "cache.h"
#include "lru.h"
#include "testing/recorder.h"

typedef struct rt_kept_cache {
    rt_recorder *recorder; /* of a double; first: recorder.h */
    rt_flights *flights;
    rt_lru *lru;
    uint64_t told; /* evictions that the metric has */
} rt_kept_cache;

typedef struct rt_kept_options {
    uint64_t max_bytes, max_entries, max_value;
    int64_t ttl;
} rt_kept_options;

/* The state of the instance, to be closed by rt_kept_close; -RT_ERESOURCE_EXHAUSTED. */
int rt_kept_open(rt_ctx *ctx, const rt_kept_options *options);
int rt_kept_close(rt_ctx *ctx);

int rt_kept_get(rt_ctx *ctx, const char *key, rt_str *value);
int rt_kept_set(rt_ctx *ctx, const char *key, const void *value, uint64_t length, int64_t ttl);
int rt_kept_delete(rt_ctx *ctx, const char *key);
int rt_kept_get_or_compute(rt_ctx *ctx, const char *key, int64_t ttl, const rt_cache_source *source,
                           rt_str *value);

#define RT_KEPT_OPTIONS                                                             \
    RT_CACHE_OPTIONS                                                                \
    RT_OPTION(size, max_bytes, RT_DEFAULT("64 MiB") RT_RANGE("64 KiB", "1 TiB"),    \
              "Most memory of keys and values; what was not used for longest goes") \
    RT_OPTION(int, max_entries, RT_DEFAULT(100000) RT_RANGE(1, 1000000000), "Most values")
#define RT_KEPT_OPTIONS_OF(ctx_)                                            \
    (&(rt_kept_options){.max_bytes = (uint64_t)RT_GET(ctx_, max_bytes),     \
                        .max_entries = (uint64_t)RT_GET(ctx_, max_entries), \
                        .max_value = (uint64_t)RT_GET(ctx_, max_value),     \
                        .ttl = RT_GET(ctx_, ttl)})

#endif
