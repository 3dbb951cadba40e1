/* Results into rows, and what a server says of a failure into an error that shows no values. */
#include "postgres.h"
#include "postgres_value.h"
#include "statement.h"

#include <stdlib.h>
#include <string.h>

/* --- rows ------------------------------------------------------------------------------------ */

int rt_pg_columns(rt_pg_memory *memory, const PGresult *result, rt_sql_column **columns)
{
    int count = PQnfields(result);
    *columns = rt_pg_memory_take(memory, (size_t)count * sizeof **columns);
    for (int i = 0; i < count; i++) {
        const char *name = PQfname(result, i);
        (*columns)[i] = (rt_sql_column){.name = rt_pg_memory_copy(memory, name, strlen(name)),
                                        .type = rt_pg_type_of(PQftype(result, i))};
    }
    return count;
}

int rt_pg_row(rt_ctx *ctx, rt_pg_memory *memory, const PGresult *result, int row,
              const rt_sql_statement *statement, rt_sql_value *values)
{
    int count = PQnfields(result);
    for (int i = 0; i < count; i++) {
        Oid type = PQftype(result, i);
        values[i] = (rt_sql_value){.type = RT_SQL_NULL, .of = rt_pg_type_of(type)};
        if (PQgetisnull(result, row, i))
            continue;
        const char *state =
            rt_pg_decode(memory, type, PQfformat(result, i), PQgetvalue(result, row, i),
                         PQgetlength(result, row, i), &values[i]);
        if (state)
            return rt_pg_refuse(ctx, state, rt_format(ctx, "column `%s`", PQfname(result, i)),
                                statement);
    }
    return 0;
}

/* Enough for all but arrays, which take more by themselves. */
static size_t room_for(const PGresult *result)
{
    int rows = PQntuples(result), columns = PQnfields(result);
    size_t size = (size_t)columns * (sizeof(rt_sql_column) + 16);
    size += (size_t)rows * (size_t)columns * sizeof(rt_sql_value);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            int length = PQgetlength(result, row, column);
            size += length <= 8 ? 16 : (size_t)length + 32;
        }
    return size;
}

int rt_pg_rows(rt_ctx *ctx, rt_pg_memory *memory, const PGresult *result,
               const rt_sql_statement *statement, rt_sql_rows *rows)
{
    int row_count = PQntuples(result);
    rt_sql_column *columns;
    rt_pg_memory_reserve(memory, room_for(result));
    int column_count = rt_pg_columns(memory, result, &columns);
    size_t each = (size_t)column_count;
    rt_sql_value *values = rt_pg_memory_take(memory, (size_t)row_count * each * sizeof *values);
    for (int row = 0; row < row_count; row++)
        RT_TRY(rt_pg_row(ctx, memory, result, row, statement, values + (size_t)row * each));
    rt_sql_rows own = {.size = sizeof own,
                       .column_count = (uint32_t)column_count,
                       .row_count = (uint64_t)row_count,
                       .columns = columns,
                       .values = values};
    rt_struct_copy(rows, &own);
    return 0;
}

uint64_t rt_pg_affected(PGresult *result)
{
    const char *tag = PQcmdStatus(result);
    return strncmp(tag, "SELECT", 6) == 0 ? 0 : strtoull(PQcmdTuples(result), NULL, 10);
}

/* --- texts without values -------------------------------------------------------------------- */

/* "Key (sku)=(abc) already exists." and "Failing row contains (1, abc)." without what the second
 * parentheses hold; any other detail as it is. */
static const char *hide_key(rt_ctx *ctx, const char *detail)
{
    const char *from = strstr(detail, ")=(");
    from = from ? from + 3 : NULL;
    if (!from && strncmp(detail, "Failing row contains (", 22) == 0)
        from = detail + 22;
    if (!from)
        return detail;
    const char *to = strrchr(from, ')');
    return rt_format(ctx, "%.*s…%s", (int)(from - detail), detail, to ? to : "");
}

/* Whatever stands in double quotes is the value in the words of a data exception. */
static const char *hide_quoted(rt_ctx *ctx, const char *text)
{
    char *shown = rt_format(ctx, "%s", text), *to = shown;
    for (const char *from = shown; *from;) {
        *to++ = *from;
        if (*from++ != '"')
            continue;
        const char *close = strrchr(from, '"');
        from = close ? close : from + strlen(from);
        if (*from)
            *to++ = *from++;
    }
    *to = '\0';
    return shown;
}

static int has_text(const rt_sql_value *value)
{
    return value->type == RT_SQL_TEXT || value->type == RT_SQL_UUID || value->type == RT_SQL_JSON;
}

/* A server may quote a value where nobody thought of it: such a text is not shown at all. */
static const char *without_parameters(const char *text, const rt_sql_statement *statement)
{
    for (uint32_t i = 0; text && statement && i < statement->parameter_count; i++) {
        const rt_sql_value *value = &statement->parameters[i];
        if (has_text(value) && value->length > 3 &&
            memmem(text, strlen(text), value->value.text, value->length))
            return NULL;
    }
    return text;
}

/* --- errors ---------------------------------------------------------------------------------- */

static const char *text_of(rt_ctx *ctx, const PGresult *result, int field)
{
    const char *text = PQresultErrorField(result, field);
    return text ? rt_format(ctx, "%s", text) : NULL;
}

int rt_pg_fail(rt_ctx *ctx, const PGresult *result, const rt_sql_statement *statement)
{
    const char *state = text_of(ctx, result, PG_DIAG_SQLSTATE);
    const char *message = text_of(ctx, result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = text_of(ctx, result, PG_DIAG_MESSAGE_DETAIL);
    if (!state) /* libpq made it up: there is no answer */
        return rt_sql_fail(
            ctx, &(rt_sql_failure){.condition = "CONNECTION_FAILURE",
                                   .message = "the connection to the database was lost",
                                   .detail = rt_pg_words(ctx, PQresultErrorMessage(result)),
                                   .statement = statement});
    bool is_data = strncmp(state, "22", 2) == 0;
    message = message && is_data ? hide_quoted(ctx, message) : message;
    message = without_parameters(message, statement);
    return rt_sql_fail(
        ctx, &(rt_sql_failure){
                 .state = state,
                 .message = message ? message : "the database refused a value of the statement",
                 .detail = detail && !is_data ? without_parameters(hide_key(ctx, detail), statement)
                                              : NULL,
                 .hint = without_parameters(text_of(ctx, result, PG_DIAG_MESSAGE_HINT), statement),
                 .constraint = text_of(ctx, result, PG_DIAG_CONSTRAINT_NAME),
                 .table = text_of(ctx, result, PG_DIAG_TABLE_NAME),
                 .column = text_of(ctx, result, PG_DIAG_COLUMN_NAME),
                 .position = text_of(ctx, result, PG_DIAG_STATEMENT_POSITION),
                 .statement = statement,
                 /* we read no answer to what we cancelled, so this was the server's time limit */
                 .code = strcmp(state, "57014") == 0 ? RT_EDEADLINE : 0});
}

int rt_pg_refuse(rt_ctx *ctx, const char *state, const char *what,
                 const rt_sql_statement *statement)
{
    static const struct {
        const char *state, *why;
    } reasons[] = {
        {"22003", "is out of the range of its type"},
        {"22008", "is a time that cannot be told in microseconds since 1970"},
        {"22P02", "is not written as its type demands"},
        {"22P03", "is not in the binary form of its type"},
        {"42804", "is of another type"},
        {"54000", "is too long"},
        {"0A000", "is an array of more than one dimension"},
    };
    const char *why = "is refused";
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(reasons[i].state, state) == 0)
            why = reasons[i].why;
    return rt_sql_fail(ctx, &(rt_sql_failure){.state = state,
                                              .message = rt_format(ctx, "%s %s", what, why),
                                              .statement = statement});
}

int rt_pg_interrupted(rt_ctx *ctx, int code, const rt_sql_statement *statement)
{
    if (code != -RT_EDEADLINE && code != -RT_ECANCELED)
        return code;
    return rt_sql_fail(ctx, &(rt_sql_failure){.condition = "QUERY_CANCELED",
                                              .code = -code,
                                              .message = code == -RT_EDEADLINE
                                                             ? "the database did not answer in time"
                                                             : "the statement was given up",
                                              .statement = statement});
}
