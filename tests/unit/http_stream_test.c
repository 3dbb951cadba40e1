#include "http_kit.h"

#define LARGE (50u << 20)
#define CHUNKED "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static _Atomic size_t most_kept;       /* bytes of a body, either way, that the server held */
static _Atomic int last_result, reads; /* of rt_host_body_read */
static _Atomic bool go_on;

static void note(size_t kept)
{
    if (kept > most_kept)
        most_kept = kept;
}

static void note_kept(const rt_request *request)
{
    const rt_exchange *exchange = ((const rt_full_request *)request)->exchange;
    note(exchange->body.length + exchange->taking.length);
    note(exchange->connection->out.length);
}

/* --- handlers -------------------------------------------------------------------------------- */

/* Counts the bytes; `slow` yields now and then, so that they come faster than they are taken. */
static int count(rt_ctx *ctx, const rt_request *request, rt_response *response, bool slow)
{
    const uint64_t size = 16384;
    char *piece = rt_host_alloc(ctx, size);
    uint64_t total = 0, got, number = 0;
    uint32_t sum = 0;
    do {
        last_result = rt_host_body_read(ctx, request, piece, size, &got);
        reads++;
        if (last_result == -RT_ECANCELED) /* and so it stays */
            CU_ASSERT_EQUAL(rt_host_body_read(ctx, request, piece, size, &got), -RT_ECANCELED);
        RT_TRY(last_result);
        note_kept(request);
        for (uint64_t i = 0; i < got; i += 997)
            sum += (uint8_t)piece[i];
        total += got;
        if (slow && ++number % 256 == 0)
            RT_TRY(rt_host_sleep(ctx, RT_MS(1)));
    } while (got);
    rt_str trailer = rt_host_request_trailer(ctx, request, "x-sum");
    char *text = rt_host_format(ctx, "%llu %s%.*s", (unsigned long long)total,
                                sum ? "some" : "none", (int)trailer.length, trailer.data);
    return rt_host_respond(ctx, response, 200, "text/plain", text, strlen(text));
}

static int sink(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    return count(ctx, request, response, false);
}

static int slow_sink(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    return count(ctx, request, response, true);
}

static int source(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    static char piece[100000]; /* more than the window */
    memset(piece, 'z', sizeof piece);
    RT_TRY(rt_host_respond_begin(ctx, response, 200, "text/plain"));
    for (uint64_t sent = 0, length; sent < LARGE; sent += length) {
        length = LARGE - sent < sizeof piece ? LARGE - sent : sizeof piece;
        RT_TRY(rt_host_respond_write(ctx, response, piece, length));
        note_kept(request);
    }
    return 0;
}

static int mirror(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    char piece[5000];
    uint64_t got;
    RT_TRY(rt_host_respond_begin(ctx, response, 200, "text/plain"));
    do {
        RT_TRY(rt_host_body_read(ctx, request, piece, sizeof piece, &got));
        RT_TRY(rt_host_respond_write(ctx, response, piece, got));
        note_kept(request);
    } while (got);
    return 0;
}

static int deaf(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return rt_host_respond(ctx, response, 200, "text/plain", "no", 2);
}

static int broken(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    RT_TRY(rt_host_respond_begin(ctx, response, 200, "text/plain"));
    RT_TRY(rt_host_respond_write(ctx, response, "half", 4));
    return rt_host_fail(ctx, RT_EINTERNAL, "the other half is lost");
}

/* Writes until it is told to end, or cannot go on. */
static int endless(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    sleeping++;
    int result = rt_host_respond_begin(ctx, response, 200, "text/plain");
    while (result == 0 && !go_on) {
        result = rt_host_respond_write(ctx, response, "tick\n", 5);
        if (result == 0)
            result = rt_host_sleep(ctx, RT_MS(1));
    }
    sleeping--;
    cancelled += result == -RT_ECANCELED;
    return result;
}

static int misuse(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    char byte;
    uint64_t got;
    const int late = -RT_EFAILED_PRECONDITION, wrong = -RT_EINVALID_ARGUMENT;
    CU_ASSERT_EQUAL(rt_host_body_read(ctx, request, &byte, 1, &got), late); /* does not stream */
    CU_ASSERT_EQUAL(rt_host_respond_write(ctx, response, "x", 1), late);
    CU_ASSERT_EQUAL(rt_host_respond_begin(ctx, response, 204, NULL), wrong);
    CU_ASSERT_EQUAL(rt_host_respond_trailer(ctx, response, "Content-Length", "1"), wrong);
    CU_ASSERT_EQUAL(rt_host_respond_trailer(ctx, response, "A b", "1"), wrong);
    CU_ASSERT_EQUAL(rt_host_respond_trailer(ctx, response, "A", "1\r\n"), wrong);
    RT_TRY(rt_host_respond_begin(ctx, response, 200, "text/plain"));
    CU_ASSERT_EQUAL(rt_host_respond_begin(ctx, response, 200, "text/plain"), late);
    CU_ASSERT_EQUAL(rt_host_respond(ctx, response, 200, NULL, "x", 1), late);
    CU_ASSERT_EQUAL(rt_host_response_header(ctx, response, "a", "b"), late);
    CU_ASSERT_EQUAL(rt_host_respond_trailer(ctx, response, "A", NULL), late);
    CU_ASSERT_EQUAL(rt_host_respond_write(ctx, response, "", 0), 0);
    return rt_host_respond_write(ctx, response, "fine", 4);
}

static int summed(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    RT_TRY(rt_host_respond_trailer(ctx, response, "X-Sum", NULL));
    RT_TRY(rt_host_respond_begin(ctx, response, 200, "text/plain"));
    RT_TRY(rt_host_respond_write(ctx, response, "body", 4));
    return rt_host_respond_trailer(ctx, response, "X-Sum", "42");
}

static int whole_trailer(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str sum = rt_host_request_trailer(ctx, request, "X-SUM");
    CU_ASSERT_PTR_NULL(rt_host_request_trailer(ctx, request, "Content-Length").data);
    CU_ASSERT_PTR_NULL(rt_host_request_trailer(ctx, request, "x-su").data);
    return rt_host_respond(ctx, response, 200, "text/plain", sum.data, sum.length);
}

static void add_streams(rt_router *router)
{
    static const struct {
        uint32_t method;
        const char *pattern;
        rt_handler handler;
        uint64_t max_body, timeout;
        bool streams;
    } routes[] = {
        {RT_POST, "/sink", sink, 64u << 20, 0, true},
        {RT_POST, "/slow-sink", slow_sink, 64u << 20, RT_S(60), true},
        {RT_POST, "/tight", sink, 10, RT_S(20), true},
        {RT_GET, "/source", source, 0, RT_S(60), false},
        {RT_POST, "/mirror", mirror, 64u << 20, RT_S(60), true},
        {RT_POST, "/deaf", deaf, 0, 0, true},
        {RT_GET, "/broken", broken, 0, 0, false},
        {RT_GET, "/endless", endless, 0, RT_S(60), false},
        {RT_GET, "/limited", endless, 0, RT_MS(40), false},
        {RT_GET, "/misuse", misuse, 0, 0, false},
        {RT_GET, "/summed", summed, 0, 0, false},
        {RT_POST, "/whole", whole_trailer, 0, 0, false},
    };
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        CU_ASSERT_EQUAL(rt_router_add(router, &instance, 0, routes[i].method, routes[i].pattern,
                                      routes[i].handler,
                                      &(rt_route_options){.size = sizeof(rt_route_options),
                                                          .max_body = routes[i].max_body,
                                                          .timeout = routes[i].timeout,
                                                          .streams = routes[i].streams},
                                      NULL),
                        0);
}

static void run(rt_http_options options, void (*with)(void))
{
    more_routes = add_streams;
    most_kept = 0;
    go_on = false;
    sleeping = cancelled = reads = 0;
    serve(options, with);
}

/* --- bodies up and down ---------------------------------------------------------------------- */

static void push(int fd, size_t bytes)
{
    static char piece[65536];
    memset(piece, 'u', sizeof piece);
    for (size_t sent = 0; sent < bytes;) {
        size_t length = bytes - sent < sizeof piece ? bytes - sent : sizeof piece;
        ssize_t n = send(fd, piece, length, MSG_NOSIGNAL);
        CU_ASSERT_FATAL(n > 0);
        sent += (size_t)n;
    }
}

static void upload_client(void)
{
    int fd = dial();
    char head[128];
    snprintf(head, sizeof head, "POST /slow-sink HTTP/1.1\r\nHost: a\r\nContent-Length: %u\r\n\r\n",
             LARGE);
    tell(fd, head);
    push(fd, LARGE);
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("52428800 some"));
    CU_ASSERT_TRUE(most_kept <= 4 * RT_STREAM_WINDOW);
    tell(fd,
         "POST /sink HTTP/1.1\r\n" CHUNKED "3\r\nabc\r\n4;e=1\r\ndefg\r\n0\r\n\r\n" GET("/hello"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("7 some"));
    CU_ASSERT_EQUAL(hear(fd), 200); /* the connection goes on */
    CU_ASSERT_TRUE(said("hello"));
    tell(fd, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("0 none"));
    close(fd);
}

static void upload(void)
{
    run((rt_http_options){0}, upload_client);
}

static bool is_blocked(void)
{
    return seen.blocked == 1;
}

static void download_client(void)
{
    int fd = dial();
    tell(fd, GET("/source") GET("/hello"));
    CU_ASSERT_TRUE(looks(is_blocked)); /* the kernel's buffers are full */
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_TRUE(said("Transfer-Encoding: chunked\r\n"));
    CU_ASSERT_FALSE(strstr(reply, "Content-Length") != NULL);
    CU_ASSERT_EQUAL(hear_chunks(fd, NULL, 0), LARGE);
    CU_ASSERT_TRUE(most_kept <= RT_STREAM_WINDOW + 64);
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("hello"));
    close(fd);
}

static void download(void)
{
    run((rt_http_options){0}, download_client);
}

static void *push_from_thread(void *argument)
{
    push((int)(intptr_t)argument, 8u << 20);
    return NULL;
}

static void echo_client(void)
{
    pthread_t thread;
    int fd = dial();
    tell(fd, "POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n");
    pthread_create(&thread, NULL, push_from_thread, (void *)(intptr_t)fd);
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_EQUAL(hear_chunks(fd, NULL, 0), 8 << 20);
    pthread_join(thread, NULL);
    CU_ASSERT_TRUE(most_kept <= 4 * RT_STREAM_WINDOW);
    close(fd);
}

static void both_ways(void)
{
    run((rt_http_options){0}, echo_client);
}

/* --- what goes wrong with a request's body --------------------------------------------------- */

static void cut_client(void)
{
    struct linger now = {1, 0};
    int fd = dial();
    tell(fd, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    shutdown(fd, SHUT_WR);
    CU_ASSERT_EQUAL(hear_last(fd, true), 400);
    CU_ASSERT_EQUAL(last_result, -RT_EINVALID_ARGUMENT);
    close(fd);
    reads = 0;
    fd = dial();
    tell(fd, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    CU_ASSERT_TRUE(reaches(&reads, 1));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
    CU_ASSERT_TRUE(reaches(&reads, 2));
    CU_ASSERT_EQUAL(last_result, -RT_ECANCELED);
}

static void cut_upload(void)
{
    run((rt_http_options){0}, cut_client);
}

static void wrong_client(void)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"POST /sink HTTP/1.1\r\n" CHUNKED "3\r\nabc\r\nxyz\r\n", 400},
        {"POST /sink HTTP/1.1\r\n" CHUNKED "3\r\nabcd\r\n0\r\n\r\n", 400},
        {"POST /sink HTTP/1.1\r\n" CHUNKED "3\nabc\r\n0\r\n\r\n", 400},
        {"POST /sink HTTP/1.1\r\n" CHUNKED "0\r\nA: b\nC: d\r\n\r\n", 400},
        {"POST /tight HTTP/1.1\r\n" CHUNKED "6\r\nabcdef\r\n6\r\nghijkl\r\n0\r\n\r\n", 413},
        {"POST /tight HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nabcdefghijk", 413},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int late = 0; late < 2; late++) { /* at once, and after the handler has begun */
            int fd = dial();
            const char *body = strstr(cases[i].text, "\r\n\r\n") + 4;
            reads = 0;
            if (late) {
                CU_ASSERT_EQUAL(send(fd, cases[i].text, (size_t)(body - cases[i].text), 0),
                                body - cases[i].text);
                int witness = dial();
                catch_up(witness);
                close(witness);
                if (i < 5)
                    tell(fd, body);
            } else {
                tell(fd, cases[i].text);
            }
            CU_ASSERT_EQUAL(hear_last(fd, true), cases[i].status);
            CU_ASSERT_TRUE(ended(fd));
            close(fd);
        }
    }
}

static void wrong_upload(void)
{
    run((rt_http_options){0}, wrong_client);
}

static void late_client(void)
{
    int fd = dial();
    tell(fd, "POST /tight HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    CU_ASSERT_EQUAL(hear_last(fd, true), 408);
    CU_ASSERT_EQUAL(last_result, -RT_EDEADLINE);
    CU_ASSERT_TRUE(ended(fd));
    close(fd);
}

static void late_upload(void)
{
    run((rt_http_options){.request_timeout = RT_MS(50)}, late_client);
}

static void deaf_client(void)
{
    static const char *const requests[] = {
        "POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\n\r\n" GET("/hello"),
        "POST /deaf HTTP/1.1\r\n" CHUNKED "50\r\n" GET("/hello"),
    };
    for (int i = 0; i < 2; i++) {
        int fd = dial();
        char rest[64];
        tell(fd, requests[i]);
        CU_ASSERT_EQUAL(hear_last(fd, true), 200);
        CU_ASSERT_EQUAL(hear_rest(fd, rest, sizeof rest), 0); /* no answer to what is a body */
        close(fd);
    }
    int fd = dial(); /* a body that was there is behind us */
    tell(fd, "POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc" GET("/hello"));
    CU_ASSERT_EQUAL(hear_last(fd, false), 200);
    CU_ASSERT_EQUAL(hear(fd), 200);
    close(fd);
}

static void unread(void)
{
    run((rt_http_options){0}, deaf_client);
}

static void continue_client(void)
{
#define EXPECTING "Host: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    int fd = dial();
    tell(fd, "POST /sink HTTP/1.1\r\n" EXPECTING);
    CU_ASSERT_EQUAL(hear_head(fd), 100);
    tell(fd, "abc");
    CU_ASSERT_EQUAL(hear_last(fd, false), 200);
    CU_ASSERT_TRUE(said("3 some"));
    tell(fd, "POST /sink HTTP/1.1\r\n" EXPECTING "abc");
    CU_ASSERT_EQUAL(hear(fd), 200); /* it did not wait to be asked */
    tell(fd, "POST /deaf HTTP/1.1\r\n" EXPECTING);
    CU_ASSERT_EQUAL(hear_last(fd, true), 200); /* nobody asked */
    close(fd);
}

static void asked_for(void)
{
    run((rt_http_options){0}, continue_client);
}

/* --- the answer's ends ----------------------------------------------------------------------- */

static void broken_client(void)
{
    char rest[256];
    int fd = dial();
    tell(fd, GET("/broken"));
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_EQUAL(hear_chunks(fd, rest, sizeof rest), -1);
    close(fd);
    fd = dial();
    tell(fd, "GET /broken HTTP/1.0\r\n\r\n");
    CU_ASSERT_EQUAL(hear_rest(fd, rest, sizeof rest), -1); /* a reset */
    close(fd);
    fd = dial();
    tell(fd, GET("/hello"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    close(fd);
}

static void cut_answer(void)
{
    run((rt_http_options){0}, broken_client);
}

static void forms_client(void)
{
    char rest[512];
    int fd = dial();
    tell(fd, "HEAD /summed HTTP/1.1\r\nHost: a\r\n\r\n" GET("/hello"));
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_EQUAL(hear(fd), 200); /* nothing lay between */
    CU_ASSERT_TRUE(said("hello"));
    tell(fd, GET("/misuse"));
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_EQUAL(hear_chunks(fd, rest, sizeof rest), 4);
    close(fd);
    fd = dial();
    tell(fd, "GET /summed HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_TRUE(said("Connection: close\r\n"));
    CU_ASSERT_FALSE(strstr(reply, "chunked") != NULL);
    CU_ASSERT_EQUAL(hear_rest(fd, rest, sizeof rest), 4);
    close(fd);
}

static void forms(void)
{
    run((rt_http_options){0}, forms_client);
}

static void trailer_client(void)
{
    char body[64];
    int fd = dial();
    tell(fd, "GET /summed HTTP/1.1\r\nHost: a\r\nTE: deflate, Trailers\r\n\r\n");
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_TRUE(said("Trailer: X-Sum\r\n"));
    CU_ASSERT_EQUAL(hear_chunks(fd, body, sizeof body), 4);
    CU_ASSERT_STRING_EQUAL(reply, "X-Sum: 42\n");
    tell(fd, GET("/summed")); /* who did not ask gets none */
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_FALSE(strstr(reply, "Trailer") != NULL);
    CU_ASSERT_EQUAL(hear_chunks(fd, body, sizeof body), 4);
    CU_ASSERT_STRING_EQUAL(reply, "");
    static const char *const paths[] = {"/sink", "/whole"};
    for (int i = 0; i < 2; i++) {
        char request[256];
        snprintf(request, sizeof request,
                 "POST %s HTTP/1.1\r\n" CHUNKED
                 "3\r\nabc\r\n0\r\nA: b\r\nX-Sum:  4 2\t\r\nContent-Length: 7\r\n\r\n",
                 paths[i]);
        for (const char *at = request; *at; at++)
            CU_ASSERT_EQUAL(send(fd, at, 1, MSG_NOSIGNAL), 1);
        CU_ASSERT_EQUAL(hear(fd), 200);
        CU_ASSERT_TRUE(said("4 2"));
    }
    tell(fd, "POST /whole HTTP/1.1\r\n" CHUNKED "0\r\n\r\n"); /* those before are gone */
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(said("Content-Length: 0\r\n"));
    close(fd);
}

static void trailers(void)
{
    run((rt_http_options){0}, trailer_client);
}

static void gone_client(void)
{
    struct linger now = {1, 0};
    int fd = dial();
    tell(fd, GET("/endless"));
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
    CU_ASSERT_TRUE(reaches(&cancelled, 1));
}

static void gone(void)
{
    run((rt_http_options){0}, gone_client);
}

static void limited_client(void)
{
    char rest[64];
    int fd = dial();
    tell(fd, GET("/limited"));
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    CU_ASSERT_EQUAL(hear_chunks(fd, rest, sizeof rest), -1);
    CU_ASSERT_EQUAL(sleeping, 0);
    close(fd);
}

static void limited(void)
{
    run((rt_http_options){0}, limited_client);
}

static void drain_client(void)
{
    int down = dial(), up = dial();
    tell(down, GET("/endless"));
    CU_ASSERT_EQUAL(hear_head(down), 200);
    tell(up, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    CU_ASSERT_TRUE(reaches(&reads, 1));
    command(DRAIN);
    retired = true;
    tell(up, "def"); /* what has begun goes on */
    CU_ASSERT_EQUAL(hear_last(up, true), 200);
    CU_ASSERT_TRUE(said("6 some"));
    CU_ASSERT_FALSE(drained);
    go_on = true;
    CU_ASSERT_TRUE(hear_chunks(down, NULL, 0) > 0); /* whole */
    CU_ASSERT_TRUE(ended(down));
    close(down);
    close(up);
}

static void drain(void)
{
    run((rt_http_options){0}, drain_client);
}

static void interrupt_client(void)
{
    int fd = dial();
    tell(fd, GET("/endless"));
    CU_ASSERT_EQUAL(hear_head(fd), 200);
    command(DRAIN);
    command(INTERRUPT);
    retired = true;
    CU_ASSERT_EQUAL(hear_chunks(fd, NULL, 0), -1);
    CU_ASSERT_TRUE(reaches(&cancelled, 1));
    close(fd);
}

static void interrupted(void)
{
    run((rt_http_options){0}, interrupt_client);
}

RT_TEST_MAIN("http_stream", {"an upload of 50 MB passes through bounded memory", upload},
             {"a download of 50 MB waits for its reader in bounded memory", download},
             {"bodies go both ways at once", both_ways},
             {"an upload that is cut never looks complete", cut_upload},
             {"a malformed or too large body is refused, whenever it comes", wrong_upload},
             {"a body that does not come is 408", late_upload},
             {"a body that nobody reads is not taken for requests", unread},
             {"100 Continue is sent when the handler first reads", asked_for},
             {"a handler that fails after the head cuts the body visibly", cut_answer},
             {"HEAD, HTTP/1.0 and misuse of streams", forms},
             {"trailers arrive both ways, forbidden ones nowhere", trailers},
             {"a stream whose client goes is cancelled", gone},
             {"a stream ends at its deadline, cut", limited},
             {"streams that began are finished while draining", drain},
             {"interrupting cuts streams", interrupted})
