/* redis_shared.h — the few connections that commands of all fibers of a worker share
 *
 * A caller appends its commands to a connection's output and waits its turn in the queue of
 * replies. Each connection has two fibers of its own: the reader, which connects, reads and hands
 * out, and the writer, which sends what the callers of one turn of the loop have appended. So no
 * caller is ever in the middle of a write or read, and one that gives up only leaves its place in
 * the queue behind.
 */
#ifndef PLUGINS_REDIS_SHARED_H
#define PLUGINS_REDIS_SHARED_H

#include "redis_link.h"

typedef struct rt_redis_shared rt_redis_shared;

/* What is sent in one piece. */
typedef struct rt_redis_batch {
    const rt_redis_arguments *commands;
    uint32_t count;
    bool atomic; /* within MULTI and EXEC, whose replies are the first and last */
    bool idempotent;
} rt_redis_batch;

/* One that is answered, until it is given back. */
typedef struct rt_redis_request rt_redis_request;

/* NULL: no memory. `first` is the first connection, opened already. */
rt_redis_shared *rt_redis_shared_new(const rt_redis_settings *settings, uint32_t connections,
                                     rt_redis_link *first);
/* The service that drives all connections. */
int rt_redis_shared_serve(rt_ctx *ctx, void *shared);
/* Once that has ended. */
void rt_redis_shared_free(rt_redis_shared *shared);

/* Sends the batch and waits for its replies: 0, or the error; `*request` is given back in both
 * cases. A batch that was lost before it was sent, or that is idempotent, is sent again: a server
 * that is gone takes all connections with it, so once for each and one more. */
int rt_redis_shared_call(rt_ctx *ctx, rt_redis_shared *shared, const rt_redis_batch *batch,
                         rt_redis_request **request);
const rt_redis_reply *rt_redis_request_replies(const rt_redis_request *request);
void rt_redis_request_end(rt_redis_shared *shared, rt_redis_request *request);

/* The batch as bytes, and how many replies come; false: no memory. */
bool rt_redis_put_batch(rt_redis_bytes *bytes, const rt_redis_batch *batch);
uint32_t rt_redis_batch_replies(const rt_redis_batch *batch);

/* That the connection was lost: whether a batch may have been carried out is said. */
int rt_redis_fail_lost(rt_ctx *ctx, const char *where, const char *why, bool sent);
/* That what came was too large, or no reply: asking again would bring the same. */
int rt_redis_fail_refused(rt_ctx *ctx, int code, const char *where, const char *why);

#endif
