/* Repositories: single rows, many rows, ids, stamps, soft delete and spans, on SQLite in memory */
#include "repository_kit.h"
#include "repository_tables.h"
#include "span_kit.h"

#define SCHEMA ORDERS_SQL PARCELS_SQL ORDER_LINES_SQL SAMPLES_SQL
#define NOON 1767268800000000ll /* 2026-01-01T12:00:00Z */

static bool was_asked(uint32_t index, const char *text)
{
    bool was = index < base.asked_count && strcmp(base.asked[index], text) == 0;
    if (!was)
        fprintf(stderr, "asked: %s\n", index < base.asked_count ? base.asked[index] : "nothing");
    return was;
}

static struct order tea(const char *sku, int64_t quantity)
{
    return (struct order){.sku = sku, .quantity = quantity, .discount_null = true};
}

static bool says(rt_ctx *ctx, const char *message)
{
    const rt_error *error = rt_last_error(ctx);
    bool does = error && strcmp(error->message, message) == 0;
    if (!does)
        fprintf(stderr, "said: %s\n", error ? error->message : "nothing");
    return does;
}

/* --- rows ------------------------------------------------------------------------------------- */

static int insert_and_find(rt_ctx *ctx, void *argument)
{
    struct order in = tea("tea", 2), out;
    (void)argument;
    RT_TRY(rt_set_time(ctx, NOON));
    RT_TRY(rt_set_actor(ctx, "ann"));
    in.note = "black";
    in.version = 77;
    in.deleted_at = 5;
    RT_TRY(order_insert(ctx, sql, &in));
    CU_ASSERT_EQUAL(rt_id_check(ctx, "ord", in.id), 0);
    CU_ASSERT_EQUAL(rt_id_time(in.id), NOON);
    CU_ASSERT_EQUAL(in.version, 1);
    CU_ASSERT_TRUE(in.deleted_at_null);
    RT_TRY(order_find(ctx, sql, in.id, &out));
    CU_ASSERT_STRING_EQUAL(out.id, in.id);
    CU_ASSERT_STRING_EQUAL(out.sku, "tea");
    CU_ASSERT_STRING_EQUAL(out.note, "black");
    CU_ASSERT_EQUAL(out.quantity, 2);
    CU_ASSERT_TRUE(out.discount_null && out.deleted_at_null);
    CU_ASSERT_PTR_NULL(out.customer);
    CU_ASSERT_TRUE(out.created_at == NOON && out.updated_at == NOON);
    CU_ASSERT_STRING_EQUAL(out.created_by, "ann");
    CU_ASSERT_STRING_EQUAL(out.updated_by, "ann");
    CU_ASSERT_EQUAL(out.version, 1);
    return 0;
}

static void what_is_inserted_is_stamped_and_found(void)
{
    on_base(SCHEMA, insert_and_find, NULL);
}

static bool same_bytes(rt_str bytes, const char *data, uint64_t length)
{
    return bytes.data && bytes.length == length && memcmp(bytes.data, data, length) == 0;
}

static const char sample_id[] = "0d1e2f3a-0000-4000-8000-00000000000a";

static int keep_every_type(rt_ctx *ctx, void *argument)
{
    (void)argument;
    struct sample full = {.id = sample_id,
                          .whole = INT64_MIN,
                          .real = 0.5,
                          .truth = true,
                          .moment = -1,
                          .words = "žluťoučký",
                          .document = "{\"a\":1}",
                          .blob = {"a\0b", 3},
                          .whole_or = 7,
                          .real_or = -2.25,
                          .truth_or = true,
                          .moment_or = NOON,
                          .words_or = "",
                          .document_or = "[]",
                          .other_or = sample_id,
                          .blob_or = {"", 0}};
    struct sample out;
    RT_TRY(sample_insert(ctx, sql, &full));
    RT_TRY(sample_find(ctx, sql, sample_id, &out));
    CU_ASSERT_TRUE(out.whole == INT64_MIN && out.real == 0.5 && out.truth && out.moment == -1);
    CU_ASSERT_STRING_EQUAL(out.words, "žluťoučký");
    CU_ASSERT_STRING_EQUAL(out.document, "{\"a\":1}");
    CU_ASSERT_TRUE(same_bytes(out.blob, "a\0b", 3));
    CU_ASSERT_TRUE(out.whole_or == 7 && !out.whole_or_null);
    CU_ASSERT_TRUE(out.real_or == -2.25 && !out.real_or_null);
    CU_ASSERT_TRUE(out.truth_or && !out.truth_or_null);
    CU_ASSERT_TRUE(out.moment_or == NOON && !out.moment_or_null);
    CU_ASSERT_STRING_EQUAL(out.words_or, "");
    CU_ASSERT_STRING_EQUAL(out.document_or, "[]");
    CU_ASSERT_STRING_EQUAL(out.other_or, sample_id);
    CU_ASSERT_TRUE(same_bytes(out.blob_or, "", 0));
    return 0;
}

static int keep_nulls(rt_ctx *ctx, void *argument)
{
    (void)argument;
    struct sample bare = {.id = sample_id,
                          .words = "",
                          .document = "{}",
                          .blob = {"", 0},
                          .whole_or_null = true,
                          .real_or_null = true,
                          .truth_or_null = true,
                          .moment_or_null = true};
    struct sample out;
    memset(&out, 0x55, sizeof out);
    RT_TRY(sample_insert(ctx, sql, &bare));
    RT_TRY(sample_find(ctx, sql, sample_id, &out));
    CU_ASSERT_TRUE(out.whole_or_null && out.real_or_null && out.truth_or_null);
    CU_ASSERT_TRUE(out.moment_or_null && out.whole_or == 0 && out.real_or == 0);
    CU_ASSERT_TRUE(!out.words_or && !out.document_or && !out.other_or && !out.blob_or.data);
    return 0;
}

static void every_type_comes_back_as_it_was(void)
{
    on_base(SCHEMA, keep_every_type, NULL);
    on_base(SCHEMA, keep_nulls, NULL);
}

static int refuse_early(rt_ctx *ctx, void *argument)
{
    struct order row = {.quantity = 1, .discount_null = true}, out;
    (void)argument;
    CU_ASSERT_EQUAL(order_insert(ctx, sql, &row), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_TRUE(says(ctx, "`sku` of `order` is not set"));
    row.sku = "tea";
    row.customer = "ord_01kah3qv5kfd5v4w0k8w6m1t9z";
    CU_ASSERT_EQUAL(order_insert(ctx, sql, &row), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_TRUE(says(ctx, "`ord_01kah3qv5kfd5v4w0k8w6m1t9z` is no id of the type `cus`"));
    CU_ASSERT_EQUAL(order_find(ctx, sql, "cus_01kah3qv5kfd5v4w0k8w6m1t9z", &out),
                    -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(order_find(ctx, sql, NULL, &out), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(order_exists(ctx, sql, "x' OR 1=1 --"), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(order_delete(ctx, sql, "ord_"), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(order_restore(ctx, sql, ""), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(order_by_sku(ctx, sql, NULL, &out), -RT_EINVALID_ARGUMENT);
    struct order *found[1];
    CU_ASSERT_EQUAL(order_find_many(ctx, sql, &(struct order_key){"ord_x"}, 1, found),
                    -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(order_delete_many(ctx, sql, &(struct order_key){"ord_x"}, 1, NULL),
                    -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(base.asked_count, 0);
    return 0;
}

static void wrong_ids_and_nulls_never_reach_the_database(void)
{
    on_base(SCHEMA, refuse_early, NULL);
}

static int update_by_version(rt_ctx *ctx, void *argument)
{
    struct order first = tea("tea", 1), second, gone = tea("none", 0);
    (void)argument;
    RT_TRY(rt_set_time(ctx, NOON));
    RT_TRY(order_insert(ctx, sql, &first));
    RT_TRY(order_find(ctx, sql, first.id, &second));
    first.quantity = 5;
    RT_TRY(rt_set_time(ctx, NOON + 1));
    RT_TRY(order_update(ctx, sql, &first));
    CU_ASSERT_TRUE(first.version == 2 && first.updated_at == NOON + 1 && first.created_at == NOON);
    second.quantity = 9;
    CU_ASSERT_EQUAL(order_update(ctx, sql, &second), -RT_EABORTED);
    CU_ASSERT_STRING_EQUAL(rt_last_error(ctx)->domain, "VERSION_CONFLICT");
    CU_ASSERT_TRUE(says(ctx, "the order has version 2 by now, not 1"));
    CU_ASSERT_TRUE(second.version == 1 && second.updated_at == NOON);
    RT_TRY(order_find(ctx, sql, first.id, &second));
    CU_ASSERT_TRUE(second.quantity == 5 && second.version == 2 && second.updated_at == NOON + 1);
    gone.id = rt_id_make(ctx, "ord");
    CU_ASSERT_EQUAL(order_update(ctx, sql, &gone), -RT_ENOT_FOUND);
    RT_TRY(order_delete(ctx, sql, first.id));
    CU_ASSERT_EQUAL(order_update(ctx, sql, &second), -RT_ENOT_FOUND);
    return 0;
}

static void an_update_tells_a_lost_race_from_a_row_that_is_gone(void)
{
    on_base(SCHEMA, update_by_version, NULL);
}

static int save_twice(rt_ctx *ctx, void *argument)
{
    struct order row = tea("tea", 1), again, out;
    (void)argument;
    RT_TRY(rt_set_time(ctx, NOON));
    RT_TRY(rt_set_actor(ctx, "ann"));
    RT_TRY(order_save(ctx, sql, &row));
    CU_ASSERT_EQUAL(row.version, 1);
    RT_TRY(rt_set_time(ctx, NOON + 7));
    RT_TRY(rt_set_actor(ctx, "ben"));
    again = tea("milk", 3);
    again.id = row.id;
    RT_TRY(order_save(ctx, sql, &again));
    CU_ASSERT_TRUE(again.version == 2 && again.created_at == NOON && again.updated_at == NOON + 7);
    CU_ASSERT_STRING_EQUAL(again.created_by, "ann");
    RT_TRY(order_find(ctx, sql, row.id, &out));
    CU_ASSERT_TRUE(out.version == 2 && out.created_at == NOON && out.updated_at == NOON + 7);
    CU_ASSERT_STRING_EQUAL(out.sku, "milk");
    CU_ASSERT_STRING_EQUAL(out.updated_by, "ben");
    RT_TRY(order_delete(ctx, sql, row.id));
    CU_ASSERT_EQUAL(order_save(ctx, sql, &again), -RT_EFAILED_PRECONDITION);
    return 0;
}

static void a_save_inserts_or_updates_but_revives_nothing(void)
{
    on_base(SCHEMA, save_twice, NULL);
}

static int use_composite_keys(rt_ctx *ctx, void *argument)
{
    const char *order = rt_id_make(ctx, "ord");
    struct order_line one = {order, 1, "tea"}, two = {order, 2, "milk"}, out, *found[3];
    uint64_t deleted;
    (void)argument;
    RT_TRY(order_line_insert(ctx, sql, &one));
    RT_TRY(order_line_insert(ctx, sql, &two));
    RT_TRY(order_line_find(ctx, sql, order, 2, &out));
    CU_ASSERT_STRING_EQUAL(out.sku, "milk");
    CU_ASSERT_EQUAL(order_line_find(ctx, sql, order, 3, &out), -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(order_line_insert(ctx, sql, &one), -RT_EALREADY_EXISTS);
    two.sku = "cream";
    RT_TRY(order_line_update(ctx, sql, &two));
    two.sku = "whey";
    RT_TRY(order_line_save(ctx, sql, &two));
    const struct order_line_key keys[] = {{order, 2}, {order, 3}, {order, 1}};
    RT_TRY(order_line_find_many(ctx, sql, keys, 3, found));
    CU_ASSERT_STRING_EQUAL(found[0]->sku, "whey");
    CU_ASSERT_PTR_NULL(found[1]);
    CU_ASSERT_STRING_EQUAL(found[2]->sku, "tea");
    RT_TRY(order_line_delete_many(ctx, sql, keys, 2, &deleted));
    CU_ASSERT_EQUAL(deleted, 1);
    CU_ASSERT_EQUAL(order_line_exists(ctx, sql, order, 2), 0);
    CU_ASSERT_EQUAL(order_line_exists(ctx, sql, order, 1), 1);
    CU_ASSERT_EQUAL(order_line_restore(ctx, sql, order, 2), -RT_EUNIMPLEMENTED);
    CU_ASSERT_EQUAL(order_line_purge(ctx, sql, NOON, &deleted), -RT_EUNIMPLEMENTED);
    return 0;
}

static void keys_may_consist_of_several_columns(void)
{
    on_base(SCHEMA, use_composite_keys, NULL);
}

static int look_up(rt_ctx *ctx, void *argument)
{
    struct order first = tea("tea", 1), second = tea("tea", 2), out;
    struct order_page page;
    (void)argument;
    first.customer = second.customer = rt_id_make(ctx, "cus");
    RT_TRY(order_insert(ctx, sql, &first));
    RT_TRY(order_insert(ctx, sql, &second));
    RT_TRY(order_by_sku(ctx, sql, "tea", &out));
    CU_ASSERT_STRING_EQUAL(out.id, first.id);
    RT_TRY(order_by_sku_and_quantity(ctx, sql, "tea", 2, &out));
    CU_ASSERT_STRING_EQUAL(out.id, second.id);
    CU_ASSERT_EQUAL(order_by_sku(ctx, sql, "milk", &out), -RT_ENOT_FOUND);
    RT_TRY(order_of_customer(ctx, sql, first.customer, &page));
    CU_ASSERT_EQUAL(page.count, 2);
    CU_ASSERT_STRING_EQUAL(page.rows[1].id, second.id);
    RT_TRY(order_delete(ctx, sql, first.id));
    RT_TRY(order_by_sku(ctx, sql, "tea", &out));
    CU_ASSERT_STRING_EQUAL(out.id, second.id);
    RT_TRY(order_of_customer(ctx, sql, rt_id_make(ctx, "cus"), &page));
    CU_ASSERT_EQUAL(page.count, 0);
    return 0;
}

static void declared_lookups_find_by_their_columns(void)
{
    on_base(SCHEMA, look_up, NULL);
}

/* --- what the database is asked ----------------------------------------------------------------
 */

static int ask(rt_ctx *ctx, void *argument)
{
    struct order_line row = {rt_id_make(ctx, "ord"), 1, "tea\"; DROP TABLE order_lines"};
    struct order out;
    (void)argument;
    RT_TRY(order_line_insert(ctx, sql, &row));
    RT_TRY(order_line_find(ctx, sql, row.order_id, 1, &row));
    RT_TRY(order_line_update(ctx, sql, &row));
    RT_TRY(order_line_save(ctx, sql, &row));
    RT_TRY(order_line_delete(ctx, sql, row.order_id, 1));
    CU_ASSERT_EQUAL(order_by_sku(ctx, sql, "a", &out), -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(order_restore(ctx, sql, row.order_id), -RT_ENOT_FOUND);
    CU_ASSERT_TRUE(was_asked(0, "INSERT INTO \"order_lines\" AS kept (\"order_id\", \"line\", "
                                "\"sku\") VALUES ($1, $2, $3)"));
    CU_ASSERT_TRUE(was_asked(1, "SELECT \"order_id\", \"line\", \"sku\" FROM \"order_lines\" WHERE "
                                "\"order_id\" = $1 AND \"line\" = $2"));
    CU_ASSERT_TRUE(was_asked(2, "UPDATE \"order_lines\" SET \"sku\" = $1 WHERE \"order_id\" = $2 "
                                "AND \"line\" = $3"));
    CU_ASSERT_TRUE(was_asked(
        3, "INSERT INTO \"order_lines\" AS kept (\"order_id\", \"line\", \"sku\") VALUES ($1, $2, "
           "$3) ON CONFLICT (\"order_id\", \"line\") DO UPDATE SET \"sku\" = excluded.\"sku\" "
           "RETURNING \"order_id\", \"line\""));
    CU_ASSERT_TRUE(was_asked(4, "DELETE FROM \"order_lines\" WHERE \"order_id\" = $1 AND \"line\" "
                                "= $2"));
    CU_ASSERT_TRUE(was_asked(
        5, "SELECT \"id\", \"sku\", \"quantity\", \"note\", \"discount\", \"customer\", "
           "\"created_at\", \"created_by\", \"updated_at\", \"updated_by\", \"deleted_at\", "
           "\"deleted_by\", \"version\" FROM \"orders\" WHERE \"sku\" = $1 AND \"deleted_at\" IS "
           "NULL ORDER BY \"id\" LIMIT 1"));
    CU_ASSERT_TRUE(was_asked(6, "UPDATE \"orders\" SET \"deleted_at\" = NULL, \"deleted_by\" = "
                                "NULL, \"version\" = \"version\" + 1 WHERE \"id\" = $1 AND "
                                "\"deleted_at\" IS NOT NULL"));
    for (uint32_t i = 0; i < base.asked_count; i++)
        CU_ASSERT_EQUAL(base.flags[i], i == 1 || i == 5 ? RT_SQL_SHORT : 0);
    return 0;
}

static void statements_are_of_the_declaration_alone_and_lookups_are_short(void)
{
    on_base(SCHEMA, ask, NULL);
}

static int read_wrong_types(rt_ctx *ctx, void *argument)
{
    const char *id = rt_id_make(ctx, "ord");
    const rt_sql_value text[] = {rt_sql_text(id), rt_sql_text("1"), rt_sql_text("tea")};
    const rt_sql_value null[] = {rt_sql_text(id), rt_sql_int(1), rt_sql_null()};
    const rt_sql_rows wrong = {sizeof wrong, 3, 1, NULL, text},
                      unset = {sizeof unset, 3, 1, NULL, null},
                      narrow = {sizeof narrow, 2, 1, NULL, null};
    struct order_line out;
    (void)argument;
    base.canned = &wrong;
    CU_ASSERT_EQUAL(order_line_find(ctx, sql, id, 1, &out), -RT_EINTERNAL);
    CU_ASSERT_TRUE(says(ctx, "column `line` of table `order_lines` is text, declared int"));
    base.canned = &unset;
    CU_ASSERT_EQUAL(order_line_find(ctx, sql, id, 1, &out), -RT_EINTERNAL);
    CU_ASSERT_TRUE(says(ctx, "column `sku` of table `order_lines` is null, declared text"));
    base.canned = &narrow;
    CU_ASSERT_EQUAL(order_line_find(ctx, sql, id, 1, &out), -RT_EINTERNAL);
    base.canned = NULL;
    return 0;
}

static void a_column_of_another_type_than_declared_is_an_error(void)
{
    on_base(SCHEMA, read_wrong_types, NULL);
}

static int pass_errors_on(rt_ctx *ctx, void *argument)
{
    struct order row = tea("tea", 1), out;
    (void)argument;
    RT_TRY(order_insert(ctx, sql, &row));
    base.fail = 1;
    CU_ASSERT_EQUAL(order_find(ctx, sql, row.id, &out), -RT_EUNAVAILABLE);
    base.fail = 1;
    CU_ASSERT_EQUAL(order_update(ctx, sql, &row), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(row.version, 1);
    CU_ASSERT_EQUAL(order_insert(ctx, sql, &row), -RT_EALREADY_EXISTS);
    return 0;
}

static void errors_of_the_database_are_passed_on(void)
{
    on_base(SCHEMA, pass_errors_on, NULL);
}

/* --- many ------------------------------------------------------------------------------------- */

static struct order *many_of(rt_ctx *ctx, uint64_t count)
{
    struct order *rows = rt_alloc(ctx, count * sizeof *rows);
    for (uint64_t i = 0; i < count; i++)
        rows[i] = tea(rt_format(ctx, "sku-%llu", (unsigned long long)i), (int64_t)i);
    return rows;
}

static uint64_t counted(rt_ctx *ctx, bool deleted)
{
    uint64_t count = 0;
    CU_ASSERT_EQUAL(order_count(ctx, sql, RT_SELECT(.deleted = deleted), &count), 0);
    return count;
}

static int insert_many(rt_ctx *ctx, void *argument)
{
    uint64_t count = *(const uint64_t *)argument, before = base.asked_count;
    struct order *rows = many_of(ctx, count), out;
    RT_TRY(order_insert_many(ctx, sql, rows, count));
    CU_ASSERT_EQUAL(counted(ctx, false), count);
    for (uint64_t i = 1; i < count; i++)
        CU_ASSERT_TRUE(strcmp(rows[i - 1].id, rows[i].id) < 0);
    if (count) {
        RT_TRY(order_find(ctx, sql, rows[count - 1].id, &out));
        CU_ASSERT_STRING_EQUAL(out.sku, rows[count - 1].sku);
    }
    CU_ASSERT_EQUAL(base.copied, count >= 1000 ? count : 0);
    /* begin; 128, 128, 32, 8 and 4 rows; commit, count, find */
    CU_ASSERT_TRUE(count != 300 || base.asked_count - before == 9);
    return 0;
}

static void many_rows_are_inserted_in_chunks_or_loaded(void)
{
    const uint64_t counts[] = {0, 1, 3, 128, 300, 999, 1000, 1300};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        on_base(SCHEMA, insert_many, (void *)(uintptr_t)&counts[i]);
}

static int insert_all_or_none(rt_ctx *ctx, void *argument)
{
    uint64_t count = *(const uint64_t *)argument;
    struct order *rows = many_of(ctx, count);
    rows[0].id = rows[count - 1].id = rt_id_make(ctx, "ord");
    CU_ASSERT_EQUAL(order_insert_many(ctx, sql, rows, count), -RT_EALREADY_EXISTS);
    CU_ASSERT_EQUAL(counted(ctx, false), 0);
    rows[count - 1].id = NULL;
    rows[count - 1].sku = NULL;
    CU_ASSERT_EQUAL(order_insert_many(ctx, sql, rows, count), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(counted(ctx, false), 0);
    return 0;
}

static void one_row_that_fails_keeps_all_of_them_out(void)
{
    const uint64_t counts[] = {2, 129, 1001};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        on_base(SCHEMA, insert_all_or_none, (void *)(uintptr_t)&counts[i]);
}

static int find_many(rt_ctx *ctx, void *argument)
{
    enum { ROWS = 600 };
    struct order *rows = many_of(ctx, ROWS), *found[ROWS + 2];
    struct order_key keys[ROWS + 2];
    (void)argument;
    RT_TRY(order_insert_many(ctx, sql, rows, ROWS));
    RT_TRY(order_delete(ctx, sql, rows[5].id));
    for (int i = 0; i < ROWS; i++)
        keys[i].id = rows[ROWS - 1 - i].id;
    keys[ROWS].id = rows[3].id;
    keys[ROWS + 1].id = rt_id_make(ctx, "ord");
    RT_TRY(order_find_many(ctx, sql, keys, ROWS + 2, found));
    for (int i = 0; i < ROWS; i++)
        if (ROWS - 1 - i == 5)
            CU_ASSERT_PTR_NULL(found[i])
        else
            CU_ASSERT_EQUAL(found[i]->quantity, ROWS - 1 - i);
    CU_ASSERT_EQUAL(found[ROWS]->quantity, 3);
    CU_ASSERT_PTR_NULL(found[ROWS + 1]);
    return order_find_many(ctx, sql, NULL, 0, found);
}

static void many_are_found_in_the_order_they_were_asked_for(void)
{
    on_base(SCHEMA, find_many, NULL);
}

static int delete_many(rt_ctx *ctx, void *argument)
{
    enum { ROWS = 600 };
    struct order *rows = many_of(ctx, ROWS);
    struct order_key keys[ROWS];
    uint64_t deleted;
    (void)argument;
    RT_TRY(order_insert_many(ctx, sql, rows, ROWS));
    for (int i = 0; i < ROWS; i++)
        keys[i].id = rows[i].id;
    RT_TRY(order_delete_many(ctx, sql, keys, 3, &deleted));
    CU_ASSERT_EQUAL(deleted, 3);
    RT_TRY(order_delete_many(ctx, sql, keys, ROWS - 1, &deleted));
    CU_ASSERT_EQUAL(deleted, ROWS - 4);
    CU_ASSERT_TRUE(counted(ctx, false) == 1 && counted(ctx, true) == ROWS - 1);
    RT_TRY(order_delete_many(ctx, sql, keys, 0, &deleted));
    CU_ASSERT_EQUAL(deleted, 0);
    return 0;
}

static void many_are_deleted_and_counted(void)
{
    on_base(SCHEMA, delete_many, NULL);
}

/* --- soft delete ------------------------------------------------------------------------------ */

static int delete_and_restore(rt_ctx *ctx, void *argument)
{
    struct order row = tea("tea", 1), out;
    struct order_page page;
    uint64_t purged;
    (void)argument;
    RT_TRY(rt_set_time(ctx, NOON));
    RT_TRY(order_insert(ctx, sql, &row));
    RT_TRY(rt_set_actor(ctx, "ben"));
    RT_TRY(order_delete(ctx, sql, row.id));
    CU_ASSERT_EQUAL(order_delete(ctx, sql, row.id), -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(order_find(ctx, sql, row.id, &out), -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(order_exists(ctx, sql, row.id), 0);
    CU_ASSERT_TRUE(counted(ctx, false) == 0 && counted(ctx, true) == 1);
    RT_TRY(order_all(ctx, sql, RT_SELECT(.deleted = true), &page));
    CU_ASSERT_TRUE(page.count == 1 && page.rows[0].deleted_at == NOON);
    CU_ASSERT_FALSE(page.rows[0].deleted_at_null);
    CU_ASSERT_STRING_EQUAL(page.rows[0].deleted_by, "ben");
    CU_ASSERT_EQUAL(order_insert(ctx, sql, &row), -RT_EALREADY_EXISTS);
    RT_TRY(order_restore(ctx, sql, row.id));
    CU_ASSERT_EQUAL(order_restore(ctx, sql, row.id), -RT_ENOT_FOUND);
    RT_TRY(order_find(ctx, sql, row.id, &out));
    CU_ASSERT_TRUE(out.version == 3 && out.deleted_at_null && !out.deleted_by);
    RT_TRY(order_delete(ctx, sql, row.id));
    RT_TRY(order_purge(ctx, sql, NOON, &purged));
    CU_ASSERT_EQUAL(purged, 0);
    RT_TRY(order_purge(ctx, sql, NOON + 1, &purged));
    CU_ASSERT_EQUAL(purged, 1);
    CU_ASSERT_EQUAL(counted(ctx, true), 0);
    return 0;
}

static void a_marked_row_is_unseen_until_it_is_restored_or_purged(void)
{
    on_base(SCHEMA, delete_and_restore, NULL);
}

static uint64_t parcels(rt_ctx *ctx, bool deleted)
{
    uint64_t count = 0;
    CU_ASSERT_EQUAL(parcel_count(ctx, sql, RT_SELECT(.deleted = deleted), &count), 0);
    return count;
}

static int move_out_and_back(rt_ctx *ctx, void *argument)
{
    struct parcel row = {.sku = "tea", .quantity = 4}, out;
    struct parcel_page page;
    uint64_t purged;
    (void)argument;
    RT_TRY(rt_set_time(ctx, NOON));
    RT_TRY(parcel_insert(ctx, sql, &row));
    RT_TRY(rt_set_actor(ctx, "ben"));
    RT_TRY(parcel_delete(ctx, sql, row.id));
    CU_ASSERT_EQUAL(parcel_delete(ctx, sql, row.id), -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(parcel_find(ctx, sql, row.id, &out), -RT_ENOT_FOUND);
    CU_ASSERT_TRUE(parcels(ctx, false) == 0 && parcels(ctx, true) == 1);
    RT_TRY(parcel_page(ctx, sql, RT_SELECT(.deleted = true), &page));
    CU_ASSERT_TRUE(page.count == 1 && page.rows[0].deleted_at == NOON);
    CU_ASSERT_TRUE(page.rows[0].quantity == 4 && page.rows[0].version == 2);
    CU_ASSERT_STRING_EQUAL(page.rows[0].deleted_by, "ben");
    RT_TRY(parcel_restore(ctx, sql, row.id));
    CU_ASSERT_EQUAL(parcel_restore(ctx, sql, row.id), -RT_ENOT_FOUND);
    memset(&out, 0xff, sizeof out);
    RT_TRY(parcel_find(ctx, sql, row.id, &out));
    CU_ASSERT_TRUE(out.quantity == 4 && out.version == 3 && parcels(ctx, true) == 0);
    CU_ASSERT_TRUE(out.deleted_at_null == true && out.deleted_at == 0 && !out.deleted_by);
    RT_TRY(parcel_all(ctx, sql, NULL, &page));
    CU_ASSERT_TRUE(page.count == 1 && page.rows->deleted_at_null);
    RT_TRY(parcel_delete(ctx, sql, row.id));
    RT_TRY(parcel_purge(ctx, sql, NOON, &purged));
    CU_ASSERT_EQUAL(purged, 0);
    RT_TRY(parcel_purge(ctx, sql, NOON + 1, &purged));
    CU_ASSERT_TRUE(purged == 1 && parcels(ctx, true) == 0);
    return 0;
}

static int use_a_key_again(rt_ctx *ctx, void *argument)
{
    struct parcel row = {.sku = "old"}, again;
    struct parcel_page page;
    (void)argument;
    RT_TRY(parcel_insert(ctx, sql, &row));
    RT_TRY(parcel_delete(ctx, sql, row.id));
    again = (struct parcel){.id = row.id, .sku = "new"};
    RT_TRY(parcel_insert(ctx, sql, &again));
    CU_ASSERT_EQUAL(parcel_restore(ctx, sql, row.id), -RT_EALREADY_EXISTS);
    CU_ASSERT_TRUE(parcels(ctx, false) == 1 && parcels(ctx, true) == 1);
    RT_TRY(parcel_delete(ctx, sql, row.id));
    RT_TRY(parcel_all(ctx, sql, RT_SELECT(.deleted = true), &page));
    CU_ASSERT_EQUAL(page.count, 1);
    CU_ASSERT_STRING_EQUAL(page.rows[0].sku, "new");
    return 0;
}

static int fail_between(rt_ctx *ctx, void *argument)
{
    struct parcel row = {.sku = "tea"};
    (void)argument;
    RT_TRY(parcel_insert(ctx, sql, &row));
    for (int step = 1; step <= 3; step++) {
        base.fail = step;
        CU_ASSERT_EQUAL(parcel_delete(ctx, sql, row.id), -RT_EUNAVAILABLE);
        CU_ASSERT_TRUE(parcels(ctx, false) == 1 && parcels(ctx, true) == 0);
    }
    RT_TRY(parcel_delete(ctx, sql, row.id));
    for (int step = 1; step <= 2; step++) {
        base.fail = step;
        CU_ASSERT_EQUAL(parcel_restore(ctx, sql, row.id), -RT_EUNAVAILABLE);
        CU_ASSERT_TRUE(parcels(ctx, false) == 0 && parcels(ctx, true) == 1);
    }
    return 0;
}

static int move_many(rt_ctx *ctx, void *argument)
{
    enum { ROWS = 300 };
    struct parcel *rows = rt_alloc(ctx, ROWS * sizeof *rows);
    struct parcel_key keys[ROWS];
    uint64_t deleted;
    (void)argument;
    for (int i = 0; i < ROWS; i++)
        rows[i].sku = "tea";
    RT_TRY(parcel_insert_many(ctx, sql, rows, ROWS));
    for (int i = 0; i < ROWS; i++)
        keys[i].id = rows[i].id;
    base.fail = 6;
    CU_ASSERT_EQUAL(parcel_delete_many(ctx, sql, keys, ROWS, &deleted), -RT_EUNAVAILABLE);
    CU_ASSERT_TRUE(deleted == 0 && parcels(ctx, false) == ROWS && parcels(ctx, true) == 0);
    RT_TRY(parcel_delete_many(ctx, sql, keys, ROWS, &deleted));
    CU_ASSERT_TRUE(deleted == ROWS && parcels(ctx, false) == 0 && parcels(ctx, true) == ROWS);
    return 0;
}

static void a_shadow_takes_what_is_deleted_and_gives_it_back(void)
{
    on_base(SCHEMA, move_out_and_back, NULL);
    on_base(SCHEMA, use_a_key_again, NULL);
    on_base(SCHEMA, move_many, NULL);
}

static void a_move_that_fails_leaves_each_row_in_one_place(void)
{
    on_base(SCHEMA, fail_between, NULL);
}

/* --- ids and stamps --------------------------------------------------------------------------- */

static int make_ids(rt_ctx *ctx, void *argument)
{
    const char *before = rt_id_make(ctx, "ord");
    int64_t began = rt_time(ctx) / 1000 * 1000;
    (void)argument;
    CU_ASSERT_EQUAL(strlen(before), 4 + RT_ID_DIGITS);
    for (int i = 0; i < 20000; i++) {
        const char *id = rt_id_make(ctx, "ord");
        if (strcmp(before, id) >= 0)
            CU_FAIL("an id does not follow the one before");
        before = id;
    }
    CU_ASSERT_TRUE(rt_id_time(before) >= began && rt_id_time(before) <= rt_time(ctx) + 1000000);
    RT_TRY(rt_set_time(ctx, NOON));
    const char *past = rt_id_make(ctx, "ord"), *next = rt_id_make(ctx, "ord");
    CU_ASSERT_TRUE(rt_id_time(past) == NOON && rt_id_time(next) == NOON);
    CU_ASSERT_TRUE(strcmp(past, next) < 0);
    RT_TRY(rt_set_time(ctx, NOON - 5000));
    CU_ASSERT_EQUAL(rt_id_time(rt_id_make(ctx, "ord")), NOON - 5000);
    RT_TRY(rt_set_time(ctx, 0));
    CU_ASSERT_EQUAL(rt_id_time(rt_id_make(ctx, "a_b")), 0);
    return 0;
}

static void ids_ascend_and_tell_their_time(void)
{
    on_base("", make_ids, NULL);
}

static int check_ids(rt_ctx *ctx, void *argument)
{
    static const char *const wrong[] = {
        "",
        "ord",
        "ord_",
        "_01kah3qv5kfd5v4w0k8w6m1t9z",
        "ord01kah3qv5kfd5v4w0k8w6m1t9z",
        "ord_01kah3qv5kfd5v4w0k8w6m1t9",
        "ord_01kah3qv5kfd5v4w0k8w6m1t9zz",
        "ord_81kah3qv5kfd5v4w0k8w6m1t9z",
        "ord_01kah3qv5kfd5v4w0k8w6m1t9u",
        "ord_01KAH3QV5KFD5V4W0K8W6M1T9Z",
        "ord_01kah3qv5kfd5v4w0k8w6m1t9 ",
    };
    (void)argument;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CU_ASSERT_EQUAL(rt_id_check(ctx, "ord", wrong[i]), -RT_EINVALID_ARGUMENT);
        CU_ASSERT_EQUAL(rt_id_time(wrong[i]), -1);
    }
    CU_ASSERT_EQUAL(rt_id_check(ctx, "ord", "ord_01kah3qv5kfd5v4w0k8w6m1t9z"), 0);
    CU_ASSERT_EQUAL(rt_id_check(ctx, "or", "ord_01kah3qv5kfd5v4w0k8w6m1t9z"),
                    -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_id_check(ctx, "ord", "or_01kah3qv5kfd5v4w0k8w6m1t9z"),
                    -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_id_time("ord_7zzzzzzzzzzzzzzzzzzzzzzzzz"), 0xffffffffffffll * 1000);
    CU_ASSERT_TRUE(rt_id_prefix_check("a_b") && !rt_id_prefix_check("a_") &&
                   !rt_id_prefix_check("_a") && !rt_id_prefix_check("A") &&
                   !rt_id_prefix_check("") && !rt_id_prefix_check(NULL) &&
                   !rt_id_prefix_check("abcdefghijklmnopqrstuvwxyzabcdefg"));
    return 0;
}

static void ids_that_are_malformed_or_of_another_type_are_refused(void)
{
    on_base("", check_ids, NULL);
}

static int see_outer_stamps(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_STRING_EQUAL(rt_actor(ctx), "ann");
    CU_ASSERT_EQUAL(rt_time(ctx), NOON);
    RT_TRY(rt_set_actor(ctx, NULL));
    CU_ASSERT_PTR_NULL(rt_actor(ctx));
    return rt_set_time(ctx, 1);
}

static int stamp(rt_ctx *ctx, void *argument)
{
    char name[] = "ann";
    (void)argument;
    CU_ASSERT_PTR_NULL(rt_actor(ctx));
    RT_TRY(rt_set_actor(ctx, name));
    RT_TRY(rt_set_time(ctx, NOON));
    name[0] = 'x';
    RT_TRY(rt_run(ctx, see_outer_stamps, NULL));
    CU_ASSERT_STRING_EQUAL(rt_actor(ctx), "ann");
    CU_ASSERT_EQUAL(rt_time(ctx), NOON);
    return 0;
}

static void actor_and_time_hold_for_what_is_started_inside(void)
{
    on_base("", stamp, NULL);
}

/* --- spans ------------------------------------------------------------------------------------ */

static int use_spans(rt_ctx *ctx, void *argument)
{
    struct order row = tea("tea", 1);
    struct order_line line;
    (void)argument;
    RT_TRY(order_insert(ctx, sql, &row));
    RT_TRY(order_by_sku(ctx, sql, "tea", &row));
    CU_ASSERT_EQUAL(order_line_find(ctx, sql, row.id, 1, &line), -RT_ENOT_FOUND);
    return 0;
}

static void each_operation_has_a_span(void)
{
    listen_to_spans(1);
    on_base(SCHEMA, use_spans, NULL);
    receive();
    CU_ASSERT_EQUAL(got.count, 3);
    CU_ASSERT_EQUAL(named("OrderRepo.insert")->head.level, RT_SPAN_INTERNAL);
    CU_ASSERT_EQUAL(named("OrderRepo.by_sku")->head.status, RT_STATUS_OK);
    CU_ASSERT_EQUAL(named("OrderLineRepo.find")->head.status, RT_STATUS_ERROR);
    stop_listening();
}

RT_TEST_MAIN(
    "repository", {"what is inserted is stamped and found", what_is_inserted_is_stamped_and_found},
    {"every type comes back as it was", every_type_comes_back_as_it_was},
    {"wrong ids and nulls never reach the database", wrong_ids_and_nulls_never_reach_the_database},
    {"an update tells a lost race from a row that is gone",
     an_update_tells_a_lost_race_from_a_row_that_is_gone},
    {"a save inserts or updates, but revives nothing",
     a_save_inserts_or_updates_but_revives_nothing},
    {"keys may consist of several columns", keys_may_consist_of_several_columns},
    {"declared look-ups find by their columns", declared_lookups_find_by_their_columns},
    {"statements are of the declaration alone, and look-ups are short",
     statements_are_of_the_declaration_alone_and_lookups_are_short},
    {"a column of another type than declared is an error",
     a_column_of_another_type_than_declared_is_an_error},
    {"errors of the database are passed on", errors_of_the_database_are_passed_on},
    {"many rows are inserted in chunks, or loaded", many_rows_are_inserted_in_chunks_or_loaded},
    {"one row that fails keeps all of them out", one_row_that_fails_keeps_all_of_them_out},
    {"many are found in the order they were asked for",
     many_are_found_in_the_order_they_were_asked_for},
    {"many are deleted and counted", many_are_deleted_and_counted},
    {"a marked row is unseen until it is restored or purged",
     a_marked_row_is_unseen_until_it_is_restored_or_purged},
    {"a shadow takes what is deleted and gives it back",
     a_shadow_takes_what_is_deleted_and_gives_it_back},
    {"a move that fails leaves each row in one place",
     a_move_that_fails_leaves_each_row_in_one_place},
    {"ids ascend and tell their time", ids_ascend_and_tell_their_time},
    {"ids that are malformed or of another type are refused",
     ids_that_are_malformed_or_of_another_type_are_refused},
    {"actor and time hold for what is started inside",
     actor_and_time_hold_for_what_is_started_inside},
    {"each operation has a span", each_operation_has_a_span}, )
