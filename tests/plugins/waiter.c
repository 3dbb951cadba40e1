/* Work that waits, each in a way of its own, and work that does not. */
#include <rt/rt.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

RT_MODULE("waiter", "1.0.0", "Waits in every way")
RT_SERVES(routes)
RT_OPTION(string, gate, RT_DEFAULT(""), "File that ends /block and /hold once it is there")
RT_OPTION(bool, late, RT_DEFAULT(false), "Wait for the file in start")

static bool is_open(void *argument)
{
    const char *gate = argument;
    return *gate && access(gate, F_OK) == 0;
}

static int pause_in_thread(void *argument)
{
    while (!is_open(argument))
        usleep(10000);
    return 0;
}

static int done(rt_ctx *ctx, rt_response *response)
{
    return rt_respond(ctx, response, 200, "text/plain", RT_STR("done"));
}

static int sleep_long(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    RT_TRY(rt_sleep(ctx, RT_S(600)));
    return done(ctx, response);
}

static int block(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    RT_TRY(rt_blocking(ctx, pause_in_thread, (void *)RT_GET(ctx, gate)));
    return done(ctx, response);
}

static int hold(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    pause_in_thread((void *)RT_GET(ctx, gate));
    return done(ctx, response);
}

static int look_once(void *argument)
{
    usleep(1000);
    is_open(argument);
    return 0;
}

/* Each kind of wait, and soon over. */
static int nap(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    RT_TRY(rt_sleep(ctx, RT_MS(20)));
    RT_TRY(rt_blocking(ctx, look_once, (void *)RT_GET(ctx, gate)));
    return done(ctx, response);
}

static int pid(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    const char *text = rt_format(ctx, "%d", (int)getpid());
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

static int doze(rt_ctx *ctx, void *argument)
{
    (void)argument;
    for (;;)
        RT_TRY(rt_sleep(ctx, RT_S(600)));
}

static int start(rt_ctx *ctx)
{
    RT_TRY(rt_service(ctx, "dozer", doze, NULL));
    while (RT_GET(ctx, late) && !is_open((void *)RT_GET(ctx, gate)))
        RT_TRY(rt_sleep(ctx, RT_MS(10)));
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = start));
    RT_TRY(rt_route(registry, RT_GET, "/sleep", sleep_long, .timeout = RT_S(700)));
    RT_TRY(rt_route(registry, RT_GET, "/block", block));
    RT_TRY(rt_route(registry, RT_GET, "/nap", nap));
    RT_TRY(rt_route(registry, RT_GET, "/hold", hold));
    RT_TRY(rt_route(registry, RT_GET, "/pid", pid));
    return 0;
}
