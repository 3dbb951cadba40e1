/* probe_redis.c — probe-redis: commands and scripts on whatever redis/1 is bound, as JSON
 *
 *     POST /probe/redis        {"how": "pipeline", "commands": [["GET", "k"], …]}: the replies; how
 * is also atomic, each, blocking POST /probe/redis/eval   {"source": "return 1", "keys": [],
 * "arguments": []} GET  /probe/redis/queue  which of five fibers got which of five elements GET
 * /probe/redis/calls  what the double has recorded POST /probe/redis/fail   {"method": "command",
 * "calls": 2}: the double answers UNAVAILABLE
 */
#include <rt/cap/redis.h>
#include <rt/cap/test_double.h>
#include <rt/rt.h>

RT_MODULE("probe-redis", "0.1.0", "Runs commands on redis/1", RT_DEVELOPMENT_ONLY)
RT_SERVES(routes)
RT_REQUIRES(redis, 1)
RT_OPTIONAL(test_double, 1)

/* --- what is given ---------------------------------------------------------------------------- */

static uint32_t read_texts(rt_ctx *ctx, const rt_json_value *array, rt_str **texts)
{
    uint32_t count = 0;
    *texts = rt_alloc(ctx, (array ? array->count + 1 : 1) * sizeof **texts);
    for (const rt_json_value *v = array ? array->value.first : NULL; v; v = v->next)
        (*texts)[count++] = (rt_str){v->value.text, v->count};
    return count;
}

static uint32_t read_commands(rt_ctx *ctx, const rt_json_value *array, uint32_t flags,
                              rt_redis_arguments **commands)
{
    uint32_t count = 0;
    *commands = rt_alloc(ctx, (array ? array->count + 1 : 1) * sizeof **commands);
    for (const rt_json_value *v = array ? array->value.first : NULL; v; v = v->next) {
        rt_str *words;
        uint32_t length = read_texts(ctx, v, &words);
        (*commands)[count++] =
            (rt_redis_arguments){.arguments = words, .count = length, .flags = flags};
    }
    return count;
}

/* --- what comes back -------------------------------------------------------------------------- */

static void put_reply(rt_json *json, const rt_redis_reply *reply)
{
    if (reply->type == RT_REDIS_INTEGER)
        rt_json_put_int(json, reply->integer);
    else if (reply->type == RT_REDIS_STRING)
        rt_json_put_str(json, (rt_str){reply->text, reply->length});
    else if (reply->type == RT_REDIS_NULL)
        rt_json_put_null(json);
    else if (reply->type == RT_REDIS_ARRAY) {
        rt_json_array(json);
        for (uint64_t i = 0; i < reply->length; i++)
            put_reply(json, &reply->elements[i]);
        rt_json_end(json);
    } else {
        rt_json_object(json);
        rt_json_key(json, reply->type == RT_REDIS_STATUS ? "ok" : "err");
        rt_json_put_str(json, (rt_str){reply->text, reply->length});
        if (reply->type == RT_REDIS_ERROR)
            rt_json_key(json, "code"), rt_json_put_string(json, rt_code_name(reply->code));
        rt_json_end(json);
    }
}

/* A call's reply, or its error in the same form. */
static void put_outcome(rt_ctx *ctx, rt_json *json, int code, const rt_redis_reply *reply)
{
    const rt_error *error = rt_last_error(ctx);
    if (code == 0) {
        put_reply(json, reply);
        return;
    }
    rt_json_object(json);
    rt_json_key(json, "err");
    rt_json_put_string(json, error && error->domain
                                 ? rt_format(ctx, "%s %s", error->domain,
                                             error->detail ? error->detail : error->message)
                             : error ? error->message
                                     : "");
    rt_json_key(json, "code"), rt_json_put_string(json, rt_code_name(code));
    rt_json_end(json);
}

static int run_each(rt_ctx *ctx, rt_json *json, const rt_redis_arguments *commands, uint32_t count)
{
    rt_json_array(json);
    for (uint32_t i = 0; i < count; i++) {
        rt_redis_reply reply = {0};
        int code = rt_redis_command(ctx, redis, &commands[i], &reply);
        put_outcome(ctx, json, code, &reply);
    }
    rt_json_end(json);
    return 0;
}

static int run_together(rt_ctx *ctx, rt_json *json, bool atomic, const rt_redis_arguments *commands,
                        uint32_t count)
{
    rt_redis_reply *replies = rt_alloc(ctx, (count + 1) * sizeof *replies);
    int code = atomic ? rt_redis_atomic(ctx, redis, commands, count, replies)
                      : rt_redis_pipeline(ctx, redis, commands, count, replies);
    put_outcome(ctx, json, code,
                &(rt_redis_reply){.type = RT_REDIS_ARRAY, .length = count, .elements = replies});
    return 0;
}

static int run_commands(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_json_value *body;
    rt_redis_arguments *commands;
    RT_TRY(rt_body_json(ctx, request, &body));
    const char *how = rt_json_string(rt_json_get(body, "how"));
    how = how ? how : "pipeline";
    bool blocks = strcmp(how, "blocking") == 0;
    uint32_t count =
        read_commands(ctx, rt_json_get(body, "commands"), blocks ? RT_REDIS_BLOCKS : 0, &commands);
    rt_json *json = rt_json_new(ctx);
    if (blocks || strcmp(how, "each") == 0)
        RT_TRY(run_each(ctx, json, commands, count));
    else
        RT_TRY(run_together(ctx, json, strcmp(how, "atomic") == 0, commands, count));
    return rt_respond_json(ctx, response, 200, json);
}

static int run_script(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_json_value *body;
    rt_str *keys, *arguments;
    rt_redis_reply reply = {0};
    RT_TRY(rt_body_json(ctx, request, &body));
    rt_redis_script script = {.size = sizeof script,
                              .source = rt_json_string(rt_json_get(body, "source"))};
    script.key_count = read_texts(ctx, rt_json_get(body, "keys"), &keys);
    script.argument_count = read_texts(ctx, rt_json_get(body, "arguments"), &arguments);
    script.keys = keys;
    script.arguments = arguments;
    int code = rt_redis_eval(ctx, redis, &script, &reply);
    rt_json *json = rt_json_new(ctx);
    put_outcome(ctx, json, code, &reply);
    return rt_respond_json(ctx, response, 200, json);
}

/* --- first come, first served ----------------------------------------------------------------- */

enum { QUEUE = 5 };

static int wait_for_element(rt_ctx *ctx, void *argument)
{
    int64_t *got = argument;
    rt_redis_reply reply = {0};
    RT_TRY(rt_redis_command(
        ctx, redis,
        RT_REDIS_WITH(RT_REDIS_BLOCKS, RT_STR("BLPOP"), RT_STR("probe:queue"), RT_STR("30")),
        &reply));
    if (reply.type == RT_REDIS_ARRAY)
        *got = reply.elements[1].text[0] - 'a';
    return 0;
}

static int run_queue(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_task *tasks[QUEUE];
    int64_t got[QUEUE] = {-1, -1, -1, -1, -1};
    rt_redis_reply reply;
    (void)request;
    for (int i = 0; i < QUEUE; i++) {
        tasks[i] = rt_spawn(ctx, wait_for_element, &got[i]);
        for (int turn = 0; turn < 5; turn++) /* until it waits */
            RT_TRY(rt_sleep(ctx, 0));
    }
    RT_TRY(rt_redis_command(ctx, redis,
                            RT_REDIS(RT_STR("RPUSH"), RT_STR("probe:queue"), RT_STR("a"),
                                     RT_STR("b"), RT_STR("c"), RT_STR("d"), RT_STR("e")),
                            &reply));
    rt_json *json = rt_json_new(ctx);
    rt_json_array(json);
    for (int i = 0; i < QUEUE; i++) {
        RT_TRY(rt_join(ctx, tasks[i]));
        rt_json_put_int(json, got[i]);
    }
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}

/* --- the double ------------------------------------------------------------------------------- */

static int list_calls(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    uint64_t count;
    rt_json *json = rt_json_new(ctx);
    (void)request;
    RT_TRY(rt_test_double_count(ctx, test_double, &count));
    rt_json_array(json);
    for (uint64_t i = 0; i < count; i++) {
        rt_double_call call = {.size = sizeof call};
        RT_TRY(rt_test_double_get(ctx, test_double, i, &call));
        rt_json_array(json);
        rt_json_put_string(json, call.method);
        rt_json_put_string(json, call.arguments);
        rt_json_put_string(json, rt_code_name(call.code));
        rt_json_end(json);
    }
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}

static int fail_next(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_json_value *body;
    RT_TRY(rt_body_json(ctx, request, &body));
    RT_TRY(rt_test_double_fail_next(ctx, test_double, rt_json_string(rt_json_get(body, "method")),
                                    RT_EUNAVAILABLE,
                                    (uint32_t)rt_json_int(rt_json_get(body, "calls"), 1)));
    return rt_respond(ctx, response, 204, NULL, RT_STR(""));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_POST, "/probe/redis", run_commands, .timeout = RT_S(60)));
    RT_TRY(rt_route(registry, RT_POST, "/probe/redis/eval", run_script, .timeout = RT_S(60)));
    RT_TRY(rt_route(registry, RT_GET, "/probe/redis/queue", run_queue, .timeout = RT_S(60)));
    RT_TRY(rt_route(registry, RT_GET, "/probe/redis/calls", list_calls));
    return rt_route(registry, RT_POST, "/probe/redis/fail", fail_next);
}
