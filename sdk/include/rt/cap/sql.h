/* rt/cap/sql.h — sql/1: statements, transactions, streams, bulk loads and notifications
 *
 * Statements are prepared and take their values as parameters, `$1`, `$2`, …, in every dialect;
 * values are never part of the text. A provider keeps what it prepared, by text.
 *
 *     rt_sql_rows rows = {.size = sizeof rows};
 *     RT_TRY(rt_sql_exec(ctx, sql, RT_SQL("INSERT INTO orders (id, quantity) VALUES ($1, $2)",
 *                                         rt_sql_text(id), rt_sql_int(2)), NULL));
 *     RT_TRY(rt_sql_query(ctx, sql, RT_SQL("SELECT id, quantity FROM orders WHERE quantity > $1",
 *                                          rt_sql_int(1)), &rows));
 *     for (uint64_t i = 0; i < rows.row_count; i++)
 *         total += rt_sql_get_int(&rows, i, 1);
 *
 * Transactions are ambient: what a unit of work, and those it starts, asks of the same instance
 * inside of rt_sql_tx belongs to its transaction; fibers that share one take turns. A transaction
 * inside of another is a savepoint. Every exit but success rolls back, defects and interruption
 * too. A statement that fails spoils the transaction, or the nested one, that it belongs to: what
 * follows is IN_FAILED_SQL_TRANSACTION, its commit too.
 *
 *     static int move(rt_ctx *ctx, void *argument) { … two rt_sql_exec … return 0; }
 *     RT_TRY(rt_sql_tx(ctx, sql, move, &order, .isolation = RT_SQL_SERIALIZABLE, .attempts = 5));
 *
 * Types and how the dialects write them in CREATE TABLE; `sqlite` knows a column by its declared
 * type: RT_SQL_INT    bigint, integer      RT_SQL_TIME  timestamptz, microseconds since 1970 in UTC
 *     RT_SQL_DOUBLE double precision     RT_SQL_UUID  uuid, as text of 36 characters
 *     RT_SQL_TEXT   text                 RT_SQL_JSON  jsonb (json), as text
 *     RT_SQL_BYTES  bytea                RT_SQL_BOOL  boolean
 *     RT_SQL_ARRAY  bigint[], text[], … where the server has arrays; else -RT_EUNIMPLEMENTED
 * A result whose type is none of these (numeric, date, interval, …) is RT_SQL_TEXT, as the server
 * writes it. Both dialects know `now()` and `gen_random_uuid()`, as defaults in parentheses. sqlite
 * keeps no negative zero, and refuses NaN.
 *
 * Ownership: statements and values stay the caller's. Rows of query live as long as the unit of
 * work; those of stream_next until the next call on that stream. Streams, copies and listeners end
 * with the unit of work unless they are closed before. Text is UTF-8; all texts of rows end in NUL.
 * Waiting: all methods wait but describe. Deadline and cancellation of the context
 * interrupt the statement on the server.
 *
 * Errors: rt_error.domain is the condition name of the SQLSTATE, upper case (PostgreSQL, appendix
 * A: "UNIQUE_VIOLATION"; "UNKNOWN" without one). rt_error_text(error, …) gives "sqlstate",
 * "constraint", "table", "column", "statement", "parameters" (their types and lengths) and, of
 * postgres, "position" (where in the statement, in characters from 1); no text of an error tells
 * the value of a parameter.
 *   -RT_EALREADY_EXISTS      UNIQUE_VIOLATION
 *   -RT_EFAILED_PRECONDITION FOREIGN_KEY_VIOLATION, NOT_NULL_VIOLATION, CHECK_VIOLATION and their
 *                            class, IN_FAILED_SQL_TRANSACTION, READ_ONLY_SQL_TRANSACTION
 *   -RT_EINVALID_ARGUMENT    NUMERIC_VALUE_OUT_OF_RANGE and its class, text that is no UTF-8 or
 *                            has a NUL, missing and superfluous parameters
 *   -RT_EABORTED             SERIALIZATION_FAILURE, DEADLOCK_DETECTED; retryable
 *   -RT_ERESOURCE_EXHAUSTED  DISK_FULL, OUT_OF_MEMORY, TOO_MANY_CONNECTIONS, a pool that is used up
 *   -RT_EUNAVAILABLE         no connection, or it was lost; retryable unless the outcome of a
 *                            commit or of a statement that writes is not known
 *   -RT_EDEADLINE            at the deadline; -RT_ECANCELED where the work is cancelled
 *   -RT_EINTERNAL            the statement is wrong: SYNTAX_ERROR, UNDEFINED_TABLE, no permission
 *   -RT_EUNIMPLEMENTED       this server cannot: arrays, notifications, raw copies
 *
 * Source: ISO/IEC 9075 (SQLSTATE), PostgreSQL 15, SQLite 3.40.
 */
#ifndef RT_CAP_SQL_H
#define RT_CAP_SQL_H

#include <rt/capability.h>
#include <rt/context.h>
#include <rt/log.h>

enum rt_sql_type {
    RT_SQL_NULL = 0,
    RT_SQL_INT = 1,
    RT_SQL_DOUBLE = 2,
    RT_SQL_TEXT = 3,
    RT_SQL_BYTES = 4,
    RT_SQL_BOOL = 5,
    RT_SQL_TIME = 6,
    RT_SQL_UUID = 7,
    RT_SQL_JSON = 8,
    RT_SQL_ARRAY = 9,
};

/* A value: a parameter, or what a row has in a column. An array element: it never grows. */
typedef struct rt_sql_value {
    uint32_t type;   /* rt_sql_type */
    uint32_t of;     /* rt_sql_type of the elements of an array; for parameters, also of a null */
    uint64_t length; /* bytes of text, bytes, uuid, json; elements of an array */
    union {
        int64_t integer; /* int, bool, time */
        double real;
        const char *text; /* text, uuid, json */
        const void *bytes;
        const struct rt_sql_value *elements;
    } value;
} rt_sql_value;

enum rt_sql_statement_flags {
    /* By key, and answered in milliseconds: may share a connection with others. It is abandoned at
     * its deadline, not cancelled. Not for statements that lock, or change the session. */
    RT_SQL_SHORT = 1,
    /* Several statements, all or none, without parameters and rows. */
    RT_SQL_SCRIPT = 2,
};

typedef struct rt_sql_statement {
    uint32_t size;
    uint32_t flags; /* rt_sql_statement_flags */
    const char *text;
    const rt_sql_value *parameters;
    uint32_t parameter_count;
    uint32_t reserved;
} rt_sql_statement;

typedef struct rt_sql_column {
    const char *name;
    uint32_t type; /* rt_sql_type; RT_SQL_NULL: not known before there are rows */
    uint32_t reserved;
} rt_sql_column;

typedef struct rt_sql_rows {
    uint32_t size; /* sizeof(rt_sql_rows), set by the caller */
    uint32_t column_count;
    uint64_t row_count;
    const rt_sql_column *columns;
    const rt_sql_value *values; /* row by row */
} rt_sql_rows;

enum rt_sql_isolation {
    RT_SQL_DEFAULT = 0, /* the server's */
    RT_SQL_READ_COMMITTED = 1,
    RT_SQL_REPEATABLE_READ = 2,
    RT_SQL_SERIALIZABLE = 3, /* what sqlite always is */
};

typedef struct rt_sql_transaction {
    uint32_t size;
    uint32_t isolation; /* rt_sql_isolation; of the outermost */
    uint32_t read_only; /* 1: writes are refused; of the outermost */
    uint32_t attempts;  /* of rt_sql_tx, for -RT_EABORTED of the outermost; 0: one */
} rt_sql_transaction;

/* Runs once the outermost transaction is committed. The provider copies this and the argument. */
typedef struct rt_sql_hook {
    uint32_t size;
    uint32_t argument_size; /* bytes to be copied; 0: the pointer itself is passed on */
    rt_instance *instance;  /* whose code it is */
    rt_work function;       /* its failure is logged and undoes nothing */
    void *argument;
} rt_sql_hook;

enum rt_sql_copy_format {
    RT_SQL_COPY_ROWS = 0, /* typed: copy_rows */
    RT_SQL_COPY_TEXT = 1, /* bytes as PostgreSQL's COPY has them: copy_write, copy_read */
    RT_SQL_COPY_CSV = 2,
};

/* A bulk load into a table, or with `query` a bulk read. All of a load is kept, or nothing. */
typedef struct rt_sql_copy {
    uint32_t size;
    uint32_t format; /* rt_sql_copy_format; a bulk read has bytes alone */
    const char *table;
    const char *const *columns;
    uint32_t column_count;
    uint32_t reserved;
    const char *query; /* what to read; NULL: load into `table` */
} rt_sql_copy;

typedef struct rt_sql_notification {
    uint32_t size; /* set by the caller */
    int32_t process;
    const char *channel;
    const char *payload;
} rt_sql_notification;

enum rt_sql_dialect { RT_SQL_SQLITE = 1, RT_SQL_POSTGRES = 2 };

typedef struct rt_sql_server {
    uint32_t size;    /* set by the caller */
    uint32_t dialect; /* rt_sql_dialect */
    uint32_t version; /* 150004, as the server counts; 0: not connected yet */
    uint32_t reserved;
    const char *database; /* its name or path */
} rt_sql_server;

typedef struct rt_sql_stream rt_sql_stream;
typedef struct rt_sql_load rt_sql_load;
typedef struct rt_sql_listener rt_sql_listener;

RT_FORM_NAMES(rt_sql_dialects_, {"sqlite", RT_SQL_SQLITE}, {"postgres", RT_SQL_POSTGRES})
#define RT_SQL_SERVER_FIELDS(F)                        \
    F(rt_sql_server, SIZE, size)                       \
    F(rt_sql_server, NAMED, dialect, rt_sql_dialects_) \
    F(rt_sql_server, VALUE, version)                   \
    F(rt_sql_server, VALUE, database)
RT_FORM(rt_sql_server, RT_SQL_SERVER_FIELDS)
#define RT_SQL_FORMS(F) F(rt_sql_server)
#define RT_FORMS_sql ~, RT_SQL_FORMS

/* query     all rows at once; for what fits in memory.
 * exec      `affected` or NULL: rows that were inserted, updated or deleted.
 * begin …   what rt_sql_tx is made of: in the unit of work that began, each begin has its commit or
 *           rollback; what is left at its end is rolled back.
 * after_commit  without a transaction the hook runs at once.
 * stream_…  rows in pieces of bounded memory; a piece without rows is the end.
 * copy_…    rows: how many were loaded; copy_read's empty chunk is the end. copy_end commits a load
 *           that stands in no transaction; one that is abandoned leaves nothing.
 * listen    on a connection of its own, kept over reconnects; a notification with channel NULL says
 *           that some may have been missed. notify is delivered when its transaction commits.
 * describe  what is behind the handle.
 * check     asks the server for something cheap. */
#define RT_SQL_METHODS(M)                                                                         \
    M(sql, query, RT_WAITS, (const rt_sql_statement *, statement), (rt_sql_rows *, rows))         \
    M(sql, exec, RT_WAITS, (const rt_sql_statement *, statement), (uint64_t *, affected))         \
    M(sql, begin, RT_WAITS, (const rt_sql_transaction *, options))                                \
    M(sql, commit, RT_WAITS)                                                                      \
    M(sql, rollback, RT_WAITS)                                                                    \
    M(sql, after_commit, RT_WAITS, (const rt_sql_hook *, hook))                                   \
    M(sql, stream_open, RT_WAITS, (const rt_sql_statement *, statement),                          \
      (rt_sql_stream **, stream))                                                                 \
    M(sql, stream_next, RT_WAITS, (rt_sql_stream *, stream), (rt_sql_rows *, rows))               \
    M(sql, stream_close, RT_WAITS, (rt_sql_stream *, stream))                                     \
    M(sql, copy_begin, RT_WAITS, (const rt_sql_copy *, copy), (rt_sql_load **, load))             \
    M(sql, copy_rows, RT_WAITS, (rt_sql_load *, load), (const rt_sql_value *, values),            \
      (uint64_t, row_count))                                                                      \
    M(sql, copy_write, RT_WAITS, (rt_sql_load *, load), (const void *, data), (uint64_t, length)) \
    M(sql, copy_read, RT_WAITS, (rt_sql_load *, load), (rt_str *, chunk))                         \
    M(sql, copy_end, RT_WAITS, (rt_sql_load *, load), (uint64_t *, rows))                         \
    M(sql, listen, RT_WAITS, (const char *, channel), (rt_sql_listener **, listener))             \
    M(sql, notified, RT_WAITS, (rt_sql_listener *, listener),                                     \
      (rt_sql_notification *, notification))                                                      \
    M(sql, unlisten, RT_WAITS, (rt_sql_listener *, listener))                                     \
    M(sql, notify, RT_WAITS, (const char *, channel), (const char *, payload))                    \
    M(sql, describe, RT_IDEMPOTENT, (rt_sql_server *, server))                                    \
    M(sql, check, RT_WAITS | RT_IDEMPOTENT)
#define RT_METHODS_sql RT_METHOD_NAMES(RT_SQL_METHODS)

RT_CAPABILITY(sql, 1, RT_SQL_METHODS)

/* --- statements and their values ------------------------------------------------------------- */

/* A statement:  RT_SQL("… WHERE id = $1", rt_sql_text(id)) */
#define RT_SQL(text_, ...) RT_SQL_WITH(0, text_, ##__VA_ARGS__)
#define RT_SQL_BY_KEY(text_, ...) RT_SQL_WITH(RT_SQL_SHORT, text_, ##__VA_ARGS__)
#define RT_SQL_WITH(flags_, text_, ...)                               \
    (&(const rt_sql_statement){                                       \
        .size = sizeof(rt_sql_statement),                             \
        .flags = (flags_),                                            \
        .text = (text_),                                              \
        .parameters = (const rt_sql_value[]){{0}, ##__VA_ARGS__} + 1, \
        .parameter_count =                                            \
            sizeof((const rt_sql_value[]){{0}, ##__VA_ARGS__}) / sizeof(rt_sql_value) - 1})

static inline rt_sql_value rt_sql_null(void)
{
    return (rt_sql_value){.type = RT_SQL_NULL};
}
static inline rt_sql_value rt_sql_int(int64_t integer)
{
    return (rt_sql_value){.type = RT_SQL_INT, .value.integer = integer};
}
static inline rt_sql_value rt_sql_double(double real)
{
    return (rt_sql_value){.type = RT_SQL_DOUBLE, .value.real = real};
}
static inline rt_sql_value rt_sql_bool(int truth)
{
    return (rt_sql_value){.type = RT_SQL_BOOL, .value.integer = truth != 0};
}
/* Microseconds since 1970-01-01T00:00:00Z. */
static inline rt_sql_value rt_sql_time(int64_t microseconds)
{
    return (rt_sql_value){.type = RT_SQL_TIME, .value.integer = microseconds};
}
static inline rt_sql_value rt_sql_text_of(uint32_t type, const char *text, uint64_t length)
{
    return text ? (rt_sql_value){.type = type, .length = length, .value.text = text}
                : (rt_sql_value){.type = RT_SQL_NULL, .of = type};
}
/* Of these three a NULL pointer is a null. */
static inline rt_sql_value rt_sql_text(const char *text)
{
    return rt_sql_text_of(RT_SQL_TEXT, text, text ? strlen(text) : 0);
}
static inline rt_sql_value rt_sql_uuid(const char *text)
{
    return rt_sql_text_of(RT_SQL_UUID, text, text ? strlen(text) : 0);
}
static inline rt_sql_value rt_sql_json(const char *text)
{
    return rt_sql_text_of(RT_SQL_JSON, text, text ? strlen(text) : 0);
}
static inline rt_sql_value rt_sql_str(rt_str text)
{
    return rt_sql_text_of(RT_SQL_TEXT, text.data ? text.data : "", text.length);
}
static inline rt_sql_value rt_sql_bytes(const void *bytes, uint64_t length)
{
    return (rt_sql_value){.type = RT_SQL_BYTES, .length = length, .value.bytes = bytes};
}
static inline rt_sql_value rt_sql_array(uint32_t of, const rt_sql_value *elements, uint64_t count)
{
    return (rt_sql_value){
        .type = RT_SQL_ARRAY, .of = of, .length = count, .value.elements = elements};
}

/* --- rows ------------------------------------------------------------------------------------ */

static inline const rt_sql_value *rt_sql_get(const rt_sql_rows *rows, uint64_t row, uint32_t column)
{
    return &rows->values[row * rows->column_count + column];
}
static inline int rt_sql_is_null(const rt_sql_rows *rows, uint64_t row, uint32_t column)
{
    return rt_sql_get(rows, row, column)->type == RT_SQL_NULL;
}
/* Of int, bool and time; 0 for anything else. */
static inline int64_t rt_sql_get_int(const rt_sql_rows *rows, uint64_t row, uint32_t column)
{
    const rt_sql_value *value = rt_sql_get(rows, row, column);
    return value->type == RT_SQL_INT || value->type == RT_SQL_BOOL || value->type == RT_SQL_TIME
               ? value->value.integer
               : 0;
}
static inline double rt_sql_get_double(const rt_sql_rows *rows, uint64_t row, uint32_t column)
{
    const rt_sql_value *value = rt_sql_get(rows, row, column);
    return value->type == RT_SQL_DOUBLE ? value->value.real
                                        : (double)rt_sql_get_int(rows, row, column);
}
/* Of text, uuid and json; NULL for anything else. */
static inline const char *rt_sql_get_text(const rt_sql_rows *rows, uint64_t row, uint32_t column)
{
    const rt_sql_value *value = rt_sql_get(rows, row, column);
    return value->type == RT_SQL_TEXT || value->type == RT_SQL_UUID || value->type == RT_SQL_JSON
               ? value->value.text
               : NULL;
}
static inline rt_str rt_sql_get_bytes(const rt_sql_rows *rows, uint64_t row, uint32_t column)
{
    const rt_sql_value *value = rt_sql_get(rows, row, column);
    return value->type == RT_SQL_BYTES ? (rt_str){(const char *)value->value.bytes, value->length}
                                       : (rt_str){NULL, 0};
}

/* --- transactions (in librt-data, which rt-sdk.pc links) -------------------------------------- */

/* Runs `work` in a transaction and commits it if that succeeds; what it fails with is returned. */
#define rt_sql_tx(ctx_, sql_, work_, argument_, ...) \
    rt_sql_tx_with(ctx_, sql_, work_, argument_,     \
                   &(const rt_sql_transaction){.size = sizeof(rt_sql_transaction), __VA_ARGS__})
int rt_sql_tx_with(rt_ctx *ctx, struct rt_sql_slot *sql, rt_work work, void *argument,
                   const rt_sql_transaction *options);

/* Runs `function` with a copy of `size` bytes at `argument` (0: with the pointer) as soon as the
 * outermost transaction is committed, and never if it is not; without one, now. */
static inline int rt_after_commit(rt_ctx *ctx, struct rt_sql_slot *sql, rt_work function,
                                  void *argument, uint32_t size)
{
    return rt_sql_after_commit(ctx, sql,
                               &(const rt_sql_hook){.size = sizeof(rt_sql_hook),
                                                    .argument_size = size,
                                                    .instance = ctx->instance,
                                                    .function = function,
                                                    .argument = argument});
}

/* The text for the dialect of the provider. */
static inline const char *rt_sql_in_dialect(rt_ctx *ctx, struct rt_sql_slot *sql,
                                            const char *sqlite, const char *postgres)
{
    rt_sql_server server = {.size = sizeof server};
    rt_sql_describe(ctx, sql, &server);
    return server.dialect == RT_SQL_POSTGRES ? postgres : sqlite;
}

#endif
