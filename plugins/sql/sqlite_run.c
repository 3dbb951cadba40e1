/* Statements and transactions of sql/1 on SQLite. One hop to the pool of threads a statement. */
#include "sqlite.h"

#include <string.h>

struct job {
    rt_sqlite_connection *connection;
    const rt_sql_statement *statement;
    const char *command; /* of a transaction, instead of a statement */
    bool wants_rows;
    bool retry_on_writer; /* it writes after all */
    rt_sqlite_rows rows;
    uint64_t affected;
    rt_sqlite_problem problem;
};

/* --- in the pool ----------------------------------------------------------------------------- */

static bool changes_rows(rt_str operation)
{
    static const char *const words[] = {"INSERT", "UPDATE", "DELETE", "REPLACE"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == operation.length &&
            memcmp(words[i], operation.data, operation.length) == 0)
            return true;
    return false;
}

static int step_all(struct job *job, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    if (job->wants_rows && (code == SQLITE_ROW || code == SQLITE_DONE) &&
        rt_sqlite_rows_begin(&job->rows, statement, &job->problem) < 0)
        return -1;
    for (; code == SQLITE_ROW; code = sqlite3_step(statement))
        if (job->wants_rows && rt_sqlite_rows_add(&job->rows, statement, &job->problem) < 0)
            return -1;
    if (code != SQLITE_DONE)
        return rt_sqlite_problem_of(job->connection, job->statement->text, &job->problem);
    return 0;
}

static int run_prepared(struct job *job, sqlite3_stmt *statement)
{
    rt_sqlite_connection *connection = job->connection;
    bool writes = !sqlite3_stmt_readonly(statement);
    if (writes && connection->reader && !connection->in_transaction) {
        job->retry_on_writer = true;
        return 0;
    }
    connection->writes_now = writes;
    if (rt_sqlite_bind(connection, statement, job->statement->parameters,
                       job->statement->parameter_count, &job->problem) < 0 ||
        step_all(job, statement) < 0)
        return -1;
    if (writes && changes_rows(rt_sql_summarize(job->statement->text).operation))
        job->affected = (uint64_t)sqlite3_changes64(connection->handle);
    return 0;
}

/* It attaches a file, begins and commits by itself. `VACUUM INTO` would write any file. */
static bool only_vacuums(const char *text)
{
    rt_str operation = rt_sql_summarize(text).operation;
    return operation.length == 6 && memcmp(operation.data, "VACUUM", 6) == 0 &&
           !strcasestr(text, "into");
}

static int run_statement(void *argument)
{
    struct job *job = argument;
    sqlite3_stmt *statement;
    if (rt_sqlite_prepare(job->connection, job->statement->text, &statement, &job->problem) < 0)
        return -1;
    if (!statement)
        return 0;
    job->connection->own = only_vacuums(job->statement->text);
    int result = run_prepared(job, statement);
    job->connection->own = false;
    rt_sqlite_unprepare(job->connection, statement);
    return result;
}

/* All of a script or nothing, as PostgreSQL has it: in a transaction, unless it is one statement
 * alone, such as VACUUM, or is in one already. */
static int run_script(void *argument)
{
    struct job *job = argument;
    rt_sqlite_connection *connection = job->connection;
    const char *text = job->statement->text;
    sqlite3_stmt *first = NULL, *second = NULL;
    const char *tail = text;
    connection->writes_now = true;
    if (sqlite3_prepare_v2(connection->handle, text, -1, &first, &tail) != SQLITE_OK)
        return rt_sqlite_problem_of(connection, text, &job->problem);
    int code = sqlite3_prepare_v2(connection->handle, tail, -1, &second, NULL);
    bool several = second || code != SQLITE_OK;
    sqlite3_finalize(first);
    sqlite3_finalize(second);
    bool whole = several && sqlite3_get_autocommit(connection->handle);
    if (whole && rt_sqlite_command(connection, "BEGIN IMMEDIATE", &job->problem) < 0)
        return -1;
    connection->own = !several && only_vacuums(text);
    int done = sqlite3_exec(connection->handle, text, NULL, NULL, NULL);
    connection->own = false;
    if (done != SQLITE_OK)
        rt_sqlite_problem_of(connection, text, &job->problem);
    else if (whole)
        rt_sqlite_command(connection, "COMMIT", &job->problem);
    rt_sqlite_problem ignored = {0};
    if (whole && !sqlite3_get_autocommit(connection->handle))
        rt_sqlite_command(connection, "ROLLBACK", &ignored);
    return job->problem.condition ? -1 : 0;
}

static int run_command(void *argument)
{
    struct job *job = argument;
    job->connection->writes_now = strcmp(job->command, "COMMIT") == 0;
    if (strcmp(job->command, "ROLLBACK") == 0 && sqlite3_get_autocommit(job->connection->handle))
        return 0;
    return rt_sqlite_command(job->connection, job->command, &job->problem);
}

/* --- statements ------------------------------------------------------------------------------ */

static int refuse_arrays(rt_ctx *ctx, const rt_sql_statement *statement)
{
    for (uint32_t i = 0; i < statement->parameter_count; i++)
        if (statement->parameters[i].type == RT_SQL_ARRAY)
            return rt_sql_fail(
                ctx, &(rt_sql_failure){.condition = "FEATURE_NOT_SUPPORTED",
                                       .message = "sqlite has no arrays",
                                       .hint = "give it JSON and read that with json_each($1), or "
                                               "choose the text with rt_sql_in_dialect",
                                       .statement = statement});
    return 0;
}

int rt_sqlite_check(rt_ctx *ctx, const rt_sql_statement *given, rt_sql_statement *statement)
{
    RT_TRY(rt_sql_check_statement(ctx, given));
    *statement = (rt_sql_statement){.size = sizeof *statement};
    rt_struct_copy(statement, given);
    return refuse_arrays(ctx, statement);
}

static bool seems_to_read(const rt_sql_statement *statement)
{
    static const char *const words[] = {"SELECT", "VALUES", "EXPLAIN"};
    rt_str operation = rt_sql_summarize(statement->text).operation;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == operation.length &&
            memcmp(words[i], operation.data, operation.length) == 0)
            return !(statement->flags & RT_SQL_SCRIPT);
    return false;
}

static int run_leased(rt_ctx *ctx, struct job *job, bool reads)
{
    rt_sqlite_lease lease;
    bool script = job->statement->flags & RT_SQL_SCRIPT;
    RT_TRY(rt_sqlite_lease_take(ctx, reads, &lease));
    job->connection = lease.connection;
    int result = rt_sqlite_run(ctx, rt_sqlite_here(ctx),
                               &(rt_sqlite_call){.function = script ? run_script : run_statement,
                                                 .argument = job,
                                                 .connection = lease.connection,
                                                 .problem = &job->problem});
    if (result < 0 && lease.ambient)
        lease.connection->failed = true;
    rt_sqlite_lease_give(ctx, &lease);
    return result < 0 ? rt_sqlite_fail(ctx, &job->problem, job->statement) : 0;
}

static int run_spanned(rt_ctx *ctx, struct job *job)
{
    rt_sql_server server = {.size = sizeof server};
    rt_sqlite_describe(ctx, &server);
    rt_span *span = rt_sql_open_span(
        ctx, &(rt_span_database){.system = "sqlite", .space = server.database}, job->statement);
    int result = run_leased(ctx, job, seems_to_read(job->statement));
    if (result == 0 && job->retry_on_writer)
        result = run_leased(ctx, job, false);
    return rt_span_finish(ctx, span, result);
}

static int check_rows(rt_ctx *ctx, const rt_sql_rows *rows)
{
    return rows && RT_HAS(rows, values)
               ? 0
               : rt_fail(ctx, RT_EINVALID_ARGUMENT, "the rows to be filled have no `size`");
}

int rt_sqlite_query(rt_ctx *ctx, const rt_sql_statement *given, rt_sql_rows *rows)
{
    rt_sql_statement statement;
    RT_TRY(check_rows(ctx, rows));
    RT_TRY(rt_sqlite_check(ctx, given, &statement));
    struct job job = {.statement = &statement, .wants_rows = true};
    int result = run_spanned(ctx, &job);
    if (result == 0)
        rt_sqlite_rows_take(ctx, &job.rows, rows);
    rt_sqlite_rows_free(&job.rows);
    return result;
}

int rt_sqlite_exec(rt_ctx *ctx, const rt_sql_statement *given, uint64_t *affected)
{
    rt_sql_statement statement;
    RT_TRY(rt_sqlite_check(ctx, given, &statement));
    struct job job = {.statement = &statement};
    RT_TRY(run_spanned(ctx, &job));
    if (affected)
        *affected = job.affected;
    return 0;
}

int rt_sqlite_check_server(rt_ctx *ctx)
{
    rt_sqlite *database = rt_sqlite_here(ctx);
    struct job job = {.statement = RT_SQL("SELECT count(*) FROM sqlite_schema")};
    RT_TRY(rt_sqlite_take(ctx, database, true, &job.connection));
    int result = rt_sqlite_run(ctx, database,
                               &(rt_sqlite_call){.function = run_statement,
                                                 .argument = &job,
                                                 .connection = job.connection,
                                                 .problem = &job.problem});
    rt_sqlite_give(ctx, database, job.connection);
    return result < 0 ? rt_sqlite_fail(ctx, &job.problem, job.statement) : 0;
}

/* --- transactions ---------------------------------------------------------------------------- */

static int command(rt_ctx *ctx, void *connection, const char *text)
{
    rt_sqlite_connection *used = connection;
    struct job job = {.connection = used, .command = text};
    int result = rt_sqlite_run(ctx, rt_sqlite_here(ctx),
                               &(rt_sqlite_call){.function = run_command,
                                                 .argument = &job,
                                                 .connection = used,
                                                 .problem = &job.problem});
    if (result < 0) {
        used->failed = true;
        return rt_sqlite_fail(ctx, &job.problem, RT_SQL(text));
    }
    if (strncmp(text, "ROLLBACK", 8) == 0)
        used->failed = false;
    return 0;
}

static int take(rt_ctx *ctx, const rt_sql_transaction *options, void **taken)
{
    rt_sqlite_connection *connection;
    RT_TRY(rt_sqlite_take(ctx, rt_sqlite_here(ctx), options->read_only != 0, &connection));
    connection->now = rt_sqlite_clock();
    connection->in_transaction = true;
    connection->reads_only = options->read_only && !connection->reader;
    *taken = connection;
    return 0;
}

/* A connection that others write with refuses writes for the time of this transaction alone. */
static const char *begin_text(rt_ctx *ctx, const rt_sql_transaction *options)
{
    (void)ctx;
    return options->read_only ? "BEGIN; PRAGMA query_only = ON" : "BEGIN IMMEDIATE";
}

static int do_nothing(void *argument)
{
    (void)argument; /* the connection is cleaned before each call */
    return 0;
}

/* A file cannot be lost as a server can. What could not be rolled back is before the next call. */
static void give(rt_ctx *ctx, void *given, int broken)
{
    rt_sqlite_connection *connection = given;
    rt_sqlite *database = rt_sqlite_here(ctx);
    bool open = broken && !sqlite3_get_autocommit(connection->handle);
    rt_sqlite_problem ignored = {0};
    connection->dirty = open || connection->reads_only;
    if (open)
        rt_sqlite_run(ctx, database,
                      &(rt_sqlite_call){
                          .function = do_nothing, .connection = connection, .problem = &ignored});
    rt_sqlite_give(ctx, database, connection);
}

/* SQLite ends a transaction by itself where it must, as without room on the disk. */
static int state(void *connection)
{
    const rt_sqlite_connection *used = connection;
    return used->failed || sqlite3_get_autocommit(used->handle) ? 1 : 0;
}

int rt_sqlite_begin(rt_ctx *ctx, const rt_sql_transaction *options)
{
    static const rt_tx_driver driver = {
        .take = take, .give = give, .run = command, .begin_text = begin_text, .state = state};
    return rt_tx_begin(ctx, &driver, options);
}

/* --- what SQLite does not have --------------------------------------------------------------- */

static int no_notifications(rt_ctx *ctx)
{
    return rt_sql_fail(ctx, &(rt_sql_failure){.condition = "FEATURE_NOT_SUPPORTED",
                                              .message = "sqlite has no notifications",
                                              .hint = "bind `sql/1` to `postgres`"});
}

int rt_sqlite_listen(rt_ctx *ctx, const char *channel, rt_sql_listener **listener)
{
    (void)channel, (void)listener;
    return no_notifications(ctx);
}

int rt_sqlite_notified(rt_ctx *ctx, rt_sql_listener *listener, rt_sql_notification *notification)
{
    (void)listener, (void)notification;
    return no_notifications(ctx);
}

int rt_sqlite_unlisten(rt_ctx *ctx, rt_sql_listener *listener)
{
    (void)listener;
    return no_notifications(ctx);
}

int rt_sqlite_notify(rt_ctx *ctx, const char *channel, const char *payload)
{
    (void)channel, (void)payload;
    return no_notifications(ctx);
}
