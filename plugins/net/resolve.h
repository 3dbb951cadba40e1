/* resolve.h — the addresses of a name, without holding up the loop
 *
 * What providers that open sockets of their own share. Source: getaddrinfo(3).
 */
#ifndef PLUGINS_NET_RESOLVE_H
#define PLUGINS_NET_RESOLVE_H

#include <rt/rt.h>

#include <netdb.h>

/* 0: `*found` is for freeaddrinfo. -RT_EUNAVAILABLE: the name leads nowhere, `*why` says why in the
 * resolver's words; sets no error. -RT_ECANCELED, -RT_EDEADLINE: the wait was cut short. Resolving
 * blocks, so it is done in the thread pool; an address that is a number needs no thread. */
int rt_resolve(rt_ctx *ctx, const char *host, const char *port, struct addrinfo **found,
               const char **why);

#endif
