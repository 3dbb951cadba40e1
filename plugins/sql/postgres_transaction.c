/* What transaction.c needs of a connection. */
#include "postgres.h"

#include <string.h>

static int take(rt_ctx *ctx, const rt_sql_transaction *options, void **connection)
{
    rt_pg_connection *taken;
    (void)options;
    RT_TRY(rt_pg_take(ctx, rt_state(ctx), &taken));
    taken->in_transaction = 1;
    *connection = taken;
    return 0;
}

static void give(rt_ctx *ctx, void *connection, int broken)
{
    rt_pg_connection *taken = connection;
    taken->broken |= broken;
    rt_pg_give(ctx, taken);
}

static const char *begin_text(rt_ctx *ctx, const rt_sql_transaction *options)
{
    static const char *const levels[] = {"", " ISOLATION LEVEL READ COMMITTED",
                                         " ISOLATION LEVEL REPEATABLE READ",
                                         " ISOLATION LEVEL SERIALIZABLE"};
    return rt_format(ctx, "BEGIN%s%s", levels[options->isolation],
                     options->read_only ? " READ ONLY" : "");
}

/* The server may have committed and only the answer is missing. */
static int outcome_unknown(rt_ctx *ctx, int code)
{
    const rt_error *why = rt_last_error(ctx);
    return rt_sql_fail(
        ctx, &(rt_sql_failure){.condition = "TRANSACTION_RESOLUTION_UNKNOWN",
                               .code = -code,
                               .message = "the answer to the commit did not come, so whether the "
                                          "transaction was committed is not known",
                               .detail = why ? why->message : NULL,
                               .hint = "look whether its work is there before trying again",
                               .final = 1});
}

/* A failed transaction is ended by COMMIT too, and the server says that it rolled back. */
static int judge_commit(rt_ctx *ctx, PGresult *result)
{
    bool committed = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    if (committed)
        return 0;
    return rt_sql_fail(ctx, &(rt_sql_failure){.condition = "IN_FAILED_SQL_TRANSACTION",
                                              .message = "the transaction was rolled back, for a "
                                                         "statement of it had failed"});
}

static int run(rt_ctx *ctx, void *connection, const char *text)
{
    rt_pg_connection *taken = connection;
    PGresult *result = NULL;
    bool commits = strcmp(text, "COMMIT") == 0;
    if (commits) /* before it is sent, a failure is not a doubtful one */
        RT_TRY(rt_pg_settle(ctx, taken));
    int code = rt_pg_command(ctx, taken, text, NULL, &result);
    if (code == -RT_EUNAVAILABLE || code == -RT_EDEADLINE || code == -RT_ECANCELED) {
        rt_pg_cancel_soon(ctx, taken);
        return commits ? outcome_unknown(ctx, code) : code;
    }
    if (code < 0)
        return code;
    if (commits)
        return judge_commit(ctx, result);
    PQclear(result);
    return 0;
}

static int state(void *connection)
{
    const rt_pg_connection *taken = connection;
    if (taken->broken || PQstatus(taken->pq) == CONNECTION_BAD)
        return -1;
    switch (PQtransactionStatus(taken->pq)) {
    case PQTRANS_INERROR:
    case PQTRANS_IDLE: /* ended by a statement */
        return 1;
    default:
        return taken->busy;
    }
}

const rt_tx_driver rt_pg_transactions = {
    .take = take, .give = give, .run = run, .begin_text = begin_text, .state = state};
