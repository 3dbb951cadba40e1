/* Delete, restore and purge; softly by a mark, or into a shadow in one transaction */
#include "repository.h"

struct removal {
    rt_call call;
    const void *rows; /* their keys */
    uint64_t count;
    uint64_t affected;
};

/* The values of `deleted_at` and `deleted_by`, in the order of the columns. */
static void push_marks(rt_draft *draft)
{
    for (uint32_t i = 0; i < draft->table->column_count; i++) {
        uint32_t flags = draft->table->columns[i].flags;
        if (flags & RT_COLUMN_DELETED_AT)
            rt_draft_push(draft, rt_sql_time(rt_time(draft->ctx)));
        else if (flags & RT_COLUMN_DELETED_BY)
            rt_draft_push(draft, rt_sql_text(rt_actor(draft->ctx)));
    }
}

static int step(const struct removal *removal, enum rt_table_text text, bool marks,
                uint64_t *affected)
{
    const rt_call *call = &removal->call;
    rt_draft draft = rt_draft_of(call);
    if (removal->count > 1) {
        draft.keys = (uint32_t)rt_keys_rounded(removal->count);
        rt_draft_write(&draft, text);
    }
    if (marks)
        push_marks(&draft);
    RT_TRY(rt_draft_push_keys(&draft, removal->rows, removal->count));
    return rt_call_exec(call, removal->count > 1 ? draft.text : rt_kept_text(call, text), &draft,
                        affected);
}

/* The rows stay as they are between being copied and erased, since they are locked before. */
static int move_out(struct removal *removal)
{
    RT_TRY(step(removal, RT_TEXT_LOCK, false, &removal->affected));
    if (!removal->affected)
        return 0;
    RT_TRY(step(removal, RT_TEXT_MOVE_OUT, true, NULL));
    return step(removal, RT_TEXT_ERASE, false, NULL);
}

static int remove_some(struct removal *removal)
{
    if (removal->call.table->shadow)
        return move_out(removal);
    return step(removal, RT_TEXT_DELETE, rt_soft_column(removal->call.table) != NULL,
                &removal->affected);
}

static int remove_all(rt_ctx *ctx, void *argument)
{
    struct removal *all = argument, some = *all;
    some.call.ctx = ctx;
    all->affected = 0;
    for (uint64_t done = 0; done < all->count; done += some.count) {
        some.rows = rt_row_at(all->call.table, all->rows, done);
        some.count = all->count - done < RT_KEYS_MOST ? all->count - done : RT_KEYS_MOST;
        RT_TRY(remove_some(&some));
        all->affected += some.affected;
    }
    return 0;
}

/* One statement needs no transaction. Keys are judged before one begins. */
static int remove_rows(struct removal *removal)
{
    const rt_call *call = &removal->call;
    rt_draft judged = rt_draft_of(call);
    for (uint64_t i = 0; i < removal->count; i++) {
        judged.value_count = 0;
        RT_TRY(rt_draft_row(&judged, RT_SET_KEY, rt_row_at(call->table, removal->rows, i)));
    }
    if (!removal->count || (!call->table->shadow && removal->count <= RT_KEYS_MOST))
        return remove_all(call->ctx, removal);
    return rt_sql_tx(call->ctx, call->sql, remove_all, removal);
}

static int remove_one(const rt_call *call, const void *key)
{
    struct removal removal = {.call = *call, .rows = key, .count = 1};
    RT_TRY(remove_rows(&removal));
    return removal.affected ? 0 : rt_call_not_found(call, key);
}

int rt_table_delete(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, const void *key)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_delete);
    return rt_call_end(&call, remove_one(&call, key));
}

int rt_table_delete_many(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table,
                         const void *keys, uint64_t count, uint64_t *deleted)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_delete_many);
    struct removal removal = {.call = call, .rows = keys, .count = count};
    int result = remove_rows(&removal);
    if (deleted)
        *deleted = result < 0 ? 0 : removal.affected;
    return rt_call_end(&call, result);
}

/* --- back, and gone for good --------------------------------------------------------------------
 */

static int not_soft(const rt_call *call)
{
    return rt_fail(call->ctx, RT_EUNIMPLEMENTED, "`%s` has no soft delete", call->table->type);
}

static int move_back(rt_ctx *ctx, void *argument)
{
    struct removal *removal = argument;
    struct removal inside = *removal;
    inside.call.ctx = ctx;
    RT_TRY(step(&inside, RT_TEXT_MOVE_BACK, false, &removal->affected));
    return removal->affected ? step(&inside, RT_TEXT_ERASE_SHADOW, false, NULL) : 0;
}

static int restore(const rt_call *call, const void *key)
{
    struct removal removal = {.call = *call, .rows = key, .count = 1};
    if (!rt_column_with(call->table, RT_COLUMN_DELETED_AT))
        return not_soft(call);
    rt_draft judged = rt_draft_of(call);
    RT_TRY(rt_draft_row(&judged, RT_SET_KEY, key));
    if (call->table->shadow)
        RT_TRY(rt_sql_tx(call->ctx, call->sql, move_back, &removal));
    else
        RT_TRY(step(&removal, RT_TEXT_RESTORE, false, &removal.affected));
    return removal.affected ? 0 : rt_call_not_found(call, key);
}

int rt_table_restore(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, const void *key)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_restore);
    return rt_call_end(&call, restore(&call, key));
}

static int purge(const rt_call *call, int64_t before, uint64_t *purged)
{
    rt_draft draft = rt_draft_of(call);
    if (!rt_column_with(call->table, RT_COLUMN_DELETED_AT))
        return not_soft(call);
    rt_draft_push(&draft, rt_sql_time(before));
    return rt_call_exec(call, rt_kept_text(call, RT_TEXT_PURGE), &draft, purged);
}

int rt_table_purge(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, int64_t before,
                   uint64_t *purged)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_purge);
    return rt_call_end(&call, purge(&call, before, purged));
}
