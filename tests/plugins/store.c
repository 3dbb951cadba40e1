/* A provider whose life can be made to go wrong by settings. */
#include "probe.h"
#include "trace.h"

#include <rt/rt.h>
#include <signal.h>
#include <stdlib.h>

#ifdef LATER
#define DEFAULT_LABEL RT_DEFAULT("later")
#else
#define DEFAULT_LABEL RT_DEFAULT("plain")
#endif

RT_MODULE("store", "1.0.0", "Provides probe/1 and says what happens to it")
RT_PROVIDES(probe, 1, production, 100)
RT_OPTION(path, trace, RT_WRITE, "File that tells what happened")
RT_OPTION(string, label, DEFAULT_LABEL, "What probe.label answers")
RT_OPTION(enum, goes_wrong,
          RT_VALUES(never, configure, start, hang, spin, crash, exit, die, once, again, service)
              RT_DEFAULT("never"),
          "When it goes wrong")

static int label(rt_ctx *ctx, const char **out)
{
    *out = rt_state(ctx) ? rt_state(ctx) : "not started";
    return 0;
}

static int fail(rt_ctx *ctx, const char *reason)
{
    return rt_fail(ctx, RT_EUNAVAILABLE, "%s", reason);
}

static int configure(rt_ctx *ctx)
{
    trace(ctx, RT_GET(ctx, trace), "configure");
    if (strcmp(RT_GET(ctx, goes_wrong), "configure") == 0)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`label` and `goes_wrong` disagree");
    return 0;
}

static int tick(rt_ctx *ctx, void *argument)
{
    (void)argument;
    int result;
    if (strcmp(RT_GET(ctx, goes_wrong), "service") == 0)
        return fail(ctx, "nothing ticks");
    while ((result = rt_sleep(ctx, RT_MS(50))) == 0)
        ;
    trace(ctx, RT_GET(ctx, trace), "service-ended");
    return result;
}

static int starts_so_far(const char *path)
{
    char line[256];
    int count = 0;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        count += strncmp(line, "start store", 11) == 0;
    if (file)
        fclose(file);
    return count;
}

static int go_wrong(rt_ctx *ctx, const char *how)
{
    static int starts;
    if (strcmp(how, "start") == 0 || (strcmp(how, "once") == 0 && starts++ == 0))
        return rt_fail(ctx, RT_EUNAVAILABLE, "the backend of `%s` is down", ctx->instance->name);
    if (strcmp(how, "again") == 0 && starts_so_far(RT_GET(ctx, trace)) == 2)
        return rt_fail(ctx, RT_EUNAVAILABLE, "the second start goes wrong");
    if (strcmp(how, "hang") == 0)
        return rt_sleep(ctx, RT_S(3600));
    while (strcmp(how, "spin") == 0)
        usleep(1000);
    if (strcmp(how, "crash") == 0)
        raise(SIGSEGV);
    if (strcmp(how, "exit") == 0)
        _exit(7);
    if (strcmp(how, "die") == 0)
        rt_die(ctx, "an invariant of `%s` is broken", ctx->instance->name);
    return 0;
}

static int start(rt_ctx *ctx)
{
    trace(ctx, RT_GET(ctx, trace), "start");
    RT_TRY(go_wrong(ctx, RT_GET(ctx, goes_wrong)));
    RT_TRY(rt_sleep(ctx, RT_MS(20)));
    RT_TRY(rt_service(ctx, "tick", tick, NULL));
    rt_set_state(ctx, (void *)RT_GET(ctx, label));
    return 0;
}

static int stop(rt_ctx *ctx)
{
    trace(ctx, RT_GET(ctx, trace), "stop");
    return rt_sleep(ctx, RT_MS(1));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .configure = configure, .start = start, .stop = stop));
    return rt_provide(registry, probe, .label = label, .fail = fail);
}
