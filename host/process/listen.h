/* listen.h — listening sockets from addresses as they are configured */
#ifndef RT_PROCESS_LISTEN_H
#define RT_PROCESS_LISTEN_H

#include "base/arena.h"

#include <stdint.h>

typedef struct rt_socket {
    int fd;          /* listening; close-on-exec, non-blocking */
    uint32_t flags;  /* rt_listen_flags of http.h */
    const char *url; /* with the port that was really taken */
    uint64_t file;   /* the number of a unix socket's file; 0: it has none */
} rt_socket;

typedef struct rt_sockets {
    rt_socket *items;
    size_t count;
} rt_sockets;

/* Opens `host:port`, `[::1]:port`, `*:port` for all addresses, or `unix:/path`; a name may stand
 * for several. Words may follow (config/listener.h). What a dead server left at a unix socket's
 * path is replaced. 0 or -1 with the reason in `*error`. */
int rt_listen(rt_sockets *sockets, rt_arena *arena, const char *address, const char **error);
/* What the words behind the address come to, for each of its sockets. */
uint32_t rt_listen_flags(const char *address);
/* Gives the file of a unix socket the mode of these words, if it is still this socket's. */
void rt_listen_set_mode(const rt_sockets *sockets, const char *address);
/* Removes the files of unix sockets, too, where they are still these sockets'. */
void rt_sockets_close(rt_sockets *sockets);

#endif
