/* transaction.h — ambient transactions, as every provider of sql/1 has them
 *
 * A provider gives a table of what it can do with one connection; begin, commit, rollback and
 * after_commit of sql/1 are made of it here: nesting by savepoints, turns of fibers that share a
 * transaction, roll-back of what a unit of work left open, hooks.
 *
 * begin takes a connection and starts a transaction on it; inside of another one it sets a
 * savepoint, and who shares the outer one waits until that has ended. commit of the outermost gives
 * the connection back and runs the hooks. Both ends belong to the unit of work that began; what it
 * leaves open a finalizer rolls back.
 *
 * A commit that fails has rolled back. One that was interrupted leaves the roll-back to the
 * finalizer, which cannot be; until then statements fail. Where the server has given the
 * transaction up (a statement failed), all but its end, or that of the savepoint, is refused with
 * IN_FAILED_SQL_TRANSACTION.
 *
 * Waiting: all but rt_tx_is_open, rt_tx_release, rt_tx_keep and rt_tx_let_go may wait.
 */
#ifndef PLUGINS_SQL_TRANSACTION_H
#define PLUGINS_SQL_TRANSACTION_H

#include <rt/cap/sql.h>

typedef struct rt_tx_driver {
    /* A connection for this unit of work alone. */
    int (*take)(rt_ctx *ctx, const rt_sql_transaction *options, void **connection);
    /* Gives it back; `broken`: it is in a state that nobody knows, to be closed. Cannot fail; also
     * called from finalizers. */
    void (*give)(rt_ctx *ctx, void *connection, int broken);
    /* Runs one command without parameters. ROLLBACK succeeds where no transaction is left. */
    int (*run)(rt_ctx *ctx, void *connection, const char *text);
    /* The BEGIN for these options. */
    const char *(*begin_text)(rt_ctx *ctx, const rt_sql_transaction *options);
    /* 0: usable; 1: the server has given the transaction up; -1: the connection is lost. Does not
     * wait. */
    int (*state)(void *connection);
} rt_tx_driver;

int rt_tx_begin(rt_ctx *ctx, const rt_tx_driver *driver, const rt_sql_transaction *options);
int rt_tx_commit(rt_ctx *ctx);
int rt_tx_rollback(rt_ctx *ctx);
int rt_tx_after_commit(rt_ctx *ctx, const rt_sql_hook *hook);

/* The connection of the ambient transaction of the current instance, locked for this fiber until
 * rt_tx_release: `*connection` NULL where there is no transaction, then nothing is to be released.
 */
int rt_tx_acquire(rt_ctx *ctx, void **connection);
void rt_tx_release(rt_ctx *ctx);
/* Instead of rt_tx_release: for a stream or a bulk load, which keeps what was acquired until
 * rt_tx_let_go, from whatever unit of work. Until then the unit that acquired it, and those it
 * starts, are refused instead of waiting for themselves. */
typedef struct rt_tx_hold rt_tx_hold;
rt_tx_hold *rt_tx_keep(rt_ctx *ctx);
void rt_tx_let_go(rt_tx_hold *hold);
/* 1 if there is a transaction. */
int rt_tx_is_open(const rt_ctx *ctx);

#endif
