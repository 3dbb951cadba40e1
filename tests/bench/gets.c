/* gets.c — a module that gets values of redis/1, to measure what that costs */
#include <rt/cap/redis.h>
#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>

RT_MODULE("gets", "1.0.0", "Gets values")
RT_SERVES(routes)
RT_REQUIRES(redis, 1)

enum { FIBERS = 32, GETS_A_UNIT = 50 };

static int say(rt_ctx *ctx, rt_response *response, const char *text)
{
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

/* What redis-benchmark -t get asks. */
static int get_value(rt_ctx *ctx, rt_str key, rt_redis_reply *reply)
{
    RT_TRY(rt_redis_command(ctx, redis, RT_REDIS_WITH(RT_REDIS_IDEMPOTENT, RT_STR("GET"), key),
                            reply));
    return reply->type == RT_REDIS_STRING ? 0 : rt_fail(ctx, RT_ENOT_FOUND, "no such key");
}

/* GET /hello: as long an answer as /get gives */
static int hello(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return say(ctx, response, "xxx");
}

/* GET /get/{key} */
static int get(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_redis_reply reply;
    RT_TRY(get_value(ctx, rt_param(request, "key"), &reply));
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){reply.text, reply.length});
}

static int get_some(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_redis_reply reply;
    for (int i = 0; i < GETS_A_UNIT; i++)
        RT_TRY(get_value(ctx, RT_STR("key:__rand_int__"), &reply));
    return 0;
}

static int get_many(rt_ctx *ctx, void *argument)
{
    for (int64_t i = 0; i < *(int64_t *)argument; i += GETS_A_UNIT)
        RT_TRY(rt_run(ctx, get_some, NULL));
    return 0;
}

/* GET /flood/{gets}: so many by 32 fibers; nanoseconds that they took */
static int flood(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    char digits[24] = "";
    rt_str text = rt_param(request, "gets");
    memcpy(digits, text.data, text.length < sizeof digits ? text.length : sizeof digits - 1);
    int64_t each = strtoll(digits, NULL, 10) / FIBERS;
    rt_task *tasks[FIBERS];
    uint64_t begin = rt_now();
    for (int i = 0; i < FIBERS; i++)
        tasks[i] = rt_spawn(ctx, get_many, &each);
    for (int i = 0; i < FIBERS; i++)
        RT_TRY(rt_join(ctx, tasks[i]));
    return say(ctx, response, rt_format(ctx, "%llu", (unsigned long long)(rt_now() - begin)));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/hello", hello));
    RT_TRY(rt_route(registry, RT_GET, "/get/{key}", get));
    return rt_route(registry, RT_GET, "/flood/{gets}", flood, .timeout = RT_S(600));
}
