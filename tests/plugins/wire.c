/* Routes for tests of what is on the wire: bodies of any size, whole and in pieces, and waits. */
#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

RT_MODULE("wire", "1.0.0", "Answers with as much as it is asked for")
RT_SERVES(routes)

#define PIECE 16384

static int waiting, cancelled;

static unsigned long number(rt_ctx *ctx, const rt_request *request)
{
    rt_str text = rt_param(request, "n");
    return strtoul(rt_format(ctx, "%.*s", (int)text.length, text.data), NULL, 10);
}

static int say(rt_ctx *ctx, rt_response *response, const char *body)
{
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){body, strlen(body)});
}

static int hello(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return say(ctx, response, "hello\n");
}

static int echo(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    return rt_respond(ctx, response, 200, "application/octet-stream", request->body);
}

static int show(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str host = rt_request_header(request, "host"), cookie = rt_request_header(request, "cookie");
    return say(ctx, response,
               rt_format(ctx, "%.*s|%.*s|%.*s", (int)request->path.length, request->path.data,
                         (int)host.length, host.data ? host.data : "", (int)cookie.length,
                         cookie.data ? cookie.data : ""));
}

static int big(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    unsigned long size = number(ctx, request);
    char *body = rt_alloc(ctx, size + 1);
    for (unsigned long i = 0; i < size; i++)
        body[i] = (char)('a' + i % 26);
    RT_TRY(rt_respond_header(ctx, response, "X-Mixed-Case", "Kept As Is"));
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){body, size});
}

static int stream(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    char *piece = rt_alloc(ctx, PIECE);
    memset(piece, 's', PIECE);
    RT_TRY(rt_respond_begin(ctx, response, 200, "text/plain"));
    for (unsigned long left = number(ctx, request), size; left; left -= size) {
        size = left < PIECE ? left : PIECE;
        RT_TRY(rt_respond_write(ctx, response, (rt_str){piece, size}));
    }
    return 0;
}

static int mirror(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    char *piece = rt_alloc(ctx, PIECE);
    uint64_t got = 1;
    RT_TRY(rt_respond_begin(ctx, response, 200, "text/plain"));
    while (got) {
        RT_TRY(rt_body_read(ctx, request, piece, PIECE, &got));
        RT_TRY(rt_respond_write(ctx, response, (rt_str){piece, got}));
    }
    return 0;
}

static int count(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    char *piece = rt_alloc(ctx, PIECE);
    unsigned long total = 0;
    for (uint64_t got = 1; got; total += got)
        RT_TRY(rt_body_read(ctx, request, piece, PIECE, &got));
    return say(ctx, response, rt_format(ctx, "%lu", total));
}

/* Streams, and takes nothing of it. */
static int ignore(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return say(ctx, response, "ignored");
}

static int snap(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    RT_TRY(rt_respond_begin(ctx, response, 200, "text/plain"));
    RT_TRY(rt_respond_write(ctx, response, RT_STR("half")));
    return rt_fail(ctx, RT_EINTERNAL, "it snapped");
}

static int wait_for(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    waiting++;
    int result = rt_sleep(ctx, RT_MS(number(ctx, request)));
    waiting--;
    cancelled += result == -RT_ECANCELED;
    RT_TRY(result);
    return say(ctx, response, "waited");
}

static int pid(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return say(ctx, response, rt_format(ctx, "%d", (int)getpid()));
}

static int state(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return say(ctx, response, rt_format(ctx, "%d %d", waiting, cancelled));
}

static int pour(rt_ctx *ctx, void *response)
{
    char *piece = rt_alloc(ctx, PIECE);
    memset(piece, 'p', PIECE);
    for (;;)
        RT_TRY(rt_respond_write(ctx, response, (rt_str){piece, PIECE}));
}

/* Answers without end until the whole body is there. */
static int both(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    char byte;
    uint64_t got;
    RT_TRY(rt_respond_begin(ctx, response, 200, "text/plain"));
    rt_spawn(ctx, pour, response);
    do
        RT_TRY(rt_body_read(ctx, request, &byte, 1, &got));
    while (got);
    return rt_fail(ctx, RT_EINTERNAL, "the body was read to its end");
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/hello", hello));
    RT_TRY(rt_route(registry, RT_POST, "/echo", echo));
    RT_TRY(rt_route(registry, RT_GET, "/show/{n}", show));
    RT_TRY(rt_route(registry, RT_GET, "/big/{n}", big));
    RT_TRY(rt_route(registry, RT_GET, "/stream/{n}", stream));
    RT_TRY(rt_route(registry, RT_POST, "/mirror", mirror, .streams = 1, .max_body = 1 << 30));
    RT_TRY(rt_route(registry, RT_POST, "/count", count, .streams = 1, .max_body = 1 << 30,
                    .timeout = RT_S(100)));
    RT_TRY(rt_route(registry, RT_POST, "/little", count, .streams = 1, .max_body = 100000));
    RT_TRY(rt_route(registry, RT_POST, "/ignore", ignore, .streams = 1));
    RT_TRY(rt_route(registry, RT_POST, "/both", both, .streams = 1));
    RT_TRY(rt_route(registry, RT_GET, "/snap", snap));
    RT_TRY(rt_route(registry, RT_GET, "/wait/{n}", wait_for));
    RT_TRY(rt_route(registry, RT_GET, "/pid", pid));
    return rt_route(registry, RT_GET, "/state", state);
}
