/* One connection. Names are resolved in the thread pool and handed to libpq as addresses, with the
 * name beside them for the certificate. Hosts and addresses are tried here, one after the other,
 * and not by libpq: so each gets its share of the time, and a dead first one leaves some. */
#include "net/resolve.h"
#include "postgres.h"
#include "postgres_options.h"
#include "statement.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- words ----------------------------------------------------------------------------------- */

/* On one line, each gap one blank. */
const char *rt_pg_words(rt_ctx *ctx, const char *text)
{
    char *line = rt_format(ctx, "%s", text ? text : ""), *end = line;
    for (const char *from = line; *from; from++) {
        if (!isspace((unsigned char)*from))
            *end++ = *from;
        else if (end > line && end[-1] != ' ')
            *end++ = ' ';
    }
    if (end > line && end[-1] == ' ')
        end--;
    *end = '\0';
    return line;
}

/* The SQLSTATE in "FATAL:  28P01: …", as libpq writes it where it is asked to be verbose: there is
 * no other way to learn it before a connection stands. */
static const char *state_in(rt_ctx *ctx, const char *words)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (const char *at = words; (at = strstr(at, ":  "));) {
        at += 3;
        if (strspn(at, letters) == 5 && at[5] == ':')
            return rt_format(ctx, "%.5s", at);
    }
    return "08001";
}

/* Without the lines that say where in the server's source it was. */
static const char *reason_in(rt_ctx *ctx, const char *words)
{
    const char *location = strstr(words, "\nLOCATION:");
    size_t length = location ? (size_t)(location - words) : strlen(words);
    return rt_pg_words(ctx, rt_format(ctx, "%.*s", (int)length, words));
}

static const char *hint_for(const char *state)
{
    static const struct {
        const char *state, *hint;
    } hints[] = {
        {"28P01", "check the user of `url`, and `password`"},
        {"28000", "check the user of `url`, and what pg_hba.conf of the server lets in"},
        {"3D000", "create the database, or name another in `url`"},
        {"53300", "lower `pool` and `shared`, or raise max_connections of the server"},
        {"57P03", "the server is starting or stopping; try again"},
    };
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        if (strcmp(hints[i].state, state) == 0)
            return hints[i].hint;
    return "check `url`, and that the server runs and can be reached from here";
}

/* --- one address ----------------------------------------------------------------------------- */

struct attempt {
    rt_pg *pg;
    enum rt_pg_kind kind;
    uint64_t deadline;
    const char *target;
    const char *state, *reason; /* of the last failure */
};

/* libpq calls it in the middle of its work: it only writes a line. */
static void notice(void *unused, const PGresult *result)
{
    (void)unused;
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    rt_log(rt_current(), RT_LOG_DEBUG, "the database says: %s", text ? text : "");
}

static int descriptor_of(const rt_pg_connection *connection)
{
    return connection->watched ? connection->watched : PQsocket(connection->pq);
}

int rt_pg_watch(rt_ctx *ctx, rt_pg_connection *connection)
{
    int watched = fcntl(PQsocket(connection->pq), F_DUPFD_CLOEXEC, 3);
    if (watched < 0)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no descriptor is left for a connection: %s",
                       strerror(errno));
    connection->watched = watched;
    return 0;
}

void rt_pg_shut_down(const rt_pg_connection *connection)
{
    shutdown(descriptor_of(connection), SHUT_RDWR);
}

int rt_pg_wait(rt_ctx *ctx, const rt_pg_connection *connection, uint32_t events, uint64_t deadline)
{
    if (PQsslInUse(connection->pq))
        ERR_clear_error();
    return rt_wait_fd(ctx, descriptor_of(connection), events, deadline);
}

static PGconn *begin(rt_ctx *ctx, const struct attempt *attempt, const rt_pg_host *host)
{
    const char *keywords[RT_PG_MOST_KEYWORDS], *values[RT_PG_MOST_KEYWORDS];
    rt_pg_settings_keywords(ctx, &attempt->pg->settings, host, attempt->target,
                            attempt->kind == RT_PG_SHARED, keywords, values);
    PGconn *pq = PQconnectStartParams(keywords, values, 0);
    if (pq) {
        PQsetErrorVerbosity(pq, PQERRORS_VERBOSE);
        PQsetNoticeReceiver(pq, notice, NULL);
    }
    return pq;
}

/* 1: connected, 0: not, with the reason; negative: the caller was interrupted. */
static int poll_until_ready(rt_ctx *ctx, struct attempt *attempt, PGconn *pq, uint64_t deadline)
{
    const rt_pg_connection waiting = {.pq = pq};
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (PQstatus(pq) != CONNECTION_BAD && status != PGRES_POLLING_OK &&
           status != PGRES_POLLING_FAILED) {
        uint32_t events = status == PGRES_POLLING_READING ? RT_READABLE : RT_WRITABLE;
        int ready = rt_pg_wait(ctx, &waiting, events, deadline);
        if (ready == -RT_EDEADLINE && (!rt_deadline(ctx) || rt_now() < rt_deadline(ctx))) {
            attempt->state = "08001";
            attempt->reason = "no answer in time";
            return 0;
        }
        if (ready < 0)
            return ready;
        status = PQconnectPoll(pq);
        if (PQsslInUse(pq))
            ERR_clear_error();
    }
    if (status == PGRES_POLLING_OK)
        return 1;
    attempt->state = state_in(ctx, PQerrorMessage(pq));
    attempt->reason = reason_in(ctx, PQerrorMessage(pq));
    return 0;
}

static int try_address(rt_ctx *ctx, struct attempt *attempt, const rt_pg_host *host,
                       uint64_t deadline, PGconn **connected)
{
    PGconn *pq = begin(ctx, attempt, host);
    if (!pq)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a connection");
    int result = poll_until_ready(ctx, attempt, pq, deadline);
    if (result == 1)
        *connected = pq;
    else
        PQfinish(pq);
    return result;
}

/* --- names ----------------------------------------------------------------------------------- */

static uint32_t count_of(const struct addrinfo *address)
{
    uint32_t count = 0;
    for (; address; address = address->ai_next)
        count++;
    return count;
}

static int try_addresses(rt_ctx *ctx, struct attempt *attempt, const rt_pg_host *host,
                         const struct addrinfo *addresses, uint64_t deadline, PGconn **connected)
{
    uint32_t left = count_of(addresses);
    int result = 0;
    for (; addresses && result == 0; addresses = addresses->ai_next, left--) {
        char text[64] = "";
        rt_pg_host one = {.name = host->name, .address = text, .port = host->port};
        uint64_t now = rt_now(), time = deadline > now ? deadline - now : 0;
        getnameinfo(addresses->ai_addr, addresses->ai_addrlen, text, sizeof text, NULL, 0,
                    NI_NUMERICHOST);
        result = try_address(ctx, attempt, &one, now + time / left, connected);
    }
    return result;
}

static int try_host(rt_ctx *ctx, struct attempt *attempt, const rt_pg_host *host, uint64_t deadline,
                    PGconn **connected)
{
    if (host->address || host->name[0] == '/' || host->name[0] == '@')
        return try_address(ctx, attempt, host, deadline, connected);
    struct addrinfo *found;
    const char *why;
    int result = rt_resolve(ctx, host->name, host->port, &found, &why);
    if (result == -RT_EUNAVAILABLE) {
        attempt->state = "08001";
        attempt->reason = rt_format(ctx, "cannot resolve `%s`: %s", host->name, why);
        return 0;
    }
    RT_TRY(result);
    result = try_addresses(ctx, attempt, host, found, deadline, connected);
    freeaddrinfo(found);
    return result;
}

/* --- all hosts ------------------------------------------------------------------------------- */

static int try_hosts(rt_ctx *ctx, struct attempt *attempt, const char *target, PGconn **connected,
                     const rt_pg_host **reached)
{
    const rt_pg_settings *settings = &attempt->pg->settings;
    int result = 0;
    attempt->target = target;
    for (uint32_t i = 0; i < settings->host_count && result == 0; i++) {
        uint64_t now = rt_now(), left = attempt->deadline > now ? attempt->deadline - now : 0;
        *reached = &settings->hosts[i];
        result =
            try_host(ctx, attempt, *reached, now + left / (settings->host_count - i), connected);
    }
    return result;
}

static int refuse(rt_ctx *ctx, const struct attempt *attempt)
{
    rt_pg *pg = attempt->pg;
    const rt_pg_host *host = &pg->settings.hosts[0];
    const rt_sqlstate *state = rt_sqlstate_find(attempt->state);
    const char *others =
        pg->settings.host_count > 1
            ? rt_format(ctx, " nor to any of the %u others", pg->settings.host_count - 1)
            : "";
    snprintf(pg->failure, sizeof pg->failure, "%s", attempt->reason);
    return rt_fail_with(
        ctx, &(rt_error){.size = sizeof(rt_error),
                         .code = state->code == RT_ERESOURCE_EXHAUSTED ? RT_ERESOURCE_EXHAUSTED
                                                                       : RT_EUNAVAILABLE,
                         .retryable = 1,
                         .domain = state->name,
                         .message = rt_format(ctx,
                                              "cannot connect to `%s:%s`%s as user `%s` for "
                                              "database `%s`",
                                              host->name, host->port, others, pg->settings.user,
                                              pg->settings.database),
                         .detail = attempt->reason,
                         .hint = hint_for(attempt->state)});
}

/* What calls, spans and health know of the server. */
static void remember(rt_pg *pg, PGconn *pq, const rt_pg_host *host)
{
    pg->failure[0] = '\0';
    pg->version = PQserverVersion(pq);
    snprintf(pg->address, sizeof pg->address, "%s", host->name);
    pg->where = (rt_span_database){.system = "postgresql",
                                   .space = pg->settings.database,
                                   .address = pg->address,
                                   .port = atoi(host->port)};
}

static int make_connection(rt_ctx *ctx, rt_pg *pg, PGconn *pq, rt_pg_connection **connection)
{
    rt_pg_connection *made = calloc(1, sizeof *made);
    if (!made || rt_pg_cache_open(&made->cache, (uint32_t)RT_GET(ctx, prepared)) < 0 ||
        PQsetnonblocking(pq, 1) < 0) {
        if (made)
            rt_pg_cache_close(&made->cache);
        free(made);
        PQfinish(pq);
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a connection");
    }
    PQsetErrorVerbosity(pq, PQERRORS_DEFAULT);
    made->pq = pq;
    made->pg = pg;
    made->opened = made->used = rt_now();
    *connection = made;
    return 0;
}

int rt_pg_connect(rt_ctx *ctx, rt_pg *pg, enum rt_pg_kind kind, rt_pg_connection **connection)
{
    struct attempt attempt = {.pg = pg,
                              .kind = kind,
                              .deadline = rt_now() + (uint64_t)RT_GET(ctx, connect_timeout),
                              .state = "08001",
                              .reason = ""};
    bool in_turn = strcmp(pg->settings.target, "prefer-standby") == 0;
    const rt_pg_host *host = NULL;
    PGconn *pq = NULL;
    int result = try_hosts(ctx, &attempt, in_turn ? "standby" : pg->settings.target, &pq, &host);
    if (result == 0 && in_turn)
        result = try_hosts(ctx, &attempt, "any", &pq, &host);
    if (result < 0)
        return rt_pg_interrupted(ctx, result, NULL);
    if (result == 0)
        return refuse(ctx, &attempt);
    remember(pg, pq, host);
    return make_connection(ctx, pg, pq, connection);
}

void rt_pg_close(rt_pg_connection *connection)
{
    rt_pg_cancel_forget(connection);
    rt_pg_cache_close(&connection->cache);
    PQfinish(connection->pq);
    if (connection->watched)
        close(connection->watched);
    ERR_clear_error();
    free(connection);
}

/* Nothing but these can have changed nothing: SELECT may call a function that writes, and who calls
 * it says so by a transaction. */
static bool only_reads(const rt_sql_statement *statement)
{
    static const rt_str words[] = {RT_STR("SELECT"), RT_STR("VALUES"), RT_STR("TABLE"),
                                   RT_STR("SHOW"), RT_STR("EXPLAIN")};
    rt_str operation = rt_sql_summarize(statement->text).operation;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (operation.length == words[i].length &&
            strncasecmp(operation.data, words[i].data, words[i].length) == 0)
            return true;
    return false;
}

int rt_pg_lost_because(rt_ctx *ctx, const char *words, const rt_sql_statement *statement,
                       int may_have_run)
{
    bool unknown = may_have_run && statement && !only_reads(statement);
    return rt_sql_fail(ctx, &(rt_sql_failure){.condition = "CONNECTION_FAILURE",
                                              .message = "the connection to the database was lost",
                                              .detail = words[0] ? rt_pg_words(ctx, words) : NULL,
                                              .hint = unknown ? "whether the statement was "
                                                                "executed is not known"
                                                              : NULL,
                                              .statement = statement,
                                              .final = unknown});
}

int rt_pg_lost(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement)
{
    connection->broken = 1;
    return rt_pg_lost_because(ctx, PQerrorMessage(connection->pq), statement,
                              connection->busy && !connection->in_transaction);
}
