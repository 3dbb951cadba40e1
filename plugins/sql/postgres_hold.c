/* Connections of streams and copies. */
#include "postgres.h"

#define RELEASE "RELEASE SAVEPOINT rt_hold"
#define UNDO "ROLLBACK TO SAVEPOINT rt_hold; RELEASE SAVEPOINT rt_hold"

int rt_pg_hold(rt_ctx *ctx, rt_pg *pg, rt_pg_holding *holding)
{
    rt_pg_lease lease;
    RT_TRY(rt_pg_lease_take(ctx, pg, &lease));
    int result = 0;
    if (lease.in_transaction)
        result = rt_pg_command(ctx, lease.connection, "SAVEPOINT rt_hold", NULL, NULL);
    if (result < 0) {
        rt_pg_lease_end(ctx, &lease);
        return result;
    }
    *holding = (rt_pg_holding){.connection = lease.connection, .is_open = 1};
    if (lease.in_transaction)
        holding->hold = rt_tx_keep(ctx);
    return 0;
}

/* What was read or loaded to its end stays; else back to the savepoint. */
static int leave_savepoint(rt_ctx *ctx, rt_pg_connection *connection)
{
    bool complete = !connection->busy && PQtransactionStatus(connection->pq) == PQTRANS_INTRANS;
    if (connection->broken)
        return 0;
    return rt_pg_command(ctx, connection, complete ? RELEASE : UNDO, NULL, NULL);
}

int rt_pg_let_go(rt_ctx *ctx, rt_pg_holding *holding, int code)
{
    if (!holding->is_open)
        return code;
    holding->is_open = 0;
    if (!holding->hold) {
        rt_pg_give(ctx, holding->connection);
        return code;
    }
    if (code >= 0)
        code = leave_savepoint(ctx, holding->connection);
    rt_pg_cancel_soon(ctx, holding->connection);
    rt_tx_let_go(holding->hold);
    return code;
}
