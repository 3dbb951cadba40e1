/* waiter.c — a module whose route waits as long as it is asked to, to measure what waiting costs */
#include <rt/rt.h>

#include <stdlib.h>

RT_MODULE("waiter", "1.0.0", "Waits")
RT_SERVES(routes)

/* GET /wait/{milliseconds} */
static int wait_and_answer(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str text = rt_param(request, "milliseconds");
    char digits[16] = "";
    memcpy(digits, text.data, text.length < sizeof digits ? text.length : sizeof digits - 1);
    RT_TRY(rt_sleep(ctx, RT_MS(strtoull(digits, NULL, 10))));
    return rt_respond(ctx, response, 200, "text/plain", RT_STR("waited\n"));
}

RT_REGISTER(registry)
{
    return rt_route(registry, RT_GET, "/wait/{milliseconds}", wait_and_answer);
}
