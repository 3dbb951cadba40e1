/* Repositories: conditions, orders, pages and cursors, on SQLite in memory */
#include "repository_kit.h"
#include "repository_tables.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static int fill(rt_ctx *ctx)
{
    static const struct {
        const char *sku, *note;
        int64_t quantity, discount;
    } rows[] = {{"apple", NULL, 5, 10}, {"Apple", "red", 3, -1}, {"a%b", "x", 3, -1},
                {"a*b", "x", 9, 20},    {"a_[b", NULL, 1, -1},   {"zebra", "100%", 7, 10},
                {"a\\b", "", 2, 0},     {"žlutá", "b?", 8, 30}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct order row = {.sku = rows[i].sku,
                            .note = rows[i].note,
                            .quantity = rows[i].quantity,
                            .discount = rows[i].discount,
                            .discount_null = rows[i].discount < 0};
        RT_TRY(order_insert(ctx, sql, &row));
    }
    return 0;
}

/* The skus of a page, parted by spaces. */
static const char *skus(rt_ctx *ctx, const struct order_page *page)
{
    const char *text = "";
    for (uint64_t i = 0; i < page->count; i++)
        text = rt_format(ctx, "%s%s%s", text, i ? " " : "", page->rows[i].sku);
    return text;
}

static bool yields(rt_ctx *ctx, const rt_selection *selection, const char *expected)
{
    struct order_page page;
    uint64_t count = 0;
    int result = order_all(ctx, sql, selection, &page);
    bool does = result == 0 && strcmp(skus(ctx, &page), expected) == 0;
    if (!does)
        fprintf(stderr, "got %d: %s\n", result, result ? "" : skus(ctx, &page));
    CU_ASSERT_EQUAL(order_count(ctx, sql, selection, &count), 0);
    return does && count == page.count;
}

#define BY_SKU RT_ORDER(rt_ascending(order, sku))
#define YIELDS(expected, ...) \
    CU_ASSERT_TRUE(yields(ctx, RT_SELECT(RT_WHERE(__VA_ARGS__), BY_SKU), expected))

/* --- conditions ------------------------------------------------------------------------------- */

static int compare(rt_ctx *ctx, void *argument)
{
    const char *const some[] = {"zebra", "apple"};
    (void)argument;
    RT_TRY(fill(ctx));
    YIELDS("zebra", rt_is(order, quantity, RT_EQUAL, 7));
    YIELDS("Apple a%b", rt_is(order, quantity, RT_EQUAL, 3));
    YIELDS("a*b a\\b a_[b apple zebra žlutá", rt_is(order, quantity, RT_NOT_EQUAL, 3));
    YIELDS("a\\b a_[b", rt_is(order, quantity, RT_BELOW, 3));
    YIELDS("Apple a%b a\\b a_[b", rt_is(order, quantity, RT_AT_MOST, 3));
    YIELDS("a*b žlutá", rt_is(order, quantity, RT_ABOVE, 7));
    YIELDS("a*b zebra žlutá", rt_is(order, quantity, RT_AT_LEAST, 7));
    YIELDS("a\\b a_[b zebra", rt_is(order, quantity, RT_IN, 1, 2, 7, 100));
    YIELDS("", rt_is(order, quantity, RT_IN));
    YIELDS("apple zebra", rt_in(order, sku, some, 2));
    YIELDS("", rt_in(order, sku, some, 0));
    YIELDS("a_[b apple", rt_is(order, note, RT_IS_NULL));
    YIELDS("Apple a%b a_[b", rt_is(order, discount, RT_IS_NULL));
    YIELDS("a*b a\\b apple zebra žlutá", rt_is(order, discount, RT_NOT_NULL));
    YIELDS("Apple", rt_is(order, quantity, RT_EQUAL, 3), rt_is(order, note, RT_EQUAL, "red"));
    YIELDS("Apple zebra", rt_any_of(rt_is(order, quantity, RT_EQUAL, 7),
                                    rt_all_of(rt_is(order, quantity, RT_EQUAL, 3),
                                              rt_is(order, note, RT_EQUAL, "red"))));
    YIELDS("a*b a\\b a_[b apple žlutá",
           rt_none_of(rt_is(order, quantity, RT_EQUAL, 7), rt_is(order, quantity, RT_EQUAL, 3)));
    return 0;
}

static int match(rt_ctx *ctx, void *argument)
{
    base.dialect = *(const uint32_t *)argument;
    if (base.dialect == RT_SQL_POSTGRES)
        run_script("PRAGMA case_sensitive_like = ON");
    RT_TRY(fill(ctx));
    YIELDS("apple", rt_is(order, sku, RT_PREFIX, "app"));
    YIELDS("a%b", rt_is(order, sku, RT_PREFIX, "a%"));
    YIELDS("a*b", rt_is(order, sku, RT_PREFIX, "a*"));
    YIELDS("a_[b", rt_is(order, sku, RT_PREFIX, "a_["));
    YIELDS("žlutá", rt_is(order, sku, RT_PREFIX, "ž"));
    YIELDS("Apple a%b a*b a\\b a_[b apple zebra žlutá", rt_is(order, sku, RT_PREFIX, ""));
    YIELDS("apple zebra", rt_is(order, sku, RT_LIKE, "_____"),
           rt_is(order, sku, RT_NOT_EQUAL, "Apple"), rt_is(order, sku, RT_NOT_EQUAL, "žlutá"));
    YIELDS("a%b a*b a\\b a_[b zebra", rt_is(order, sku, RT_LIKE, "%b%"));
    YIELDS("a%b", rt_is(order, sku, RT_LIKE, "a\\%b"));
    YIELDS("a*b", rt_is(order, sku, RT_LIKE, "a*_"));
    YIELDS("a\\b", rt_is(order, sku, RT_LIKE, "a\\\\b"));
    YIELDS("a_[b", rt_is(order, sku, RT_LIKE, "%[%"));
    YIELDS("žlutá", rt_is(order, sku, RT_LIKE, "_lut_"));
    YIELDS("žlutá", rt_is(order, note, RT_LIKE, "b?"));
    YIELDS("zebra", rt_is(order, note, RT_LIKE, "100\\%"));
    YIELDS("a\\b", rt_is(order, note, RT_LIKE, ""));
    return 0;
}

static void conditions_select_what_they_say(void)
{
    on_base(ORDERS_SQL, compare, NULL);
}

static void patterns_are_exact_in_both_dialects(void)
{
    const uint32_t dialects[] = {RT_SQL_SQLITE, RT_SQL_POSTGRES};
    for (size_t i = 0; i < COUNT(dialects); i++)
        on_base(ORDERS_SQL, match, (void *)(uintptr_t)&dialects[i]);
}

static bool refuses(rt_ctx *ctx, const rt_selection *selection, const char *message)
{
    struct order_page page;
    uint32_t before = base.asked_count;
    int result = order_all(ctx, sql, selection, &page);
    const char *said = result < 0 ? rt_last_error(ctx)->message : "nothing";
    bool does = result == -RT_EINVALID_ARGUMENT && strcmp(said, message) == 0;
    if (!does)
        fprintf(stderr, "said: %s\n", said);
    return does && base.asked_count == before;
}
#define REFUSES(message, ...) \
    CU_ASSERT_TRUE(refuses(ctx, RT_SELECT(RT_WHERE(__VA_ARGS__)), message))

static int refuse(rt_ctx *ctx, void *argument)
{
    struct order_page page;
    const rt_where nonsense = {.operation = 99, .table = &order_table};
    (void)argument;
    REFUSES("a comparison with NULL: column `note` of `order`", rt_is(order, note, RT_EQUAL, NULL));
    REFUSES("a comparison with NULL: column `sku` of `order`", rt_is(order, sku, RT_IN, "a", NULL));
    REFUSES("a comparison with NULL: column `sku` of `order`", rt_is(order, sku, RT_PREFIX, NULL));
    REFUSES("one value is compared, of column `sku` of `order`", rt_is(order, sku, RT_EQUAL));
    REFUSES("one value is compared, of column `sku` of `order`",
            rt_is(order, sku, RT_EQUAL, "a", "b"));
    REFUSES("a pattern is for one text: column `quantity` of `order`",
            rt_is(order, quantity, RT_LIKE, 1));
    REFUSES("a selection of `order` names `order_line`", rt_is(order_line, line, RT_EQUAL, 1));
    REFUSES("a selection of `order` names `parcel`",
            rt_any_of(rt_is(order, quantity, RT_EQUAL, 1), rt_is(parcel, sku, RT_EQUAL, "a")));
    REFUSES("`ord_1` is no id of the type `cus`", rt_is(order, customer, RT_EQUAL, "ord_1"));
    REFUSES("no operation has the number 99", nonsense);
    CU_ASSERT_TRUE(refuses(ctx, RT_SELECT(RT_ORDER(rt_ascending(parcel, sku))),
                           "a selection of `order` names `parcel`"));
    CU_ASSERT_EQUAL(order_page(ctx, sql, RT_SELECT(.size = 1001), &page), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(order_scroll(ctx, sql, RT_SELECT(.size = 1001), &page), -RT_EINVALID_ARGUMENT);
    struct order_line_page lines;
    CU_ASSERT_EQUAL(order_line_all(ctx, sql, RT_SELECT(.deleted = true), &lines),
                    -RT_EUNIMPLEMENTED);
    struct sample_page samples;
    CU_ASSERT_EQUAL(
        sample_all(ctx, sql, RT_SELECT(RT_ORDER(rt_ascending(sample, document))), &samples),
        -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(sample_all(ctx, sql,
                               RT_SELECT(RT_WHERE(rt_is(sample, document, RT_EQUAL, "{}"))),
                               &samples),
                    -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(base.asked_count, 0);
    return 0;
}

static void selections_that_make_no_sense_are_refused(void)
{
    on_base(ORDERS_SQL ORDER_LINES_SQL SAMPLES_SQL, refuse, NULL);
}

static int ask(rt_ctx *ctx, void *argument)
{
    struct order row;
    (void)argument;
    CU_ASSERT_EQUAL(order_first(ctx, sql,
                                RT_SELECT(RT_WHERE(rt_is(order, sku, RT_EQUAL, "x' OR 1=1 --")),
                                          RT_ORDER(rt_descending(order, note))),
                                &row),
                    -RT_ENOT_FOUND);
    const char *from = strstr(base.asked[0], " FROM");
    CU_ASSERT_STRING_EQUAL(from, " FROM \"orders\" WHERE \"deleted_at\" IS NULL AND \"sku\" = $1 "
                                 "ORDER BY \"note\" DESC NULLS FIRST, \"id\" LIMIT $2");
    return 0;
}

static void values_never_become_part_of_a_text(void)
{
    on_base(ORDERS_SQL, ask, NULL);
}

/* --- order ------------------------------------------------------------------------------------ */

static int order_rows(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(fill(ctx));
    CU_ASSERT_TRUE(yields(ctx, NULL, "apple Apple a%b a*b a_[b zebra a\\b žlutá"));
    CU_ASSERT_TRUE(yields(ctx, RT_SELECT(RT_ORDER(rt_ascending(order, discount))),
                          "a\\b apple zebra a*b žlutá Apple a%b a_[b"));
    CU_ASSERT_TRUE(yields(ctx, RT_SELECT(RT_ORDER(rt_descending(order, discount))),
                          "Apple a%b a_[b žlutá a*b apple zebra a\\b"));
    CU_ASSERT_TRUE(
        yields(ctx, RT_SELECT(RT_ORDER(rt_descending(order, quantity), rt_descending(order, id))),
               "a*b žlutá zebra apple a%b Apple a\\b a_[b"));
    CU_ASSERT_TRUE(yields(ctx, RT_SELECT(BY_SKU), "Apple a%b a*b a\\b a_[b apple zebra žlutá"));
    return 0;
}

static void null_is_greatest_and_the_key_decides_between_equals(void)
{
    on_base(ORDERS_SQL, order_rows, NULL);
}

/* --- pages ------------------------------------------------------------------------------------ */

static int page_through(rt_ctx *ctx, void *argument)
{
    struct order_page page;
    (void)argument;
    RT_TRY(order_page(ctx, sql, NULL, &page));
    CU_ASSERT_TRUE(page.count == 0 && page.total == 0 && page.pages == 0);
    RT_TRY(fill(ctx));
    RT_TRY(order_page(ctx, sql, RT_SELECT(BY_SKU, .size = 3), &page));
    CU_ASSERT_TRUE(page.count == 3 && page.total == 8 && page.pages == 3);
    CU_ASSERT_STRING_EQUAL(skus(ctx, &page), "Apple a%b a*b");
    RT_TRY(order_page(ctx, sql, RT_SELECT(BY_SKU, .size = 3, .number = 3), &page));
    CU_ASSERT_STRING_EQUAL(skus(ctx, &page), "zebra žlutá");
    RT_TRY(order_page(ctx, sql, RT_SELECT(BY_SKU, .size = 3, .number = 4), &page));
    CU_ASSERT_TRUE(page.count == 0 && page.total == 8 && page.pages == 3);
    RT_TRY(order_page(ctx, sql, RT_SELECT(.number = UINT64_MAX), &page));
    CU_ASSERT_TRUE(page.count == 0 && page.total == 8 && page.pages == 1);
    RT_TRY(order_page(ctx, sql, RT_SELECT(RT_WHERE(rt_is(order, quantity, RT_ABOVE, 4)), .size = 2),
                      &page));
    CU_ASSERT_TRUE(page.count == 2 && page.total == 4 && page.pages == 2);
    RT_TRY(order_all(ctx, sql, RT_SELECT(BY_SKU, .size = 2), &page));
    CU_ASSERT_EQUAL(page.count, 2);
    return 0;
}

static void pages_by_number_tell_total_and_pages(void)
{
    on_base(ORDERS_SQL, page_through, NULL);
}

/* Every order gives all rows once, in the order that `all` gives. */
static int scroll_with(rt_ctx *ctx, rt_selection selection)
{
    struct order_page whole, page = {0};
    const char *text = "";
    uint64_t pages = 0;
    RT_TRY(order_all(ctx, sql, &selection, &whole));
    selection.size = 3;
    do {
        selection.after = page.next;
        RT_TRY(order_scroll(ctx, sql, &selection, &page));
        text = rt_format(ctx, "%s%s%s", text, pages ? " " : "", skus(ctx, &page));
    } while (page.next && ++pages < 9);
    CU_ASSERT_EQUAL(pages, 2);
    CU_ASSERT_STRING_EQUAL(text, skus(ctx, &whole));
    return 0;
}

static int scroll_in_every_order(rt_ctx *ctx, void *argument)
{
    const rt_ordering orders[][2] = {
        {rt_ascending(order, sku), rt_ascending(order, id)},
        {rt_descending(order, sku), rt_descending(order, id)},
        {rt_ascending(order, quantity), rt_descending(order, sku)},
        {rt_ascending(order, note), rt_ascending(order, quantity)},
        {rt_descending(order, note), rt_ascending(order, discount)},
        {rt_descending(order, discount), rt_descending(order, note)},
        {rt_ascending(order, discount), rt_ascending(order, created_at)},
    };
    (void)argument;
    RT_TRY(fill(ctx));
    RT_TRY(scroll_with(ctx, (rt_selection){0}));
    for (size_t i = 0; i < COUNT(orders); i++)
        for (uint32_t columns = 1; columns <= 2; columns++)
            RT_TRY(scroll_with(ctx, (rt_selection){.order = orders[i], .order_count = columns}));
    return 0;
}

static void cursors_lead_through_all_rows_in_every_order(void)
{
    on_base(ORDERS_SQL, scroll_in_every_order, NULL);
}

static int scroll_while_rows_change(rt_ctx *ctx, void *argument)
{
    struct order_page page;
    struct order early = {.sku = "AAA"}, late = {.sku = "b"};
    (void)argument;
    RT_TRY(fill(ctx));
    RT_TRY(order_scroll(ctx, sql, RT_SELECT(BY_SKU, .size = 4), &page));
    CU_ASSERT_STRING_EQUAL(skus(ctx, &page), "Apple a%b a*b a\\b");
    RT_TRY(order_insert(ctx, sql, &early));
    RT_TRY(order_insert(ctx, sql, &late));
    RT_TRY(order_delete(ctx, sql, page.rows[3].id));
    RT_TRY(order_scroll(ctx, sql, RT_SELECT(BY_SKU, .size = 4, .after = page.next), &page));
    CU_ASSERT_STRING_EQUAL(skus(ctx, &page), "a_[b apple b zebra");
    RT_TRY(order_scroll(ctx, sql, RT_SELECT(BY_SKU, .size = 4, .after = page.next), &page));
    CU_ASSERT_STRING_EQUAL(skus(ctx, &page), "žlutá");
    CU_ASSERT_PTR_NULL(page.next);
    return 0;
}

static void a_scroll_is_steady_while_rows_change(void)
{
    on_base(ORDERS_SQL, scroll_while_rows_change, NULL);
}

static int try_cursor(rt_ctx *ctx, const char *cursor)
{
    struct order_page page;
    return order_scroll(ctx, sql, RT_SELECT(BY_SKU, .size = 2, .after = cursor), &page);
}

static int alter_cursors(rt_ctx *ctx, void *argument)
{
    struct order_page page;
    struct parcel_page parcels;
    (void)argument;
    RT_TRY(fill(ctx));
    RT_TRY(order_scroll(ctx, sql, RT_SELECT(BY_SKU, .size = 2), &page));
    char *cursor = rt_format(ctx, "%s", page.next);
    CU_ASSERT_EQUAL(try_cursor(ctx, cursor), 0);
    for (char *at = cursor; *at; at++) {
        char was = *at;
        *at = was == 'A' ? 'B' : 'A';
        CU_ASSERT_EQUAL(try_cursor(ctx, cursor), -RT_EINVALID_ARGUMENT);
        *at = '!';
        CU_ASSERT_EQUAL(try_cursor(ctx, cursor), -RT_EINVALID_ARGUMENT);
        *at = '\0';
        CU_ASSERT_EQUAL(try_cursor(ctx, cursor), -RT_EINVALID_ARGUMENT);
        *at = was;
    }
    CU_ASSERT_EQUAL(try_cursor(ctx, rt_format(ctx, "%sA", cursor)), -RT_EINVALID_ARGUMENT);
    char *endless = memset(rt_alloc(ctx, 100001), 'A', 100000);
    CU_ASSERT_EQUAL(try_cursor(ctx, endless), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(order_scroll(ctx, sql, RT_SELECT(.after = cursor), &page),
                    -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(order_scroll(ctx, sql,
                                 RT_SELECT(RT_ORDER(rt_descending(order, sku)), .after = cursor),
                                 &page),
                    -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(parcel_scroll(ctx, sql,
                                  RT_SELECT(RT_ORDER(rt_ascending(parcel, sku)), .after = cursor),
                                  &parcels),
                    -RT_EINVALID_ARGUMENT);
    return 0;
}

static void cursors_that_were_altered_or_are_of_another_selection_are_refused(void)
{
    on_base(ORDERS_SQL PARCELS_SQL, alter_cursors, NULL);
}

RT_TEST_MAIN(
    "repository selections", {"conditions select what they say", conditions_select_what_they_say},
    {"patterns are exact in both dialects", patterns_are_exact_in_both_dialects},
    {"selections that make no sense are refused", selections_that_make_no_sense_are_refused},
    {"values never become part of a text", values_never_become_part_of_a_text},
    {"null is greatest, and the key decides between equals",
     null_is_greatest_and_the_key_decides_between_equals},
    {"pages by number tell total and pages", pages_by_number_tell_total_and_pages},
    {"cursors lead through all rows in every order", cursors_lead_through_all_rows_in_every_order},
    {"a scroll is steady while rows change", a_scroll_is_steady_while_rows_change},
    {"cursors that were altered or are of another selection are refused",
     cursors_that_were_altered_or_are_of_another_selection_are_refused}, )
