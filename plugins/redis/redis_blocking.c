#include "redis_blocking.h"

#include "redis_shared.h"

#include <stdlib.h>
#include <string.h>

#define MOST_FRESH 2 /* connections that are made for one command */

struct rt_redis_blocking {
    const rt_redis_settings *settings;
    rt_semaphore *permits; /* one for each connection in use */
    rt_redis_link *idle;   /* the one used last first */
};

static rt_redis_link *take_idle(rt_redis_blocking *pool)
{
    for (rt_redis_link *link; (link = pool->idle);) {
        pool->idle = link->next;
        if (rt_redis_usable(link))
            return link;
        rt_redis_close(link);
    }
    return NULL;
}

/* One that a failover left behind is not kept: its server is a replica now. */
static void give_back(rt_redis_blocking *pool, rt_redis_link *link, const rt_redis_replies *replies)
{
    const rt_redis_reply *reply = replies->count ? &replies->at[0] : NULL;
    bool demoted =
        reply && reply->type == RT_REDIS_ERROR && strncmp(reply->text, "READONLY", 8) == 0;
    if (link->broken || demoted) {
        rt_redis_close(link);
        return;
    }
    link->next = pool->idle;
    pool->idle = link;
}

static int fail(rt_ctx *ctx, const rt_redis_link *link, int code, bool sent)
{
    switch (code) {
    case -RT_EUNAVAILABLE:
        return rt_redis_fail_lost(ctx, link->where, link->failure, sent);
    case -RT_EDEADLINE:
    case -RT_ECANCELED:
        return code;
    default:
        return rt_redis_fail_refused(ctx, -code, link->where, link->failure);
    }
}

/* `*again`: the connection died, and the command was not sent or may be repeated. */
static int call_on(rt_ctx *ctx, rt_redis_link *link, const rt_redis_arguments *command,
                   rt_redis_replies *replies, bool *again)
{
    rt_redis_bytes bytes = {0};
    if (!rt_redis_replies_begin(replies, 1) || !rt_redis_put(&bytes, command))
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no memory for a command of redis");
    int result = rt_redis_exchange(ctx, link, &bytes, replies, 0);
    bool sent = !rt_redis_bytes_left(&bytes);
    rt_redis_bytes_free(&bytes);
    if (result == 0)
        return 0;
    *again = result == -RT_EUNAVAILABLE && (!sent || command->flags & RT_REDIS_IDEMPOTENT);
    return fail(ctx, link, result, sent);
}

static int call_once(rt_ctx *ctx, rt_redis_blocking *pool, const rt_redis_arguments *command,
                     rt_redis_replies *replies, uint32_t *fresh, bool *again)
{
    rt_redis_link *link = take_idle(pool);
    *again = false;
    if (!link) {
        ++*fresh;
        RT_TRY(rt_redis_open(ctx, pool->settings, &link));
    }
    int result = call_on(ctx, link, command, replies, again);
    give_back(pool, link, replies);
    return result;
}

int rt_redis_blocking_call(rt_ctx *ctx, rt_redis_blocking *pool, const rt_redis_arguments *command,
                           rt_redis_replies *replies)
{
    RT_TRY(rt_semaphore_acquire(ctx, pool->permits));
    uint32_t fresh = 0;
    bool again;
    int result;
    do {
        rt_redis_replies_end(replies);
        result = call_once(ctx, pool, command, replies, &fresh, &again);
    } while (result < 0 && again && fresh < MOST_FRESH);
    rt_semaphore_release(pool->permits);
    return result;
}

rt_redis_blocking *rt_redis_blocking_new(const rt_redis_settings *settings, uint32_t connections)
{
    rt_redis_blocking *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->settings = settings;
    pool->permits = rt_semaphore_new(connections);
    if (!pool->permits) {
        free(pool);
        return NULL;
    }
    return pool;
}

void rt_redis_blocking_free(rt_redis_blocking *pool)
{
    if (!pool)
        return;
    for (rt_redis_link *link; (link = pool->idle);) {
        pool->idle = link->next;
        rt_redis_close(link);
    }
    rt_semaphore_free(pool->permits);
    free(pool);
}
