#include "http_kit.h"

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
    int witness = dial();
    shutdown(fd, SHUT_WR);
    catch_up(witness);
    CU_ASSERT_EQUAL(cancelled, 1);
    CU_ASSERT_EQUAL(sleeping, 1);
    reset(fd);
    CU_ASSERT_TRUE(reaches(&cancelled, 2));
    close(witness);
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

static void drain_client(void)
{
    int resting = dial(), active = dial(), partial = dial();
    tell(resting, GET("/hello"));
    CU_ASSERT_EQUAL(hear(resting), 200);
    tell(partial, "GET /hello HTTP/1.1\r\n");
    let_go = false;
    tell(active, GET("/held"));
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    command(DRAIN);
    retired = true;
    CU_ASSERT_TRUE(ended(resting));
    CU_ASSERT_FALSE(drained);
    tell(partial, HOST "\r\n");
    CU_ASSERT_EQUAL(hear(partial), 200);
    CU_ASSERT_TRUE(said("Connection: close\r\n"));
    CU_ASSERT_TRUE(ended(partial));
    CU_ASSERT_FALSE(drained);
    let_go = true;
    CU_ASSERT_EQUAL(hear_last(active, true), 200);
    CU_ASSERT_TRUE(ended(active));
    close(resting);
    close(active);
    close(partial);
}

static void drain(void)
{
    serve((rt_http_options){0}, drain_client);
}

static void drain_fresh_client(void)
{
    int resting = dial();
    catch_up(resting);
    int fresh = dial(), silent = dial();
    command(DRAIN);
    retired = true;
    CU_ASSERT_TRUE(ended(resting));
    tell(fresh, GET("/hello"));
    CU_ASSERT_EQUAL(hear(fresh), 200);
    CU_ASSERT_TRUE(said("Connection: close\r\n"));
    CU_ASSERT_TRUE(ended(fresh));
    CU_ASSERT_TRUE(ended(silent));
    close(resting);
    close(fresh);
    close(silent);
}

static void drain_fresh(void)
{
    serve((rt_http_options){0}, drain_fresh_client);
}

#define BEHIND GET("/items/1") "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
#define PART "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"

/* A request that runs with two complete ones and a part of one behind it; `stop` takes effect
 * before it ends, and a fifth comes too late. */
static void held_with_more(int fd, void (*stop)(void))
{
    let_go = false;
    tell(fd, GET("/held") BEHIND PART); /* one segment: read as a whole */
    CU_ASSERT_TRUE(reaches(&sleeping, 1));
    stop();
    tell(fd, "defghi" GET("/hello"));
    let_go = true;
    CU_ASSERT_EQUAL(hear_last(fd, false), 200);
    CU_ASSERT_TRUE(said("held"));
    CU_ASSERT_EQUAL(hear_last(fd, false), 200);
    CU_ASSERT_TRUE(said("/items/1|"));
    CU_ASSERT_EQUAL(hear_last(fd, true), 200);
    CU_ASSERT_TRUE(said("\r\n\r\nabc"));
    CU_ASSERT_TRUE(ended(fd));
    close(fd);
}

static void stop_by_drain(void)
{
    int resting = dial();
    catch_up(resting);
    command(DRAIN);
    retired = true;
    CU_ASSERT_TRUE(ended(resting));
    close(resting);
}

static void drain_pipeline_client(void)
{
    held_with_more(dial(), stop_by_drain);
}

static void drain_pipeline(void)
{
    serve((rt_http_options){0}, drain_pipeline_client);
}

static void stop_by_retiring(void)
{
    int resting = dial();
    catch_up(resting);
    command(RETIRE);
    retired = true;
    look(); /* or the request may be taken first */
    tell(resting, GET("/hello"));
    CU_ASSERT_EQUAL(hear_last(resting, true), 200);
    CU_ASSERT_TRUE(ended(resting));
    close(resting);
}

static void retire_pipeline_client(void)
{
    int resting = dial(), refused = dial();
    catch_up(resting);
    catch_up(refused);
    held_with_more(dial(), stop_by_retiring);
    tell(resting, GET("/hello") GET("/nap") GET("/hello") PART);
    CU_ASSERT_EQUAL(hear_last(resting, false), 200);
    CU_ASSERT_EQUAL(hear_last(resting, false), 200);
    CU_ASSERT_EQUAL(hear_last(resting, true), 200);
    CU_ASSERT_TRUE(ended(resting));
    tell(refused, GET("/hello") GET("/nowhere") "POST /nowhere HTTP/1.1\r\nHost: a\r\n"
                                                "Content-Length: 3\r\n\r\n");
    CU_ASSERT_EQUAL(hear_last(refused, false), 200);
    CU_ASSERT_EQUAL(hear_last(refused, false), 404);
    CU_ASSERT_EQUAL(hear_last(refused, true), 404);
    CU_ASSERT_TRUE(ended(refused));
    close(resting);
    close(refused);
}

static void retire_pipeline(void)
{
    serve((rt_http_options){0}, retire_pipeline_client);
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
    stop_by_retiring();
    CU_ASSERT_TRUE(silent_still(resting));
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
    stop_by_retiring();
    CU_ASSERT_TRUE(silent_still(resting));
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

RT_TEST_MAIN("http_end", {"a client that resets cancels its request", disconnects},
             {"a request that outlives its connection leaves the next one alone", reuse},
             {"a client that only stops sending gets its answers", half_close},
             {"draining ends idle connections and finishes the others", drain},
             {"draining answers those who have just connected, unless they say nothing",
              drain_fresh},
             {"draining ends a connection whose answer was on its way", drain_answered},
             {"draining answers all requests that were read whole", drain_pipeline},
             {"retiring answers the next request of an idle connection", retire},
             {"retiring answers all requests that were read whole", retire_pipeline},
             {"interrupting cancels what runs and closes the rest", interrupt})
