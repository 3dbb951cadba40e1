/* Counts what it is asked to, as an author would and as none should. */
#include <rt/rt.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

RT_MODULE("meter", "1.0.0", "Counts what it is asked to")
RT_SERVES(routes)

RT_COUNTER(added, "meter.added", "{thing}", "Things that were added")
RT_COUNTER(plain, "meter.plain", "", "Counted without labels")
RT_GAUGE(level, "meter.level", "1", "What it was set to")
RT_HISTOGRAM(sizes, "meter.sizes", "By", "Sizes that were told", 10, 100, 1000)
RT_HISTOGRAM(times, "meter.times", "s", "Times, in the usual buckets")
RT_GAUGE(clash, "meter.added", "{thing}", "The same name as something else")

static int64_t number(rt_ctx *ctx, const rt_request *request)
{
    rt_str text = rt_param(request, "number");
    return strtoll(rt_format(ctx, "%.*s", (int)text.length, text.data), NULL, 10);
}

static int answer(rt_ctx *ctx, rt_response *response)
{
    return rt_respond(ctx, response, 200, "text/plain", RT_STR("done"));
}

static int say_who(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    const char *text = rt_format(ctx, "%d", (int)getpid());
    rt_metric_add(ctx, &plain, 1);
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

static int add(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str kind = rt_param(request, "kind");
    const char *text = rt_format(ctx, "%.*s", (int)kind.length, kind.data);
    rt_metric_add(ctx, &added, number(ctx, request), {"kind", text}, {"digit", NULL, 7});
    return answer(ctx, response);
}

static int fill(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    for (int64_t i = 0, count = number(ctx, request); i < count; i++)
        rt_metric_add(ctx, &added, 1, {"id", NULL, i});
    return answer(ctx, response);
}

static int set(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_metric_set(ctx, &level, (double)number(ctx, request));
    rt_metric_add(ctx, &level, 1);
    return answer(ctx, response);
}

static int record(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_metric_record(ctx, &sizes, (double)number(ctx, request));
    rt_metric_record(ctx, &times, (double)number(ctx, request) / 1e3);
    return answer(ctx, response);
}

/* All of these are left out. */
static int misuse(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    rt_metric_add(ctx, &added, -5, {"kind", "negative"});
    rt_metric_set(ctx, &added, 5, {"kind", "set"});
    rt_metric_record(ctx, &plain, 5);
    rt_metric_add(ctx, &sizes, 5);
    rt_metric_set(ctx, &clash, 5);
    return answer(ctx, response);
}

static int count_aside(void *argument)
{
    rt_metric_add(argument, &plain, 1000);
    return 0;
}

static int aside(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    RT_TRY(rt_blocking(ctx, count_aside, ctx));
    return answer(ctx, response);
}

/* The descriptor of the pool, whose file is larger than any other. */
static int find_pool(void)
{
    struct stat status;
    for (int fd = 3; fd < 256; fd++)
        if (fstat(fd, &status) == 0 && status.st_size > (off_t)1 << 30)
            return fd;
    return -1;
}

static int scribble(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    static uint32_t noise[4096];
    int64_t seed = number(ctx, request);
    int fd = find_pool();
    if (fd < 0)
        return rt_fail(ctx, RT_ENOT_FOUND, "there is no pool of metrics");
    srandom((unsigned)seed);
    for (off_t at = 0; at < (off_t)24 << 20; at += (off_t)sizeof noise) {
        for (size_t i = 0; i < sizeof noise / sizeof noise[0]; i++)
            noise[i] = seed % 2 ? (uint32_t)random() : (uint32_t)(random() % 64 * 8);
        if (random() % 2 && pwrite(fd, noise, sizeof noise, at + random() % 512) < 0)
            return rt_fail(ctx, RT_EINTERNAL, "the pool cannot be written to");
    }
    return answer(ctx, response);
}

static int stream(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    RT_TRY(rt_sse_begin(ctx, request, response));
    RT_TRY(rt_sse_send(ctx, response, .data = RT_STR("first")));
    while (!rt_stream_ends(response))
        RT_TRY(rt_sleep(ctx, RT_MS(20)));
    return 0;
}

static int crash(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request, (void)response, (void)ctx;
    raise(SIGABRT);
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/who", say_who));
    RT_TRY(rt_route(registry, RT_GET, "/add/{kind}/{number}", add));
    RT_TRY(rt_route(registry, RT_GET, "/fill/{number}", fill));
    RT_TRY(rt_route(registry, RT_GET, "/set/{number}", set));
    RT_TRY(rt_route(registry, RT_GET, "/record/{number}", record));
    RT_TRY(rt_route(registry, RT_GET, "/misuse", misuse));
    RT_TRY(rt_route(registry, RT_GET, "/aside", aside));
    RT_TRY(rt_route(registry, RT_GET, "/scribble/{number}", scribble));
    RT_TRY(rt_route(registry, RT_GET, "/stream", stream));
    return rt_route(registry, RT_GET, "/crash", crash);
}
