/* probe_clock.c — probe-clock: the methods of clock/1 as routes
 *
 *     GET /clock   GET /clock/set?ns=…   GET /clock/advance?ns=…
 */
#include <rt/cap/clock.h>
#include <rt/rt.h>
#include <stdlib.h>

RT_MODULE("probe-clock", "0.1.0", "Offers clock/1 over HTTP", RT_DEVELOPMENT_ONLY)
RT_SERVES(routes)
RT_REQUIRES(clock, 1, RT_RAW)

static int answer_times(rt_ctx *ctx, rt_response *response)
{
    int64_t utc, monotonic;
    rt_json *json = rt_json_new(ctx);
    RT_TRY(rt_clock_now(ctx, rt_clock, &utc));
    RT_TRY(rt_clock_monotonic(ctx, rt_clock, &monotonic));
    rt_json_object(json);
    rt_json_key(json, "utc"), rt_json_put_int(json, utc);
    rt_json_key(json, "monotonic"), rt_json_put_int(json, monotonic);
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}

static int read_nanoseconds(rt_ctx *ctx, const rt_request *request, int64_t *nanoseconds)
{
    rt_str text;
    RT_TRY(rt_query(ctx, request, "ns", &text));
    *nanoseconds = strtoll(rt_format(ctx, "%.*s", (int)text.length, text.data), NULL, 10);
    return 0;
}

static int show(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return answer_times(ctx, response);
}

static int set(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t nanoseconds;
    RT_TRY(read_nanoseconds(ctx, request, &nanoseconds));
    RT_TRY(rt_clock_set(ctx, rt_clock, nanoseconds));
    return answer_times(ctx, response);
}

static int advance(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t nanoseconds;
    RT_TRY(read_nanoseconds(ctx, request, &nanoseconds));
    RT_TRY(rt_clock_advance(ctx, rt_clock, nanoseconds));
    return answer_times(ctx, response);
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/clock", show));
    RT_TRY(rt_route(registry, RT_GET, "/clock/set", set));
    return rt_route(registry, RT_GET, "/clock/advance", advance);
}
