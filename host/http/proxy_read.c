/* proxy_read.c — the PROXY header of a connection, before its first byte and before TLS */
#include "http/internal.h"

#include "http/proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

void rt_proxy_begin(rt_connection *connection)
{
    connection->proxy = rt_xcalloc(1, sizeof *connection->proxy);
}

void rt_proxy_free(rt_connection *connection)
{
    if (!connection->proxy)
        return;
    rt_buffer_free(connection->proxy);
    free(connection->proxy);
    connection->proxy = NULL;
}

static ssize_t take(int fd, char *into, size_t size, int flags)
{
    ssize_t got;
    do
        got = recv(fd, into, size, flags);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static void use(rt_connection *connection, const rt_proxy *proxy)
{
    if (proxy->is_known)
        rt_connection_name(connection, &proxy->source);
    connection->secure |= proxy->secure;
    rt_proxy_free(connection);
}

/* Looks at what is there before it takes the part that belongs to the header: of the bytes behind
 * it not one may be taken, for they could be TLS. */
int rt_proxy_read(rt_connection *connection)
{
    int fd = connection->transport.fd;
    char *there = connection->server->read_buffer;
    rt_buffer *kept = connection->proxy;
    size_t before = kept->length;
    rt_proxy proxy;
    ssize_t got = take(fd, there, RT_PROXY_LIMIT, MSG_PEEK);
    if (got <= 0)
        return got ? (int)got : -ECONNRESET;
    rt_buffer_add(kept, there, (size_t)got);
    int result = rt_proxy_parse(&proxy, kept->data, kept->length);
    if (result < 0)
        return -EPROTO;
    size_t ours = result == RT_HTTP_DONE ? proxy.length - before : (size_t)got;
    if (take(fd, there, ours, 0) != (ssize_t)ours)
        return -EPROTO;
    if (result == RT_HTTP_MORE)
        return 0;
    use(connection, &proxy);
    return 1;
}
