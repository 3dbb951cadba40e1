/* A fallback that is fit for production with a file, but not without. */
#include "cap/alpha.h"

#include <rt/rt.h>

RT_MODULE("alpha-file", "1.0.0", "Keeps its numbers in a file")
RT_PROVIDES(alpha, 1, fallback, 10)
RT_OPTION(string, file, RT_DEFAULT(":memory:"), "Where the numbers are kept")
RT_OPTION(path, journal, , "File of changes")
RT_OPTION(duration, keep, RT_DEFAULT("1 h"), "How long numbers are kept")
RT_OPTION(group, tls, RT_FIELD(bool, verify, RT_DEFAULT(true), "Check certificates"), "TLS")
RT_DEVELOPMENT_ONLY_WHEN("file", ":memory:")
RT_DEVELOPMENT_ONLY_WHEN("journal", ":memory:")
RT_DEVELOPMENT_ONLY_WHEN("keep", "1 min")
RT_DEVELOPMENT_ONLY_WHEN("tls.verify", "false")

static int ask(rt_ctx *ctx, int64_t *answer)
{
    *answer = RT_GET(ctx, file) != NULL;
    return 0;
}

RT_REGISTER(registry)
{
    return rt_provide(registry, alpha, .ask = ask);
}
