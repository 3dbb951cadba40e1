/* redis_test.c — redis-test: the double of redis/1
 *
 * Does what redis-memory does, records every call, fails on demand. Keys expire by clock/1, which
 * in a test stands still until the test moves it.
 */
#include "memory.h"

#include "testing/recorder.h"

#include <rt/cap/clock.h>
#include <stdlib.h>

RT_MODULE("redis-test", "0.1.0", "Redis within the process, for tests: records, fails on demand",
          RT_PROCESS_LOCAL)
RT_PROVIDES(redis, 1, test, 0)
RT_PROVIDES(test_double, 1, test, 0)
RT_REQUIRES(clock, 1, RT_RAW)
RT_STACK_SIZE(4194304)
RT_MEMORY_OPTIONS
RT_OPTION(int, capacity, RT_DEFAULT(10000) RT_RANGE(1, 1000000), "Most calls kept; the oldest go")

struct double_state {
    rt_recorder *recorder; /* first: recorder.h */
    rt_memory *memory;
};

static const char *const methods[] = {"command", "pipeline", "atomic", "eval", NULL};

static rt_memory *memory_of(const rt_ctx *ctx)
{
    return ((struct double_state *)rt_state(ctx))->memory;
}

static void reset(rt_ctx *ctx)
{
    rt_memory_flush(memory_of(ctx));
}

static int open_double(rt_ctx *ctx)
{
    struct double_state *state = calloc(1, sizeof *state);
    if (state)
        state->recorder = rt_recorder_open(methods, (uint32_t)RT_GET(ctx, capacity), reset);
    if (state && state->recorder)
        state->memory = rt_memory_open(ctx, RT_MEMORY_OPTIONS_OF(ctx));
    if (!state || !state->memory) {
        rt_recorder_close(state ? state->recorder : NULL);
        free(state);
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    }
    rt_set_state(ctx, state);
    return 0;
}

static int close_double(rt_ctx *ctx)
{
    struct double_state *state = rt_state(ctx);
    rt_memory_close(state->memory);
    rt_recorder_close(state->recorder);
    free(state);
    rt_set_state(ctx, NULL);
    return 0;
}

/* --- what is recorded --------------------------------------------------------------------------
 */

static void put_texts(rt_ctx *ctx, rt_json *json, const rt_str *texts, uint32_t count)
{
    rt_json_array(json);
    for (uint32_t i = 0; texts && i < count; i++)
        rt_recorder_put_bytes(ctx, json, texts[i].data ? texts[i] : (rt_str){"", 0});
    rt_json_end(json);
}

static const char *text_of(rt_ctx *ctx, rt_json *json)
{
    rt_str text;
    return rt_json_text(json, &text) == 0 ? rt_format(ctx, "%.*s", (int)text.length, text.data)
                                          : NULL;
}

/* ["SET","k","v"] */
static const char *describe_command(rt_ctx *ctx, const rt_redis_arguments *command)
{
    rt_json *json = rt_json_new(ctx);
    put_texts(ctx, json, command->arguments, command->count);
    return text_of(ctx, json);
}

/* [["SET","k","v"],["GET","k"]] */
static const char *describe_commands(rt_ctx *ctx, const rt_redis_arguments *commands,
                                     uint32_t count)
{
    rt_json *json = rt_json_new(ctx);
    rt_json_array(json);
    for (uint32_t i = 0; i < count; i++)
        put_texts(ctx, json, commands[i].arguments, commands[i].count);
    rt_json_end(json);
    return text_of(ctx, json);
}

/* {"source":"return 1","keys":[],"arguments":[]} */
static const char *describe_script(rt_ctx *ctx, const rt_redis_script *script)
{
    rt_json *json = rt_json_new(ctx);
    if (!script || !RT_HAS(script, arguments))
        return NULL;
    rt_json_object(json);
    rt_json_key(json, "source"), rt_recorder_put_bytes(ctx, json, rt_string(script->source));
    rt_json_key(json, "keys"), put_texts(ctx, json, script->keys, script->key_count);
    rt_json_key(json, "arguments"), put_texts(ctx, json, script->arguments, script->argument_count);
    rt_json_end(json);
    return text_of(ctx, json);
}

/* --- redis/1 ---------------------------------------------------------------------------------- */

static int plain_command(rt_ctx *ctx, const rt_redis_arguments *given, rt_redis_reply *reply)
{
    return rt_memory_command(ctx, memory_of(ctx), given, reply);
}

static int command(rt_ctx *ctx, const rt_redis_arguments *given, rt_redis_reply *reply)
{
    return rt_recorded(ctx, "command", describe_command(ctx, given), plain_command, given, reply);
}

static int plain_pipeline(rt_ctx *ctx, const rt_redis_arguments *commands, uint32_t count,
                          rt_redis_reply *replies)
{
    return rt_memory_pipeline(ctx, memory_of(ctx), commands, count, replies);
}

static int pipeline(rt_ctx *ctx, const rt_redis_arguments *commands, uint32_t count,
                    rt_redis_reply *replies)
{
    return rt_recorded(ctx, "pipeline", describe_commands(ctx, commands, count), plain_pipeline,
                       commands, count, replies);
}

static int plain_atomic(rt_ctx *ctx, const rt_redis_arguments *commands, uint32_t count,
                        rt_redis_reply *replies)
{
    return rt_memory_atomic(ctx, memory_of(ctx), commands, count, replies);
}

static int atomic(rt_ctx *ctx, const rt_redis_arguments *commands, uint32_t count,
                  rt_redis_reply *replies)
{
    return rt_recorded(ctx, "atomic", describe_commands(ctx, commands, count), plain_atomic,
                       commands, count, replies);
}

static int plain_eval(rt_ctx *ctx, const rt_redis_script *script, rt_redis_reply *reply)
{
    return rt_memory_eval(ctx, memory_of(ctx), script, reply);
}

static int eval(rt_ctx *ctx, const rt_redis_script *script, rt_redis_reply *reply)
{
    return rt_recorded(ctx, "eval", describe_script(ctx, script), plain_eval, script, reply);
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = open_double, .stop = close_double));
    RT_TRY(rt_provide(registry, test_double, RT_RECORDER_METHODS));
    return rt_provide(registry, redis, .command = command, .pipeline = pipeline, .atomic = atomic,
                      .eval = eval);
}
