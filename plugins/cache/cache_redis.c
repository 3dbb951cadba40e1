/* cache_redis.c — cache-redis: values in Redis, shared by all workers and machines
 *
 * Chosen where the configuration has its group: `cache-redis: { };`.
 */
#include "cache.h"

#include <rt/cap/redis.h>
#include <stdio.h>

RT_MODULE("cache-redis", "0.1.0", "Keeps values in Redis")
RT_PROVIDES(cache, 1, production, 100)
RT_REQUIRES(redis, 1)
RT_CACHE_OPTIONS
RT_OPTION(string, prefix, RT_DEFAULT("cache:") RT_RANGE(0, 128), "What keys in Redis begin with")

static rt_str full_key(rt_ctx *ctx, const char *key)
{
    return rt_string(rt_format(ctx, "%s%s", RT_GET(ctx, prefix), key));
}

static int find_value(rt_ctx *ctx, const char *key, rt_str *value)
{
    rt_redis_reply reply;
    RT_TRY(rt_redis_command(
        ctx, redis, RT_REDIS_WITH(RT_REDIS_IDEMPOTENT, RT_STR("GET"), full_key(ctx, key)), &reply));
    if (reply.type != RT_REDIS_STRING)
        return -RT_ENOT_FOUND;
    *value = (rt_str){reply.text, reply.length};
    return 0;
}

static int keep_value(rt_ctx *ctx, const char *key, rt_str value, int64_t ttl)
{
    rt_redis_reply reply;
    char milliseconds[24];
    snprintf(milliseconds, sizeof milliseconds, "%lld",
             (long long)(ttl / 1000000 + !!(ttl % 1000000)));
    return rt_redis_command(ctx, redis,
                            RT_REDIS_WITH(RT_REDIS_IDEMPOTENT, RT_STR("SET"), full_key(ctx, key),
                                          value, RT_STR("PX"), rt_string(milliseconds)),
                            &reply);
}

static const rt_cache_driver driver = {.get = find_value, .set = keep_value};

static int open_cache(rt_ctx *ctx)
{
    rt_flights *flights =
        rt_flights_open(&driver, (uint64_t)RT_GET(ctx, max_value), RT_GET(ctx, ttl));
    if (!flights)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    rt_set_state(ctx, flights);
    return 0;
}

static int close_cache(rt_ctx *ctx)
{
    rt_flights_close(rt_state(ctx));
    rt_set_state(ctx, NULL);
    return 0;
}

static int get(rt_ctx *ctx, const char *key, rt_str *value)
{
    return rt_flights_get(ctx, rt_state(ctx), key, value);
}

static int set(rt_ctx *ctx, const char *key, const void *value, uint64_t length, int64_t ttl)
{
    return rt_flights_set(ctx, rt_state(ctx), key, value, length, ttl);
}

static int delete (rt_ctx *ctx, const char *key)
{
    rt_redis_reply reply;
    RT_TRY(rt_cache_check_key(ctx, key));
    return rt_redis_command(
        ctx, redis, RT_REDIS_WITH(RT_REDIS_IDEMPOTENT, RT_STR("DEL"), full_key(ctx, key)), &reply);
}

static int get_or_compute(rt_ctx *ctx, const char *key, int64_t ttl, const rt_cache_source *source,
                          rt_str *value)
{
    return rt_flights_get_or_compute(ctx, rt_state(ctx), key, ttl, source, value);
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = open_cache, .stop = close_cache));
    return rt_provide(registry, cache, .get = get, .set = set, .delete = delete,
                      .get_or_compute = get_or_compute);
}
