/* sql_kit.h — a provider of sql/1 over SQLite itself, as small as tests of what uses sql/1 need
 *
 *     open_kit(&kit, path, RT_SQL_SQLITE);
 *     instance.bindings = &kit.binding;
 *     …
 *     close_kit(&kit);
 *
 * With the dialect postgres, what the caller asks PostgreSQL's catalogue and locks for is answered
 * by functions of these names, and what runs outside of the transaction has a connection of its
 * own.
 */
#ifndef RT_TEST_SQL_KIT_H
#define RT_TEST_SQL_KIT_H

#include <rt/cap/sql.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { SCRIPTS_MOST = 64 };

typedef struct sql_kit {
    sqlite3 *inside, *outside; /* the connection of the transaction, and that of everything else */
    uint32_t dialect;
    int refuse_locks;               /* so many times */
    int locks, begun;               /* how often; begun and not ended */
    const char *fail_on;            /* a script with this in it fails, once it has run */
    const char *position;           /* which such a failure tells */
    char scripts[SCRIPTS_MOST][64]; /* their beginnings, `+` before those in a transaction */
    int script_count;
    rt_instance provider;
    rt_binding binding;
} sql_kit;

static inline sql_kit *kit_of(const rt_ctx *ctx)
{
    return (sql_kit *)rt_state(ctx);
}

static inline int kit_in_transaction(rt_ctx *ctx)
{
    return rt_context_value(ctx, ctx->instance) != NULL;
}

static inline sqlite3 *kit_connection(rt_ctx *ctx)
{
    sql_kit *kit = kit_of(ctx);
    return kit->dialect == RT_SQL_POSTGRES && !kit_in_transaction(ctx) ? kit->outside : kit->inside;
}

static inline int kit_fail(rt_ctx *ctx, const char *message)
{
    const rt_field fields[] = {{"position", kit_of(ctx)->position, 0}};
    return rt_fail_with(ctx, &(rt_error){.size = sizeof(rt_error),
                                         .code = RT_EINTERNAL,
                                         .domain = "SYNTAX_ERROR",
                                         .message = message,
                                         .fields = fields,
                                         .field_count = kit_of(ctx)->position != NULL});
}

static inline int kit_prepare(rt_ctx *ctx, const rt_sql_statement *statement, sqlite3_stmt **out)
{
    sqlite3 *connection = kit_connection(ctx);
    if (sqlite3_prepare_v2(connection, statement->text, -1, out, NULL) != SQLITE_OK)
        return kit_fail(ctx, rt_format(ctx, "%s", sqlite3_errmsg(connection)));
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        const rt_sql_value *value = &statement->parameters[i];
        char name[16];
        snprintf(name, sizeof name, "$%u", i + 1);
        int at = sqlite3_bind_parameter_index(*out, name);
        if (value->type == RT_SQL_TEXT)
            sqlite3_bind_text(*out, at, value->value.text, (int)value->length, SQLITE_TRANSIENT);
        else if (value->type == RT_SQL_INT)
            sqlite3_bind_int64(*out, at, value->value.integer);
    }
    return 0;
}

static inline rt_sql_value kit_value(rt_ctx *ctx, sqlite3_stmt *statement, int column)
{
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
        return rt_sql_null();
    case SQLITE_INTEGER:
        return rt_sql_int(sqlite3_column_int64(statement, column));
    default:
        return rt_sql_text(rt_format(ctx, "%s", sqlite3_column_text(statement, column)));
    }
}

enum { KIT_VALUES_MOST = 4096 };

static inline int kit_query(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_rows *rows)
{
    sqlite3_stmt *prepared = NULL;
    RT_TRY(kit_prepare(ctx, statement, &prepared));
    int columns = sqlite3_column_count(prepared), state;
    rt_sql_value *values = (rt_sql_value *)rt_alloc(ctx, KIT_VALUES_MOST * sizeof *values);
    uint64_t count = 0;
    while ((state = sqlite3_step(prepared)) == SQLITE_ROW &&
           (count + 1) * (uint64_t)columns <= KIT_VALUES_MOST) {
        for (int i = 0; i < columns; i++)
            values[count * (uint64_t)columns + (uint64_t)i] = kit_value(ctx, prepared, i);
        count++;
    }
    rows->column_count = (uint32_t)columns;
    rows->row_count = count;
    rows->values = values;
    int result =
        state == SQLITE_DONE ? 0 : kit_fail(ctx, sqlite3_errmsg(sqlite3_db_handle(prepared)));
    sqlite3_finalize(prepared);
    return result;
}

static inline void kit_note(rt_ctx *ctx, const char *script)
{
    sql_kit *kit = kit_of(ctx);
    if (kit->script_count < SCRIPTS_MOST)
        snprintf(kit->scripts[kit->script_count++], sizeof kit->scripts[0], "%s%s",
                 kit_in_transaction(ctx) ? "+" : "", script);
}

static inline int kit_run(rt_ctx *ctx, const char *script)
{
    sql_kit *kit = kit_of(ctx);
    sqlite3 *connection = kit_connection(ctx);
    kit_note(ctx, script);
    if (connection == kit->inside && strncmp(script, "SET LOCAL ", 10) != 0 &&
        sqlite3_exec(connection, script, NULL, NULL, NULL) != SQLITE_OK)
        return kit_fail(ctx, rt_format(ctx, "%s", sqlite3_errmsg(connection)));
    return kit->fail_on && strstr(script, kit->fail_on) ? kit_fail(ctx, "it was made to fail") : 0;
}

static inline int kit_exec(rt_ctx *ctx, const rt_sql_statement *statement, uint64_t *affected)
{
    sqlite3_stmt *prepared = NULL;
    (void)affected;
    if (statement->flags & RT_SQL_SCRIPT)
        return kit_run(ctx, statement->text);
    RT_TRY(kit_prepare(ctx, statement, &prepared));
    int state = sqlite3_step(prepared);
    int result =
        state == SQLITE_DONE ? 0 : kit_fail(ctx, sqlite3_errmsg(sqlite3_db_handle(prepared)));
    sqlite3_finalize(prepared);
    return result;
}

static inline int kit_begin(rt_ctx *ctx, const rt_sql_transaction *options)
{
    sql_kit *kit = kit_of(ctx);
    (void)options;
    const char *text = kit->dialect == RT_SQL_SQLITE ? "BEGIN IMMEDIATE" : "BEGIN";
    if (sqlite3_exec(kit->inside, text, NULL, NULL, NULL) != SQLITE_OK)
        return kit_fail(ctx, sqlite3_errmsg(kit->inside));
    kit->begun++;
    return rt_set_context_value(ctx, ctx->instance, kit);
}

static inline int kit_end(rt_ctx *ctx, const char *text)
{
    sql_kit *kit = kit_of(ctx);
    rt_set_context_value(ctx, ctx->instance, NULL);
    kit->begun--;
    if (sqlite3_exec(kit->inside, text, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    return kit_fail(ctx, sqlite3_errmsg(kit->inside));
}

static inline int kit_commit(rt_ctx *ctx)
{
    return kit_end(ctx, "COMMIT");
}

static inline int kit_rollback(rt_ctx *ctx)
{
    return kit_end(ctx, "ROLLBACK");
}

static inline int kit_describe(rt_ctx *ctx, rt_sql_server *server)
{
    server->dialect = kit_of(ctx)->dialect;
    return 0;
}

static const struct rt_sql_table kit_table = {.size = sizeof kit_table,
                                              .query = kit_query,
                                              .exec = kit_exec,
                                              .begin = kit_begin,
                                              .commit = kit_commit,
                                              .rollback = kit_rollback,
                                              .describe = kit_describe};

/* --- functions of SQL ------------------------------------------------------------------------ */

static inline void kit_now(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count, (void)values;
    sqlite3_result_int64(context, INT64_C(1700000000000000));
}

static inline void kit_try_lock(sqlite3_context *context, int count, sqlite3_value **values)
{
    sql_kit *kit = (sql_kit *)sqlite3_user_data(context);
    (void)count, (void)values;
    kit->locks++;
    sqlite3_result_int(context, kit->locks > kit->refuse_locks);
}

static inline void kit_visible(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count, (void)values;
    sqlite3_result_int(context, 1);
}

static inline sqlite3 *kit_connect(sql_kit *kit, const char *path)
{
    sqlite3 *connection = NULL;
    sqlite3_open(path, &connection);
    sqlite3_busy_timeout(connection, 20000);
    sqlite3_create_function(connection, "now", 0, SQLITE_UTF8, NULL, kit_now, NULL, NULL);
    sqlite3_create_function(connection, "pg_try_advisory_xact_lock", 1, SQLITE_UTF8, kit,
                            kit_try_lock, NULL, NULL);
    sqlite3_create_function(connection, "pg_table_is_visible", 1, SQLITE_UTF8, NULL, kit_visible,
                            NULL, NULL);
    sqlite3_exec(
        connection,
        "CREATE TEMP VIEW pg_class AS SELECT rowid AS oid, name AS relname, 'r' AS relkind "
        "FROM main.sqlite_master WHERE type = 'table'",
        NULL, NULL, NULL);
    return connection;
}

static inline void open_kit(sql_kit *kit, const char *path, uint32_t dialect)
{
    *kit = (sql_kit){.dialect = dialect,
                     .provider = {.magic = RT_INSTANCE_MAGIC,
                                  .size = sizeof(rt_instance),
                                  .name = "kit",
                                  .module = "kit"}};
    kit->inside = kit_connect(kit, path);
    kit->outside = kit_connect(kit, path);
    kit->provider.state = kit;
    kit->binding = (rt_binding){
        .table = &kit_table, .instance = &kit->provider, .all = &kit->binding, .count = 1};
}

static inline void close_kit(sql_kit *kit)
{
    sqlite3_close(kit->inside);
    sqlite3_close(kit->outside);
}

#endif
