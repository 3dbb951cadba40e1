/* memory_engine.h — commands of Redis on a keyspace in this process
 *
 * Knows nothing of contexts and fibers: whoever calls says what time it is, and is told when a
 * command would have to wait. Replies and their texts are those of Redis 7.0.
 * Source: redis.io's command reference; differences are in the README.
 *
 *     rt_engine_set_time(engine, milliseconds);
 *     if (rt_engine_run(engine, arguments, count, RT_ENGINE_MAY_BLOCK, &out) == RT_ENGINE_BLOCKED)
 *         … wait until another command has changed something, and run it again
 */
#ifndef PLUGINS_REDIS_MEMORY_ENGINE_H
#define PLUGINS_REDIS_MEMORY_ENGINE_H

#include "memory_output.h"
#include "memory_value.h"

typedef struct rt_engine {
    rt_heap heap;
    rt_dict keys; /* `value`: rt_value; `number`: when it expires, ms since 1970, 0: never */
    uint64_t max_memory;
    uint64_t random;  /* of the generator */
    int64_t now;      /* ms since 1970 */
    int64_t now_us;   /* µs within that */
    uint64_t changes; /* commands that may have changed something */
    uint64_t expired; /* keys that were removed for their age */
    uint64_t sweep;   /* cursor of the scan for such keys */
    int64_t wait;     /* ms that the command which blocked is willing to wait; 0: for ever */
} rt_engine;

enum rt_engine_how {
    RT_ENGINE_MAY_BLOCK = 1,
    RT_ENGINE_AGAIN = 2, /* the command has waited: another type than it waits for is no error */
};

enum rt_engine_outcome { RT_ENGINE_DONE, RT_ENGINE_BLOCKED };

void rt_engine_open(rt_engine *engine, uint64_t max_memory, uint64_t seed);
void rt_engine_close(rt_engine *engine);
/* Nanoseconds since 1970. */
void rt_engine_set_time(rt_engine *engine, int64_t nanoseconds);
/* Runs a command; `out` has its reply behind what was there, unless it blocked. */
enum rt_engine_outcome rt_engine_run(rt_engine *engine, const rt_str *arguments, uint32_t count,
                                     unsigned how, rt_output *out);
/* False, with an error behind what is in `out`: no such command, or another number of arguments. */
bool rt_engine_check(const rt_str *arguments, uint32_t count, rt_output *out);
/* Whether a script may call it, which is not so of what exists to wait. */
bool rt_engine_is_for_scripts(rt_str name);
/* False, with an error behind what is in `out`: the command needs memory and there is none left. */
bool rt_engine_has_room(rt_engine *engine, rt_str name, rt_output *out);
/* Replaces in the arguments of a command that blocked what means "from now on"; `room` has
 * RT_ENGINE_ROOM bytes for each argument. */
enum { RT_ENGINE_ROOM = 44 };
void rt_engine_settle_ids(rt_engine *engine, rt_str *arguments, uint32_t count, char *room);
void rt_engine_flush(rt_engine *engine);
/* Removes all keys that are too old. */
void rt_engine_expire(rt_engine *engine);

/* --- for the commands ------------------------------------------------------------------------- */

typedef struct rt_call {
    rt_engine *engine;
    const rt_str *arguments;
    uint32_t count;
    unsigned how; /* rt_engine_how */
    rt_output *out;
    bool blocked;
} rt_call;

enum rt_command_flags {
    RT_COMMAND_WRITES = 1,  /* needs memory: refused when there is none left */
    RT_COMMAND_DELETES = 2, /* changes something, and is carried out nevertheless */
    RT_COMMAND_NO_SCRIPT = 4,
};

#define COMMAND(name_, function_, arity_, flags_) void rt_command_##function_(rt_call *call);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wredundant-decls"
#include "memory_commands.def"
#pragma GCC diagnostic pop
#undef COMMAND

/* The key's entry, unless it has expired; NULL: there is none. */
rt_entry *rt_key_find(rt_engine *engine, rt_str key);
void rt_key_remove(rt_engine *engine, rt_entry *key);
/* Removes the key if its collection is empty. */
void rt_key_settle(rt_engine *engine, rt_str key);
/* Sets a string; takes the bytes, also when it fails. `keep`: with the expiry it has. */
bool rt_key_set(rt_engine *engine, rt_str key, rt_bytes *bytes, bool keep);

/* The value of argument `index`, NULL if there is none; false: WRONGTYPE is the reply. */
bool rt_call_read(rt_call *call, uint32_t index, enum rt_value_type type, rt_value **value);
/* The same, made if need be; NULL: the reply is WRONGTYPE or OOM. */
rt_value *rt_call_make(rt_call *call, uint32_t index, enum rt_value_type type);

bool rt_call_is(const rt_call *call, uint32_t index, const char *word); /* any case of letters */
bool rt_call_named(const rt_call *call, const char *prefix);            /* the command's name */
/* A number; false: the reply says that it is none. */
bool rt_call_integer(rt_call *call, uint32_t index, int64_t *integer);
bool rt_call_float(rt_call *call, uint32_t index, double *number);
/* A time-out in seconds, as ms. */
bool rt_call_timeout(rt_call *call, uint32_t index, int64_t *milliseconds);
/* The command has to wait; where it may not, its reply is null. */
void rt_call_block(rt_call *call, int64_t milliseconds);

bool rt_text_integer(rt_str text, int64_t *integer);
bool rt_text_float(rt_str text, double *number);
bool rt_text_bound(rt_str text, double *number); /* also with blanks before it, or empty: 0 */
bool rt_text_long_float(rt_str text, long double *number);
enum { RT_FLOAT_TEXT = 5200 };
/* As the server writes the result of a sum: no exponent, no zeros at the end. False: no number. */
bool rt_text_of_float(long double number, char text[RT_FLOAT_TEXT]);
bool rt_text_matches(rt_str pattern, rt_str text); /* as KEYS and SCAN: * ? [a-z] \ */
uint64_t rt_engine_random(rt_engine *engine);

void rt_reply_syntax(rt_call *call);
void rt_reply_memory(rt_call *call);
void rt_reply_wrong_type(rt_call *call);
/* Start and stop of a range, negative ones from the end, cut to `length`; false: it is empty. */
bool rt_range_clip(int64_t *start, int64_t *stop, uint64_t length);

#endif
