#include "http/internal.h"
#include "http/live.h"

#include "telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of one event, so that workers who share a socket share its connections. */
#define ACCEPTS_AT_ONCE 4
/* As many as wait at most. */
#define ACCEPTS_AT_END 1024

static void use_defaults(rt_http_options *options)
{
    const struct {
        uint64_t *value, otherwise;
    } defaults[] = {
        {&options->request_timeout, RT_S(30)}, {&options->header_timeout, RT_S(10)},
        {&options->idle_timeout, RT_S(60)},    {&options->max_header, 16384},
        {&options->max_body, 1 << 20},         {&options->max_message, 1 << 20},
        {&options->ping_interval, RT_S(15)},
    };
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (!*defaults[i].value)
            *defaults[i].value = defaults[i].otherwise;
    if (!options->max_requests)
        options->max_requests = 10000;
    if (!options->max_connections)
        options->max_connections = 10000;
    if (!options->max_streams)
        options->max_streams = RT_HTTP2_STREAMS;
}

rt_http_server *rt_http_open(const rt_http_options *options, rt_router *router)
{
    rt_http_server *server = rt_xcalloc(1, sizeof *server);
    server->options = *options;
    use_defaults(&server->options);
    if (!options->requests)
        server->options.requests = &server->uncounted;
    server->router = router;
    server->loop = rt_loop_uv();
    int error = rt_features_open(&server->features, options, server->loop);
    if (error) {
        rt_features_close(&server->features);
        free(server);
        errno = -error;
        return NULL;
    }
    uv_timer_init(server->loop, &server->timer);
    server->timer.data = server;
    rt_timeouts_open(server);
    return server;
}

/* --- accepting ------------------------------------------------------------------------------- */

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void accept_again(rt_http_server *server)
{
    if (!server->paused || server->draining)
        return;
    server->paused = false;
    for (rt_listener *listener = server->listeners; listener; listener = listener->next)
        uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
}

/* The sweep looks whether accepting can go on. */
static void pause_accepting(rt_http_server *server)
{
    server->paused = true;
    for (rt_listener *listener = server->listeners; listener; listener = listener->next)
        uv_poll_stop(&listener->poll);
    rt_server_start_timer(server);
}

static bool is_full(const rt_http_server *server)
{
    return server->connection_count >= server->options.max_connections;
}

/* False: nothing is left to accept now. */
static bool accept_one(rt_listener *listener)
{
    rt_http_server *server = listener->server;
    if (is_full(server)) {
        pause_accepting(server);
        return false;
    }
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof address;
    int fd =
        accept4(listener->fd, (struct sockaddr *)&address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        server->short_of_descriptors = false;
        rt_ip peer = rt_ip_of_socket((struct sockaddr *)&address);
        rt_connection_accept(listener, fd, &peer);
        rt_server_start_timer(server);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        if (!server->short_of_descriptors)
            rt_log_host(RT_LOG_WARN, "cannot accept a connection: %s", strerror(errno));
        server->short_of_descriptors = true;
        pause_accepting(server);
        return false;
    }
    return errno == EINTR || errno == ECONNABORTED;
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    rt_listener *listener = (rt_listener *)poll;
    (void)events;
    if (status < 0) {
        rt_log_host(RT_LOG_ERROR, "a listening socket failed: %s", uv_strerror(status));
        return;
    }
    for (int i = 0; i < ACCEPTS_AT_ONCE && accept_one(listener); i++)
        ;
}

int rt_http_listen(rt_http_server *server, int fd, uint32_t flags)
{
    if (flags & RT_LISTEN_TLS && !server->options.tls) /* rather none than one in the clear */
        return -EPROTONOSUPPORT;
    int present = fcntl(fd, F_GETFL);
    if (present < 0 || fcntl(fd, F_SETFL, present | O_NONBLOCK) < 0)
        return -errno;
    rt_listener *listener = rt_xcalloc(1, sizeof *listener);
    int result = uv_poll_init(server->loop, &listener->poll, fd);
    if (result < 0) {
        free(listener);
        return result;
    }
    listener->server = server;
    listener->fd = fd;
    listener->flags = flags;
    listener->next = server->listeners;
    server->listeners = listener;
    return uv_poll_start(&listener->poll, UV_READABLE, on_acceptable);
}

/* --- the sweep ------------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    rt_http_server *server = timer->data;
    rt_timeouts_sweep(server);
    rt_lives_sweep(server);
    if (server->paused && !is_full(server))
        accept_again(server);
    if (!server->connection_count && !server->paused)
        uv_timer_stop(timer);
}

void rt_server_start_timer(rt_http_server *server)
{
    if (uv_is_active((uv_handle_t *)&server->timer) || server->timer_closing)
        return;
    uint64_t period = rt_timeouts_period(server);
    uv_timer_start(&server->timer, on_tick, period, period);
}

/* --- the end --------------------------------------------------------------------------------- */

static void on_timer_closed(uv_handle_t *handle)
{
    rt_http_server *server = handle->data;
    bool closed_before = server->free_when_closed;
    server->timer_closed = true;
    if (server->drained)
        server->drained(server->drained_argument); /* who may close the server */
    if (closed_before)
        rt_http_close(server);
}

/* Once no handle but the timer is left. */
static void end_if_drained(rt_http_server *server)
{
    if (!server->draining || server->connection_count || server->listeners || server->timer_closing)
        return;
    server->timer_closing = true;
    rt_access_stop(server->features.access);
    uv_close((uv_handle_t *)&server->timer, on_timer_closed);
}

void rt_server_connection_gone(rt_http_server *server)
{
    end_if_drained(server);
}

static void on_listener_closed(uv_handle_t *handle)
{
    rt_listener *listener = (rt_listener *)handle;
    rt_http_server *server = listener->server;
    rt_listener **at = &server->listeners;
    while (*at != listener)
        at = &(*at)->next;
    *at = listener->next;
    free(listener);
    end_if_drained(server);
}

static void close_listeners(rt_http_server *server)
{
    for (rt_listener *listener = server->listeners; listener; listener = listener->next)
        if (!listener->closing) {
            listener->closing = true;
            uv_poll_stop(&listener->poll);
            uv_close((uv_handle_t *)&listener->poll, on_listener_closed);
        }
}

/* Lets those that speak a protocol with a farewell say it. */
static void announce_drain(rt_http_server *server)
{
    for (rt_connection *connection = server->connections, *next; connection; connection = next) {
        next = connection->next;
        if (!connection->closed && connection->protocol->drain)
            connection->protocol->drain(connection);
    }
}

static void begin_drain(rt_http_server *server, void (*drained)(void *argument), void *argument)
{
    server->drained = drained;
    server->drained_argument = argument;
    server->draining = true;
    server->paused = false;
    close_listeners(server);
    announce_drain(server);
    rt_lives_drain(server);
}

/* A connection that waits on a socket which nobody serves from now on would be reset. */
static void accept_rest(rt_http_server *server)
{
    for (rt_listener *listener = server->listeners; listener; listener = listener->next)
        for (int i = 0; i < ACCEPTS_AT_END && !server->paused && !listener->closing; i++)
            if (!accept_one(listener))
                break;
}

/* Who has just connected is about to ask, and gets a moment for it; others know that a kept
 * connection may end. */
static void close_idle(rt_http_server *server)
{
    for (rt_connection *connection = server->connections, *next; connection; connection = next) {
        next = connection->next; /* memory goes only from the loop */
        if (connection->closed || !rt_connection_is_idle(connection))
            continue;
        if (connection->fresh)
            rt_connection_watch(connection);
        else
            rt_connection_finish_idle(connection);
    }
}

void rt_http_drain(rt_http_server *server, void (*drained)(void *argument), void *argument)
{
    accept_rest(server);
    server->ends_idle = true;
    begin_drain(server, drained, argument);
    close_idle(server);
    end_if_drained(server);
}

void rt_http_retire(rt_http_server *server, void (*drained)(void *argument), void *argument)
{
    accept_rest(server);
    begin_drain(server, drained, argument);
    end_if_drained(server);
}

void rt_http_interrupt(rt_http_server *server)
{
    server->interrupted = true;
    for (rt_connection *connection = server->connections, *next; connection; connection = next) {
        next = connection->next;
        if (connection->closed)
            continue;
        if (connection->active)
            connection->protocol->interrupt(connection);
        else
            rt_connection_close(connection);
    }
}

uint32_t rt_http_running(const rt_http_server *server)
{
    return server->running;
}

int rt_http_reopen_access(rt_http_server *server, int fd)
{
    return rt_access_reopen(server->features.access, fd);
}

void rt_http_close(rt_http_server *server)
{
    if (!server)
        return;
    server->free_when_closed = true;
    if (!server->draining) {
        begin_drain(server, NULL, NULL);
        rt_http_interrupt(server);
        end_if_drained(server);
    }
    if (!server->timer_closed)
        return;
    rt_features_close(&server->features);
    for (uint32_t i = 0; i < server->spare_count; i++)
        rt_buffer_free(&server->spares[i]);
    rt_http2_close_library(server);
    free(server);
}
