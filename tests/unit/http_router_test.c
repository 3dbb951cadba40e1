#include "harness.h"

#include "http/router.h"

#include <stdlib.h>
#include <string.h>

static rt_instance one = {.magic = RT_INSTANCE_MAGIC, .size = sizeof one, .name = "one"};
static rt_instance two = {.magic = RT_INSTANCE_MAGIC, .size = sizeof two, .name = "two"};

static int handler(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)ctx, (void)request, (void)response;
    return 0;
}

static int add(rt_router *router, uint32_t method, const char *pattern)
{
    const char *conflict = NULL;
    return rt_router_add(router, &one, 0, method, pattern, handler, NULL, &conflict);
}

static rt_http_head head;
static uint32_t allowed;

static const rt_route *find(rt_router *router, const char *method, const char *path)
{
    char bytes[1024];
    rt_http_scan scan = {0};
    snprintf(bytes, sizeof bytes, "%s %s HTTP/1.1\r\nHost: a\r\n\r\n", method, path);
    CU_ASSERT_EQUAL(rt_http_parse_head(&head, &scan, bytes, strlen(bytes), 4096), RT_HTTP_DONE);
    return rt_router_find(router, &head, &allowed);
}

static const char *name(rt_router *router, const char *method, const char *path)
{
    const rt_route *route = find(router, method, path);
    return route ? route->name : "none";
}

static void literal_routes(void)
{
    rt_router *router = rt_router_new();
    CU_ASSERT_EQUAL(add(router, RT_GET, "/"), 0);
    CU_ASSERT_EQUAL(add(router, RT_GET, "/a"), 0);
    CU_ASSERT_EQUAL(add(router, RT_GET, "/a/b"), 0);
    CU_ASSERT_EQUAL(add(router, RT_GET, "/a b"), 0);
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/"), "GET /");
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/a"), "GET /a");
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/%61"), "GET /a");
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/a/b?x"), "GET /a/b");
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/a%20b"), "GET /a b");
    const char *const none[] = {"/b", "/a/", "/a//b", "//a", "/a/b/c", "/A", "/a%2Fb", "/aa"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        CU_ASSERT_STRING_EQUAL(name(router, "GET", none[i]), "none");
        CU_ASSERT_EQUAL(allowed, 0);
    }
    rt_router_free(router);
}

static void many_literals(void)
{
    rt_router *router = rt_router_new();
    char pattern[32];
    for (int i = 0; i < 500; i++) {
        snprintf(pattern, sizeof pattern, "/r%d", i * 7919 % 500);
        CU_ASSERT_EQUAL(add(router, RT_GET, pattern), 0);
    }
    for (int i = 0; i < 500; i++) {
        snprintf(pattern, sizeof pattern, "/r%d", i);
        CU_ASSERT_STRING_EQUAL(name(router, "GET", pattern) + 4, pattern);
    }
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/r500"), "none");
    rt_router_free(router);
}

static void parameters(void)
{
    rt_router *router = rt_router_new();
    CU_ASSERT_EQUAL(add(router, RT_GET, "/orders/{id}/items/{item}"), 0);
    const rt_route *route = find(router, "GET", "/orders/a%2Fb/items/%C3%A9");
    CU_ASSERT_PTR_NOT_NULL(route);
    if (route) {
        CU_ASSERT_EQUAL(route->parameter_count, 2);
        CU_ASSERT_STRING_EQUAL(route->parameters[0], "id");
        CU_ASSERT_STRING_EQUAL(route->parameters[1], "item");
        rt_str id = head.segments[route->parameter_segments[0]];
        CU_ASSERT_TRUE(id.length == 3 && !memcmp(id.data, "a/b", 3));
        rt_str item = head.segments[route->parameter_segments[1]];
        CU_ASSERT_TRUE(item.length == 2 && !memcmp(item.data, "\xc3\xa9", 2));
    }
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/orders//items/b"), "none");
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/orders/a/items/"), "none");
    rt_router_free(router);
}

static void literal_first(void)
{
    rt_router *router = rt_router_new();
    add(router, RT_GET, "/{x}");
    add(router, RT_GET, "/new");
    add(router, RT_GET, "/new/b");
    add(router, RT_GET, "/{x}/c");
    add(router, RT_POST, "/old");
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/new"), "GET /new");
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/newer"), "GET /{x}");
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/new/b"), "GET /new/b");
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/new/c"), "GET /{x}/c");
    CU_ASSERT_STRING_EQUAL(name(router, "GET", "/old"), "GET /{x}");
    CU_ASSERT_STRING_EQUAL(name(router, "POST", "/old"), "POST /old");
    rt_router_free(router);
}

static void methods(void)
{
    rt_router *router = rt_router_new();
    rt_buffer text = {0};
    add(router, RT_GET, "/a");
    add(router, RT_DELETE, "/a");
    add(router, RT_HEAD, "/b");
    add(router, RT_POST, "/{x}");
    CU_ASSERT_STRING_EQUAL(name(router, "HEAD", "/a"), "GET /a");
    CU_ASSERT_STRING_EQUAL(name(router, "HEAD", "/b"), "HEAD /b");
    CU_ASSERT_STRING_EQUAL(name(router, "PUT", "/a"), "none");
    rt_router_allow(allowed, &text);
    CU_ASSERT_STRING_EQUAL(text.data, "GET, HEAD, POST, DELETE, OPTIONS");
    text.length = 0;
    CU_ASSERT_STRING_EQUAL(name(router, "OPTIONS", "*"), "none");
    rt_router_allow(allowed, &text);
    CU_ASSERT_STRING_EQUAL(text.data, "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH");
    rt_buffer_free(&text);
    rt_router_free(router);
}

static void conflicts(void)
{
    rt_router *router = rt_router_new();
    const char *conflict = NULL;
    add(router, RT_GET, "/a/{x}");
    CU_ASSERT_EQUAL(rt_router_add(router, &two, 0, RT_GET, "/a/{y}", handler, NULL, &conflict),
                    -RT_EALREADY_EXISTS);
    CU_ASSERT_PTR_NOT_NULL(conflict);
    CU_ASSERT_STRING_EQUAL(conflict ? conflict : "", "one");
    CU_ASSERT_EQUAL(add(router, RT_POST, "/a/{y}"), 0);
    CU_ASSERT_EQUAL(add(router, RT_GET, "/a/x"), 0);
    rt_router_free(router);
}

static void malformed(void)
{
    static const char *const patterns[] = {
        "",       "a",         "/a//b",  "/{}",      "/{x",        "/x}",  "/a{x}",    "/{x}b",
        "/{a b}", "/{1a}",     "/{a-b}", "/{a}/{a}", "/a?b",       "/a#b", "/a%20b",   "/.",
        "/..",    "/a/../b",   "/a\nb",  "/{a.b}",   "/{a{b}}",    "//",   "/a/{x}/{", "*",
        "/{...}", "/{a...}/b", "/{a..}", "/{a....}", "/{a}/{a...}"};
    rt_router *router = rt_router_new();
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        CU_ASSERT_EQUAL(add(router, RT_GET, patterns[i]), -RT_EINVALID_ARGUMENT);
    char longest[2000];
    memset(longest, 'a', sizeof longest);
    longest[0] = '/', longest[1025] = 0;
    CU_ASSERT_EQUAL(add(router, RT_GET, longest), -RT_EINVALID_ARGUMENT);
    char deep[2 * RT_HTTP_SEGMENTS + 3] = "";
    for (int i = 0; i < RT_HTTP_SEGMENTS; i++)
        strcat(deep, "/a");
    CU_ASSERT_EQUAL(add(router, RT_GET, deep), 0);
    CU_ASSERT_STRING_EQUAL(name(router, "GET", deep) + 4, deep);
    strcat(deep, "/a");
    CU_ASSERT_EQUAL(add(router, RT_GET, deep), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(name(router, "GET", deep), "none");
    CU_ASSERT_EQUAL(add(router, 0, "/m"), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(add(router, 8, "/m"), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_router_add(router, &one, 0, RT_GET, NULL, handler, NULL, NULL),
                    -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_router_add(router, &one, 0, RT_GET, "/m", NULL, NULL, NULL),
                    -RT_EINVALID_ARGUMENT);
    rt_router_free(router);
}

static void rests(void)
{
    rt_router *router = rt_router_new();
    CU_ASSERT_EQUAL(add(router, RT_GET, "/files/{path...}"), 0);
    CU_ASSERT_EQUAL(add(router, RT_GET, "/files/{path...}"), -RT_EALREADY_EXISTS);
    CU_ASSERT_EQUAL(add(router, RT_PUT, "/files/own"), 0);
    CU_ASSERT_EQUAL(add(router, RT_GET, "/files/{name}"), 0);
    CU_ASSERT_EQUAL(add(router, RT_GET, "/files/{name}/about"), 0);
    static const char *const cases[][2] = {
        {"/files/", "GET /files/{path...}"},
        {"/files/a", "GET /files/{name}"},
        {"/files/own", "GET /files/{name}"},
        {"/files/a/about", "GET /files/{name}/about"},
        {"/files/a/other", "GET /files/{path...}"},
        {"/files/a/", "GET /files/{path...}"},
        {"/files//a", "GET /files/{path...}"},
        {"/files", "none"},
        {"/file/a", "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_STRING_EQUAL(name(router, "GET", cases[i][0]), cases[i][1]);
    CU_ASSERT_STRING_EQUAL(name(router, "DELETE", "/files/a/b"), "none");
    CU_ASSERT_EQUAL(allowed, 1u << RT_GET | 1u << RT_HEAD | 1u << RT_OPTIONS);
    rt_router_free(router);
}

RT_TEST_MAIN("http_router", {"literal patterns match their path alone", literal_routes},
             {"five hundred literals are told apart", many_literals},
             {"parameters are decoded segments that are not empty", parameters},
             {"a literal wins over a parameter and gives way where it leads nowhere",
              literal_first},
             {"HEAD falls back to GET and other methods are listed", methods},
             {"the same method and pattern twice names who has it", conflicts},
             {"`{name...}` takes what is left, after all else", rests},
             {"malformed patterns are refused", malformed})
