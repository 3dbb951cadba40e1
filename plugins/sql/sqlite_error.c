/* What SQLite says, as a condition of PostgreSQL's. */
#include "sqlite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set_text(char *to, size_t room, const char *from, size_t length)
{
    snprintf(to, room, "%.*s", (int)(length < room ? length : room), from);
}
#define SET(member_, from_, length_) set_text(member_, sizeof(member_), from_, length_)

int rt_sqlite_problem_set(rt_sqlite_problem *problem, const char *condition, const char *format,
                          ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->message, sizeof problem->message, format, arguments);
    va_end(arguments);
    problem->condition = condition;
    return -1;
}

int rt_sqlite_fail(rt_ctx *ctx, const rt_sqlite_problem *problem, const rt_sql_statement *statement)
{
    return rt_sql_fail(
        ctx,
        &(rt_sql_failure){.condition = problem->condition ? problem->condition : "INTERNAL_ERROR",
                          .message = problem->message,
                          .detail = problem->sqlite ? sqlite3_errstr(problem->sqlite) : NULL,
                          .hint = problem->hint,
                          .constraint = problem->constraint,
                          .table = problem->table,
                          .column = problem->column,
                          .statement = statement,
                          .code = problem->code});
}

/* --- codes ----------------------------------------------------------------------------------- */

/* Extended codes come before the code that they extend. */
static const struct {
    int code;
    const char *condition;
} conditions[] = {
    {SQLITE_CONSTRAINT_UNIQUE, "UNIQUE_VIOLATION"},
    {SQLITE_CONSTRAINT_PRIMARYKEY, "UNIQUE_VIOLATION"},
    {SQLITE_CONSTRAINT_ROWID, "UNIQUE_VIOLATION"},
    {SQLITE_CONSTRAINT_NOTNULL, "NOT_NULL_VIOLATION"},
    {SQLITE_CONSTRAINT_CHECK, "CHECK_VIOLATION"},
    {SQLITE_CONSTRAINT_FOREIGNKEY, "FOREIGN_KEY_VIOLATION"},
    {SQLITE_CONSTRAINT_TRIGGER, "RAISE_EXCEPTION"},
    {SQLITE_CONSTRAINT_DATATYPE, "DATATYPE_MISMATCH"},
    {SQLITE_CONSTRAINT, "INTEGRITY_CONSTRAINT_VIOLATION"},
    {SQLITE_MISMATCH, "DATATYPE_MISMATCH"},
    {SQLITE_BUSY_SNAPSHOT, "SERIALIZATION_FAILURE"},
    {SQLITE_BUSY, "LOCK_NOT_AVAILABLE"},
    {SQLITE_LOCKED, "LOCK_NOT_AVAILABLE"},
    {SQLITE_INTERRUPT, "QUERY_CANCELED"},
    {SQLITE_FULL, "DISK_FULL"},
    {SQLITE_NOMEM, "OUT_OF_MEMORY"},
    {SQLITE_IOERR_NOMEM, "OUT_OF_MEMORY"},
    {SQLITE_IOERR_CORRUPTFS, "DATA_CORRUPTED"},
    {SQLITE_IOERR, "IO_ERROR"},
    {SQLITE_CORRUPT, "DATA_CORRUPTED"},
    {SQLITE_NOTADB, "DATA_CORRUPTED"},
    {SQLITE_READONLY, "READ_ONLY_SQL_TRANSACTION"},
    {SQLITE_CANTOPEN, "UNDEFINED_FILE"},
    {SQLITE_PERM, "INSUFFICIENT_PRIVILEGE"},
    {SQLITE_AUTH, "INSUFFICIENT_PRIVILEGE"},
    {SQLITE_TOOBIG, "PROGRAM_LIMIT_EXCEEDED"},
    {SQLITE_RANGE, "UNDEFINED_PARAMETER"},
};

static const char *condition_of(int code)
{
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++)
        if (conditions[i].code == code || conditions[i].code == (code & 0xff))
            return conditions[i].condition;
    return "INTERNAL_ERROR";
}

/* SQLITE_ERROR says in words alone what is wrong. What stands between `before` and `after` is the
 * subject. */
enum subject { NOTHING, TABLE, COLUMN };
static const struct {
    const char *before, *after;
    const char *condition;
    enum subject subject;
} wordings[] = {
    {"no such table: ", "", "UNDEFINED_TABLE", TABLE},
    {"no such column: ", "", "UNDEFINED_COLUMN", COLUMN},
    {"table ", " has no column named ", "UNDEFINED_COLUMN", TABLE},
    {"table ", " already exists", "DUPLICATE_TABLE", TABLE},
    {"view ", " already exists", "DUPLICATE_TABLE", TABLE},
    {"there is already ", "", "DUPLICATE_TABLE", NOTHING},
    {"index ", " already exists", "DUPLICATE_TABLE", NOTHING},
    {"trigger ", " already exists", "DUPLICATE_OBJECT", NOTHING},
    {"no such index: ", "", "UNDEFINED_OBJECT", NOTHING},
    {"no such trigger: ", "", "UNDEFINED_OBJECT", NOTHING},
    {"no such view: ", "", "UNDEFINED_TABLE", TABLE},
    {"no such collation sequence: ", "", "UNDEFINED_OBJECT", NOTHING},
    {"no such function: ", "", "UNDEFINED_FUNCTION", NOTHING},
    {"wrong number of arguments to function ", "", "UNDEFINED_FUNCTION", NOTHING},
    {"ambiguous column name: ", "", "AMBIGUOUS_COLUMN", COLUMN},
    {"duplicate column name: ", "", "DUPLICATE_COLUMN", COLUMN},
    {"misuse of aggregate", "", "GROUPING_ERROR", NOTHING},
    {"integer overflow", "", "NUMERIC_VALUE_OUT_OF_RANGE", NOTHING},
    {"malformed JSON", "", "INVALID_TEXT_REPRESENTATION", NOTHING},
    {"near \"", "\": syntax error", "SYNTAX_ERROR", NOTHING},
    {"unrecognized token: ", "", "SYNTAX_ERROR", NOTHING},
    {"incomplete input", "", "SYNTAX_ERROR", NOTHING},
    {"string or blob too big", "", "PROGRAM_LIMIT_EXCEEDED", NOTHING},
    {"foreign key mismatch", "", "INVALID_FOREIGN_KEY", NOTHING},
    {"cannot VACUUM from within a transaction", "", "ACTIVE_SQL_TRANSACTION", NOTHING},
    {"not authorized", "", "INSUFFICIENT_PRIVILEGE", NOTHING},
    {"prohibited from being used", "", "INSUFFICIENT_PRIVILEGE", NOTHING},
};

static void read_wording(rt_sqlite_problem *problem)
{
    const char *message = problem->message;
    problem->condition = "SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION";
    for (size_t i = 0; i < sizeof wordings / sizeof wordings[0]; i++) {
        size_t length = strlen(wordings[i].before);
        const char *end = strstr(message, wordings[i].after);
        if (strncmp(message, wordings[i].before, length) != 0 || !end)
            continue;
        const char *subject = message + length;
        problem->condition = wordings[i].condition;
        length = wordings[i].after[0] && end > subject ? (size_t)(end - subject) : strlen(subject);
        if (wordings[i].subject == TABLE)
            SET(problem->table, subject, length);
        else if (wordings[i].subject == COLUMN)
            SET(problem->column, subject, length);
        return;
    }
}

/* --- constraints ----------------------------------------------------------------------------- */

/* One text of the schema: the statement takes one or two texts and gives one row, or none. */
static bool look_up(rt_sqlite_connection *connection, const char *query, const char *first,
                    const char *second, char *to, size_t room)
{
    sqlite3_stmt *statement = NULL;
    bool found = false;
    connection->own = true;
    if (sqlite3_prepare_v2(connection->handle, query, -1, &statement, NULL) == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, first, -1, SQLITE_STATIC);
        if (second)
            sqlite3_bind_text(statement, 2, second, -1, SQLITE_STATIC);
        found = sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0);
        if (found)
            snprintf(to, room, "%s", (const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    connection->own = false;
    return found;
}

/* "orders.sku, orders.shop": the table, the columns joined by `_`, the column if it is one. */
static void read_columns(rt_sqlite_problem *problem, const char *list, char *joined, size_t room)
{
    size_t used = 0;
    joined[0] = '\0';
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, ",");
        const char *dot = memchr(at, '.', length);
        const char *column = dot ? dot + 1 : at;
        size_t width = length - (size_t)(column - at);
        if (dot)
            SET(problem->table, at, (size_t)(dot - at));
        if (used + width + 2 < room)
            used += (size_t)snprintf(joined + used, room - used, "%s%.*s", used ? "_" : "",
                                     (int)width, column);
        SET(problem->column, column, at == list && !at[length] ? width : 0);
        at += length;
        at += strspn(at, ", ");
    }
}

static const char unique_index[] =
    "SELECT i.name FROM pragma_index_list($1) i WHERE i.\"unique\" AND i.origin = 'c' AND "
    "(SELECT group_concat(n, '_') FROM (SELECT c.name AS n FROM pragma_index_info(i.name) c "
    "ORDER BY c.seqno)) = $2";

static void name_unique(rt_sqlite_connection *connection, rt_sqlite_problem *problem,
                        const char *list)
{
    char columns[128];
    bool primary = problem->sqlite != SQLITE_CONSTRAINT_UNIQUE;
    if (strncmp(list, "index '", 7) == 0) {
        SET(problem->constraint, list + 7, strcspn(list + 7, "'"));
        return;
    }
    read_columns(problem, list, columns, sizeof columns);
    if (!primary && look_up(connection, unique_index, problem->table, columns, problem->constraint,
                            sizeof problem->constraint))
        return;
    snprintf(problem->constraint, sizeof problem->constraint, "%s%s%s%s", problem->table,
             primary ? "" : "_", primary ? "" : columns, primary ? "_pkey" : "_key");
}

/* The one column that the condition of a check names; "" for none or several. */
static const char checked_column[] =
    "SELECT CASE WHEN count(*) = 1 THEN min(name) ELSE '' END FROM pragma_table_info($1) "
    "WHERE ' ' || replace(replace(replace($2, '(', ' '), ')', ' '), '\"', ' ') || ' ' "
    "GLOB '*[^a-zA-Z0-9_]' || name || '[^a-zA-Z0-9_]*'";

/* The message has the name of the constraint, or if it has none, its condition. */
static void name_check(rt_sqlite_connection *connection, rt_sqlite_problem *problem,
                       const char *text)
{
    char column[96] = "";
    if (!text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")]) {
        SET(problem->constraint, text, strlen(text));
        return;
    }
    if (!problem->table[0])
        return;
    look_up(connection, checked_column, problem->table, text, column, sizeof column);
    snprintf(problem->constraint, sizeof problem->constraint, "%s%s%s_check", problem->table,
             column[0] ? "_" : "", column);
    SET(problem->column, column, strlen(column));
}

/* SQLite does not say which key: it is told where the table has but one. */
static const char only_key[] =
    "SELECT CASE WHEN count(DISTINCT id) = 1 THEN group_concat(\"from\", '_') END "
    "FROM pragma_foreign_key_list($1)";

static void name_foreign_key(rt_sqlite_connection *connection, rt_sqlite_problem *problem)
{
    char columns[96];
    if (problem->table[0] &&
        look_up(connection, only_key, problem->table, NULL, columns, sizeof columns))
        snprintf(problem->constraint, sizeof problem->constraint, "%s_%s_fkey", problem->table,
                 columns);
}

static bool inserts(rt_str operation)
{
    return operation.length == 6 &&
           (memcmp(operation.data, "INSERT", 6) == 0 || memcmp(operation.data, "UPDATE", 6) == 0);
}

static void name_constraint(rt_sqlite_connection *connection, const char *text,
                            rt_sqlite_problem *problem)
{
    char ignored[128];
    const char *subject = strstr(problem->message, "failed: ");
    subject = subject ? subject + strlen("failed: ") : "";
    rt_sql_summary summary = rt_sql_summarize(text);
    if (inserts(summary.operation))
        SET(problem->table, summary.collection.data, summary.collection.length);
    switch (problem->sqlite) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        name_unique(connection, problem, subject);
        break;
    case SQLITE_CONSTRAINT_NOTNULL:
        read_columns(problem, subject, ignored, sizeof ignored);
        break;
    case SQLITE_CONSTRAINT_CHECK:
        name_check(connection, problem, subject);
        break;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        name_foreign_key(connection, problem);
        break;
    }
}

/* --- all of it ------------------------------------------------------------------------------- */

int rt_sqlite_problem_of(rt_sqlite_connection *connection, const char *text,
                         rt_sqlite_problem *problem)
{
    int stop = atomic_load(&connection->stop);
    problem->sqlite = sqlite3_extended_errcode(connection->handle);
    rt_sqlite_problem_set(problem, condition_of(problem->sqlite), "%s",
                          sqlite3_errmsg(connection->handle));
    int primary = problem->sqlite & 0xff;
    if (stop && (primary == SQLITE_INTERRUPT || primary == SQLITE_BUSY)) {
        problem->code = -stop;
        rt_sqlite_problem_set(problem, "QUERY_CANCELED", "the statement was interrupted: %s",
                              stop == -RT_EDEADLINE ? "the deadline has passed"
                                                    : "the unit of work was cancelled");
    } else if (primary == SQLITE_ERROR) {
        read_wording(problem);
    } else if (primary == SQLITE_CONSTRAINT) {
        name_constraint(connection, text, problem);
    } else if (primary == SQLITE_AUTH) {
        problem->hint = "transactions are begun with rt_sql_tx; other files, and settings of the "
                        "connection, are not for statements";
    }
    return -1;
}
