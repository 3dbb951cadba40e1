#include "http/internal.h"
#include "http/measure.h"
#include "http/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LINGER_BYTES (1u << 20)

#define READS_AT_ONCE 4 /* while TLS holds more, before others have their turn */

static void on_event(uv_poll_t *poll, int status, int events);

/* --- life ------------------------------------------------------------------------------------ */

static void add_to_server(rt_connection *connection)
{
    rt_http_server *server = connection->server;
    connection->next = server->connections;
    if (server->connections)
        server->connections->previous = connection;
    server->connections = connection;
    server->connection_count++;
    rt_measure_connection(server->features.measures, true);
}

static void remove_from_server(rt_connection *connection)
{
    rt_http_server *server = connection->server;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    server->connection_count--;
    rt_measure_connection(server->features.measures, false);
}

static void on_closed(uv_handle_t *handle)
{
    rt_connection *connection = (rt_connection *)handle;
    rt_http_server *server = connection->server;
    remove_from_server(connection);
    free(connection);
    rt_server_connection_gone(server);
}

/* The handle is closed last, so that memory goes only from the loop: never under a caller. Its
 * descriptor outlives it, for closing a poll handle takes the number out of the loop's epoll set,
 * and by then it could be another connection's. */
static void release(rt_connection *connection)
{
    rt_buffer_recycle(connection->server, &connection->out);
    rt_proxy_free(connection);
    connection->protocol->release(connection);
    uv_close((uv_handle_t *)&connection->poll, on_closed);
    rt_transport_close(&connection->transport);
}

void rt_connection_close(rt_connection *connection)
{
    if (connection->closed)
        return;
    connection->closed = true;
    if (connection->transport.shaking)
        rt_measure_handshake(connection->server->features.measures, false);
    rt_timeout_set(connection, RT_TIMEOUT_NONE);
    uv_poll_stop(&connection->poll);
    if (connection->active)
        connection->protocol->closed(connection);
    else
        release(connection);
}

bool rt_connection_left(rt_connection *connection)
{
    if (connection->closed && !connection->active)
        release(connection);
    return !connection->closed;
}

void rt_connection_name(rt_connection *connection, const rt_ip *peer)
{
    connection->peer = *peer;
    connection->peer_length = (uint8_t)rt_ip_text(peer, connection->peer_text);
}

/* Which protocol is spoken, the handshake will say. */
static bool begin_tls(rt_connection *connection)
{
    rt_transport *transport = &connection->transport;
    connection->sniffs = false;
    transport->shaking = true;
    transport->tls = rt_tls_accept(connection->server->options.tls, transport->fd);
    return transport->tls != NULL;
}

void rt_connection_accept(const rt_listener *listener, int fd, const rt_ip *peer)
{
    rt_http_server *server = listener->server;
    rt_connection *connection = rt_xcalloc(1, sizeof *connection);
    connection->server = server;
    connection->protocol = &rt_http1_protocol;
    connection->transport.fd = fd;
    connection->fresh = true;
    rt_connection_name(connection, peer);
    connection->secure = listener->flags & RT_LISTEN_TLS;
    if (listener->flags & RT_LISTEN_PROXY)
        rt_proxy_begin(connection);
    connection->sniffs = !server->options.http1_only;
    if ((connection->secure && !begin_tls(connection)) ||
        uv_poll_init(server->loop, &connection->poll, fd) < 0) {
        rt_transport_close(&connection->transport);
        rt_proxy_free(connection);
        free(connection);
        return;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* unix sockets have none */
    add_to_server(connection);
    rt_connection_settle(connection);
}

bool rt_connection_is_idle(const rt_connection *connection)
{
    return !connection->active && !connection->out.length && !connection->lingering &&
           connection->protocol->is_idle(connection);
}

/* --- writing --------------------------------------------------------------------------------- */

void rt_connection_flush(rt_connection *connection)
{
    while (connection->sent < connection->out.length) {
        ssize_t sent =
            rt_transport_write(&connection->transport, connection->out.data + connection->sent,
                               connection->out.length - connection->sent);
        if (sent == -EAGAIN)
            return;
        if (sent < 0) {
            rt_connection_close(connection);
            return;
        }
        connection->sent += (size_t)sent;
        if (connection->sent < connection->out.length)
            rt_timeout_set(connection, RT_TIMEOUT_NONE); /* progress: the limit begins anew */
    }
    connection->sent = connection->out.length = 0;
    rt_buffer_recycle(connection->server, &connection->out);
}

static void begin_linger(rt_connection *connection)
{
    connection->lingering = true;
    connection->protocol->release(connection);
    rt_transport_shut(&connection->transport);
}

/* --- what to wait for ------------------------------------------------------------------------ */

static bool wants_bytes(const rt_connection *connection)
{
    return !connection->eof && (connection->lingering || connection->protocol->reads(connection));
}

static int wanted_events(const rt_connection *connection)
{
    const rt_transport *transport = &connection->transport;
    int events = connection->out.length ? UV_WRITABLE : 0;
    if (wants_bytes(connection)) {
        events |= transport->awaits_writing ? UV_WRITABLE : UV_READABLE;
        if (transport->holds)
            events |= UV_WRITABLE; /* it can be, so that we come back to read at once */
    }
    /* A hang-up is reported whatever is watched; out-of-band data nobody sends. */
    return events ? events : UV_PRIORITIZED;
}

static enum rt_timeout_class wanted_timeout(const rt_connection *connection)
{
    if (connection->out.length)
        return RT_TIMEOUT_WRITE;
    return connection->lingering ? RT_TIMEOUT_LINGER : connection->protocol->awaits(connection);
}

void rt_connection_watch(rt_connection *connection)
{
    int events = wanted_events(connection);
    if (events != connection->events) {
        connection->events = events;
        uv_poll_start(&connection->poll, events, on_event);
    }
    enum rt_timeout_class class = wanted_timeout(connection);
    if (class != connection->timeout)
        rt_timeout_set(connection, class);
}

/* Nothing more will be answered: closes, or first drains what the peer is sending, for a close with
 * unread bytes resets the connection and may take the answer with it. */
static void finish(rt_connection *connection)
{
    bool drain = connection->linger && !connection->eof && !connection->server->interrupted;
    if (!drain)
        rt_connection_close(connection);
    else if (!connection->lingering)
        begin_linger(connection);
}

/* Sends until nothing is left or the peer must read first. Who waits for room hears of it here too:
 * a socket may become writable between two looks at it. */
static void send_out(rt_connection *connection)
{
    while (!connection->closed && connection->out.length) {
        rt_connection_flush(connection);
        if (connection->closed || connection->out.length)
            return;
        connection->protocol->flushed(connection);
    }
}

void rt_connection_settle(rt_connection *connection)
{
    send_out(connection);
    bool blocked = connection->out.length > 0;
    if (connection->closed)
        return;
    if (blocked && connection->server->interrupted && !connection->active) {
        rt_connection_close(connection);
        return;
    }
    if (!blocked && !connection->active && (connection->last || connection->eof))
        finish(connection);
    else if (connection->server->ends_idle && !connection->fresh &&
             rt_connection_is_idle(connection))
        rt_connection_finish_idle(connection); /* its answer was on its way as draining began */
    if (!connection->closed)
        rt_connection_watch(connection);
}

/* --- events ---------------------------------------------------------------------------------- */

/* Prior knowledge of HTTP/2 shows in the first bytes, which come in pieces too. Until they are
 * whole, or unlike it, nobody else sees them; nor do they end the wait for a first request. */
static void sniff(rt_connection *connection, const char *data, size_t length)
{
    size_t known = connection->preface, rest = sizeof RT_HTTP2_PREFACE - 1 - known;
    size_t compared = length < rest ? length : rest;
    bool same = !memcmp(data, &RT_HTTP2_PREFACE[known], compared);
    connection->preface = (uint8_t)(known + compared);
    if (same && compared < rest)
        return;
    connection->sniffs = connection->fresh = false;
    if (same)
        rt_http2_begin(connection);
    if (known)
        connection->protocol->received(connection, RT_HTTP2_PREFACE, known);
    if (!connection->closed)
        connection->protocol->received(connection, data, length);
}

static void received(rt_connection *connection, size_t length)
{
    const char *data = connection->server->read_buffer;
    if (connection->sniffs) {
        sniff(connection, data, length);
        return;
    }
    connection->fresh = false;
    if (!connection->lingering) {
        connection->protocol->received(connection, data, length);
        return;
    }
    connection->lingered += length;
    if (connection->lingered > LINGER_BYTES)
        rt_connection_close(connection);
}

static void reached_end(rt_connection *connection)
{
    connection->eof = true;
    if (connection->protocol->finished && !connection->lingering)
        connection->protocol->finished(connection);
}

/* Bytes, 0 at the end, or -errno. */
static ssize_t read_some(rt_connection *connection)
{
    int result = connection->proxy ? rt_proxy_read(connection) : 1;
    if (result != 1)
        return result ? result : -EAGAIN;
    return rt_transport_read(&connection->transport, connection->server->read_buffer, RT_READ_SIZE);
}

/* The handshake is over. */
static void greet(rt_connection *connection)
{
    connection->transport.shaking = false;
    rt_measure_handshake(connection->server->features.measures, true);
    connection->tls_version = rt_tls_version(connection->transport.tls);
    if (rt_tls_speaks_http2(connection->transport.tls))
        rt_http2_begin(connection);
}

static void answer_plainly(rt_connection *connection)
{
    rt_transport *transport = &connection->transport;
    rt_measure_handshake(connection->server->features.measures, false);
    rt_tls_free(transport->tls);
    transport->tls = NULL;
    transport->shaking = transport->is_plain = transport->broken = connection->secure = false;
    rt_http1_refuse(connection, 400, "a plain HTTP request was sent to a port of TLS");
}

/* False if nothing was there to read. */
static bool receive(rt_connection *connection)
{
    rt_transport *transport = &connection->transport;
    ssize_t got = read_some(connection);
    if (transport->shaking && transport->tls && rt_tls_is_ready(transport->tls))
        greet(connection);
    if (got == -EAGAIN)
        return false;
    if (got < 0 && transport->is_plain)
        answer_plainly(connection);
    else if (got < 0)
        rt_connection_close(connection);
    else if (got == 0)
        reached_end(connection);
    else
        received(connection, (size_t)got);
    return true;
}

static void writable(rt_connection *connection)
{
    rt_connection_flush(connection);
    if (!connection->closed && !connection->out.length)
        connection->protocol->flushed(connection);
}

static bool may_read(const rt_connection *connection, int events)
{
    const rt_transport *transport = &connection->transport;
    return events & UV_READABLE || transport->holds ||
           (events & UV_WRITABLE && transport->awaits_writing);
}

static void read_on(rt_connection *connection)
{
    for (int i = 0; i < READS_AT_ONCE && !connection->closed && wants_bytes(connection); i++)
        if (!receive(connection) || !connection->transport.holds)
            return;
}

/* A hang-up or an error (then `status` is negative) means that nobody will read an answer. */
static void on_event(uv_poll_t *poll, int status, int events)
{
    rt_connection *connection = (rt_connection *)poll;
    if (status < 0 || events & UV_PRIORITIZED) {
        rt_connection_close(connection);
        return;
    }
    if (events & UV_WRITABLE && connection->out.length)
        writable(connection);
    if (may_read(connection, events))
        read_on(connection);
    rt_connection_settle(connection);
}

void rt_connection_finish_idle(rt_connection *connection)
{
    if (!receive(connection)) {
        rt_connection_close(connection);
        return;
    }
    rt_connection_settle(connection);
}
