/* Conditions and orders as SQL. Each value becomes a parameter; names come from the descriptor. */
#include "repository.h"

enum { VALUES_MOST = 30000 }; /* of one statement: SQLite takes 32,766, PostgreSQL 65,535 */

struct where {
    rt_draft *draft;
    const rt_call *call;
};

static int put_condition(struct where *where, const rt_where *condition);

static int wrong(const struct where *where, const char *what, const rt_column *column)
{
    return rt_fail(where->call->ctx, RT_EINVALID_ARGUMENT, "%s `%s` of `%s`", what, column->name,
                   where->call->table->type);
}

/* The same declaration may stand in several files. */
static bool is_same(const rt_table *left, const rt_table *right)
{
    return left == right ||
           (left && strcmp(left->name, right->name) == 0 && strcmp(left->type, right->type) == 0 &&
            left->column_count == right->column_count);
}

static int column_of(const rt_call *call, const rt_table *table, uint32_t offset,
                     const rt_column **column)
{
    *column = is_same(table, call->table) ? rt_column_at(call->table, offset) : NULL;
    return *column ? 0
                   : rt_fail(call->ctx, RT_EINVALID_ARGUMENT, "a selection of `%s` names `%s`",
                             call->table->type, table ? table->type : "nothing");
}

/* --- values ----------------------------------------------------------------------------------- */

static uint64_t size_of(const rt_column *column)
{
    switch (column->type) {
    case RT_SQL_BOOL:
        return sizeof(bool);
    case RT_SQL_BYTES:
        return sizeof(rt_str);
    default:
        return 8;
    }
}

static int value_at(const struct where *where, const rt_column *column, const rt_where *condition,
                    uint64_t index, rt_sql_value *value)
{
    const char *members = condition->values;
    *value = rt_member_value(column, members + index * size_of(column));
    if (value->type == RT_SQL_NULL)
        return wrong(where, "a comparison with NULL: column", column);
    return rt_value_check(where->call->ctx, where->call->table, column, value);
}

static int put_value(struct where *where, const rt_column *column, const rt_where *condition,
                     uint64_t index)
{
    rt_sql_value value;
    RT_TRY(value_at(where, column, condition, index, &value));
    rt_draft_value(where->draft, value);
    return 0;
}

/* --- comparisons ------------------------------------------------------------------------------ */

static const char *const signs[] = {
    [RT_EQUAL] = " = ",    [RT_NOT_EQUAL] = " <> ", [RT_BELOW] = " < ",
    [RT_AT_MOST] = " <= ", [RT_ABOVE] = " > ",      [RT_AT_LEAST] = " >= ",
};

static int put_in(struct where *where, const rt_column *column, const rt_where *condition)
{
    uint64_t rounded = rt_keys_rounded(condition->count);
    if (!condition->count) {
        rt_draft_text(where->draft, "1 = 0");
        return 0;
    }
    if (condition->count > VALUES_MOST)
        return wrong(where, "too many values for column", column);
    rt_draft_name(where->draft, column->name);
    rt_draft_text(where->draft, " IN (");
    for (uint64_t i = 0; i < rounded && i < VALUES_MOST; i++) {
        rt_draft_text(where->draft, i ? ", " : "");
        RT_TRY(
            put_value(where, column, condition, i < condition->count ? i : condition->count - 1));
    }
    rt_draft_text(where->draft, ")");
    return 0;
}

/* What a pattern's character is in the dialect: LIKE with `\`, or GLOB, whose way of taking a
 * character as it is are brackets. */
static const char *like_piece(rt_ctx *ctx, char at, bool literal)
{
    return !literal || !strchr("%_\\", at) ? rt_format(ctx, "%c", at) : rt_format(ctx, "\\%c", at);
}

static const char *glob_piece(rt_ctx *ctx, char at, bool literal)
{
    if (!literal && (at == '%' || at == '_'))
        return at == '%' ? "*" : "?";
    return strchr("*?[", at) ? rt_format(ctx, "[%c]", at) : rt_format(ctx, "%c", at);
}

static const char *pattern_of(rt_ctx *ctx, const char *text, bool prefix, bool glob)
{
    rt_draft pattern = {.ctx = ctx};
    for (; *text; text++) {
        bool literal = prefix;
        if (!prefix && *text == '\\' && text[1]) {
            literal = true;
            text++;
        }
        rt_draft_text(&pattern, glob ? glob_piece(ctx, *text, literal)
                                     : like_piece(ctx, *text, literal || *text == '\\'));
    }
    rt_draft_text(&pattern, prefix ? (glob ? "*" : "%") : "");
    return pattern.text;
}

/* SQLite's LIKE takes capitals for small letters; its GLOB does not. */
static int put_pattern(struct where *where, const rt_column *column, const rt_where *condition)
{
    rt_ctx *ctx = where->call->ctx;
    rt_sql_value value;
    if (column->type != RT_SQL_TEXT || condition->count != 1)
        return wrong(where, "a pattern is for one text: column", column);
    value = rt_member_value(column, condition->values);
    if (value.type == RT_SQL_NULL)
        return wrong(where, "a comparison with NULL: column", column);
    rt_sql_server server = {.size = sizeof server};
    RT_TRY(rt_sql_describe(ctx, where->call->sql, &server));
    bool glob = server.dialect == RT_SQL_SQLITE;
    rt_draft_name(where->draft, column->name);
    rt_draft_text(where->draft, glob ? " GLOB " : " LIKE ");
    rt_draft_value(where->draft, rt_sql_text(pattern_of(ctx, value.value.text,
                                                        condition->operation == RT_PREFIX, glob)));
    rt_draft_text(where->draft, glob ? "" : " ESCAPE '\\'");
    return 0;
}

static int put_comparison(struct where *where, const rt_column *column, const rt_where *condition)
{
    if (condition->count != 1)
        return wrong(where, "one value is compared, of column", column);
    if (column->type == RT_SQL_JSON)
        return wrong(where, "json is not compared: column", column);
    rt_draft_name(where->draft, column->name);
    rt_draft_text(where->draft, signs[condition->operation]);
    return put_value(where, column, condition, 0);
}

static int put_leaf(struct where *where, const rt_where *condition)
{
    const rt_column *column;
    RT_TRY(column_of(where->call, condition->table, condition->column, &column));
    switch (condition->operation) {
    case RT_IN:
        return put_in(where, column, condition);
    case RT_PREFIX:
    case RT_LIKE:
        return put_pattern(where, column, condition);
    case RT_IS_NULL:
    case RT_NOT_NULL:
        rt_draft_name(where->draft, column->name);
        rt_draft_text(where->draft,
                      condition->operation == RT_IS_NULL ? " IS NULL" : " IS NOT NULL");
        return 0;
    default:
        return put_comparison(where, column, condition);
    }
}

/* --- conditions that are put together -----------------------------------------------------------
 */

static int put_list(struct where *where, const rt_where *all, uint64_t count, const char *word)
{
    for (uint64_t i = 0; i < count; i++) {
        rt_draft_text(where->draft, i ? word : "");
        RT_TRY(put_condition(where, &all[i]));
    }
    return 0;
}

static int put_condition(struct where *where, const rt_where *condition)
{
    uint32_t operation = condition->operation;
    if (operation < RT_EQUAL || operation > RT_NONE_OF)
        return rt_fail(where->call->ctx, RT_EINVALID_ARGUMENT, "no operation has the number %u",
                       operation);
    if (operation < RT_ALL_OF)
        return put_leaf(where, condition);
    rt_draft_text(where->draft, operation == RT_NONE_OF ? "NOT (" : "(");
    if (!condition->count)
        rt_draft_text(where->draft, operation == RT_ALL_OF ? "1 = 1" : "1 = 0");
    RT_TRY(put_list(where, condition->values, condition->count,
                    operation == RT_ALL_OF ? " AND " : " OR "));
    rt_draft_text(where->draft, ")");
    return 0;
}

int rt_draft_where(rt_draft *draft, const rt_call *call, const rt_selection *selection)
{
    struct where where = {draft, call};
    const rt_column *soft = rt_soft_column(call->table);
    if (selection->deleted && !rt_column_with(call->table, RT_COLUMN_DELETED_AT))
        return rt_fail(call->ctx, RT_EUNIMPLEMENTED, "`%s` has no soft delete", call->table->type);
    if (soft || selection->where_count)
        rt_draft_text(draft, " WHERE ");
    if (soft) {
        rt_draft_name(draft, soft->name);
        rt_draft_text(draft, selection->deleted ? " IS NOT NULL" : " IS NULL");
        rt_draft_text(draft, selection->where_count ? " AND " : "");
    }
    RT_TRY(put_list(&where, selection->where, selection->where_count, " AND "));
    if (draft->value_count > VALUES_MOST)
        return rt_fail(call->ctx, RT_EINVALID_ARGUMENT, "a selection of `%s` has %u values",
                       call->table->type, draft->value_count);
    return 0;
}

/* --- order ------------------------------------------------------------------------------------ */

static bool is_ordered(const rt_order_by *by, uint32_t count, const rt_column *column)
{
    for (uint32_t i = 0; i < count; i++)
        if (by[i].column == column)
            return true;
    return false;
}

int rt_ordered_of(const rt_call *call, const rt_selection *selection, rt_ordered *ordered)
{
    const rt_table *table = call->table;
    rt_order_by *by =
        rt_alloc(call->ctx, (selection->order_count + table->column_count) * sizeof *by);
    uint32_t count = 0;
    for (uint32_t i = 0; i < selection->order_count; i++) {
        const rt_column *column;
        const rt_ordering *ordering = &selection->order[i];
        RT_TRY(column_of(call, ordering->table, ordering->column, &column));
        if (column->type == RT_SQL_JSON)
            return rt_fail(call->ctx, RT_EINVALID_ARGUMENT,
                           "json has no order: column `%s` of `%s`", column->name, table->type);
        if (!is_ordered(by, count, column))
            by[count++] = (rt_order_by){column, ordering->descending};
    }
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].flags & RT_COLUMN_KEY && !is_ordered(by, count, &table->columns[i]))
            by[count++] = (rt_order_by){&table->columns[i], false};
    *ordered = (rt_ordered){by, count};
    return 0;
}

/* Dialects disagree where null goes. */
void rt_draft_order(rt_draft *draft, rt_ordered ordered)
{
    rt_draft_text(draft, " ORDER BY ");
    for (uint32_t i = 0; i < ordered.count; i++) {
        const rt_order_by *by = &ordered.by[i];
        rt_draft_text(draft, i ? ", " : "");
        rt_draft_name(draft, by->column->name);
        rt_draft_text(draft, by->descending ? " DESC" : "");
        if (by->column->flags & RT_COLUMN_NULLABLE)
            rt_draft_text(draft, by->descending ? " NULLS FIRST" : " NULLS LAST");
    }
}
