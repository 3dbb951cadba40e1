/* redis_link.h — one connection to a server: socket, TLS, introduction
 *
 * What waits takes a context and a deadline. Reading and writing do neither: they say what to wait
 * for, and what went wrong in `failure`, for no unit of work need be there to be told.
 */
#ifndef PLUGINS_REDIS_LINK_H
#define PLUGINS_REDIS_LINK_H

#include "redis_address.h"
#include "redis_bytes.h"
#include "redis_reply.h"

#include <openssl/ssl.h>
#include <rt/rt.h>

/* What all links of an instance have in common. */
typedef struct rt_redis_settings {
    rt_redis_address address; /* with Sentinel, of no server: only its database and TLS count */
    const char *user, *password, *client_name;
    const char *server_name; /* in the certificate; NULL: the host */
    SSL_CTX *tls;
    int64_t database;
    uint64_t connect_timeout, timeout, max_reply, keepalive;
    const char *master; /* by Sentinel; else NULL */
    const char *sentinel_user, *sentinel_password;
    const rt_setting *sentinels;
} rt_redis_settings;

/* Whom to connect to, and as whom. */
typedef struct rt_redis_target {
    const rt_redis_settings *settings;
    rt_redis_address address;
    const char *user, *password, *client_name;
    int64_t database;
    bool is_sentinel, must_be_master;
} rt_redis_target;

typedef struct rt_redis_link {
    struct rt_redis_link *next; /* among those of a pool */
    rt_redis_address address;
    char where[320];
    rt_redis_reader *reader;
    SSL *tls;
    int fd;
    uint32_t wants; /* RT_READABLE or RT_WRITABLE, where a read or write could not go on */
    uint32_t reads; /* since others last ran */
    bool broken;
    bool demoted;     /* it said READONLY: no master any more */
    bool transaction; /* MULTI is allowed */
    char failure[200];
    char input[32768];
} rt_redis_link;

/* The server that the settings name, or the master that Sentinel names: connected, encrypted,
 * introduced, within `connect_timeout`. -RT_EUNAVAILABLE with what to change, or the context's own
 * deadline or cancellation. */
int rt_redis_open(rt_ctx *ctx, const rt_redis_settings *settings, rt_redis_link **link);
void rt_redis_close(rt_redis_link *link);

/* One that lay idle: nothing has come that nobody asked for, and it was not closed. */
bool rt_redis_usable(rt_redis_link *link);

/* Sends, and waits for the replies. 0, -RT_EUNAVAILABLE, -RT_ERESOURCE_EXHAUSTED (`max_reply`),
 * -RT_EINTERNAL (no RESP), or what the wait says; the link is broken then. `failure` tells. */
int rt_redis_exchange(rt_ctx *ctx, rt_redis_link *link, rt_redis_bytes *bytes,
                      rt_redis_replies *replies, uint64_t deadline);

/* --- parts ----------------------------------------------------------------------------------- */

int rt_redis_link_to(rt_ctx *ctx, const rt_redis_target *target, uint64_t deadline,
                     rt_redis_link **link);
int rt_redis_find_master(rt_ctx *ctx, const rt_redis_settings *settings, uint64_t deadline,
                         rt_redis_link **link);

int rt_redis_stream_open(rt_ctx *ctx, rt_redis_link *link, const rt_redis_settings *settings,
                         uint64_t deadline);
/* Bytes, 0: wait for `wants`, -1: `failure`. */
int64_t rt_redis_stream_read(rt_redis_link *link, char *bytes, size_t size);
int64_t rt_redis_stream_write(rt_redis_link *link, const char *bytes, size_t length);
/* After each read: a server that is faster than we are must not keep the loop from all others. */
int rt_redis_give_way(rt_ctx *ctx, rt_redis_link *link);

/* Notes why the link is of no use any more; the first reason stays. */
void rt_redis_break(rt_redis_link *link, const char *why);
/* -RT_EUNAVAILABLE: `what` and where, with `detail` and `hint`. */
int rt_redis_unavailable(rt_ctx *ctx, const rt_redis_link *link, const char *what,
                         const char *detail, const char *hint);
/* A wait that failed while we connected: that our own time is over is said, after `what`. */
int rt_redis_connect_failed(rt_ctx *ctx, const rt_redis_link *link, const char *what, int code);

#endif
