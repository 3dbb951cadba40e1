#include "sql_suite.h"

#define ARRAY(of_, ...)                                               \
    rt_sql_array(of_, (const rt_sql_value[]){{0}, ##__VA_ARGS__} + 1, \
                 COUNT_OF(((const rt_sql_value[]){{0}, ##__VA_ARGS__})) - 1)

/* Where the server has no arrays, using one is refused and does nothing. */
static const char *refused(rt_ctx *ctx, const rt_sql_suite *suite, const rt_sql_value *value)
{
    CHECK(rt_suite_ledger(ctx, suite));
    CHECK(
        rt_suite_fails(ctx, suite, -RT_EUNIMPLEMENTED, NULL,
                       RT_SQL("INSERT INTO conformance_ledger (id, note) VALUES (1, $1)", *value)));
    return rt_suite_notes(ctx, suite, 0);
}

static const char *kept(rt_ctx *ctx, const rt_sql_suite *suite, const char *type,
                        const rt_sql_value *values, size_t count)
{
    if (suite->dialect != RT_SQL_POSTGRES)
        return refused(ctx, suite, &values[0]);
    CHECK(
        rt_suite_table(ctx, suite, "conformance_arrays", rt_format(ctx, "id bigint, a %s", type)));
    /* A text of its own: the types of parameters are what they were when it was prepared. */
    const char *insert =
        rt_format(ctx, "INSERT INTO conformance_arrays (id, a) VALUES ($1, $2) -- %s", type);
    for (size_t i = 0; i < count; i++) {
        rt_sql_rows rows;
        rt_sql_value key = rt_sql_int((int64_t)i);
        CHECK(rt_suite_affects(ctx, suite, 1, RT_SQL(insert, key, values[i])));
        CHECK(rt_suite_query(ctx, suite, 1, &rows,
                             RT_SQL("SELECT a FROM conformance_arrays WHERE id = $1", key)));
        const char *complaint = rt_suite_compare(ctx, rt_sql_get(&rows, 0, 0), &values[i]);
        if (complaint)
            return rt_format(ctx, "array %zu of %s: %s", i, type, complaint);
    }
    return NULL;
}

static const char *numbers(rt_ctx *ctx, void *subject)
{
    const rt_sql_value integers[] = {ARRAY(RT_SQL_INT, rt_sql_int(INT64_MIN), rt_sql_null(),
                                           rt_sql_int(0), rt_sql_int(INT64_MAX)),
                                     ARRAY(RT_SQL_INT), ARRAY(RT_SQL_INT, rt_sql_null())};
    const rt_sql_value doubles[] = {
        ARRAY(RT_SQL_DOUBLE, rt_sql_double(-0.5), rt_sql_double(1e300), rt_sql_null())};
    CHECK(kept(ctx, subject, "bigint[]", integers, COUNT_OF(integers)));
    return kept(ctx, subject, "double precision[]", doubles, COUNT_OF(doubles));
}

static const char *texts(rt_ctx *ctx, void *subject)
{
    const rt_sql_value values[] = {
        ARRAY(RT_SQL_TEXT, rt_sql_text("tea"), rt_sql_text(""), rt_sql_null(), rt_sql_text("NULL"),
              rt_sql_text("null"), rt_sql_text("a,b"), rt_sql_text("{x}"), rt_sql_text("\"q\""),
              rt_sql_text("back\\slash"), rt_sql_text("it's"), rt_sql_text(" blank "),
              rt_sql_text("\xe2\x82\xac\n\t")),
        ARRAY(RT_SQL_TEXT), ARRAY(RT_SQL_TEXT, rt_sql_text(""))};
    return kept(ctx, subject, "text[]", values, COUNT_OF(values));
}

static const char *others(rt_ctx *ctx, void *subject)
{
    const rt_sql_value truths[] = {
        ARRAY(RT_SQL_BOOL, rt_sql_bool(1), rt_sql_null(), rt_sql_bool(0))};
    const rt_sql_value times[] = {
        ARRAY(RT_SQL_TIME, rt_sql_time(-1), rt_sql_time(1709210096789012), rt_sql_null())};
    const rt_sql_value ids[] = {
        ARRAY(RT_SQL_UUID, rt_sql_uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), rt_sql_null())};
    const rt_sql_value bytes[] = {
        ARRAY(RT_SQL_BYTES, rt_sql_bytes("\0\xff\"\\", 4), rt_sql_bytes("", 0), rt_sql_null())};
    CHECK(kept(ctx, subject, "boolean[]", truths, 1));
    CHECK(kept(ctx, subject, "timestamptz[]", times, 1));
    CHECK(kept(ctx, subject, "uuid[]", ids, 1));
    return kept(ctx, subject, "bytea[]", bytes, 1);
}

static const char *in_conditions(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    const rt_sql_value wanted = ARRAY(RT_SQL_INT, rt_sql_int(2), rt_sql_int(4), rt_sql_int(99));
    if (suite->dialect != RT_SQL_POSTGRES)
        return refused(ctx, suite, &wanted);
    CHECK(rt_suite_ledger(ctx, suite));
    for (int i = 1; i <= 5; i++)
        CHECK(rt_conformance_code(ctx, "a row", rt_suite_note(ctx, suite, i, "n"), 0));
    return rt_suite_number(
        ctx, suite, 2,
        RT_SQL("SELECT count(*) FROM conformance_ledger WHERE id = ANY($1)", wanted));
}

static const rt_conformance_case cases[] = {
    {"arrays of numbers are kept, empty ones and nulls too", numbers},
    {"arrays of texts are kept, whatever stands in them", texts},
    {"arrays of booleans, times, uuids and bytes are kept", others},
    {"an array is the parameter of a condition", in_conditions},
};
const rt_sql_area rt_sql_arrays_area = {cases, COUNT_OF(cases)};
