/* The provider that a deployment would configure: it needs a setting and takes a secret. */
#include "cap/alpha.h"

#include <rt/rt.h>

RT_MODULE("alpha-main", "1.0.0", "Asks a server")
RT_PROVIDES(alpha, 1, production, 100)
RT_OPTION(string, host, RT_REQUIRED, "Name of the server")
RT_OPTION(int, port, RT_DEFAULT(587) RT_RANGE(1, 65535), "Port of the server")
RT_OPTION(string, user, RT_REQUIRED_WITH(password), "Name of the account")
RT_OPTION(secret, password, RT_RANGE(8, 64), "Password of the account")

static int ask(rt_ctx *ctx, int64_t *answer)
{
    *answer = RT_GET(ctx, port);
    return 0;
}

RT_REGISTER(registry)
{
    return rt_provide(registry, alpha, .ask = ask);
}
