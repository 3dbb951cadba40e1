#include "sql_suite.h"

#include <float.h>
#include <math.h>
#include <time.h>

static const char *const columns =
    "id bigint PRIMARY KEY, i bigint, n integer, d double precision, "
    "t text, b bytea, o boolean, at timestamptz, u uuid, j jsonb";

/* Inserts each value into `column` and reads it back, by itself and as a parameter of a
 * comparison. */
static const char *kept(rt_ctx *ctx, const rt_sql_suite *suite, const char *column,
                        const rt_sql_value *values, size_t count)
{
    CHECK(rt_suite_table(ctx, suite, "conformance_values", columns));
    const char *insert =
        rt_format(ctx, "INSERT INTO conformance_values (id, %s) VALUES ($1, $2)", column);
    const char *select =
        rt_format(ctx, "SELECT id, %s FROM conformance_values WHERE id = $1", column);
    for (size_t i = 0; i < count; i++) {
        rt_sql_rows rows;
        rt_sql_value key = rt_sql_int((int64_t)i);
        CHECK(rt_suite_affects(ctx, suite, 1, RT_SQL(insert, key, values[i])));
        CHECK(rt_suite_query(ctx, suite, 1, &rows, RT_SQL(select, key)));
        const char *complaint = rt_suite_compare(ctx, rt_sql_get(&rows, 0, 1), &values[i]);
        if (complaint)
            return rt_format(ctx, "value %zu of `%s`: %s", i, column, complaint);
    }
    return NULL;
}

/* Each value, asked for as a parameter, finds its own row alone. */
static const char *found(rt_ctx *ctx, const rt_sql_suite *suite, const char *column,
                         const rt_sql_value *values, size_t count)
{
    CHECK(kept(ctx, suite, column, values, count));
    const char *select = rt_format(ctx, "SELECT id FROM conformance_values WHERE %s = $1", column);
    for (size_t i = 0; i < count; i++) {
        CHECK(rt_suite_number(ctx, suite, (int64_t)i, RT_SQL(select, values[i])));
        CHECK(rt_suite_number(ctx, suite, (int64_t)i, RT_SQL_BY_KEY(select, values[i])));
    }
    return NULL;
}

/* --- numbers --------------------------------------------------------------------------------- */

static const char *integers(rt_ctx *ctx, void *subject)
{
    const rt_sql_value values[] = {rt_sql_int(INT64_MIN),
                                   rt_sql_int(INT64_MIN + 1),
                                   rt_sql_int(-((INT64_C(1) << 53) + 1)),
                                   rt_sql_int(INT32_MIN),
                                   rt_sql_int(-1),
                                   rt_sql_int(0),
                                   rt_sql_int(1),
                                   rt_sql_int(INT32_MAX),
                                   rt_sql_int((INT64_C(1) << 53) + 1),
                                   rt_sql_int(INT64_MAX)};
    const rt_sql_value narrow[] = {rt_sql_int(INT32_MIN), rt_sql_int(-1), rt_sql_int(0),
                                   rt_sql_int(INT32_MAX)};
    CHECK(found(ctx, subject, "i", values, COUNT_OF(values)));
    return found(ctx, subject, "n", narrow, COUNT_OF(narrow));
}

static const char *doubles(rt_ctx *ctx, void *subject)
{
    const rt_sql_value values[] = {rt_sql_double(0.0),          rt_sql_double(1),
                                   rt_sql_double(-2),           rt_sql_double(0.1),
                                   rt_sql_double(1.0 / 3),      rt_sql_double(9007199254740993.0),
                                   rt_sql_double(1e18),         rt_sql_double(DBL_MAX),
                                   rt_sql_double(-DBL_MAX),     rt_sql_double(DBL_MIN),
                                   rt_sql_double(DBL_TRUE_MIN), rt_sql_double(-4.9e-320),
                                   rt_sql_double(HUGE_VAL),     rt_sql_double(-HUGE_VAL)};
    return found(ctx, subject, "d", values, COUNT_OF(values));
}

/* sqlite has no negative zero in its files, and no NaN at all: that is refused, not made null. */
static const char *odd_doubles(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_value values[] = {rt_sql_double(-0.0), rt_sql_double(NAN)};
    if (suite->dialect == RT_SQL_POSTGRES)
        return kept(ctx, suite, "d", values, COUNT_OF(values));
    rt_sql_rows rows;
    CHECK(rt_suite_table(ctx, suite, "conformance_values", columns));
    const char *insert = "INSERT INTO conformance_values (id, d) VALUES (1, $1)";
    CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, NULL, RT_SQL(insert, values[1])));
    CHECK(rt_suite_affects(ctx, suite, 1, RT_SQL(insert, values[0])));
    CHECK(rt_suite_query(ctx, suite, 1, &rows, RT_SQL("SELECT d FROM conformance_values")));
    return rt_sql_get(&rows, 0, 0)->type == RT_SQL_DOUBLE && rt_sql_get_double(&rows, 0, 0) == 0.0
               ? NULL
               : "negative zero is read as another number";
}

/* An integer goes wherever the server takes a number. */
static const char *integers_elsewhere(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_rows rows;
    CHECK(rt_suite_table(ctx, suite, "conformance_numbers",
                         "d double precision, m numeric, n integer"));
    CHECK(rt_suite_affects(ctx, suite, 1,
                           RT_SQL("INSERT INTO conformance_numbers (d, m, n) VALUES ($1, $2, $3)",
                                  rt_sql_int(-3), rt_sql_int(17), rt_sql_int(5))));
    CHECK(rt_suite_query(ctx, suite, 1, &rows,
                         RT_SQL("SELECT d, m, n FROM conformance_numbers LIMIT $1 OFFSET $2",
                                rt_sql_int(5), rt_sql_int(0))));
    if (rt_sql_get(&rows, 0, 0)->type != RT_SQL_DOUBLE || rt_sql_get_double(&rows, 0, 0) != -3.0)
        return "an integer in a column of doubles is read as something else";
    return rt_sql_get_text(&rows, 0, 1) && strcmp(rt_sql_get_text(&rows, 0, 1), "17") == 0
               ? NULL
               : "an integer in a numeric column is not the text `17`";
}

static const char *too_large(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, "NUMERIC_VALUE_OUT_OF_RANGE",
                         RT_SQL("SELECT abs(CAST($1 AS bigint))", rt_sql_int(INT64_MIN))));
    if (suite->dialect == RT_SQL_POSTGRES) {
        CHECK(rt_suite_table(ctx, suite, "conformance_values", columns));
        CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, "NUMERIC_VALUE_OUT_OF_RANGE",
                             RT_SQL("INSERT INTO conformance_values (id, n) VALUES (1, $1)",
                                    rt_sql_int(INT64_C(1) << 31))));
        CHECK(rt_suite_number(ctx, suite, 0, RT_SQL("SELECT count(*) FROM conformance_values")));
    }
    return rt_suite_alive(ctx, suite);
}

/* --- texts and bytes ------------------------------------------------------------------------- */

enum { MEGABYTE = 1 << 20 };

static const char *texts(rt_ctx *ctx, void *subject)
{
    char *large = rt_alloc(ctx, MEGABYTE + 1);
    for (int i = 0; i < MEGABYTE; i++)
        large[i] = (char)('a' + i % 26);
    const rt_sql_value values[] = {
        rt_sql_text(""),
        rt_sql_text("tea"),
        rt_sql_text(" tea "),
        rt_sql_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 e\xcc\x81 \xef\xbf\xbf"),
        rt_sql_text("it's \"quoted\" \\ `back` $1 :a ?1 @b % _"),
        rt_sql_text("\x01\x1f\x7f\t\r\n"),
        rt_sql_text("null"),
        rt_sql_text("12"),
        rt_sql_text("1e5"),
        rt_sql_str((rt_str){"a part of a text", 6}),
        rt_sql_text(large)};
    return found(ctx, subject, "t", values, COUNT_OF(values));
}

static const char *bytes(rt_ctx *ctx, void *subject)
{
    unsigned char *all = rt_alloc(ctx, 256), *large = rt_alloc(ctx, MEGABYTE);
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    for (int i = 0; i < MEGABYTE; i++)
        large[i] = (unsigned char)(i * 7 + (i >> 8));
    const rt_sql_value values[] = {rt_sql_bytes(NULL, 0),        rt_sql_bytes("\0", 1),
                                   rt_sql_bytes("\\x41", 4),     rt_sql_bytes("\xff\xfe", 2),
                                   rt_sql_bytes("12", 2),        rt_sql_bytes(all, 256),
                                   rt_sql_bytes(large, MEGABYTE)};
    return found(ctx, subject, "b", values, COUNT_OF(values));
}

/* --- truth, time, ids, documents ------------------------------------------------------------- */

static const char *booleans(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    const rt_sql_value values[] = {rt_sql_bool(0), rt_sql_bool(1)};
    CHECK(found(ctx, suite, "o", values, COUNT_OF(values)));
    return rt_suite_number(ctx, suite, 1, RT_SQL("SELECT id FROM conformance_values WHERE o"));
}

static const char *times(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    const rt_sql_value values[] = {
        rt_sql_time(
            INT64_C(-210866803200000000)),        /* -4713-11-24, the first day that servers have */
        rt_sql_time(INT64_C(-62135596800000000)), /* 0001-01-01 */
        rt_sql_time(INT64_C(-2208988800000001)),  /* the last of 1899 */
        rt_sql_time(-1),
        rt_sql_time(0),
        rt_sql_time(1),
        rt_sql_time(INT64_C(946684799999999)), /* the last of 1999 */
        rt_sql_time(INT64_C(946684800000000)),
        rt_sql_time(INT64_C(1709210096789012)),   /* 2024-02-29T12:34:56.789012Z */
        rt_sql_time(INT64_C(253402300799999999)), /* 9999-12-31T23:59:59.999999Z */
        rt_sql_time(INT64_C(9214646400000000000))};
    CHECK(found(ctx, suite, "at", values, COUNT_OF(values)));
    for (size_t i = 0; i < COUNT_OF(values); i++)
        CHECK(rt_suite_number(
            ctx, suite, (int64_t)i,
            RT_SQL("SELECT count(*) FROM conformance_values WHERE at < $1", values[i])));
    return NULL;
}

static const char *written_times(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    const rt_sql_value value = rt_sql_time(INT64_C(1709210096789012));
    CHECK(kept(ctx, suite, "at", &value, 1));
    return rt_suite_number(
        ctx, suite, 0,
        RT_SQL(rt_sql_in_dialect(
            ctx, suite->sql,
            "SELECT id FROM conformance_values WHERE strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, "
            "'unixepoch') = '2024-02-29T12:34:56'",
            "SELECT id FROM conformance_values WHERE at = '2024-02-29T12:34:56.789012Z'")));
}

static const char *now(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    const int64_t day = INT64_C(86400000000), here = (int64_t)time(NULL) * 1000000;
    rt_sql_rows rows;
    CHECK(rt_suite_table(ctx, suite, "conformance_clock",
                         "id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT (now())"));
    CHECK(rt_suite_exec(ctx, suite, RT_SQL("INSERT INTO conformance_clock (id) VALUES (1)")));
    CHECK(rt_suite_exec(ctx, suite,
                        RT_SQL("INSERT INTO conformance_clock (id, at) VALUES (2, now())")));
    CHECK(rt_suite_query(ctx, suite, 2, &rows,
                         RT_SQL("SELECT at FROM conformance_clock WHERE at <= now()")));
    for (uint64_t i = 0; i < 2; i++) {
        int64_t at = rt_sql_get_int(&rows, i, 0);
        if (rt_sql_get(&rows, i, 0)->type != RT_SQL_TIME || at < here - day || at > here + day)
            return rt_format(ctx, "now is %lld, here it is %lld", (long long)at, (long long)here);
    }
    return NULL;
}

static const char *ids(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    const rt_sql_value values[] = {rt_sql_uuid("00000000-0000-0000-0000-000000000000"),
                                   rt_sql_uuid("ffffffff-ffff-ffff-ffff-ffffffffffff"),
                                   rt_sql_uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
                                   rt_sql_uuid("12345678-1234-1234-1234-123456789012")};
    CHECK(found(ctx, suite, "u", values, COUNT_OF(values)));
    return rt_suite_number(ctx, suite, 2,
                           RT_SQL("SELECT id FROM conformance_values WHERE u = $1",
                                  rt_sql_uuid("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11")));
}

static const char *made_ids(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    rt_sql_rows rows;
    CHECK(rt_suite_table(ctx, suite, "conformance_ids",
                         "id uuid PRIMARY KEY DEFAULT (gen_random_uuid()), n bigint"));
    for (int i = 0; i < 3; i++)
        CHECK(rt_suite_exec(ctx, suite, RT_SQL("INSERT INTO conformance_ids (n) VALUES (1)")));
    CHECK(rt_suite_exec(
        ctx, suite, RT_SQL("INSERT INTO conformance_ids (id, n) VALUES (gen_random_uuid(), 2)")));
    CHECK(rt_suite_query(ctx, suite, 4, &rows, RT_SQL("SELECT id FROM conformance_ids")));
    for (uint64_t i = 0; i < 4; i++) {
        const char *id = rt_sql_get_text(&rows, i, 0);
        if (rt_sql_get(&rows, i, 0)->type != RT_SQL_UUID || strlen(id) != 36 || id[14] != '4')
            return rt_format(ctx, "the id is `%s`", id ? id : "(null)");
    }
    return NULL;
}

static const char *documents(rt_ctx *ctx, void *subject)
{
    const rt_sql_suite *suite = subject;
    const rt_sql_value values[] = {
        rt_sql_json("{\"a\": [1, 2.5, {\"b\": null}], \"\": \"\\u20ac \\\"q\\\" \\\\ \xf0\x9f\x98"
                    "\x80\", \"t\": true}"),
        rt_sql_json("[]"),
        rt_sql_json("{}"),
        rt_sql_json("17"),
        rt_sql_json("-2.5"),
        rt_sql_json("\"17\""),
        rt_sql_json("null"),
        rt_sql_json("true"),
        rt_sql_json("\"\"")};
    CHECK(kept(ctx, suite, "j", values, COUNT_OF(values)));
    return rt_suite_number(
        ctx, suite, 0,
        RT_SQL("SELECT id FROM conformance_values WHERE j ->> 't' IS NOT NULL AND id = 0"));
}

static const char *wrong_documents(rt_ctx *ctx, void *subject)
{
    static const char *const wrong[] = {"", "{", "{\"a\":}", "[1,]", "tea", "'a'", "{\"a\":1} x"};
    const rt_sql_suite *suite = subject;
    CHECK(rt_suite_table(ctx, suite, "conformance_values", columns));
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        const char *text = "INSERT INTO conformance_values (id, j) VALUES (1, $1)";
        CHECK(rt_suite_fails(ctx, suite, -RT_EINVALID_ARGUMENT, "INVALID_TEXT_REPRESENTATION",
                             RT_SQL(text, rt_sql_json(wrong[i]))));
    }
    return rt_suite_number(ctx, suite, 0, RT_SQL("SELECT count(*) FROM conformance_values"));
}

/* --- nulls, and types that are none of ours -------------------------------------------------- */

static const char *nulls(rt_ctx *ctx, void *subject)
{
    static const char *const names[] = {"i", "n", "d", "t", "b", "o", "at", "u", "j"};
    static const uint32_t types[] = {RT_SQL_INT,  RT_SQL_INT,   RT_SQL_DOUBLE,
                                     RT_SQL_TEXT, RT_SQL_BYTES, RT_SQL_BOOL,
                                     RT_SQL_TIME, RT_SQL_UUID,  RT_SQL_JSON};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const rt_sql_value values[] = {rt_sql_null(), {.type = RT_SQL_NULL, .of = types[i]}};
        CHECK(kept(ctx, subject, names[i], values, COUNT_OF(values)));
        CHECK(rt_suite_number(
            ctx, subject, 2,
            RT_SQL(rt_format(ctx, "SELECT count(*) FROM conformance_values WHERE %s IS NULL",
                             names[i]))));
    }
    return NULL;
}

static const char *other_types(rt_ctx *ctx, void *subject)
{
    static const char *const wanted[] = {"12.5", "2024-02-29", "short"};
    const rt_sql_suite *suite = subject;
    rt_sql_rows rows;
    CHECK(rt_suite_table(ctx, suite, "conformance_others", "m numeric, day date, v varchar(20)"));
    CHECK(rt_suite_exec(ctx, suite,
                        RT_SQL("INSERT INTO conformance_others (m, day, v) VALUES (12.5, "
                               "'2024-02-29', 'short')")));
    CHECK(rt_suite_query(ctx, suite, 1, &rows, RT_SQL("SELECT m, day, v FROM conformance_others")));
    for (uint32_t i = 0; i < COUNT_OF(wanted); i++) {
        const rt_sql_value text = rt_sql_text(wanted[i]);
        const char *complaint = rt_suite_compare(ctx, rt_sql_get(&rows, 0, i), &text);
        if (complaint)
            return rt_format(ctx, "column %u: %s", i, complaint);
    }
    return NULL;
}

static const rt_conformance_case cases[] = {
    {"integers are kept to their bounds", integers},
    {"doubles are kept bit by bit, infinite and subnormal ones too", doubles},
    {"negative zero and NaN are kept where the server has them", odd_doubles},
    {"an integer goes wherever a number is wanted", integers_elsewhere},
    {"a number out of range is an invalid argument", too_large},
    {"texts are kept, empty, odd and large ones too", texts},
    {"bytes of every value are kept, none and a megabyte of them too", bytes},
    {"booleans are kept and can be asked for", booleans},
    {"times are kept to the microsecond, long ago and far away", times},
    {"a time is in UTC for the server too", written_times},
    {"now() is the time, also as a default", now},
    {"uuids are kept and compared without case", ids},
    {"gen_random_uuid() makes ids, also as a default", made_ids},
    {"JSON of every kind is kept", documents},
    {"what is no JSON is refused", wrong_documents},
    {"nulls of each type are kept, with and without a type", nulls},
    {"a type that is none of ours is read as text", other_types},
};
const rt_sql_area rt_sql_values_area = {cases, COUNT_OF(cases)};
