/* verdict.h — which commands redis/1 carries, and what an error reply means
 *
 * Shared by the providers of redis/1, so that a module sees the same errors on each.
 */
#ifndef PLUGINS_REDIS_VERDICT_H
#define PLUGINS_REDIS_VERDICT_H

#include <rt/cap/redis.h>

/* Where the commands stand. */
enum rt_redis_place { RT_REDIS_ALONE, RT_REDIS_TOGETHER };

/* 0, or -RT_EINVALID_ARGUMENT: no name, text without bytes, a command that changes the connection,
 * one that blocks and does not say so, one that says so in a pipeline. Nothing is sent then. */
int rt_redis_check_command(rt_ctx *ctx, const rt_redis_arguments *command,
                           enum rt_redis_place place);
int rt_redis_check_commands(rt_ctx *ctx, const rt_redis_arguments *commands, uint32_t count);
int rt_redis_check_script(rt_ctx *ctx, const rt_redis_script *script);

/* -RT_E… of an error reply, by its first word. */
int rt_redis_code_of(const char *text, uint64_t length);

/* Why, where EXEC says that a transaction was discarded and gives the server's reason; else the
 * reply itself. */
rt_str rt_redis_reason_of(const char *text, uint64_t length);
/* Whether the state of the server is to blame for an error reply, or what its user may do, and not
 * the command. */
bool rt_redis_blames_server(const char *text, uint64_t length);

/* Fails with an error reply: domain, message, detail; `subject` is the command's name. */
int rt_redis_fail_reply(rt_ctx *ctx, const char *subject, const char *text, uint64_t length);

/* The name in capitals, for spans and errors: what is no letter, digit or dash of a name becomes a
 * dot, and a long one is cut. */
const char *rt_redis_name(rt_ctx *ctx, const rt_redis_arguments *command);

#endif
