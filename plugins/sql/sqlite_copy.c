/* Bulk loads: one prepared INSERT in one transaction, or in a savepoint of the ambient one. */
#include "sqlite.h"

#include <stdio.h>
#include <string.h>

#define MAGIC 0x73716c6cu

struct rt_sql_load {
    uint32_t magic, column_count;
    bool busy, failed;
    rt_sqlite_lease lease;
    rt_tx_hold *hold;
    const char *text;
    sqlite3_stmt *statement;
    const rt_sql_value *values; /* of the call that runs */
    uint64_t row_count;
    uint64_t loaded;
    rt_sqlite_problem problem;
};

/* --- in the pool ----------------------------------------------------------------------------- */

static int begin_in_pool(void *argument)
{
    rt_sql_load *load = argument;
    rt_sqlite_connection *connection = load->lease.connection;
    const char *begin = load->lease.ambient ? "SAVEPOINT rt_copy" : "BEGIN IMMEDIATE";
    if (rt_sqlite_command(connection, begin, &load->problem) < 0)
        return -1;
    return rt_sqlite_prepare(connection, load->text, &load->statement, &load->problem);
}

static int add_row(rt_sql_load *load, const rt_sql_value *row)
{
    rt_sqlite_connection *connection = load->lease.connection;
    if (rt_sqlite_bind(connection, load->statement, row, load->column_count, &load->problem) < 0)
        return -1;
    bool added = sqlite3_step(load->statement) == SQLITE_DONE;
    if (!added)
        rt_sqlite_problem_of(connection, load->text, &load->problem);
    sqlite3_reset(load->statement);
    return added ? 0 : -1;
}

static int add_in_pool(void *argument)
{
    rt_sql_load *load = argument;
    load->lease.connection->writes_now = true;
    for (uint64_t i = 0; i < load->row_count; i++)
        if (add_row(load, &load->values[i * load->column_count]) < 0)
            return -1;
    return 0;
}

static void drop_statement(rt_sql_load *load)
{
    rt_sqlite_unprepare(load->lease.connection, load->statement);
    load->statement = NULL;
}

static int commit_in_pool(void *argument)
{
    rt_sql_load *load = argument;
    drop_statement(load);
    return rt_sqlite_command(load->lease.connection,
                             load->lease.ambient ? "RELEASE rt_copy" : "COMMIT", &load->problem);
}

/* Where SQLite has ended the transaction by itself there is nothing left to undo. */
static int abandon_in_pool(void *argument)
{
    rt_sql_load *load = argument;
    drop_statement(load);
    if (sqlite3_get_autocommit(load->lease.connection->handle))
        return 0;
    return rt_sqlite_command(
        load->lease.connection,
        load->lease.ambient ? "ROLLBACK TO rt_copy; RELEASE rt_copy" : "ROLLBACK", &load->problem);
}

/* --- on the loop ----------------------------------------------------------------------------- */

static int run(rt_ctx *ctx, rt_sql_load *load, int (*function)(void *argument))
{
    load->busy = true;
    load->problem = (rt_sqlite_problem){0};
    int result = rt_sqlite_run(ctx, rt_sqlite_here(ctx),
                               &(rt_sqlite_call){.function = function,
                                                 .argument = load,
                                                 .connection = load->lease.connection,
                                                 .problem = &load->problem});
    load->busy = false;
    return result;
}

static int fail(rt_ctx *ctx, rt_sql_load *load)
{
    load->failed = true;
    if (load->lease.ambient)
        load->lease.connection->failed = true;
    return rt_sqlite_fail(ctx, &load->problem, RT_SQL(load->text));
}

static void release(rt_ctx *ctx, rt_sql_load *load)
{
    rt_sqlite_connection *connection = load->lease.connection;
    load->magic = 0;
    connection->dirty |= !load->lease.ambient && !sqlite3_get_autocommit(connection->handle);
    if (load->hold)
        rt_tx_let_go(load->hold);
    else
        rt_sqlite_lease_give(ctx, &load->lease);
}

static void finish(rt_ctx *ctx, void *argument)
{
    rt_sql_load *load = argument;
    if (load->magic != MAGIC)
        return;
    if (run(ctx, load, abandon_in_pool) < 0 && load->statement)
        abandon_in_pool(load);
    release(ctx, load);
}

/* "main.orders" is "main"."orders". */
static const char *quoted(rt_ctx *ctx, const char *name, bool dots)
{
    char *text = rt_alloc(ctx, strlen(name) * 3 + 3), *end = text;
    *end++ = '"';
    for (; *name; name++) {
        if (*name == '"' || (dots && *name == '.'))
            *end++ = '"';
        *end++ = *name;
        if (dots && *name == '.')
            *end++ = '"';
    }
    *end = '"';
    return text;
}

static const char *insert_text(rt_ctx *ctx, const rt_sql_copy *copy)
{
    const char *names = "", *values = "";
    for (uint32_t i = 0; i < copy->column_count; i++) {
        names =
            rt_format(ctx, "%s%s%s", names, i ? ", " : "", quoted(ctx, copy->columns[i], false));
        values = rt_format(ctx, "%s%s$%u", values, i ? ", " : "", i + 1);
    }
    return rt_format(ctx, "INSERT INTO %s (%s) VALUES (%s)", quoted(ctx, copy->table, true), names,
                     values);
}

static int refuse_raw(rt_ctx *ctx)
{
    return rt_sql_fail(ctx,
                       &(rt_sql_failure){.condition = "FEATURE_NOT_SUPPORTED",
                                         .message = "sqlite loads typed rows alone",
                                         .hint = "use RT_SQL_COPY_ROWS, and a stream to read"});
}

static int check_copy(rt_ctx *ctx, const rt_sql_copy *copy, rt_sql_load **opened)
{
    if (!copy || !RT_HAS(copy, query) || !opened)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the copy has no `size`");
    if (copy->query || copy->format != RT_SQL_COPY_ROWS)
        return refuse_raw(ctx);
    if (!copy->table || !copy->columns || !copy->column_count)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "a load needs `table` and `columns`");
    return 0;
}

int rt_sqlite_copy_begin(rt_ctx *ctx, const rt_sql_copy *copy, rt_sql_load **opened)
{
    RT_TRY(check_copy(ctx, copy, opened));
    rt_sql_load *load = rt_alloc(ctx, sizeof *load);
    load->column_count = copy->column_count;
    load->text = insert_text(ctx, copy);
    RT_TRY(rt_sqlite_lease_take(ctx, false, &load->lease));
    load->lease.connection->in_transaction = true;
    int result = run(ctx, load, begin_in_pool);
    load->hold = load->lease.ambient ? rt_tx_keep(ctx) : NULL;
    load->magic = MAGIC;
    rt_defer(ctx, finish, load);
    if (result < 0) {
        fail(ctx, load);
        const rt_error *why = rt_last_error(ctx);
        finish(ctx, load);
        return rt_fail_with(ctx, why);
    }
    *opened = load;
    return 0;
}

static int check(rt_ctx *ctx, const rt_sql_load *load)
{
    if (!load || load->magic != MAGIC)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the load is not open");
    if (load->busy)
        return rt_fail(ctx, RT_EFAILED_PRECONDITION, "another fiber uses the load");
    if (load->failed)
        return rt_sql_fail(ctx, &(rt_sql_failure){.condition = "IN_FAILED_SQL_TRANSACTION",
                                                  .message = "a row of this load failed"});
    return 0;
}

static int check_values(rt_ctx *ctx, const rt_sql_load *load, const rt_sql_value *values,
                        uint64_t row_count)
{
    for (uint64_t i = 0; i < row_count * load->column_count; i++) {
        uint64_t number = i % load->column_count + 1;
        RT_TRY(rt_sql_check_value(ctx, NULL, number, &values[i]));
        if (values[i].type == RT_SQL_ARRAY)
            return rt_sql_fail(ctx, &(rt_sql_failure){.condition = "FEATURE_NOT_SUPPORTED",
                                                      .message = "sqlite has no arrays"});
    }
    return 0;
}

int rt_sqlite_copy_rows(rt_ctx *ctx, rt_sql_load *load, const rt_sql_value *values,
                        uint64_t row_count)
{
    RT_TRY(check(ctx, load));
    RT_TRY(check_values(ctx, load, values, row_count));
    load->values = values;
    load->row_count = row_count;
    if (run(ctx, load, add_in_pool) < 0)
        return fail(ctx, load);
    load->loaded += row_count;
    return 0;
}

/* A load that failed is abandoned by its end. */
int rt_sqlite_copy_end(rt_ctx *ctx, rt_sql_load *load, uint64_t *rows)
{
    int result = check(ctx, load);
    if (result < 0 && !(load && load->magic == MAGIC && load->failed && !load->busy))
        return result;
    if (result == 0 && run(ctx, load, commit_in_pool) < 0)
        result = fail(ctx, load);
    if (result < 0) {
        const rt_error *why = rt_last_error(ctx);
        if (run(ctx, load, abandon_in_pool) < 0)
            return rt_fail_with(ctx, why); /* the finalizer goes on */
    }
    release(ctx, load);
    if (rows)
        *rows = result == 0 ? load->loaded : 0;
    return result;
}

int rt_sqlite_copy_write(rt_ctx *ctx, rt_sql_load *load, const void *data, uint64_t length)
{
    (void)load, (void)data, (void)length;
    return refuse_raw(ctx);
}

int rt_sqlite_copy_read(rt_ctx *ctx, rt_sql_load *load, rt_str *chunk)
{
    (void)load, (void)chunk;
    return refuse_raw(ctx);
}
