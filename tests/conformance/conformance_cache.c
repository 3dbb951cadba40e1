/* conformance_cache.c — conformance-cache: runs the suite on whatever cache/1 is bound
 *
 *     GET  /conformance/cache          the suite, as TAP
 *     POST /conformance/cache/fill     {"from": 0, "count": 100, "bytes": 1000}: sets `fill:N`
 *     GET  /conformance/cache/keys     how many of `fill:0` up to `fill:9999` are there
 *     GET  /conformance/cache/compute  get_or of one key: {"code", "value", "computed"}
 */
#include <cache_conformance.h>
#include <rt/cap/clock.h>

RT_MODULE("conformance-cache", "0.1.0", "Runs the conformance suite of cache/1",
          RT_DEVELOPMENT_ONLY)
RT_SERVES(routes)
RT_REQUIRES(cache, 1)
RT_REQUIRES(clock, 1, RT_RAW)

/* A clock that cannot be moved goes by itself. */
static int pass_time(rt_ctx *ctx, int64_t nanoseconds)
{
    int code = rt_clock_advance(ctx, rt_clock, nanoseconds);
    return code == -RT_EUNIMPLEMENTED ? rt_sleep(ctx, (uint64_t)nanoseconds) : code;
}

static int run_suite(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    const rt_cache_conformance subject = {.cache = cache, .pass_time = pass_time};
    return rt_respond(ctx, response, 200, "text/plain; charset=utf-8",
                      rt_cache_conformance_run(ctx, &subject));
}

static int fill(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_json_value *body;
    RT_TRY(rt_body_json(ctx, request, &body));
    int64_t from = rt_json_int(rt_json_get(body, "from"), 0);
    int64_t count = rt_json_int(rt_json_get(body, "count"), 0);
    uint64_t bytes = (uint64_t)rt_json_int(rt_json_get(body, "bytes"), 1);
    const char *value = rt_alloc(ctx, bytes);
    for (int64_t i = from; i < from + count; i++)
        RT_TRY(
            rt_cache_set(ctx, cache, rt_format(ctx, "fill:%lld", (long long)i), value, bytes, 0));
    return rt_respond(ctx, response, 204, NULL, RT_STR(""));
}

/* From the oldest on, so that asking changes the order to what it was. */
static int list_keys(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_json *json = rt_json_new(ctx);
    rt_str value;
    (void)request;
    rt_json_array(json);
    for (int i = 0; i < 10000; i++) {
        int code = rt_cache_get(ctx, cache, rt_format(ctx, "fill:%d", i), &value);
        if (code == 0)
            rt_json_put_int(json, i);
        else if (code != -RT_ENOT_FOUND)
            return code;
    }
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}

static int compute_one(rt_ctx *ctx, void *argument, rt_str *value)
{
    (void)ctx;
    *(bool *)argument = true;
    *value = RT_STR("computed");
    return 0;
}

static int compute(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    bool computed = false;
    rt_str value = {0};
    (void)request;
    int code = rt_cache_get_or(ctx, cache, "compute:one", 0, compute_one, &computed, &value);
    rt_json *json = rt_json_new(ctx);
    rt_json_object(json);
    rt_json_key(json, "code"), rt_json_put_string(json, rt_code_name(code));
    rt_json_key(json, "value"), rt_json_put_str(json, value);
    rt_json_key(json, "computed"), rt_json_put_bool(json, computed);
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/conformance/cache", run_suite, .timeout = RT_S(60)));
    RT_TRY(rt_route(registry, RT_POST, "/conformance/cache/fill", fill, .timeout = RT_S(60)));
    RT_TRY(rt_route(registry, RT_GET, "/conformance/cache/keys", list_keys, .timeout = RT_S(60)));
    return rt_route(registry, RT_GET, "/conformance/cache/compute", compute);
}
