/* Takes any request of up to three segments, writes down what it saw, and answers it: what a test
 * compares with what a client sent and with what a proxy says that it forwarded. */
#include <fcntl.h>
#include <rt/rt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STREAMED 16384u      /* bytes of a body that is read as it comes */
#define SHOWN 256u           /* bytes of a body in an answer */
#define LARGE (512u * 1024u) /* what `/large` answers */

RT_MODULE("recorder", "1.0.0", "Writes down what requests it saw")
RT_SERVES(routes)
RT_OPTION(path, file, RT_WRITE, "File that has a line for each request")
RT_OPTION(bool, streams, RT_DEFAULT(false), "Read bodies as they come")

static unsigned sequence;

static const char *method_name(uint32_t method)
{
    static const char *const names[] = {
#define NAME(number_, name_) [number_] = #name_,
        RT_HTTP_METHODS(NAME)
#undef NAME
    };
    return method < sizeof names / sizeof names[0] && names[method] ? names[method] : "?";
}

/* A text without spaces and line ends, `-` for an empty one. */
static const char *hexadecimal(rt_ctx *ctx, rt_str text)
{
    static const char digits[] = "0123456789abcdef";
    char *out = rt_alloc(ctx, text.length * 2 + 1);
    for (uint64_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        out[i * 2] = digits[byte >> 4];
        out[i * 2 + 1] = digits[byte & 15];
    }
    out[text.length * 2] = '\0';
    return text.length ? out : "-";
}

/* FNV-1a of 64 bits. */
static uint64_t digest(rt_str text)
{
    uint64_t sum = 0xcbf29ce484222325u;
    for (uint64_t i = 0; i < text.length; i++)
        sum = (sum ^ (unsigned char)text.data[i]) * 0x100000001b3u;
    return sum;
}

/* sequence method path query host length digest content-length transfer-encoding */
static int record(rt_ctx *ctx, const rt_request *request, rt_str body, unsigned number)
{
    const char *line = rt_format(
        ctx, "%u %s %s %s %s %ju %016jx %s %s\n", number, method_name(request->method),
        hexadecimal(ctx, request->path), hexadecimal(ctx, request->query),
        hexadecimal(ctx, rt_request_header(request, "Host")), (uintmax_t)body.length,
        (uintmax_t)digest(body), hexadecimal(ctx, rt_request_header(request, "Content-Length")),
        hexadecimal(ctx, rt_request_header(request, "Transfer-Encoding")));
    int fd = open(RT_GET(ctx, file), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return rt_fail(ctx, RT_EINTERNAL, "the file of records does not open");
    ssize_t written = write(fd, line, strlen(line));
    close(fd);
    return written == (ssize_t)strlen(line) ? 0 : -RT_EINTERNAL;
}

/* METHOD path[?query] host body, or what the body begins with */
static rt_str view(rt_ctx *ctx, const rt_request *request, rt_str body)
{
    rt_str host = rt_request_header(request, "Host"), path = request->path, query = request->query;
    uint64_t shown = body.length < SHOWN ? body.length : SHOWN;
    const char *method = method_name(request->method);
    char *text = rt_alloc(ctx, 32 + path.length + query.length + host.length + shown);
    char *end = text;
#define ADD(data_, length_) end = (length_) ? (char *)memcpy(end, data_, length_) + (length_) : end
    ADD(method, strlen(method));
    ADD(" ", 1);
    ADD(path.data, path.length);
    ADD("?", query.data ? 1u : 0u);
    ADD(query.data, query.length);
    ADD(" ", 1);
    ADD(host.data, host.length);
    ADD(" ", 1);
    ADD(body.data, shown);
#undef ADD
    return (rt_str){text, (uint64_t)(end - text)};
}

static int read_body(rt_ctx *ctx, const rt_request *request, rt_str *body)
{
    char *text = rt_alloc(ctx, STREAMED);
    uint64_t length = 0, got = 1;
    while (got) {
        RT_TRY(rt_body_read(ctx, request, text + length, STREAMED - length, &got));
        length += got;
        if (length == STREAMED)
            return rt_fail(ctx, RT_EOUT_OF_RANGE, "the body is longer than this reads");
    }
    *body = (rt_str){text, length};
    return 0;
}

static int see(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str body = request->body;
    if (RT_GET(ctx, streams))
        RT_TRY(read_body(ctx, request, &body));
    unsigned number = ++sequence;
    if (RT_IS_SET(ctx, file))
        RT_TRY(record(ctx, request, body, number));
    RT_TRY(rt_respond_header(ctx, response, "X-Sequence", rt_format(ctx, "%u", number)));
    RT_TRY(rt_respond_header(ctx, response, "X-Worker", rt_format(ctx, "%d", (int)getpid())));
    return rt_respond(ctx, response, 200, "application/octet-stream", view(ctx, request, body));
}

static int large(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    char *text = rt_alloc(ctx, LARGE);
    memset(text, 'x', LARGE);
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){text, LARGE});
}

RT_REGISTER(registry)
{
    static const char *const patterns[] = {"/", "/{a}", "/{a}/{b}", "/{a}/{b}/{c}"};
    static const uint32_t methods[] = {RT_GET, RT_POST, RT_PUT, RT_DELETE, RT_OPTIONS, RT_PATCH};
    rt_ctx *ctx = rt_registry_context(registry);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        for (size_t m = 0; m < sizeof methods / sizeof methods[0]; m++)
            RT_TRY(
                rt_route(registry, methods[m], patterns[i], see, .streams = RT_GET(ctx, streams)));
    return rt_route(registry, RT_GET, "/large", large);
}
