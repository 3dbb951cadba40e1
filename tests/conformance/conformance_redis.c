/* conformance_redis.c — conformance-redis: runs the suite on whatever redis/1 is bound
 *
 *     GET  /conformance/redis          the suite, as TAP
 *     POST /conformance/redis/command  {"words": ["GET", "key"], "idempotent": false, "blocks":
 *                                      false, "atomic": false, "milliseconds": 0, "bytes": 0}: the
 *                                      reply or the error, as JSON; `bytes` is the length of one
 *                                      more argument
 *     POST /conformance/redis/load     {"fibers": 32, "commands": 100000}: GETs, and what they took
 */
#include <redis_conformance.h>
#include <stdio.h>
#include <string.h>

RT_MODULE("conformance-redis", "0.1.0", "Runs the conformance suite of redis/1",
          RT_DEVELOPMENT_ONLY)
RT_SERVES(routes)
RT_REQUIRES(redis, 1)

static int run_suite(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    const rt_redis_conformance subject = {.redis = redis};
    return rt_respond(ctx, response, 200, "text/plain; charset=utf-8",
                      rt_redis_conformance_run(ctx, &subject));
}

/* --- single commands ------------------------------------------------------------------------- */

struct single {
    rt_redis_arguments command;
    bool atomic;
    rt_json *json;
};

static void put(rt_json *json, const char *key, const char *text)
{
    rt_json_key(json, key);
    rt_json_put_string(json, text);
}

static void write_outcome(rt_ctx *ctx, rt_json *json, int code, const rt_redis_reply *reply)
{
    const rt_error *error = code < 0 ? rt_last_error(ctx) : NULL;
    put(json, "code", rt_code_name(code));
    put(json, "reply", code == 0 ? rt_redis_conformance_text(ctx, code, reply) : NULL);
    put(json, "message", error ? error->message : NULL);
    put(json, "detail", error ? error->detail : NULL);
    put(json, "hint", error ? error->hint : NULL);
    put(json, "domain", error ? error->domain : NULL);
    rt_json_key(json, "retryable"), rt_json_put_bool(json, error && error->retryable);
}

static int run_single(rt_ctx *ctx, void *argument)
{
    struct single *single = argument;
    rt_redis_reply reply = {0};
    int code = single->atomic ? rt_redis_atomic(ctx, redis, &single->command, 1, &reply)
                              : rt_redis_command(ctx, redis, &single->command, &reply);
    write_outcome(ctx, single->json, code, &reply);
    return code;
}

static bool is_true(const rt_json_value *body, const char *key)
{
    const rt_json_value *value = rt_json_get(body, key);
    return value && value->type == RT_JSON_BOOL && value->value.integer;
}

static int run_command(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_json_value *body;
    RT_TRY(rt_body_json(ctx, request, &body));
    const rt_json_value *words = rt_json_get(body, "words");
    uint64_t count = 0, began = rt_now();
    uint64_t bytes = (uint64_t)rt_json_int(rt_json_get(body, "bytes"), 0);
    rt_str *arguments = rt_alloc(ctx, (words ? words->count + 1 : 1) * sizeof *arguments);
    for (const rt_json_value *word = words ? words->value.first : NULL; word; word = word->next)
        arguments[count++] = (rt_str){rt_json_string(word), word->count};
    if (bytes)
        arguments[count++] = (rt_str){rt_alloc(ctx, bytes), bytes};
    struct single single = {.json = rt_json_new(ctx),
                            .atomic = is_true(body, "atomic"),
                            .command = {.arguments = arguments, .count = (uint32_t)count}};
    if (is_true(body, "idempotent"))
        single.command.flags |= RT_REDIS_IDEMPOTENT;
    if (is_true(body, "blocks"))
        single.command.flags |= RT_REDIS_BLOCKS;
    uint64_t limit = (uint64_t)rt_json_int(rt_json_get(body, "milliseconds"), 0);
    rt_json_object(single.json);
    rt_run(ctx, run_single, &single, .deadline = limit ? rt_now() + RT_MS(limit) : 0);
    rt_json_key(single.json, "milliseconds");
    rt_json_put_int(single.json, (int64_t)((rt_now() - began) / 1000000));
    rt_json_end(single.json);
    return rt_respond_json(ctx, response, 200, single.json);
}

/* --- load ------------------------------------------------------------------------------------ */

struct load {
    uint64_t left, failed;
};

/* In units of some hundred commands, whose memory ends with them. */
static int get_some(rt_ctx *ctx, void *argument)
{
    struct load *load = argument;
    for (int i = 0; i < 200 && load->left; i++) {
        rt_redis_reply reply;
        load->left--;
        int code = rt_redis_command(ctx, redis, RT_REDIS(RT_STR("GET"), RT_STR("key:__rand_int__")),
                                    &reply);
        load->failed += code < 0 || reply.type != RT_REDIS_STRING;
    }
    return 0;
}

static int get_many(rt_ctx *ctx, void *argument)
{
    struct load *load = argument;
    while (load->left)
        RT_TRY(rt_run(ctx, get_some, load));
    return 0;
}

static int run_load(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_json_value *body;
    RT_TRY(rt_body_json(ctx, request, &body));
    int64_t fibers = rt_json_int(rt_json_get(body, "fibers"), 32);
    int64_t commands = rt_json_int(rt_json_get(body, "commands"), 100000);
    struct load load = {.left = (uint64_t)commands};
    rt_redis_reply reply;
    RT_TRY(rt_redis_command(
        ctx, redis, RT_REDIS(RT_STR("SET"), RT_STR("key:__rand_int__"), RT_STR("xxx")), &reply));
    uint64_t began = rt_now();
    rt_task **tasks = rt_alloc(ctx, (uint64_t)fibers * sizeof(rt_task *));
    for (int64_t i = 0; i < fibers; i++)
        tasks[i] = rt_spawn(ctx, get_many, &load);
    for (int64_t i = 0; i < fibers; i++)
        RT_TRY(rt_join(ctx, tasks[i]));
    uint64_t took = rt_now() - began;
    rt_json *json = rt_json_new(ctx);
    rt_json_object(json);
    rt_json_key(json, "failed"), rt_json_put_int(json, (int64_t)load.failed);
    rt_json_key(json, "perSecond");
    rt_json_put_int(json, (int64_t)((double)commands * 1e9 / (double)took));
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/conformance/redis", run_suite, .timeout = RT_S(60)));
    RT_TRY(rt_route(registry, RT_POST, "/conformance/redis/load", run_load, .timeout = RT_S(300)));
    return rt_route(registry, RT_POST, "/conformance/redis/command", run_command,
                    .timeout = RT_S(60));
}
