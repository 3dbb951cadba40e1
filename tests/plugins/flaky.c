/* A provider that fails as it is told: a script of one letter for each call, the last one for good.
 * o: succeeds, u: UNAVAILABLE, n: NOT_FOUND, h: hangs, d: dies. */
#include "cap/source.h"

#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>

RT_MODULE("source-flaky", "1.0.0", "Answers as a script says")
RT_SERVES(routes)
RT_PROVIDES(source, 1, production, 10)
RT_OPTION(string, prefix, RT_DEFAULT(""), "What its paths begin with")

struct state {
    char script[64];
    size_t next;
    int64_t calls;
};

static char next_letter(struct state *state)
{
    char letter = state->script[state->next];
    state->next += letter && state->script[state->next + 1];
    state->calls++;
    return letter;
}

static int obey(rt_ctx *ctx)
{
    switch (next_letter(rt_state(ctx))) {
    case 'u':
        return rt_fail(ctx, RT_EUNAVAILABLE, "the spring is dry");
    case 'n':
        return rt_fail(ctx, RT_ENOT_FOUND, "no such spring");
    case 'h':
        return rt_sleep(ctx, RT_S(3600));
    case 'd':
        rt_die(ctx, "the spring has burst");
    default:
        return 0;
    }
}

static int fetch(rt_ctx *ctx, int64_t *answer)
{
    const struct state *state = rt_state(ctx);
    RT_TRY(obey(ctx));
    *answer = state->calls;
    return 0;
}

static int push(rt_ctx *ctx, int64_t number)
{
    (void)number;
    return obey(ctx);
}

static int set_script(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct state *state = rt_state(ctx);
    rt_str text = rt_param(request, "text");
    if (text.length >= sizeof state->script)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "a script that long cannot be kept");
    memset(state, 0, sizeof *state);
    memcpy(state->script, text.data, text.length);
    return rt_respond(ctx, response, 200, "text/plain", RT_STR("kept"));
}

static int count(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const struct state *state = rt_state(ctx);
    const char *text = rt_format(ctx, "%lld", (long long)state->calls);
    (void)request;
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

static int start(rt_ctx *ctx)
{
    void *state = calloc(1, sizeof(struct state));
    rt_set_state(ctx, state);
    return state ? 0 : rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no memory");
}

static int stop(rt_ctx *ctx)
{
    free(rt_state(ctx));
    rt_set_state(ctx, NULL);
    return 0;
}

RT_REGISTER(registry)
{
    rt_ctx *ctx = rt_registry_context(registry);
    const char *prefix = RT_GET(ctx, prefix);
    RT_TRY(rt_on(registry, .start = start, .stop = stop));
    RT_TRY(rt_provide(registry, source, .fetch = fetch, .push = push));
    RT_TRY(rt_route(registry, RT_GET, rt_format(ctx, "%s/script/{text}", prefix), set_script));
    return rt_route(registry, RT_GET, rt_format(ctx, "%s/calls", prefix), count);
}
