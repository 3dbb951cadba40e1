/* What `url` and the options come to. Everything that libpq would otherwise take from its
 * environment, a password file, a service file or the folder of the user is set here, so that the
 * configuration alone decides. */
#include "postgres.h"
#include "postgres_options.h"

#include <stdlib.h>
#include <string.h>

/* A path without a file: libpq goes without, instead of looking into the user's folder. */
#define NO_FILE "/nonexistent/rt"
#define SYSTEM_CERTIFICATES "/etc/ssl/certs/ca-certificates.crt"
#define SOCKET_FOLDER "/var/run/postgresql"

static const char *in_url(const rt_pg_settings *settings, const char *keyword)
{
    for (const PQconninfoOption *option = settings->url; option && option->keyword; option++)
        if (strcmp(option->keyword, keyword) == 0)
            return option->val && option->val[0] ? option->val : NULL;
    return NULL;
}

/* --- hosts ----------------------------------------------------------------------------------- */

/* The n-th piece of a list with commas, as a copy; NULL if it is empty or there is none. */
static char *piece_of(const char *list, uint32_t n)
{
    for (; list && n; n--)
        list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL;
    size_t length = list ? strcspn(list, ",") : 0;
    return length ? strndup(list, length) : NULL;
}

static uint32_t pieces_in(const char *list)
{
    uint32_t count = list ? 1 : 0;
    for (; list && *list; list++)
        count += *list == ',';
    return count;
}

/* One port is that of all hosts. */
static char *port_of(const char *ports, uint32_t n)
{
    char *port = piece_of(ports, pieces_in(ports) == 1 ? 0 : n);
    return port ? port : strdup("5432");
}

static int check_port(rt_ctx *ctx, const char *port)
{
    size_t digits = strspn(port, "0123456789");
    if (digits == 0 || digits > 5 || port[digits] || atoi(port) < 1 || atoi(port) > 65535)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`url` has `%s` for a port", port);
    return 0;
}

static int read_hosts(rt_ctx *ctx, rt_pg_settings *settings)
{
    const char *names = in_url(settings, "host"), *addresses = in_url(settings, "hostaddr"),
               *ports = in_url(settings, "port");
    uint32_t count = pieces_in(names ? names : addresses), port_count = pieces_in(ports);
    count = count ? count : 1;
    if (count > RT_PG_MOST_HOSTS)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`url` has more than %u hosts", RT_PG_MOST_HOSTS);
    if (port_count > 1 && port_count != count)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`url` has %u hosts and %u ports", count,
                       port_count);
    if (names && addresses && pieces_in(addresses) != count)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`url` has %u hosts and %u in `hostaddr`", count,
                       pieces_in(addresses));
    for (uint32_t i = 0; i < count; i++) {
        rt_pg_host *host = &settings->hosts[settings->host_count++];
        host->address = piece_of(addresses, i);
        host->name = piece_of(names, i);
        if (!host->name)
            host->name = strdup(host->address ? host->address : SOCKET_FOLDER);
        host->port = port_of(ports, i);
        RT_TRY(check_port(ctx, host->port));
    }
    return 0;
}

/* --- the session ----------------------------------------------------------------------------- */

/* ` -c name=value`, its spaces and backslashes hidden from the server's splitting into words. */
static char *put_setting(char *at, const char *name, const char *value)
{
    at = stpcpy(stpcpy(stpcpy(at, at[-1] ? " -c " : "-c "), name), "=");
    for (; *value; value++) {
        if (*value == ' ' || *value == '\\')
            *at++ = '\\';
        *at++ = *value;
    }
    *at = '\0';
    return at;
}

/* What every session begins with, and behind it what `url` says itself. */
static char *session_options(rt_ctx *ctx, const char *from_url)
{
    const char *schema = RT_GET(ctx, schema);
    size_t room = 256 + (schema ? 2 * strlen(schema) : 0) + (from_url ? strlen(from_url) : 0);
    char *text = calloc(1, room), *at = text ? text + 1 : NULL;
    if (!text)
        return NULL;
    text[0] = '\0'; /* put_setting looks at what is in front */
    at = put_setting(at, "timezone", "UTC");
    at = put_setting(at, "datestyle", "ISO");
    at = put_setting(at, "bytea_output", "hex");
    if (schema)
        at = put_setting(at, "search_path", schema);
    if (from_url)
        at = stpcpy(stpcpy(at, " "), from_url);
    memmove(text, text + 1, (size_t)(at - text));
    return text;
}

/* --- judging --------------------------------------------------------------------------------- */

/* libpq's words quote what they stumble over, which may be the password. */
static int bad_url(rt_ctx *ctx, const char *url, const char *words)
{
    const char *at = strchr(url, '@'), *slashes = strstr(url, "://");
    int has_password = at && slashes && memchr(slashes + 3, ':', (size_t)(at - slashes - 3));
    has_password |= strstr(url, "password") != NULL;
    return rt_fail_with(ctx, &(rt_error){.size = sizeof(rt_error),
                                         .code = RT_EINVALID_ARGUMENT,
                                         .message = "`url` is no address of a database",
                                         .detail = has_password ? NULL : rt_pg_words(ctx, words),
                                         .hint = "write `postgresql://user@host:5432/database`"});
}

static int parse_url(rt_ctx *ctx, rt_pg_settings *settings)
{
    const char *url = RT_GET(ctx, url);
    char *words = NULL;
    if (strncmp(url, "postgresql://", 13) != 0 && strncmp(url, "postgres://", 11) != 0)
        return bad_url(ctx, url, "it does not start with `postgresql://`");
    settings->url = PQconninfoParse(url, &words);
    if (settings->url)
        return 0;
    int result = bad_url(ctx, url, words ? words : "out of memory");
    PQfreemem(words);
    return result;
}

/* What would read files that nobody sees in the configuration, or undo what we rely on. */
static int check_keywords(rt_ctx *ctx, const rt_pg_settings *settings)
{
    static const struct {
        const char *keyword, *instead;
    } refused[] = {
        {"service", "host and database"},
        {"passfile", "`password`"},
        {"sslcert", "`certificate`"},
        {"sslkey", "`key`"},
        {"sslrootcert", "`ca`"},
        {"sslcrl", "`crl`"},
        {"sslcrldir", "`crl`"},
        {"sslpassword", "a key without one"},
        {"replication", "another client"},
        {"client_encoding", "UTF8, which it is"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (in_url(settings, refused[i].keyword))
            return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`url` has `%s`; use %s instead",
                           refused[i].keyword, refused[i].instead);
    if (getenv("PGSERVICE")) /* the one thing of the environment that cannot be overruled */
        return rt_fail(ctx, RT_EFAILED_PRECONDITION,
                       "PGSERVICE is set in the environment, and would set what is not in `url`");
    return 0;
}

static int check_tls(rt_ctx *ctx)
{
    const char *mode = RT_GET(ctx, tls), *binding = RT_GET(ctx, channel_binding);
    bool off = mode && strcmp(mode, "disable") == 0;
    if (!RT_GET(ctx, certificate) != !RT_GET(ctx, key))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT,
                       "`certificate` and `key` belong together, and one of them is not set");
    if (off && (RT_GET(ctx, ca) || RT_GET(ctx, certificate)))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`tls` is `disable`, and certificates are set");
    if (off && strcmp(binding, "require") == 0)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT,
                       "`channel_binding` is `require`, and `tls` is `disable`");
    return 0;
}

int rt_pg_settings_read(rt_ctx *ctx, rt_pg_settings *settings)
{
    *settings = (rt_pg_settings){0};
    RT_TRY(parse_url(ctx, settings));
    RT_TRY(check_keywords(ctx, settings));
    RT_TRY(check_tls(ctx));
    RT_TRY(read_hosts(ctx, settings));
    settings->user = in_url(settings, "user");
    if (!settings->user)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`url` names no user");
    settings->database = in_url(settings, "dbname");
    if (!settings->database)
        settings->database = settings->user;
    settings->target = RT_GET(ctx, target);
    if (!settings->target)
        settings->target = in_url(settings, "target_session_attrs");
    if (!settings->target)
        settings->target = "any";
    settings->session = session_options(ctx, in_url(settings, "options"));
    return settings->session ? 0 : rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
}

void rt_pg_settings_free(rt_pg_settings *settings)
{
    for (uint32_t i = 0; i < settings->host_count; i++) {
        free(settings->hosts[i].name);
        free(settings->hosts[i].address);
        free(settings->hosts[i].port);
    }
    free(settings->session);
    PQconninfoFree(settings->url);
    *settings = (rt_pg_settings){0};
}

/* --- what libpq is told ---------------------------------------------------------------------- */

static const char *or_else(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static const char *session_of(rt_ctx *ctx, const rt_pg_settings *settings, int is_shared)
{
    int64_t limit = is_shared ? RT_GET(ctx, short_timeout) : RT_GET(ctx, statement_timeout);
    if (limit == 0)
        return settings->session;
    return rt_format(ctx, "%s -c statement_timeout=%lld", settings->session,
                     (long long)((limit + 999999) / 1000000));
}

static const char *authorities(rt_ctx *ctx, const char *mode)
{
    return or_else(RT_GET(ctx, ca),
                   strncmp(mode, "verify", 6) == 0 ? SYSTEM_CERTIFICATES : NO_FILE);
}

void rt_pg_settings_keywords(rt_ctx *ctx, const rt_pg_settings *settings, const rt_pg_host *host,
                             const char *target, int is_shared, const char **keywords,
                             const char **values)
{
    const char *mode = or_else(RT_GET(ctx, tls), or_else(in_url(settings, "sslmode"), "prefer"));
    const char *password = or_else(RT_GET(ctx, password), in_url(settings, "password"));
    const struct {
        const char *keyword, *value;
    } own[] = {
        {"host", host->name},
        {"hostaddr", or_else(host->address, "")},
        {"port", host->port},
        {"user", settings->user},
        {"dbname", settings->database},
        {"password", or_else(password, "")},
        {"passfile", NO_FILE},
        {"sslmode", mode},
        {"sslrootcert", authorities(ctx, mode)},
        {"sslcert", or_else(RT_GET(ctx, certificate), NO_FILE)},
        {"sslkey", or_else(RT_GET(ctx, key), NO_FILE)},
        {"sslcrl", or_else(RT_GET(ctx, crl), NO_FILE)},
        {"channel_binding", RT_GET(ctx, channel_binding)},
        {"gssencmode", "disable"}, /* it may block */
        {"application_name", RT_GET(ctx, application_name)},
        {"client_encoding", "UTF8"},
        {"options", session_of(ctx, settings, is_shared)},
        {"target_session_attrs", target},
    };
    size_t count = 0;
    for (const PQconninfoOption *option = settings->url; option->keyword; option++)
        if (option->val && count + sizeof own / sizeof own[0] + 1 < RT_PG_MOST_KEYWORDS) {
            keywords[count] = option->keyword;
            values[count++] = option->val;
        }
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) { /* of two the last counts */
        keywords[count] = own[i].keyword;
        values[count++] = own[i].value;
    }
    keywords[count] = values[count] = NULL;
}
