#include "smtp.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_LIMIT = 100 };

/* --- replies --------------------------------------------------------------------------------- */

static bool is_reply_line(const char *line)
{
    for (int i = 0; i < 3; i++)
        if (line[i] < '0' || line[i] > '9')
            return false;
    return line[0] >= '2' && line[0] <= '5' && (!line[3] || line[3] == ' ' || line[3] == '-');
}

static void note_extension(rt_smtp *connection, const char *line)
{
    if (strcasecmp(line, "STARTTLS") == 0)
        connection->starttls = true;
    if (strncasecmp(line, "AUTH", 4) != 0 || (line[4] != ' ' && line[4] != '='))
        return;
    for (const char *word = line + 5; *word; word += strspn(word, " ")) {
        size_t length = strcspn(word, " ");
        connection->plain_auth |= length == 5 && strncasecmp(word, "PLAIN", 5) == 0;
        connection->login_auth |= length == 5 && strncasecmp(word, "LOGIN", 5) == 0;
        word += length;
    }
}

static void append_reply(rt_smtp_reply *reply, const char *text)
{
    size_t used = strlen(reply->text);
    snprintf(reply->text + used, sizeof reply->text - used, "%s%s", used ? " " : "", text);
}

static int read_reply(rt_ctx *ctx, rt_smtp *connection)
{
    char line[1024];
    connection->reply = (rt_smtp_reply){0};
    for (int lines = 0; lines < LINE_LIMIT; lines++) {
        RT_TRY(rt_smtp_read_line(ctx, connection, line, sizeof line));
        if (!is_reply_line(line))
            break;
        connection->reply.code = atoi((char[]){line[0], line[1], line[2], '\0'});
        if (line[3]) {
            append_reply(&connection->reply, line + 4);
            note_extension(connection, line + 4);
        }
        if (line[3] != '-')
            return 0;
    }
    connection->broken = true;
    return rt_fail(ctx, RT_EUNAVAILABLE, "`%s:%u` does not answer as an SMTP server",
                   connection->server->host, connection->server->port);
}

static int code_of_reply(int reply)
{
    if (reply == 530 || reply == 534 || reply == 535 || reply == 538)
        return RT_EUNAUTHENTICATED;
    return reply < 500 ? RT_EUNAVAILABLE : RT_EFAILED_PRECONDITION;
}

/* The last reply as an error; `what` says what was refused. */
static int refused(rt_ctx *ctx, rt_smtp *connection, const char *what)
{
    int code = code_of_reply(connection->reply.code);
    if (connection->reply.code == 421)
        connection->broken = true;
    return rt_fail_with(
        ctx, &(rt_error){.size = sizeof(rt_error),
                         .code = code,
                         .retryable = (uint32_t)rt_code_retryable(code),
                         .domain = rt_format(ctx, "%03d", connection->reply.code),
                         .message = rt_format(ctx, "`%s:%u` refused %s", connection->server->host,
                                              connection->server->port, what),
                         .detail = rt_format(ctx, "%d %s", connection->reply.code,
                                             connection->reply.text)});
}

/* Writes a command and reads its reply, which must be of the class `expected` (2 or 3). */
static int command(rt_ctx *ctx, rt_smtp *connection, int expected, const char *what,
                   const char *line)
{
    RT_TRY(rt_smtp_write(ctx, connection, line, strlen(line)));
    RT_TRY(read_reply(ctx, connection));
    if (connection->reply.code / 100 != expected)
        return refused(ctx, connection, what);
    return 0;
}

/* --- opening --------------------------------------------------------------------------------- */

static int greet(rt_ctx *ctx, rt_smtp *connection)
{
    connection->plain_auth = connection->login_auth = connection->starttls = false;
    return command(ctx, connection, 2, "our greeting",
                   rt_format(ctx, "EHLO %s\r\n", connection->server->hostname));
}

static int start_tls(rt_ctx *ctx, rt_smtp *connection)
{
    if (!connection->starttls)
        return rt_fail_with(
            ctx, &(rt_error){
                     .size = sizeof(rt_error),
                     .code = RT_EFAILED_PRECONDITION,
                     .message = rt_format(ctx, "`%s:%u` offers no STARTTLS",
                                          connection->server->host, connection->server->port),
                     .hint = "set `tls` to `implicit` if the port speaks TLS from the start, or to "
                             "`none` to send mail unencrypted"});
    RT_TRY(command(ctx, connection, 2, "STARTTLS", "STARTTLS\r\n"));
    RT_TRY(rt_smtp_encrypt(ctx, connection));
    return greet(ctx, connection);
}

/* The length of base64 in `out`, which holds 4 bytes for 3 and a NUL. */
static int to_base64(char *out, const char *bytes, size_t length)
{
    return EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)bytes, (int)length);
}

/* The secret is wiped afterwards, and the server's words are not trusted to leave it out. */
static int say_secret(rt_ctx *ctx, rt_smtp *connection, int expected, const char *prefix,
                      const char *secret, size_t length)
{
    size_t size = strlen(prefix) + (length + 2) / 3 * 4 + 3;
    char *line = malloc(size);
    if (!line)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    size_t at = strlen(prefix);
    memcpy(line, prefix, at);
    at += (size_t)to_base64(line + at, secret, length);
    memcpy(line + at, "\r\n", 3);
    int result = rt_smtp_write(ctx, connection, line, at + 2);
    explicit_bzero(line, size);
    free(line);
    RT_TRY(result);
    RT_TRY(read_reply(ctx, connection));
    if (connection->reply.code / 100 == expected)
        return 0;
    connection->reply.text[0] = '\0';
    return refused(ctx, connection, "the user name and password");
}

static int authenticate_plain(rt_ctx *ctx, rt_smtp *connection)
{
    const rt_smtp_server *server = connection->server;
    size_t user = strlen(server->user), password = strlen(server->password);
    char secret[1024] = {0};
    if (user + password + 2 > sizeof secret)
        return rt_fail(ctx, RT_EFAILED_PRECONDITION, "user name and password are too long");
    memcpy(secret + 1, server->user, user);
    memcpy(secret + user + 2, server->password, password);
    int result = say_secret(ctx, connection, 2, "AUTH PLAIN ", secret, user + password + 2);
    explicit_bzero(secret, sizeof secret);
    return result;
}

static int authenticate_login(rt_ctx *ctx, rt_smtp *connection)
{
    const rt_smtp_server *server = connection->server;
    RT_TRY(command(ctx, connection, 3, "AUTH LOGIN", "AUTH LOGIN\r\n"));
    RT_TRY(say_secret(ctx, connection, 3, "", server->user, strlen(server->user)));
    return say_secret(ctx, connection, 2, "", server->password, strlen(server->password));
}

static int authenticate(rt_ctx *ctx, rt_smtp *connection)
{
    if (connection->plain_auth)
        return authenticate_plain(ctx, connection);
    if (connection->login_auth)
        return authenticate_login(ctx, connection);
    return rt_fail(ctx, RT_EUNAUTHENTICATED, "`%s:%u` offers neither AUTH PLAIN nor AUTH LOGIN",
                   connection->server->host, connection->server->port);
}

static int open_session(rt_ctx *ctx, rt_smtp *connection)
{
    const rt_smtp_server *server = connection->server;
    connection->deadline = rt_now() + server->connect_timeout;
    RT_TRY(rt_smtp_connect(ctx, connection));
    if (server->tls == RT_SMTP_IMPLICIT)
        RT_TRY(rt_smtp_encrypt(ctx, connection));
    RT_TRY(read_reply(ctx, connection));
    if (connection->reply.code / 100 != 2)
        return refused(ctx, connection, "the connection");
    RT_TRY(greet(ctx, connection));
    if (server->tls == RT_SMTP_STARTTLS)
        RT_TRY(start_tls(ctx, connection));
    return server->user ? authenticate(ctx, connection) : 0;
}

int rt_smtp_open(rt_ctx *ctx, const rt_smtp_server *server, rt_smtp **connection)
{
    rt_smtp *opened = calloc(1, sizeof *opened);
    if (!opened)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    opened->server = server;
    opened->fd = -1;
    int result = open_session(ctx, opened);
    if (result < 0)
        rt_smtp_close(opened);
    else
        *connection = opened;
    return result;
}

/* --- a mail ---------------------------------------------------------------------------------- */

/* The mail with its leading dots doubled (RFC 5321, 4.5.2) and the final one. */
static int write_body(rt_ctx *ctx, rt_smtp *connection, const rt_mail_text *text)
{
    const char *at = text->data, *end = at + text->length;
    while (at < end) {
        const char *dot = memmem(at, (size_t)(end - at), "\r\n.", 3);
        size_t length = dot ? (size_t)(dot + 3 - at) : (size_t)(end - at);
        RT_TRY(rt_smtp_write(ctx, connection, at, length));
        if (dot)
            RT_TRY(rt_smtp_write(ctx, connection, ".", 1));
        at += length;
    }
    return rt_smtp_write(ctx, connection, ".\r\n", 3);
}

static int name_envelope(rt_ctx *ctx, rt_smtp *connection, const rt_mail *mail)
{
    RT_TRY(command(ctx, connection, 2, rt_format(ctx, "sender `%s`", mail->from.address),
                   rt_format(ctx, "MAIL FROM:<%s>\r\n", mail->from.address)));
    connection->answered = true;
    for (uint32_t i = 0; i < mail->recipient_count; i++)
        RT_TRY(command(ctx, connection, 2, rt_format(ctx, "recipient `%s`", mail->recipients[i]),
                       rt_format(ctx, "RCPT TO:<%s>\r\n", mail->recipients[i])));
    return command(ctx, connection, 3, "the mail", "DATA\r\n");
}

/* "queued as 4F3A": the only part of the text that servers agree on. */
static const char *queue_id(rt_ctx *ctx, const char *text)
{
    const char *at = strstr(text, "queued as ");
    if (!at)
        return NULL;
    at += strlen("queued as ");
    return rt_format(ctx, "%.*s", (int)strcspn(at, " )"), at);
}

static int end_mail(rt_ctx *ctx, rt_smtp *connection, rt_mail *mail)
{
    int result = read_reply(ctx, connection);
    if (result == -RT_EUNAVAILABLE)
        return rt_fail_with(ctx, &(rt_error){.size = sizeof(rt_error),
                                             .code = RT_EUNAVAILABLE,
                                             .retryable = 0,
                                             .message = "the server took the mail and did not say "
                                                        "whether it accepts it",
                                             .hint = "sending it again may deliver it twice",
                                             .cause = rt_last_error(ctx)});
    RT_TRY(result);
    if (connection->reply.code / 100 != 2)
        return refused(ctx, connection, "the mail");
    mail->provider_message_id = queue_id(ctx, connection->reply.text);
    return 0;
}

/* A server that will not take so much may say so and hang up while we still write. */
static int body_failed(rt_ctx *ctx, rt_smtp *connection, int result)
{
    const rt_error *error = rt_last_error(ctx);
    if (result != -RT_EUNAVAILABLE || read_reply(ctx, connection) < 0 ||
        connection->reply.code / 100 < 4)
        return error ? rt_fail_with(ctx, error) : result;
    return refused(ctx, connection, "the mail");
}

static int hand_over(rt_ctx *ctx, rt_smtp *connection, rt_mail *mail, const rt_mail_text *text)
{
    int result = name_envelope(ctx, connection, mail);
    if (result < 0) {
        const rt_error *error = rt_last_error(ctx);
        if (!connection->broken && command(ctx, connection, 2, "RSET", "RSET\r\n") < 0)
            connection->broken = true;
        return error ? rt_fail_with(ctx, error) : result;
    }
    result = write_body(ctx, connection, text);
    if (result < 0) {
        result = body_failed(ctx, connection, result);
        connection->broken = true; /* the next command would be part of the mail */
        return result;
    }
    return end_mail(ctx, connection, mail);
}

int rt_smtp_send(rt_ctx *ctx, rt_smtp *connection, rt_mail *mail, const rt_mail_text *text)
{
    connection->answered = false;
    connection->deadline = rt_now() + connection->server->timeout;
    return hand_over(ctx, connection, mail, text);
}

bool rt_smtp_usable(rt_smtp *connection)
{
    char byte;
    if (connection->broken || connection->begin != connection->end)
        return false;
    /* anything that arrives unasked is a 421, an alert or the end */
    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void rt_smtp_close(rt_smtp *connection)
{
    static const char quit[] = "QUIT\r\n";
    if (!connection->broken && connection->tls) {
        SSL_write(connection->tls, quit, sizeof quit - 1);
        SSL_shutdown(connection->tls);
    } else if (!connection->broken && connection->fd >= 0) {
        (void)!send(connection->fd, quit, sizeof quit - 1, MSG_NOSIGNAL);
    }
    SSL_free(connection->tls);
    ERR_clear_error();
    if (connection->fd >= 0)
        close(connection->fd);
    free(connection);
}
