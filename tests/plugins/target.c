/* Answers each request with its id, and keeps a journal of what began and what ended: its file
 * outlives the worker, so that who loses a request can tell how far it had come. */
#include <errno.h>
#include <fcntl.h>
#include <rt/rt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef LATER
#define LABEL "later"
#else
#define LABEL "first"
#endif

RT_MODULE("target", "1.0.0", "What load is sent to while something goes wrong")
RT_SERVES(routes)
RT_OPTION(path, journal, RT_WRITE, "File of what began and ended")

static void note(rt_ctx *ctx, char what, const rt_request *request)
{
    char line[80];
    rt_str id = rt_param(request, "id");
    int length = snprintf(line, sizeof line, "%c %.*s %d\n", what,
                          (int)(id.length < 40 ? id.length : 40), id.data, (int)getpid());
    if (rt_state(ctx) && write((int)(intptr_t)rt_state(ctx), line, (size_t)length) != length)
        rt_log(ctx, RT_LOG_WARN, "the journal was not written: %s", strerror(errno));
}

static uint64_t number(rt_ctx *ctx, const rt_request *request, const char *name)
{
    rt_str text = rt_param(request, name);
    return strtoull(rt_format(ctx, "%.*s", (int)text.length, text.data), NULL, 10);
}

/* "ID PID LABEL BYTES": who answered, and how much of a body came with the request. */
static int answer(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str id = rt_param(request, "id");
    const char *text = rt_format(ctx, "%.*s %d " LABEL " %ju", (int)id.length, id.data,
                                 (int)getpid(), (uintmax_t)request->body.length);
    note(ctx, 'e', request);
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

static int work(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    uint64_t wait = number(ctx, request, "ms");
    note(ctx, 'b', request);
    if (wait)
        RT_TRY(rt_sleep(ctx, RT_MS(wait)));
    return answer(ctx, request, response);
}

static int crash(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)response;
    note(ctx, 'b', request);
    return raise(SIGSEGV);
}

/* In small pieces, until there is none. */
static void take_all(void)
{
    volatile char *piece;
    for (size_t size = 1 << 20; size >= 32; size /= 2)
        while ((piece = malloc(size)))
            piece[0] = 1;
}

/* Takes memory, which the worker has no more until it ends; 0: all that it could get. */
static int eat(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    size_t size = (size_t)number(ctx, request, "mb") << 20;
    note(ctx, 'b', request);
    if (!size)
        take_all();
    char *memory = malloc(size);
    if (!memory)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no memory");
    for (volatile char *page = memory; page < memory + size; page += 4096)
        *page = 1;
    return answer(ctx, request, response);
}

static int start(rt_ctx *ctx)
{
    const char *path = RT_GET(ctx, journal);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : 0;
    if (fd < 0)
        return rt_fail(ctx, RT_EUNAVAILABLE, "cannot open `%s`: %s", path, strerror(errno));
    rt_set_state(ctx, (void *)(intptr_t)fd);
    return 0;
}

static int stop(rt_ctx *ctx)
{
    if (rt_state(ctx))
        close((int)(intptr_t)rt_state(ctx));
    return 0;
}

RT_REGISTER(registry)
{
    static const struct {
        uint32_t method;
        const char *path;
        rt_handler handler;
    } routes[] = {{RT_GET, "/work/{id}/{ms}", work},
                  {RT_POST, "/work/{id}/{ms}", work},
                  {RT_GET, "/crash/{id}", crash},
                  {RT_GET, "/eat/{id}/{mb}", eat}};
    RT_TRY(rt_on(registry, .start = start, .stop = stop));
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        RT_TRY(rt_route(registry, routes[i].method, routes[i].path, routes[i].handler));
    return 0;
}
