/* listen.h — listening sockets from addresses as they are configured */
#ifndef RT_PROCESS_LISTEN_H
#define RT_PROCESS_LISTEN_H

#include "base/arena.h"

typedef struct rt_sockets {
    int *descriptors; /* close-on-exec, non-blocking */
    size_t count;
    const char **urls; /* by descriptor, with the port that was really taken */
    size_t url_count;
} rt_sockets;

/* Opens `host:port`, `[::1]:port`, or `*:port` for all addresses; a name may stand for several. 0
 * or -1 with the reason in `*error`. */
int rt_listen(rt_sockets *sockets, rt_arena *arena, const char *address, const char **error);
void rt_sockets_close(rt_sockets *sockets);

#endif
