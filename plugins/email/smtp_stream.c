#include "net/resolve.h"
#include "smtp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int unavailable(rt_ctx *ctx, rt_smtp *connection, const char *what, const char *detail)
{
    connection->broken = true;
    return rt_fail_with(
        ctx, &(rt_error){.size = sizeof(rt_error),
                         .code = RT_EUNAVAILABLE,
                         .retryable = 1,
                         .message = rt_format(ctx, "%s `%s:%u`", what, connection->server->host,
                                              connection->server->port),
                         .detail = detail});
}

/* A wait that failed: our own time limit reads better than the bare code. */
static int wait_failed(rt_ctx *ctx, rt_smtp *connection, int code)
{
    connection->broken = true;
    if (code == -RT_EDEADLINE)
        return rt_fail(ctx, RT_EDEADLINE, "no answer in time from `%s:%u`",
                       connection->server->host, connection->server->port);
    return rt_fail(ctx, -code, "the mail was given up: %s", rt_code_name(code));
}

static int wait_ready(rt_ctx *ctx, rt_smtp *connection, uint32_t events)
{
    int ready = rt_wait_fd(ctx, connection->fd, events, connection->deadline);
    return ready < 0 ? wait_failed(ctx, connection, ready) : 0;
}

/* --- connecting ------------------------------------------------------------------------------ */

static int resolve(rt_ctx *ctx, rt_smtp *connection, struct addrinfo **found)
{
    char port[8];
    const char *why;
    snprintf(port, sizeof port, "%u", connection->server->port);
    int result = rt_resolve(ctx, connection->server->host, port, found, &why);
    if (result == -RT_EUNAVAILABLE)
        return unavailable(ctx, connection, "cannot resolve", why);
    return result < 0 ? wait_failed(ctx, connection, result) : 0;
}

/* 0, an errno (positive), or -RT_E…. */
static int connect_address(rt_ctx *ctx, rt_smtp *connection, const struct addrinfo *address,
                           uint64_t deadline)
{
    int error = 0;
    socklen_t size = sizeof error;
    connection->fd =
        socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (connection->fd < 0)
        return errno;
    /* else the final dot waits for the server's delayed acknowledgement of the body: 40 ms a mail
     */
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(connection->fd, address->ai_addr, address->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    int ready = rt_wait_fd(ctx, connection->fd, RT_WRITABLE, deadline);
    if (ready < 0)
        return ready;
    return getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

/* Each address gets its share of the time that is left, so that a dead first one leaves some. */
static int connect_any(rt_ctx *ctx, rt_smtp *connection, const struct addrinfo *addresses)
{
    int result = EHOSTUNREACH;
    uint64_t count = 0;
    for (const struct addrinfo *address = addresses; address; address = address->ai_next)
        count++;
    for (; addresses; addresses = addresses->ai_next, count--) {
        uint64_t now = rt_now();
        uint64_t left = connection->deadline > now ? connection->deadline - now : 0;
        result = connect_address(ctx, connection, addresses, now + left / count);
        if (result == 0)
            return 0;
        if (connection->fd >= 0)
            close(connection->fd);
        connection->fd = -1;
        if (result == -RT_EDEADLINE && (!rt_deadline(ctx) || rt_deadline(ctx) > rt_now()))
            result = ETIMEDOUT;
        if (result < 0)
            return wait_failed(ctx, connection, result);
    }
    return unavailable(ctx, connection, "cannot connect to", strerror(result));
}

int rt_smtp_connect(rt_ctx *ctx, rt_smtp *connection)
{
    struct addrinfo *found;
    RT_TRY(resolve(ctx, connection, &found));
    int result = connect_any(ctx, connection, found);
    freeaddrinfo(found);
    return result;
}

/* --- TLS ------------------------------------------------------------------------------------- */

/* What OpenSSL said, and an empty queue: it belongs to the thread, so to every fiber. */
static const char *tls_reason(rt_ctx *ctx, const SSL *tls)
{
    unsigned long error = ERR_peek_error();
    long verdict = SSL_get_verify_result(tls);
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    ERR_clear_error();
    if (verdict != X509_V_OK)
        return rt_format(ctx, "certificate: %s", X509_verify_cert_error_string(verdict));
    return reason ? reason : "the connection was closed";
}

/* Waits for what the last call on `tls` wants; -RT_EUNAVAILABLE if it failed. */
static int tls_wait(rt_ctx *ctx, rt_smtp *connection, int result, const char *what)
{
    switch (SSL_get_error(connection->tls, result)) {
    case SSL_ERROR_WANT_READ:
        return wait_ready(ctx, connection, RT_READABLE);
    case SSL_ERROR_WANT_WRITE:
        return wait_ready(ctx, connection, RT_WRITABLE);
    default:
        return unavailable(ctx, connection, what, tls_reason(ctx, connection->tls));
    }
}

static bool expect_host(SSL *tls, const char *host)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host) == 1;
    return SSL_set1_host(tls, host) == 1 && SSL_set_tlsext_host_name(tls, host) == 1;
}

int rt_smtp_encrypt(rt_ctx *ctx, rt_smtp *connection)
{
    if (connection->begin !=
        connection->end) /* bytes sent in the clear must not pass as encrypted */
        return unavailable(ctx, connection, "unexpected bytes before TLS from", NULL);
    SSL *tls = connection->tls = SSL_new(connection->server->tls_context);
    if (!tls || !expect_host(tls, connection->server->host) || SSL_set_fd(tls, connection->fd) != 1)
        return unavailable(ctx, connection, "cannot prepare TLS with", NULL);
    for (;;) {
        ERR_clear_error();
        int result = SSL_connect(tls);
        if (result == 1)
            return 0;
        RT_TRY(tls_wait(ctx, connection, result, "no TLS with"));
    }
}

/* --- bytes and lines ------------------------------------------------------------------------- */

static int write_tls(rt_ctx *ctx, rt_smtp *connection, const char *bytes, size_t length)
{
    while (length) {
        size_t written = 0;
        ERR_clear_error();
        int result = SSL_write_ex(connection->tls, bytes, length, &written);
        if (result <= 0)
            RT_TRY(tls_wait(ctx, connection, result, "cannot write to"));
        bytes += written, length -= written;
    }
    return 0;
}

static int write_plain(rt_ctx *ctx, rt_smtp *connection, const char *bytes, size_t length)
{
    while (length) {
        ssize_t written = send(connection->fd, bytes, length, MSG_NOSIGNAL);
        if (written < 0 && errno == EAGAIN)
            RT_TRY(wait_ready(ctx, connection, RT_WRITABLE));
        else if (written < 0 && errno != EINTR)
            return unavailable(ctx, connection, "cannot write to", strerror(errno));
        else if (written > 0)
            bytes += written, length -= (size_t)written;
    }
    return 0;
}

int rt_smtp_write(rt_ctx *ctx, rt_smtp *connection, const char *bytes, size_t length)
{
    return (connection->tls ? write_tls : write_plain)(ctx, connection, bytes, length);
}

static int fill_tls(rt_ctx *ctx, rt_smtp *connection)
{
    for (;;) {
        ERR_clear_error();
        int result = SSL_read_ex(connection->tls, connection->input, sizeof connection->input,
                                 &connection->end);
        if (result > 0)
            return 0;
        RT_TRY(tls_wait(ctx, connection, result, "no reply from"));
    }
}

static int fill_plain(rt_ctx *ctx, rt_smtp *connection)
{
    for (;;) {
        ssize_t got = recv(connection->fd, connection->input, sizeof connection->input, 0);
        if (got > 0) {
            connection->end = (size_t)got;
            return 0;
        }
        if (got < 0 && errno == EAGAIN)
            RT_TRY(wait_ready(ctx, connection, RT_READABLE));
        else if (got == 0 || errno != EINTR)
            return unavailable(ctx, connection, "no reply from",
                               got ? strerror(errno) : "the connection was closed");
    }
}

/* One line without its end; what does not fit is dropped, what is not printable becomes `?`. */
int rt_smtp_read_line(rt_ctx *ctx, rt_smtp *connection, char *line, size_t size)
{
    for (size_t length = 0, seen = 0;; seen++) {
        if (connection->begin == connection->end) {
            connection->begin = connection->end = 0;
            RT_TRY((connection->tls ? fill_tls : fill_plain)(ctx, connection));
        }
        char c = connection->input[connection->begin++];
        if (c == '\n') {
            line[length - (length && line[length - 1] == '\r')] = '\0';
            for (; *line; line++)
                if (*line < ' ' || *line == 0x7f)
                    *line = '?';
            return 0;
        }
        if (seen > 65536)
            return unavailable(ctx, connection, "endless reply from", NULL);
        if (length + 1 < size)
            line[length++] = c;
    }
}
