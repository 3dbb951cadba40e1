/* http_routes.h — the handlers that the tests of the server talk to */
#ifndef RT_TEST_HTTP_ROUTES_H
#define RT_TEST_HTTP_ROUTES_H

#include "harness.h"

#include "fiber/fiber.h"
#include "http/http.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BIG (8u << 20) /* bytes that /big answers */

static rt_instance instance = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof instance, .name = "test", .module = "test"};

static _Atomic int sleeping, cancelled;

static inline int hello(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return rt_host_respond(ctx, response, 200, "text/plain", "hello\n", 6);
}

static inline int echo(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    return rt_host_respond(ctx, response, 200, "application/octet-stream", request->body.data,
                           request->body.length);
}

static inline int show(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str id = rt_host_request_param(request, "id"), q = {0};
    rt_str host = rt_host_request_header(request, "hOST");
    CU_ASSERT_PTR_NULL(rt_host_request_param(request, "other").data);
    CU_ASSERT_PTR_NULL(rt_host_request_header(request, "Hos").data);
    int result = rt_host_request_query(ctx, request, "q", &q);
    if (result == -RT_EINVALID_ARGUMENT)
        return result;
    char *text = rt_host_format(ctx, "%.*s|%.*s|%.*s|%.*s", (int)request->path.length,
                                request->path.data, (int)id.length, id.data, (int)q.length,
                                q.data ? q.data : "", (int)host.length, host.data);
    return rt_host_respond(ctx, response, 200, "text/plain", text, strlen(text));
}

static inline int nap(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    RT_TRY(rt_host_sleep(ctx, RT_MS(30)));
    return rt_host_respond(ctx, response, 200, "text/plain", request->path.data,
                           request->path.length);
}

static inline int sleep_long(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request, (void)response;
    sleeping++;
    int result = rt_host_sleep(ctx, RT_S(60));
    sleeping--;
    cancelled += result == -RT_ECANCELED;
    return result;
}

static _Atomic int lingering;
static _Atomic bool let_go;

/* Answers once the test lets it go. */
static inline int held(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    sleeping++;
    int result = 0;
    while (!let_go && result == 0)
        result = rt_host_sleep(ctx, RT_MS(1));
    sleeping--;
    RT_TRY(result);
    return rt_host_respond(ctx, response, 200, "text/plain", "held", 4);
}

static inline void linger(rt_ctx *ctx, void *argument)
{
    (void)argument;
    while (!let_go && rt_host_sleep(ctx, RT_MS(1)) == 0)
        continue;
    lingering--;
}

/* Goes on after it was cancelled, until the test lets it go. */
static inline int stubborn(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    let_go = false;
    lingering++;
    rt_host_defer(ctx, linger, NULL);
    return sleep_long(ctx, request, response);
}

static inline int fail(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str code = rt_host_request_param(request, "code");
    CU_ASSERT_EQUAL(rt_host_response_header(ctx, response, "X-Lost", "1"), 0);
    rt_host_respond(ctx, response, 200, NULL, "lost", 4);
    return rt_host_fail(ctx, atoi(code.data), "the \"reason\"");
}

static inline int die(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request, (void)response;
    rt_host_die(ctx, "a secret");
    return 0;
}

static inline int silent(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)ctx, (void)request, (void)response;
    return 0;
}

static inline int big(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    char *body = rt_host_alloc(ctx, BIG);
    for (size_t i = 0; i < BIG; i++)
        body[i] = (char)('a' + i % 26);
    return rt_host_respond(ctx, response, 200, "text/plain", body, BIG);
}

static inline int strict(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    static const char *const wrong[][2] = {{"", "a"},
                                           {"a b", "c"},
                                           {"a:", "b"},
                                           {"a", "b\r\nc: d"},
                                           {"a", "b\n"},
                                           {"a", "\tb"},
                                           {"Date", "x"},
                                           {"content-length", "3"},
                                           {"Connection", "x"},
                                           {"Transfer-Encoding", "chunked"},
                                           {"X-Correlation-Id", "x"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CU_ASSERT_EQUAL(rt_host_response_header(ctx, response, wrong[i][0], wrong[i][1]),
                        -RT_EINVALID_ARGUMENT);
    const int bad = -RT_EINVALID_ARGUMENT;
    CU_ASSERT_EQUAL(rt_host_respond(ctx, response, 199, NULL, "", 0), bad);
    CU_ASSERT_EQUAL(rt_host_respond(ctx, response, 600, NULL, "", 0), bad);
    CU_ASSERT_EQUAL(rt_host_respond(ctx, response, 204, NULL, "x", 1), bad);
    CU_ASSERT_EQUAL(rt_host_respond(ctx, response, 200, "a\r\nb", "x", 1), bad);
    CU_ASSERT_EQUAL(rt_host_response_header(ctx, response, "Set-Cookie", "a=b"), 0);
    CU_ASSERT_EQUAL(rt_host_response_header(ctx, response, "Set-Cookie", "c=\xc3\xa9"), 0);
    CU_ASSERT_EQUAL(rt_host_respond(ctx, response, 299, NULL, "x", 1), 0);
    CU_ASSERT_EQUAL(rt_host_respond(ctx, response, 200, NULL, "y", 1), -RT_EFAILED_PRECONDITION);
    CU_ASSERT_EQUAL(rt_host_response_header(ctx, response, "a", "b"), -RT_EFAILED_PRECONDITION);
    return 0;
}

static inline void add_routes(rt_router *router)
{
    static const struct {
        uint32_t method;
        const char *pattern;
        rt_handler handler;
        rt_route_options options;
    } routes[] = {
        {RT_GET, "/hello", hello, {0}},
        {RT_POST, "/echo", echo, {0}},
        {RT_GET, "/items/{id}", show, {0}},
        {RT_GET, "/", show, {0}},
        {RT_GET, "/nap", nap, {0}},
        {RT_GET, "/sleep", sleep_long, {0}},
        {RT_GET, "/held", held, {0}},
        {RT_GET, "/stubborn", stubborn, {0}},
        {RT_GET, "/brief", sleep_long, {.size = sizeof(rt_route_options), .timeout = RT_MS(40)}},
        {RT_GET, "/fail/{code}", fail, {0}},
        {RT_GET, "/die", die, {0}},
        {RT_GET, "/silent", silent, {0}},
        {RT_GET, "/big", big, {0}},
        {RT_GET, "/strict", strict, {0}},
        {RT_POST, "/small", echo, {.size = sizeof(rt_route_options), .max_body = 4}},
    };
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        CU_ASSERT_EQUAL(rt_router_add(router, &instance, 0, routes[i].method, routes[i].pattern,
                                      routes[i].handler, &routes[i].options, NULL),
                        0);
}

#endif
