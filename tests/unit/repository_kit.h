/* repository_kit.h — repositories on a database in memory, and what they asked of it
 *
 * A provider of sql/1 for tests: SQLite, called at once, that keeps the texts of what it was asked.
 * It can be told to fail, to answer with rows of one's own, and to call itself PostgreSQL.
 */
#ifndef RT_TEST_REPOSITORY_KIT_H
#define RT_TEST_REPOSITORY_KIT_H

#include "fiber_kit.h"
#include "telemetry/span.h"

#include <rt/cap/sql.h>
#include <rt/rt.h>
#include <sqlite3.h>
#include <stdlib.h>

enum { ASKED_MOST = 64 };

static struct {
    sqlite3 *handle;
    int depth; /* of transactions */
    uint32_t dialect;
    int fail;                  /* 1: the next statement is UNAVAILABLE; n: the n-th */
    const rt_sql_rows *canned; /* what query answers instead */
    char *asked[ASKED_MOST];
    uint32_t flags[ASKED_MOST];
    uint32_t asked_count, copied;
} base;

__attribute__((unused)) static void forget_asked(void)
{
    for (uint32_t i = 0; i < base.asked_count && i < ASKED_MOST; i++)
        free(base.asked[i]);
    base.asked_count = 0;
}

static void note_asked(const char *text, uint32_t flags)
{
    if (base.asked_count < ASKED_MOST) {
        base.asked[base.asked_count] = strdup(text);
        base.flags[base.asked_count] = flags;
        base.asked_count++;
    }
}

/* --- values ----------------------------------------------------------------------------------- */

static uint32_t type_of_column(const char *declared)
{
    static const struct {
        const char *word;
        uint32_t type;
    } types[] = {{"bigint", RT_SQL_INT},   {"double precision", RT_SQL_DOUBLE},
                 {"text", RT_SQL_TEXT},    {"bytea", RT_SQL_BYTES},
                 {"boolean", RT_SQL_BOOL}, {"timestamptz", RT_SQL_TIME},
                 {"uuid", RT_SQL_UUID},    {"jsonb", RT_SQL_JSON}};
    for (size_t i = 0; declared && i < sizeof types / sizeof types[0]; i++)
        if (strncmp(declared, types[i].word, strlen(types[i].word)) == 0)
            return types[i].type;
    return RT_SQL_NULL;
}

static void bind_value(sqlite3_stmt *statement, int place, const rt_sql_value *value)
{
    switch (value->type) {
    case RT_SQL_NULL:
        sqlite3_bind_null(statement, place);
        break;
    case RT_SQL_DOUBLE:
        sqlite3_bind_double(statement, place, value->value.real);
        break;
    case RT_SQL_BYTES:
        sqlite3_bind_blob(statement, place, value->value.bytes, (int)value->length,
                          SQLITE_TRANSIENT);
        break;
    case RT_SQL_INT:
    case RT_SQL_BOOL:
    case RT_SQL_TIME:
        sqlite3_bind_int64(statement, place, value->value.integer);
        break;
    default:
        sqlite3_bind_text(statement, place, value->value.text, (int)value->length,
                          SQLITE_TRANSIENT);
    }
}

static const char *copied(rt_ctx *ctx, const void *data, int length)
{
    char *copy = rt_alloc(ctx, (uint64_t)length + 1);
    if (length)
        memcpy(copy, data, (size_t)length);
    return copy;
}

static rt_sql_value read_value(rt_ctx *ctx, sqlite3_stmt *statement, int column)
{
    static const uint32_t stored[] = {[SQLITE_INTEGER] = RT_SQL_INT,
                                      [SQLITE_FLOAT] = RT_SQL_DOUBLE,
                                      [SQLITE_TEXT] = RT_SQL_TEXT,
                                      [SQLITE_BLOB] = RT_SQL_BYTES};
    int storage = sqlite3_column_type(statement, column);
    uint32_t type = type_of_column(sqlite3_column_decltype(statement, column));
    if (storage == SQLITE_NULL)
        return rt_sql_null();
    type = type ? type : stored[storage];
    if (storage == SQLITE_FLOAT)
        return rt_sql_double(sqlite3_column_double(statement, column));
    if (storage == SQLITE_INTEGER)
        return (rt_sql_value){.type = type,
                              .value.integer = sqlite3_column_int64(statement, column)};
    const void *data = storage == SQLITE_BLOB
                           ? sqlite3_column_blob(statement, column)
                           : (const void *)sqlite3_column_text(statement, column);
    int length = sqlite3_column_bytes(statement, column);
    return (rt_sql_value){
        .type = type, .length = (uint64_t)length, .value.text = copied(ctx, data, length)};
}

/* --- statements --------------------------------------------------------------------------------
 */

static int failed(rt_ctx *ctx)
{
    int code = sqlite3_extended_errcode(base.handle);
    bool unique = code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_UNIQUE;
    return rt_fail(ctx, unique ? RT_EALREADY_EXISTS : RT_EINTERNAL, "%s",
                   sqlite3_errmsg(base.handle));
}

static int prepare(rt_ctx *ctx, const rt_sql_statement *statement, sqlite3_stmt **prepared)
{
    note_asked(statement->text, statement->flags);
    if (base.fail && --base.fail == 0)
        return rt_fail(ctx, RT_EUNAVAILABLE, "the database is gone");
    if (sqlite3_prepare_v2(base.handle, statement->text, -1, prepared, NULL) != SQLITE_OK)
        return failed(ctx);
    CU_ASSERT_EQUAL((uint32_t)sqlite3_bind_parameter_count(*prepared), statement->parameter_count);
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        char name[16];
        snprintf(name, sizeof name, "$%u", i + 1);
        bind_value(*prepared, sqlite3_bind_parameter_index(*prepared, name),
                   &statement->parameters[i]);
    }
    return 0;
}

static int base_exec(rt_ctx *ctx, const rt_sql_statement *statement, uint64_t *affected)
{
    sqlite3_stmt *prepared = NULL;
    RT_TRY(prepare(ctx, statement, &prepared));
    int result = sqlite3_step(prepared) == SQLITE_DONE ? 0 : failed(ctx);
    if (affected)
        *affected = (uint64_t)sqlite3_changes(base.handle);
    sqlite3_finalize(prepared);
    return result;
}

static int base_query(rt_ctx *ctx, const rt_sql_statement *statement, rt_sql_rows *rows)
{
    sqlite3_stmt *prepared = NULL;
    if (base.canned) {
        note_asked(statement->text, statement->flags);
        *rows = *base.canned;
        return 0;
    }
    RT_TRY(prepare(ctx, statement, &prepared));
    uint64_t room = 4, columns = (uint64_t)sqlite3_column_count(prepared);
    rt_sql_value *values = rt_alloc(ctx, room * columns * sizeof *values);
    int step;
    rows->row_count = 0;
    while ((step = sqlite3_step(prepared)) == SQLITE_ROW) {
        if (rows->row_count == room) {
            rt_sql_value *more = rt_alloc(ctx, (room *= 2) * columns * sizeof *values);
            values = memcpy(more, values, rows->row_count * columns * sizeof *values);
        }
        for (uint64_t i = 0; i < columns; i++)
            values[rows->row_count * columns + i] = read_value(ctx, prepared, (int)i);
        rows->row_count++;
    }
    int result = step == SQLITE_DONE ? 0 : failed(ctx);
    sqlite3_finalize(prepared);
    rows->values = values;
    rows->column_count = (uint32_t)columns;
    return result;
}

__attribute__((unused)) static void run_script(const char *script)
{
    char *complaint = NULL;
    sqlite3_exec(base.handle, script, NULL, NULL, &complaint);
    if (complaint)
        fprintf(stderr, "%s: %s\n", script, complaint);
    CU_ASSERT_PTR_NULL(complaint);
    sqlite3_free(complaint);
}

/* --- transactions ------------------------------------------------------------------------------
 */

static void run_level(const char *words, int level)
{
    char text[64];
    snprintf(text, sizeof text, words, level);
    note_asked(text, 0);
    run_script(text);
}

static void abandon(rt_ctx *ctx, void *argument)
{
    int level = (int)(intptr_t)argument;
    (void)ctx;
    for (; base.depth >= level; base.depth--) {
        run_level("ROLLBACK TO level%d", base.depth);
        run_level("RELEASE level%d", base.depth);
    }
}

static int base_begin(rt_ctx *ctx, const rt_sql_transaction *options)
{
    (void)options;
    run_level("SAVEPOINT level%d", ++base.depth);
    return rt_defer(ctx, abandon, (void *)(intptr_t)base.depth);
}

static int base_commit(rt_ctx *ctx)
{
    (void)ctx;
    run_level("RELEASE level%d", base.depth--);
    return 0;
}

/* --- bulk loads --------------------------------------------------------------------------------
 */

static const rt_sql_copy *copying;

static int base_copy_begin(rt_ctx *ctx, const rt_sql_copy *copy, rt_sql_load **load)
{
    *load = NULL;
    copying = copy;
    return base_begin(ctx, NULL);
}

static int base_copy_rows(rt_ctx *ctx, rt_sql_load *load, const rt_sql_value *values, uint64_t rows)
{
    char text[1024] = "";
    (void)load;
    snprintf(text, sizeof text, "INSERT INTO \"%s\" VALUES (", copying->table);
    for (uint32_t i = 1; i <= copying->column_count; i++)
        snprintf(text + strlen(text), 8, i > 1 ? ", $%u" : "$%u", i);
    char *bracket = strstr(text, " VALUES");
    char names[512] = "";
    for (uint32_t i = 0; i < copying->column_count; i++)
        snprintf(names + strlen(names), 64, i ? ", \"%s\"" : "\"%s\"", copying->columns[i]);
    char whole[2048];
    snprintf(whole, sizeof whole, "%.*s (%s)%s)", (int)(bracket - text), text, names, bracket);
    for (uint64_t i = 0; i < rows; i++, base.copied++)
        RT_TRY(base_exec(ctx,
                         &(rt_sql_statement){.size = sizeof(rt_sql_statement),
                                             .text = whole,
                                             .parameters = values + i * copying->column_count,
                                             .parameter_count = copying->column_count},
                         NULL));
    return 0;
}

static int base_copy_end(rt_ctx *ctx, rt_sql_load *load, uint64_t *rows)
{
    (void)load;
    if (rows)
        *rows = base.copied;
    return base_commit(ctx);
}

static int base_describe(rt_ctx *ctx, rt_sql_server *server)
{
    (void)ctx;
    server->dialect = base.dialect;
    return 0;
}

/* --- the instance that uses it ------------------------------------------------------------------
 */

static const struct rt_sql_table base_table = {.size = sizeof(struct rt_sql_table),
                                               .query = base_query,
                                               .exec = base_exec,
                                               .begin = base_begin,
                                               .commit = base_commit,
                                               .copy_begin = base_copy_begin,
                                               .copy_rows = base_copy_rows,
                                               .copy_end = base_copy_end,
                                               .describe = base_describe};
static rt_instance base_instance = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .name = "base", .module = "base"};
static const rt_binding base_binding = {
    .table = &base_table, .instance = &base_instance, .count = 1};
static struct rt_sql_slot base_slot = {{.capability = "sql", .major = 1}};
static struct rt_sql_slot *const sql = &base_slot;

static void set_host_table(void)
{
    static rt_host with_spans;
    with_spans = fiber_table;
    with_spans.span_start = rt_host_span_start;
    with_spans.span_finish = rt_host_span_finish;
    with_spans.span_recorded = rt_host_span_recorded;
    with_spans.span_add = rt_host_span_add;
    rt_host_table = &with_spans;
}

/* Runs `work` as a unit of work on a new database that `script` made. */
__attribute__((unused)) static void on_base(const char *script, rt_work work, void *argument)
{
    base.dialect = RT_SQL_SQLITE;
    base.copied = 0;
    CU_ASSERT_EQUAL(sqlite3_open(":memory:", &base.handle), SQLITE_OK);
    run_script(script);
    shop.bindings = &base_binding;
    set_host_table();
    ending end =
        run_with(&(rt_loop_options){.span = rt_span_of_work}, (rt_unit_options){0}, work, argument);
    if (end.kind != RT_EXIT_SUCCESS)
        fprintf(stderr, "ended: %s%s\n", end.error, end.defect);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_SUCCESS);
    CU_ASSERT_EQUAL(base.depth, 0);
    CU_ASSERT_EQUAL(sqlite3_close(base.handle), SQLITE_OK);
    forget_asked();
}

#endif
