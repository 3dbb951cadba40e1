#include "repository_suite.h"

#include "repository_tables.h"

#define NOON 1767268800000000ll /* 2026-01-01T12:00:00Z */

struct subject {
    struct rt_sql_slot *sql;
};

#define SQL (((const struct subject *)subject)->sql)
#define EXPECT(code, call)                                                       \
    do {                                                                         \
        const char *complaint_ = rt_conformance_code(ctx, #call, call, -(code)); \
        if (complaint_)                                                          \
            return complaint_;                                                   \
    } while (0)
#define DO(call) EXPECT(0, call)
#define THAT(condition)                                       \
    do {                                                      \
        if (!(condition))                                     \
            return "line " RT_TEXT(__LINE__) ": " #condition; \
    } while (0)

static bool is(const char *got, const char *expected)
{
    return got && expected ? strcmp(got, expected) == 0 : got == expected;
}

static int make_tables(rt_ctx *ctx, struct rt_sql_slot *sql)
{
    static const char script[] =
        "DROP TABLE IF EXISTS orders; DROP TABLE IF EXISTS parcels;"
        "DROP TABLE IF EXISTS parcels_deleted; DROP TABLE IF EXISTS order_lines;"
        "DROP TABLE IF EXISTS samples;" ORDERS_SQL PARCELS_SQL ORDER_LINES_SQL SAMPLES_SQL;
    return rt_sql_exec(ctx, sql, RT_SQL_WITH(RT_SQL_SCRIPT, script), NULL);
}

static struct order tea(const char *sku, int64_t quantity)
{
    return (struct order){.sku = sku, .quantity = quantity, .discount_null = true};
}

/* --- rows ------------------------------------------------------------------------------------- */

static const char *stamps(rt_ctx *ctx, void *subject)
{
    struct order in = tea("tea", 2), out;
    DO(rt_set_time(ctx, NOON));
    DO(rt_set_actor(ctx, "ann"));
    DO(order_insert(ctx, SQL, &in));
    DO(order_find(ctx, SQL, in.id, &out));
    THAT(is(out.id, in.id) && is(out.sku, "tea") && out.quantity == 2 && !out.note);
    THAT(out.created_at == NOON && out.updated_at == NOON && out.version == 1);
    THAT(is(out.created_by, "ann") && is(out.updated_by, "ann") && out.deleted_at_null);
    THAT(order_exists(ctx, SQL, in.id) == 1);
    EXPECT(RT_EALREADY_EXISTS, order_insert(ctx, SQL, &in));
    THAT(is(rt_last_error(ctx)->domain, "UNIQUE_VIOLATION"));
    EXPECT(RT_ENOT_FOUND, order_find(ctx, SQL, rt_id_make(ctx, "ord"), &out));
    EXPECT(RT_EINVALID_ARGUMENT, order_find(ctx, SQL, rt_id_make(ctx, "par"), &out));
    return NULL;
}

static const char sample_id[] = "0d1e2f3a-0000-4000-8000-00000000000a";

static bool same_bytes(rt_str bytes, const char *data, uint64_t length)
{
    return bytes.data && bytes.length == length && memcmp(bytes.data, data, length) == 0;
}

static const char *types(rt_ctx *ctx, void *subject)
{
    struct sample full = {.id = sample_id,
                          .whole = INT64_MIN,
                          .real = 0.1,
                          .truth = true,
                          .moment = -1,
                          .words = "žluťoučký",
                          .document = "[1]",
                          .blob = {"a\0b", 3},
                          .whole_or = INT64_MAX,
                          .real_or = -2.25,
                          .truth_or = true,
                          .moment_or = NOON + 123456,
                          .words_or = "",
                          .document_or = "[]",
                          .other_or = "0D1E2F3A-0000-4000-8000-00000000000B",
                          .blob_or = {"", 0}};
    struct sample out, *found[1];
    DO(sample_insert(ctx, SQL, &full));
    DO(sample_find(ctx, SQL, sample_id, &out));
    THAT(out.whole == INT64_MIN && out.real == 0.1 && out.truth && out.moment == -1);
    THAT(is(out.words, "žluťoučký") && is(out.document, "[1]"));
    THAT(same_bytes(out.blob, "a\0b", 3));
    THAT(out.whole_or == INT64_MAX && out.real_or == -2.25 && out.truth_or);
    THAT(out.moment_or == NOON + 123456 && is(out.words_or, "") && is(out.document_or, "[]"));
    THAT(!out.whole_or_null && !out.real_or_null && !out.truth_or_null && !out.moment_or_null);
    THAT(same_bytes(out.blob_or, "", 0) && out.other_or);
    DO(sample_find_many(ctx, SQL, &(struct sample_key){sample_id}, 1, found));
    THAT(found[0] && found[0]->real == 0.1);
    return NULL;
}

static const char *nulls(rt_ctx *ctx, void *subject)
{
    struct sample bare = {.id = "0d1e2f3a-0000-4000-8000-00000000000c",
                          .words = "",
                          .document = "[]",
                          .blob = {"", 0},
                          .whole_or_null = true,
                          .real_or_null = true,
                          .truth_or_null = true,
                          .moment_or_null = true};
    struct sample out;
    DO(sample_save(ctx, SQL, &bare));
    DO(sample_save(ctx, SQL, &bare));
    DO(sample_update(ctx, SQL, &bare));
    DO(sample_find(ctx, SQL, bare.id, &out));
    THAT(out.whole_or_null && out.real_or_null && out.truth_or_null && out.moment_or_null);
    THAT(!out.words_or && !out.document_or && !out.other_or && !out.blob_or.data);
    return NULL;
}

static const char *versions(rt_ctx *ctx, void *subject)
{
    struct order first = tea("tea", 1), second;
    DO(order_insert(ctx, SQL, &first));
    DO(order_find(ctx, SQL, first.id, &second));
    DO(order_update(ctx, SQL, &first));
    THAT(first.version == 2);
    EXPECT(RT_EABORTED, order_update(ctx, SQL, &second));
    THAT(is(rt_last_error(ctx)->domain, "VERSION_CONFLICT"));
    DO(order_delete(ctx, SQL, first.id));
    EXPECT(RT_ENOT_FOUND, order_update(ctx, SQL, &first));
    return NULL;
}

static const char *saves(rt_ctx *ctx, void *subject)
{
    struct order row = tea("tea", 1), again = tea("milk", 3), out;
    DO(rt_set_time(ctx, NOON));
    DO(order_save(ctx, SQL, &row));
    DO(rt_set_time(ctx, NOON + 7));
    again.id = row.id;
    DO(order_save(ctx, SQL, &again));
    THAT(again.version == 2 && again.created_at == NOON && again.updated_at == NOON + 7);
    DO(order_find(ctx, SQL, row.id, &out));
    THAT(out.version == 2 && out.created_at == NOON && is(out.sku, "milk"));
    DO(order_delete(ctx, SQL, row.id));
    EXPECT(RT_EFAILED_PRECONDITION, order_save(ctx, SQL, &again));
    return NULL;
}

static const char *composites(rt_ctx *ctx, void *subject)
{
    const char *order = rt_id_make(ctx, "ord");
    struct order_line one = {order, 1, "tea"}, two = {order, 2, "milk"}, out, *found[3];
    const struct order_line_key keys[] = {{order, 2}, {order, 3}, {order, 1}};
    struct order_line_page page = {0};
    uint64_t deleted;
    DO(order_line_insert(ctx, SQL, &one));
    DO(order_line_insert(ctx, SQL, &two));
    DO(order_line_find(ctx, SQL, order, 2, &out));
    two.sku = "cream";
    DO(order_line_update(ctx, SQL, &two));
    two.sku = "whey";
    DO(order_line_save(ctx, SQL, &two));
    DO(order_line_find_many(ctx, SQL, keys, 3, found));
    THAT(is(found[0]->sku, "whey") && !found[1] && is(found[2]->sku, "tea"));
    DO(order_line_scroll(ctx, SQL, RT_SELECT(.size = 1), &page));
    THAT(page.count == 1 && page.next && page.rows[0].line == 1);
    DO(order_line_scroll(ctx, SQL, RT_SELECT(.size = 1, .after = page.next), &page));
    THAT(page.count == 1 && !page.next && page.rows[0].line == 2);
    DO(order_line_delete_many(ctx, SQL, keys, 2, &deleted));
    THAT(deleted == 1);
    EXPECT(RT_ENOT_FOUND, order_line_delete(ctx, SQL, order, 2));
    return NULL;
}

/* --- many ------------------------------------------------------------------------------------- */

static const char *try_many(rt_ctx *ctx, struct subject *subject, uint64_t count)
{
    struct order *rows = rt_alloc(ctx, count * sizeof *rows), out;
    const char *marker = rt_id_make(ctx, "cus");
    rt_where whose = rt_is(order, customer, RT_EQUAL, marker);
    const rt_selection selection = {.where = &whose, .where_count = 1};
    uint64_t found = 0;
    for (uint64_t i = 0; i < count; i++) {
        rows[i] = tea("many", (int64_t)i);
        rows[i].customer = marker;
    }
    DO(order_insert_many(ctx, SQL, rows, count));
    DO(order_count(ctx, SQL, &selection, &found));
    THAT(found == count);
    DO(order_find(ctx, SQL, rows[count - 1].id, &out));
    THAT(out.quantity == (int64_t)count - 1 && out.version == 1 && out.discount_null);
    whose = rt_is(order, customer, RT_EQUAL, rt_id_make(ctx, "cus"));
    for (uint64_t i = 1; i < count; i++)
        rows[i].id = NULL;
    EXPECT(RT_EALREADY_EXISTS, order_insert_many(ctx, SQL, rows, count));
    DO(order_count(ctx, SQL, &selection, &found));
    THAT(found == 0);
    return NULL;
}

static const char *many(rt_ctx *ctx, void *subject)
{
    const uint64_t counts[] = {1, 100, 300, 1200};
    for (int i = 0; i < 4; i++) {
        const char *complaint = try_many(ctx, subject, counts[i]);
        if (complaint)
            return complaint;
    }
    return NULL;
}

/* --- selections ------------------------------------------------------------------------------- */

static int fill(rt_ctx *ctx, struct rt_sql_slot *sql, const char *customer)
{
    static const struct {
        const char *sku, *note;
        int64_t quantity, discount;
    } rows[] = {{"apple", NULL, 5, 10}, {"Apple", "red", 3, -1}, {"a%b", "x", 3, -1},
                {"a*b", "x", 9, 20},    {"a_[b", NULL, 1, -1},   {"zebra", "100%", 7, 10},
                {"a\\b", "", 2, 0},     {"žlutá", "b?", 8, 30}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct order row = {.sku = rows[i].sku,
                            .note = rows[i].note,
                            .quantity = rows[i].quantity,
                            .customer = customer,
                            .discount = rows[i].discount,
                            .discount_null = rows[i].discount < 0};
        RT_TRY(order_insert(ctx, sql, &row));
    }
    return 0;
}

/* The skus, in an order that collations agree in. */
static const char *selected(rt_ctx *ctx, struct rt_sql_slot *sql, const char *customer,
                            rt_where condition)
{
    struct order_page page;
    const char *text = "";
    int result =
        order_all(ctx, sql,
                  RT_SELECT(RT_WHERE(rt_is(order, customer, RT_EQUAL, customer), condition),
                            RT_ORDER(rt_ascending(order, id))),
                  &page);
    if (result < 0)
        return rt_format(ctx, "%s: %s", rt_code_name(result), rt_last_error(ctx)->message);
    for (uint64_t i = 0; i < page.count; i++)
        text = rt_format(ctx, "%s%s%s", text, i ? " " : "", page.rows[i].sku);
    return text;
}
#define SELECTS(expected, ...)                                                \
    do {                                                                      \
        const char *got_ = selected(ctx, SQL, customer, __VA_ARGS__);         \
        if (!is(got_, expected))                                              \
            return rt_format(ctx, "expected `%s`, got `%s`", expected, got_); \
    } while (0)

static const char *conditions(rt_ctx *ctx, void *subject)
{
    const char *customer = rt_id_make(ctx, "cus");
    DO(fill(ctx, SQL, customer));
    SELECTS("Apple a%b", rt_is(order, quantity, RT_EQUAL, 3));
    SELECTS("apple a*b a_[b zebra a\\b žlutá", rt_is(order, quantity, RT_NOT_EQUAL, 3));
    SELECTS("a_[b a\\b", rt_is(order, quantity, RT_BELOW, 3));
    SELECTS("a*b žlutá", rt_is(order, quantity, RT_ABOVE, 7));
    SELECTS("a_[b zebra a\\b", rt_is(order, quantity, RT_IN, 1, 2, 7, 100, 101));
    SELECTS("", rt_is(order, quantity, RT_IN));
    SELECTS("apple a_[b", rt_is(order, note, RT_IS_NULL));
    SELECTS("Apple zebra", rt_any_of(rt_is(order, quantity, RT_EQUAL, 7),
                                     rt_all_of(rt_is(order, quantity, RT_EQUAL, 3),
                                               rt_is(order, note, RT_EQUAL, "red"))));
    SELECTS("Apple a%b a*b a_[b a\\b",
            rt_none_of(rt_is(order, sku, RT_EQUAL, "zebra"), rt_is(order, sku, RT_EQUAL, "apple"),
                       rt_is(order, quantity, RT_EQUAL, 8)));
    SELECTS("", rt_is(order, sku, RT_EQUAL, "x' OR 1=1 --"));
    return NULL;
}

static const char *patterns(rt_ctx *ctx, void *subject)
{
    const char *customer = rt_id_make(ctx, "cus");
    DO(fill(ctx, SQL, customer));
    SELECTS("apple", rt_is(order, sku, RT_PREFIX, "app"));
    SELECTS("a%b", rt_is(order, sku, RT_PREFIX, "a%"));
    SELECTS("a*b", rt_is(order, sku, RT_PREFIX, "a*"));
    SELECTS("a_[b", rt_is(order, sku, RT_PREFIX, "a_["));
    SELECTS("žlutá", rt_is(order, sku, RT_PREFIX, "ž"));
    SELECTS("a%b", rt_is(order, sku, RT_LIKE, "a\\%b"));
    SELECTS("a\\b", rt_is(order, sku, RT_LIKE, "a\\\\b"));
    SELECTS("a%b a*b a_[b zebra a\\b", rt_is(order, sku, RT_LIKE, "%b%"));
    SELECTS("žlutá", rt_is(order, sku, RT_LIKE, "_lut_"));
    SELECTS("zebra", rt_is(order, note, RT_LIKE, "100\\%"));
    SELECTS("žlutá", rt_is(order, note, RT_LIKE, "b?"));
    return NULL;
}

static const char *lookups(rt_ctx *ctx, void *subject)
{
    const char *sku = rt_id_make(ctx, "sku");
    struct order first = tea(sku, 1), second = tea(sku, 2), out;
    struct order_page page;
    first.customer = second.customer = rt_id_make(ctx, "cus");
    DO(order_insert(ctx, SQL, &first));
    DO(order_insert(ctx, SQL, &second));
    DO(order_by_sku(ctx, SQL, sku, &out));
    THAT(is(out.id, first.id));
    DO(order_by_sku_and_quantity(ctx, SQL, sku, 2, &out));
    THAT(is(out.id, second.id));
    DO(order_of_customer(ctx, SQL, first.customer, &page));
    THAT(page.count == 2);
    EXPECT(RT_ENOT_FOUND, order_by_sku(ctx, SQL, "none of these", &out));
    return NULL;
}

/* --- soft delete ------------------------------------------------------------------------------ */

static const char *marks(rt_ctx *ctx, void *subject)
{
    struct order row = tea("tea", 1), out;
    struct order_page page;
    uint64_t purged;
    DO(rt_set_time(ctx, 1000));
    DO(rt_set_actor(ctx, "ben"));
    DO(order_insert(ctx, SQL, &row));
    DO(order_delete(ctx, SQL, row.id));
    EXPECT(RT_ENOT_FOUND, order_find(ctx, SQL, row.id, &out));
    DO(order_all(ctx, SQL, RT_SELECT(RT_WHERE(rt_is(order, id, RT_EQUAL, row.id)), .deleted = true),
                 &page));
    THAT(page.count == 1 && page.rows[0].deleted_at == 1000 && is(page.rows[0].deleted_by, "ben"));
    DO(order_restore(ctx, SQL, row.id));
    DO(order_find(ctx, SQL, row.id, &out));
    THAT(out.version == 3);
    DO(order_delete(ctx, SQL, row.id));
    DO(order_purge(ctx, SQL, 1001, &purged));
    THAT(purged == 1);
    EXPECT(RT_ENOT_FOUND, order_restore(ctx, SQL, row.id));
    return NULL;
}

static const char *moves(rt_ctx *ctx, void *subject)
{
    struct parcel row = {.sku = "tea", .quantity = 4}, again, out;
    struct parcel_page page;
    uint64_t purged;
    DO(rt_set_time(ctx, 1000));
    DO(rt_set_actor(ctx, "ben"));
    DO(parcel_insert(ctx, SQL, &row));
    DO(parcel_delete(ctx, SQL, row.id));
    EXPECT(RT_ENOT_FOUND, parcel_delete(ctx, SQL, row.id));
    DO(parcel_page(ctx, SQL, RT_SELECT(.deleted = true), &page));
    THAT(page.total == 1 && page.rows[0].deleted_at == 1000 && is(page.rows[0].deleted_by, "ben"));
    again = (struct parcel){.id = row.id, .sku = "new"};
    DO(parcel_insert(ctx, SQL, &again));
    EXPECT(RT_EALREADY_EXISTS, parcel_restore(ctx, SQL, row.id));
    DO(parcel_delete(ctx, SQL, row.id));
    DO(parcel_restore(ctx, SQL, row.id));
    DO(parcel_find(ctx, SQL, row.id, &out));
    THAT(is(out.sku, "new") && out.version == 3);
    DO(parcel_delete(ctx, SQL, row.id));
    DO(parcel_purge(ctx, SQL, 1001, &purged));
    THAT(purged == 1);
    return NULL;
}

/* --- transactions ------------------------------------------------------------------------------
 */

struct attempt {
    struct rt_sql_slot *sql;
    struct parcel row;
    const char *deleted;
};

static int insert_then_fail(rt_ctx *ctx, void *argument)
{
    struct attempt *attempt = argument;
    struct parcel out;
    RT_TRY(parcel_insert(ctx, attempt->sql, &attempt->row));
    RT_TRY(parcel_find(ctx, attempt->sql, attempt->row.id, &out));
    RT_TRY(parcel_delete(ctx, attempt->sql, attempt->deleted));
    return rt_fail(ctx, RT_EOUT_OF_RANGE, "enough");
}

static const char *transactions(rt_ctx *ctx, void *subject)
{
    struct parcel kept = {.sku = "kept"}, out;
    const char *id = rt_id_make(ctx, "par");
    struct attempt attempt = {SQL, {.sku = "lost", .id = id}, NULL};
    DO(parcel_insert(ctx, SQL, &kept));
    attempt.deleted = kept.id;
    EXPECT(RT_EOUT_OF_RANGE, rt_sql_tx(ctx, SQL, insert_then_fail, &attempt));
    EXPECT(RT_ENOT_FOUND, parcel_find(ctx, SQL, id, &out));
    DO(parcel_find(ctx, SQL, kept.id, &out));
    return NULL;
}

/* --- the suite -------------------------------------------------------------------------------- */

static const rt_conformance_case cases[] = {
    {"what is inserted is stamped and found", stamps},
    {"every type comes back as it was", types},
    {"null comes back as null", nulls},
    {"an update tells a lost race from a row that is gone", versions},
    {"a save inserts or updates, but revives nothing", saves},
    {"keys may consist of several columns", composites},
    {"many rows are inserted, all of them or none", many},
    {"conditions select what they say", conditions},
    {"patterns are exact", patterns},
    {"declared look-ups find by their columns", lookups},
    {"a marked row is unseen until it is restored or purged", marks},
    {"a shadow takes what is deleted and gives it back", moves},
    {"what repositories do belongs to the transaction", transactions},
};

rt_str rt_repository_suite_run(rt_ctx *ctx, struct rt_sql_slot *sql)
{
    struct subject subject = {sql};
    if (make_tables(ctx, sql) < 0)
        return rt_string(rt_format(ctx, "1..1\nnot ok 1 - tables are made\n# %s\n",
                                   rt_last_error(ctx)->message));
    return rt_conformance_run(ctx, cases, sizeof cases / sizeof cases[0], &subject);
}
