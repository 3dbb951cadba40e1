/* rt/cap/redis.h — redis/1: commands, pipelines and scripts
 *
 * Arguments and replies are bytes with a length. Commands of concurrent fibers share a few
 * connections, so none may depend on the connection: no SELECT, SUBSCRIBE, WATCH or MULTI; a
 * pipeline is atomic where asked. What blocks on the server (BLPOP, XREADGROUP with BLOCK) says
 * RT_REDIS_BLOCKS and has a connection to itself.
 *
 *     rt_redis_reply reply;
 *     RT_TRY(rt_redis_command(ctx, redis, RT_REDIS(RT_STR("GET"), rt_string(key)), &reply));
 *     if (reply.type == RT_REDIS_NULL)
 *         …
 *
 * Keys get the prefix that the provider is configured with nowhere: who uses one puts it there.
 *
 * Ownership: commands stay the caller's; replies live as long as the unit of work. Texts end in
 * NUL. Waiting: all methods wait. At the deadline a command is abandoned, its reply discarded; it
 * may have been carried out.
 *
 * Errors: an error reply is an error of the call, its first word the domain ("WRONGTYPE",
 * "NOSCRIPT", "READONLY"), the rest the detail:
 *
 *     -RT_EFAILED_PRECONDITION  WRONGTYPE, EXECABORT and others that the state is to blame for
 *     -RT_EINVALID_ARGUMENT     ERR: wrong number of arguments, not an integer, syntax
 *     -RT_EUNAVAILABLE          no connection, or it was lost (retryable only where the command
 *                               cannot have been carried out); LOADING, MASTERDOWN, CLUSTERDOWN,
 *                               READONLY, NOAUTH, WRONGPASS
 *     -RT_ERESOURCE_EXHAUSTED   OOM, a reply beyond `max_reply`
 *     -RT_EINTERNAL             NOPERM, and bytes that are no RESP
 *     -RT_EDEADLINE, -RT_ECANCELED
 *
 * Source: Redis serialization protocol 2; redis.io's command reference, Redis 7.0.
 */
#ifndef RT_CAP_REDIS_H
#define RT_CAP_REDIS_H

#include <rt/capability.h>

enum rt_redis_type {
    RT_REDIS_NULL = 0,
    RT_REDIS_STRING = 1,
    RT_REDIS_INTEGER = 2,
    RT_REDIS_ARRAY = 3,
    RT_REDIS_STATUS = 4, /* "OK" */
    RT_REDIS_ERROR = 5,  /* within a pipeline's or an array's replies alone */
};

/* An array element: it never grows. */
typedef struct rt_redis_reply {
    uint32_t type; /* rt_redis_type */
    int32_t code;  /* of an error: -RT_E… */
    int64_t integer;
    const char *text; /* string, status, error */
    uint64_t length;  /* bytes of the text; elements of an array */
    const struct rt_redis_reply *elements;
} rt_redis_reply;

enum rt_redis_flags {
    RT_REDIS_BLOCKS = 1, /* of a command: may block on the server */
    RT_REDIS_IDEMPOTENT =
        2, /* of a command: sent again when the connection is lost before its reply */
};

/* An array element: it never grows. */
typedef struct rt_redis_arguments {
    const rt_str *arguments; /* the command's name first */
    uint32_t count;
    uint32_t flags; /* rt_redis_flags */
} rt_redis_arguments;

typedef struct rt_redis_script {
    uint32_t size;
    uint32_t key_count;
    uint32_t argument_count;
    uint32_t flags; /* rt_redis_flags */
    const char *source;
    const rt_str *keys;
    const rt_str *arguments;
} rt_redis_script;

/* command   one command.
 * pipeline  commands in order, replies in the same order, one round trip; 0 even if commands fail:
 *           their replies are errors.
 * atomic    the same within MULTI and EXEC: nothing comes between, and if one is refused before
 *           execution, none is carried out: EXECABORT where the command is to blame, else what
 *           the server said of itself (LOADING, OOM).
 * eval      EVALSHA, and EVAL where the server does not have it yet. */
#define RT_REDIS_METHODS(M)                                                                       \
    M(redis, command, RT_WAITS, (const rt_redis_arguments *, command), (rt_redis_reply *, reply)) \
    M(redis, pipeline, RT_WAITS, (const rt_redis_arguments *, commands), (uint32_t, count),       \
      (rt_redis_reply *, replies))                                                                \
    M(redis, atomic, RT_WAITS, (const rt_redis_arguments *, commands), (uint32_t, count),         \
      (rt_redis_reply *, replies))                                                                \
    M(redis, eval, RT_WAITS, (const rt_redis_script *, script), (rt_redis_reply *, reply))
#define RT_METHODS_redis RT_METHOD_NAMES(RT_REDIS_METHODS)

RT_CAPABILITY(redis, 1, RT_REDIS_METHODS)

/* A command:  RT_REDIS(RT_STR("SET"), rt_string(key), value) */
#define RT_REDIS(...) RT_REDIS_WITH(0, __VA_ARGS__)
#define RT_REDIS_WITH(flags_, ...)                                                                \
    (&(const rt_redis_arguments){.arguments = (const rt_str[]){__VA_ARGS__},                      \
                                 .count = sizeof((const rt_str[]){__VA_ARGS__}) / sizeof(rt_str), \
                                 .flags = (flags_)})

#endif
