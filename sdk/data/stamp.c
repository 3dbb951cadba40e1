/* Actor and time go along with the context. Each plugin has this code to itself, so the keys are
 * addresses that all of them know: members of the host's table. */
#include "id.h"

#include <rt/rt.h>
#include <time.h>

struct actor {
    const char *name;
};

static const void *actor_key(void)
{
    return &rt_host_table->abi_major;
}

static const void *time_key(void)
{
    return &rt_host_table->abi_minor;
}

int rt_set_actor(rt_ctx *ctx, const char *actor)
{
    struct actor *kept = rt_alloc(ctx, sizeof *kept);
    kept->name = actor ? rt_format(ctx, "%s", actor) : NULL;
    return rt_set_context_value(ctx, actor_key(), kept);
}

const char *rt_actor(const rt_ctx *ctx)
{
    const struct actor *kept = rt_context_value(ctx, actor_key());
    return kept ? kept->name : NULL;
}

int rt_set_time(rt_ctx *ctx, int64_t microseconds)
{
    int64_t *kept = rt_alloc(ctx, sizeof *kept);
    *kept = microseconds;
    return rt_set_context_value(ctx, time_key(), kept);
}

bool rt_time_is_set(const rt_ctx *ctx)
{
    return rt_context_value(ctx, time_key()) != NULL;
}

int64_t rt_time(const rt_ctx *ctx)
{
    const int64_t *kept = rt_context_value(ctx, time_key());
    struct timespec now;
    if (kept)
        return *kept;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
