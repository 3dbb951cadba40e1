#include "http/transport.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

ssize_t rt_transport_read(rt_transport *transport, char *into, size_t size)
{
    ssize_t got;
    do
        got = recv(transport->fd, into, size, 0);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

ssize_t rt_transport_write(rt_transport *transport, const char *data, size_t length)
{
    ssize_t sent;
    do
        sent = send(transport->fd, data, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

void rt_transport_shut(rt_transport *transport)
{
    shutdown(transport->fd, SHUT_WR);
}

void rt_transport_close(rt_transport *transport)
{
    close(transport->fd);
    transport->fd = -1;
}
