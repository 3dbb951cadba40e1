/* memory_script.h — scripts, as EVAL runs them
 *
 * Lua 5.1 with base, table, string, math and coroutine, and `redis`: call, pcall, error_reply,
 * status_reply, sha1hex, log. There is neither cjson nor cmsgpack, bit, struct or os, and nothing
 * that reads files or loads code. Each run has a state of its own, so that no script sees what
 * another left.
 *
 * A run takes up to 2 MiB of stack: Lua nests 200 calls of its C functions, which hold buffers of
 * 8 KiB. Nothing waits, and no error of Lua passes a frame that owns anything.
 */
#ifndef PLUGINS_REDIS_MEMORY_SCRIPT_H
#define PLUGINS_REDIS_MEMORY_SCRIPT_H

#include "memory_engine.h"

enum { RT_SCRIPT_STACK = 4 << 20 };

typedef struct rt_script_limits {
    uint64_t instructions;
    uint64_t memory;
} rt_script_limits;

/* The reply is behind what was in `out`. */
void rt_script_run(rt_engine *engine, const rt_redis_script *script, const rt_script_limits *limits,
                   rt_output *out);

#endif
