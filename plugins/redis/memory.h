/* memory.h — redis/1 on a keyspace in this process, for redis-memory and redis-test
 *
 * Commands that block wait as on a server: who came first is served first, what was handed over is
 * not lost. Each call lets other fibers run before it does anything, as a round trip would.
 *
 * The module requires clock/1 (raw): keys expire by its time, so that a test can make it pass.
 */
#ifndef PLUGINS_REDIS_MEMORY_H
#define PLUGINS_REDIS_MEMORY_H

#include "memory_script.h"

typedef struct rt_memory rt_memory;

typedef struct rt_memory_options {
    uint64_t max_memory;
    rt_script_limits script;
} rt_memory_options;

/* In start; NULL: the error of the context says why. */
rt_memory *rt_memory_open(rt_ctx *ctx, const rt_memory_options *options);
void rt_memory_close(rt_memory *memory);
void rt_memory_flush(rt_memory *memory);
void rt_memory_tell(rt_ctx *ctx, const rt_memory *memory); /* metrics */

int rt_memory_command(rt_ctx *ctx, rt_memory *memory, const rt_redis_arguments *command,
                      rt_redis_reply *reply);
int rt_memory_pipeline(rt_ctx *ctx, rt_memory *memory, const rt_redis_arguments *commands,
                       uint32_t count, rt_redis_reply *replies);
int rt_memory_atomic(rt_ctx *ctx, rt_memory *memory, const rt_redis_arguments *commands,
                     uint32_t count, rt_redis_reply *replies);
int rt_memory_eval(rt_ctx *ctx, rt_memory *memory, const rt_redis_script *script,
                   rt_redis_reply *reply);

/* The options that both modules have. */
#define RT_MEMORY_OPTIONS                                                                      \
    RT_OPTION(size, max_memory, RT_DEFAULT("64 MiB") RT_RANGE("1 MiB", "1 TiB"),               \
              "Most memory of keys and values; beyond it commands that need more are refused") \
    RT_OPTION(int, script_instructions, RT_DEFAULT(5000000) RT_RANGE(1000, 10000000000),       \
              "Most instructions of one script")                                               \
    RT_OPTION(size, script_memory, RT_DEFAULT("16 MiB") RT_RANGE("256 KiB", "1 GiB"),          \
              "Most memory of one script")
#define RT_MEMORY_OPTIONS_OF(ctx_)                                                                \
    (&(rt_memory_options){.max_memory = (uint64_t)RT_GET(ctx_, max_memory),                       \
                          .script = {.instructions = (uint64_t)RT_GET(ctx_, script_instructions), \
                                     .memory = (uint64_t)RT_GET(ctx_, script_memory)}})

#endif
