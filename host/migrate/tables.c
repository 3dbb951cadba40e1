/* The declared tables beside those of the database, as its catalogue has them. */
#include "migrate/migrate.h"

#include "fiber/fiber.h"

#include <string.h>
#include <strings.h>

/* Columns in one shape: name, type as it was declared, 1 if it can be null, 1 if it is of the
 * primary key, 1 if an insert must name it. */
static const char postgres_columns[] =
    "SELECT a.attname::text, format_type(a.atttypid, NULL), NOT a.attnotnull,\n"
    "    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary\n"
    "            AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])),\n"
    "    a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''\n"
    "FROM pg_attribute a\n"
    "WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped\n"
    "ORDER BY a.attnum";
/* A column of the key that is not said to be NOT NULL takes nulls in SQLite alone; as elsewhere,
 * that is not relied on. An `integer` that is the key is given by SQLite itself. */
static const char sqlite_columns[] =
    "SELECT name, type, \"notnull\" = 0 AND pk = 0, pk > 0,\n"
    "    \"notnull\" <> 0 AND dflt_value IS NULL AND NOT (pk = 1 AND lower(type) = 'integer')\n"
    "FROM pragma_table_xinfo($1) WHERE hidden IN (0, 2, 3)";

enum { NAME, TYPE, NULLABLE, KEY, NEEDED };

static const struct {
    const char *word;
    uint32_t type; /* rt_sql_type */
} types[] = {
    {"bigint", RT_SQL_INT},
    {"integer", RT_SQL_INT},
    {"int", RT_SQL_INT},
    {"smallint", RT_SQL_INT},
    {"int8", RT_SQL_INT},
    {"int4", RT_SQL_INT},
    {"int2", RT_SQL_INT},
    {"double precision", RT_SQL_DOUBLE},
    {"real", RT_SQL_DOUBLE},
    {"float8", RT_SQL_DOUBLE},
    {"float4", RT_SQL_DOUBLE},
    {"bytea", RT_SQL_BYTES},
    {"blob", RT_SQL_BYTES},
    {"boolean", RT_SQL_BOOL},
    {"bool", RT_SQL_BOOL},
    {"timestamptz", RT_SQL_TIME},
    {"timestamp with time zone", RT_SQL_TIME},
    {"uuid", RT_SQL_UUID},
    {"json", RT_SQL_JSON},
    {"jsonb", RT_SQL_JSON},
};

/* What rt_column.type is called, and how it is declared. */
static const char *const type_words[] = {
    [RT_SQL_NULL] = "?",           [RT_SQL_INT] = "bigint",  [RT_SQL_DOUBLE] = "double precision",
    [RT_SQL_TEXT] = "text",        [RT_SQL_BYTES] = "bytea", [RT_SQL_BOOL] = "boolean",
    [RT_SQL_TIME] = "timestamptz", [RT_SQL_UUID] = "uuid",   [RT_SQL_JSON] = "jsonb",
    [RT_SQL_ARRAY] = "an array"};

/* As values of it come from the provider: what is none of the known ones is text. */
static uint32_t type_of(const char *declared)
{
    size_t length = strlen(declared);
    if (length > 2 && strcmp(declared + length - 2, "[]") == 0)
        return RT_SQL_ARRAY;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(types[i].word, declared) == 0)
            return types[i].type;
    return RT_SQL_TEXT;
}

static const char *type_word(uint32_t type)
{
    return type < sizeof type_words / sizeof type_words[0] ? type_words[type] : "?";
}

/* One table while it is compared. */
struct comparison {
    rt_ctx *ctx;
    const rt_migrate_job *job;
    const rt_table *table;
    const char *name; /* of the table that is looked at: its own, or the shadow's */
    bool is_shadow;
    rt_sql_rows rows;
    rt_buffer *out;
};

__attribute__((format(printf, 3, 4))) static void differ(const struct comparison *comparison,
                                                         const char *column, const char *format,
                                                         ...)
{
    va_list arguments;
    va_start(arguments, format);
    rt_buffer_format(comparison->out, "table `%s`%s%s%s ", comparison->name,
                     column ? ", column `" : "", column ? column : "", column ? "`" : "");
    rt_buffer_vformat(comparison->out, format, arguments);
    rt_buffer_char(comparison->out, '\n');
    va_end(arguments);
}

static bool has_flag(const rt_column *column, uint32_t flag)
{
    return column->flags & flag;
}

/* In a shadow, which takes rows of the table alone, and stamps each with the time. */
static bool may_be_null_otherwise(const struct comparison *comparison, const rt_column *column,
                                  bool nullable)
{
    return comparison->is_shadow && (nullable || has_flag(column, RT_COLUMN_DELETED_AT));
}

static void compare_column(const struct comparison *comparison, const rt_column *column,
                           uint64_t row)
{
    const rt_sql_rows *rows = &comparison->rows;
    const char *declared = rt_sql_get_text(rows, row, TYPE);
    bool nullable = rt_sql_get_int(rows, row, NULLABLE), key = rt_sql_get_int(rows, row, KEY);
    if (type_of(declared ? declared : "") != column->type)
        differ(comparison, column->name, "is %s there, and declared as %s", declared,
               type_word(column->type));
    if (nullable != has_flag(column, RT_COLUMN_NULLABLE) && !key &&
        !may_be_null_otherwise(comparison, column, nullable))
        differ(comparison, column->name,
               nullable ? "can be null there, and is declared as one that cannot"
                        : "is NOT NULL there, and is declared as one that can be null");
    if (key != has_flag(column, RT_COLUMN_KEY))
        differ(comparison, column->name,
               key ? "is of the primary key there, and not declared so"
                   : "is declared as of the key, and is not of the primary key there");
}

static const rt_column *declared_column(const rt_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

static int64_t find_row(const rt_sql_rows *rows, const char *name)
{
    for (uint64_t i = 0; i < rows->row_count; i++) {
        const char *there = rt_sql_get_text(rows, i, NAME);
        if (there && strcmp(there, name) == 0)
            return (int64_t)i;
    }
    return -1;
}

/* Where deleted rows are moved to, they alone have marks. */
static bool is_of_shadow_alone(const struct comparison *comparison, const rt_column *column)
{
    return RT_HAS(comparison->table, shadow) && comparison->table->shadow &&
           !comparison->is_shadow && has_flag(column, RT_COLUMN_DELETED_AT | RT_COLUMN_DELETED_BY);
}

static void compare_columns(const struct comparison *comparison)
{
    const rt_table *table = comparison->table;
    for (uint32_t i = 0; i < table->column_count; i++) {
        int64_t row = find_row(&comparison->rows, table->columns[i].name);
        if (is_of_shadow_alone(comparison, &table->columns[i]))
            continue;
        if (row < 0)
            differ(comparison, table->columns[i].name, "is missing");
        else
            compare_column(comparison, &table->columns[i], (uint64_t)row);
    }
    for (uint64_t i = 0; i < comparison->rows.row_count; i++) {
        const char *name = rt_sql_get_text(&comparison->rows, i, NAME);
        if (name && rt_sql_get_int(&comparison->rows, i, NEEDED) && !declared_column(table, name))
            differ(comparison, name, "is NOT NULL without a default, and is not declared");
    }
}

/* "rt_jobs"."job": names as they are, so that none is folded or taken for a keyword. */
static const char *quoted(rt_ctx *ctx, const char *name)
{
    const char *dot = strchr(name, '.');
    return dot ? rt_host_format(ctx, "\"%.*s\".\"%s\"", (int)(dot - name), name, dot + 1)
               : rt_host_format(ctx, "\"%s\"", name);
}

static int read_columns(struct comparison *comparison)
{
    rt_ctx *ctx = comparison->ctx;
    bool postgres = rt_migrate_dialect(ctx, comparison->job) == RT_SQL_POSTGRES;
    const char *name = postgres ? quoted(ctx, comparison->name) : comparison->name;
    comparison->rows = (rt_sql_rows){.size = sizeof comparison->rows};
    return rt_sql_query(ctx, rt_migrate_sql(comparison->job),
                        RT_SQL(postgres ? postgres_columns : sqlite_columns, rt_sql_text(name)),
                        &comparison->rows);
}

static int compare(rt_ctx *ctx, const rt_migrate_job *job, const rt_table *table, bool shadow,
                   rt_buffer *out)
{
    struct comparison comparison = {.ctx = ctx,
                                    .job = job,
                                    .table = table,
                                    .name = shadow ? table->shadow : table->name,
                                    .is_shadow = shadow,
                                    .out = out};
    RT_TRY(read_columns(&comparison));
    if (comparison.rows.row_count)
        compare_columns(&comparison);
    else
        differ(&comparison, NULL, "is missing");
    return 0;
}

int rt_tables_compare(rt_ctx *ctx, const rt_migrate_job *job, rt_buffer *differences)
{
    for (uint32_t i = 0; i < job->slice->table_count; i++) {
        const rt_table *table = job->slice->tables[i];
        RT_TRY(compare(ctx, job, table, false, differences));
        if (RT_HAS(table, shadow) && table->shadow)
            RT_TRY(compare(ctx, job, table, true, differences));
    }
    if (differences->length)
        differences->data[--differences->length] = '\0';
    return 0;
}
