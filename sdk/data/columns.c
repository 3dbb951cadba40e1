/* Rows and values, by what the descriptor says of each column */
#include "repository.h"

#include <math.h>
#include <strings.h>

const rt_column *rt_column_with(const rt_table *table, uint32_t flag)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].flags & flag)
            return &table->columns[i];
    return NULL;
}

const rt_column *rt_column_at(const rt_table *table, uint32_t offset)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].offset == offset)
            return &table->columns[i];
    return NULL;
}

/* --- from a row ------------------------------------------------------------------------------- */

static rt_sql_value bytes_value(rt_str bytes)
{
    return bytes.data ? rt_sql_bytes(bytes.data, bytes.length)
                      : (rt_sql_value){.type = RT_SQL_NULL, .of = RT_SQL_BYTES};
}

rt_sql_value rt_member_value(const rt_column *column, const void *member)
{
    const char *text;
    switch (column->type) {
    case RT_SQL_INT:
        return rt_sql_int(*(const int64_t *)member);
    case RT_SQL_TIME:
        return rt_sql_time(*(const int64_t *)member);
    case RT_SQL_DOUBLE:
        return rt_sql_double(*(const double *)member);
    case RT_SQL_BOOL:
        return rt_sql_bool(*(const bool *)member);
    case RT_SQL_BYTES:
        return bytes_value(*(const rt_str *)member);
    default:
        text = *(const char *const *)member;
        return rt_sql_text_of(column->type, text, text ? strlen(text) : 0);
    }
}

static bool *null_member(const rt_column *column, const void *row)
{
    return column->null_step ? (bool *)((char *)rt_member(row, column) + column->null_step) : NULL;
}

rt_sql_value rt_column_value(const rt_column *column, const void *row)
{
    const bool *null = null_member(column, row);
    if (null && *null)
        return (rt_sql_value){.type = RT_SQL_NULL, .of = column->type};
    return rt_member_value(column, rt_member(row, column));
}

int rt_value_check(rt_ctx *ctx, const rt_table *table, const rt_column *column,
                   const rt_sql_value *value)
{
    if (value->type != RT_SQL_NULL)
        return column->prefix ? rt_id_check(ctx, column->prefix, value->value.text) : 0;
    if (column->flags & RT_COLUMN_NULLABLE)
        return 0;
    return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%s` of `%s` is not set", column->name, table->type);
}

/* --- stamps ----------------------------------------------------------------------------------- */

static void set_text(const rt_column *column, void *row, const char *text)
{
    memcpy(rt_member(row, column), &text, sizeof text);
}

static void set_integer(const rt_column *column, void *row, int64_t integer)
{
    memcpy(rt_member(row, column), &integer, sizeof integer);
    if (null_member(column, row))
        *null_member(column, row) = false;
}

static void set_null(const rt_column *column, void *row)
{
    bool *null = null_member(column, row);
    if (!null) {
        set_text(column, row, NULL);
        return;
    }
    memset(rt_member(row, column), 0, column->null_step);
    *null = true;
}

static bool is_empty(const rt_column *column, const void *row)
{
    const char *text = *(const char *const *)rt_member(row, column);
    return !text || !*text;
}

void rt_row_stamp_new(rt_ctx *ctx, const rt_table *table, void *row)
{
    int64_t now = rt_time(ctx);
    const char *actor = rt_actor(ctx);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const rt_column *column = &table->columns[i];
        if (column->flags & RT_COLUMN_ID && is_empty(column, row))
            set_text(column, row, rt_id_make(ctx, column->prefix));
        if (column->flags & (RT_COLUMN_CREATED_AT | RT_COLUMN_UPDATED_AT))
            set_integer(column, row, now);
        if (column->flags & (RT_COLUMN_CREATED_BY | RT_COLUMN_UPDATED_BY) && actor)
            set_text(column, row, actor);
        if (column->flags & RT_COLUMN_VERSION)
            set_integer(column, row, 1);
        if (column->flags & RT_COLUMN_DELETED)
            set_null(column, row);
    }
}

void rt_row_stamp(rt_ctx *ctx, const rt_table *table, void *row)
{
    const char *actor = rt_actor(ctx);
    for (uint32_t i = 0; i < table->column_count; i++) {
        const rt_column *column = &table->columns[i];
        if (column->flags & RT_COLUMN_UPDATED_AT)
            set_integer(column, row, rt_time(ctx));
        if (column->flags & RT_COLUMN_UPDATED_BY && actor)
            set_text(column, row, actor);
    }
}

/* --- into a row ------------------------------------------------------------------------------- */

static const char *const type_names[] = {"null", "int",  "double", "text", "bytes",
                                         "bool", "time", "uuid",   "json", "array"};

static int wrong_type(rt_ctx *ctx, const rt_table *table, const rt_column *column, uint32_t type)
{
    return rt_fail_with(
        ctx, &(rt_error){.size = sizeof(rt_error),
                         .code = RT_EINTERNAL,
                         .domain = "WRONG_TYPE",
                         .message = rt_format(ctx, "column `%s` of table `%s` is %s, declared %s",
                                              column->name, table->name,
                                              type_names[type <= RT_SQL_ARRAY ? type : 0],
                                              type_names[column->type]),
                         .hint = "declare it as it is in the database, or migrate it"});
}

/* What a value may come as beside its own type: where a server does not know the types of what
 * RETURNING yields, it sends what it stores. */
static bool is_of(uint32_t declared, uint32_t type)
{
    switch (declared) {
    case RT_SQL_DOUBLE:
    case RT_SQL_BOOL:
    case RT_SQL_TIME:
        return type == declared || type == RT_SQL_INT;
    case RT_SQL_UUID:
    case RT_SQL_JSON:
        return type == declared || type == RT_SQL_TEXT;
    default:
        return type == declared;
    }
}

static void set_value(const rt_column *column, const rt_sql_rows *rows, uint64_t index,
                      uint32_t place, void *row)
{
    double real;
    rt_str bytes;
    switch (column->type) {
    case RT_SQL_INT:
    case RT_SQL_TIME:
        set_integer(column, row, rt_sql_get_int(rows, index, place));
        return;
    case RT_SQL_DOUBLE:
        real = rt_sql_get_double(rows, index, place);
        memcpy(rt_member(row, column), &real, sizeof real);
        break;
    case RT_SQL_BOOL:
        *(bool *)rt_member(row, column) = rt_sql_get_int(rows, index, place) != 0;
        break;
    case RT_SQL_BYTES:
        bytes = rt_sql_get_bytes(rows, index, place);
        bytes.data = bytes.data ? bytes.data : ""; /* empty is not null */
        memcpy(rt_member(row, column), &bytes, sizeof bytes);
        return;
    default:
        set_text(column, row, rt_sql_get_text(rows, index, place));
        return;
    }
    if (null_member(column, row))
        *null_member(column, row) = false;
}

static int read_null(rt_ctx *ctx, const rt_table *table, const rt_column *column, void *row)
{
    if (!(column->flags & RT_COLUMN_NULLABLE))
        return wrong_type(ctx, table, column, RT_SQL_NULL);
    if (column->type == RT_SQL_BYTES)
        memset(rt_member(row, column), 0, sizeof(rt_str));
    else
        set_null(column, row);
    return 0;
}

int rt_row_read(rt_ctx *ctx, const rt_table *table, rt_column_set set, const rt_sql_rows *rows,
                uint64_t index, void *row)
{
    uint32_t place = 0;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const rt_column *column = &table->columns[i];
        if (!rt_column_in(column, set)) {
            if (column->flags & RT_COLUMN_DELETED) /* which the table of live rows may not have */
                set_null(column, row);
            continue;
        }
        if (place == rows->column_count)
            return wrong_type(ctx, table, column, RT_SQL_NULL);
        uint32_t type = rt_sql_get(rows, index, place)->type;
        if (type == RT_SQL_NULL)
            RT_TRY(read_null(ctx, table, column, row));
        else if (is_of(column->type, type))
            set_value(column, rows, index, place, row);
        else
            return wrong_type(ctx, table, column, type);
        place++;
    }
    return 0;
}

/* --- keys ------------------------------------------------------------------------------------- */

static int compare_numbers(double left, double right)
{
    return (left > right) - (left < right);
}

static int compare_integers(int64_t left, int64_t right)
{
    return (left > right) - (left < right);
}

static int compare_bytes(rt_str left, rt_str right)
{
    uint64_t both = left.length < right.length ? left.length : right.length;
    int order = both ? memcmp(left.data, right.data, both) : 0;
    return order ? order : compare_integers((int64_t)left.length, (int64_t)right.length);
}

/* Neither is null. */
static int compare_values(const rt_sql_value *left, const rt_sql_value *right)
{
    switch (left->type) {
    case RT_SQL_DOUBLE:
        return compare_numbers(left->value.real, right->value.real);
    case RT_SQL_UUID: /* the server writes it its own way */
        return strcasecmp(left->value.text, right->value.text);
    case RT_SQL_TEXT:
    case RT_SQL_JSON:
        return strcmp(left->value.text, right->value.text);
    case RT_SQL_BYTES:
        return compare_bytes((rt_str){left->value.bytes, left->length},
                             (rt_str){right->value.bytes, right->length});
    default:
        return compare_integers(left->value.integer, right->value.integer);
    }
}

int rt_key_compare(const rt_table *table, const void *left, const void *right)
{
    int order = 0;
    for (uint32_t i = 0; i < table->column_count && !order; i++) {
        const rt_column *column = &table->columns[i];
        if (!(column->flags & RT_COLUMN_KEY))
            continue;
        rt_sql_value a = rt_column_value(column, left), b = rt_column_value(column, right);
        order = compare_values(&a, &b);
    }
    return order;
}
