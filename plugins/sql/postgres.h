/* postgres.h — what the files of the provider `postgres` share
 *
 * postgres.c           options, life, and the methods' table
 * postgres_settings.c  what `url` and the options come to
 * postgres_connect.c   one connection: names, addresses, TLS, log-in
 * postgres_pool.c      connections that one fiber at a time has for itself
 * postgres_run.c       statements on such a connection, and how they are cancelled
 * postgres_prepared.c  what a connection has prepared, by text
 * postgres_share.c     connections that fibers share, in pipeline mode
 * postgres_result.c    results and errors
 * postgres_stream.c, postgres_copy.c, postgres_listen.c
 * postgres_value.c, postgres_text.c, postgres_array.c   the types
 */
#ifndef PLUGINS_SQL_POSTGRES_H
#define PLUGINS_SQL_POSTGRES_H

#include "postgres_memory.h"
#include "sqlstate.h"
#include "transaction.h"

#include <libpq-fe.h>
#include <rt/cap/sql.h>
#include <rt/rt.h>

#define RT_PG_MOST_HOSTS 16u

typedef struct rt_pg rt_pg;
typedef struct rt_pg_shared rt_pg_shared;

/* --- settings -------------------------------------------------------------------------------- */

typedef struct rt_pg_host {
    char *name;    /* or the folder of a unix socket */
    char *address; /* a number instead of looking the name up; or NULL */
    char *port;
} rt_pg_host;

typedef struct rt_pg_settings {
    PQconninfoOption *url; /* libpq's, all of its keywords */
    rt_pg_host hosts[RT_PG_MOST_HOSTS];
    uint32_t host_count;
    const char *user, *database, *target;
    char *session; /* `options` of the startup packet */
} rt_pg_settings;

/* Judges `url` and the options. What it sets is freed by rt_pg_settings_free, also after a failure.
 */
int rt_pg_settings_read(rt_ctx *ctx, rt_pg_settings *settings);
void rt_pg_settings_free(rt_pg_settings *settings);
/* libpq's keywords and values for one address; up to RT_PG_MOST_KEYWORDS with the NULL behind. */
#define RT_PG_MOST_KEYWORDS 80u
void rt_pg_settings_keywords(rt_ctx *ctx, const rt_pg_settings *settings, const rt_pg_host *host,
                             const char *target, int is_shared, const char **keywords,
                             const char **values);

/* --- a connection ---------------------------------------------------------------------------- */

typedef struct rt_pg_prepared rt_pg_prepared;

/* What a connection has prepared, the one used last first. */
typedef struct rt_pg_cache {
    rt_pg_prepared *newest, *oldest;
    rt_pg_prepared **buckets;
    uint32_t count, most;
    uint64_t made; /* for the next name */
} rt_pg_cache;

typedef struct rt_pg_connection {
    PGconn *pq;
    rt_pg *pg;
    struct rt_pg_connection *next; /* idle */
    int watched; /* of a shared one: a descriptor of ours for its socket; else 0 */
    rt_pg_cache cache;
    uint64_t opened, used;
    int busy;           /* not all results of what was sent are read */
    int broken;         /* to be closed */
    int in_transaction; /* of ours: a loss undoes it all */
    uint64_t limit;     /* of its waits, beside the deadline of who waits; 0: none */
    struct rt_pg_cancelling *cancelling;
} rt_pg_connection;

enum rt_pg_kind { RT_PG_OWN, RT_PG_SHARED };

/* Connects within `connect_timeout` and the deadline of the context. */
int rt_pg_connect(rt_ctx *ctx, rt_pg *pg, enum rt_pg_kind kind, rt_pg_connection **connection);
void rt_pg_close(rt_pg_connection *connection);
/* Fibers that wait for its socket may find it closed by libpq, which does so in whatever call meets
 * the end, and would wait for ever; from here on they wait for a descriptor of ours. */
int rt_pg_watch(rt_ctx *ctx, rt_pg_connection *connection);
/* What waits for it hears of its end. */
void rt_pg_shut_down(const rt_pg_connection *connection);
/* rt_wait_fd on its socket. */
int rt_pg_wait(rt_ctx *ctx, const rt_pg_connection *connection, uint32_t events, uint64_t deadline);
/* -RT_EUNAVAILABLE with what libpq says of a connection that was lost; it is broken then. */
int rt_pg_lost(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement);
/* The same where there is no connection any more; `may_have_run`: the statement had been sent. */
int rt_pg_lost_because(rt_ctx *ctx, const char *words, const rt_sql_statement *statement,
                       int may_have_run);
/* One line of libpq's words, in the memory of the context. */
const char *rt_pg_words(rt_ctx *ctx, const char *text);

/* --- prepared statements --------------------------------------------------------------------- */

struct rt_pg_prepared {
    rt_pg_prepared *newer, *older, *next_in_bucket;
    uint64_t hash;
    char name[24];
    int binary; /* the form of its results */
    int is_new; /* it was not executed yet */
    uint32_t parameter_count;
    Oid *types; /* of the parameters; behind the struct, as the text is */
    char *text;
};

int rt_pg_cache_open(rt_pg_cache *cache, uint32_t most);
void rt_pg_cache_close(rt_pg_cache *cache);
/* NULL if there is none; else it is the newest now. */
rt_pg_prepared *rt_pg_cache_find(rt_pg_cache *cache, const char *text);
/* Of the answer to Describe. NULL when memory is out. */
rt_pg_prepared *rt_pg_cache_add(rt_pg_cache *cache, const char *name, const char *text,
                                const PGresult *description);
void rt_pg_cache_remove(rt_pg_cache *cache, rt_pg_prepared *prepared);
/* The one to be given up for another, taken out and the caller's to free; NULL if there is room. */
rt_pg_prepared *rt_pg_cache_evict(rt_pg_cache *cache);
void rt_pg_cache_name(rt_pg_cache *cache, char name[24]);

/* The parameters of a statement as libpq takes them. */
typedef struct rt_pg_arguments {
    const char **values;
    int *lengths, *formats;
    rt_pg_memory memory;
} rt_pg_arguments;

/* Fails with the statement's error if a value cannot be a parameter of the type. */
int rt_pg_arguments_make(rt_ctx *ctx, const rt_pg_prepared *prepared,
                         const rt_sql_statement *statement, rt_pg_arguments *arguments);
/* 1 if a failure may come from what was prepared: it is gone, or tables have other types now. */
int rt_pg_is_stale(const PGresult *result);
int rt_pg_is_mistyped(const rt_error *error);

/* --- statements ------------------------------------------------------------------------------ */

/* Runs a prepared statement and waits for its one result, which is the caller's to clear. */
int rt_pg_run(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement,
              PGresult **result);
/* Sends it only; `prepared` again if it was stale is then not possible. */
int rt_pg_send(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement);
/* Runs a text without parameters by the simple protocol; the last result, or the first error. */
int rt_pg_command(rt_ctx *ctx, rt_pg_connection *connection, const char *text,
                  const rt_sql_statement *statement, PGresult **result);
/* Finds or prepares what the text says. */
int rt_pg_prepare(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement,
                  rt_pg_prepared **prepared);
/* Waits until the server has sent something, and takes it in. */
int rt_pg_await(rt_ctx *ctx, rt_pg_connection *connection);
/* Sends what libpq holds. */
int rt_pg_flush(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement);
/* The next result, NULL behind the last. */
int rt_pg_next(rt_ctx *ctx, rt_pg_connection *connection, const rt_sql_statement *statement,
               PGresult **result);
/* Cancels what still runs and reads what is left, so that the next statement can be sent. */
int rt_pg_settle(rt_ctx *ctx, rt_pg_connection *connection);
/* Asks the server to cancel what it still does, in a unit of work of its own; the caller's ends no
 * sooner than that is asked. settle goes on from there. */
void rt_pg_cancel_soon(rt_ctx *ctx, rt_pg_connection *connection);
/* Frees what a cancellation has left. */
void rt_pg_cancel_forget(rt_pg_connection *connection);

/* --- results and errors ---------------------------------------------------------------------- */

/* Rows of the result into memory. */
int rt_pg_rows(rt_ctx *ctx, rt_pg_memory *memory, const PGresult *result,
               const rt_sql_statement *statement, rt_sql_rows *rows);
/* The columns of a result, and one row of it. */
int rt_pg_columns(rt_pg_memory *memory, const PGresult *result, rt_sql_column **columns);
int rt_pg_row(rt_ctx *ctx, rt_pg_memory *memory, const PGresult *result, int row,
              const rt_sql_statement *statement, rt_sql_value *values);
/* What the result of a failed statement says. */
int rt_pg_fail(rt_ctx *ctx, const PGresult *result, const rt_sql_statement *statement);
/* A value that the codec refused, by SQLSTATE. */
int rt_pg_refuse(rt_ctx *ctx, const char *state, const char *what,
                 const rt_sql_statement *statement);
/* The deadline or the cancellation that ended a wait. */
int rt_pg_interrupted(rt_ctx *ctx, int code, const rt_sql_statement *statement);
uint64_t rt_pg_affected(PGresult *result);

/* --- the pool -------------------------------------------------------------------------------- */

struct rt_pg {
    rt_instance *instance;
    rt_pg_settings settings;
    rt_pg_connection *idle; /* the one used last first */
    rt_semaphore *permits;  /* one for each connection that may be in use */
    rt_semaphore *canceller;
    rt_semaphore *returned; /* for those whom the server let not in: a connection came back */
    uint32_t most, open, used, pending, hungry;
    uint64_t timeouts;
    rt_pg_shared *shared;
    uint32_t shared_count;
    char failure[200]; /* why the last attempt to connect failed; empty: it did not */
    int version;
    rt_span_database where;
    char address[64];
    int stopping;
};

int rt_pg_take(rt_ctx *ctx, rt_pg *pg, rt_pg_connection **connection);
/* Closes it unless its state is known. */
void rt_pg_give(rt_ctx *ctx, rt_pg_connection *connection);
/* Closes what was idle for too long or is too old; publishes the numbers. */
int rt_pg_sweep(rt_ctx *ctx, void *pg);
void rt_pg_close_idle(rt_pg *pg);

/* A connection for one call: the transaction's, or one of the pool. */
typedef struct rt_pg_lease {
    rt_pg_connection *connection;
    int in_transaction;
} rt_pg_lease;

int rt_pg_lease_take(rt_ctx *ctx, rt_pg *pg, rt_pg_lease *lease);
void rt_pg_lease_end(rt_ctx *ctx, rt_pg_lease *lease);

/* A connection for a stream or a copy, until that is closed. In a transaction it stands behind a
 * savepoint: what is closed early is cancelled back to it, and the transaction goes on. */
typedef struct rt_pg_holding {
    rt_pg_connection *connection;
    rt_tx_hold *hold; /* of the transaction it is in */
    int is_open;
} rt_pg_holding;

int rt_pg_hold(rt_ctx *ctx, rt_pg *pg, rt_pg_holding *holding);
/* Once; later calls return `code`. Where `code` is a failure, the transaction keeps it. */
int rt_pg_let_go(rt_ctx *ctx, rt_pg_holding *holding, int code);

/* --- the rest of the methods ----------------------------------------------------------------- */

int rt_pg_share_open(rt_ctx *ctx, rt_pg *pg);
void rt_pg_share_close(rt_pg *pg);
/* 1 if the statement may share a connection. */
int rt_pg_can_share(const rt_sql_statement *statement);
int rt_pg_share_run(rt_ctx *ctx, rt_pg *pg, const rt_sql_statement *statement, PGresult **result);
uint32_t rt_pg_share_connected(const rt_pg *pg);

extern const rt_tx_driver rt_pg_transactions;

int rt_pg_stream_open(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_stream **stream);
int rt_pg_stream_next(rt_ctx *ctx, rt_sql_stream *stream, rt_sql_rows *rows);
int rt_pg_stream_close(rt_ctx *ctx, rt_sql_stream *stream);
int rt_pg_copy_begin(rt_ctx *ctx, const rt_sql_copy *copy, rt_sql_load **load);
int rt_pg_copy_rows(rt_ctx *ctx, rt_sql_load *load, const rt_sql_value *values, uint64_t row_count);
int rt_pg_copy_write(rt_ctx *ctx, rt_sql_load *load, const void *data, uint64_t length);
int rt_pg_copy_read(rt_ctx *ctx, rt_sql_load *load, rt_str *chunk);
int rt_pg_copy_end(rt_ctx *ctx, rt_sql_load *load, uint64_t *rows);
int rt_pg_listen(rt_ctx *ctx, const char *channel, rt_sql_listener **listener);
int rt_pg_notified(rt_ctx *ctx, rt_sql_listener *listener, rt_sql_notification *notification);
int rt_pg_unlisten(rt_ctx *ctx, rt_sql_listener *listener);
int rt_pg_notify(rt_ctx *ctx, const char *channel, const char *payload);

#endif
