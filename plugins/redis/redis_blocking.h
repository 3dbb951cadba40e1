/* redis_blocking.h — commands that block on the server, each with a connection to itself
 *
 * Who gives up closes the connection: that is the only way to end such a command.
 */
#ifndef PLUGINS_REDIS_BLOCKING_H
#define PLUGINS_REDIS_BLOCKING_H

#include "redis_link.h"

typedef struct rt_redis_blocking rt_redis_blocking;

/* NULL: no memory. */
rt_redis_blocking *rt_redis_blocking_new(const rt_redis_settings *settings, uint32_t connections);
void rt_redis_blocking_free(rt_redis_blocking *pool);

/* Waits for a connection and for the reply, both until the deadline of the context. */
int rt_redis_blocking_call(rt_ctx *ctx, rt_redis_blocking *pool, const rt_redis_arguments *command,
                           rt_redis_replies *replies);

#endif
