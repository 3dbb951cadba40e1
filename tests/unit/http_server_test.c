#include "harness.h"

#include "http/internal.h"
#include "telemetry/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 5000
#define BIG (8u << 20)

static rt_instance instance = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof instance, .name = "test", .module = "test"};

/* --- routes ---------------------------------------------------------------------------------- */

static _Atomic int sleeping, cancelled;

static int hello(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return rt_host_respond(ctx, response, 200, "text/plain", "hello\n", 6);
}

static int echo(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    return rt_host_respond(ctx, response, 200, "application/octet-stream", request->body.data,
                           request->body.length);
}

static int show(rt_ctx *ctx, const rt_request *request, rt_response *response)
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

static int nap(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    RT_TRY(rt_host_sleep(ctx, RT_MS(30)));
    return rt_host_respond(ctx, response, 200, "text/plain", request->path.data,
                           request->path.length);
}

static int sleep_long(rt_ctx *ctx, const rt_request *request, rt_response *response)
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

static void linger(rt_ctx *ctx, void *argument)
{
    (void)argument;
    while (!let_go && rt_host_sleep(ctx, RT_MS(1)) == 0)
        continue;
    lingering--;
}

/* Goes on after it was cancelled, until the test lets it go. */
static int stubborn(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    let_go = false;
    lingering++;
    rt_host_defer(ctx, linger, NULL);
    return sleep_long(ctx, request, response);
}

static int fail(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str code = rt_host_request_param(request, "code");
    CU_ASSERT_EQUAL(rt_host_response_header(ctx, response, "X-Lost", "1"), 0);
    rt_host_respond(ctx, response, 200, NULL, "lost", 4);
    return rt_host_fail(ctx, atoi(code.data), "the \"reason\"");
}

static int die(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request, (void)response;
    rt_host_die(ctx, "a secret");
    return 0;
}

static int silent(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)ctx, (void)request, (void)response;
    return 0;
}

static int big(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    char *body = rt_host_alloc(ctx, BIG);
    for (size_t i = 0; i < BIG; i++)
        body[i] = (char)('a' + i % 26);
    return rt_host_respond(ctx, response, 200, "text/plain", body, BIG);
}

static int strict(rt_ctx *ctx, const rt_request *request, rt_response *response)
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

static void add_routes(rt_router *router)
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

/* --- a server on the main thread, a client on another ---------------------------------------- */

enum command { DRAIN, RETIRE, INTERRUPT };

static rt_http_server *server;
static uint16_t port;
static uv_async_t async;
static _Atomic unsigned commands; /* bits */
static _Atomic bool drained;
static void (*client)(void);

static void on_drained(void *argument)
{
    (void)argument;
    drained = true;
    uv_close((uv_handle_t *)&async, NULL);
    rt_loop_stop();
}

static void on_command(uv_async_t *handle)
{
    (void)handle;
    unsigned given = atomic_exchange(&commands, 0);
    if (given & 1u << DRAIN)
        rt_http_drain(server, on_drained, NULL);
    if (given & 1u << RETIRE)
        rt_http_retire(server, on_drained, NULL);
    if (given & 1u << INTERRUPT)
        rt_http_interrupt(server);
}

static void command(enum command which)
{
    commands |= 1u << which;
    uv_async_send(&async);
}

static bool retired; /* the client has told the server to stop */

static void *run_client(void *argument)
{
    (void)argument;
    retired = false;
    client();
    if (!retired)
        command(DRAIN);
    return NULL;
}

static int listen_somewhere(void)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    for (port = (uint16_t)(20000 + getpid() % 10000); port < 32768; port++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                      .sin_port = htons(port)};
        if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 64) == 0)
            return fd;
    }
    abort();
}

static void serve(rt_http_options options, void (*with)(void))
{
    rt_router *router = rt_router_new();
    pthread_t thread;
    rt_log_open(&(rt_log_options){.level = "fatal", .format = "pretty"});
    CU_ASSERT_EQUAL(rt_loop_open(&(rt_loop_options){0}), 0);
    add_routes(router);
    int fd = listen_somewhere();
    server = rt_http_open(&options, router);
    CU_ASSERT_EQUAL(rt_http_listen(server, fd), 0);
    uv_async_init(rt_loop_uv(), &async, on_command);
    client = with;
    drained = false;
    pthread_create(&thread, NULL, run_client, NULL);
    rt_loop_run();
    pthread_join(thread, NULL);
    CU_ASSERT_TRUE(drained);
    CU_ASSERT_EQUAL(rt_unit_count(), 0);
    rt_http_close(server);
    rt_router_free(router);
    close(fd);
    rt_loop_close();
}

/* --- what a client does ---------------------------------------------------------------------- */

static int dial(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {PATIENCE_MS / 1000, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void tell(int fd, const char *text)
{
    size_t length = strlen(text);
    CU_ASSERT_EQUAL(send(fd, text, length, MSG_NOSIGNAL), (ssize_t)length);
}

static char reply[65536];

/* One answer, by its Content-Length; its status, or 0 when the connection ended first. */
static int hear_answer(int fd, bool body)
{
    size_t length = 0;
    char *end = NULL;
    reply[0] = 0;
    while (!(end = strstr(reply, "\r\n\r\n"))) {
        if (length + 1 >= sizeof reply || recv(fd, reply + length, 1, 0) != 1)
            return 0;
        reply[++length] = 0;
    }
    const char *field = strstr(reply, "Content-Length: ");
    size_t rest = field && body ? strtoul(field + 16, NULL, 10) : 0;
    if (rest && (length + rest >= sizeof reply ||
                 recv(fd, reply + length, rest, MSG_WAITALL) != (ssize_t)rest))
        return 0;
    reply[length + rest] = 0;
    return atoi(reply + 9);
}

static int hear(int fd)
{
    return hear_answer(fd, true);
}

static bool said(const char *text)
{
    if (strstr(reply, text))
        return true;
    printf("\n    no `%s` in `%s`\n", text, reply);
    return false;
}

/* The peer has ended the connection in order, not by a reset. */
static bool ended(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) == 0;
}

#define HOST "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

static bool reaches(_Atomic int *number, int value)
{
    for (int i = 0; i < PATIENCE_MS && *number != value; i++)
        poll(NULL, 0, 1);
    return *number == value;
}

/* --- tests ----------------------------------------------------------------------------------- */

static void keep_alive_client(void)
{
    int fd = dial();
    for (int i = 0; i < 3; i++) {
        tell(fd, GET("/hello"));
        CU_ASSERT_EQUAL(hear(fd), 200);
        CU_ASSERT_TRUE(said("Content-Type: text/plain\r\n"));
        CU_ASSERT_TRUE(said("Date: "));
        CU_ASSERT_TRUE(said("\r\n\r\nhello\n"));
        CU_ASSERT_PTR_NULL(strstr(reply, "Connection"));
    }
    tell(fd, "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("Connection: close\r\n"));
    CU_ASSERT_TRUE(ended(fd));
    close(fd);
    fd = dial();
    tell(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(ended(fd));
    close(fd);
}

static void keep_alive(void)
{
    serve((rt_http_options){0}, keep_alive_client);
}

static void pipelining_client(void)
{
    int fd = dial();
    tell(fd, GET("/items/1") GET("/nap") GET("/items/2") GET("/nap") GET("/items/3"));
    static const char *const bodies[] = {"/items/1|", "/nap", "/items/2|", "/nap", "/items/3|"};
    for (size_t i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(hear(fd), 200);
        CU_ASSERT_TRUE(said(bodies[i]));
    }
    rt_buffer many = {0};
    for (int i = 0; i < 2000; i++)
        rt_buffer_text(&many, i % 500 ? GET("/hello") : GET("/nap"));
    tell(fd, many.data);
    int good = 0;
    for (int i = 0; i < 2000; i++)
        good += hear(fd) == 200;
    CU_ASSERT_EQUAL(good, 2000);
    rt_buffer_free(&many);
    close(fd);
}

static void pipelining(void)
{
    serve((rt_http_options){0}, pipelining_client);
}

static void pieces_client(void)
{
    static const char text[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2\r\nde\r\n1\r\nf\r\n0\r\n\r\n" GET("/hello");
    int fd = dial();
    for (size_t i = 0; i < sizeof text - 1; i++) {
        CU_ASSERT_EQUAL(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        if (i % 3 == 0)
            poll(NULL, 0, 1);
    }
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("\r\n\r\nabc"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("\r\n\r\ndef"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    close(fd);
}

static void pieces(void)
{
    serve((rt_http_options){0}, pieces_client);
}

static void refusals_client(void)
{
    static char long_target[9000], large_header[20000];
    snprintf(long_target, sizeof long_target, "GET /%08400d HTTP/1.1\r\n", 1);
    snprintf(large_header, sizeof large_header, "GET / HTTP/1.1\r\nHost: a\r\nA: %018000d\r\n\r\n",
             1);
    const struct {
        const char *text;
        int status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\nHost: a\n\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
         "chunked\r\n\r\n",
         400},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400},
        {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\nx", 413},
        {"POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde", 413},
        {"POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
         413},
        {"GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", 417},
        {long_target, 414},
        {large_header, 431},
        {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int fd = dial();
        tell(fd, cases[i].text);
        CU_ASSERT_EQUAL(hear(fd), cases[i].status);
        CU_ASSERT_TRUE(said("application/problem+json"));
        CU_ASSERT_TRUE(said("Connection: close\r\n"));
        CU_ASSERT_TRUE(said("X-Correlation-Id: "));
        CU_ASSERT_TRUE(ended(fd));
        close(fd);
    }
}

static void refusals(void)
{
    serve((rt_http_options){0}, refusals_client);
}

static void methods_client(void)
{
    int fd = dial();
    tell(fd, "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n" GET("/silent"));
    CU_ASSERT_EQUAL(hear_answer(fd, false), 200);
    CU_ASSERT_TRUE(said("Content-Length: 6\r\n"));
    CU_ASSERT_EQUAL(hear(fd), 204);
    CU_ASSERT_PTR_NULL(strstr(reply, "Content-Length"));
    tell(fd, "OPTIONS /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_EQUAL(hear(fd), 204);
    CU_ASSERT_TRUE(said("Allow: GET, HEAD, OPTIONS\r\n"));
    tell(fd, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_EQUAL(hear(fd), 204);
    tell(fd, "DELETE /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_EQUAL(hear(fd), 405);
    CU_ASSERT_TRUE(said("Allow: GET, HEAD, OPTIONS\r\n"));
    tell(fd, "HEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    CU_ASSERT_EQUAL(hear_answer(fd, false), 404);
    tell(fd, "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" GET("/hello/"));
    CU_ASSERT_EQUAL(hear(fd), 404);
    CU_ASSERT_TRUE(said("\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404"));
    CU_ASSERT_TRUE(said("\"code\":\"NOT_FOUND\""));
    CU_ASSERT_EQUAL(hear(fd), 404);
    close(fd);
}

static void methods(void)
{
    serve((rt_http_options){0}, methods_client);
}

static void request_client(void)
{
    int fd = dial();
    tell(fd, GET("/items/a%2Fb%20c?p=1&q=%41+b%26&q=2"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("/items/a/b c|a/b c|A b&|a"));
    tell(fd, GET("/items/x?q"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("/items/x|x||a"));
    tell(fd, GET("/items/x?%71=y"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("|y|a"));
    tell(fd, GET("/items/x?q=%4") GET("/items/x?q=%00"));
    CU_ASSERT_EQUAL(hear(fd), 400);
    CU_ASSERT_EQUAL(hear(fd), 400);
    tell(fd, "GET http://right?q=1 HTTP/1.1\r\nHost: wrong\r\n\r\n");
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("\r\n/||1|right"));
    tell(fd, GET("/strict"));
    CU_ASSERT_EQUAL(hear(fd), 299);
    CU_ASSERT_TRUE(said("HTTP/1.1 299 \r\n"));
    CU_ASSERT_TRUE(said("Set-Cookie: a=b\r\nSet-Cookie: c=\xc3\xa9\r\n"));
    close(fd);
}

static void requests(void)
{
    serve((rt_http_options){0}, request_client);
}

static void correlation_client(void)
{
    int fd = dial();
    tell(fd, "GET /hello HTTP/1.1\r\nHost: a\r\nX-Correlation-Id: my.id-1\r\n\r\n");
    hear(fd);
    CU_ASSERT_TRUE(said("X-Correlation-Id: my.id-1\r\n"));
    tell(fd, "GET /none HTTP/1.1\r\nHost: a\r\nX-Correlation-Id: my.id-2\r\n\r\n");
    hear(fd);
    CU_ASSERT_TRUE(said("X-Correlation-Id: my.id-2\r\n"));
    CU_ASSERT_TRUE(said("\"correlationId\":\"my.id-2\""));
    tell(fd, "GET /hello HTTP/1.1\r\nHost: a\r\nX-Correlation-Id: not mine\r\n\r\n");
    hear(fd);
    CU_ASSERT_TRUE(said("X-Correlation-Id: "));
    CU_ASSERT_PTR_NULL(strstr(reply, "not mine"));
    tell(fd, "POST /small HTTP/1.1\r\nHost: a\r\nX-Correlation-Id: my.id-3\r\n"
             "Content-Length: 9\r\n\r\n");
    CU_ASSERT_EQUAL(hear(fd), 413);
    CU_ASSERT_TRUE(said("X-Correlation-Id: my.id-3\r\n"));
    close(fd);
}

static void correlation(void)
{
    serve((rt_http_options){0}, correlation_client);
}

static void errors_client(void)
{
    int fd = dial();
    tell(fd, GET("/fail/5") GET("/fail/13") GET("/die") GET("/fail/9") GET("/hello"));
    CU_ASSERT_EQUAL(hear(fd), 404);
    CU_ASSERT_TRUE(said("\"detail\":\"the \\\"reason\\\"\""));
    CU_ASSERT_PTR_NULL(strstr(reply, "lost"));
    CU_ASSERT_PTR_NULL(strstr(reply, "X-Lost"));
    CU_ASSERT_EQUAL(hear(fd), 500);
    CU_ASSERT_PTR_NULL(strstr(reply, "reason"));
    CU_ASSERT_TRUE(said("\"code\":\"INTERNAL\""));
    CU_ASSERT_EQUAL(hear(fd), 500);
    CU_ASSERT_PTR_NULL(strstr(reply, "secret"));
    CU_ASSERT_EQUAL(hear(fd), 412);
    CU_ASSERT_EQUAL(hear(fd), 200);
    close(fd);
}

static void errors(void)
{
    serve((rt_http_options){0}, errors_client);
}

static void development_client(void)
{
    int fd = dial();
    tell(fd, GET("/fail/13") GET("/die"));
    CU_ASSERT_EQUAL(hear(fd), 500);
    CU_ASSERT_TRUE(said("reason"));
    CU_ASSERT_EQUAL(hear(fd), 500);
    CU_ASSERT_TRUE(said("a secret"));
    close(fd);
}

static void development(void)
{
    serve((rt_http_options){.development = true}, development_client);
}

static void slow_header_client(void)
{
    int fd = dial();
    tell(fd, "GET /hello HT");
    CU_ASSERT_EQUAL(hear(fd), 408);
    CU_ASSERT_TRUE(ended(fd));
    close(fd);
    fd = dial(); /* not a byte: closed without a word */
    CU_ASSERT_TRUE(ended(fd));
    close(fd);
    fd = dial(); /* the limit counts from the first byte of each request */
    tell(fd, GET("/hello") "GET ");
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_EQUAL(hear(fd), 408);
    close(fd);
}

static void slow_header(void)
{
    serve((rt_http_options){.header_timeout = RT_MS(60)}, slow_header_client);
}

static void slow_body_client(void)
{
    int fd = dial();
    tell(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab");
    CU_ASSERT_EQUAL(hear(fd), 408);
    CU_ASSERT_TRUE(ended(fd));
    close(fd);
}

static void slow_body(void)
{
    serve((rt_http_options){.request_timeout = RT_MS(60)}, slow_body_client);
}

static void idle_client(void)
{
    int fd = dial();
    tell(fd, GET("/hello"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(ended(fd));
    close(fd);
}

static void idle(void)
{
    serve((rt_http_options){.idle_timeout = RT_MS(60)}, idle_client);
}

static void deadline_client(void)
{
    int fd = dial();
    tell(fd, GET("/brief") GET("/hello"));
    CU_ASSERT_EQUAL(hear(fd), 504);
    CU_ASSERT_TRUE(said("\"code\":\"DEADLINE_EXCEEDED\""));
    CU_ASSERT_EQUAL(hear(fd), 200);
    tell(fd, GET("/sleep"));
    CU_ASSERT_EQUAL(hear(fd), 504);
    close(fd);
}

static void deadlines(void)
{
    serve((rt_http_options){.request_timeout = RT_MS(80)}, deadline_client);
}

static void overload_client(void)
{
    int busy = dial(), fd = dial();
    tell(busy, GET("/sleep"));
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    tell(fd, GET("/hello") GET("/none"));
    CU_ASSERT_EQUAL(hear(fd), 503);
    CU_ASSERT_TRUE(said("Retry-After: 1\r\n"));
    CU_ASSERT_EQUAL(hear(fd), 404);
    CU_ASSERT_EQUAL(hear(busy), 504);
    tell(fd, GET("/hello"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    close(busy);
    close(fd);
}

static void overload(void)
{
    serve((rt_http_options){.max_requests = 1, .request_timeout = RT_MS(300)}, overload_client);
}

static void crowd_client(void)
{
    int first = dial(), second = dial(), third = dial();
    tell(first, GET("/hello"));
    tell(second, GET("/hello"));
    CU_ASSERT_EQUAL(hear(first), 200);
    CU_ASSERT_EQUAL(hear(second), 200);
    tell(third, GET("/hello"));
    struct pollfd waits = {.fd = third, .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&waits, 1, 400), 0);
    close(first);
    CU_ASSERT_EQUAL(hear(third), 200);
    close(second);
    close(third);
}

static void crowd(void)
{
    serve((rt_http_options){.max_connections = 2}, crowd_client);
}

/* The client's own socket takes the last descriptor. */
static void descriptors_client(void)
{
    int probe = dup(0);
    struct rlimit usual, tight;
    close(probe);
    getrlimit(RLIMIT_NOFILE, &usual);
    tight = usual;
    tight.rlim_cur = (rlim_t)probe + 1;
    setrlimit(RLIMIT_NOFILE, &tight);
    int fd = dial();
    CU_ASSERT_EQUAL(fd, probe);
    tell(fd, GET("/hello"));
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    struct pollfd waits = {.fd = fd, .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&waits, 1, 400), 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double busy =
        (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    CU_ASSERT_TRUE(busy < 0.1); /* of 0.4 s: it does not spin */
    setrlimit(RLIMIT_NOFILE, &usual);
    CU_ASSERT_EQUAL(hear(fd), 200);
    close(fd);
}

static void descriptors(void)
{
    serve((rt_http_options){0}, descriptors_client);
}

static void reset(int fd)
{
    struct linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static void disconnect_client(void)
{
    cancelled = 0;
    int fd = dial();
    tell(fd, GET("/sleep"));
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    reset(fd);
    CU_ASSERT_TRUE(reaches(&cancelled, 1));
    fd = dial(); /* the same after a half-close, and with bytes ahead */
    tell(fd, GET("/sleep") GET("/hello"));
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    shutdown(fd, SHUT_WR);
    CU_ASSERT_EQUAL(poll(NULL, 0, 50), 0);
    CU_ASSERT_EQUAL(cancelled, 1);
    reset(fd);
    CU_ASSERT_TRUE(reaches(&cancelled, 2));
}

static void disconnects(void)
{
    serve((rt_http_options){0}, disconnect_client);
}

static void reuse_client(void)
{
    cancelled = 0;
    int fd = dial();
    tell(fd, GET("/stubborn"));
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    reset(fd);
    CU_ASSERT_TRUE(reaches(&cancelled, 1));
    fd = dial();
    tell(fd, GET("/hello"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    let_go = true;
    CU_ASSERT_TRUE(reaches(&lingering, 0));
    tell(fd, GET("/hello"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    close(fd);
}

static void reuse(void)
{
    serve((rt_http_options){0}, reuse_client);
}

static void half_close_client(void)
{
    int fd = dial();
    tell(fd, GET("/nap") GET("/hello"));
    shutdown(fd, SHUT_WR);
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(ended(fd));
    close(fd);
    fd = dial();
    tell(fd, "GET /hel");
    shutdown(fd, SHUT_WR);
    CU_ASSERT_TRUE(ended(fd));
    close(fd);
}

static void half_close(void)
{
    serve((rt_http_options){0}, half_close_client);
}

static void continue_client(void)
{
    int fd = dial();
    tell(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    CU_ASSERT_EQUAL(hear(fd), 100);
    tell(fd, "abc");
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("\r\n\r\nabc"));
    tell(fd,
         "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
    CU_ASSERT_EQUAL(hear(fd), 200);
    tell(fd,
         "POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n");
    CU_ASSERT_EQUAL(hear(fd), 413);
    close(fd);
}

static void continues(void)
{
    serve((rt_http_options){0}, continue_client);
}

static void slow_reader_client(void)
{
    int fd = dial(), small = 131072;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    tell(fd, GET("/big") GET("/hello"));
    poll(NULL, 0, 50);
    CU_ASSERT_EQUAL(hear_answer(fd, false), 200);
    static char piece[65536];
    size_t got = 0, wrong = 0;
    while (got < BIG) {
        ssize_t n = recv(fd, piece, BIG - got < sizeof piece ? BIG - got : sizeof piece, 0);
        if (n <= 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            wrong += piece[i] != (char)('a' + (got + (size_t)i) % 26);
        got += (size_t)n;
    }
    CU_ASSERT_EQUAL(got, BIG);
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(hear(fd), 200);
    close(fd);
}

static void slow_reader(void)
{
    serve((rt_http_options){0}, slow_reader_client);
}

/* The socket's end that the server has sees a reader who never reads. */
static void no_reader_client(void)
{
    int fd = dial(), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    tell(fd, GET("/big"));
    struct pollfd waits = {.fd = fd, .events = POLLRDHUP};
    CU_ASSERT_EQUAL(poll(&waits, 1, 20), 0);
    command(DRAIN);
    retired = true;
    for (int i = 0; i < PATIENCE_MS && !drained; i++)
        poll(NULL, 0, 1);
    CU_ASSERT_TRUE(drained);
    close(fd);
}

static void no_reader(void)
{
    serve((rt_http_options){.idle_timeout = RT_MS(80)}, no_reader_client);
}

static void drain_client(void)
{
    int resting = dial(), active = dial(), partial = dial();
    tell(resting, GET("/hello"));
    CU_ASSERT_EQUAL(hear(resting), 200);
    tell(partial, "GET /hello HTTP/1.1\r\n");
    tell(active, GET("/sleep"));
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    command(DRAIN);
    retired = true;
    CU_ASSERT_TRUE(ended(resting));
    CU_ASSERT_FALSE(drained);
    tell(partial, HOST "\r\n");
    CU_ASSERT_EQUAL(hear(partial), 200);
    CU_ASSERT_TRUE(said("Connection: close\r\n"));
    CU_ASSERT_TRUE(ended(partial));
    CU_ASSERT_EQUAL(hear(active), 504);
    CU_ASSERT_TRUE(said("Connection: close\r\n"));
    CU_ASSERT_TRUE(ended(active));
    close(resting);
    close(active);
    close(partial);
}

static void drain(void)
{
    serve((rt_http_options){.request_timeout = RT_MS(400)}, drain_client);
}

static void drain_answered_client(void)
{
    int reader = dial(), idle_one = dial();
    size_t length = 0;
    ssize_t got;
    tell(idle_one, GET("/hello"));
    CU_ASSERT_EQUAL(hear(idle_one), 200);
    tell(reader, GET("/big"));
    CU_ASSERT_EQUAL(hear_answer(reader, false), 200);
    retired = true;
    command(DRAIN);
    CU_ASSERT_TRUE(ended(idle_one));
    while ((got = recv(reader, reply, sizeof reply, 0)) > 0)
        length += (size_t)got;
    CU_ASSERT_EQUAL(got, 0);
    CU_ASSERT_EQUAL(length, BIG);
    close(reader);
    close(idle_one);
}

static void drain_answered(void)
{
    serve((rt_http_options){0}, drain_answered_client);
}

static void retire_client(void)
{
    int resting = dial();
    tell(resting, GET("/hello"));
    CU_ASSERT_EQUAL(hear(resting), 200);
    command(RETIRE);
    retired = true;
    CU_ASSERT_EQUAL(poll(NULL, 0, 50), 0);
    tell(resting, GET("/nap"));
    CU_ASSERT_EQUAL(hear(resting), 200);
    CU_ASSERT_TRUE(said("Connection: close\r\n"));
    CU_ASSERT_TRUE(ended(resting));
    close(resting);
}

static void retire(void)
{
    serve((rt_http_options){0}, retire_client);
}

static void interrupt_client(void)
{
    int resting = dial(), active = dial();
    cancelled = 0;
    tell(resting, GET("/hello"));
    CU_ASSERT_EQUAL(hear(resting), 200);
    tell(active, GET("/sleep"));
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    command(RETIRE);
    retired = true;
    CU_ASSERT_EQUAL(poll(NULL, 0, 20), 0);
    command(INTERRUPT);
    CU_ASSERT_EQUAL(hear(active), 503);
    CU_ASSERT_TRUE(ended(active));
    CU_ASSERT_TRUE(ended(resting));
    CU_ASSERT_EQUAL(cancelled, 1);
    close(resting);
    close(active);
}

static void interrupt(void)
{
    serve((rt_http_options){0}, interrupt_client);
}

static void small_connections(void)
{
    CU_ASSERT_TRUE(sizeof(rt_connection) <= 1024);
}

static void unused_server(void)
{
    rt_router *router = rt_router_new();
    CU_ASSERT_EQUAL(rt_loop_open(&(rt_loop_options){0}), 0);
    rt_http_close(rt_http_open(&(rt_http_options){0}, router));
    server = rt_http_open(&(rt_http_options){0}, router);
    CU_ASSERT_EQUAL(rt_http_listen(server, -1), -EBADF);
    rt_http_close(server);
    rt_loop_close();
    rt_router_free(router);
}

RT_TEST_MAIN("http_server", {"a connection serves many requests until one says close", keep_alive},
             {"pipelined requests are answered in order, also when some wait", pipelining},
             {"requests may come byte by byte", pieces},
             {"what cannot be understood is refused, and the connection ends in order", refusals},
             {"HEAD, OPTIONS, 404 and 405 with Allow", methods},
             {"handlers see path, parameter, query and host, and cannot break an answer", requests},
             {"a correlation id is taken, echoed, or made", correlation},
             {"errors and defects become problems and 5xx keep their reason", errors},
             {"in development 5xx say their reason", development},
             {"a header that does not come in time is 408", slow_header},
             {"a body that does not come in time is 408", slow_body},
             {"an idle connection is closed", idle},
             {"a request past its deadline is 504", deadlines},
             {"beyond max_requests is 503 with Retry-After", overload},
             {"beyond max_connections waits until one closes", crowd},
             {"without descriptors accepting pauses and goes on later", descriptors},
             {"a client that resets cancels its request", disconnects},
             {"a request that outlives its connection leaves the next one alone", reuse},
             {"a client that only stops sending gets its answers", half_close},
             {"100-continue is answered when the body is awaited", continues},
             {"a slow reader gets all of a large body", slow_reader},
             {"a client that never reads is let go", no_reader},
             {"draining ends idle connections and finishes the others", drain},
             {"draining ends a connection whose answer was on its way", drain_answered},
             {"retiring answers the next request of an idle connection", retire},
             {"interrupting cancels what runs and closes the rest", interrupt},
             {"an idle connection holds at most 1 KiB", small_connections},
             {"a server that never served can be closed", unused_server})
