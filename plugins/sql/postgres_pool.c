/* Connections that one fiber at a time has for itself: opened on demand, as many as there are
 * permits, handed out in the order they were asked for. */
#include "postgres.h"
#include "postgres_options.h"

#include <rt/metric.h>
#include <string.h>
#include <sys/socket.h>

/* One that was idle for longer is asked before it is used: the other end may be gone without a
 * word, as behind a firewall that forgets. */
#define ASK_AFTER RT_S(60)
#define ASK_LIMIT RT_S(2)
#define SETTLE_LIMIT RT_S(5)

RT_GAUGE(connection_count, "db.client.connection.count", "{connection}",
         "Connections to databases, by what they do")
RT_GAUGE(pending_requests, "db.client.connection.pending_requests", "{request}",
         "Calls that wait for a connection")
RT_COUNTER(connection_timeouts, "db.client.connection.timeouts", "{timeout}",
           "Calls that did not get a connection in time")

/* --- permits --------------------------------------------------------------------------------- */

static int acquire(rt_ctx *ctx, void *argument)
{
    rt_pg *pg = argument;
    RT_TRY(rt_semaphore_acquire(ctx, pg->permits));
    pg->used++;
    return 0;
}

static int exhausted(rt_ctx *ctx, rt_pg *pg)
{
    pg->timeouts++;
    rt_metric_add(ctx, &connection_timeouts, 1,
                  {"db.client.connection.pool.name", pg->instance->name});
    return rt_fail_with(
        ctx, &(rt_error){.size = sizeof(rt_error),
                         .code = RT_ERESOURCE_EXHAUSTED,
                         .retryable = 1,
                         .domain = "TOO_MANY_CONNECTIONS",
                         .message = rt_format(ctx,
                                              "all %u connections of `pool` were in use for "
                                              "`pool_timeout`",
                                              pg->most),
                         .hint = "raise `pool` of this instance, or hold transactions, streams and "
                                 "copies for less time"});
}

/* The wait has a limit of its own beside the caller's, so it is a unit of work of its own. */
static int wait_limited(rt_ctx *ctx, rt_pg *pg, rt_work wait)
{
    uint64_t limit = rt_now() + (uint64_t)RT_GET(ctx, pool_timeout), own = rt_deadline(ctx);
    rt_exit end;
    pg->pending++;
    rt_run_exit(ctx, &end, wait, pg, .name = "sql.pool", .deadline = limit);
    pg->pending--;
    if (end.result == -RT_EDEADLINE && (!own || limit < own))
        return exhausted(ctx, pg);
    if (end.result < 0)
        return rt_fail(ctx, -end.result, "no connection of `pool` was free: %s",
                       rt_code_name(end.result));
    return 0;
}

static int take_permit(rt_ctx *ctx, rt_pg *pg)
{
    return pg->used < pg->most ? acquire(ctx, pg) : wait_limited(ctx, pg, acquire);
}

static int wait_returned(rt_ctx *ctx, void *argument)
{
    rt_pg *pg = argument;
    return rt_semaphore_acquire(ctx, pg->returned);
}

static void return_permit(rt_pg *pg)
{
    pg->used--;
    rt_semaphore_release(pg->permits);
}

/* --- idle ones ------------------------------------------------------------------------------- */

static void discard(rt_pg_connection *connection)
{
    connection->pg->open--;
    rt_pg_close(connection);
}

/* An idle connection has nothing to say: what there is to read is its end, or a parameter that
 * changed, which libpq takes in. */
static bool is_alive(rt_pg_connection *connection)
{
    PGconn *pq = connection->pq;
    char byte;
    for (int i = 0; i < 3; i++) {
        ssize_t length = recv(PQsocket(pq), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (length < 0)
            return PQstatus(pq) == CONNECTION_OK;
        if (length == 0 || !PQconsumeInput(pq) || PQstatus(pq) != CONNECTION_OK)
            return false;
        PQisBusy(pq); /* reads what came */
    }
    return false;
}

static bool answers(rt_ctx *ctx, rt_pg_connection *connection)
{
    connection->limit = rt_now() + ASK_LIMIT;
    int result = rt_pg_command(ctx, connection, "", NULL, NULL);
    connection->limit = 0;
    return result == 0;
}

static bool is_young(rt_ctx *ctx, const rt_pg_connection *connection, uint64_t now)
{
    uint64_t idle = (uint64_t)RT_GET(ctx, idle_timeout);
    uint64_t lifetime = (uint64_t)RT_GET(ctx, max_lifetime);
    return (!idle || now - connection->used < idle) &&
           (!lifetime || now - connection->opened < lifetime);
}

static rt_pg_connection *take_idle(rt_ctx *ctx, rt_pg *pg)
{
    rt_pg_connection *connection;
    while ((connection = pg->idle)) {
        uint64_t now = rt_now();
        pg->idle = connection->next;
        if (is_young(ctx, connection, now) && is_alive(connection) &&
            (now - connection->used < ASK_AFTER || answers(ctx, connection)))
            return connection;
        discard(connection);
    }
    return NULL;
}

void rt_pg_close_idle(rt_pg *pg)
{
    for (rt_pg_connection *connection; (connection = pg->idle);) {
        pg->idle = connection->next;
        discard(connection);
    }
}

/* --- taking and giving ----------------------------------------------------------------------- */

/* Where the server lets no more in, one of those that are in use will do as well, once it is free.
 */
static int find_connection(rt_ctx *ctx, rt_pg *pg, rt_pg_connection **connection)
{
    for (;;) {
        if ((*connection = take_idle(ctx, pg)))
            return 0;
        int result = rt_pg_connect(ctx, pg, RT_PG_OWN, connection);
        if (result == 0)
            pg->open++;
        if (result != -RT_ERESOURCE_EXHAUSTED || pg->open == 0)
            return result;
        pg->hungry++;
        result = wait_limited(ctx, pg, wait_returned);
        pg->hungry -= result < 0 && pg->hungry > 0;
        RT_TRY(result);
    }
}

int rt_pg_take(rt_ctx *ctx, rt_pg *pg, rt_pg_connection **connection)
{
    RT_TRY(take_permit(ctx, pg));
    int result = find_connection(ctx, pg, connection);
    if (result < 0)
        return_permit(pg);
    return result;
}

static void put_back(rt_pg_connection *connection)
{
    rt_pg *pg = connection->pg;
    connection->in_transaction = 0;
    if (connection->broken || connection->busy || pg->stopping ||
        PQtransactionStatus(connection->pq) != PQTRANS_IDLE) {
        discard(connection);
    } else {
        connection->used = rt_now();
        connection->next = pg->idle;
        pg->idle = connection;
    }
    return_permit(pg);
    if (pg->hungry) {
        pg->hungry--;
        rt_semaphore_release(pg->returned);
    }
}

/* The permit goes back at the end, so that what is being settled counts. */
static int settle_and_put_back(rt_ctx *ctx, void *argument)
{
    rt_pg_connection *connection = argument;
    rt_set_deadline(ctx, rt_now() + SETTLE_LIMIT);
    rt_pg_settle(ctx, connection);
    put_back(connection);
    return 0;
}

void rt_pg_give(rt_ctx *ctx, rt_pg_connection *connection)
{
    (void)ctx;
    if (connection->busy && !connection->broken) {
        rt_pg_cancel_soon(ctx, connection);
        if (!connection->broken &&
            rt_post(connection->pg->instance, settle_and_put_back, connection) == 0)
            return;
    }
    put_back(connection);
}

int rt_pg_lease_take(rt_ctx *ctx, rt_pg *pg, rt_pg_lease *lease)
{
    void *held = NULL;
    RT_TRY(rt_tx_acquire(ctx, &held));
    *lease = (rt_pg_lease){.connection = held, .in_transaction = held != NULL};
    return held ? 0 : rt_pg_take(ctx, pg, &lease->connection);
}

void rt_pg_lease_end(rt_ctx *ctx, rt_pg_lease *lease)
{
    if (lease->in_transaction) {
        rt_pg_cancel_soon(ctx, lease->connection);
        rt_tx_release(ctx);
    } else {
        rt_pg_give(ctx, lease->connection);
    }
}

/* --- looking after them ---------------------------------------------------------------------- */

static void close_old(rt_ctx *ctx, rt_pg *pg)
{
    uint64_t now = rt_now();
    for (rt_pg_connection **link = &pg->idle; *link;) {
        rt_pg_connection *connection = *link;
        if (is_young(ctx, connection, now) && is_alive(connection)) {
            link = &connection->next;
        } else {
            *link = connection->next;
            discard(connection);
        }
    }
}

static void tell(rt_ctx *ctx, const rt_pg *pg)
{
    const char *name = pg->instance->name;
    uint32_t used = pg->used < pg->open ? pg->used : pg->open;
    uint32_t shared = rt_pg_share_connected(pg);
    rt_metric_set(ctx, &connection_count, (double)(used + shared),
                  {"db.client.connection.pool.name", name}, {"db.client.connection.state", "used"});
    rt_metric_set(ctx, &connection_count, (double)(pg->open - used),
                  {"db.client.connection.pool.name", name}, {"db.client.connection.state", "idle"});
    rt_metric_set(ctx, &pending_requests, (double)pg->pending,
                  {"db.client.connection.pool.name", name});
}

int rt_pg_sweep(rt_ctx *ctx, void *argument)
{
    rt_pg *pg = argument;
    uint64_t idle = (uint64_t)RT_GET(ctx, idle_timeout);
    uint64_t period = idle && idle / 2 < RT_S(5) ? idle / 2 : RT_S(5);
    for (;;) {
        close_old(ctx, pg);
        tell(ctx, pg);
        RT_TRY(rt_sleep(ctx, period > RT_MS(50) ? period : RT_MS(50)));
    }
}
