/* A call of a repository: its span, and what it asks of the database */
#include "repository.h"

#define OPERATION_NAME(name_) #name_,
static const char *const operations[] = {RT_OPERATIONS(OPERATION_NAME)};

rt_call rt_call_begin(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                      enum rt_table_operation operation)
{
    rt_table_kept *kept = rt_kept(ctx, table);
    if (!kept->spans[operation])
        kept->spans[operation] = rt_span_name(ctx, table, operations[operation]);
    return (rt_call){ctx, sql, table, rt_span_start(ctx, kept->spans[operation], RT_SPAN_INTERNAL)};
}

int rt_call_not_found(const rt_call *call, const void *key)
{
    const rt_column *id = rt_column_with(call->table, RT_COLUMN_KEY);
    rt_sql_value value = rt_column_value(id, key);
    if (id->prefix && value.type == RT_SQL_TEXT)
        return rt_fail(call->ctx, RT_ENOT_FOUND, "no %s `%s`", call->table->type, value.value.text);
    return rt_fail(call->ctx, RT_ENOT_FOUND, "no such `%s`", call->table->type);
}

static rt_sql_statement statement_of(uint32_t flags, const char *text, const rt_draft *draft)
{
    return (rt_sql_statement){.size = sizeof(rt_sql_statement),
                              .flags = flags,
                              .text = text,
                              .parameters = draft->values,
                              .parameter_count = draft->value_count};
}

int rt_call_exec(const rt_call *call, const char *text, const rt_draft *draft, uint64_t *affected)
{
    rt_sql_statement statement = statement_of(0, text, draft);
    return rt_sql_exec(call->ctx, call->sql, &statement, affected);
}

int rt_call_query(const rt_call *call, uint32_t flags, const char *text, const rt_draft *draft,
                  rt_sql_rows *rows)
{
    rt_sql_statement statement = statement_of(flags, text, draft);
    *rows = (rt_sql_rows){.size = sizeof *rows};
    return rt_sql_query(call->ctx, call->sql, &statement, rows);
}

int rt_call_rows(const rt_call *call, uint32_t flags, const rt_draft *draft, bool deleted,
                 rt_rows_found *found)
{
    rt_sql_rows rows;
    const rt_column_set set = rt_set_read(call->table, deleted);
    RT_TRY(rt_call_query(call, flags, draft->text, draft, &rows));
    char *at = rt_alloc(call->ctx, rows.row_count * call->table->row_size);
    for (uint64_t i = 0; i < rows.row_count; i++)
        RT_TRY(rt_row_read(call->ctx, call->table, set, &rows, i, at + i * call->table->row_size));
    found->rows = at;
    found->count = rows.row_count;
    return 0;
}
