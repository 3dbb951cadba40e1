#include "repository_model.h"

#include <stdio.h>
#include <stdlib.h>

enum { IDS = 20, SKUS = 4 };

static const char *const skus[SKUS] = {"apple", "milk", "tea", "žlutá"};

/* A row, and what is kept of it in two places. `struct marked` is both tables' row. */
struct place {
    bool is;
    struct marked row;
};

struct model {
    struct rt_sql_slot *sql;
    const rt_table *table;
    uint64_t random;
    int64_t now;
    char ids[IDS][64];
    struct place live[IDS], deleted[IDS];
    unsigned step;
    const char *operation;
    char complaint[256];
};

static uint64_t random_below(struct model *model, uint64_t limit)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % limit;
}

static bool complain(struct model *model, const char *what, int64_t got, int64_t expected)
{
    if (!model->complaint[0])
        snprintf(model->complaint, sizeof model->complaint,
                 "step %u, %s of %s: %s is %lld, expected %lld", model->step, model->operation,
                 model->table->name, what, (long long)got, (long long)expected);
    return false;
}

static bool same(struct model *model, const char *what, int64_t got, int64_t expected)
{
    return got == expected || complain(model, what, got, expected);
}

static bool same_text(struct model *model, const char *what, const char *got, const char *expected)
{
    bool is = got && expected ? strcmp(got, expected) == 0 : got == expected;
    return is || complain(model, what, got ? got[0] : -1, expected ? expected[0] : -1);
}

static bool same_row(struct model *model, const struct marked *got, const struct marked *expected)
{
    return same_text(model, "id", got->id, expected->id) &&
           same_text(model, "sku", got->sku, expected->sku) &&
           same_text(model, "note", got->note, expected->note) &&
           same(model, "quantity", got->quantity, expected->quantity) &&
           same(model, "weight is null", got->weight_null, expected->weight_null) &&
           same(model, "weight", got->weight, expected->weight) &&
           same(model, "created_at", got->created_at, expected->created_at) &&
           same(model, "version", got->version, expected->version);
}

static struct marked random_row(struct model *model, uint64_t which)
{
    struct marked row = {.id = model->ids[which],
                         .sku = skus[random_below(model, SKUS)],
                         .quantity = (int64_t)random_below(model, 5) - 2,
                         .weight_null = random_below(model, 3) == 0,
                         .note = random_below(model, 2) ? skus[random_below(model, SKUS)] : NULL};
    row.weight = row.weight_null ? 0 : (int64_t)random_below(model, 3);
    return row;
}

static struct marked key_of(struct model *model, uint64_t which)
{
    return (struct marked){.id = model->ids[which]};
}

static bool marks(const struct model *model)
{
    return !model->table->shadow;
}

/* --- single rows ------------------------------------------------------------------------------ */

static void keep_live(struct model *model, uint64_t which, struct marked row)
{
    row.id = model->ids[which];
    model->live[which] = (struct place){true, row};
}

static bool insert_one(rt_ctx *ctx, struct model *model, uint64_t which)
{
    struct marked row = random_row(model, which);
    bool taken = model->live[which].is || (marks(model) && model->deleted[which].is);
    int result = rt_table_insert(ctx, model->sql, model->table, &row);
    if (!same(model, "result", result, taken ? -RT_EALREADY_EXISTS : 0))
        return false;
    row.created_at = model->now;
    row.version = 1;
    if (!taken)
        keep_live(model, which, row);
    return true;
}

static bool update_one(rt_ctx *ctx, struct model *model, uint64_t which)
{
    struct marked row = random_row(model, which), *live = &model->live[which].row;
    bool stale = random_below(model, 3) == 0;
    row.version = live->version - stale;
    row.created_at = live->created_at;
    int result = rt_table_update(ctx, model->sql, model->table, &row);
    int expected = !model->live[which].is ? -RT_ENOT_FOUND : stale ? -RT_EABORTED : 0;
    if (!same(model, "result", result, expected))
        return false;
    if (result < 0)
        return true;
    if (!same(model, "version", row.version, live->version + 1))
        return false;
    keep_live(model, which, row);
    return true;
}

static bool save_one(rt_ctx *ctx, struct model *model, uint64_t which)
{
    struct marked row = random_row(model, which);
    const struct place *live = &model->live[which];
    bool dead = marks(model) && model->deleted[which].is;
    int result = rt_table_save(ctx, model->sql, model->table, &row);
    if (!same(model, "result", result, dead ? -RT_EFAILED_PRECONDITION : 0))
        return false;
    if (dead)
        return true;
    if (!same(model, "version", row.version, live->is ? live->row.version + 1 : 1) ||
        !same(model, "created_at", row.created_at, live->is ? live->row.created_at : model->now))
        return false;
    keep_live(model, which, row);
    return true;
}

static bool find_one(rt_ctx *ctx, struct model *model, uint64_t which)
{
    struct marked row, key = key_of(model, which);
    const struct place *live = &model->live[which];
    int result = rt_table_find(ctx, model->sql, model->table, &key, &row);
    return same(model, "result", result, live->is ? 0 : -RT_ENOT_FOUND) &&
           same(model, "existence", rt_table_exists(ctx, model->sql, model->table, &key),
                live->is) &&
           (!live->is || same_row(model, &row, &live->row));
}

/* --- deleting --------------------------------------------------------------------------------- */

static void move_out(struct model *model, uint64_t which)
{
    model->deleted[which] = model->live[which];
    model->deleted[which].row.version++;
    model->deleted[which].row.deleted_at = model->now;
    model->live[which].is = false;
}

static bool delete_one(rt_ctx *ctx, struct model *model, uint64_t which)
{
    struct marked key = key_of(model, which);
    bool live = model->live[which].is;
    int result = rt_table_delete(ctx, model->sql, model->table, &key);
    if (!same(model, "result", result, live ? 0 : -RT_ENOT_FOUND))
        return false;
    if (live)
        move_out(model, which);
    return true;
}

static bool restore_one(rt_ctx *ctx, struct model *model, uint64_t which)
{
    struct marked key = key_of(model, which);
    struct place *deleted = &model->deleted[which];
    int expected = !deleted->is ? -RT_ENOT_FOUND : model->live[which].is ? -RT_EALREADY_EXISTS : 0;
    int result = rt_table_restore(ctx, model->sql, model->table, &key);
    if (!same(model, "result", result, expected))
        return false;
    if (result == 0) {
        model->live[which] = *deleted;
        model->live[which].row.version++;
        deleted->is = false;
    }
    return true;
}

static bool delete_many(rt_ctx *ctx, struct model *model, uint64_t which)
{
    struct marked keys[IDS];
    uint64_t count = 0, expected = 0, deleted = 0;
    for (uint64_t i = which % 3; i < IDS; i += 5)
        keys[count++] = key_of(model, i);
    int result = rt_table_delete_many(ctx, model->sql, model->table, keys, count, &deleted);
    for (uint64_t i = which % 3; i < IDS; i += 5) {
        expected += model->live[i].is;
        if (model->live[i].is)
            move_out(model, i);
    }
    return same(model, "result", result, 0) &&
           same(model, "deleted", (int64_t)deleted, (int64_t)expected);
}

static bool purge(rt_ctx *ctx, struct model *model, uint64_t which)
{
    int64_t before = model->now - (int64_t)which * 2;
    uint64_t expected = 0, purged = 0;
    int result = rt_table_purge(ctx, model->sql, model->table, before, &purged);
    for (int i = 0; i < IDS; i++)
        if (model->deleted[i].is && model->deleted[i].row.deleted_at < before) {
            model->deleted[i].is = false;
            expected++;
        }
    return same(model, "result", result, 0) &&
           same(model, "purged", (int64_t)purged, (int64_t)expected);
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool find_many(rt_ctx *ctx, struct model *model, uint64_t which)
{
    struct marked keys[IDS], *found[IDS];
    for (uint64_t i = 0; i < IDS; i++)
        keys[i] = key_of(model, (i * 7 + which) % IDS);
    int result = rt_table_find_many(ctx, model->sql, model->table, keys, IDS, found);
    if (!same(model, "result", result, 0))
        return false;
    for (uint64_t i = 0; i < IDS; i++) {
        const struct place *live = &model->live[(i * 7 + which) % IDS];
        if (!same(model, "found", found[i] != NULL, live->is) ||
            (live->is && !same_row(model, found[i], &live->row)))
            return false;
    }
    return true;
}

/* By weight, the heaviest first, null before them; then by quantity; then by id. */
static int compare_rows(const void *left, const void *right)
{
    const struct marked *a = left, *b = right;
    if (a->weight_null != b->weight_null)
        return a->weight_null ? -1 : 1;
    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    if (a->quantity != b->quantity)
        return a->quantity < b->quantity ? -1 : 1;
    return strcmp(a->id, b->id);
}

static uint64_t expected_rows(const struct model *model, bool deleted, int64_t least,
                              struct marked rows[IDS])
{
    const struct place *places = deleted ? model->deleted : model->live;
    uint64_t count = 0;
    for (int i = 0; i < IDS; i++)
        if (places[i].is && places[i].row.quantity >= least)
            rows[count++] = places[i].row;
    qsort(rows, count, sizeof rows[0], compare_rows);
    return count;
}

static bool same_page(struct model *model, const rt_rows_found *page, const struct marked *expected,
                      uint64_t count)
{
    if (!same(model, "rows", (int64_t)page->count, (int64_t)count))
        return false;
    for (uint64_t i = 0; i < count; i++)
        if (!same_row(model, (const struct marked *)page->rows + i, &expected[i]))
            return false;
    return true;
}

static bool page_through(rt_ctx *ctx, struct model *model, rt_selection selection,
                         const struct marked *expected, uint64_t count)
{
    for (uint64_t done = 0; done <= count; done += selection.size) {
        rt_rows_found page = {0};
        uint64_t left = count - done < selection.size ? count - done : selection.size;
        selection.number = done / selection.size + 1;
        int result = rt_table_page(ctx, model->sql, model->table, &selection, &page);
        if (!same(model, "result", result, 0) ||
            !same(model, "total", (int64_t)page.total, (int64_t)count) ||
            !same_page(model, &page, expected + done, left))
            return false;
    }
    return true;
}

static bool scroll_through(rt_ctx *ctx, struct model *model, rt_selection selection,
                           const struct marked *expected, uint64_t count)
{
    for (uint64_t done = 0; done < count || !done; done += selection.size) {
        rt_rows_found page = {0};
        uint64_t left = count - done < selection.size ? count - done : selection.size;
        int result = rt_table_scroll(ctx, model->sql, model->table, &selection, &page);
        if (!same(model, "result", result, 0) ||
            !same(model, "more", page.next != NULL, done + left < count) ||
            !same_page(model, &page, expected + done, left))
            return false;
        selection.after = page.next;
    }
    return true;
}

static bool list(rt_ctx *ctx, struct model *model, uint64_t which)
{
    struct marked expected[IDS];
    bool deleted = random_below(model, 2);
    int64_t least = (int64_t)which % 5 - 2;
    rt_where where = rt_is(marked, quantity, RT_AT_LEAST, least);
    rt_ordering order[] = {rt_descending(marked, weight), rt_ascending(marked, quantity)};
    uint64_t counted = 0, count = expected_rows(model, deleted, least, expected);
    where.table = order[0].table = order[1].table = model->table;
    rt_selection selection = {
        .where = &where, .where_count = 1, .order = order, .order_count = 2, .deleted = deleted};
    int result = rt_table_count(ctx, model->sql, model->table, &selection, &counted);
    rt_rows_found page = {0};
    if (!same(model, "result", result, 0) ||
        !same(model, "count", (int64_t)counted, (int64_t)count) ||
        !same(model, "result", rt_table_all(ctx, model->sql, model->table, &selection, &page), 0) ||
        !same_page(model, &page, expected, count))
        return false;
    selection.size = 1 + (uint32_t)random_below(model, 6);
    return page_through(ctx, model, selection, expected, count) &&
           scroll_through(ctx, model, selection, expected, count);
}

/* --- running ---------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool (*run)(rt_ctx *ctx, struct model *model, uint64_t which);
} operations[] = {{"insert", insert_one},   {"insert", insert_one},
                  {"update", update_one},   {"save", save_one},
                  {"find", find_one},       {"delete", delete_one},
                  {"restore", restore_one}, {"delete_many", delete_many},
                  {"purge", purge},         {"find_many", find_many},
                  {"list", list},           {"list", list}};

static int run_step(rt_ctx *ctx, void *argument)
{
    struct model *model = argument;
    uint64_t chosen = random_below(model, sizeof operations / sizeof operations[0]);
    model->now++;
    RT_TRY(rt_set_time(ctx, model->now));
    model->operation = operations[chosen].name;
    operations[chosen].run(ctx, model, random_below(model, IDS));
    return 0;
}

const char *rt_model_run(rt_ctx *ctx, struct rt_sql_slot *sql, const rt_table *table, uint64_t seed,
                         unsigned steps)
{
    struct model *model = rt_alloc(ctx, sizeof *model);
    *model =
        (struct model){.sql = sql, .table = table, .random = seed * 2 + 1, .now = 1767268800000000};
    for (int i = 0; i < IDS; i++)
        snprintf(model->ids[i], sizeof model->ids[i], "%s", rt_id_make(ctx, "thing"));
    for (; model->step < steps && !model->complaint[0]; model->step++)
        if (rt_run(ctx, run_step, model, .name = "model.step") < 0)
            return "a step could not run";
    return model->complaint[0]
               ? rt_format(ctx, "seed %llu: %s", (unsigned long long)seed, model->complaint)
               : NULL;
}
