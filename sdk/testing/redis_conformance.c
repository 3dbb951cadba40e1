#include "redis_conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(expression)                      \
    do {                                       \
        const char *complaint_ = (expression); \
        if (complaint_)                        \
            return complaint_;                 \
    } while (0)
#define WRONG_TYPE "!FAILED_PRECONDITION WRONGTYPE"
#define WRONG_ARGUMENT "!INVALID_ARGUMENT ERR"

/* A case that is a table of commands. */
#define STEPS(case_, ...)                                                                      \
    static const char *case_(rt_ctx *ctx, void *subject)                                       \
    {                                                                                          \
        static const rt_redis_step steps[] = {__VA_ARGS__};                                    \
        return rt_redis_conformance_steps(ctx, ((const rt_redis_conformance *)subject)->redis, \
                                          steps, sizeof steps / sizeof steps[0]);              \
    }

/* --- values ---------------------------------------------------------------------------------- */

STEPS(server, {"PING", "+PONG"}, {"ping", "+PONG"}, {"PING 'two words'", "'two words'"},
      {"ECHO hello", "'hello'"}, {"TYPE k:none", "+none"}, {"DBSIZE", "0..1000000000"},
      {"PUBLISH k:nobody hello", "0"})

STEPS(strings, {"DEL k:s k:n", NULL}, {"SET k:s one", "+OK"}, {"GET k:s", "'one'"},
      {"GET k:n", "null"}, {"SET k:s two NX", "null"}, {"SET k:n two XX", "null"},
      {"SET k:s two XX GET", "'one'"}, {"SET k:n three NX GET", "null"}, {"GET k:n", "'three'"},
      {"SETNX k:n four", "0"}, {"APPEND k:s -and-more", "12"}, {"STRLEN k:s", "12"},
      {"GETRANGE k:s 4 6", "'and'"}, {"GETRANGE k:s -4 -1", "'more'"},
      {"GETDEL k:s", "'two-and-more'"}, {"GETDEL k:s", "null"}, {"EXISTS k:s k:n k:n", "2"},
      {"SET k:s", WRONG_ARGUMENT}, {"SET k:s x NX XX", WRONG_ARGUMENT},
      {"SET k:s x SOMETIMES", WRONG_ARGUMENT}, {"DEL k:s k:n", "1"})

STEPS(numbers, {"DEL k:i k:f", NULL}, {"INCR k:i", "1"}, {"INCRBY k:i 41", "42"},
      {"DECR k:i", "41"}, {"DECRBY k:i 50", "-9"}, {"GET k:i", "'-9'"},
      {"SET k:i 9223372036854775807", "+OK"}, {"INCR k:i", WRONG_ARGUMENT},
      {"INCRBY k:i -9223372036854775807", "0"}, {"INCRBYFLOAT k:f 10.5", "'10.5'"},
      {"INCRBYFLOAT k:f -0.5", "'10'"}, {"SET k:i abc", "+OK"}, {"INCR k:i", WRONG_ARGUMENT},
      {"INCRBY k:f x", WRONG_ARGUMENT})

STEPS(many_keys, {"DEL k:a k:b k:c", NULL}, {"MSET k:a 1 k:b 2", "+OK"},
      {"MGET k:a k:c k:b", "['1', null, '2']"}, {"MSET k:a 1 k:b", WRONG_ARGUMENT},
      {"RENAME k:a k:c", "+OK"}, {"RENAME k:a k:c", WRONG_ARGUMENT}, {"TYPE k:c", "+string"},
      {"EXISTS k:a k:b k:c", "2"}, {"UNLINK k:b k:c k:a", "2"})

STEPS(expiry, {"DEL k:e k:p", NULL}, {"TTL k:e", "-2"}, {"SET k:e x", "+OK"}, {"TTL k:e", "-1"},
      {"EXPIRE k:e 100", "1"}, {"TTL k:e", "99..100"}, {"PTTL k:e", "90000..100000"},
      {"SET k:e y KEEPTTL", "+OK"}, {"TTL k:e", "99..100"}, {"PERSIST k:e", "1"},
      {"PERSIST k:e", "0"}, {"SET k:e z EX 50", "+OK"}, {"TTL k:e", "49..50"},
      {"SET k:e z PX 50000", "+OK"}, {"PTTL k:e", "40000..50000"}, {"SET k:e z", "+OK"},
      {"TTL k:e", "-1"}, {"SETEX k:p 10 v", "+OK"}, {"PSETEX k:p 20000 v", "+OK"},
      {"TTL k:p", "19..20"}, {"GETEX k:p EX 70", "'v'"}, {"TTL k:p", "69..70"},
      {"GETEX k:p PERSIST", "'v'"}, {"TTL k:p", "-1"}, {"PEXPIRE k:p 90000", "1"},
      {"TTL k:p", "89..90"}, {"EXPIREAT k:p 4000000000", "1"},
      {"TTL k:p", "1000000000..4000000000"}, {"EXPIRE k:none 10", "0"},
      {"SET k:p v EX 0", WRONG_ARGUMENT}, {"SET k:p v EX x", WRONG_ARGUMENT},
      {"EXPIREAT k:p 1", "1"}, {"GET k:p", "null"}, {"SET k:e v PXAT 1", "+OK"},
      {"EXISTS k:e", "0"})

STEPS(hashes, {"DEL k:h", NULL}, {"HSET k:h a 1 b 2", "2"}, {"HSET k:h a 3", "0"},
      {"HGET k:h a", "'3'"}, {"HGET k:h z", "null"}, {"HMGET k:h b z a", "['2', null, '3']"},
      {"HGETALL k:h", "~['2', '3', 'a', 'b']"}, {"HKEYS k:h", "~['a', 'b']"},
      {"HVALS k:h", "~['2', '3']"}, {"HLEN k:h", "2"}, {"HEXISTS k:h a", "1"},
      {"HEXISTS k:h z", "0"}, {"HINCRBY k:h n 5", "5"}, {"HINCRBY k:h n -7", "-2"},
      {"HSET k:h t text", "1"}, {"HINCRBY k:h t 1", WRONG_ARGUMENT}, {"HSETNX k:h a 9", "0"},
      {"HSETNX k:h y 9", "1"}, {"HDEL k:h a b n t y", "5"}, {"EXISTS k:h", "0"},
      {"HGETALL k:h", "[]"}, {"HSET k:h a", WRONG_ARGUMENT})

STEPS(lists, {"DEL k:l k:m", NULL}, {"RPUSH k:l b c", "2"}, {"LPUSH k:l a", "3"},
      {"LRANGE k:l 0 -1", "['a', 'b', 'c']"}, {"LLEN k:l", "3"}, {"LINDEX k:l -1", "'c'"},
      {"LINDEX k:l 9", "null"}, {"LMOVE k:l k:m LEFT RIGHT", "'a'"}, {"LPOP k:l", "'b'"},
      {"RPOP k:l", "'c'"}, {"RPOP k:l", "null"}, {"RPUSH k:m a b a c a", "6"},
      {"LREM k:m 2 a", "2"}, {"LRANGE k:m 0 -1", "['b', 'a', 'c', 'a']"}, {"LTRIM k:m 1 2", "+OK"},
      {"LRANGE k:m 0 9", "['a', 'c']"}, {"LPOP k:m 5", "['a', 'c']"}, {"EXISTS k:m", "0"},
      {"LRANGE k:m 0 -1", "[]"})

STEPS(sets, {"DEL k:t", NULL}, {"SADD k:t a b c", "3"}, {"SADD k:t a", "0"}, {"SCARD k:t", "3"},
      {"SISMEMBER k:t a", "1"}, {"SISMEMBER k:t z", "0"}, {"SMEMBERS k:t", "~['a', 'b', 'c']"},
      {"SREM k:t a z", "1"}, {"SREM k:t b", "1"}, {"SPOP k:t", "'c'"}, {"SPOP k:t", "null"},
      {"SMEMBERS k:t", "[]"})

STEPS(sorted_sets, {"DEL k:z", NULL}, {"ZADD k:z 1 a 2 b 3 c", "3"}, {"ZADD k:z 2.5 b", "0"},
      {"ZADD k:z XX CH 4 c 9 x", "1"}, {"ZADD k:z NX 9 a", "0"}, {"ZADD k:z GT CH 3 c", "0"},
      {"ZSCORE k:z b", "'2.5'"}, {"ZSCORE k:z x", "null"}, {"ZCARD k:z", "3"},
      {"ZRANGE k:z 0 -1", "['a', 'b', 'c']"}, {"ZRANGE k:z 0 -1 REV", "['c', 'b', 'a']"},
      {"ZRANGE k:z 0 0 WITHSCORES", "['a', '1']"},
      {"ZRANGE k:z (1 +inf BYSCORE LIMIT 0 1", "['b']"},
      {"ZRANGEBYSCORE k:z -inf (4", "['a', 'b']"}, {"ZCOUNT k:z 1 2.5", "2"}, {"ZRANK k:z c", "2"},
      {"ZRANK k:z x", "null"}, {"ZINCRBY k:z 10 a", "'11'"}, {"ZADD k:z INCR 1 a", "'12'"},
      {"ZPOPMIN k:z", "['b', '2.5']"}, {"ZREMRANGEBYSCORE k:z 4 4", "1"}, {"ZADD k:z 1 d 2 e", "2"},
      {"ZREMRANGEBYRANK k:z 0 0", "1"}, {"ZREM k:z e x", "1"}, {"ZADD k:z abc a", WRONG_ARGUMENT},
      {"ZRANGE k:z 0 -1", "['a']"})

STEPS(wrong_types, {"DEL k:w k:x", NULL}, {"SET k:w text", "+OK"}, {"LPUSH k:w a", WRONG_TYPE},
      {"HGET k:w a", WRONG_TYPE}, {"SADD k:w a", WRONG_TYPE}, {"ZADD k:w 1 a", WRONG_TYPE},
      {"XADD k:w * a 1", WRONG_TYPE}, {"RPUSH k:x a", "1"}, {"GET k:x", WRONG_TYPE},
      {"INCR k:x", WRONG_TYPE}, {"GET k:w", "'text'"})

STEPS(wrong_commands, {"NOSUCHCOMMAND", WRONG_ARGUMENT}, {"NOSUCHCOMMAND a b", WRONG_ARGUMENT},
      {"GET", WRONG_ARGUMENT}, {"GET a b", WRONG_ARGUMENT}, {"'GET k:a'", WRONG_ARGUMENT},
      {"PING", "+PONG"})

/* --- streams --------------------------------------------------------------------------------- */

STEPS(streams, {"DEL k:x", NULL}, {"XADD k:x NOMKSTREAM 1-1 a 1", "null"},
      {"XADD k:x 1-1 a 1", "'1-1'"}, {"XADD k:x 1-1 a 1", WRONG_ARGUMENT},
      {"XADD k:x 1-2 a 2 b 3", "'1-2'"}, {"XADD k:x 2-* a 4", "'2-0'"}, {"XLEN k:x", "3"},
      {"XRANGE k:x - +",
       "[['1-1', ['a', '1']], ['1-2', ['a', '2', 'b', '3']], ['2-0', ['a', '4']]]"},
      {"XRANGE k:x (1-1 + COUNT 1", "[['1-2', ['a', '2', 'b', '3']]]"},
      {"XREVRANGE k:x + - COUNT 1", "[['2-0', ['a', '4']]]"},
      {"XREAD COUNT 1 STREAMS k:x 1-1", "[['conformance:x', [['1-2', ['a', '2', 'b', '3']]]]]"},
      {"XREAD STREAMS k:x 9-0", "null"}, {"XDEL k:x 1-2 7-7", "1"},
      {"XADD k:x MAXLEN = 2 3-0 a 5", "'3-0'"},
      {"XRANGE k:x - +", "[['2-0', ['a', '4']], ['3-0', ['a', '5']]]"}, {"XTRIM k:x MAXLEN 1", "1"},
      {"XLEN k:x", "1"}, {"XADD k:x 1-0 a", WRONG_ARGUMENT}, {"TYPE k:x", "+stream"})

STEPS(groups, {"DEL k:x", NULL}, {"XGROUP CREATE k:x g $", WRONG_ARGUMENT},
      {"XGROUP CREATE k:x g 0 MKSTREAM", "+OK"},
      {"XGROUP CREATE k:x g 0", "!FAILED_PRECONDITION BUSYGROUP"},
      {"XREADGROUP GROUP h c STREAMS k:x >", "!FAILED_PRECONDITION NOGROUP"},
      {"XREADGROUP GROUP g c STREAMS k:x >", "null"}, {"XADD k:x 1-1 a 1", "'1-1'"},
      {"XADD k:x 1-2 a 2", "'1-2'"}, {"XADD k:x 1-3 a 3", "'1-3'"},
      {"XREADGROUP GROUP g c COUNT 2 STREAMS k:x >",
       "[['conformance:x', [['1-1', ['a', '1']], ['1-2', ['a', '2']]]]]"},
      {"XREADGROUP GROUP g d STREAMS k:x >", "[['conformance:x', [['1-3', ['a', '3']]]]]"},
      {"XPENDING k:x g", "[3, '1-1', '1-3', [['c', '2'], ['d', '1']]]"},
      {"XACK k:x g 1-1 9-9", "1"},
      {"XREADGROUP GROUP g c STREAMS k:x 0", "[['conformance:x', [['1-2', ['a', '2']]]]]"},
      {"XCLAIM k:x g d 0 1-2 JUSTID", "['1-2']"},
      {"XPENDING k:x g", "[2, '1-2', '1-3', [['d', '2']]]"},
      {"XAUTOCLAIM k:x g e 0 0-0 COUNT 1", "['1-3', [['1-2', ['a', '2']]], []]"},
      {"XAUTOCLAIM k:x g e 0 1-3 JUSTID", "['0-0', ['1-3'], []]"},
      {"XAUTOCLAIM k:x g e 3600000 0-0", "['0-0', [], []]"}, {"XACK k:x g 1-2 1-3", "2"},
      {"XPENDING k:x g", "[0, null, null, null]"},
      {"XREADGROUP GROUP g c NOACK STREAMS k:x >", "null"}, {"XGROUP DESTROY k:x g", "1"},
      {"XGROUP DESTROY k:x g", "0"})

/* XPENDING with a range tells how long ago and how often; XINFO has more than we look at. */
static const char *pending_range(rt_ctx *ctx, void *subject)
{
    const rt_redis_conformance *with = subject;
    static const rt_redis_step steps[] = {{"DEL k:x", NULL},
                                          {"XGROUP CREATE k:x g 0 MKSTREAM", "+OK"},
                                          {"XADD k:x 1-1 a 1", "'1-1'"},
                                          {"XREADGROUP GROUP g c STREAMS k:x >", NULL}};
    rt_redis_reply reply;
    CHECK(rt_redis_conformance_steps(ctx, with->redis, steps, 4));
    int code = rt_redis_command(ctx, with->redis,
                                RT_REDIS(RT_STR("XPENDING"), RT_STR("conformance:x"), RT_STR("g"),
                                         RT_STR("-"), RT_STR("+"), RT_STR("10")),
                                &reply);
    CHECK(rt_conformance_code(ctx, "XPENDING", code, 0));
    const rt_redis_reply *entry = reply.length == 1 ? reply.elements[0].elements : NULL;
    if (!entry || reply.elements[0].length != 4 || strcmp(entry[0].text, "1-1") != 0 ||
        strcmp(entry[1].text, "c") != 0 || entry[2].integer < 0 || entry[3].integer != 1)
        return rt_format(ctx, "one entry is pending: %s",
                         rt_redis_conformance_text(ctx, 0, &reply));
    code = rt_redis_command(ctx, with->redis,
                            RT_REDIS(RT_STR("XINFO"), RT_STR("GROUPS"), RT_STR("conformance:x")),
                            &reply);
    CHECK(rt_conformance_code(ctx, "XINFO", code, 0));
    entry = reply.length == 1 ? &reply.elements[0] : NULL;
    for (uint64_t i = 0; entry && i + 1 < entry->length; i += 2)
        if (strcmp(entry->elements[i].text, "pending") == 0 && entry->elements[i + 1].integer == 1)
            return NULL;
    return "XINFO GROUPS does not say that one entry is pending";
}

/* --- bytes ----------------------------------------------------------------------------------- */

static const char *round_trip(rt_ctx *ctx, const rt_redis_conformance *with, rt_str value)
{
    rt_redis_reply reply;
    const rt_str key = RT_STR("conformance:bytes\r\n\0:key");
    int code = rt_redis_command(ctx, with->redis, RT_REDIS(RT_STR("SET"), key, value), &reply);
    CHECK(rt_conformance_code(ctx, "SET", code, 0));
    code = rt_redis_command(ctx, with->redis, RT_REDIS(RT_STR("GET"), key), &reply);
    CHECK(rt_conformance_code(ctx, "GET", code, 0));
    if (reply.type != RT_REDIS_STRING || reply.length != value.length)
        return rt_format(ctx, "%llu bytes came back as type %u, %llu bytes",
                         (unsigned long long)value.length, reply.type,
                         (unsigned long long)reply.length);
    if (value.length && memcmp(reply.text, value.data, value.length) != 0)
        return rt_format(ctx, "%llu bytes came back as others", (unsigned long long)value.length);
    return reply.text[reply.length] ? "the text does not end in NUL" : NULL;
}

static const char *binary(rt_ctx *ctx, void *subject)
{
    char *all = rt_alloc(ctx, 256);
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    const rt_str values[] = {
        {NULL, 0},      RT_STR(""),         RT_STR("\0"), RT_STR("\r\n"), RT_STR("$3\r\nx\r\n"),
        RT_STR("a\0b"), RT_STR("\xff\xfe"), {all, 256}};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        CHECK(round_trip(ctx, subject, values[i]));
    return NULL;
}

static const char *large(rt_ctx *ctx, void *subject)
{
    static const uint64_t lengths[] = {4095, 16384, 65537, 1 << 20};
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        char *bytes = rt_alloc(ctx, lengths[k]);
        for (uint64_t i = 0; i < lengths[k]; i++)
            bytes[i] = (char)(i * 7 + (i >> 8));
        CHECK(round_trip(ctx, subject, (rt_str){bytes, lengths[k]}));
    }
    return NULL;
}

static const char *scanned(rt_ctx *ctx, void *subject)
{
    enum { KEYS = 50 };
    const rt_redis_conformance *with = subject;
    rt_redis_reply reply;
    char seen[KEYS] = {0};
    for (int i = 0; i < KEYS; i++)
        rt_redis_command(ctx, with->redis,
                         RT_REDIS(RT_STR("SET"),
                                  rt_string(rt_format(ctx, "conformance:scan:%d", i)), RT_STR("x")),
                         &reply);
    const char *cursor = "0";
    do {
        int code = rt_redis_command(ctx, with->redis,
                                    RT_REDIS(RT_STR("SCAN"), rt_string(cursor), RT_STR("MATCH"),
                                             RT_STR("conformance:scan:*"), RT_STR("COUNT"),
                                             RT_STR("7"), RT_STR("TYPE"), RT_STR("string")),
                                    &reply);
        CHECK(rt_conformance_code(ctx, "SCAN", code, 0));
        if (reply.type != RT_REDIS_ARRAY || reply.length != 2)
            return "SCAN does not answer a cursor and keys";
        cursor = reply.elements[0].text;
        for (uint64_t i = 0; i < reply.elements[1].length; i++) {
            int number = atoi(strrchr(reply.elements[1].elements[i].text, ':') + 1);
            if (number < 0 || number >= KEYS)
                return "SCAN found what does not match";
            seen[number] = 1;
        }
    } while (strcmp(cursor, "0") != 0);
    return memchr(seen, 0, KEYS) ? "SCAN left keys out" : NULL;
}

/* --- pipelines ------------------------------------------------------------------------------- */

static const char *check_text(rt_ctx *ctx, const char *what, const rt_redis_reply *reply,
                              const char *expected)
{
    const char *text = rt_redis_conformance_text(ctx, 0, reply);
    if (strcmp(text, expected) == 0)
        return NULL;
    return rt_format(ctx, "%s: expected %s, got %s", what, expected, text);
}

static const char *pipelines(rt_ctx *ctx, void *subject)
{
    const rt_redis_conformance *with = subject;
    const rt_str key = RT_STR("conformance:p");
    const rt_redis_arguments commands[] = {
        *RT_REDIS(RT_STR("SET"), key, RT_STR("1")), *RT_REDIS(RT_STR("INCR"), key),
        *RT_REDIS(RT_STR("LPUSH"), key, RT_STR("x")), *RT_REDIS(RT_STR("NOSUCHCOMMAND")),
        *RT_REDIS(RT_STR("GET"), key)};
    static const char *const expected[] = {"+OK", "2", WRONG_TYPE, WRONG_ARGUMENT, "'2'"};
    rt_redis_reply replies[5];
    int code = rt_redis_pipeline(ctx, with->redis, commands, 5, replies);
    CHECK(rt_conformance_code(ctx, "a pipeline with errors in the middle", code, 0));
    for (int i = 0; i < 5; i++)
        CHECK(check_text(ctx, rt_format(ctx, "reply %d", i), &replies[i], expected[i]));
    if (replies[2].code != -RT_EFAILED_PRECONDITION || !strchr(replies[2].text, ' '))
        return "an error reply has neither its code nor its words";
    return rt_conformance_code(ctx, "an empty pipeline",
                               rt_redis_pipeline(ctx, with->redis, NULL, 0, NULL), 0);
}

static const char *long_pipeline(rt_ctx *ctx, void *subject)
{
    enum { COMMANDS = 2000 };
    const rt_redis_conformance *with = subject;
    rt_redis_arguments *commands = rt_alloc(ctx, COMMANDS * sizeof *commands);
    rt_redis_reply *replies = rt_alloc(ctx, COMMANDS * sizeof *replies);
    rt_str *words = rt_alloc(ctx, COMMANDS * 2 * sizeof *words);
    for (uint32_t i = 0; i < COMMANDS; i++) {
        words[2 * i] = RT_STR("ECHO");
        words[2 * i + 1] = rt_string(rt_format(ctx, "%u", i));
        commands[i] = (rt_redis_arguments){.arguments = &words[2 * i], .count = 2};
    }
    int code = rt_redis_pipeline(ctx, with->redis, commands, COMMANDS, replies);
    CHECK(rt_conformance_code(ctx, "a pipeline of 2000", code, 0));
    for (uint32_t i = 0; i < COMMANDS; i++)
        if (replies[i].type != RT_REDIS_STRING || strtoul(replies[i].text, NULL, 10) != i)
            return rt_format(ctx, "reply %u is another's", i);
    return NULL;
}

static const char *transactions(rt_ctx *ctx, void *subject)
{
    const rt_redis_conformance *with = subject;
    const rt_str key = RT_STR("conformance:t");
    const rt_redis_arguments commands[] = {
        *RT_REDIS(RT_STR("DEL"), key), *RT_REDIS(RT_STR("INCR"), key),
        *RT_REDIS(RT_STR("LPUSH"), key, RT_STR("x")), *RT_REDIS(RT_STR("INCR"), key)};
    static const char *const expected[] = {NULL, "1", WRONG_TYPE, "2"};
    rt_redis_reply replies[4];
    int code = rt_redis_atomic(ctx, with->redis, commands, 4, replies);
    CHECK(rt_conformance_code(ctx, "a transaction with an error inside", code, 0));
    for (int i = 1; i < 4; i++)
        CHECK(check_text(ctx, rt_format(ctx, "reply %d", i), &replies[i], expected[i]));
    return rt_conformance_code(ctx, "an empty transaction",
                               rt_redis_atomic(ctx, with->redis, NULL, 0, NULL), 0);
}

static const char *aborted(rt_ctx *ctx, void *subject)
{
    const rt_redis_conformance *with = subject;
    const rt_str key = RT_STR("conformance:t");
    const rt_redis_arguments bad[] = {*RT_REDIS(RT_STR("NOSUCHCOMMAND"), key),
                                      *RT_REDIS(RT_STR("GET"))};
    rt_redis_reply replies[3];
    static const rt_redis_step before = {"SET k:t untouched", "+OK"},
                               after = {"GET k:t", "'untouched'"};
    for (int i = 0; i < 2; i++) {
        CHECK(rt_redis_conformance_steps(ctx, with->redis, &before, 1));
        const rt_redis_arguments commands[] = {*RT_REDIS(RT_STR("SET"), key, RT_STR("touched")),
                                               bad[i],
                                               *RT_REDIS(RT_STR("SET"), key, RT_STR("again"))};
        int code = rt_redis_atomic(ctx, with->redis, commands, 3, replies);
        const char *text = rt_redis_conformance_text(ctx, code, &replies[0]);
        if (strcmp(text, "!FAILED_PRECONDITION EXECABORT") != 0)
            return rt_format(ctx, "a transaction with a wrong command: got %s", text);
        CHECK(rt_redis_conformance_steps(ctx, with->redis, &after, 1));
    }
    return NULL;
}

/* --- scripts --------------------------------------------------------------------------------- */

static const struct script {
    const char *source, *expected;
} scripts[] = {
    {"return 1", "1"},
    {"return 3.99", "3"},
    {"return -3.99", "-3"},
    {"return 'text'", "'text'"},
    {"return true", "1"},
    {"return false", "null"},
    {"return nil", "null"},
    {"return {1, 'two', {3, {'four'}}, false}", "[1, 'two', [3, ['four']], null]"},
    {"return {1, 2, nil, 4}", "[1, 2]"},
    {"return {}", "[]"},
    {"return {ok = 'FINE'}", "+FINE"},
    {"return redis.status_reply('FINE')", "+FINE"},
    {"return redis.error_reply('MYERR of mine')", "!FAILED_PRECONDITION MYERR"},
    {"return {err = 'MYERR of mine'}", "!FAILED_PRECONDITION MYERR"},
    {"return {1, redis.error_reply('MYERR of mine')}", "[1, !FAILED_PRECONDITION MYERR]"},
    {"return {#KEYS, #ARGV, KEYS[1], KEYS[2], ARGV[1], ARGV[2]}",
     "[2, 2, 'conformance:k1', 'conformance:k2', 'a', 'b\\x00\\x0d\\x0a']"},
    {"return redis.call('SET', KEYS[1], 3)", "+OK"},
    {"return redis.call('GET', KEYS[1])", "'3'"},
    {"return redis.call('INCR', KEYS[1]) + 1", "5"},
    {"redis.call('SET', KEYS[1], ARGV[2]) return redis.call('GET', KEYS[1])", "'b\\x00\\x0d\\x0a'"},
    {"redis.call('DEL', KEYS[1]) return redis.call('GET', KEYS[1]) == false and 'gone'", "'gone'"},
    {"redis.call('DEL', KEYS[2]) redis.call('RPUSH', KEYS[2], 'x', 'y') "
     "return redis.call('LRANGE', KEYS[2], 0, -1)",
     "['x', 'y']"},
    {"return redis.call('GET', KEYS[2])", WRONG_TYPE},
    {"local r = redis.pcall('GET', KEYS[2]) return r.err and 'caught'", "'caught'"},
    {"return redis.pcall('GET', KEYS[2])", WRONG_TYPE},
    {"return redis.call('NOSUCHCOMMAND')", WRONG_ARGUMENT},
    {"return redis.sha1hex('')", "'da39a3ee5e6b4b0d3255bfef95601890afd80709'"},
    {"this is no Lua", WRONG_ARGUMENT},
    {"return tostring(pcall(function() return io.open end))", "'false'"},
    {"return tostring(pcall(function() return os.execute() end))", "'false'"},
};

static int run_script(rt_ctx *ctx, const rt_redis_conformance *with, const char *source,
                      rt_redis_reply *reply)
{
    const rt_str keys[] = {RT_STR("conformance:k1"), RT_STR("conformance:k2")};
    const rt_str arguments[] = {RT_STR("a"), RT_STR("b\0\r\n")};
    const rt_redis_script script = {.size = sizeof script,
                                    .source = source,
                                    .keys = keys,
                                    .key_count = 2,
                                    .arguments = arguments,
                                    .argument_count = 2};
    return rt_redis_eval(ctx, with->redis, &script, reply);
}

static const char *scripted(rt_ctx *ctx, void *subject)
{
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        rt_redis_reply reply;
        int code = run_script(ctx, subject, scripts[i].source, &reply);
        const char *text = rt_redis_conformance_text(ctx, code, &reply);
        const rt_error *error = code < 0 ? rt_last_error(ctx) : NULL;
        if (strcmp(text, scripts[i].expected) != 0)
            return rt_format(ctx, "`%s`: expected %s, got %s%s%s", scripts[i].source,
                             scripts[i].expected, text, error && error->detail ? ": " : "",
                             error && error->detail ? error->detail : "");
    }
    return NULL;
}

static const char *scripts_again(rt_ctx *ctx, void *subject)
{
    const rt_redis_conformance *with = subject;
    rt_redis_reply reply;
    const char *source = rt_format(ctx, "return 'unseen %llu'", (unsigned long long)rt_now());
    const rt_redis_script alone = {.size = sizeof alone, .source = source};
    for (int i = 0; i < 2; i++) {
        int code = rt_redis_eval(ctx, with->redis, &alone, &reply);
        CHECK(rt_conformance_code(ctx, i ? "a known script" : "an unknown script", code, 0));
        if (reply.type != RT_REDIS_STRING || !strstr(source, reply.text))
            return "the script answered something else";
    }
    return rt_conformance_code(
        ctx, "a script without source",
        rt_redis_eval(ctx, with->redis, &(rt_redis_script){.size = sizeof alone}, &reply),
        -RT_EINVALID_ARGUMENT);
}

/* Each of the two alone is one that a command may have. */
static const char *scripts_too_large(rt_ctx *ctx, void *subject)
{
    const rt_redis_conformance *with = subject;
    static const rt_redis_step after = {"PING", "+PONG"};
    const uint32_t count = 600 * 1024;
    const rt_str *texts = rt_alloc(ctx, count * sizeof *texts);
    const rt_redis_script script = {.size = sizeof script,
                                    .source = "return 1",
                                    .keys = texts,
                                    .key_count = count,
                                    .arguments = texts,
                                    .argument_count = count};
    rt_redis_reply reply;
    CHECK(rt_conformance_code(ctx, "a script with 1,228,800 keys and arguments",
                              rt_redis_eval(ctx, with->redis, &script, &reply),
                              -RT_EINVALID_ARGUMENT));
    return rt_redis_conformance_steps(ctx, with->redis, &after, 1);
}

/* --- errors ---------------------------------------------------------------------------------- */

static const char *told(rt_ctx *ctx, void *subject)
{
    const rt_redis_conformance *with = subject;
    rt_redis_reply reply;
    static const rt_redis_step before = {"SET k:w text", "+OK"};
    CHECK(rt_redis_conformance_steps(ctx, with->redis, &before, 1));
    int code = rt_redis_command(
        ctx, with->redis, RT_REDIS(RT_STR("LPUSH"), RT_STR("conformance:w"), RT_STR("x")), &reply);
    const rt_error *error = rt_last_error(ctx);
    CHECK(rt_conformance_code(ctx, "LPUSH on a string", code, -RT_EFAILED_PRECONDITION));
    if (!error || error->code != RT_EFAILED_PRECONDITION || error->retryable)
        return "the error of the context is another one";
    if (!error->domain || strcmp(error->domain, "WRONGTYPE") != 0)
        return rt_format(ctx, "the domain is `%s`", error->domain ? error->domain : "(null)");
    if (!error->detail || !strstr(error->detail, "wrong kind of value"))
        return rt_format(ctx, "the detail is `%s`", error->detail ? error->detail : "(null)");
    return error->message && strstr(error->message, "LPUSH") ? NULL
                                                             : "the message names no command";
}

static const char *const refused[] = {"SELECT 1",
                                      "select 1",
                                      "AUTH x",
                                      "HELLO 3",
                                      "SUBSCRIBE c",
                                      "PSUBSCRIBE c",
                                      "SSUBSCRIBE c",
                                      "UNSUBSCRIBE",
                                      "MONITOR",
                                      "WATCH k:w",
                                      "UNWATCH",
                                      "MULTI",
                                      "Exec",
                                      "DISCARD",
                                      "QUIT",
                                      "RESET",
                                      "SYNC",
                                      "PSYNC ? -1",
                                      "CLIENT REPLY OFF",
                                      "client tracking on",
                                      "CLIENT SETNAME x",
                                      "SCRIPT DEBUG YES",
                                      "BLPOP k:l 0",
                                      "brpop k:l 0",
                                      "BLMOVE k:l k:m LEFT LEFT 0",
                                      "BZPOPMIN k:z 0",
                                      "XREAD BLOCK 0 STREAMS k:x $",
                                      "XREAD COUNT 1 BLOCK 0 STREAMS k:x $",
                                      "XREADGROUP GROUP g c BLOCK 0 STREAMS k:x >",
                                      "",
                                      "''"};

static const char *refusals(rt_ctx *ctx, void *subject)
{
    const rt_redis_conformance *with = subject;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const rt_redis_step step = {refused[i], WRONG_ARGUMENT};
        CHECK(rt_redis_conformance_steps(ctx, with->redis, &step, 1));
    }
    static const rt_redis_step harmless[] = {{"DEL k:x", NULL},
                                             {"XGROUP CREATE k:x BLOCK 0 MKSTREAM", "+OK"},
                                             {"XREADGROUP GROUP BLOCK COUNT STREAMS k:x >", "null"},
                                             {"PING", "+PONG"}};
    return rt_redis_conformance_steps(ctx, with->redis, harmless, 4);
}

static const char *refusals_together(rt_ctx *ctx, void *subject)
{
    const rt_redis_conformance *with = subject;
    const rt_str key = RT_STR("conformance:r");
    const rt_redis_arguments wrong[] = {
        *RT_REDIS(RT_STR("WATCH"), key), *RT_REDIS(RT_STR("BLPOP"), key, RT_STR("0")),
        *RT_REDIS_WITH(RT_REDIS_BLOCKS, RT_STR("BLPOP"), key, RT_STR("0")),
        (rt_redis_arguments){0}};
    static const rt_redis_step before = {"DEL k:r", NULL}, after = {"EXISTS k:r", "0"};
    CHECK(rt_redis_conformance_steps(ctx, with->redis, &before, 1));
    for (int i = 0; i < 4; i++) {
        rt_redis_reply replies[2];
        const rt_redis_arguments commands[] = {*RT_REDIS(RT_STR("SET"), key, RT_STR("x")),
                                               wrong[i]};
        CHECK(rt_conformance_code(ctx, rt_format(ctx, "a pipeline with %d", i),
                                  rt_redis_pipeline(ctx, with->redis, commands, 2, replies),
                                  -RT_EINVALID_ARGUMENT));
        CHECK(rt_conformance_code(ctx, rt_format(ctx, "a transaction with %d", i),
                                  rt_redis_atomic(ctx, with->redis, commands, 2, replies),
                                  -RT_EINVALID_ARGUMENT));
    }
    return rt_redis_conformance_steps(ctx, with->redis, &after, 1);
}

/* --- many at once ---------------------------------------------------------------------------- */

struct worker {
    const rt_redis_conformance *with;
    rt_ctx *outer; /* what the fiber says must outlive its own context */
    int number;
    const char *complaint;
};

static const char *work_on_own(rt_ctx *ctx, const struct worker *worker, int round)
{
    const char *value = rt_format(ctx, "%d of %d", round, worker->number);
    const rt_str key = rt_string(rt_format(ctx, "conformance:own:%d", worker->number));
    rt_redis_reply reply, replies[2];
    CHECK(rt_conformance_code(ctx, "SET",
                              rt_redis_command(ctx, worker->with->redis,
                                               RT_REDIS(RT_STR("SET"), key, rt_string(value)),
                                               &reply),
                              0));
    CHECK(rt_conformance_code(
        ctx, "GET",
        rt_redis_command(ctx, worker->with->redis, RT_REDIS(RT_STR("GET"), key), &reply), 0));
    CHECK(check_text(ctx, "GET", &reply, rt_format(ctx, "'%s'", value)));
    const rt_redis_arguments commands[] = {*RT_REDIS(RT_STR("ECHO"), rt_string(value)),
                                           *RT_REDIS(RT_STR("GET"), key)};
    CHECK(rt_conformance_code(
        ctx, "a pipeline", rt_redis_pipeline(ctx, worker->with->redis, commands, 2, replies), 0));
    CHECK(check_text(ctx, "ECHO", &replies[0], rt_format(ctx, "'%s'", value)));
    return check_text(ctx, "GET", &replies[1], rt_format(ctx, "'%s'", value));
}

static int work(rt_ctx *ctx, void *argument)
{
    struct worker *worker = argument;
    for (int round = 0; round < 20 && !worker->complaint; round++) {
        const char *complaint = work_on_own(ctx, worker, round);
        if (complaint)
            worker->complaint = rt_format(worker->outer, "fiber %d: %s", worker->number, complaint);
    }
    return 0;
}

static const char *concurrent(rt_ctx *ctx, void *subject)
{
    enum { FIBERS = 50 };
    rt_task *tasks[FIBERS];
    struct worker *workers = rt_alloc(ctx, FIBERS * sizeof *workers);
    for (int i = 0; i < FIBERS; i++) {
        workers[i] = (struct worker){.with = subject, .outer = ctx, .number = i};
        tasks[i] = rt_spawn(ctx, work, &workers[i]);
    }
    for (int i = 0; i < FIBERS; i++)
        rt_join(ctx, tasks[i]);
    for (int i = 0; i < FIBERS; i++)
        CHECK(workers[i].complaint);
    return NULL;
}

struct attempt {
    const rt_redis_conformance *with;
    const rt_redis_arguments *command;
    rt_cancel *cancel;
    uint64_t deadline;
    int code;
    char text[64];
};

static int attempt(rt_ctx *ctx, void *argument)
{
    struct attempt *attempt = argument;
    rt_redis_reply reply;
    attempt->code = rt_redis_command(ctx, attempt->with->redis, attempt->command, &reply);
    snprintf(attempt->text, sizeof attempt->text, "%s",
             rt_redis_conformance_text(ctx, attempt->code, &reply));
    return attempt->code;
}

static int attempt_within(rt_ctx *ctx, void *argument)
{
    struct attempt *given = argument;
    rt_run(ctx, attempt, given, .cancel = given->cancel, .deadline = given->deadline);
    return 0;
}

/* Fibers that give up while their reply is under way must not leave it to the next. */
static const char *given_up(rt_ctx *ctx, void *subject)
{
    enum { FIBERS = 20 };
    const rt_redis_conformance *with = subject;
    struct attempt *attempts = rt_alloc(ctx, FIBERS * sizeof *attempts);
    const rt_redis_arguments *echo = RT_REDIS(RT_STR("ECHO"), RT_STR("abandoned"));
    rt_cancel *cancel = rt_cancel_new();
    rt_task *tasks[FIBERS];
    for (int i = 0; i < FIBERS; i++) {
        attempts[i] = (struct attempt){.with = with,
                                       .command = echo,
                                       .cancel = i % 2 ? cancel : NULL,
                                       .deadline = rt_now() + RT_S(20)};
        tasks[i] = rt_spawn(ctx, attempt_within, &attempts[i]);
    }
    rt_cancel_fire(cancel);
    const char *complaint = concurrent(ctx, subject);
    for (int i = 0; i < FIBERS; i++)
        rt_join(ctx, tasks[i]);
    rt_cancel_free(cancel);
    CHECK(complaint);
    for (int i = 0; i < FIBERS; i++)
        if (strcmp(attempts[i].text, "'abandoned'") != 0 &&
            (i % 2 == 0 || attempts[i].code != -RT_ECANCELED))
            return rt_format(ctx, "fiber %d got %s", i, attempts[i].text);
    return NULL;
}

static const char *limited(rt_ctx *ctx, const rt_redis_conformance *with, uint64_t deadline,
                           rt_cancel *cancel, int code)
{
    struct attempt late = {
        .with = with,
        .command = RT_REDIS(RT_STR("SET"), RT_STR("conformance:late"), RT_STR("written")),
        .deadline = deadline,
        .cancel = cancel};
    static const rt_redis_step before = {"DEL k:late", NULL}, after = {"EXISTS k:late", "0"};
    CHECK(rt_redis_conformance_steps(ctx, with->redis, &before, 1));
    attempt_within(ctx, &late);
    CHECK(rt_conformance_code(ctx, "SET", late.code, -code));
    return rt_redis_conformance_steps(ctx, with->redis, &after, 1);
}

static const char *past_deadline(rt_ctx *ctx, void *subject)
{
    return limited(ctx, subject, 1, NULL, RT_EDEADLINE);
}

static const char *cancelled(rt_ctx *ctx, void *subject)
{
    rt_cancel *cancel = rt_cancel_new();
    rt_cancel_fire(cancel);
    const char *complaint = limited(ctx, subject, 0, cancel, RT_ECANCELED);
    rt_cancel_free(cancel);
    return complaint;
}

/* --- blocking -------------------------------------------------------------------------------- */

STEPS(blocking_at_once, {"DEL k:l k:m k:z k:x", NULL}, {"RPUSH k:l a b c", "3"},
      {"&BLPOP k:m k:l 1", "['conformance:l', 'a']"}, {"&BRPOP k:l 1", "['conformance:l', 'c']"},
      {"&BLMOVE k:l k:m LEFT RIGHT 1", "'b'"}, {"&BLPOP k:l 0.01", "null"}, {"ZADD k:z 1 a", "1"},
      {"&BZPOPMIN k:z 1", "['conformance:z', 'a', '1']"}, {"&XREAD BLOCK 10 STREAMS k:x $", "null"},
      {"&GET k:none", "null"}, {"&LPUSH k:none", WRONG_ARGUMENT}, {"&BLPOP k:l x", WRONG_ARGUMENT})

struct waiting {
    const char *sentence;
    const rt_redis_arguments *command;
    rt_redis_step before, wake;
    const char *expected;
};

static const char *woken_by(rt_ctx *ctx, const rt_redis_conformance *with,
                            const struct waiting *waiting)
{
    struct attempt attempt = {.with = with,
                              .command = waiting->command,
                              .cancel = rt_cancel_new(),
                              .deadline = rt_now() + RT_S(20)};
    CHECK(rt_redis_conformance_steps(ctx, with->redis, &waiting->before, 1));
    rt_task *task = rt_spawn(ctx, attempt_within, &attempt);
    rt_sleep(ctx, RT_MS(20)); /* most likely it blocks by then; what it gets is the same anyhow */
    const char *complaint = rt_redis_conformance_steps(ctx, with->redis, &waiting->wake, 1);
    if (complaint)
        rt_cancel_fire(attempt.cancel);
    rt_join(ctx, task);
    rt_cancel_free(attempt.cancel);
    CHECK(complaint);
    if (strcmp(attempt.text, waiting->expected) != 0)
        return rt_format(ctx, "%s: expected %s, got %s", waiting->sentence, waiting->expected,
                         attempt.text);
    return NULL;
}

static const char *woken(rt_ctx *ctx, void *subject)
{
    const rt_redis_conformance *with = subject;
    static const rt_redis_step group[] = {{"DEL k:bx", NULL},
                                          {"XGROUP CREATE k:bx g $ MKSTREAM", "+OK"}};
    const struct waiting cases[] = {
        {"BLPOP",
         RT_REDIS_WITH(RT_REDIS_BLOCKS, RT_STR("BLPOP"), RT_STR("conformance:bl"), RT_STR("0")),
         {"DEL k:bl", NULL},
         {"RPUSH k:bl x", "1"},
         "['conformance:bl', 'x']"},
        {"BRPOP",
         RT_REDIS_WITH(RT_REDIS_BLOCKS, RT_STR("BRPOP"), RT_STR("conformance:bl"), RT_STR("10")),
         {"DEL k:bl", NULL},
         {"RPUSH k:bl x y", "2"},
         "['conformance:bl', 'y']"},
        {"XREADGROUP",
         RT_REDIS_WITH(RT_REDIS_BLOCKS, RT_STR("XREADGROUP"), RT_STR("GROUP"), RT_STR("g"),
                       RT_STR("c"), RT_STR("BLOCK"), RT_STR("0"), RT_STR("STREAMS"),
                       RT_STR("conformance:bx"), RT_STR(">")),
         {"PING", "+PONG"},
         {"XADD k:bx 5-5 a 1", "'5-5'"},
         "[['conformance:bx', [['5-5', ['a', '1']]]]]"}};
    CHECK(rt_redis_conformance_steps(ctx, with->redis, group, 2));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK(woken_by(ctx, with, &cases[i]));
    return NULL;
}

/* The PING comes back when the server has seen that nobody waits any more. */
static const char *blocked_deadline(rt_ctx *ctx, void *subject)
{
    const rt_redis_conformance *with = subject;
    static const rt_redis_step before = {"DEL k:bd", NULL},
                               after[] = {{"PING", "+PONG"},
                                          {"RPUSH k:bd x", "1"},
                                          {"LRANGE k:bd 0 -1", "['x']"}};
    CHECK(rt_redis_conformance_steps(ctx, with->redis, &before, 1));
    for (int i = 0; i < 6; i++) {
        struct attempt late = {.with = with,
                               .command = RT_REDIS_WITH(RT_REDIS_BLOCKS, RT_STR("BLPOP"),
                                                        RT_STR("conformance:bd"), RT_STR("0")),
                               .deadline = rt_now() + RT_MS(30)};
        attempt_within(ctx, &late);
        CHECK(rt_conformance_code(ctx, "BLPOP", late.code, -RT_EDEADLINE));
    }
    return rt_redis_conformance_steps(ctx, with->redis, after, 3);
}

static const rt_conformance_case cases[] = {
    {"the server answers", server},
    {"strings are set under conditions, read and cut", strings},
    {"numbers count within their bounds", numbers},
    {"many keys are written and read at once", many_keys},
    {"keys expire, and say when", expiry},
    {"hashes", hashes},
    {"lists", lists},
    {"sets", sets},
    {"sorted sets", sorted_sets},
    {"a value of another type is left alone", wrong_types},
    {"what is no command is refused by the server", wrong_commands},
    {"streams are written, read and trimmed", streams},
    {"groups read streams, acknowledge and claim", groups},
    {"what is pending in a group is told", pending_range},
    {"keys and values are any bytes", binary},
    {"values of up to a megabyte come back whole", large},
    {"SCAN finds every key", scanned},
    {"a pipeline answers in order with errors in the middle", pipelines},
    {"a pipeline of two thousand answers in order", long_pipeline},
    {"a transaction goes on after an error", transactions},
    {"a transaction with a wrong command does nothing", aborted},
    {"scripts compute, call and convert", scripted},
    {"a script runs before and after the server knows it", scripts_again},
    {"a script with more arguments than a command may have is refused", scripts_too_large},
    {"an error has domain, detail and the command's name", told},
    {"commands that change the connection or block unsaid are refused", refusals},
    {"a pipeline or transaction with one of those is refused as a whole", refusals_together},
    {"fifty fibers each get their own replies", concurrent},
    {"fibers that give up leave the replies of others alone", given_up},
    {"a deadline in the past is honoured and nothing is sent", past_deadline},
    {"cancelled work sends nothing", cancelled},
    {"commands that block answer at once where they can", blocking_at_once},
    {"a blocked command is woken by another fiber", woken},
    {"a deadline ends a blocked command, which takes nothing any more", blocked_deadline},
};

rt_str rt_redis_conformance_run(rt_ctx *ctx, const rt_redis_conformance *subject)
{
    return rt_conformance_run(ctx, cases, sizeof cases / sizeof cases[0],
                              (void *)(uintptr_t)subject);
}
