/* redis_memory.c — redis-memory: redis/1 without a server, for development
 *
 * One keyspace a worker, gone when it ends. What it does as Redis does and what it does not have
 * is in the README.
 */
#include "memory.h"

#include <rt/cap/clock.h>
#include <rt/rt.h>

RT_MODULE("redis-memory", "0.1.0", "Redis within the process, for development",
          RT_DEVELOPMENT_ONLY RT_PROCESS_LOCAL)
RT_PROVIDES(redis, 1, fallback, 0)
RT_REQUIRES(clock, 1, RT_RAW)
RT_STACK_SIZE(4194304)
RT_MEMORY_OPTIONS

static int open_memory(rt_ctx *ctx)
{
    rt_memory *memory = rt_memory_open(ctx, RT_MEMORY_OPTIONS_OF(ctx));
    if (!memory)
        return -RT_ERESOURCE_EXHAUSTED;
    rt_set_state(ctx, memory);
    return 0;
}

static int close_memory(rt_ctx *ctx)
{
    rt_memory_close(rt_state(ctx));
    rt_set_state(ctx, NULL);
    return 0;
}

static int health(rt_ctx *ctx, rt_health *health)
{
    (void)health;
    rt_memory_tell(ctx, rt_state(ctx));
    return 0;
}

static int command(rt_ctx *ctx, const rt_redis_arguments *given, rt_redis_reply *reply)
{
    return rt_memory_command(ctx, rt_state(ctx), given, reply);
}

static int pipeline(rt_ctx *ctx, const rt_redis_arguments *commands, uint32_t count,
                    rt_redis_reply *replies)
{
    return rt_memory_pipeline(ctx, rt_state(ctx), commands, count, replies);
}

static int atomic(rt_ctx *ctx, const rt_redis_arguments *commands, uint32_t count,
                  rt_redis_reply *replies)
{
    return rt_memory_atomic(ctx, rt_state(ctx), commands, count, replies);
}

static int eval(rt_ctx *ctx, const rt_redis_script *script, rt_redis_reply *reply)
{
    return rt_memory_eval(ctx, rt_state(ctx), script, reply);
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = open_memory, .stop = close_memory, .health = health));
    return rt_provide(registry, redis, .command = command, .pipeline = pipeline, .atomic = atomic,
                      .eval = eval);
}
