/* listen.h — listening sockets from addresses as they are configured */
#ifndef RT_PROCESS_LISTEN_H
#define RT_PROCESS_LISTEN_H

#include "base/arena.h"

#include <stdint.h>

typedef struct rt_socket {
    int fd;          /* listening; close-on-exec, non-blocking */
    uint32_t flags;  /* rt_listen_flags of http.h */
    const char *url; /* with the port that was really taken */
} rt_socket;

typedef struct rt_sockets {
    rt_socket *items;
    size_t count;
} rt_sockets;

/* Opens `host:port`, `[::1]:port`, or `*:port` for all addresses; a name may stand for several. 0
 * or -1 with the reason in `*error`. */
int rt_listen(rt_sockets *sockets, rt_arena *arena, const char *address, const char **error);
void rt_sockets_close(rt_sockets *sockets);

#endif
