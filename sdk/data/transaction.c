/* rt_sql_tx: one unit of work around begin, the author's work, and commit; the provider rolls back
 * what such a unit leaves open. */
#include <rt/cap/sql.h>
#include <rt/rt.h>

struct attempt {
    struct rt_sql_slot *sql;
    const rt_sql_transaction *options;
    rt_work work;
    void *argument;
};

static int run_attempt(rt_ctx *ctx, void *argument)
{
    const struct attempt *attempt = argument;
    RT_TRY(rt_sql_begin(ctx, attempt->sql, attempt->options));
    RT_TRY(attempt->work(ctx, attempt->argument));
    return rt_sql_commit(ctx, attempt->sql);
}

/* A child of a transaction cannot be tried again alone: the server has given up the whole. */
static int is_nested(rt_ctx *ctx, struct rt_sql_slot *sql)
{
    return rt_context_value(ctx, ctx->instance->bindings[sql->slot.index].instance) != NULL;
}

int rt_sql_tx_with(rt_ctx *ctx, struct rt_sql_slot *sql, rt_work work, void *argument,
                   const rt_sql_transaction *options)
{
    struct attempt attempt = {sql, options, work, argument};
    uint32_t most = options->attempts && !is_nested(ctx, sql) ? options->attempts : 1;
    rt_exit end;
    for (uint32_t tried = 1;; tried++) {
        rt_run_exit(ctx, &end, run_attempt, &attempt, .name = "sql.transaction");
        if (end.kind == RT_EXIT_DEFECT)
            rt_die(ctx, "%s", end.defect ? end.defect : "a transaction ended as a defect");
        if (end.result != -RT_EABORTED || tried >= most)
            break;
        RT_TRY(rt_sleep(ctx, RT_MS(1) << (tried < 8 ? tried : 8)));
    }
    if (end.result < 0 && end.error)
        return rt_fail_with(ctx, end.error);
    return end.result;
}
