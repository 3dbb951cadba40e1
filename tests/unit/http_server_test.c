#include "http_kit.h"

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
    int fd = dial(), witness = dial();
    for (size_t i = 0; i < sizeof text - 1; i++) {
        CU_ASSERT_EQUAL(send(fd, text + i, 1, MSG_NOSIGNAL), 1);
        if (i % 3 == 0)
            catch_up(witness);
    }
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("\r\n\r\nabc"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("\r\n\r\ndef"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    close(witness);
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
    tell(fd, "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" GET("/hello/"));
    CU_ASSERT_EQUAL(hear_last(fd, false), 404);
    CU_ASSERT_TRUE(said("\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404"));
    CU_ASSERT_TRUE(said("\"code\":\"NOT_FOUND\""));
    CU_ASSERT_EQUAL(hear_last(fd, false), 404);
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
    tell(fd, GET("/items/..%2F..%2Fetc?q=..%2F%0a")); /* what rt/http.h warns of */
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("/items/../../etc|../../etc|../\n|a"));
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

/* The answer comes though the body does not, and no `100 Continue` before it. */
static void unwanted_client(void)
{
    static const char *const framings[] = {
        "Content-Length: 3\r\n\r\n",
        "Content-Length: 3\r\n\r\nabc",
        "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n",
        "Content-Length: 3000000\r\nExpect: 100-continue\r\n\r\n",
        "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"};
    static const struct {
        const char *line;
        int status;
    } lines[] = {{"POST /nowhere", 404}, {"POST /hello", 405}, {"OPTIONS /hello", 204}};
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++)
        for (size_t k = 0; k < sizeof lines / sizeof lines[0]; k++) {
            char text[256];
            snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: a\r\n%s", lines[k].line, framings[i]);
            int fd = dial();
            tell(fd, text);
            CU_ASSERT_EQUAL(hear_last(fd, true), lines[k].status);
            CU_ASSERT_EQUAL(strstr(reply, "Allow: GET") != NULL, lines[k].status != 404);
            CU_ASSERT_TRUE(ended(fd));
            close(fd);
        }
}

static void unwanted(void)
{
    serve((rt_http_options){0}, unwanted_client);
}

/* What follows the head: the end of the connection, not a byte of a body. */
static void refused_heads_client(void)
{
    static const char *const parts[][2] = {
        {"HEAD / HTTP/1.1\r\n\r\n", ""},
        {"HEAD / HTTP/1.1\r\nHost: a\r\nA", " : b\r\n\r\n"},
        {"HEAD / HTTP/3.0\r\nHost: a\r\n\r\n", ""},
        {"HEAD /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n", ""},
        {"HEAD /hello HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "x\r\n"},
        {"HEAD /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", ""}};
    int witness = dial();
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        int fd = dial();
        tell(fd, parts[i][0]);
        catch_up(witness);
        tell(fd, parts[i][1]);
        CU_ASSERT_TRUE(hear_answer(fd, false) >= 400);
        CU_ASSERT_TRUE(said("Content-Length: "));
        CU_ASSERT_TRUE(ended(fd));
        close(fd);
    }
    close(witness);
}

static void refused_heads(void)
{
    serve((rt_http_options){0}, refused_heads_client);
}

static void continues(void)
{
    serve((rt_http_options){0}, continue_client);
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
    CU_ASSERT_EQUAL(rt_http_listen(server, -1, 0), -EBADF);
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
             {"100-continue is answered when the body is awaited", continues},
             {"a body that no route takes is neither asked for nor awaited", unwanted},
             {"a refused HEAD is answered without a body", refused_heads},
             {"an idle connection holds at most 1 KiB", small_connections},
             {"a server that never served can be closed", unused_server})
