/* tls.h — TLS 1.2 and 1.3 of a worker's listeners: certificates by name, ALPN, tickets
 *
 * OpenSSL's error queue is empty after each call, for a fiber may wait next.
 */
#ifndef RT_HTTP_TLS_H
#define RT_HTTP_TLS_H

#include "base/arena.h"
#include "http/tickets.h"

#include <sys/types.h>

typedef struct rt_tls rt_tls;
struct ssl_st;
struct rt_transport;

typedef struct rt_tls_pair {
    const char *certificate, *key; /* PEM */
} rt_tls_pair;

typedef struct rt_tls_options {
    const rt_tls_pair *pairs; /* the first is for whoever names none of them */
    size_t count;
    bool only_1_3;
    bool http1_only;
    const rt_ticket_secret *tickets; /* NULL: of this process alone */
} rt_tls_options;

/* NULL and the reason, in the arena. */
rt_tls *rt_tls_open(const rt_tls_options *options, rt_arena *arena, const char **why);
void rt_tls_close(rt_tls *tls);

/* Behind transport.h. The handshake runs with the first reads. NULL: no memory. */
struct ssl_st *rt_tls_accept(rt_tls *tls, int fd);
void rt_tls_free(struct ssl_st *session);
bool rt_tls_is_ready(const struct ssl_st *session);
const char *rt_tls_version(const struct ssl_st *session); /* "TLSv1.3" */
bool rt_tls_speaks_http2(const struct ssl_st *session);
ssize_t rt_tls_read(struct rt_transport *transport, char *into, size_t size);
ssize_t rt_tls_write(struct rt_transport *transport, const char *data, size_t length);
/* Tells the peer that nothing more will be sent, unless it knows, or cannot be told. */
void rt_tls_shut(struct ssl_st *session);

#endif
