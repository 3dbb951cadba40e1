/* Tells its secrets in every way that a module has to tell something, and the same thing again and
 * again. */
#include "probe.h"

#include <rt/rt.h>
#include <signal.h>
#include <stdlib.h>

RT_MODULE("gossip", "1.0.0", "Keeps nothing to itself")
RT_SERVES(routes)
RT_REQUIRES(probe, 1)
RT_OPTION(secret, password, RT_REQUIRED, "What nobody should see")
RT_OPTION(secret, token, , "Likewise")
RT_OPTION(secret, pin, , "Likewise")
RT_OPTION(string, backend, , "Where to ask, perhaps with a password")
RT_OPTION(enum, tells, RT_VALUES(asked, configure, start, health) RT_DEFAULT("asked"),
          "When it tells without being asked")

static const char *set(const char *value)
{
    return value ? value : "";
}

static const char *all(rt_ctx *ctx)
{
    return rt_format(ctx, "%s and %s and %s and %s", set(RT_GET(ctx, password)),
                     set(RT_GET(ctx, token)), set(RT_GET(ctx, pin)), set(RT_GET(ctx, backend)));
}

static int answer(rt_ctx *ctx, rt_response *response, const char *body)
{
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){body, strlen(body)});
}

/* --- ways to tell ---------------------------------------------------------------------------- */

static int log_it(rt_ctx *ctx, rt_response *response)
{
    rt_log(ctx, RT_LOG_INFO, "plain: %s", all(ctx));
    rt_log_with(ctx, RT_LOG_WARN, all(ctx), {"secret", all(ctx)}, {"number", NULL, 7});
    return answer(ctx, response, "logged");
}

static int log_in_thread(void *argument)
{
    rt_log(NULL, RT_LOG_WARN, "in a thread: %s", (const char *)argument);
    return 0;
}

static int tell_in_thread(rt_ctx *ctx, rt_response *response)
{
    RT_TRY(rt_blocking(ctx, log_in_thread, (void *)(uintptr_t)all(ctx)));
    return answer(ctx, response, "logged in a thread");
}

static int fail_with_it(rt_ctx *ctx, rt_response *response)
{
    (void)response;
    return rt_fail_with(ctx, &(rt_error){.size = sizeof(rt_error),
                                         .code = RT_EUNAVAILABLE,
                                         .message = all(ctx),
                                         .detail = all(ctx),
                                         .hint = all(ctx)});
}

static int refuse_with_it(rt_ctx *ctx, rt_response *response)
{
    (void)response;
    return rt_fail(ctx, RT_EINVALID_ARGUMENT, "not with %s", all(ctx));
}

static int fail_in_effect(rt_ctx *ctx, rt_response *response)
{
    (void)response;
    return rt_probe_fail(ctx, probe, all(ctx));
}

static int die_with_it(rt_ctx *ctx, rt_response *response)
{
    (void)response;
    rt_die(ctx, "it was %s", all(ctx));
}

static int log_much(rt_ctx *ctx, rt_response *response)
{
    rt_log_with(ctx, RT_LOG_INFO, "much", {"many.zeros", rt_format(ctx, "%0600000d", 7)});
    return answer(ctx, response, "logged much");
}

RT_COUNTER(tellings, "gossip.tellings", "{telling}", "Tellings")

static int count_it(rt_ctx *ctx, rt_response *response)
{
    rt_metric_add(ctx, &tellings, 1, {"secret", all(ctx)});
    return answer(ctx, response, "counted");
}

static int crash(rt_ctx *ctx, rt_response *response)
{
    (void)ctx, (void)response;
    return raise(SIGSEGV);
}

static int tell(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    static const struct {
        const char *way;
        int (*function)(rt_ctx *ctx, rt_response *response);
    } ways[] = {{"log", log_it},
                {"thread", tell_in_thread},
                {"error", fail_with_it},
                {"refusal", refuse_with_it},
                {"effect", fail_in_effect},
                {"defect", die_with_it},
                {"metric", count_it},
                {"crash", crash},
                {"much", log_much}};
    rt_str way = rt_param(request, "way");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strlen(ways[i].way) == way.length && memcmp(ways[i].way, way.data, way.length) == 0)
            return ways[i].function(ctx, response);
    return rt_fail(ctx, RT_ENOT_FOUND, "no such way");
}

/* Whatever it is given; what a client sends of the secret, in whatever form, is the secret too. */
static int repeat(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str text = {0}, times = {0};
    RT_TRY(rt_query(ctx, request, "text", &text));
    if (rt_query(ctx, request, "times", &times) == -RT_EINVALID_ARGUMENT)
        return -RT_EINVALID_ARGUMENT;
    unsigned long count =
        times.length ? strtoul(rt_format(ctx, "%.*s", (int)times.length, times.data), NULL, 10) : 1;
    for (unsigned long i = 0; i < count; i++)
        rt_log(ctx, RT_LOG_INFO, "%lu: %.*s", i, (int)text.length, text.data);
    return answer(ctx, response, "repeated");
}

/* --- without being asked --------------------------------------------------------------------- */

static bool tells(rt_ctx *ctx, const char *when)
{
    return strcmp(RT_GET(ctx, tells), when) == 0;
}

static int configure(rt_ctx *ctx)
{
    return tells(ctx, "configure") ? rt_fail(ctx, RT_EINVALID_ARGUMENT, "%s", all(ctx)) : 0;
}

static int start(rt_ctx *ctx)
{
    return tells(ctx, "start") ? rt_fail(ctx, RT_EUNAVAILABLE, "%s", all(ctx)) : 0;
}

static int health(rt_ctx *ctx, rt_health *health)
{
    return tells(ctx, "health") ? rt_degraded(ctx, health, "%s", all(ctx)) : 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/tell/{way}", tell));
    RT_TRY(rt_route(registry, RT_GET, "/repeat", repeat));
    return rt_on(registry, .configure = configure, .start = start, .health = health);
}
