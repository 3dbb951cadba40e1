#include "http/transport.h"

#include "http/tls.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t rt_transport_read(rt_transport *transport, char *into, size_t size)
{
    ssize_t got;
    if (transport->tls)
        return rt_tls_read(transport, into, size);
    do
        got = recv(transport->fd, into, size, 0);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t rt_transport_write(rt_transport *transport, const char *data, size_t length)
{
    ssize_t sent;
    if (transport->tls)
        return rt_tls_write(transport, data, length);
    do
        sent = send(transport->fd, data, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

void rt_transport_shut(rt_transport *transport)
{
    if (transport->tls && !transport->broken)
        rt_tls_shut(transport->tls);
    shutdown(transport->fd, SHUT_WR);
}

void rt_transport_cut(rt_transport *transport)
{
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(transport->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    transport->broken = true;
}

void rt_transport_close(rt_transport *transport)
{
    if (transport->tls) {
        if (!transport->broken)
            rt_tls_shut(transport->tls);
        rt_tls_free(transport->tls);
        transport->tls = NULL;
    }
    close(transport->fd);
    transport->fd = -1;
}
