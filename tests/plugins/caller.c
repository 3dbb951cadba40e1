/* Calls a source for each request, and answers how that went. */
#include "cap/source.h"

#include <rt/rt.h>
#include <string.h>

RT_MODULE("caller", "1.0.0", "Calls a source")
RT_SERVES(routes)
RT_REQUIRES(source, 1)

static int tell(rt_ctx *ctx, rt_response *response, int result)
{
    const rt_error *error = rt_last_error(ctx);
    const char *text = "OK";
    if (result < 0)
        text = rt_format(ctx, "%s: %s", rt_code_name(result), error ? error->message : "");
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

static int fetch(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t answer;
    (void)request;
    return tell(ctx, response, rt_source_fetch(ctx, source, &answer));
}

static int push(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return tell(ctx, response, rt_source_push(ctx, source, 1));
}

static int fetch_plainly(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    int64_t answer;
    (void)request;
    RT_TRY(rt_source_fetch(ctx, source, &answer));
    return rt_respond(ctx, response, 200, "text/plain", RT_STR("OK"));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/fetch", fetch));
    RT_TRY(rt_route(registry, RT_GET, "/push", push));
    return rt_route(registry, RT_GET, "/plainly", fetch_plainly);
}
