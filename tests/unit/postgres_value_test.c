/* The types of PostgreSQL: values to bytes and back, in binary and as text. */
#include "harness.h"

#include "sql/postgres_types.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BOOL = 16, BYTEA = 17, INT8 = 20, INT2 = 21, INT4 = 23, TEXT = 25, OID = 26, JSON = 114 };
enum { FLOAT4 = 700, FLOAT8 = 701, INT8S = 1016, TEXTS = 1009, TIMES = 1185, TIMESTAMPTZ = 1184 };
enum { NUMERIC = 1700, UUID = 2950, JSONB = 3802, DATE = 1082, BYTEAS = 1001 };

/* The codec takes memory of its own here; no host is there. */
const rt_host *rt_host_table;

static rt_pg_memory memory;

static void clean(void)
{
    rt_pg_memory_free(&memory);
}

static rt_pg_encoded encoded(Oid type, rt_sql_value value, const char *expected)
{
    rt_pg_encoded result;
    const char *state = rt_pg_encode(&memory, type, &value, &result);
    if (expected ? !state || strcmp(state, expected) != 0 : state != NULL)
        CU_FAIL("another verdict was expected");
    return result;
}

/* The value as it comes back when the server sends what it was sent. */
static rt_sql_value returned(Oid type, rt_sql_value value)
{
    rt_sql_value back = {0};
    rt_pg_encoded sent;
    CU_ASSERT_PTR_NULL(rt_pg_encode(&memory, type, &value, &sent));
    CU_ASSERT_PTR_NULL(rt_pg_decode(&memory, type, sent.binary,
                                    sent.bytes == NULL ? "" : sent.bytes, sent.length, &back));
    return back;
}

static rt_sql_value read_text(Oid type, const char *text, const char *expected)
{
    rt_sql_value value = {0};
    const char *state = rt_pg_decode(&memory, type, 0, text, (int)strlen(text), &value);
    if (expected ? !state || strcmp(state, expected) != 0 : state != NULL)
        CU_FAIL("another verdict was expected");
    return value;
}

/* --- numbers --------------------------------------------------------------------------------- */

static void integers(void)
{
    static const struct {
        Oid type;
        int64_t least, most;
    } bounds[] = {{INT2, INT16_MIN, INT16_MAX},
                  {INT4, INT32_MIN, INT32_MAX},
                  {INT8, INT64_MIN, INT64_MAX},
                  {OID, 0, UINT32_MAX}};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        CU_ASSERT_EQUAL(returned(bounds[i].type, rt_sql_int(bounds[i].least)).value.integer,
                        bounds[i].least);
        CU_ASSERT_EQUAL(returned(bounds[i].type, rt_sql_int(bounds[i].most)).value.integer,
                        bounds[i].most);
        if (bounds[i].most == INT64_MAX)
            continue;
        encoded(bounds[i].type, rt_sql_int(bounds[i].most + 1), "22003");
        encoded(bounds[i].type, rt_sql_int(bounds[i].least - 1), "22003");
    }
    clean();
}

static void integers_elsewhere(void)
{
    rt_pg_encoded numeric = encoded(NUMERIC, rt_sql_int(INT64_MIN), NULL);
    CU_ASSERT_FALSE(numeric.binary);
    CU_ASSERT_STRING_EQUAL(numeric.bytes, "-9223372036854775808");
    CU_ASSERT_EQUAL(returned(FLOAT8, rt_sql_int(-7)).value.real, -7.0);
    CU_ASSERT_STRING_EQUAL(encoded(TEXT, rt_sql_int(5), NULL).bytes, "5");
    clean();
}

static void reals(void)
{
    static const double samples[] = {0.1, -0.0, 5e-324, 1.7976931348623157e308};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        double back = returned(FLOAT8, rt_sql_double(samples[i])).value.real;
        CU_ASSERT_EQUAL(memcmp(&back, &samples[i], sizeof back), 0);
    }
    CU_ASSERT_TRUE(isnan(returned(FLOAT8, rt_sql_double(NAN)).value.real));
    CU_ASSERT_TRUE(isinf(returned(FLOAT4, rt_sql_double(INFINITY)).value.real));
    encoded(FLOAT4, rt_sql_double(1e39), "22003");
    CU_ASSERT_STRING_EQUAL(encoded(NUMERIC, rt_sql_double(-INFINITY), NULL).bytes, "-Infinity");
    CU_ASSERT_EQUAL(read_text(FLOAT8, "-Infinity", NULL).value.real, -INFINITY);
    CU_ASSERT_TRUE(isnan(read_text(FLOAT8, "NaN", NULL).value.real));
    read_text(FLOAT8, "1.5x", "22P02");
    clean();
}

/* --- times ----------------------------------------------------------------------------------- */

static void times_in_binary(void)
{
    static const int64_t samples[] = {
        0, -1, 946684800000000, INT64_MAX, INT64_MIN, -62135596800000000, 253402300799999999};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        CU_ASSERT_EQUAL(returned(TIMESTAMPTZ, rt_sql_time(samples[i])).value.integer, samples[i]);
    encoded(TIMESTAMPTZ, rt_sql_time(INT64_MIN + 1), "22008");
    clean();
}

static void times_in_text(void)
{
    static const struct {
        const char *text;
        int64_t time;
    } samples[] = {
        {"1970-01-01 00:00:00+00", 0},
        {"1969-12-31 23:59:59.999999+00", -1},
        {"2000-02-29 12:30:15.5+00", 951827415500000},
        {"2024-01-01 05:30:00+05:30", 1704067200000000},
        {"2023-12-31 19:00:00-05", 1704067200000000},
        {"0001-01-01 00:00:00+00", -62135596800000000},
        {"0001-12-31 00:00:00+00 BC", -62135683200000000},
        {"infinity", INT64_MAX},
        {"-infinity", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        CU_ASSERT_EQUAL(read_text(TIMESTAMPTZ, samples[i].text, NULL).value.integer,
                        samples[i].time);
    read_text(TIMESTAMPTZ, "294276-12-31 23:59:59+00", "22008");
    read_text(TIMESTAMPTZ, "yesterday", "22P02");
    read_text(TIMESTAMPTZ, "2024-13-01 00:00:00+00", "22P02");
    clean();
}

static void times_there_and_back(void)
{
    for (int64_t time = -INT64_C(200000000000000000); time < INT64_C(200000000000000000);
         time += 777777777777777) {
        rt_pg_encoded text = encoded(DATE, rt_sql_time(time), NULL);
        CU_ASSERT_EQUAL(read_text(TIMESTAMPTZ, text.bytes, NULL).value.integer, time);
    }
    clean();
}

/* --- words and bytes ------------------------------------------------------------------------- */

static void words(void)
{
    static const char uuid[] = "0189f7ae-3c5b-7000-8000-0123456789ab";
    CU_ASSERT_STRING_EQUAL(returned(UUID, rt_sql_uuid(uuid)).value.text, uuid);
    CU_ASSERT_STRING_EQUAL(
        returned(UUID, rt_sql_text("0189F7AE-3C5B-7000-8000-0123456789AB")).value.text, uuid);
    encoded(UUID, rt_sql_text("0189f7ae"), "22P02");
    encoded(UUID, rt_sql_text("0189f7ae-3c5b-7000-8000-0123456789abcd"), "22P02");
    encoded(UUID, rt_sql_text("x189f7ae-3c5b-7000-8000-0123456789ab"), "22P02");
    CU_ASSERT_STRING_EQUAL(returned(JSONB, rt_sql_json("{\"a\": 1}")).value.text, "{\"a\": 1}");
    CU_ASSERT_EQUAL(returned(JSON, rt_sql_json("[]")).type, RT_SQL_JSON);
    CU_ASSERT_STRING_EQUAL(returned(TEXT, rt_sql_str((rt_str){"abcdef", 3})).value.text, "abc");
    CU_ASSERT_EQUAL(returned(TEXT, rt_sql_text("")).length, 0);
    CU_ASSERT_PTR_NULL(encoded(TEXT, rt_sql_null(), NULL).bytes);
    clean();
}

static void all_bytes(void)
{
    unsigned char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)i;
    rt_sql_value back = returned(BYTEA, rt_sql_bytes(bytes, sizeof bytes));
    CU_ASSERT_EQUAL(back.length, sizeof bytes);
    CU_ASSERT_EQUAL(memcmp(back.value.bytes, bytes, sizeof bytes), 0);
    rt_pg_encoded text = encoded(TEXT, rt_sql_bytes(bytes, sizeof bytes), NULL);
    back = read_text(BYTEA, text.bytes, NULL);
    CU_ASSERT_EQUAL(memcmp(back.value.bytes, bytes, sizeof bytes), 0);
    read_text(BYTEA, "\\x0", "22P02");
    read_text(BYTEA, "\\xgg", "22P02");
    read_text(BYTEA, "abc", "22P02");
    clean();
}

/* --- arrays ---------------------------------------------------------------------------------- */

static void arrays_in_text(void)
{
    const rt_sql_value texts[] = {rt_sql_text("a\"b\\c"), rt_sql_text("NULL"), rt_sql_null(),
                                  rt_sql_text(""), rt_sql_text("{,}")};
    rt_pg_encoded sent = encoded(TEXTS, rt_sql_array(RT_SQL_TEXT, texts, 5), NULL);
    CU_ASSERT_STRING_EQUAL(sent.bytes, "{\"a\\\"b\\\\c\",\"NULL\",NULL,\"\",\"{,}\"}");
    rt_sql_value back = read_text(TEXTS, sent.bytes, NULL);
    CU_ASSERT_EQUAL_FATAL(back.length, 5);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(back.value.elements[i].type, texts[i].type);
        if (texts[i].type == RT_SQL_TEXT)
            CU_ASSERT_STRING_EQUAL(back.value.elements[i].value.text, texts[i].value.text);
    }
    CU_ASSERT_EQUAL(read_text(INT8S, "{}", NULL).length, 0);
    CU_ASSERT_EQUAL(read_text(INT8S, "[2:3]={4,NULL}", NULL).value.elements[0].value.integer, 4);
    read_text(INT8S, "{{1},{2}}", "0A000");
    read_text(INT8S, "{1,2", "22P02");
    read_text(INT8S, "1", "22P02");
    read_text(INT8S, "{\"", "22P02");
    clean();
}

/* What a hostile server could send is refused, and reads nothing beside it. */
static void arrays_in_binary(void)
{
    static const unsigned char sound[] = {0, 0, 0, 1, 0, 0, 0, 1, 0,   0,   0,   20,
                                          0, 0, 0, 2, 0, 0, 0, 1, 0,   0,   0,   8,
                                          0, 0, 0, 0, 0, 0, 0, 7, 255, 255, 255, 255};
    rt_sql_value value = {0};
    for (size_t length = 0; length <= sizeof sound; length++) {
        char *exact = malloc(length ? length : 1); /* so that the sanitizer sees one byte too far */
        CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
        memcpy(exact, sound, length);
        const char *state = rt_pg_decode(&memory, INT8S, 1, exact, (int)length, &value);
        CU_ASSERT_EQUAL(state == NULL, length == sizeof sound);
        free(exact);
    }
    CU_ASSERT_EQUAL_FATAL(value.length, 2);
    CU_ASSERT_EQUAL(value.value.elements[0].value.integer, 7);
    CU_ASSERT_EQUAL(value.value.elements[1].type, RT_SQL_NULL);
    unsigned char false_count[sizeof sound];
    memcpy(false_count, sound, sizeof sound);
    false_count[12] = 0x7f;
    CU_ASSERT_STRING_EQUAL(
        rt_pg_decode(&memory, INT8S, 1, (char *)false_count, sizeof sound, &value), "22P03");
    clean();
}

static void lengths(void)
{
    static const Oid fixed[] = {BOOL, INT2, INT4, INT8, FLOAT4, FLOAT8, TIMESTAMPTZ, UUID, JSONB};
    rt_sql_value value;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        CU_ASSERT_STRING_EQUAL(rt_pg_decode(&memory, fixed[i], 1, "", 0, &value), "22P03");
    CU_ASSERT_STRING_EQUAL(rt_pg_decode(&memory, JSONB, 1, "\2{}", 3, &value), "22P03");
    clean();
}

static void binary_copies(void)
{
    rt_pg_encoded result;
    rt_sql_value text = rt_sql_text("1");
    CU_ASSERT_STRING_EQUAL(rt_pg_encode_binary(&memory, INT8, &text, &result), "42804");
    CU_ASSERT_TRUE(rt_pg_writes_binary(TIMESTAMPTZ));
    CU_ASSERT_FALSE(rt_pg_writes_binary(NUMERIC));
    CU_ASSERT_FALSE(rt_pg_writes_binary(INT8S));
    CU_ASSERT_TRUE(rt_pg_reads_binary(INT8S));
    CU_ASSERT_EQUAL(rt_pg_type_of(DATE), RT_SQL_TEXT);
    clean();
}

RT_TEST_MAIN("postgres values",
             {"integers come back at their bounds, and are refused beyond", integers},
             {"an integer goes where no integer is", integers_elsewhere},
             {"doubles come back to the bit", reals},
             {"times come back in binary", times_in_binary},
             {"times are read as the server writes them", times_in_text},
             {"times written as text are read as the same", times_there_and_back},
             {"texts, uuids and json come back", words}, {"all bytes come back", all_bytes},
             {"arrays are written and read as text", arrays_in_text},
             {"a cut or false array in binary is refused", arrays_in_binary},
             {"a value of the wrong length is refused", lengths},
             {"binary copies take no value of another type", binary_copies})
