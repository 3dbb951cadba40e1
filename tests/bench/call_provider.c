#include "call.h"

static int next(rt_ctx *ctx, int number)
{
    (void)ctx;
    return number + 1;
}

const struct rt_probe_table *probe_table(void)
{
    static const struct rt_probe_table table = {.size = sizeof table, .next = next};
    return &table;
}
