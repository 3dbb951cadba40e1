/* Routes that show what the host makes of requests and answers. */
#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>

RT_MODULE("mirror", "1.0.0", "Shows requests and answers to the tests")
RT_SERVES(routes)

#define TEXT(text) ((rt_str){text, __builtin_strlen(text)})

static int origin(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const char *text =
        rt_format(ctx, "%.*s|%.*s|%.*s", (int)request->peer.length, request->peer.data,
                  (int)request->scheme.length, request->scheme.data, (int)request->authority.length,
                  request->authority.data);
    return rt_respond(ctx, response, 200, "text/plain", TEXT(text));
}

static uint64_t number(rt_ctx *ctx, rt_str digits)
{
    return strtoull(rt_format(ctx, "%.*s", (int)digits.length, digits.data), NULL, 10);
}

/* Sets the header that the query names, and gives the type that it names. */
static const char *obey(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str type, name, value;
    if (rt_query(ctx, request, "name", &name) == 0 && rt_query(ctx, request, "value", &value) == 0)
        rt_respond_header(ctx, response, rt_format(ctx, "%.*s", (int)name.length, name.data),
                          rt_format(ctx, "%.*s", (int)value.length, value.data));
    if (rt_query(ctx, request, "type", &type))
        return "text/plain";
    return rt_format(ctx, "%.*s", (int)type.length, type.data);
}

static char *lines(rt_ctx *ctx, uint64_t size)
{
    const uint64_t distinct = 1 << 17;
    char *text = rt_alloc(ctx, size + distinct);
    for (uint64_t at = 0; at < size && at < distinct; at += 16)
        __builtin_snprintf(text + at, 32, "line %9llu\n\n", (unsigned long long)at);
    for (uint64_t at = distinct; at < size; at += distinct)
        memcpy(text + at, text, distinct);
    return text;
}

static int show(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    uint64_t size = number(ctx, rt_param(request, "size"));
    const char *type = obey(ctx, request, response);
    rt_str status;
    bool other = rt_query(ctx, request, "status", &status) == 0;
    return rt_respond(ctx, response, other ? (uint32_t)number(ctx, status) : 200, type,
                      (rt_str){lines(ctx, size), size});
}

/* Pieces of a streamed answer, each after a hundredth of a second. */
static int stream(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    uint64_t pieces = number(ctx, rt_param(request, "pieces"));
    RT_TRY(rt_respond_begin(ctx, response, 200, obey(ctx, request, response)));
    for (uint64_t i = 0; i < pieces; i++) {
        const char *piece = rt_format(ctx, "piece %llu\n", (unsigned long long)i);
        RT_TRY(rt_respond_write(ctx, response, TEXT(piece)));
        RT_TRY(rt_sleep(ctx, RT_MS(10)));
    }
    return 0;
}

static int echo(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    return rt_respond(ctx, response, 200, "application/octet-stream", request->body);
}

/* How many bytes came, undecoded. */
static int count(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    char buffer[1024];
    uint64_t got = 0, all = 0;
    do {
        RT_TRY(rt_body_read(ctx, request, buffer, sizeof buffer, &got));
        all += got;
    } while (got);
    const char *text = rt_format(ctx, "%llu", (unsigned long long)all);
    return rt_respond(ctx, response, 200, "text/plain", TEXT(text));
}

static int fail(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    rt_respond_header(ctx, response, "X-Lost", "yes");
    return rt_fail(ctx, RT_ENOT_FOUND, "nothing is here");
}

static int nap(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request, (void)response;
    return rt_sleep(ctx, RT_S(60));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/origin", origin));
    RT_TRY(rt_route(registry, RT_GET, "/show/{size}", show));
    RT_TRY(rt_route(registry, RT_GET, "/secret/{size}", show, .uncompressed = 1));
    RT_TRY(rt_route(registry, RT_GET, "/stream/{pieces}", stream));
    RT_TRY(rt_route(registry, RT_POST, "/echo", echo));
    RT_TRY(rt_route(registry, RT_POST, "/count", count, .streams = 1));
    RT_TRY(rt_route(registry, RT_GET, "/fail", fail));
    return rt_route(registry, RT_GET, "/nap", nap);
}
