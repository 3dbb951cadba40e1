/* Is as healthy as a route, or a setting, says. */
#include "trace.h"

#include <rt/rt.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef PROVIDER /* serves no routes: it is there for others */
#include "probe.h"
RT_MODULE("moody-provider", "1.0.0", "Is as healthy as its setting says")
RT_PROVIDES(probe, 1, production, 100)
#else
RT_MODULE("moody", "1.0.0", "Is as healthy as it is told to be")
RT_SERVES(routes)
#endif
RT_OPTION(string, mood, RT_DEFAULT("healthy"), "How it is at first")
RT_OPTION(string, prefix, RT_DEFAULT(""), "What its paths begin with")
RT_OPTION(duration, start_takes, RT_DEFAULT("0 s"), "For how long its start waits")
RT_OPTION(duration, stop_takes, RT_DEFAULT("0 s"), "For how long its stop waits")
RT_OPTION(path, trace, RT_WRITE, "File that tells how often it was asked")

struct state {
    char mood[80];
    int asked, at_once;
};

static int be_healthy(rt_ctx *ctx, rt_health *health)
{
    (void)ctx, (void)health;
    return 0;
}

static int be_degraded(rt_ctx *ctx, rt_health *health)
{
    return rt_degraded(ctx, health, "1 of %d \"connections\"\n", 2);
}

static int be_unhealthy(rt_ctx *ctx, rt_health *health)
{
    return rt_unhealthy(ctx, health, "no connection");
}

static int be_odd(rt_ctx *ctx, rt_health *health)
{
    (void)ctx;
    health->status = 77;
    return 0;
}

static int fail(rt_ctx *ctx, rt_health *health)
{
    (void)health;
    return rt_fail(ctx, RT_EUNAVAILABLE, "the cable of `%s` is cut", ctx->instance->name);
}

static int fail_silently(rt_ctx *ctx, rt_health *health)
{
    (void)ctx, (void)health;
    return -RT_EDATA_LOSS;
}

static int hang(rt_ctx *ctx, rt_health *health)
{
    (void)health;
    return rt_sleep(ctx, RT_S(3600));
}

static int sleep_a_while(void *argument)
{
    (void)argument;
    usleep(700000);
    return 0;
}

/* Its deadline cannot end it. */
static int block(rt_ctx *ctx, rt_health *health)
{
    (void)health;
    return rt_blocking(ctx, sleep_a_while, NULL);
}

static int die(rt_ctx *ctx, rt_health *health)
{
    (void)health;
    rt_die(ctx, "an invariant is broken");
}

static int crash(rt_ctx *ctx, rt_health *health)
{
    (void)ctx, (void)health;
    return raise(SIGSEGV);
}

static int spin(rt_ctx *ctx, rt_health *health)
{
    (void)ctx, (void)health;
    while (getpid())
        usleep(1000);
    return 0;
}

static int boast(rt_ctx *ctx, rt_health *health)
{
    return rt_degraded(ctx, health, "%.*s", 4000, rt_format(ctx, "%04000d", 7));
}

static const struct {
    const char *name;
    int (*function)(rt_ctx *ctx, rt_health *health);
} moods[] = {{"healthy", be_healthy}, {"degraded", be_degraded}, {"unhealthy", be_unhealthy},
             {"odd", be_odd},         {"failing", fail},         {"silent", fail_silently},
             {"hanging", hang},       {"blocking", block},       {"defect", die},
             {"crash", crash},        {"spinning", spin},        {"boasting", boast}};

static int find(rt_ctx *ctx, rt_health *health, const char *mood)
{
    for (size_t i = 0; i < sizeof moods / sizeof moods[0]; i++)
        if (strcmp(moods[i].name, mood) == 0)
            return moods[i].function(ctx, health);
    return rt_fail(ctx, RT_EINVALID_ARGUMENT, "no mood `%s`", mood);
}

static void leave(rt_ctx *ctx, void *argument)
{
    struct state *state = argument;
    (void)ctx;
    state->at_once--;
}

static int health(rt_ctx *ctx, rt_health *health)
{
    struct state *state = rt_state(ctx);
    trace(ctx, RT_GET(ctx, trace), ++state->at_once > 1 ? "asked twice at once" : "asked");
    state->asked++;
    RT_TRY(rt_defer(ctx, leave, state));
    return find(ctx, health, state->mood);
}

static int set_mood(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct state *state = rt_state(ctx);
    rt_str mood = rt_param(request, "mood");
    const char *text = rt_format(ctx, "%.*s", (int)mood.length, mood.data);
    if (mood.length >= sizeof state->mood)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "no such mood");
    memcpy(state->mood, text, mood.length + 1);
    text = rt_format(ctx, "%d", (int)getpid());
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

static int wait_a_while(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    trace(ctx, RT_GET(ctx, trace), "request");
    RT_TRY(rt_sleep(ctx, RT_S(3600)));
    return rt_respond(ctx, response, 200, "text/plain", RT_STR("waited"));
}

static int hold_the_loop(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)response, (void)request;
    trace(ctx, RT_GET(ctx, trace), rt_format(ctx, "spin %d", (int)getpid()));
    return spin(ctx, NULL);
}

static void free_state(rt_ctx *ctx)
{
    free(rt_state(ctx));
    rt_set_state(ctx, NULL);
}

static int start(rt_ctx *ctx)
{
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no memory");
    strncpy(state->mood, RT_GET(ctx, mood), sizeof state->mood - 1);
    rt_set_state(ctx, state);
    trace(ctx, RT_GET(ctx, trace), "starting");
    int result = rt_sleep(ctx, (uint64_t)RT_GET(ctx, start_takes));
    if (result < 0)
        free_state(ctx);
    return result;
}

static int stop(rt_ctx *ctx)
{
    const struct state *state = rt_state(ctx);
    trace(ctx, RT_GET(ctx, trace), state->at_once ? "stopping while asked" : "stopping");
    int result = rt_sleep(ctx, (uint64_t)RT_GET(ctx, stop_takes));
    free_state(ctx);
    return result;
}

RT_REGISTER(registry)
{
    rt_ctx *ctx = rt_registry_context(registry);
    const char *prefix = RT_GET(ctx, prefix);
    RT_TRY(rt_on(registry, .start = start, .stop = stop, .health = health));
#ifdef PROVIDER
    RT_TRY(rt_provide(registry, probe));
    return 0;
#endif
    RT_TRY(rt_route(registry, RT_GET, rt_format(ctx, "%s/mood/{mood}", prefix), set_mood));
    RT_TRY(rt_route(registry, RT_GET, rt_format(ctx, "%s/wait", prefix), wait_a_while));
    return rt_route(registry, RT_GET, rt_format(ctx, "%s/spin", prefix), hold_the_loop);
}
