#include "migrate/migrate.h"

#include "fiber/fiber.h"

struct apart {
    const rt_instance *provider;
    rt_work work;
    void *argument;
};

/* The provider finds the ambient transaction under its instance; here there is none. */
static int without_transaction(rt_ctx *ctx, void *argument)
{
    const struct apart *apart = argument;
    RT_TRY(rt_host_set_context_value(ctx, apart->provider, NULL));
    return apart->work(ctx, apart->argument);
}

int rt_migrate_apart(rt_ctx *ctx, const rt_migrate_job *job, rt_work work, void *argument)
{
    struct apart apart = {ctx->instance->bindings[job->slice->sql->index].instance, work, argument};
    return rt_host_run(ctx, &(rt_run_options){.size = sizeof(rt_run_options), .name = "sql.apart"},
                       without_transaction, &apart);
}
