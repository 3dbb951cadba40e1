/* Everything that streams, for tests that come over a real connection. */
#include <rt/rt.h>
#include <string.h>

RT_MODULE("streams", "1.0.0", "Streams for the tests")
RT_SERVES(routes)
RT_OPTION(path, folder, RT_REQUIRED, "Files to serve")

/* Counts a body and sums its bytes; an X-Sum trailer must agree. */
static int count(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    unsigned char piece[4096];
    uint64_t total = 0, sum = 0, got;
    do {
        RT_TRY(rt_body_read(ctx, request, piece, sizeof piece, &got));
        for (uint64_t i = 0; i < got; i++)
            sum += piece[i];
        total += got;
    } while (got);
    rt_str trailer = rt_request_trailer(ctx, request, "X-Sum");
    char *text = rt_format(ctx, "%llu %llu %.*s", (unsigned long long)total,
                           (unsigned long long)sum, (int)trailer.length, trailer.data);
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, strlen(text)});
}

static int mirror(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    char piece[4096];
    uint64_t got;
    RT_TRY(rt_respond_trailer(ctx, response, "X-End", NULL));
    RT_TRY(rt_respond_begin(ctx, response, 200, "application/octet-stream"));
    do {
        RT_TRY(rt_body_read(ctx, request, piece, sizeof piece, &got));
        RT_TRY(rt_respond_write(ctx, response, (rt_str){piece, got}));
    } while (got);
    return rt_respond_trailer(ctx, response, "X-End", "reached");
}

/* As much as no socket takes, by one call. */
static int lump(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const uint64_t size = 64 << 20;
    (void)request;
    RT_TRY(rt_respond_begin(ctx, response, 200, "application/octet-stream"));
    return rt_respond_write(ctx, response, (rt_str){rt_alloc(ctx, size), size});
}

static int file(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    return rt_respond_file_within(ctx, request, response, RT_GET(ctx, folder),
                                  rt_param(request, "path"), NULL);
}

static void hang_up(void *channel)
{
    rt_channel_close(channel);
}

static void free_channel(rt_ctx *ctx, void *channel)
{
    (void)ctx;
    rt_channel_free(channel);
}

/* Three events after the one the client has seen, then waits for news that never come. */
static int events(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_channel *news = rt_channel_new(1);
    rt_str last = rt_sse_last_id(request);
    char next = last.length == 1 ? (char)(last.data[0] + 1) : '1';
    void *item;
    RT_TRY(rt_defer(ctx, free_channel, news));
    RT_TRY(rt_sse_begin(ctx, request, response));
    RT_TRY(rt_stream_on_end(ctx, response, hang_up, news));
    for (int i = 0; i < 3; i++, next++)
        RT_TRY(rt_sse_send(ctx, response, .id = {&next, 1}, .data = RT_STR("tick")));
    return rt_channel_receive(ctx, news, &item) == -RT_EOUT_OF_RANGE ? 0 : -RT_ECANCELED;
}

static int echo(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_websocket *socket;
    rt_websocket_message message;
    int result;
    RT_TRY(rt_websocket_accept(ctx, request, response, &socket, .subprotocols = "echo"));
    while ((result = rt_websocket_receive(ctx, socket, &message)) > 0)
        RT_TRY(rt_websocket_send(ctx, socket, message.type, message.data));
    return result;
}

static int die(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_websocket *socket;
    RT_TRY(rt_websocket_accept(ctx, request, response, &socket));
    rt_die(ctx, "an invariant is broken");
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_POST, "/count", count, .streams = 1, .max_body = 256u << 20,
                    .timeout = RT_S(120)));
    RT_TRY(rt_route(registry, RT_POST, "/mirror", mirror, .streams = 1, .max_body = 256u << 20,
                    .timeout = RT_S(120)));
    RT_TRY(rt_route(registry, RT_GET, "/lump", lump));
    RT_TRY(rt_route(registry, RT_GET, "/files/{path...}", file));
    RT_TRY(rt_route(registry, RT_GET, "/events", events));
    RT_TRY(rt_route(registry, RT_GET, "/echo", echo));
    return rt_route(registry, RT_GET, "/die", die);
}
