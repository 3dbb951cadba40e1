/* The socket of a link, and TLS on it. */
#include "net/resolve.h"
#include "redis_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void rt_redis_break(rt_redis_link *link, const char *why)
{
    if (!link->broken)
        snprintf(link->failure, sizeof link->failure, "%s", why);
    link->broken = true;
}

int rt_redis_unavailable(rt_ctx *ctx, const rt_redis_link *link, const char *what,
                         const char *detail, const char *hint)
{
    return rt_fail_with(ctx, &(rt_error){.size = sizeof(rt_error),
                                         .code = RT_EUNAVAILABLE,
                                         .retryable = 1,
                                         .message = rt_format(ctx, "%s `%s`", what, link->where),
                                         .detail = detail,
                                         .hint = hint});
}

int rt_redis_connect_failed(rt_ctx *ctx, const rt_redis_link *link, const char *what, int code)
{
    uint64_t deadline = rt_deadline(ctx);
    if (code != -RT_EDEADLINE || (deadline && deadline <= rt_now()))
        return code;
    return rt_redis_unavailable(ctx, link, what, "no answer in `connect_timeout`", NULL);
}

/* --- connecting ------------------------------------------------------------------------------ */

static int resolve(rt_ctx *ctx, rt_redis_link *link, struct addrinfo **found)
{
    char port[8];
    const char *why;
    snprintf(port, sizeof port, "%u", link->address.port);
    int result = rt_resolve(ctx, link->address.host, port, found, &why);
    return result == -RT_EUNAVAILABLE
               ? rt_redis_unavailable(ctx, link, "cannot resolve", why, "check the host in `url`")
               : result;
}

/* 0, an errno (positive), or -RT_E…. */
static int connect_socket(rt_ctx *ctx, rt_redis_link *link, const struct sockaddr *address,
                          socklen_t length, uint64_t deadline)
{
    int error = 0;
    socklen_t size = sizeof error;
    link->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->fd < 0)
        return errno;
    if (connect(link->fd, address, length) == 0)
        return 0;
    if (errno != EINPROGRESS) /* EAGAIN of a unix socket: its backlog is full */
        return errno;
    int ready = rt_wait_fd(ctx, link->fd, RT_WRITABLE, deadline);
    if (ready < 0)
        return ready;
    return getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

static void close_socket(rt_redis_link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

static int cannot_connect(rt_ctx *ctx, rt_redis_link *link, int error)
{
    close_socket(link);
    if (error < 0)
        return rt_redis_connect_failed(ctx, link, "cannot connect to", error);
    return rt_redis_unavailable(ctx, link, "cannot connect to", strerror(error),
                                "start the server, or change `url`");
}

/* Each address gets its share of the time that is left, so that a dead first one leaves some. */
static int connect_any(rt_ctx *ctx, rt_redis_link *link, const struct addrinfo *addresses,
                       uint64_t deadline)
{
    int result = EHOSTUNREACH;
    uint64_t count = 0;
    for (const struct addrinfo *address = addresses; address; address = address->ai_next)
        count++;
    for (; addresses; addresses = addresses->ai_next, count--) {
        uint64_t now = rt_now(), left = deadline > now ? deadline - now : 0;
        close_socket(link);
        result = connect_socket(ctx, link, addresses->ai_addr, addresses->ai_addrlen,
                                now + left / count);
        bool over = result < 0 && (result != -RT_EDEADLINE || count == 1);
        if (result == 0 || over)
            break;
    }
    return result ? cannot_connect(ctx, link, result) : 0;
}

static int connect_unix(rt_ctx *ctx, rt_redis_link *link, uint64_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%.*s", (int)sizeof address.sun_path - 1,
             link->address.host);
    int result = connect_socket(ctx, link, (struct sockaddr *)&address, sizeof address, deadline);
    return result ? cannot_connect(ctx, link, result) : 0;
}

/* Commands are small and wait for their replies: none waits for another to fill a segment. */
static void tune(const rt_redis_link *link, uint64_t keepalive)
{
    int seconds = (int)(keepalive / RT_S(1)), interval = seconds / 3 ? seconds / 3 : 1;
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(link->fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    setsockopt(link->fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    setsockopt(link->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(link->fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){3}, sizeof(int));
}

static int connect_inet(rt_ctx *ctx, rt_redis_link *link, uint64_t keepalive, uint64_t deadline)
{
    struct addrinfo *found;
    RT_TRY(resolve(ctx, link, &found));
    int result = connect_any(ctx, link, found, deadline);
    freeaddrinfo(found);
    if (result == 0)
        tune(link, keepalive);
    return result;
}

/* --- TLS ------------------------------------------------------------------------------------- */

/* What OpenSSL said, and an empty queue: it belongs to the thread, so to every fiber. */
static const char *tls_reason(const SSL *tls, char *text, size_t size)
{
    unsigned long error = ERR_peek_error();
    long verdict = SSL_get_verify_result(tls);
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    ERR_clear_error();
    if (verdict == X509_V_OK)
        return reason ? reason : "the connection was closed";
    snprintf(text, size, "certificate: %s", X509_verify_cert_error_string(verdict));
    return text;
}

/* 0: `wants` says what to wait for; -1: the link is broken. */
static int tls_outcome(rt_redis_link *link, int result)
{
    char text[160];
    switch (SSL_get_error(link->tls, result)) {
    case SSL_ERROR_WANT_READ:
        link->wants = RT_READABLE;
        return 0;
    case SSL_ERROR_WANT_WRITE:
        link->wants = RT_WRITABLE;
        return 0;
    case SSL_ERROR_SYSCALL:
        rt_redis_break(link, errno && !ERR_peek_error() ? strerror(errno)
                                                        : tls_reason(link->tls, text, sizeof text));
        return -1;
    default:
        rt_redis_break(link, tls_reason(link->tls, text, sizeof text));
        return -1;
    }
}

static bool expect_host(SSL *tls, const char *host)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
    return SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1;
}

/* A certificate that is not trusted now will not be in a second. */
static int no_tls(rt_ctx *ctx, const rt_redis_link *link)
{
    return rt_fail_with(
        ctx, &(rt_error){.size = sizeof(rt_error),
                         .code = RT_EUNAVAILABLE,
                         .retryable = SSL_get_verify_result(link->tls) == X509_V_OK,
                         .message = rt_format(ctx, "no TLS with `%s`", link->where),
                         .detail = rt_format(ctx, "%s", link->failure),
                         .hint = "check `tls` of the provider, and that the port speaks TLS"});
}

static int shake_hands(rt_ctx *ctx, rt_redis_link *link, uint64_t deadline)
{
    for (;;) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_connect(link->tls);
        if (result == 1)
            return 0;
        if (tls_outcome(link, result) < 0)
            return no_tls(ctx, link);
        int ready = rt_wait_fd(ctx, link->fd, link->wants, deadline);
        if (ready < 0)
            return rt_redis_connect_failed(ctx, link, "no TLS with", ready);
    }
}

static int encrypt(rt_ctx *ctx, rt_redis_link *link, const rt_redis_settings *settings,
                   uint64_t deadline)
{
    const char *name = settings->server_name ? settings->server_name : link->address.host;
    link->tls = SSL_new(settings->tls);
    if (!link->tls || !expect_host(link->tls, name) || SSL_set_fd(link->tls, link->fd) != 1) {
        ERR_clear_error();
        return rt_redis_unavailable(ctx, link, "cannot prepare TLS with", NULL, NULL);
    }
    return shake_hands(ctx, link, deadline);
}

int rt_redis_stream_open(rt_ctx *ctx, rt_redis_link *link, const rt_redis_settings *settings,
                         uint64_t deadline)
{
    if (!link->address.port)
        return connect_unix(ctx, link, deadline);
    RT_TRY(connect_inet(ctx, link, settings->keepalive, deadline));
    return link->address.tls ? encrypt(ctx, link, settings, deadline) : 0;
}

/* --- bytes ----------------------------------------------------------------------------------- */

static int64_t outcome(rt_redis_link *link, int64_t result, uint32_t direction)
{
    if (result > 0)
        return result;
    if (result < 0 && (errno == EAGAIN || errno == EINTR)) {
        link->wants = direction;
        return 0;
    }
    rt_redis_break(link, result ? strerror(errno) : "the server closed the connection");
    return -1;
}

int64_t rt_redis_stream_read(rt_redis_link *link, char *bytes, size_t size)
{
    size_t got = 0;
    if (!link->tls)
        return outcome(link, recv(link->fd, bytes, size, 0), RT_READABLE);
    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(link->tls, bytes, size, &got);
    return result > 0 ? (int64_t)got : tls_outcome(link, result);
}

int64_t rt_redis_stream_write(rt_redis_link *link, const char *bytes, size_t length)
{
    size_t written = 0;
    if (!link->tls)
        return outcome(link, send(link->fd, bytes, length, MSG_NOSIGNAL), RT_WRITABLE);
    ERR_clear_error();
    errno = 0;
    int result = SSL_write_ex(link->tls, bytes, length, &written);
    return result > 0 ? (int64_t)written : tls_outcome(link, result);
}
