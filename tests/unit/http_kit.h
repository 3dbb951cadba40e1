/* http_kit.h — a real server on the main thread, and a client of it on another
 *
 *     static void client(void) { int fd = dial(); tell(fd, GET("/hello")); … }
 *     static void test(void) { serve((rt_http_options){0}, client); }
 *
 * Nothing waits for time to pass: `catch_up` and `look` return when the server has got that far.
 */
#ifndef RT_TEST_HTTP_KIT_H
#define RT_TEST_HTTP_KIT_H

#include "http_routes.h"

#include "http/internal.h"
#include "telemetry/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000 /* for what must happen */

/* --- a server on the main thread, a client on another ---------------------------------------- */

enum command { DRAIN, RETIRE, INTERRUPT, LOOK };

static rt_http_server *server;
static uint16_t port;
static uv_async_t async;
static _Atomic unsigned commands; /* bits */
static _Atomic bool drained;
static void (*client)(void);
static void (*more_routes)(rt_router *router); /* of the test; or NULL */

static inline void on_drained(void *argument)
{
    (void)argument;
    drained = true;
    uv_close((uv_handle_t *)&async, NULL);
    rt_loop_stop();
}

/* What the loop last saw of the server. */
static struct {
    _Atomic unsigned looks;
    _Atomic bool paused, listening, short_of_descriptors;
    _Atomic unsigned connections, blocked; /* blocked: the peer does not read its answer */
    _Atomic size_t most_out;               /* bytes that wait to be sent on one */
} seen;

static inline void see(void)
{
    unsigned blocked = 0;
    for (rt_connection *c = server->connections; c; c = c->next)
        blocked += c->out.length > 0;
    for (rt_connection *c = server->connections; c; c = c->next)
        if (c->out.length > seen.most_out)
            seen.most_out = c->out.length;
    seen.blocked = blocked;
    seen.connections = server->connection_count;
    seen.paused = server->paused;
    seen.short_of_descriptors = server->short_of_descriptors;
    seen.listening = server->listeners && uv_is_active((uv_handle_t *)&server->listeners->poll);
    seen.looks++;
}

static inline void on_command(uv_async_t *handle)
{
    (void)handle;
    unsigned given = atomic_exchange(&commands, 0);
    if (given & 1u << DRAIN)
        rt_http_drain(server, on_drained, NULL);
    if (given & 1u << RETIRE)
        rt_http_retire(server, on_drained, NULL);
    if (given & 1u << INTERRUPT)
        rt_http_interrupt(server);
    if (given & 1u << LOOK)
        see();
}

static inline void command(enum command which)
{
    commands |= 1u << which;
    uv_async_send(&async);
}

static bool retired; /* the client has told the server to stop */

static inline void *run_client(void *argument)
{
    (void)argument;
    retired = false;
    client();
    if (!retired)
        command(DRAIN);
    return NULL;
}

static inline int listen_somewhere(void)
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

static inline void serve(rt_http_options options, void (*with)(void))
{
    rt_router *router = rt_router_new();
    pthread_t thread;
    rt_log_open(&(rt_log_options){.level = "fatal", .format = "pretty"});
    CU_ASSERT_EQUAL(rt_loop_open(&(rt_loop_options){0}), 0);
    add_routes(router);
    if (more_routes)
        more_routes(router);
    int fd = listen_somewhere();
    server = rt_http_open(&options, router);
    CU_ASSERT_EQUAL(rt_http_listen(server, fd, 0), 0);
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

static inline int dial(void)
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

static inline void tell(int fd, const char *text)
{
    size_t length = strlen(text);
    CU_ASSERT_EQUAL(send(fd, text, length, MSG_NOSIGNAL), (ssize_t)length);
}

static char reply[65536];

/* One answer, by its Content-Length; its status, or 0 when the connection ended first. */
static inline int hear_answer(int fd, bool body)
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

/* The head alone; its status, or 0. */
static inline int hear_head(int fd)
{
    return hear_answer(fd, false);
}

/* Bytes until the connection ends, at most `size`; how many, or -1 after a reset. */
static inline ssize_t hear_rest(int fd, char *into, size_t size)
{
    size_t length = 0;
    ssize_t got;
    while (length < size && (got = recv(fd, into + length, size - length, 0)) != 0) {
        if (got < 0)
            return -1;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

/* The line up to CRLF, without it. False: the connection ended. */
static inline bool hear_line(int fd, char *line, size_t size)
{
    size_t length = 0;
    while (length + 1 < size && recv(fd, line + length, 1, 0) == 1)
        if (line[length++] == '\n') {
            line[length - 2] = 0;
            return true;
        }
    return false;
}

/* A chunked body, into `into` as far as it has room. Its length; -1 if it is cut. Trailers are left
 * in `reply`. */
static inline int64_t hear_chunks(int fd, char *into, size_t size)
{
    static char piece[65536];
    char line[1024];
    int64_t total = 0;
    reply[0] = 0;
    while (hear_line(fd, line, sizeof line)) {
        size_t rest = strtoul(line, NULL, 16);
        if (!rest)
            break;
        for (size_t got; rest; rest -= got) {
            ssize_t n = recv(fd, piece, rest < sizeof piece ? rest : sizeof piece, 0);
            if (n <= 0)
                return -1;
            got = (size_t)n;
            for (size_t i = 0; i < got && (size_t)total + i < size; i++)
                into[(size_t)total + i] = piece[i];
            total += n;
        }
        if (!hear_line(fd, line, sizeof line) || line[0])
            return -1;
        line[0] = 'x';
    }
    if (line[0] != '0')
        return -1;
    while (hear_line(fd, line, sizeof line) && line[0])
        strcat(strcat(reply, line), "\n");
    return line[0] ? -1 : total;
}

static inline int hear(int fd)
{
    return hear_answer(fd, true);
}

/* The same for an answer that must be the connection's last, or must not be. */
static inline int hear_last(int fd, bool last)
{
    int status = hear(fd);
    CU_ASSERT_EQUAL(strstr(reply, "\r\nConnection: close\r\n") != NULL, last);
    return status;
}

static inline bool said(const char *text)
{
    if (strstr(reply, text))
        return true;
    printf("\n    no `%s` in `%s`\n", text, reply);
    return false;
}

/* The peer has ended the connection in order, not by a reset. */
static inline bool ended(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) == 0;
}

#define HOST "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

static inline bool reaches(_Atomic int *number, int value)
{
    for (int i = 0; i < PATIENCE_MS && *number != value; i++)
        poll(NULL, 0, 1);
    return *number == value;
}

static inline bool comes_true(_Atomic bool *condition)
{
    for (int i = 0; i < PATIENCE_MS && !*condition; i++)
        poll(NULL, 0, 1);
    return *condition;
}

/* Has the loop fill `seen`. */
static inline void look(void)
{
    unsigned before = seen.looks;
    command(LOOK);
    for (int i = 0; i < PATIENCE_MS && seen.looks == before; i++)
        poll(NULL, 0, 1);
    CU_ASSERT_NOT_EQUAL(seen.looks, before);
}

/* Looks until it is so. */
static inline bool looks(bool (*as)(void))
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        look();
        if (as())
            return true;
        poll(NULL, 0, 1);
    }
    return false;
}

/* By another connection, which stays open: what was sent before on any has been handled, for the
 * loop takes events in their order, and what that set off has run, for it is a second turn. */
static inline void catch_up(int witness)
{
    for (int i = 0; i < 2; i++) {
        tell(witness, GET("/hello"));
        CU_ASSERT_EQUAL(hear(witness), 200);
    }
}

/* Nothing can be read, and the connection has not ended. */
static inline bool silent_still(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN | POLLRDHUP};
    return poll(&readable, 1, 0) == 0;
}

#endif
