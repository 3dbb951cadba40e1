/* cache_test.c — cache-test: the double of cache/1
 *
 * Does what cache-memory does, records every call, fails on demand. Values expire by clock/1, which
 * in a test stands still until the test moves it.
 */
#include "kept.h"

#include <rt/cap/clock.h>

RT_MODULE("cache-test", "0.1.0", "Keeps values in memory for tests: records, fails on demand",
          RT_PROCESS_LOCAL)
RT_PROVIDES(cache, 1, test, 0)
RT_PROVIDES(test_double, 1, test, 0)
RT_REQUIRES(clock, 1, RT_RAW)
RT_KEPT_OPTIONS
RT_OPTION(int, capacity, RT_DEFAULT(10000) RT_RANGE(1, 1000000), "Most calls kept; the oldest go")

static const char *const methods[] = {"get", "set", "delete", "get_or_compute", NULL};

static void reset(rt_ctx *ctx)
{
    rt_lru_clear(((rt_kept_cache *)rt_state(ctx))->lru);
}

static int open_double(rt_ctx *ctx)
{
    RT_TRY(rt_kept_open(ctx, RT_KEPT_OPTIONS_OF(ctx)));
    rt_kept_cache *cache = rt_state(ctx);
    cache->recorder = rt_recorder_open(methods, (uint32_t)RT_GET(ctx, capacity), reset);
    if (cache->recorder)
        return 0;
    rt_kept_close(ctx);
    return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
}

/* {"key":"orders:1","ttl":0,"value":"…"}; a negative ttl and NULL are left out. */
static const char *describe(rt_ctx *ctx, const char *key, int64_t ttl, const rt_str *value)
{
    rt_json *json = rt_json_new(ctx);
    rt_str text;
    rt_json_object(json);
    rt_json_key(json, "key"), rt_recorder_put_bytes(ctx, json, rt_string(key ? key : ""));
    if (ttl >= 0)
        rt_json_key(json, "ttl"), rt_json_put_int(json, ttl);
    if (value)
        rt_json_key(json, "value"), rt_recorder_put_bytes(ctx, json, *value);
    rt_json_end(json);
    return rt_json_text(json, &text) == 0 ? rt_format(ctx, "%.*s", (int)text.length, text.data)
                                          : NULL;
}

static int get(rt_ctx *ctx, const char *key, rt_str *value)
{
    return rt_recorded(ctx, "get", describe(ctx, key, -1, NULL), rt_kept_get, key, value);
}

static int set(rt_ctx *ctx, const char *key, const void *value, uint64_t length, int64_t ttl)
{
    rt_str shown = {value ? value : "", value ? length : 0};
    return rt_recorded(ctx, "set", describe(ctx, key, ttl, &shown), rt_kept_set, key, value, length,
                       ttl);
}

static int delete (rt_ctx *ctx, const char *key)
{
    return rt_recorded(ctx, "delete", describe(ctx, key, -1, NULL), rt_kept_delete, key);
}

static int get_or_compute(rt_ctx *ctx, const char *key, int64_t ttl, const rt_cache_source *source,
                          rt_str *value)
{
    return rt_recorded(ctx, "get_or_compute", describe(ctx, key, ttl, NULL), rt_kept_get_or_compute,
                       key, ttl, source, value);
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = open_double, .stop = rt_kept_close));
    RT_TRY(rt_provide(registry, test_double, RT_RECORDER_METHODS));
    return rt_provide(registry, cache, .get = get, .set = set, .delete = delete,
                      .get_or_compute = get_or_compute);
}
