/* One row: insert, update, save, find, exists, and look-ups */
#include "repository.h"

/* --- writing ---------------------------------------------------------------------------------- */

static int insert(const rt_call *call, void *row)
{
    rt_draft draft = rt_draft_of(call);
    rt_row_stamp_new(call->ctx, call->table, row);
    RT_TRY(rt_draft_row(&draft, RT_SET_INSERTED, row));
    return rt_call_exec(call, rt_kept_text(call, RT_TEXT_INSERT), &draft, NULL);
}

int rt_table_insert(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, void *row)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_insert);
    return rt_call_end(&call, insert(&call, row));
}

static int version_conflict(const rt_call *call, int64_t is, int64_t expected)
{
    return rt_fail_with(
        call->ctx,
        &(rt_error){.size = sizeof(rt_error),
                    .code = RT_EABORTED,
                    .domain = "VERSION_CONFLICT",
                    .message = rt_format(call->ctx, "the %s has version %lld by now, not %lld",
                                         call->table->type, (long long)is, (long long)expected),
                    .hint = "read it again, and change that"});
}

/* Why no row was updated. */
static int tell_conflict(const rt_call *call, const rt_column *version, const void *row)
{
    rt_sql_rows rows;
    rt_draft draft = rt_draft_of(call);
    if (!version)
        return rt_call_not_found(call, row);
    RT_TRY(rt_draft_row(&draft, RT_SET_KEY, row));
    RT_TRY(rt_call_query(call, 0, rt_kept_text(call, RT_TEXT_GET_VERSION), &draft, &rows));
    if (!rows.row_count)
        return rt_call_not_found(call, row);
    return version_conflict(call, rt_sql_get_int(&rows, 0, 0),
                            rt_column_value(version, row).value.integer);
}

/* The row is changed only once the database was. */
static int update(const rt_call *call, void *row)
{
    uint64_t affected = 0;
    rt_draft draft = rt_draft_of(call);
    const rt_column *version = rt_column_with(call->table, RT_COLUMN_VERSION);
    void *changed = memcpy(rt_alloc(call->ctx, call->table->row_size), row, call->table->row_size);
    rt_row_stamp(call->ctx, call->table, changed);
    RT_TRY(rt_draft_row(&draft, RT_SET_UPDATED, changed));
    RT_TRY(rt_draft_row(&draft, RT_SET_KEY, changed));
    if (version)
        rt_draft_push(&draft, rt_column_value(version, row));
    RT_TRY(rt_call_exec(call, rt_kept_text(call, RT_TEXT_UPDATE), &draft, &affected));
    if (!affected)
        return tell_conflict(call, version, row);
    if (version)
        ++*(int64_t *)rt_member(changed, version);
    memcpy(row, changed, call->table->row_size);
    return 0;
}

int rt_table_update(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, void *row)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_update);
    return rt_call_end(&call, update(&call, row));
}

static int save(const rt_call *call, void *row)
{
    rt_sql_rows rows;
    rt_draft draft = rt_draft_of(call);
    rt_row_stamp_new(call->ctx, call->table, row);
    RT_TRY(rt_draft_row(&draft, RT_SET_INSERTED, row));
    RT_TRY(rt_call_query(call, 0, rt_kept_text(call, RT_TEXT_SAVE), &draft, &rows));
    if (rows.row_count)
        return rt_row_read(call->ctx, call->table, RT_SET_SAVED, &rows, 0, row);
    return rt_fail(call->ctx, RT_EFAILED_PRECONDITION, "the `%s` to be saved is deleted",
                   call->table->type);
}

int rt_table_save(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, void *row)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_save);
    return rt_call_end(&call, save(&call, row));
}

/* --- reading ---------------------------------------------------------------------------------- */

static int find(const rt_call *call, const void *key, void *row)
{
    rt_sql_rows rows;
    rt_draft draft = rt_draft_of(call);
    RT_TRY(rt_draft_row(&draft, RT_SET_KEY, key));
    RT_TRY(rt_call_query(call, RT_SQL_SHORT, rt_kept_text(call, RT_TEXT_FIND), &draft, &rows));
    if (!rows.row_count)
        return rt_call_not_found(call, key);
    return rt_row_read(call->ctx, call->table, rt_set_read(call->table, false), &rows, 0, row);
}

int rt_table_find(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, const void *key,
                  void *row)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_find);
    return rt_call_end(&call, find(&call, key, row));
}

static int exists(const rt_call *call, const void *key)
{
    rt_sql_rows rows;
    rt_draft draft = rt_draft_of(call);
    RT_TRY(rt_draft_row(&draft, RT_SET_KEY, key));
    RT_TRY(rt_call_query(call, RT_SQL_SHORT, rt_kept_text(call, RT_TEXT_EXISTS), &draft, &rows));
    return rows.row_count > 0;
}

int rt_table_exists(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, const void *key)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_exists);
    return rt_call_end(&call, exists(&call, key));
}

/* --- look-ups --------------------------------------------------------------------------------- */

static void write_lookup(rt_draft *draft, const rt_lookup *lookup)
{
    const rt_column *soft = rt_soft_column(lookup->table);
    rt_draft_select(draft, false);
    rt_draft_text(draft, " WHERE ");
    for (uint32_t i = 0; i < lookup->column_count; i++) {
        rt_draft_text(draft, i ? " AND " : "");
        rt_draft_name(draft, rt_column_at(lookup->table, lookup->columns[i])->name);
        rt_draft_text(draft, " = ");
        rt_draft_place(draft);
    }
    if (soft) {
        rt_draft_text(draft, " AND ");
        rt_draft_name(draft, soft->name);
        rt_draft_text(draft, " IS NULL");
    }
    rt_draft_text(draft, " ORDER BY ");
    rt_draft_list(draft, RT_SET_KEY, RT_LIST_NAMES);
    rt_draft_text(draft, lookup->several ? "" : " LIMIT 1");
}

static rt_call begin_lookup(rt_ctx *ctx, struct rt_sql_slot *sql, rt_lookup *lookup)
{
    rt_call call = {ctx, sql, lookup->table, NULL};
    if (!lookup->text) {
        rt_draft draft = rt_draft_of(&call);
        write_lookup(&draft, lookup);
        lookup->span = rt_span_name(ctx, lookup->table, lookup->name);
        lookup->text = rt_keep_text(ctx, draft.text);
    }
    call.span = rt_span_start(ctx, lookup->span, RT_SPAN_INTERNAL);
    return call;
}

/* Nothing equals null: who looks for it asks by mistake. */
static int push_lookup(rt_draft *draft, const rt_lookup *lookup, const void *key)
{
    for (uint32_t i = 0; i < lookup->column_count; i++) {
        const rt_column *column = rt_column_at(lookup->table, lookup->columns[i]);
        rt_sql_value value = rt_member_value(column, rt_member(key, column));
        if (value.type == RT_SQL_NULL)
            return rt_fail(draft->ctx, RT_EINVALID_ARGUMENT, "`%s` to look for is not set",
                           column->name);
        RT_TRY(rt_value_check(draft->ctx, lookup->table, column, &value));
        rt_draft_push(draft, value);
    }
    return 0;
}

static int look_up(const rt_call *call, const rt_lookup *lookup, const void *key,
                   rt_rows_found *found)
{
    rt_draft draft = rt_draft_of(call);
    RT_TRY(push_lookup(&draft, lookup, key));
    draft.text = lookup->text;
    return rt_call_rows(call, lookup->several ? 0 : RT_SQL_SHORT, &draft, false, found);
}

static int look_up_one(const rt_call *call, const rt_lookup *lookup, const void *key, void *row)
{
    rt_rows_found found = {0};
    RT_TRY(look_up(call, lookup, key, &found));
    if (!found.count)
        return rt_fail(call->ctx, RT_ENOT_FOUND, "no such `%s`", call->table->type);
    memcpy(row, found.rows, call->table->row_size);
    return 0;
}

int rt_table_look_up(rt_ctx *ctx, struct rt_sql_slot *sql, rt_lookup *lookup, const void *key,
                     void *row)
{
    rt_call call = begin_lookup(ctx, sql, lookup);
    return rt_call_end(&call, look_up_one(&call, lookup, key, row));
}

int rt_table_look_up_all(rt_ctx *ctx, struct rt_sql_slot *sql, rt_lookup *lookup, const void *key,
                         rt_rows_found *found)
{
    rt_call call = begin_lookup(ctx, sql, lookup);
    return rt_call_end(&call, look_up(&call, lookup, key, found));
}
