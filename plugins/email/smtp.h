/* smtp.h — one connection to an SMTP server (RFC 5321, 3207, 4954, 8314)
 *
 * Spoken here and not by libcurl, which blocks the calling thread until the server has answered the
 * end of a mail, and which delivers a truncated mail when a transfer is cancelled (README.md).
 *
 * Every function but rt_smtp_close and rt_smtp_usable waits, until `connection->deadline` at most,
 * and sets the context's error. After -RT_E… the connection is good for another mail only if
 * rt_smtp_usable says so.
 */
#ifndef RT_EMAIL_SMTP_H
#define RT_EMAIL_SMTP_H

#include "message.h"
#include "mime.h"

#include <openssl/ssl.h>

enum rt_smtp_tls { RT_SMTP_PLAIN, RT_SMTP_STARTTLS, RT_SMTP_IMPLICIT };

typedef struct rt_smtp_server {
    const char *host;
    const char *hostname; /* ours, for EHLO */
    const char *user;     /* NULL: no AUTH */
    const char *password;
    uint16_t port;
    enum rt_smtp_tls tls;
    SSL_CTX *tls_context;
    uint64_t connect_timeout, timeout; /* nanoseconds */
} rt_smtp_server;

typedef struct rt_smtp_reply {
    int code;
    char text[512]; /* all lines, joined by spaces, printable */
} rt_smtp_reply;

typedef struct rt_smtp {
    struct rt_smtp *next; /* in the pool */
    const rt_smtp_server *server;
    SSL *tls; /* NULL: not encrypted */
    int fd;
    bool broken;   /* no more commands can be sent */
    bool answered; /* the server accepted a command of the mail under way */
    bool plain_auth, login_auth, starttls;
    uint64_t deadline;
    uint64_t idle_since;
    size_t begin, end; /* what is read and not yet used */
    char input[2048];
    rt_smtp_reply reply; /* the last one */
} rt_smtp;

/* Connects, encrypts, greets and authenticates. */
int rt_smtp_open(rt_ctx *ctx, const rt_smtp_server *server, rt_smtp **connection);

/* Hands over one mail. Refused recipients refuse the mail: it goes to all or to nobody. */
int rt_smtp_send(rt_ctx *ctx, rt_smtp *connection, rt_mail *mail, const rt_mail_text *text);

/* Whether the server still waits for commands. Does not wait. */
bool rt_smtp_usable(rt_smtp *connection);

/* Says QUIT without waiting for the answer. */
void rt_smtp_close(rt_smtp *connection);

/* smtp_stream.c: bytes and lines, encrypted or not. */
int rt_smtp_connect(rt_ctx *ctx, rt_smtp *connection);
int rt_smtp_encrypt(rt_ctx *ctx, rt_smtp *connection);
int rt_smtp_write(rt_ctx *ctx, rt_smtp *connection, const char *bytes, size_t length);
int rt_smtp_read_line(rt_ctx *ctx, rt_smtp *connection, char *line, size_t size);

#endif
