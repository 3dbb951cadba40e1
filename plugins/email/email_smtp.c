/* email_smtp.c — email-smtp: mail over SMTP, encrypted, authenticated, on kept connections */
#include "mime.h"
#include "smtp.h"

#include <openssl/err.h>
#include <rt/cap/clock.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

RT_MODULE("email-smtp", "0.1.0", "Sends mail through an SMTP server")
RT_PROVIDES(email, 1, production, 100)
RT_REQUIRES(clock, 1, RT_RAW)
RT_OPTION(string, host, RT_REQUIRED RT_RANGE(1, 253), "Name or address of the server")
RT_OPTION(int, port, RT_DEFAULT(587) RT_RANGE(1, 65535),
          "Port of the server; usually 587, or 465 where tls is implicit")
RT_OPTION(enum, tls, RT_VALUES(none, starttls, implicit) RT_DEFAULT("starttls"),
          "Encryption; starttls demands it, the server's offer is not enough")
RT_OPTION(string, user, RT_RANGE(1, 255), "User name; without it we do not authenticate")
RT_OPTION(secret, password, RT_REQUIRED_WITH(user), "Password of the user")
RT_OPTION(string, from, RT_RANGE(3, 512), "Sender of mails that name none")
RT_OPTION(path, ca_file, RT_READ, "Certificates to trust instead of the system's, PEM")
RT_OPTION(string, hostname, RT_RANGE(1, 253), "Our name in EHLO; by default the machine's")
RT_OPTION(duration, timeout, RT_DEFAULT("30 s") RT_RANGE("10 ms", "10 min"),
          "Time to hand over one mail")
RT_OPTION(duration, connect_timeout, RT_DEFAULT("10 s") RT_RANGE("10 ms", "10 min"),
          "Time to connect, encrypt and authenticate")
RT_OPTION(duration, idle_timeout, RT_DEFAULT("30 s") RT_RANGE("10 ms", "10 min"),
          "Time that an unused connection is kept")
RT_OPTION(int, max_connections, RT_DEFAULT(4) RT_RANGE(1, 100), "Most connections of one worker")

struct pool {
    rt_smtp_server server;
    char hostname[256];
    rt_semaphore *permits; /* one for each connection in use */
    rt_smtp *idle;         /* the one used last first */
};

/* --- connections ----------------------------------------------------------------------------- */

static void close_idle(rt_ctx *ctx, struct pool *pool, uint64_t used_before)
{
    (void)ctx;
    for (rt_smtp **link = &pool->idle; *link;) {
        rt_smtp *connection = *link;
        if (connection->idle_since < used_before || !rt_smtp_usable(connection)) {
            *link = connection->next;
            rt_smtp_close(connection);
        } else {
            link = &connection->next;
        }
    }
}

static int sweep(rt_ctx *ctx, void *argument)
{
    struct pool *pool = argument;
    uint64_t limit = (uint64_t)RT_GET(ctx, idle_timeout);
    for (;;) {
        RT_TRY(rt_sleep(ctx, limit / 2));
        close_idle(ctx, pool, rt_now() - limit);
    }
}

static rt_smtp *take_idle(struct pool *pool)
{
    rt_smtp *connection;
    while ((connection = pool->idle)) {
        pool->idle = connection->next;
        if (rt_smtp_usable(connection))
            break;
        rt_smtp_close(connection);
    }
    return connection;
}

static void give_back(struct pool *pool, rt_smtp *connection)
{
    if (!rt_smtp_usable(connection)) {
        rt_smtp_close(connection);
        return;
    }
    connection->idle_since = rt_now();
    connection->next = pool->idle;
    pool->idle = connection;
}

/* A kept connection can die between our look and our command; until the server has answered to
 * this mail, a new connection may try again without risk of sending it twice. */
static int deliver(rt_ctx *ctx, struct pool *pool, rt_mail *mail, const rt_mail_text *text)
{
    for (bool kept = true; kept;) {
        rt_smtp *connection = take_idle(pool);
        kept = connection != NULL;
        if (!kept)
            RT_TRY(rt_smtp_open(ctx, &pool->server, &connection));
        int result = rt_smtp_send(ctx, connection, mail, text);
        bool again =
            kept && result == -RT_EUNAVAILABLE && connection->broken && !connection->answered;
        give_back(pool, connection);
        if (!again)
            return result;
    }
    return 0;
}

/* --- email/1 --------------------------------------------------------------------------------- */

static int send_prepared(rt_ctx *ctx, rt_mail *mail)
{
    struct pool *pool = rt_state(ctx);
    rt_mail_text text = {0};
    int64_t now;
    RT_TRY(rt_clock_now(ctx, rt_clock, &now));
    int result = rt_mail_format(ctx, mail, now, &text);
    if (result == 0 && (result = rt_semaphore_acquire(ctx, pool->permits)) == 0) {
        result = deliver(ctx, pool, mail, &text);
        rt_semaphore_release(pool->permits);
    }
    free(text.data);
    return result;
}

static int send_mail(rt_ctx *ctx, const rt_email *message, rt_email_result *result)
{
    rt_mail mail;
    int code = rt_mail_prepare(ctx, message, result, RT_GET(ctx, from), &mail);
    if (code == 0)
        code = send_prepared(ctx, &mail);
    return rt_mail_settle(ctx, code, &mail, result);
}

static int send_batch(rt_ctx *ctx, const rt_email *messages, uint32_t count,
                      rt_email_result *results)
{
    return rt_mail_send_batch(ctx, send_mail, messages, count, results);
}

/* --- life ------------------------------------------------------------------------------------ */

static enum rt_smtp_tls tls_mode(const char *word)
{
    return strcmp(word, "none") == 0       ? RT_SMTP_PLAIN
           : strcmp(word, "implicit") == 0 ? RT_SMTP_IMPLICIT
                                           : RT_SMTP_STARTTLS;
}

static int check_settings(rt_ctx *ctx)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.:[]";
    const char *hostname = RT_GET(ctx, hostname), *from = RT_GET(ctx, from);
    rt_mailbox sender;
    if (hostname && hostname[strspn(hostname, letters)])
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`hostname` is no host name: `%s`", hostname);
    if (from)
        RT_TRY(rt_mail_parse_address(ctx, "from", from, &sender));
    if (RT_GET(ctx, user) && !RT_GET(ctx, password))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`user` is set and `password` is not");
    if (RT_GET(ctx, user) && tls_mode(RT_GET(ctx, tls)) == RT_SMTP_PLAIN)
        rt_log(ctx, RT_LOG_WARN, "the password goes to `%s` unencrypted", RT_GET(ctx, host));
    return 0;
}

static int open_tls(rt_ctx *ctx, struct pool *pool)
{
    const char *file = RT_GET(ctx, ca_file);
    SSL_CTX *context = pool->server.tls_context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "OpenSSL gave no context");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int trusted = file ? SSL_CTX_load_verify_locations(context, file, NULL)
                       : SSL_CTX_set_default_verify_paths(context);
    ERR_clear_error();
    if (trusted != 1)
        return rt_fail(ctx, RT_EFAILED_PRECONDITION, "no certificates in `ca_file` `%s`",
                       file ? file : "");
    return 0;
}

static void free_pool(struct pool *pool)
{
    if (pool->permits)
        rt_semaphore_free(pool->permits);
    SSL_CTX_free(pool->server.tls_context);
    free(pool);
}

static void choose_hostname(rt_ctx *ctx, struct pool *pool)
{
    const char *configured = RT_GET(ctx, hostname);
    if (configured)
        snprintf(pool->hostname, sizeof pool->hostname, "%s", configured);
    else if (gethostname(pool->hostname, sizeof pool->hostname - 1) < 0 || !pool->hostname[0])
        strcpy(pool->hostname, "localhost");
}

static int open_pool(rt_ctx *ctx)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (!pool || !(pool->permits = rt_semaphore_new((uint32_t)RT_GET(ctx, max_connections)))) {
        free(pool);
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    }
    choose_hostname(ctx, pool);
    pool->server = (rt_smtp_server){
        .host = RT_GET(ctx, host),
        .hostname = pool->hostname,
        .user = RT_GET(ctx, user),
        .password = RT_GET(ctx, password),
        .port = (uint16_t)RT_GET(ctx, port),
        .tls = tls_mode(RT_GET(ctx, tls)),
        .connect_timeout = (uint64_t)RT_GET(ctx, connect_timeout),
        .timeout = (uint64_t)RT_GET(ctx, timeout),
    };
    int result = open_tls(ctx, pool);
    if (result == 0)
        result = rt_service(ctx, "idle connections", sweep, pool);
    if (result < 0)
        free_pool(pool);
    else
        rt_set_state(ctx, pool);
    return result;
}

static int close_pool(rt_ctx *ctx)
{
    struct pool *pool = rt_state(ctx);
    close_idle(ctx, pool, UINT64_MAX);
    free_pool(pool);
    rt_set_state(ctx, NULL);
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .configure = check_settings, .start = open_pool, .stop = close_pool));
    return rt_provide(registry, email, .send = send_mail, .send_batch = send_batch);
}
