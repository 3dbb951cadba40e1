/* sqlite.h — the provider `sqlite`, as its files and sql-test see it
 *
 * A database is one file and this worker's connections to it: one that writes, some that read. Each
 * connection is used by one thread of the pool at a time, and by the loop only in between. What
 * runs in the pool touches nothing of the fiber but what its call lies in: it fills an
 * rt_sqlite_problem, of which the fiber makes the error.
 *
 * In a transaction a statement that fails spoils the transaction, as PostgreSQL has it, so that a
 * module meets the same rules with both.
 */
#ifndef PLUGINS_SQL_SQLITE_H
#define PLUGINS_SQL_SQLITE_H

#include "sqlstate.h"
#include "statement.h"
#include "transaction.h"

#include <rt/health.h>
#include <rt/rt.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct rt_sqlite rt_sqlite;

typedef struct rt_sqlite_settings {
    const char *path; /* ":memory:": no file */
    const char *journal, *synchronous;
    int64_t busy_timeout; /* ns */
    int64_t cache_size, max_size;
    uint32_t readers;
} rt_sqlite_settings;

/* --- problems -------------------------------------------------------------------------------- */

/* What went wrong in the pool. `condition` NULL: nothing. */
typedef struct rt_sqlite_problem {
    const char *condition; /* "UNIQUE_VIOLATION" */
    const char *hint;
    int32_t code; /* an rt_code instead of the condition's; or 0 */
    int32_t sqlite;
    char message[480];
    char constraint[256]; /* made of the names of a table and its columns */
    char table[96], column[96];
} rt_sqlite_problem;

/* Fill the problem and return -1. */
int rt_sqlite_problem_set(rt_sqlite_problem *problem, const char *condition, const char *format,
                          ...) __attribute__((format(printf, 3, 4)));

/* The error of the context; returns it. */
int rt_sqlite_fail(rt_ctx *ctx, const rt_sqlite_problem *problem,
                   const rt_sql_statement *statement);

/* --- one connection -------------------------------------------------------------------------- */

#define RT_SQLITE_STATEMENTS 128 /* prepared and kept by each connection */

struct rt_sqlite_prepared {
    uint64_t hash, used; /* `used`: when, by the connection's count */
    char *text;
    sqlite3_stmt *statement;
    bool lent;
};

typedef struct rt_sqlite_connection {
    sqlite3 *handle;
    struct rt_sqlite_connection *next; /* of those that are free */
    bool reader;                       /* it only reads */
    bool reads_only;                   /* in this transaction */
    bool own;                          /* what is prepared is the provider's, not the author's */
    bool in_transaction;               /* of an rt_tx, or a load */
    bool failed;                       /* so its transaction is spoiled */
    bool dirty;                        /* to be made usable before its next call */
    bool writes_now;                   /* the running statement writes to the file, or may */
    atomic_int stop; /* -RT_ECANCELED or -RT_EDEADLINE: whoever waits no longer wants it */
    int64_t busy_timeout, busy_since;
    int64_t now; /* what now() gives: microseconds */
    uint64_t uses;
    struct rt_sqlite_prepared prepared[RT_SQLITE_STATEMENTS];
} rt_sqlite_connection;

/* These run in the pool. -1: it failed, and the problem says how. */
int rt_sqlite_connect(rt_sqlite_connection *connection, const rt_sqlite_settings *settings,
                      bool reader, rt_sqlite_problem *problem);
void rt_sqlite_disconnect(rt_sqlite_connection *connection);
int rt_sqlite_command(rt_sqlite_connection *connection, const char *text,
                      rt_sqlite_problem *problem);
/* Ends what a transaction left behind. */
int rt_sqlite_clean(rt_sqlite_connection *connection, rt_sqlite_problem *problem);
int rt_sqlite_problem_of(rt_sqlite_connection *connection, const char *text,
                         rt_sqlite_problem *problem);

/* The statement of that text, kept or new; `*statement` NULL for a text without any. */
int rt_sqlite_prepare(rt_sqlite_connection *connection, const char *text, sqlite3_stmt **statement,
                      rt_sqlite_problem *problem);
/* Resets it, and ends it if it is not kept. */
void rt_sqlite_unprepare(rt_sqlite_connection *connection, sqlite3_stmt *statement);

int64_t rt_sqlite_clock(void);
void rt_sqlite_register(sqlite3 *handle, rt_sqlite_connection *connection);

/* --- values ---------------------------------------------------------------------------------- */

/* Rows as they grow in the pool: texts are offsets into `bytes` until rt_sqlite_rows_take. */
typedef struct rt_sqlite_rows {
    rt_sql_column *columns;
    rt_sql_value *values;
    char *bytes;
    uint64_t value_room, byte_count, byte_room;
    uint64_t row_count;
    uint32_t column_count;
} rt_sqlite_rows;

int rt_sqlite_bind(rt_sqlite_connection *connection, sqlite3_stmt *statement,
                   const rt_sql_value *values, uint64_t count, rt_sqlite_problem *problem);
/* Columns and their types, as declared; after the first step. */
int rt_sqlite_rows_begin(rt_sqlite_rows *rows, sqlite3_stmt *statement, rt_sqlite_problem *problem);
int rt_sqlite_rows_add(rt_sqlite_rows *rows, sqlite3_stmt *statement, rt_sqlite_problem *problem);
/* Rows of the caller in its own memory; pointers in place. `ctx` NULL: they stay where they are. */
void rt_sqlite_rows_take(rt_ctx *ctx, rt_sqlite_rows *rows, rt_sql_rows *taken);
void rt_sqlite_rows_empty(rt_sqlite_rows *rows);
void rt_sqlite_rows_free(rt_sqlite_rows *rows);
uint32_t rt_sqlite_declared_type(const char *declared);

/* --- the database ---------------------------------------------------------------------------- */

/* In start and stop. */
int rt_sqlite_open(rt_ctx *ctx, const rt_sqlite_settings *settings, rt_sqlite **database);
void rt_sqlite_close(rt_ctx *ctx, rt_sqlite *database);
int rt_sqlite_health(rt_ctx *ctx, rt_sqlite *database, rt_health *health);

/* Of the current instance: each module that is made of these files has its own. */
rt_sqlite *rt_sqlite_here(const rt_ctx *ctx);

/* A connection for this fiber; `*hold` where it is the ambient transaction's. */
typedef struct rt_sqlite_lease {
    rt_sqlite_connection *connection;
    bool ambient;
} rt_sqlite_lease;

int rt_sqlite_lease_take(rt_ctx *ctx, bool reads, rt_sqlite_lease *lease);
void rt_sqlite_lease_give(rt_ctx *ctx, const rt_sqlite_lease *lease);
/* Where there is one connection alone, a stream lends it out: whoever takes it reads the rest of
 * the stream into memory first. */
bool rt_sqlite_is_single(const rt_sqlite *database);
void rt_sqlite_set_holder(rt_sqlite *database, rt_sql_stream *stream);
void rt_sqlite_stream_spill(rt_ctx *ctx, rt_sql_stream *stream);
bool rt_sqlite_is_wanted(const rt_sqlite *database);
int rt_sqlite_take(rt_ctx *ctx, rt_sqlite *database, bool reads, rt_sqlite_connection **taken);
void rt_sqlite_give(rt_ctx *ctx, rt_sqlite *database, rt_sqlite_connection *connection);

/* Runs a function in the pool for this unit of work, whose end of time or cancellation interrupts
 * the statement. `problem` is filled where it did not begin. */
typedef struct rt_sqlite_call {
    int (*function)(void *argument);
    void *argument;
    rt_sqlite_connection *connection;
    rt_sqlite_problem *problem;
    rt_ctx *unit; /* whose time counts once it began, if not the caller's; or NULL */
} rt_sqlite_call;
int rt_sqlite_run(rt_ctx *ctx, rt_sqlite *database, const rt_sqlite_call *call);

/* 0, or an error if the database cannot do that: arrays. */
int rt_sqlite_check(rt_ctx *ctx, const rt_sql_statement *given, rt_sql_statement *statement);

/* --- the methods of sql/1 -------------------------------------------------------------------- */

int rt_sqlite_query(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_rows *rows);
int rt_sqlite_exec(rt_ctx *ctx, const rt_sql_statement *statement, uint64_t *affected);
int rt_sqlite_begin(rt_ctx *ctx, const rt_sql_transaction *options);
int rt_sqlite_stream_open(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_stream **stream);
int rt_sqlite_stream_next(rt_ctx *ctx, rt_sql_stream *stream, rt_sql_rows *rows);
int rt_sqlite_stream_close(rt_ctx *ctx, rt_sql_stream *stream);
int rt_sqlite_copy_begin(rt_ctx *ctx, const rt_sql_copy *copy, rt_sql_load **load);
int rt_sqlite_copy_rows(rt_ctx *ctx, rt_sql_load *load, const rt_sql_value *values,
                        uint64_t row_count);
int rt_sqlite_copy_write(rt_ctx *ctx, rt_sql_load *load, const void *data, uint64_t length);
int rt_sqlite_copy_read(rt_ctx *ctx, rt_sql_load *load, rt_str *chunk);
int rt_sqlite_copy_end(rt_ctx *ctx, rt_sql_load *load, uint64_t *rows);
int rt_sqlite_listen(rt_ctx *ctx, const char *channel, rt_sql_listener **listener);
int rt_sqlite_notified(rt_ctx *ctx, rt_sql_listener *listener, rt_sql_notification *notification);
int rt_sqlite_unlisten(rt_ctx *ctx, rt_sql_listener *listener);
int rt_sqlite_notify(rt_ctx *ctx, const char *channel, const char *payload);
int rt_sqlite_describe(rt_ctx *ctx, rt_sql_server *server);
int rt_sqlite_check_server(rt_ctx *ctx);

#define RT_SQLITE_METHODS                                                                         \
    .query = rt_sqlite_query, .exec = rt_sqlite_exec, .begin = rt_sqlite_begin,                   \
    .commit = rt_tx_commit, .rollback = rt_tx_rollback, .after_commit = rt_tx_after_commit,       \
    .stream_open = rt_sqlite_stream_open, .stream_next = rt_sqlite_stream_next,                   \
    .stream_close = rt_sqlite_stream_close, .copy_begin = rt_sqlite_copy_begin,                   \
    .copy_rows = rt_sqlite_copy_rows, .copy_write = rt_sqlite_copy_write,                         \
    .copy_read = rt_sqlite_copy_read, .copy_end = rt_sqlite_copy_end, .listen = rt_sqlite_listen, \
    .notified = rt_sqlite_notified, .unlisten = rt_sqlite_unlisten, .notify = rt_sqlite_notify,   \
    .describe = rt_sqlite_describe, .check = rt_sqlite_check_server

#endif
