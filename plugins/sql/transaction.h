/* transaction.h — ambient transactions, as every provider of sql/1 has them
 *
 * A provider gives a table of what it can do with one connection; begin, commit, rollback and
 * after_commit of sql/1 are made of it here: nesting by savepoints, turns of fibers that share a
 * transaction, roll-back of what a unit of work left open, hooks.
 *
 *     begin     takes a connection and starts a transaction on it, or a savepoint in the ambient
 * one commit    of the outermost: COMMIT, gives the connection back, runs the hooks rollback
 * likewise; to the savepoint where there is one
 *
 * Waiting: all but rt_tx_connection's look-up wait.
 */
#ifndef PLUGINS_SQL_TRANSACTION_H
#define PLUGINS_SQL_TRANSACTION_H

#include <rt/cap/sql.h>

typedef struct rt_tx_driver {
    /* A connection for this unit of work alone. */
    int (*take)(rt_ctx *ctx, void **connection);
    /* Gives it back; `broken`: it is in a state that nobody knows, to be closed. Cannot fail; also
     * called from finalizers. */
    void (*give)(rt_ctx *ctx, void *connection, int broken);
    /* Runs one command without parameters. */
    int (*run)(rt_ctx *ctx, void *connection, const char *text);
    /* The BEGIN for these options. */
    const char *(*begin_text)(rt_ctx *ctx, const rt_sql_transaction *options);
    /* 0: usable; 1: the server has given the transaction up; -1: the connection is lost. */
    int (*state)(void *connection);
} rt_tx_driver;

int rt_tx_begin(rt_ctx *ctx, const rt_tx_driver *driver, const rt_sql_transaction *options);
int rt_tx_commit(rt_ctx *ctx);
int rt_tx_rollback(rt_ctx *ctx);
int rt_tx_after_commit(rt_ctx *ctx, const rt_sql_hook *hook);

/* The connection of the ambient transaction of the current instance, locked for this fiber until
 * rt_tx_release: `*connection` NULL where there is no transaction, then nothing is to be released.
 * A stream or a bulk load keeps it locked until it ends. */
int rt_tx_acquire(rt_ctx *ctx, void **connection);
void rt_tx_release(rt_ctx *ctx);
/* 1 if there is one. */
int rt_tx_is_open(const rt_ctx *ctx);

#endif
