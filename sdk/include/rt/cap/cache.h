/* rt/cap/cache.h — cache/1: values that may be forgotten
 *
 * Keys are texts of up to 512 bytes, values bytes. Different modules share a provider's instance,
 * so a key begins with the module's name: "orders:by-id:17".
 *
 *     static int price(rt_ctx *ctx, void *argument, rt_str *value) { … }
 *     rt_str value;
 *     RT_TRY(rt_cache_get_or(ctx, cache, key, RT_S(60), price, &order, &value));
 *
 * get_or is single flight: of those in one worker who miss the same key at the same time one
 * computes, the others wait for it; if it fails, one of them tries in its place. A cache that
 * cannot be reached computes: it is no error of get_or.
 *
 * Ownership: values live as long as the unit of work. Waiting: all methods wait.
 * Times: nanoseconds; a time to live of 0 is the provider's `ttl`.
 * Errors: get without a value is -RT_ENOT_FOUND; a value beyond `max_value` or a key that is empty
 * or too long is -RT_EINVALID_ARGUMENT; -RT_EUNAVAILABLE, -RT_EDEADLINE, -RT_ECANCELED.
 */
#ifndef RT_CAP_CACHE_H
#define RT_CAP_CACHE_H

#include <rt/capability.h>

typedef int (*rt_cache_compute)(rt_ctx *ctx, void *argument, rt_str *value);

/* Where a value comes from that is not there. */
typedef struct rt_cache_source {
    uint32_t size;
    uint32_t reserved;
    rt_instance *instance; /* whose code it is */
    rt_cache_compute compute;
    void *argument;
} rt_cache_source;

#define RT_CACHE_METHODS(M)                                                             \
    M(cache, get, RT_WAITS | RT_IDEMPOTENT, (const char *, key), (rt_str *, value))     \
    M(cache, set, RT_WAITS | RT_IDEMPOTENT, (const char *, key), (const void *, value), \
      (uint64_t, length), (int64_t, ttl))                                               \
    M(cache, delete, RT_WAITS | RT_IDEMPOTENT, (const char *, key))                     \
    M(cache, get_or_compute, RT_WAITS, (const char *, key), (int64_t, ttl),             \
      (const rt_cache_source *, source), (rt_str *, value))
#define RT_METHODS_cache RT_METHOD_NAMES(RT_CACHE_METHODS)

RT_CAPABILITY(cache, 1, RT_CACHE_METHODS)

/* The value, computed if it is not there and then kept for `ttl`. */
static inline int rt_cache_get_or(rt_ctx *ctx, struct rt_cache_slot *cache, const char *key,
                                  int64_t ttl, rt_cache_compute compute, void *argument,
                                  rt_str *value)
{
    return rt_cache_get_or_compute(ctx, cache, key, ttl,
                                   &(const rt_cache_source){.size = sizeof(rt_cache_source),
                                                            .instance = ctx->instance,
                                                            .compute = compute,
                                                            .argument = argument},
                                   value);
}

#endif
