/* Many rows: insert, and find by key
 *
 * Rows are inserted by statements of up to 128 rows, the rest by ever smaller powers of two, so
 * that providers prepare few different texts; from 1,000 rows on by a bulk load. Keys are asked for
 * 256 at a time.
 */
#include "repository.h"

#include <stdlib.h>

enum { CHUNK_ROWS = 128, CHUNK_PARAMETERS = 8192, COPY_FROM = 1000, COPY_PIECE = 256 };

/* --- insert ----------------------------------------------------------------------------------- */

struct batch {
    rt_call call;
    const void *rows;
    uint64_t count;
};

static uint64_t chunk_of(const rt_table *table, uint64_t left)
{
    uint64_t rows = CHUNK_ROWS;
    while (rows > 1 && (rows > left || rows * table->column_count > CHUNK_PARAMETERS))
        rows /= 2;
    return rows;
}

static int insert_chunk(const rt_call *call, const void *rows, uint64_t count)
{
    rt_draft draft = rt_draft_of(call);
    rt_draft_insert(&draft, count);
    for (uint64_t i = 0; i < count; i++)
        RT_TRY(rt_draft_row(&draft, RT_SET_INSERTED, rt_row_at(call->table, rows, i)));
    return rt_call_exec(call, draft.text, &draft, NULL);
}

static int insert_chunks(rt_ctx *ctx, void *argument)
{
    const struct batch *batch = argument;
    rt_call call = batch->call;
    call.ctx = ctx;
    for (uint64_t done = 0, now; done < batch->count; done += now) {
        now = chunk_of(call.table, batch->count - done);
        RT_TRY(insert_chunk(&call, rt_row_at(call.table, batch->rows, done), now));
    }
    return 0;
}

static uint32_t column_names(const rt_table *table, const char **names)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < table->column_count; i++)
        if (rt_column_in(&table->columns[i], RT_SET_INSERTED))
            names[count++] = table->columns[i].name;
    return count;
}

/* What fails here leaves the load open: the end of its unit of work abandons it. */
static int copy_rows(rt_ctx *ctx, void *argument)
{
    const struct batch *batch = argument;
    const rt_table *table = batch->call.table;
    const char **names = rt_alloc(ctx, table->column_count * sizeof *names);
    rt_sql_copy copy = {.size = sizeof copy, .table = table->name, .columns = names};
    rt_draft draft = {.ctx = ctx, .table = table};
    rt_sql_load *load;
    copy.column_count = column_names(table, names);
    RT_TRY(rt_sql_copy_begin(ctx, batch->call.sql, &copy, &load));
    for (uint64_t i = 0; i < batch->count;) {
        uint64_t piece = batch->count - i < COPY_PIECE ? batch->count - i : COPY_PIECE;
        draft.value_count = 0;
        for (uint64_t end = i + piece; i < end; i++)
            RT_TRY(rt_draft_row(&draft, RT_SET_INSERTED, rt_row_at(table, batch->rows, i)));
        RT_TRY(rt_sql_copy_rows(ctx, batch->call.sql, load, draft.values, piece));
    }
    return rt_sql_copy_end(ctx, batch->call.sql, load, NULL);
}

static int insert_many(const rt_call *call, void *rows, uint64_t count)
{
    struct batch batch = {*call, rows, count};
    for (uint64_t i = 0; i < count; i++)
        rt_row_stamp_new(call->ctx, call->table, (char *)rows + i * call->table->row_size);
    if (count >= COPY_FROM)
        return rt_run(call->ctx, copy_rows, &batch, .name = "sql.copy");
    if (count && chunk_of(call->table, count) == count)
        return insert_chunk(call, rows, count);
    return count ? rt_sql_tx(call->ctx, call->sql, insert_chunks, &batch) : 0;
}

int rt_table_insert_many(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, void *rows,
                         uint64_t count)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_insert_many);
    return rt_call_end(&call, insert_many(&call, rows, count));
}

/* --- find ------------------------------------------------------------------------------------- */

struct wanted {
    const rt_call *call;
    char *rows;       /* keys, and then what was found */
    uint64_t *sorted; /* their indexes, by key */
    uint64_t count;
    void **found;
};

static int compare_indexes(const void *left, const void *right, void *argument)
{
    const struct wanted *wanted = argument;
    const rt_table *table = wanted->call->table;
    return rt_key_compare(table, rt_row_at(table, wanted->rows, *(const uint64_t *)left),
                          rt_row_at(table, wanted->rows, *(const uint64_t *)right));
}

/* The first of the sorted keys that is not below that of `row`. */
static uint64_t first_of(const struct wanted *wanted, const void *row)
{
    const rt_table *table = wanted->call->table;
    uint64_t low = 0, high = wanted->count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const void *key = rt_row_at(table, wanted->rows, wanted->sorted[middle]);
        if (rt_key_compare(table, key, row) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void hand_out(const struct wanted *wanted, const void *row)
{
    const rt_table *table = wanted->call->table;
    for (uint64_t i = first_of(wanted, row); i < wanted->count; i++) {
        char *to = wanted->rows + wanted->sorted[i] * table->row_size;
        if (rt_key_compare(table, to, row) != 0)
            return;
        memcpy(to, row, table->row_size);
        wanted->found[wanted->sorted[i]] = to;
    }
}

static void draft_live(rt_draft *draft)
{
    const rt_column *soft = rt_soft_column(draft->table);
    if (!soft)
        return;
    rt_draft_text(draft, " AND ");
    rt_draft_name(draft, soft->name);
    rt_draft_text(draft, " IS NULL");
}

static int find_chunk(const struct wanted *wanted, uint64_t from, uint64_t count)
{
    const rt_call *call = wanted->call;
    rt_rows_found some;
    rt_draft draft = rt_draft_of(call);
    rt_draft_select(&draft, false);
    rt_draft_text(&draft, " WHERE ");
    rt_draft_keys(&draft, rt_keys_rounded(count));
    draft_live(&draft);
    RT_TRY(rt_draft_push_keys(&draft, rt_row_at(call->table, wanted->rows, from), count));
    RT_TRY(rt_call_rows(call, 0, &draft, false, &some));
    for (uint64_t i = 0; i < some.count; i++)
        hand_out(wanted, rt_row_at(call->table, some.rows, i));
    return 0;
}

/* All keys are judged before the database is asked, and none is null when they are compared. */
static int sort_keys(struct wanted *wanted, const void *keys)
{
    const rt_call *call = wanted->call;
    rt_draft judged = rt_draft_of(call);
    wanted->rows = (char *)(uintptr_t)keys;
    wanted->sorted = rt_alloc(call->ctx, wanted->count * sizeof *wanted->sorted);
    for (uint64_t i = 0; i < wanted->count; i++) {
        judged.value_count = 0;
        RT_TRY(rt_draft_row(&judged, RT_SET_KEY, rt_row_at(call->table, keys, i)));
        wanted->sorted[i] = i;
    }
    qsort_r(wanted->sorted, wanted->count, sizeof *wanted->sorted, compare_indexes, wanted);
    return 0;
}

static int find_many(const rt_call *call, void *keys, uint64_t count, void **found)
{
    struct wanted wanted = {.call = call, .count = count, .found = found};
    RT_TRY(sort_keys(&wanted, keys));
    for (uint64_t i = 0; i < count; i++)
        found[i] = NULL;
    for (uint64_t i = 0; i < count; i += RT_KEYS_MOST)
        RT_TRY(find_chunk(&wanted, i, count - i < RT_KEYS_MOST ? count - i : RT_KEYS_MOST));
    return 0;
}

int rt_table_find_many(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, void *keys,
                       uint64_t count, void *found)
{
    rt_call call = rt_call_begin(ctx, sql, table, RT_OPERATION_find_many);
    return rt_call_end(&call, find_many(&call, keys, count, found));
}
