/* Rows that are selected: all, first, count, and pages by number and by cursor */
#include "repository.h"

static const rt_selection everything;

static const rt_selection *selection_or_all(const rt_selection *selection)
{
    return selection ? selection : &everything;
}

/* SELECT … WHERE … ORDER BY …, without an end. */
static int draft_rows(rt_draft *draft, const rt_call *call, const rt_selection *selection)
{
    rt_ordered ordered;
    RT_TRY(rt_ordered_of(call, selection, &ordered));
    rt_draft_select(draft, selection->deleted);
    RT_TRY(rt_draft_where(draft, call, selection));
    rt_draft_order(draft, ordered);
    return 0;
}

static void draft_limit(rt_draft *draft, uint64_t limit)
{
    rt_draft_text(draft, " LIMIT ");
    rt_draft_value(draft, rt_sql_int((int64_t)limit));
}

/* --- all, and the first ----------------------------------------------------------------------- */

static int all(const rt_call *call, const rt_selection *selection, uint64_t limit,
               rt_rows_found *found)
{
    rt_draft draft = rt_draft_of(call);
    RT_TRY(draft_rows(&draft, call, selection));
    if (limit)
        draft_limit(&draft, limit);
    return rt_call_rows(call, 0, &draft, selection->deleted, found);
}

int rt_table_all(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                 const rt_selection *selection, rt_rows_found *found)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_all);
    selection = selection_or_all(selection);
    return rt_call_end(&call, all(&call, selection, selection->size, found));
}

static int first(const rt_call *call, const rt_selection *selection, void *row)
{
    rt_rows_found found = {0};
    RT_TRY(all(call, selection, 1, &found));
    if (!found.count)
        return rt_fail(call->ctx, RT_ENOT_FOUND, "no such `%s`", call->table->type);
    memcpy(row, found.rows, call->table->row_size);
    return 0;
}

int rt_table_first(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                   const rt_selection *selection, void *row)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_first);
    return rt_call_end(&call, first(&call, selection_or_all(selection), row));
}

/* --- count ------------------------------------------------------------------------------------ */

static int count_rows(const rt_call *call, const rt_selection *selection, uint64_t *count)
{
    const rt_table *table = call->table;
    rt_draft draft = rt_draft_of(call);
    rt_sql_rows rows;
    rt_draft_text(&draft, "SELECT count(*) FROM ");
    rt_draft_name(&draft, table->shadow && selection->deleted ? table->shadow : table->name);
    RT_TRY(rt_draft_where(&draft, call, selection));
    RT_TRY(rt_call_query(call, 0, draft.text, &draft, &rows));
    if (rows.row_count != 1 || rows.column_count != 1)
        return rt_fail(call->ctx, RT_EINTERNAL, "a count of `%s` is no number", table->type);
    *count = (uint64_t)rt_sql_get_int(&rows, 0, 0);
    return 0;
}

int rt_table_count(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                   const rt_selection *selection, uint64_t *count)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_count);
    return rt_call_end(&call, count_rows(&call, selection_or_all(selection), count));
}

/* --- pages by number ---------------------------------------------------------------------------
 */

static int page_size(const rt_call *call, const rt_selection *selection, uint64_t *size)
{
    *size = selection->size ? selection->size : RT_PAGE_SIZE;
    if (*size <= RT_PAGE_MOST)
        return 0;
    return rt_fail(call->ctx, RT_EINVALID_ARGUMENT, "a page has 1 to %d rows, not %llu",
                   RT_PAGE_MOST, (unsigned long long)*size);
}

/* A page past the end is empty, and not asked for. */
static int page(const rt_call *call, const rt_selection *selection, rt_rows_found *found)
{
    uint64_t size, number = selection->number ? selection->number : 1;
    rt_draft draft = rt_draft_of(call);
    RT_TRY(page_size(call, selection, &size));
    RT_TRY(count_rows(call, selection, &found->total));
    found->pages = (found->total + size - 1) / size;
    if (number > found->pages)
        return 0;
    RT_TRY(draft_rows(&draft, call, selection));
    draft_limit(&draft, size);
    rt_draft_text(&draft, " OFFSET ");
    rt_draft_value(&draft, rt_sql_int((int64_t)((number - 1) * size)));
    return rt_call_rows(call, 0, &draft, selection->deleted, found);
}

int rt_table_page(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                  const rt_selection *selection, rt_rows_found *found)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_page);
    return rt_call_end(&call, page(&call, selection_or_all(selection), found));
}

/* --- pages by cursor ---------------------------------------------------------------------------
 */

/* One direction and no null: then all columns can be compared at once, which indexes serve. */
static bool compares_at_once(rt_ordered ordered)
{
    for (uint32_t i = 0; i < ordered.count; i++)
        if (ordered.by[i].descending != ordered.by[0].descending ||
            ordered.by[i].column->flags & RT_COLUMN_NULLABLE)
            return false;
    return true;
}

static void put_after_at_once(rt_draft *draft, rt_ordered ordered, const rt_sql_value *values)
{
    for (uint32_t i = 0; i < ordered.count; i++) {
        rt_draft_text(draft, i ? ", " : "(");
        rt_draft_name(draft, ordered.by[i].column->name);
    }
    rt_draft_text(draft, ordered.by[0].descending ? ") < (" : ") > (");
    for (uint32_t i = 0; i < ordered.count; i++) {
        rt_draft_text(draft, i ? ", " : "");
        rt_draft_value(draft, values[i]);
    }
    rt_draft_text(draft, ")");
}

static void put_equal(rt_draft *draft, const rt_column *column, rt_sql_value value)
{
    rt_draft_name(draft, column->name);
    if (value.type == RT_SQL_NULL) {
        rt_draft_text(draft, " IS NULL");
        return;
    }
    rt_draft_text(draft, " = ");
    rt_draft_value(draft, value);
}

/* Null is greater than all else. */
static void put_beyond(rt_draft *draft, rt_order_by by, rt_sql_value value)
{
    bool null = value.type == RT_SQL_NULL, may_be_null = by.column->flags & RT_COLUMN_NULLABLE;
    if (null && !by.descending) {
        rt_draft_text(draft, "1 = 0");
        return;
    }
    rt_draft_text(draft, "(");
    rt_draft_name(draft, by.column->name);
    if (null) {
        rt_draft_text(draft, " IS NOT NULL)");
        return;
    }
    rt_draft_text(draft, by.descending ? " < " : " > ");
    rt_draft_value(draft, value);
    if (may_be_null && !by.descending) {
        rt_draft_text(draft, " OR ");
        rt_draft_name(draft, by.column->name);
        rt_draft_text(draft, " IS NULL");
    }
    rt_draft_text(draft, ")");
}

/* Beyond in the first column, or equal there and beyond in the second, … */
static void put_after(rt_draft *draft, rt_ordered ordered, const rt_sql_value *values)
{
    if (compares_at_once(ordered)) {
        put_after_at_once(draft, ordered, values);
        return;
    }
    for (uint32_t i = 0; i < ordered.count; i++) {
        rt_draft_text(draft, i ? " OR (" : "((");
        for (uint32_t j = 0; j < i; j++) {
            put_equal(draft, ordered.by[j].column, values[j]);
            rt_draft_text(draft, " AND ");
        }
        put_beyond(draft, ordered.by[i], values[i]);
        rt_draft_text(draft, ")");
    }
    rt_draft_text(draft, ")");
}

static int draft_after(rt_draft *draft, const rt_call *call, const rt_selection *selection,
                       rt_ordered ordered)
{
    bool has_where = selection->where_count || rt_soft_column(call->table);
    rt_sql_value *values = rt_alloc(call->ctx, ordered.count * sizeof *values);
    if (!selection->after)
        return 0;
    RT_TRY(rt_cursor_read(call, ordered, selection->after, values));
    rt_draft_text(draft, has_where ? " AND " : " WHERE ");
    put_after(draft, ordered, values);
    return 0;
}

/* One row more than asked for tells whether there is a next page. */
static int scroll(const rt_call *call, const rt_selection *selection, rt_rows_found *found)
{
    uint64_t size;
    rt_ordered ordered;
    rt_draft draft = rt_draft_of(call);
    RT_TRY(page_size(call, selection, &size));
    RT_TRY(rt_ordered_of(call, selection, &ordered));
    rt_draft_select(&draft, selection->deleted);
    RT_TRY(rt_draft_where(&draft, call, selection));
    RT_TRY(draft_after(&draft, call, selection, ordered));
    rt_draft_order(&draft, ordered);
    draft_limit(&draft, size + 1);
    RT_TRY(rt_call_rows(call, 0, &draft, selection->deleted, found));
    if (found->count <= size)
        return 0;
    found->count = size;
    found->next =
        rt_cursor_make(call, ordered, rt_row_at(call->table, found->rows, found->count - 1));
    return 0;
}

int rt_table_scroll(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                    const rt_selection *selection, rt_rows_found *found)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_scroll);
    return rt_call_end(&call, scroll(&call, selection_or_all(selection), found));
}
