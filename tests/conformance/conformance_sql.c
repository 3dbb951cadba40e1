/* conformance_sql.c — conformance-sql: runs the suite on whatever sql/1 is bound
 *
 *     GET /conformance/sql    the suite, as TAP
 */
#include <rt/rt.h>
#include <sql_conformance.h>

RT_MODULE("conformance-sql", "0.1.0", "Runs the conformance suite of sql/1", RT_DEVELOPMENT_ONLY)
RT_SERVES(routes)
RT_REQUIRES(sql, 1)
RT_OPTION(int, connections, RT_DEFAULT(1) RT_RANGE(1, 100),
          "Transactions that the provider can have open at once")

static int run_suite(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    const rt_sql_conformance subject = {.sql = sql,
                                        .connections = (uint32_t)RT_GET(ctx, connections)};
    return rt_respond(ctx, response, 200, "text/plain; charset=utf-8",
                      rt_sql_conformance_run(ctx, &subject));
}

RT_REGISTER(registry)
{
    return rt_route(registry, RT_GET, "/conformance/sql", run_suite, .timeout = RT_S(600));
}
