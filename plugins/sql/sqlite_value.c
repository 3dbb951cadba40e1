/* Values: parameters into SQLite, rows out of it, by the declared types of columns. */
#include "sqlite.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- types ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    uint32_t type;
} type_words[] = {
    {"bigint", RT_SQL_INT},       {"integer", RT_SQL_INT},
    {"int", RT_SQL_INT},          {"smallint", RT_SQL_INT},
    {"int2", RT_SQL_INT},         {"int4", RT_SQL_INT},
    {"int8", RT_SQL_INT},         {"serial", RT_SQL_INT},
    {"bigserial", RT_SQL_INT},    {"double precision", RT_SQL_DOUBLE},
    {"double", RT_SQL_DOUBLE},    {"real", RT_SQL_DOUBLE},
    {"float", RT_SQL_DOUBLE},     {"float4", RT_SQL_DOUBLE},
    {"float8", RT_SQL_DOUBLE},    {"text", RT_SQL_TEXT},
    {"varchar", RT_SQL_TEXT},     {"character varying", RT_SQL_TEXT},
    {"character", RT_SQL_TEXT},   {"char", RT_SQL_TEXT},
    {"bytea", RT_SQL_BYTES},      {"blob", RT_SQL_BYTES},
    {"timestamptz", RT_SQL_TIME}, {"timestamp with time zone", RT_SQL_TIME},
    {"uuid", RT_SQL_UUID},        {"jsonb", RT_SQL_JSON},
    {"json", RT_SQL_JSON},        {"boolean", RT_SQL_BOOL},
    {"bool", RT_SQL_BOOL},
};

/* Of a text that is declared as something else, RT_SQL_ARRAY: as the server writes it. Lengths such
 * as in varchar(20) do not count. */
uint32_t rt_sqlite_declared_type(const char *declared)
{
    if (!declared || !declared[0])
        return RT_SQL_NULL;
    size_t length = strcspn(declared, "(");
    while (length > 0 && isspace((unsigned char)declared[length - 1]))
        length--;
    for (size_t i = 0; i < sizeof type_words / sizeof type_words[0]; i++)
        if (strlen(type_words[i].name) == length &&
            strncasecmp(type_words[i].name, declared, length) == 0)
            return type_words[i].type;
    return RT_SQL_ARRAY;
}

/* --- parameters ------------------------------------------------------------------------------ */

/* The number in "$1"; 0: it is none. */
static uint64_t number_of(const char *name)
{
    char *end;
    if (!name || name[0] != '$' || name[1] < '1' || name[1] > '9')
        return 0;
    uint64_t number = strtoull(name + 1, &end, 10);
    return *end ? 0 : number;
}

static int bind_uuid(sqlite3_stmt *statement, int index, const rt_sql_value *value)
{
    char lower[37];
    for (size_t i = 0; i < sizeof lower; i++)
        lower[i] = i < value->length ? (char)tolower((unsigned char)value->value.text[i]) : '\0';
    return sqlite3_bind_text(statement, index, lower, 36, SQLITE_TRANSIENT);
}

/* The values outlive the call, or a stream keeps a copy of its own. */
static int bind_one(sqlite3_stmt *statement, int index, const rt_sql_value *value)
{
    switch (value->type) {
    case RT_SQL_INT:
    case RT_SQL_BOOL:
    case RT_SQL_TIME:
        return sqlite3_bind_int64(statement, index, value->value.integer);
    case RT_SQL_DOUBLE:
        return sqlite3_bind_double(statement, index, value->value.real);
    case RT_SQL_UUID:
        return bind_uuid(statement, index, value);
    case RT_SQL_TEXT:
    case RT_SQL_JSON:
        return sqlite3_bind_text64(statement, index, value->value.text, value->length,
                                   SQLITE_TRANSIENT, SQLITE_UTF8);
    case RT_SQL_BYTES:
        return value->length ? sqlite3_bind_blob64(statement, index, value->value.bytes,
                                                   value->length, SQLITE_TRANSIENT)
                             : sqlite3_bind_zeroblob(statement, index, 0);
    default:
        return sqlite3_bind_null(statement, index);
    }
}

static int check_json(rt_sqlite_connection *connection, const rt_sql_value *value, uint64_t number,
                      rt_sqlite_problem *problem)
{
    sqlite3_stmt *statement;
    if (rt_sqlite_prepare(connection, "SELECT json_valid($1)", &statement, problem) < 0)
        return -1;
    sqlite3_bind_text64(statement, 1, value->value.text, value->length, SQLITE_STATIC, SQLITE_UTF8);
    bool valid = sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int(statement, 0);
    rt_sqlite_unprepare(connection, statement);
    return valid ? 0
                 : rt_sqlite_problem_set(problem, "INVALID_TEXT_REPRESENTATION",
                                         "parameter $%llu is no JSON", (unsigned long long)number);
}

static int check_value(rt_sqlite_connection *connection, const rt_sql_value *value, uint64_t number,
                       rt_sqlite_problem *problem)
{
    if (value->type == RT_SQL_DOUBLE && isnan(value->value.real))
        return rt_sqlite_problem_set(problem, "NUMERIC_VALUE_OUT_OF_RANGE",
                                     "parameter $%llu is not a number, which sqlite cannot keep",
                                     (unsigned long long)number);
    if (value->type == RT_SQL_JSON)
        return check_json(connection, value, number, problem);
    return 0;
}

/* As many names as values, and each a number of one: so each value has its name. */
int rt_sqlite_bind(rt_sqlite_connection *connection, sqlite3_stmt *statement,
                   const rt_sql_value *values, uint64_t count, rt_sqlite_problem *problem)
{
    int wanted = sqlite3_bind_parameter_count(statement);
    problem->code = RT_EINVALID_ARGUMENT; /* of what is refused here */
    if ((uint64_t)wanted != count)
        return rt_sqlite_problem_set(
            problem, "PROTOCOL_VIOLATION", "the statement has %d parameter%s, and %llu %s given",
            wanted, wanted == 1 ? "" : "s", (unsigned long long)count, count == 1 ? "was" : "were");
    for (int index = 1; index <= wanted; index++) {
        const char *name = sqlite3_bind_parameter_name(statement, index);
        uint64_t number = number_of(name);
        if (number == 0 || number > count) {
            problem->hint = "parameters are $1, $2, … without gaps";
            return rt_sqlite_problem_set(problem, "UNDEFINED_PARAMETER",
                                         "there is no parameter `%s`", name ? name : "?");
        }
        const rt_sql_value *value = &values[number - 1];
        if (check_value(connection, value, number, problem) < 0)
            return -1;
        if (bind_one(statement, index, value) != SQLITE_OK)
            return rt_sqlite_problem_of(connection, "", problem);
    }
    problem->code = 0;
    return 0;
}

/* --- rows ------------------------------------------------------------------------------------ */

static int out_of_memory(rt_sqlite_problem *problem)
{
    return rt_sqlite_problem_set(problem, "OUT_OF_MEMORY", "out of memory for rows");
}

/* Room for `more` elements behind `count`. */
static void *grow(void *array, uint64_t count, uint64_t more, uint64_t *room, size_t size)
{
    if (count + more <= *room)
        return array;
    uint64_t wanted = *room ? *room * 2 : 64;
    while (wanted < count + more)
        wanted *= 2;
    void *grown = realloc(array, wanted * size);
    if (grown)
        *room = wanted;
    return grown;
}

/* Copies with a NUL behind; the offset, or UINT64_MAX. */
static uint64_t keep(rt_sqlite_rows *rows, const void *bytes, uint64_t length)
{
    char *grown = grow(rows->bytes, rows->byte_count, length + 1, &rows->byte_room, 1);
    if (!grown)
        return UINT64_MAX;
    rows->bytes = grown;
    uint64_t offset = rows->byte_count;
    if (length)
        memcpy(grown + offset, bytes, length);
    grown[offset + length] = '\0';
    rows->byte_count += length + 1;
    return offset;
}

int rt_sqlite_rows_begin(rt_sqlite_rows *rows, sqlite3_stmt *statement, rt_sqlite_problem *problem)
{
    int count = sqlite3_column_count(statement);
    rows->column_count = (uint32_t)count;
    free(rows->columns);
    rows->columns = calloc((size_t)count + 1, sizeof *rows->columns);
    for (int i = 0; rows->columns && i < count; i++) {
        const char *name = sqlite3_column_name(statement, i);
        uint64_t offset = keep(rows, name ? name : "", name ? strlen(name) : 0);
        if (offset == UINT64_MAX)
            return out_of_memory(problem);
        rows->columns[i].name = (const char *)(uintptr_t)offset;
        rows->columns[i].type = rt_sqlite_declared_type(sqlite3_column_decltype(statement, i));
    }
    return rows->columns ? 0 : out_of_memory(problem);
}

static int keep_bytes(rt_sqlite_rows *rows, sqlite3_stmt *statement, int column,
                      rt_sql_value *value, rt_sqlite_problem *problem)
{
    const void *bytes = value->type == RT_SQL_BYTES
                            ? sqlite3_column_blob(statement, column)
                            : (const void *)sqlite3_column_text(statement, column);
    int length = sqlite3_column_bytes(statement, column);
    uint64_t offset = bytes || length == 0 ? keep(rows, bytes, (uint64_t)length) : UINT64_MAX;
    if (offset == UINT64_MAX)
        return out_of_memory(problem);
    value->length = (uint64_t)length;
    value->value.integer = (int64_t)offset;
    return 0;
}

static const char *const storage_names[] = {
    [SQLITE_INTEGER] = "an integer", [SQLITE_FLOAT] = "a real", [SQLITE_TEXT] = "a text",
    [SQLITE_BLOB] = "a blob",        [SQLITE_NULL] = "a null",
};

/* What a type may be kept as; 0: as nothing else. */
static const int8_t storages[][2] = {
    [RT_SQL_INT] = {SQLITE_INTEGER, 0},  [RT_SQL_DOUBLE] = {SQLITE_FLOAT, SQLITE_INTEGER},
    [RT_SQL_TEXT] = {SQLITE_TEXT, 0},    [RT_SQL_BYTES] = {SQLITE_BLOB, 0},
    [RT_SQL_BOOL] = {SQLITE_INTEGER, 0}, [RT_SQL_TIME] = {SQLITE_INTEGER, 0},
    [RT_SQL_UUID] = {SQLITE_TEXT, 0},    [RT_SQL_JSON] = {SQLITE_TEXT, 0},
};

/* A number in a column of JSON is kept as one: the column's affinity is numeric. */
static bool fits(uint32_t type, int storage)
{
    bool number = storage == SQLITE_INTEGER || storage == SQLITE_FLOAT;
    return type == RT_SQL_ARRAY || storages[type][0] == storage || storages[type][1] == storage ||
           (type == RT_SQL_JSON && number);
}

static int mismatch(const rt_sqlite_rows *rows, sqlite3_stmt *statement, int column, int storage,
                    rt_sqlite_problem *problem)
{
    const char *name = sqlite3_column_name(statement, column);
    if (rows->columns[column].type == RT_SQL_TIME)
        problem->hint = "times are microseconds since 1970: now() gives them, CURRENT_TIMESTAMP "
                        "gives a text";
    return rt_sqlite_problem_set(problem, "DATATYPE_MISMATCH", "column `%s` is `%s` and has %s",
                                 name ? name : "", sqlite3_column_decltype(statement, column),
                                 storage_names[storage]);
}

/* Of an expression, by what it is kept as. */
static uint32_t stored_type(int storage)
{
    return storage == SQLITE_INTEGER ? RT_SQL_INT
           : storage == SQLITE_FLOAT ? RT_SQL_DOUBLE
           : storage == SQLITE_TEXT  ? RT_SQL_TEXT
                                     : RT_SQL_BYTES;
}

static int read_value(rt_sqlite_rows *rows, sqlite3_stmt *statement, int column,
                      rt_sql_value *value, rt_sqlite_problem *problem)
{
    int storage = sqlite3_column_type(statement, column);
    uint32_t declared = rows->columns[column].type;
    *value = (rt_sql_value){.type = RT_SQL_NULL};
    if (storage == SQLITE_NULL)
        return 0;
    if (declared && !fits(declared, storage))
        return mismatch(rows, statement, column, storage, problem);
    value->type = !declared                  ? stored_type(storage)
                  : declared == RT_SQL_ARRAY ? (uint32_t)RT_SQL_TEXT
                                             : declared;
    switch (value->type) {
    case RT_SQL_INT:
    case RT_SQL_TIME:
        value->value.integer = sqlite3_column_int64(statement, column);
        return 0;
    case RT_SQL_BOOL:
        value->value.integer = sqlite3_column_int64(statement, column) != 0;
        return 0;
    case RT_SQL_DOUBLE:
        value->value.real = sqlite3_column_double(statement, column);
        return 0;
    default:
        return keep_bytes(rows, statement, column, value, problem);
    }
}

int rt_sqlite_rows_add(rt_sqlite_rows *rows, sqlite3_stmt *statement, rt_sqlite_problem *problem)
{
    uint64_t count = rows->row_count * rows->column_count;
    rt_sql_value *grown =
        grow(rows->values, count, rows->column_count, &rows->value_room, sizeof *grown);
    if (!grown)
        return out_of_memory(problem);
    rows->values = grown;
    for (uint32_t i = 0; i < rows->column_count; i++)
        if (read_value(rows, statement, (int)i, &grown[count + i], problem) < 0)
            return -1;
    rows->row_count++;
    return 0;
}

/* --- handing over ---------------------------------------------------------------------------- */

static bool has_bytes(uint32_t type)
{
    return type == RT_SQL_TEXT || type == RT_SQL_BYTES || type == RT_SQL_UUID ||
           type == RT_SQL_JSON;
}

/* Of an expression: what its first value is. */
static uint32_t type_in_rows(const rt_sql_rows *rows, uint32_t column)
{
    for (uint64_t i = 0; i < rows->row_count; i++)
        if (!rt_sql_is_null(rows, i, column))
            return rt_sql_get(rows, i, column)->type;
    return RT_SQL_NULL;
}

static void *moved(rt_ctx *ctx, const void *from, uint64_t size)
{
    return memcpy(rt_alloc(ctx, size), from, size);
}

void rt_sqlite_rows_take(rt_ctx *ctx, rt_sqlite_rows *rows, rt_sql_rows *taken)
{
    uint64_t count = rows->row_count * rows->column_count;
    rt_sql_value *values = rows->values;
    rt_sql_column *columns = rows->columns;
    char *bytes = rows->bytes;
    if (ctx) {
        values = count ? moved(ctx, values, count * sizeof *values) : NULL;
        columns = columns ? moved(ctx, columns, rows->column_count * sizeof *columns) : NULL;
        bytes = bytes ? moved(ctx, bytes, rows->byte_count) : NULL;
    }
    for (uint64_t i = 0; i < count; i++)
        if (has_bytes(values[i].type))
            values[i].value.text = bytes + values[i].value.integer;
    rt_sql_rows filled = {.size = sizeof filled,
                          .column_count = rows->column_count,
                          .row_count = rows->row_count,
                          .columns = columns,
                          .values = values};
    for (uint32_t i = 0; columns && i < rows->column_count; i++) {
        columns[i].name = bytes + (uintptr_t)columns[i].name;
        if (columns[i].type == RT_SQL_ARRAY)
            columns[i].type = RT_SQL_TEXT;
        else if (columns[i].type == RT_SQL_NULL)
            columns[i].type = type_in_rows(&filled, i);
    }
    rt_struct_copy(taken, &filled);
}

void rt_sqlite_rows_empty(rt_sqlite_rows *rows)
{
    rows->row_count = 0;
    rows->byte_count = 0;
}

void rt_sqlite_rows_free(rt_sqlite_rows *rows)
{
    free(rows->columns);
    free(rows->values);
    free(rows->bytes);
    *rows = (rt_sqlite_rows){0};
}
