/* passed.h — listening sockets that the service manager opened: sd_listen_fds(3)
 *
 * They are kept for the life of the process and given out as copies, so that an address which a
 * reload takes away and another brings back is still there.
 */
#ifndef RT_PROCESS_PASSED_H
#define RT_PROCESS_PASSED_H

#include <stdbool.h>
#include <sys/socket.h>

/* Takes what LISTEN_FDS says if it is meant for this process, makes it close-on-exec, and warns of
 * what is no listening stream socket. */
void rt_passed_open(void);

/* A copy of the socket that is bound to this address, close-on-exec and non-blocking; -1: none
 * is. */
int rt_passed_take(const struct sockaddr *address, socklen_t length);
/* True for all addresses of IPv4 when one is passed for those of IPv6 that takes IPv4 too: nothing
 * can be bound beside it. */
bool rt_passed_covers(const struct sockaddr *address);

/* Warns of those that nobody has taken. */
void rt_passed_report(void);

#endif
