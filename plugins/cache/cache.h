/* cache.h — what the providers of cache/1 share: what they are told, single flight
 *
 * A provider says how one value is got and set; get_or_compute is made of that here. Of those who
 * miss a key at the same time one computes, in its own unit of work; the others wait, each no
 * longer than it may. A leader that fails, is cancelled or dies hands over to who has waited
 * longest. The value is handed to all of them before it is kept.
 */
#ifndef PLUGINS_CACHE_CACHE_H
#define PLUGINS_CACHE_CACHE_H

#include <rt/cap/cache.h>
#include <rt/rt.h>

#include "redis/memory_dict.h"

enum { RT_CACHE_KEY_MOST = 512 };

typedef struct rt_flights rt_flights;

/* What a provider does, with keys and times that are sound. */
typedef struct rt_cache_driver {
    int (*get)(rt_ctx *ctx, const char *key, rt_str *value); /* -RT_ENOT_FOUND, without an error */
    int (*set)(rt_ctx *ctx, const char *key, rt_str value, int64_t ttl);
} rt_cache_driver;

/* NULL: no memory. */
rt_flights *rt_flights_open(const rt_cache_driver *driver, uint64_t max_value, int64_t ttl);
/* When nobody waits any more. NULL is taken too. */
void rt_flights_close(rt_flights *flights);

/* get, set and get_or_compute of cache/1: checked, counted. */
int rt_flights_get(rt_ctx *ctx, rt_flights *flights, const char *key, rt_str *value);
int rt_flights_set(rt_ctx *ctx, rt_flights *flights, const char *key, const void *value,
                   uint64_t length, int64_t ttl);
int rt_flights_get_or_compute(rt_ctx *ctx, rt_flights *flights, const char *key, int64_t ttl,
                              const rt_cache_source *source, rt_str *value);
int rt_cache_check_key(rt_ctx *ctx, const char *key);

/* The same bytes in the memory of the context, with a NUL behind them. */
rt_str rt_str_copy(rt_ctx *ctx, rt_str text);

/* The options that all providers have. */
#define RT_CACHE_OPTIONS                                                       \
    RT_OPTION(duration, ttl, RT_DEFAULT("5 min") RT_RANGE("1 ms", "365 d"),    \
              "How long a value is kept that is set without a time to live")   \
    RT_OPTION(size, max_value, RT_DEFAULT("1 MiB") RT_RANGE("1 B", "512 MiB"), \
              "Largest value; a larger one is refused, or computed and not kept")

#endif
