/* transport.h — the byte stream under a connection: a socket, or TLS over one
 *
 * Non-blocking. TLS may have to write in order to read, and may hold bytes that the socket will not
 * announce; the connection asks both before it waits.
 */
#ifndef RT_HTTP_TRANSPORT_H
#define RT_HTTP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct rt_transport {
    int fd;
    bool shaking;        /* the handshake is not over */
    bool holds;          /* more can be read at once, perhaps */
    bool awaits_writing; /* reading goes on when the socket can be written */
    bool broken;         /* nothing can be said any more */
    bool is_plain;       /* it failed because the peer speaks HTTP without TLS */
    struct ssl_st *tls;  /* NULL: the socket alone */
} rt_transport;

/* Bytes, 0 at the end of the stream, or -errno; -EAGAIN: not now; -EPROTO: TLS failed. */
ssize_t rt_transport_read(rt_transport *transport, char *into, size_t size);
/* Bytes taken, or -errno; -EAGAIN: not now, and the same bytes must come again. */
ssize_t rt_transport_write(rt_transport *transport, const char *data, size_t length);
/* No more will be written: the peer is told. */
void rt_transport_shut(rt_transport *transport);
/* The peer is to see, when it is closed, that what it got is not all. */
void rt_transport_cut(rt_transport *transport);
void rt_transport_close(rt_transport *transport);

#endif
