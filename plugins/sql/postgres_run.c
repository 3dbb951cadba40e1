/* Statements on a connection that its user has for itself.
 *
 * A wait that is interrupted leaves the connection busy. Whoever gives it back, or sends the next
 * statement on it, has it settled first: the server is asked to cancel, and what it still sends is
 * read. PQcancel blocks, so it runs in the thread pool, one at a time for each instance: a server
 * that hangs would otherwise take all threads. */
#include "postgres.h"
#include "statement.h"

#include <stdlib.h>
#include <string.h>

#define CANCEL_LIMIT RT_MS(250)

/* --- sending and receiving ------------------------------------------------------------------- */

static int wait_for(rt_ctx *ctx, rt_pg_connection *connection, uint32_t events,
                    const rt_sql_statement *statement)
{
    int ready = rt_pg_wait(ctx, connection, events, connection->limit);
    if (ready < 0)
        return rt_pg_interrupted(ctx, ready, statement);
    if (ready & RT_READABLE && !PQconsumeInput(connection->pq))
        return rt_pg_lost(ctx, connection, statement);
    return 0;
}

int rt_pg_await(rt_ctx *ctx, rt_pg_connection *connection)
{
    return wait_for(ctx, connection, RT_READABLE, NULL);
}

int rt_pg_flush(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement)
{
    int left;
    while ((left = PQflush(connection->pq)) > 0) /* the server may wait until we read */
        RT_TRY(wait_for(ctx, connection, RT_READABLE | RT_WRITABLE, statement));
    return left < 0 ? rt_pg_lost(ctx, connection, statement) : 0;
}

int rt_pg_next(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement,
               PGresult **result)
{
    *result = NULL;
    while (PQisBusy(connection->pq))
        RT_TRY(wait_for(ctx, connection, RT_READABLE, statement));
    *result = PQgetResult(connection->pq);
    if (!*result)
        connection->busy = 0;
    if (PQstatus(connection->pq) == CONNECTION_BAD)
        connection->broken = 1;
    return 0;
}

static int is_error(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
           status == PGRES_PIPELINE_ABORTED;
}

/* COPY has methods of its own. The connection stays busy, so that it is settled. */
static int refuse_copy(rt_ctx *ctx, const rt_sql_statement *statement)
{
    return rt_sql_fail(ctx, &(rt_sql_failure){.condition = "FEATURE_NOT_SUPPORTED",
                                              .message = "the statement copies",
                                              .hint = "use rt_sql_copy_begin",
                                              .statement = statement});
}

/* All results up to the end: the first error, else the last. */
static int collect(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement,
                   PGresult **kept)
{
    PGresult *result = NULL;
    int code;
    *kept = NULL;
    while ((code = rt_pg_next(ctx, connection, statement, &result)) == 0 && result) {
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
            PQclear(result);
            code = refuse_copy(ctx, statement);
            break;
        }
        if (*kept && is_error(*kept)) {
            PQclear(result);
        } else {
            PQclear(*kept);
            *kept = result;
        }
    }
    if (code == 0 && !*kept)
        code = rt_pg_lost(ctx, connection, statement);
    if (code == 0 && !is_error(*kept))
        return 0;
    if (code < 0) {
        PQclear(*kept);
        *kept = NULL;
    }
    return code;
}

/* A result that says why it failed becomes the error. */
static int judge(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement,
                 PGresult **result)
{
    if (!is_error(*result))
        return 0;
    bool answered = PQresultErrorField(*result, PG_DIAG_SQLSTATE) != NULL;
    int code =
        answered ? rt_pg_fail(ctx, *result, statement) : rt_pg_lost(ctx, connection, statement);
    PQclear(*result);
    *result = NULL;
    return code;
}

static int sent(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement,
                int accepted)
{
    if (!accepted)
        return rt_pg_lost(ctx, connection, statement);
    connection->busy = 1;
    return rt_pg_flush(ctx, connection, statement);
}

int rt_pg_command(rt_ctx *ctx, rt_pg_connection *connection, const char *text,
                  const rt_sql_statement *statement, PGresult **result)
{
    PGresult *kept = NULL;
    RT_TRY(rt_pg_settle(ctx, connection));
    RT_TRY(sent(ctx, connection, statement, PQsendQuery(connection->pq, text)));
    RT_TRY(collect(ctx, connection, statement, &kept));
    RT_TRY(judge(ctx, connection, statement, &kept));
    if (result)
        *result = kept;
    else
        PQclear(kept);
    return 0;
}

/* --- preparing ------------------------------------------------------------------------------- */

static int make_room(rt_ctx *ctx, rt_pg_connection *connection)
{
    rt_pg_prepared *oldest = rt_pg_cache_evict(&connection->cache);
    if (!oldest)
        return 0;
    const char *text = rt_format(ctx, "DEALLOCATE %s", oldest->name);
    free(oldest);
    return rt_pg_command(ctx, connection, text, NULL, NULL);
}

int rt_pg_prepare(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement,
                  rt_pg_prepared **prepared)
{
    PGconn *pq = connection->pq;
    PGresult *result = NULL;
    char name[24];
    *prepared = rt_pg_cache_find(&connection->cache, statement->text);
    if (*prepared)
        return 0;
    RT_TRY(make_room(ctx, connection));
    rt_pg_cache_name(&connection->cache, name);
    RT_TRY(sent(ctx, connection, statement, PQsendPrepare(pq, name, statement->text, 0, NULL)));
    RT_TRY(collect(ctx, connection, statement, &result));
    RT_TRY(judge(ctx, connection, statement, &result));
    PQclear(result);
    RT_TRY(sent(ctx, connection, statement, PQsendDescribePrepared(pq, name)));
    RT_TRY(collect(ctx, connection, statement, &result));
    RT_TRY(judge(ctx, connection, statement, &result));
    *prepared = rt_pg_cache_add(&connection->cache, name, statement->text, result);
    PQclear(result);
    return *prepared ? 0 : rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a statement");
}

/* --- running --------------------------------------------------------------------------------- */

int rt_pg_send(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement)
{
    rt_pg_prepared *prepared;
    rt_pg_arguments arguments;
    RT_TRY(rt_pg_settle(ctx, connection));
    RT_TRY(rt_pg_prepare(ctx, connection, statement, &prepared));
    RT_TRY(rt_pg_arguments_make(ctx, prepared, statement, &arguments));
    prepared->is_new = 0;
    return sent(ctx, connection, statement,
                PQsendQueryPrepared(connection->pq, prepared->name, (int)statement->parameter_count,
                                    arguments.values, arguments.lengths, arguments.formats,
                                    prepared->binary));
}

/* Sends it and waits. Negative, or 0 with a result, which may be a failure. */
static int attempt(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement,
                   PGresult **result)
{
    *result = NULL;
    RT_TRY(rt_pg_send(ctx, connection, statement));
    return collect(ctx, connection, statement, result);
}

/* What was prepared for the tables of another day is forgotten, here and there. 1: the statement is
 * worth another try; in a transaction it is not, for the failure has ended that. */
static int forget_stale(rt_ctx *ctx, rt_pg_connection *connection,
                        const rt_sql_statement *statement, int code, const PGresult *result)
{
    bool failed = code < 0 ? rt_pg_is_mistyped(rt_last_error(ctx)) : is_error(result);
    rt_pg_prepared *stale = failed ? rt_pg_cache_find(&connection->cache, statement->text) : NULL;
    if (!stale || stale->is_new || (code == 0 && !rt_pg_is_stale(result)))
        return 0;
    const char *text = rt_format(ctx, "DEALLOCATE %s", stale->name);
    rt_pg_cache_remove(&connection->cache, stale);
    if (PQtransactionStatus(connection->pq) != PQTRANS_IDLE)
        return 0;
    rt_pg_command(ctx, connection, text, NULL, NULL); /* fails where the server has lost it */
    return !connection->broken;
}

int rt_pg_run(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement,
              PGresult **result)
{
    if (statement->flags & RT_SQL_SCRIPT)
        return rt_pg_command(ctx, connection, statement->text, statement, result);
    int code = attempt(ctx, connection, statement, result);
    if (forget_stale(ctx, connection, statement, code, *result)) {
        PQclear(*result);
        code = attempt(ctx, connection, statement, result);
    }
    return code < 0 ? code : judge(ctx, connection, statement, result);
}

/* --- cancelling ------------------------------------------------------------------------------ */

/* Shared by the connection, the unit of work that cancels, and the one whose statement it was; who
 * comes last frees it. */
struct rt_pg_cancelling {
    rt_pg *pg;
    PGcancel *cancel;
    rt_semaphore *done;
    int users;
};

static void leave(struct rt_pg_cancelling *cancelling)
{
    if (--cancelling->users)
        return;
    PQfreeCancel(cancelling->cancel);
    rt_semaphore_free(cancelling->done);
    free(cancelling);
}

static int call_cancel(void *cancel)
{
    char words[256];
    return PQcancel(cancel, words, sizeof words) ? 0 : -RT_EUNAVAILABLE;
}

static int cancel_now(rt_ctx *ctx, rt_pg *pg, PGcancel *cancel)
{
    RT_TRY(rt_semaphore_acquire(ctx, pg->canceller));
    int result = rt_blocking(ctx, call_cancel, cancel);
    rt_semaphore_release(pg->canceller);
    return result;
}

static int cancel_posted(rt_ctx *ctx, void *argument)
{
    struct rt_pg_cancelling *cancelling = argument;
    cancel_now(ctx, cancelling->pg, cancelling->cancel);
    rt_semaphore_release(cancelling->done);
    rt_semaphore_release(cancelling->done);
    leave(cancelling);
    return 0;
}

/* A finalizer of who gave up: once his unit of work has ended the statement does nothing more, as
 * far as that can be had in a moment. */
static void see_cancelled(rt_ctx *ctx, void *argument)
{
    struct rt_pg_cancelling *cancelling = argument;
    rt_set_deadline(ctx, rt_now() + CANCEL_LIMIT);
    rt_semaphore_acquire(ctx, cancelling->done);
    leave(cancelling);
}

void rt_pg_cancel_soon(rt_ctx *ctx, rt_pg_connection *connection)
{
    struct rt_pg_cancelling *cancelling = NULL;
    if (!connection->busy || connection->broken || connection->cancelling)
        return;
    PGcancel *cancel = PQgetCancel(connection->pq);
    rt_semaphore *done = rt_semaphore_new(0);
    if (cancel && done && (cancelling = malloc(sizeof *cancelling)))
        *cancelling = (struct rt_pg_cancelling){
            .pg = connection->pg, .cancel = cancel, .done = done, .users = 2};
    if (cancelling && rt_post(connection->pg->instance, cancel_posted, cancelling) == 0) {
        connection->cancelling = cancelling;
        cancelling->users++;
        rt_defer(ctx, see_cancelled, cancelling);
        return;
    }
    PQfreeCancel(cancel);
    rt_semaphore_free(done);
    free(cancelling);
    connection->broken = 1;
}

void rt_pg_cancel_forget(rt_pg_connection *connection)
{
    if (connection->cancelling)
        leave(connection->cancelling);
    connection->cancelling = NULL;
}

/* What a copy to or from us still wants, so that its end comes. */
static int end_copy(rt_ctx *ctx, rt_pg_connection *connection, ExecStatusType status)
{
    char *bytes = NULL;
    int length;
    if (status == PGRES_COPY_IN && PQputCopyEnd(connection->pq, "the load was given up") < 0)
        return rt_pg_lost(ctx, connection, NULL);
    if (status == PGRES_COPY_IN)
        return rt_pg_flush(ctx, connection, NULL);
    while (status == PGRES_COPY_OUT && (length = PQgetCopyData(connection->pq, &bytes, 1)) >= 0) {
        if (length == 0)
            RT_TRY(wait_for(ctx, connection, RT_READABLE, NULL));
        PQfreemem(bytes);
        bytes = NULL;
    }
    return 0;
}

static int drain(rt_ctx *ctx, rt_pg_connection *connection)
{
    PGresult *result;
    RT_TRY(rt_pg_flush(ctx, connection, NULL));
    for (;;) {
        RT_TRY(rt_pg_next(ctx, connection, NULL, &result));
        if (!result)
            return connection->broken ? rt_pg_lost(ctx, connection, NULL) : 0;
        ExecStatusType status = PQresultStatus(result);
        PQclear(result);
        if (status == PGRES_COPY_BOTH || connection->broken)
            return rt_pg_lost(ctx, connection, NULL);
        RT_TRY(end_copy(ctx, connection, status));
    }
}

int rt_pg_settle(rt_ctx *ctx, rt_pg_connection *connection)
{
    if (connection->broken || PQstatus(connection->pq) == CONNECTION_BAD)
        return rt_pg_lost(ctx, connection, NULL);
    if (!connection->busy)
        return 0;
    if (!connection->cancelling)
        rt_pg_cancel_soon(ctx, connection);
    if (!connection->cancelling)
        return rt_pg_lost(ctx, connection, NULL);
    /* on until it is sent: later it would hit the next statement */
    int result = rt_semaphore_acquire(ctx, connection->cancelling->done);
    if (result == 0) {
        rt_pg_cancel_forget(connection);
        result = drain(ctx, connection);
    }
    if (result < 0)
        connection->broken = 1;
    return rt_pg_interrupted(ctx, result, NULL);
}
