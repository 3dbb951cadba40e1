/* Consumers of puppet/1, which make it clear whom `rtctl call` means. */
#include "cap/puppet.h"
#include <rt/rt.h>

RT_MODULE(NAME, "1.0.0", "Requires a puppet")
RT_SERVES(routes)
RT_REQUIRES(puppet, 1)

static int who(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const char *text, *name;
    int32_t pid;
    (void)request;
    RT_TRY(rt_puppet_say(ctx, puppet, "hello", &text, &name, &pid));
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){name, strlen(name)});
}

RT_REGISTER(registry)
{
    return rt_route(registry, RT_GET, "/" NAME, who);
}
