/* transport.h — the byte stream under a connection: a socket, or TLS over one
 *
 * Non-blocking. What a read or write waits for, where it is not the obvious, is in `wants`: TLS may
 * have to read in order to write.
 */
#ifndef RT_HTTP_TRANSPORT_H
#define RT_HTTP_TRANSPORT_H

#include <stddef.h>
#include <sys/types.h>

typedef struct rt_transport {
    int fd;
} rt_transport;

/* Bytes, 0 at the end of the stream, or -errno; -EAGAIN: not now. */
ssize_t rt_transport_read(rt_transport *transport, char *into, size_t size);
/* Bytes taken, or -errno; -EAGAIN: not now. */
ssize_t rt_transport_write(rt_transport *transport, const char *data, size_t length);
/* No more will be written: the peer is told. */
void rt_transport_shut(rt_transport *transport);
void rt_transport_close(rt_transport *transport);

#endif
