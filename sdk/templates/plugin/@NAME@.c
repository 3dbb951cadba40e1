#include <rt/rt.h>
#include <string.h>

RT_MODULE("@NAME@", "0.1.0", "Greets whoever asks")
RT_SERVES(routes)
RT_OPTION(string, greeting, RT_DEFAULT("Hello") RT_RANGE(1, 80), "First word of the answer")

static int greet(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str name = rt_param(request, "name");
    if (name.length > 80)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the name is longer than 80 bytes");
    const char *text =
        rt_format(ctx, "%s, %.*s\n", RT_GET(ctx, greeting), (int)name.length, name.data);
    return rt_respond(ctx, response, 200, "text/plain; charset=utf-8",
                      (rt_str){text, strlen(text)});
}

RT_REGISTER(registry)
{
    return rt_route(registry, RT_GET, "/@NAME@/{name}", greet);
}
