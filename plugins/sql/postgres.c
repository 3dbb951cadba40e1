/* postgres.c — postgres: sql/1 on PostgreSQL, through libpq, without blocking the loop */
#include "postgres.h"
#include "statement.h"

#include <stdlib.h>
#include <string.h>

RT_MODULE("postgres", "0.1.0", "Keeps data in PostgreSQL")
RT_PROVIDES(sql, 1, production, 100)
RT_OPTION(url, url, RT_REQUIRED,
          "Server, user and database: postgresql://user@host:5432/database; several hosts with "
          "commas, a folder of a unix socket with %2F for its slashes")
RT_OPTION(secret, password, , "Password of the user")
/* clang-format off */
RT_OPTION(enum, tls, RT_VALUES(disable, allow, prefer, require, verify-ca, verify-full),
          "Encryption, as sslmode of libpq; only verify-full knows whom it talks to. By default "
          "what url says, else prefer")
RT_OPTION(path, ca, RT_READ, "Authorities to trust, PEM; for verify by default the system's")
RT_OPTION(path, certificate, RT_READ, "Our certificate, PEM")
RT_OPTION(path, key, RT_READ, "Key of our certificate, PEM, mode 0600")
RT_OPTION(path, crl, RT_READ, "Certificates that are revoked, PEM")
RT_OPTION(enum, channel_binding, RT_VALUES(disable, prefer, require) RT_DEFAULT("prefer"),
          "Whether the password's proof is bound to the encrypted connection")
RT_OPTION(enum, target,
          RT_VALUES(any, read-write, read-only, primary, standby, prefer-standby),
          "Which of several hosts will do. By default what url says, else any")
/* clang-format on */
RT_OPTION(string, application_name, RT_DEFAULT("rt") RT_RANGE(1, 63),
          "What the server calls us in pg_stat_activity")
RT_OPTION(string, schema, RT_RANGE(1, 1024), "The search path of every session: app, public")
RT_OPTION(int, pool, RT_DEFAULT(10) RT_RANGE(1, 1000), "Most connections of one worker")
RT_OPTION(int, shared, RT_DEFAULT(2) RT_RANGE(0, 16),
          "Connections of one worker, beside the pool, that short statements share")
RT_OPTION(int, prepared, RT_DEFAULT(256) RT_RANGE(1, 65536),
          "Statements that a connection keeps prepared")
RT_OPTION(duration, pool_timeout, RT_DEFAULT("5 s") RT_RANGE("1 ms", "10 min"),
          "Longest wait for a connection of the pool")
RT_OPTION(duration, connect_timeout, RT_DEFAULT("5 s") RT_RANGE("10 ms", "10 min"),
          "Time to connect, encrypt and log in, for all hosts together")
RT_OPTION(duration, idle_timeout, RT_DEFAULT("10 min") RT_RANGE("0 s", "24 h"),
          "Time that an unused connection is kept; 0: for ever")
RT_OPTION(duration, max_lifetime, RT_DEFAULT("1 h") RT_RANGE("0 s", "720 h"),
          "Age at which a connection is not used again; 0: none")
RT_OPTION(duration, statement_timeout, RT_DEFAULT("0 s") RT_RANGE("0 s", "24 h"),
          "Time after which the server ends a statement; 0: what the server is set to")
RT_OPTION(duration, short_timeout, RT_DEFAULT("5 s") RT_RANGE("1 ms", "10 min"),
          "The same on the connections that short statements share")

/* --- statements ------------------------------------------------------------------------------ */

/* A connection whose transaction nobody ends would serve the next caller inside of it. */
static int check_idle(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement)
{
    PGTransactionStatusType status = PQtransactionStatus(connection->pq);
    if (status != PQTRANS_INTRANS && status != PQTRANS_INERROR)
        return 0;
    connection->broken = 1;
    return rt_sql_fail(ctx, &(rt_sql_failure){.condition = "INVALID_TRANSACTION_STATE",
                                              .code = RT_EFAILED_PRECONDITION,
                                              .message = "the statement left a transaction open",
                                              .hint = "use rt_sql_tx; it has been rolled back",
                                              .statement = statement});
}

static int run_leased(rt_ctx *ctx, rt_pg *pg, const rt_sql_statement *statement, PGresult **result)
{
    rt_pg_lease lease;
    RT_TRY(rt_pg_lease_take(ctx, pg, &lease));
    int code = rt_pg_run(ctx, lease.connection, statement, result);
    if (code == 0 && !lease.in_transaction &&
        (code = check_idle(ctx, lease.connection, statement)) < 0)
        PQclear(*result);
    rt_pg_lease_end(ctx, &lease);
    return code;
}

/* Nothing but blanks and comments: a mistake of whoever made the text. */
static int refuse_empty(rt_ctx *ctx, const rt_sql_statement *statement, PGresult *result)
{
    PQclear(result);
    return rt_sql_fail(ctx, &(rt_sql_failure){.condition = "SYNTAX_ERROR",
                                              .code = RT_EINVALID_ARGUMENT,
                                              .message = "the text has no statement",
                                              .statement = statement});
}

/* The server has no room for one more to share: those of the pool are there. */
static bool is_let_in_no_more(rt_ctx *ctx, int code)
{
    const rt_error *error = code == -RT_ERESOURCE_EXHAUSTED ? rt_last_error(ctx) : NULL;
    return error && error->domain && strcmp(error->domain, "TOO_MANY_CONNECTIONS") == 0;
}

static int run_statement(rt_ctx *ctx, rt_pg *pg, const rt_sql_statement *statement,
                         PGresult **result)
{
    bool shares = pg->shared_count && rt_pg_can_share(statement) && !rt_tx_is_open(ctx);
    int code = shares ? rt_pg_share_run(ctx, pg, statement, result) : -RT_ERESOURCE_EXHAUSTED;
    if (!shares || is_let_in_no_more(ctx, code))
        code = run_leased(ctx, pg, statement, result);
    RT_TRY(code);
    return PQresultStatus(*result) == PGRES_EMPTY_QUERY ? refuse_empty(ctx, statement, *result) : 0;
}

static int query(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_rows *rows)
{
    rt_pg *pg = rt_state(ctx);
    PGresult *result;
    RT_TRY(rt_sql_check_statement(ctx, statement));
    rt_span *span = rt_sql_open_span(ctx, &pg->where, statement);
    int code = run_statement(ctx, pg, statement, &result);
    if (code == 0) {
        rt_pg_memory memory = {.ctx = ctx};
        code = rt_pg_rows(ctx, &memory, result, statement, rows);
        PQclear(result);
    }
    return rt_span_finish(ctx, span, code);
}

static int exec(rt_ctx *ctx, const rt_sql_statement *statement, uint64_t *affected)
{
    rt_pg *pg = rt_state(ctx);
    PGresult *result;
    RT_TRY(rt_sql_check_statement(ctx, statement));
    rt_span *span = rt_sql_open_span(ctx, &pg->where, statement);
    int code = run_statement(ctx, pg, statement, &result);
    if (code == 0) {
        if (affected)
            *affected = rt_pg_affected(result);
        PQclear(result);
    }
    return rt_span_finish(ctx, span, code);
}

static int begin(rt_ctx *ctx, const rt_sql_transaction *options)
{
    return rt_tx_begin(ctx, &rt_pg_transactions, options);
}

static int describe(rt_ctx *ctx, rt_sql_server *server)
{
    const rt_pg *pg = rt_state(ctx);
    rt_struct_copy(server, &(rt_sql_server){.size = sizeof(rt_sql_server),
                                            .dialect = RT_SQL_POSTGRES,
                                            .version = (uint32_t)pg->version,
                                            .database = pg->settings.database});
    return 0;
}

static int check(rt_ctx *ctx)
{
    rt_pg_connection *connection;
    RT_TRY(rt_pg_take(ctx, rt_state(ctx), &connection));
    int result = rt_pg_command(ctx, connection, "", NULL, NULL);
    rt_pg_give(ctx, connection);
    return result;
}

/* --- life ------------------------------------------------------------------------------------ */

static int configure(rt_ctx *ctx)
{
    rt_pg_settings settings;
    int result = rt_pg_settings_read(ctx, &settings);
    rt_pg_settings_free(&settings);
    return result;
}

static void free_state(rt_pg *pg)
{
    rt_pg_close_idle(pg);
    if (pg->permits)
        rt_semaphore_free(pg->permits);
    if (pg->canceller)
        rt_semaphore_free(pg->canceller);
    if (pg->returned)
        rt_semaphore_free(pg->returned);
    rt_pg_settings_free(&pg->settings);
    free(pg);
}

static int make_state(rt_ctx *ctx, rt_pg **made)
{
    rt_pg *pg = *made = calloc(1, sizeof *pg);
    if (!pg)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    pg->instance = ctx->instance;
    pg->most = (uint32_t)RT_GET(ctx, pool);
    pg->permits = rt_semaphore_new(pg->most);
    pg->canceller = rt_semaphore_new(1);
    pg->where = (rt_span_database){.system = "postgresql"};
    pg->returned = rt_semaphore_new(0);
    if (!pg->permits || !pg->canceller || !pg->returned)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    return rt_pg_settings_read(ctx, &pg->settings);
}

/* The first connection, three times: a database that starts with us may need a moment. */
static int connect_at_start(rt_ctx *ctx, rt_pg *pg)
{
    rt_pg_connection *connection;
    int result;
    for (uint64_t pause = RT_S(1);; pause *= 2) {
        result = rt_pg_take(ctx, pg, &connection);
        if (result == 0)
            break;
        if (pause > RT_S(2) || (result != -RT_EUNAVAILABLE && result != -RT_ERESOURCE_EXHAUSTED))
            return result;
        rt_log_with(ctx, RT_LOG_WARN, "the database cannot be reached; trying again",
                    {"reason", pg->failure});
        RT_TRY(rt_sleep(ctx, pause));
    }
    rt_pg_give(ctx, connection);
    return 0;
}

static int start(rt_ctx *ctx)
{
    rt_pg *pg;
    int result = make_state(ctx, &pg);
    if (result == 0)
        result = connect_at_start(ctx, pg);
    if (result == 0)
        result = rt_pg_share_open(ctx, pg);
    if (result == 0)
        result = rt_service(ctx, "database connections", rt_pg_sweep, pg);
    if (result == 0)
        rt_set_state(ctx, pg);
    else if (pg)
        rt_pg_share_close(pg), free_state(pg);
    return result;
}

static int stop(rt_ctx *ctx)
{
    rt_pg *pg = rt_state(ctx);
    rt_pg_share_close(pg);
    free_state(pg);
    rt_set_state(ctx, NULL);
    return 0;
}

/* Where the last attempt to connect failed it makes another: without callers nobody else would. */
static int health(rt_ctx *ctx, rt_health *health)
{
    rt_pg *pg = rt_state(ctx);
    uint32_t connected = pg->open + rt_pg_share_connected(pg);
    if (pg->used >= pg->most)
        return pg->pending ? rt_degraded(ctx, health, "%u calls wait for one of %u connections",
                                         pg->pending, pg->most)
                           : 0;
    int result = check(ctx);
    if (result == 0)
        return 0;
    const rt_error *error = rt_last_error(ctx);
    const char *why = pg->failure[0] ? pg->failure : error ? error->message : "";
    connected = pg->open + rt_pg_share_connected(pg) < connected
                    ? pg->open + rt_pg_share_connected(pg)
                    : connected;
    if (connected)
        return rt_degraded(ctx, health, "%u connections are open and no other can be: %s",
                           connected, why);
    return rt_unhealthy(ctx, health, "no connection to `%s:%d`: %s", pg->settings.hosts[0].name,
                        pg->where.port, why);
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .configure = configure, .start = start, .stop = stop, .health = health));
    return rt_provide(
        registry, sql, .query = query, .exec = exec, .begin = begin, .commit = rt_tx_commit,
        .rollback = rt_tx_rollback, .after_commit = rt_tx_after_commit,
        .stream_open = rt_pg_stream_open, .stream_next = rt_pg_stream_next,
        .stream_close = rt_pg_stream_close, .copy_begin = rt_pg_copy_begin,
        .copy_rows = rt_pg_copy_rows, .copy_write = rt_pg_copy_write, .copy_read = rt_pg_copy_read,
        .copy_end = rt_pg_copy_end, .listen = rt_pg_listen, .notified = rt_pg_notified,
        .unlisten = rt_pg_unlisten, .notify = rt_pg_notify, .describe = describe, .check = check);
}
