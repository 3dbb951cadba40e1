/* Routes that let a test look into a worker and bring it down. */
#include "probe.h"
#include "trace.h"

#include <rt/rt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

RT_MODULE("front", "1.0.0", "Answers questions of the tests")
RT_SERVES(routes)
RT_REQUIRES(probe, 1)
RT_OPTION(string, prefix, RT_DEFAULT(""), "What its paths begin with")
RT_OPTION(path, trace, RT_WRITE, "File that tells what happened")
RT_OPTION(string, token, RT_NOT_SECRET, "Something from the environment")

static int text(rt_ctx *ctx, rt_response *response, const char *body)
{
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){body, strlen(body)});
}

static int who(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const char *label;
    (void)request;
    RT_TRY(rt_probe_label(ctx, probe, &label));
    return text(ctx, response, label);
}

static int fail(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request, (void)response;
    return rt_probe_fail(ctx, probe, "the cable is cut");
}

static int slow(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str milliseconds = rt_param(request, "ms");
    int result;
    trace(ctx, RT_GET(ctx, trace), "request");
    result = rt_sleep(
        ctx, RT_MS(strtoul(rt_format(ctx, "%.*s", (int)milliseconds.length, milliseconds.data),
                           NULL, 10)));
    trace(ctx, RT_GET(ctx, trace), result ? "interrupted" : "answered");
    return result ? result : text(ctx, response, "slept");
}

static int pid(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return text(ctx, response, rt_format(ctx, "%d", (int)getpid()));
}

static int variable(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str name = rt_param(request, "name");
    const char *value = getenv(rt_format(ctx, "%.*s", (int)name.length, name.data));
    return text(ctx, response, value ? value : "(unset)");
}

static int token(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return text(ctx, response, RT_IS_SET(ctx, token) ? RT_GET(ctx, token) : "(unset)");
}

static int cores(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct rlimit limit;
    (void)request;
    getrlimit(RLIMIT_CORE, &limit);
    return text(ctx, response, limit.rlim_max == 0 ? "none" : "some");
}

static int crash(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)ctx, (void)request, (void)response;
    return raise(SIGSEGV);
}

static int descriptors(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct rlimit limit;
    (void)request;
    getrlimit(RLIMIT_NOFILE, &limit);
    return text(ctx, response, rt_format(ctx, "%ju", (uintmax_t)limit.rlim_cur));
}

static int die(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request, (void)response;
    rt_die(ctx, "an invariant of `%s` is broken", ctx->instance->name);
}

/* A frame a call, whatever the compiler would make of it. */
__attribute__((noinline)) static int dig(const volatile char *above, int depth)
{
    volatile char frame[4000];
    frame[0] = above ? above[0] : 1;
    frame[3999] = (char)depth;
    return depth == 0 ? frame[0] : dig(frame, depth - 1) + frame[3999];
}

static int deep(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return text(ctx, response, rt_format(ctx, "%d", dig(NULL, 1 << 20)));
}

static int spin(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request, (void)response;
    trace(ctx, RT_GET(ctx, trace), "spin");
    while (getpid())
        usleep(1000);
    return 0;
}

static int start(rt_ctx *ctx)
{
    return trace(ctx, RT_GET(ctx, trace), "start");
}

static int stop(rt_ctx *ctx)
{
    return trace(ctx, RT_GET(ctx, trace), "stop");
}

RT_REGISTER(registry)
{
    static const struct {
        const char *path;
        rt_handler handler;
    } routes[] = {{"/who", who},
                  {"/fail", fail},
                  {"/slow/{ms}", slow},
                  {"/pid", pid},
                  {"/variable/{name}", variable},
                  {"/token", token},
                  {"/cores", cores},
                  {"/descriptors", descriptors},
                  {"/crash", crash},
                  {"/die", die},
                  {"/deep", deep},
                  {"/spin", spin}};
    rt_ctx *ctx = rt_registry_context(registry);
    RT_TRY(rt_on(registry, .start = start, .stop = stop));
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        RT_TRY(rt_route(registry, RT_GET,
                        rt_format(ctx, "%s%s", RT_GET(ctx, prefix), routes[i].path),
                        routes[i].handler));
    return 0;
}
