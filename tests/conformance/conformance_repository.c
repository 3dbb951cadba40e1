/* conformance_repository.c — conformance-repository: repositories on whatever sql/1 is bound
 *
 *     GET  /conformance/repository                     the suite, as TAP
 *     GET  /conformance/repository/model?seed=N        random operations beside a model; "ok"
 *     POST /conformance/repository/race?id=thing_…     adds 1 to a row, again while others are
 * faster
 */
#include "repository_model.h"
#include "repository_suite.h"

#include <stdlib.h>

RT_MODULE("conformance-repository", "0.1.0", "Runs the suite of repositories", RT_DEVELOPMENT_ONLY)
RT_SERVES(routes)
RT_REQUIRES(sql, 1)

static int run_suite(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return rt_respond(ctx, response, 200, "text/plain; charset=utf-8",
                      rt_repository_suite_run(ctx, sql));
}

static int make_tables(rt_ctx *ctx)
{
    static const char script[] = "DROP TABLE IF EXISTS marked; DROP TABLE IF EXISTS moved;"
                                 "DROP TABLE IF EXISTS moved_deleted;" RT_MODEL_SCHEMA;
    return rt_sql_exec(ctx, sql, RT_SQL_WITH(RT_SQL_SCRIPT, script), NULL);
}

static int run_model(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_table *const tables[] = {&marked_table, &moved_table};
    rt_str seed;
    RT_TRY(rt_query(ctx, request, "seed", &seed));
    RT_TRY(make_tables(ctx));
    for (int i = 0; i < 2; i++) {
        const char *complaint =
            rt_model_run(ctx, sql, tables[i], strtoull(seed.data, NULL, 10), 300);
        if (complaint)
            return rt_respond(ctx, response, 200, "text/plain", rt_string(complaint));
    }
    return rt_respond(ctx, response, 200, "text/plain", RT_STR("ok"));
}

/* --- many at once ------------------------------------------------------------------------------
 */

static int make_one(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct marked row = {.sku = "counted", .weight_null = true};
    (void)request;
    RT_TRY(make_tables(ctx));
    RT_TRY(marked_insert(ctx, sql, &row));
    return rt_respond(ctx, response, 200, "text/plain", rt_string(row.id));
}

static int add_one(rt_ctx *ctx, void *argument)
{
    struct marked row;
    RT_TRY(marked_find(ctx, sql, argument, &row));
    row.quantity++;
    return marked_update(ctx, sql, &row);
}

/* How many of its tries were too late. */
static int race(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str id;
    int lost = 0, result;
    RT_TRY(rt_query(ctx, request, "id", &id));
    char *key = rt_format(ctx, "%.*s", (int)id.length, id.data);
    while ((result = rt_run(ctx, add_one, key)) == -RT_EABORTED && lost < 1000)
        lost++;
    RT_TRY(result);
    return rt_respond(ctx, response, 200, "text/plain", rt_string(rt_format(ctx, "%d", lost)));
}

static int read_one(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct marked row;
    rt_str id;
    RT_TRY(rt_query(ctx, request, "id", &id));
    RT_TRY(marked_find(ctx, sql, rt_format(ctx, "%.*s", (int)id.length, id.data), &row));
    return rt_respond(
        ctx, response, 200, "text/plain",
        rt_string(rt_format(ctx, "%lld %lld", (long long)row.quantity, (long long)row.version)));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/conformance/repository", run_suite, .timeout = RT_S(120)));
    RT_TRY(rt_route(registry, RT_GET, "/conformance/repository/model", run_model,
                    .timeout = RT_S(120)));
    RT_TRY(rt_route(registry, RT_POST, "/conformance/repository/one", make_one));
    RT_TRY(rt_route(registry, RT_GET, "/conformance/repository/one", read_one));
    return rt_route(registry, RT_POST, "/conformance/repository/race", race, .timeout = RT_S(60));
}
