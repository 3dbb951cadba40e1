#include "http_kit.h"

#include <sys/resource.h>

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
    serve((rt_http_options){.header_timeout = RT_MS(250)}, slow_header_client);
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
    let_go = false;
    tell(busy, GET("/held"));
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    tell(fd, GET("/hello") GET("/none"));
    CU_ASSERT_EQUAL(hear(fd), 503);
    CU_ASSERT_TRUE(said("Retry-After: 1\r\n"));
    CU_ASSERT_EQUAL(hear(fd), 404);
    let_go = true;
    CU_ASSERT_EQUAL(hear(busy), 200);
    tell(fd, GET("/hello"));
    CU_ASSERT_EQUAL(hear(fd), 200);
    close(busy);
    close(fd);
}

static void overload(void)
{
    serve((rt_http_options){.max_requests = 1}, overload_client);
}

static bool is_paused(void)
{
    return seen.paused && !seen.listening;
}

static void crowd_client(void)
{
    int first = dial(), second = dial(), third = dial();
    tell(first, GET("/hello"));
    tell(second, GET("/hello"));
    CU_ASSERT_EQUAL(hear(first), 200);
    CU_ASSERT_EQUAL(hear(second), 200);
    tell(third, GET("/hello"));
    CU_ASSERT_TRUE(looks(is_paused));
    catch_up(second);
    CU_ASSERT_EQUAL(seen.connections, 2);
    CU_ASSERT_TRUE(silent_still(third));
    close(first);
    CU_ASSERT_EQUAL(hear(third), 200);
    close(second);
    close(third);
}

static void crowd(void)
{
    serve((rt_http_options){.max_connections = 2}, crowd_client);
}

static bool is_short_of_descriptors(void)
{
    return is_paused() && seen.short_of_descriptors; /* it watches no socket: it cannot spin */
}

static bool accepts_again(void)
{
    return seen.listening && !seen.short_of_descriptors;
}

/* The client's own socket takes the last descriptor. */
static void descriptors_client(void)
{
    int witness = dial(), probe;
    catch_up(witness);
    probe = dup(0);
    struct rlimit usual, tight;
    close(probe);
    getrlimit(RLIMIT_NOFILE, &usual);
    tight = usual;
    tight.rlim_cur = (rlim_t)probe + 1;
    setrlimit(RLIMIT_NOFILE, &tight);
    int fd = dial();
    CU_ASSERT_EQUAL(fd, probe);
    tell(fd, GET("/hello"));
    CU_ASSERT_TRUE(looks(is_short_of_descriptors));
    catch_up(witness);
    CU_ASSERT_TRUE(silent_still(fd));
    setrlimit(RLIMIT_NOFILE, &usual);
    CU_ASSERT_EQUAL(hear(fd), 200);
    CU_ASSERT_TRUE(looks(accepts_again));
    close(witness);
    close(fd);
}

static void descriptors(void)
{
    serve((rt_http_options){0}, descriptors_client);
}

static bool is_blocked(void)
{
    return seen.blocked == 1;
}

static void slow_reader_client(void)
{
    int fd = dial(), small = 131072;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    tell(fd, GET("/big") GET("/hello"));
    CU_ASSERT_TRUE(looks(is_blocked));
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

/* Draining waits for answers to be read; it ends while this one still is not. */
static void no_reader_client(void)
{
    int fd = dial(), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    tell(fd, GET("/big"));
    command(DRAIN);
    retired = true;
    CU_ASSERT_TRUE(comes_true(&drained));
    close(fd);
}

static void no_reader(void)
{
    serve((rt_http_options){.idle_timeout = RT_MS(80)}, no_reader_client);
}

RT_TEST_MAIN("http_limits", {"a header that does not come in time is 408", slow_header},
             {"a body that does not come in time is 408", slow_body},
             {"an idle connection is closed", idle},
             {"a request past its deadline is 504", deadlines},
             {"beyond max_requests is 503 with Retry-After", overload},
             {"beyond max_connections waits until one closes", crowd},
             {"without descriptors accepting pauses and goes on later", descriptors},
             {"a slow reader gets all of a large body", slow_reader},
             {"a client that never reads is let go", no_reader})
