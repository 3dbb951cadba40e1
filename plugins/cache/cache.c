#include "cache.h"

#include <rt/metric.h>
#include <stdlib.h>

RT_COUNTER(cache_hits, "cache.hits", "{call}", "Values that were there")
RT_COUNTER(cache_misses, "cache.misses", "{call}", "Values that were not there")
RT_COUNTER(cache_errors, "cache.errors", "{call}",
           "Values that were computed or not kept because "
           "the cache failed")

/* One who waits for a flight; on its fiber's stack. */
struct waiter {
    struct waiter *next;
    rt_semaphore *turn;
    bool leads; /* it is to compute now */
};

/* One value on its way. */
struct flight {
    rt_flights *flights;
    rt_entry *entry;        /* NULL: nobody finds it any more */
    const rt_ctx *leader;   /* who computes */
    struct waiter *waiters; /* in the order they came */
    rt_bytes *value;        /* once it is there */
    uint32_t users;
};

struct rt_flights {
    const rt_cache_driver *driver;
    uint64_t max_value;
    int64_t ttl;
    rt_heap heap;
    rt_dict under_way; /* `value`: flight */
};

/* Held by the unit of work that computes, so that its end is noticed whatever it is. */
struct lead {
    struct flight *flight; /* NULL: it has ended well */
};

rt_flights *rt_flights_open(const rt_cache_driver *driver, uint64_t max_value, int64_t ttl)
{
    rt_flights *flights = calloc(1, sizeof *flights);
    if (!flights)
        return NULL;
    *flights = (rt_flights){.driver = driver, .max_value = max_value, .ttl = ttl};
    rt_dict_open(&flights->under_way, &flights->heap, rt_now());
    return flights;
}

void rt_flights_close(rt_flights *flights)
{
    if (flights)
        rt_dict_close(&flights->under_way);
    free(flights);
}

/* --- what is given ---------------------------------------------------------------------------- */

int rt_cache_check_key(rt_ctx *ctx, const char *key)
{
    if (!key || !key[0])
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the key is empty");
    if (strnlen(key, RT_CACHE_KEY_MOST + 1) > RT_CACHE_KEY_MOST)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the key `%.40s…` is longer than %d bytes", key,
                       RT_CACHE_KEY_MOST);
    return 0;
}

rt_str rt_str_copy(rt_ctx *ctx, rt_str text)
{
    char *copy = rt_alloc(ctx, text.length + 1);
    if (text.length)
        memcpy(copy, text.data, text.length);
    return (rt_str){copy, text.length};
}

static int check_ttl(rt_ctx *ctx, const rt_flights *flights, const char *key, int64_t *ttl)
{
    RT_TRY(rt_cache_check_key(ctx, key));
    if (*ttl < 0)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the time to live of `%s` is negative", key);
    *ttl = *ttl ? *ttl : flights->ttl;
    return 0;
}

static int look_up(rt_ctx *ctx, rt_flights *flights, const char *key, rt_str *value)
{
    int code = flights->driver->get(ctx, key, value);
    if (code == 0)
        rt_metric_add(ctx, &cache_hits, 1, {"cache", ctx->instance->name});
    else if (code == -RT_ENOT_FOUND)
        rt_metric_add(ctx, &cache_misses, 1, {"cache", ctx->instance->name});
    return code;
}

int rt_flights_get(rt_ctx *ctx, rt_flights *flights, const char *key, rt_str *value)
{
    RT_TRY(rt_cache_check_key(ctx, key));
    int code = look_up(ctx, flights, key, value);
    if (code == -RT_ENOT_FOUND)
        return rt_fail(ctx, RT_ENOT_FOUND, "the cache has no `%s`", key);
    return code;
}

int rt_flights_set(rt_ctx *ctx, rt_flights *flights, const char *key, const void *value,
                   uint64_t length, int64_t ttl)
{
    RT_TRY(check_ttl(ctx, flights, key, &ttl));
    if (length && !value)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the value of `%s` has a length and no bytes",
                       key);
    if (length > flights->max_value)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT,
                       "the value of `%s` has %llu bytes, more than `max_value`", key,
                       (unsigned long long)length);
    return flights->driver->set(ctx, key, (rt_str){value, length}, ttl);
}

/* --- flights ---------------------------------------------------------------------------------- */

static struct flight *find_flight(const rt_flights *flights, const char *key)
{
    const rt_entry *entry = rt_dict_find(&flights->under_way, rt_string(key));
    return entry ? entry->value : NULL;
}

static struct flight *open_flight(rt_flights *flights, const char *key)
{
    struct flight *flight = calloc(1, sizeof *flight);
    rt_entry *entry = flight ? rt_dict_add(&flights->under_way, rt_string(key), NULL) : NULL;
    if (!entry) {
        free(flight);
        return NULL;
    }
    *flight = (struct flight){.flights = flights, .entry = entry, .users = 1};
    entry->value = flight;
    return flight;
}

static void leave_flight(struct flight *flight)
{
    if (--flight->users)
        return;
    rt_heap_free(&flight->flights->heap, flight->value);
    free(flight);
}

/* Who misses from now on computes anew. */
static void end_flight(struct flight *flight)
{
    rt_dict_remove(&flight->flights->under_way, flight->entry);
    flight->entry = NULL;
    leave_flight(flight);
}

static struct waiter *take_waiter(struct flight *flight)
{
    struct waiter *first = flight->waiters;
    if (first)
        flight->waiters = first->next;
    return first;
}

static void leave_waiters(struct flight *flight, const struct waiter *waiter)
{
    for (struct waiter **place = &flight->waiters; *place; place = &(*place)->next) {
        if (*place != waiter)
            continue;
        *place = waiter->next;
        return;
    }
}

/* The leader has no value: who has waited longest tries in its place. */
static void hand_over(struct flight *flight)
{
    struct waiter *next = take_waiter(flight);
    flight->leader = NULL;
    if (next) {
        next->leads = true;
        rt_semaphore_release(next->turn);
        leave_flight(flight);
    } else
        end_flight(flight);
}

/* All who wait get the value. Without memory for it they compute, one after the other. */
static void land(struct flight *flight, rt_str value)
{
    flight->value = rt_bytes_new(&flight->flights->heap, value);
    if (!flight->value)
        return;
    for (struct waiter *waiter; (waiter = take_waiter(flight));)
        rt_semaphore_release(waiter->turn);
}

/* The leader's unit of work has ended in the middle of it: it died. */
static void finish_lead(rt_ctx *ctx, void *argument)
{
    struct lead *lead = argument;
    (void)ctx;
    if (lead->flight && lead->flight->value)
        end_flight(lead->flight);
    else if (lead->flight)
        hand_over(lead->flight);
    lead->flight = NULL;
}

/* --- computing -------------------------------------------------------------------------------- */

static int compute(rt_ctx *ctx, const rt_cache_source *source, rt_str *value)
{
    rt_instance *own = ctx->instance;
    *value = (rt_str){NULL, 0};
    ctx->instance = source->instance ? source->instance : own;
    int code = source->compute(ctx, source->argument, value);
    ctx->instance = own;
    if (code >= 0 && value->length && !value->data)
        return rt_fail(ctx, RT_EINTERNAL, "the computed value has a length and no bytes");
    return code < 0 ? code : 0;
}

/* A cache that fails, or a value too large for it, costs the next one who asks another computation:
 * nothing more. */
static void keep(rt_ctx *ctx, rt_flights *flights, const char *key, rt_str value, int64_t ttl)
{
    if (value.length > flights->max_value) {
        rt_log_with(ctx, RT_LOG_WARN, "a computed value is larger than `max_value` and is not kept",
                    {"key", key}, {"bytes", NULL, (int64_t)value.length});
        return;
    }
    int code = flights->driver->set(ctx, key, value, ttl);
    if (code == 0)
        return;
    rt_metric_add(ctx, &cache_errors, 1, {"cache", ctx->instance->name});
    rt_log_with(ctx, RT_LOG_DEBUG, "a computed value could not be kept", {"key", key},
                {"error", rt_code_name(code)});
}

static int lead(rt_ctx *ctx, struct flight *flight, const char *key, int64_t ttl,
                const rt_cache_source *source, rt_str *value)
{
    struct lead *held = rt_alloc(ctx, sizeof *held);
    held->flight = flight;
    flight->leader = ctx;
    int code = rt_defer(ctx, finish_lead, held);
    if (code == 0)
        code = compute(ctx, source, value);
    if (code == 0) {
        land(flight, *value);
        keep(ctx, flight->flights, key, *value, ttl);
    }
    finish_lead(ctx, held);
    return code;
}

/* 0: `value` is there, or `*leads` and it is this one's turn to compute. */
static int follow(rt_ctx *ctx, struct flight *flight, bool *leads, rt_str *value)
{
    struct waiter waiter = {.turn = rt_semaphore_new(0)};
    if (!waiter.turn)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory to wait for a value");
    struct waiter **place = &flight->waiters;
    while (*place)
        place = &(*place)->next;
    *place = &waiter;
    flight->users++;
    int code = rt_semaphore_acquire(ctx, waiter.turn);
    leave_waiters(flight, &waiter);
    rt_semaphore_free(waiter.turn);
    if (waiter.leads && code < 0)
        hand_over(flight);
    else if (waiter.leads)
        *leads = true; /* and stays a user: what it leads is its own now */
    else {
        if (code == 0)
            *value = rt_str_copy(ctx, rt_bytes_str(flight->value));
        leave_flight(flight);
    }
    return code;
}

/* Whether the failure of the cache is the caller's own end. */
static bool is_over(const rt_ctx *ctx)
{
    uint64_t deadline = rt_deadline(ctx);
    return rt_cancelled(ctx) || (deadline && rt_now() >= deadline);
}

static int miss(rt_ctx *ctx, rt_flights *flights, const char *key, int64_t ttl,
                const rt_cache_source *source, rt_str *value)
{
    struct flight *flight = find_flight(flights, key);
    bool leads = !flight;
    if (flight && flight->value) {
        *value = rt_str_copy(ctx, rt_bytes_str(flight->value));
        return 0;
    }
    if (flight && flight->leader == ctx)
        return rt_fail(ctx, RT_EFAILED_PRECONDITION, "`%s` is needed to compute itself", key);
    if (flight)
        RT_TRY(follow(ctx, flight, &leads, value));
    else if (!(flight = open_flight(flights, key)))
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory to compute `%s`", key);
    return leads ? lead(ctx, flight, key, ttl, source, value) : 0;
}

int rt_flights_get_or_compute(rt_ctx *ctx, rt_flights *flights, const char *key, int64_t ttl,
                              const rt_cache_source *source, rt_str *value)
{
    rt_cache_source own = {.size = sizeof own};
    RT_TRY(check_ttl(ctx, flights, key, &ttl));
    if (!source || !RT_HAS(source, argument) || !source->compute)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "nothing says how to compute `%s`", key);
    rt_struct_copy(&own, source);
    int code = look_up(ctx, flights, key, value);
    if (code == 0)
        return 0;
    if (is_over(ctx) && code != -RT_ENOT_FOUND)
        return code;
    if (code != -RT_ENOT_FOUND)
        rt_metric_add(ctx, &cache_errors, 1, {"cache", ctx->instance->name});
    return miss(ctx, flights, key, ttl, &own, value);
}
