#include "harness.h"

#include "base/buffer.h"
#include "fiber/fiber.h"
#include "http/http.h"
#include "http/json_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static rt_instance instance = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof instance, .name = "test", .module = "test"};

/* Runs `body` as a unit of work. */
static void in_unit(rt_work body, void *argument)
{
    CU_ASSERT_EQUAL(rt_loop_open(&(rt_loop_options){0}), 0);
    rt_unit_options options = {.instance = &instance, .name = "test"};
    CU_ASSERT_PTR_NULL(rt_unit_start(&options, body, argument));
    rt_loop_close();
}

/* --- reading --------------------------------------------------------------------------------- */

static int parse(rt_ctx *ctx, const char *text, const rt_json_value **value)
{
    return rt_host_json_parse(ctx, text, strlen(text), value);
}

static int read_tree(rt_ctx *ctx, void *argument)
{
    (void)argument;
    const rt_json_value *v = NULL;
    CU_ASSERT_EQUAL(parse(ctx, " {\"a\":[1,-2,3.5,true,false,null,\"t\\u00e9\\n\"],\"b\":{}} ", &v),
                    0);
    CU_ASSERT_EQUAL(v->type, RT_JSON_OBJECT);
    CU_ASSERT_EQUAL(v->count, 2);
    const rt_json_value *a = rt_json_get(v, "a");
    CU_ASSERT_EQUAL(a->type, RT_JSON_ARRAY);
    CU_ASSERT_EQUAL(a->count, 7);
    CU_ASSERT_STRING_EQUAL(a->key, "a");
    const rt_json_value *m = a->value.first;
    CU_ASSERT_EQUAL(rt_json_int(m, 0), 1);
    CU_ASSERT_PTR_NULL(m->key);
    CU_ASSERT_EQUAL(rt_json_int(m = m->next, 0), -2);
    m = m->next;
    CU_ASSERT_TRUE(m->type == RT_JSON_REAL && m->value.real == 3.5);
    m = m->next;
    CU_ASSERT_TRUE(m->type == RT_JSON_BOOL && m->value.integer == 1);
    m = m->next;
    CU_ASSERT_TRUE(m->type == RT_JSON_BOOL && m->value.integer == 0);
    m = m->next;
    CU_ASSERT_EQUAL(m->type, RT_JSON_NULL);
    m = m->next;
    CU_ASSERT_STRING_EQUAL(rt_json_string(m), "t\xc3\xa9\n");
    CU_ASSERT_EQUAL(m->count, 4);
    CU_ASSERT_PTR_NULL(m->next);
    CU_ASSERT_EQUAL(rt_json_get(v, "b")->count, 0);
    CU_ASSERT_PTR_NULL(rt_json_get(v, "c"));
    return 0;
}

static void tree(void)
{
    in_unit(read_tree, NULL);
}

static int read_numbers(rt_ctx *ctx, void *argument)
{
    (void)argument;
    const rt_json_value *v = NULL;
    CU_ASSERT_EQUAL(parse(ctx, "9223372036854775807", &v), 0);
    CU_ASSERT_EQUAL(rt_json_int(v, 0), INT64_MAX);
    CU_ASSERT_EQUAL(parse(ctx, "-9223372036854775808", &v), 0);
    CU_ASSERT_EQUAL(rt_json_int(v, 0), INT64_MIN);
    CU_ASSERT_EQUAL(parse(ctx, "1.0", &v), 0);
    CU_ASSERT_EQUAL(v->type, RT_JSON_REAL);
    CU_ASSERT_EQUAL(parse(ctx, "1e2", &v), 0);
    CU_ASSERT_TRUE(v->type == RT_JSON_REAL && v->value.real == 100);
    return 0;
}

static void numbers(void)
{
    in_unit(read_numbers, NULL);
}

typedef struct wrong {
    const char *text;
    size_t length;
    const char *message; /* a part of it */
} wrong;

#define W(text, message)               \
    {                                  \
        text, sizeof text - 1, message \
    }

static const wrong wrongs[] = {
    W("", "there is no value"),
    W("  ", "there is no value"),
    W("nul", "at byte 3"),
    W("[1,]", "at byte 3"),
    W("[1 2]", "at byte 3"),
    W("[1", "at byte 2"),
    W("{\"a\"}", "at byte 4"),
    W("{\"a\":1,}", "at byte 7"),
    W("{a:1}", "at byte 1"),
    W("{'a':1}", "at byte 1"),
    W("1 1", "at byte 2"),
    W("{}x", "at byte 2"),
    W("01", "at byte 1"),
    W("+1", "at byte 0"),
    W("1.", "at byte 2"),
    W(".5", "at byte 0"),
    W("1e", "at byte 2"),
    W("-", "at byte 1"),
    W("NaN", "at byte 0"),
    W("\"a", "at byte 2"),
    W("\"\\x\"", "at byte 2"),
    W("\"\\u12g4\"", "at byte 5"),
    W("\"a\nb\"", "at byte 2"),
    W("\"a\tb\"", "at byte 2"),
    W("[\"\xff\"]", "at byte 2"),
    W("\"\xc0\x80\"", "at byte 1"),
    W("\"\xed\xa0\x80\"", "at byte 1"),
    W("\"\\ud800\"", "escape"),
    W("\"a\\u0000b\"", "NUL"),
    W("{\"a\\u0000\":1}", "NUL"),
    W("\"a\0b\"", "at byte 2"),
    W("{}\0", "at byte 2"),
    W("9223372036854775808", "63 bits"),
    W("18446744073709551616", "number"),
    W("-9223372036854775809", "number"),
    W("1e400", "number"),
    W("{\"a\":1,\"b\":2,\"a\":3}", "`a` appears twice"),
    W("{\"a\":1,\"\\u0061\":3}", "`a` appears twice"),
    W("[{\"\":1,\"\":3}]", "`` appears twice"),
    W("// comment\n1", "at byte 0"),
    W("\xef\xbb\xbf{}", "at byte 0"),
};

static int read_wrongs(rt_ctx *ctx, void *argument)
{
    (void)argument;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        const rt_json_value *v = NULL;
        int result = rt_host_json_parse(ctx, wrongs[i].text, wrongs[i].length, &v);
        CU_ASSERT_EQUAL(result, -RT_EINVALID_ARGUMENT);
        CU_ASSERT_PTR_NULL(v);
        const rt_error *error = rt_host_last_error(ctx);
        const char *message = result ? error->message : "none";
        CU_ASSERT_PTR_NOT_NULL(strstr(message, wrongs[i].message));
        if (!strstr(message, wrongs[i].message))
            printf("\n    `%s`: %s\n", wrongs[i].text, message);
    }
    return 0;
}

static void refusals(void)
{
    in_unit(read_wrongs, NULL);
}

static int read_nested(rt_ctx *ctx, void *argument)
{
    char text[4096];
    const char *pair = argument;
    for (int depth = 64; depth <= 66; depth++) {
        const rt_json_value *v = NULL;
        memset(text, pair[0], (size_t)depth);
        memset(text + depth, pair[1], (size_t)depth);
        text[2 * depth] = 0;
        CU_ASSERT_EQUAL(parse(ctx, text, &v), depth == 64 ? 0 : -RT_EINVALID_ARGUMENT);
    }
    memset(text, '[', sizeof text - 1);
    text[sizeof text - 1] = 0;
    const rt_json_value *v = NULL;
    CU_ASSERT_EQUAL(parse(ctx, text, &v), -RT_EINVALID_ARGUMENT);
    return 0;
}

static void nesting(void)
{
    in_unit(read_nested, "[]");
}

static int read_large(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_buffer text = {0};
    rt_buffer_char(&text, '{');
    for (int i = 0; i < 200000; i++)
        rt_buffer_format(&text, "%s\"%d\":%d", i ? "," : "", i, i);
    rt_buffer_char(&text, '}');
    const rt_json_value *v = NULL;
    uint64_t before = rt_host_now();
    CU_ASSERT_EQUAL(rt_host_json_parse(ctx, text.data, text.length, &v), 0);
    CU_ASSERT_TRUE(rt_host_now() - before < RT_S(5)); /* a square of the keys would take minutes */
    CU_ASSERT_EQUAL(v ? v->count : 0, 200000);
    CU_ASSERT_EQUAL(parse(ctx, "[1]", &v), 0);
    rt_buffer_free(&text);
    return 0;
}

static void large_objects(void)
{
    in_unit(read_large, NULL);
}

/* --- writing --------------------------------------------------------------------------------- */

/* One letter an event: { [ ] k s n t i r; `}` and `]` both end. */
static int write_script(rt_ctx *ctx, const char *script, rt_str *text)
{
    rt_json *json = rt_host_json_new(ctx);
    int64_t integer = -7, truth = 1;
    double real = 0.1;
    for (; *script; script++) {
        const struct {
            char letter;
            uint32_t event;
            const void *value;
            uint64_t length;
        } events[] = {
            {'{', RT_JSON_BEGIN_OBJECT, NULL, 0},
            {'[', RT_JSON_BEGIN_ARRAY, NULL, 0},
            {'}', RT_JSON_END, NULL, 0},
            {']', RT_JSON_END, NULL, 0},
            {'k', RT_JSON_PUT_KEY, "k\"", 2},
            {'s', RT_JSON_PUT_STRING, "a\n\xff\xc3\xa9", 5},
            {'n', RT_JSON_PUT_NULL, NULL, 0},
            {'t', RT_JSON_PUT_BOOL, &truth, 8},
            {'i', RT_JSON_PUT_INT, &integer, 8},
            {'r', RT_JSON_PUT_REAL, &real, 8},
            {'x', 99, NULL, 0},
        };
        for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
            if (events[i].letter == *script)
                rt_host_json_event(json, events[i].event, events[i].value, events[i].length);
    }
    return rt_host_json_text(json, text);
}

static int write_good(rt_ctx *ctx, void *argument)
{
    (void)argument;
    static const char *const pairs[][2] = {
        {"{}", "{}"},
        {"[]", "[]"},
        {"n", "null"},
        {"t", "true"},
        {"i", "-7"},
        {"s", "\"a\\n\xef\xbf\xbd\xc3\xa9\""},
        {"{kiksk[]k{}}", "{\"k\\\"\":-7,\"k\\\"\":\"a\\n\xef\xbf\xbd\xc3\xa9\",\"k\\\"\":[],"
                         "\"k\\\"\":{}}"},
        {"[[i,i]{}nr]", "[[-7,-7],{},null,0.1]"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        rt_str text;
        CU_ASSERT_EQUAL(write_script(ctx, pairs[i][0], &text), 0);
        CU_ASSERT_STRING_EQUAL(text.data, pairs[i][1]);
        CU_ASSERT_EQUAL(text.length, strlen(pairs[i][1]));
    }
    return 0;
}

static void writing(void)
{
    in_unit(write_good, NULL);
}

static int write_bad(rt_ctx *ctx, void *argument)
{
    (void)argument;
    static const char *const scripts[] = {"",   "{",  "[",   "]",   "{i}", "{k}", "{kk}", "k",
                                          "[k", "ii", "{}]", "{}n", "x",   "[x]", "{ki",  "{kii}"};
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        rt_str text;
        CU_ASSERT_EQUAL(write_script(ctx, scripts[i], &text), -RT_EFAILED_PRECONDITION);
        CU_ASSERT_PTR_NULL(text.data);
    }
    char deep[132] = "";
    rt_str text;
    memset(deep, '[', 64), memset(deep + 64, ']', 64);
    CU_ASSERT_EQUAL(write_script(ctx, deep, &text), 0);
    memset(deep, '[', 65), memset(deep + 65, ']', 65);
    CU_ASSERT_EQUAL(write_script(ctx, deep, &text), -RT_EFAILED_PRECONDITION);
    return 0;
}

static void misuse(void)
{
    in_unit(write_bad, NULL);
}

static int write_reals(rt_ctx *ctx, void *argument)
{
    (void)argument;
    static const struct {
        double real;
        const char *text;
    } reals[] = {{0.1, "0.1"},
                 {1, "1.0"},
                 {-0.0, "-0.0"},
                 {1e300, "1e+300"},
                 {1.0 / 3, "0.3333333333333333"},
                 {5e-324, "4.94065645841247e-324"},
                 {NAN, "null"},
                 {INFINITY, "null"},
                 {-INFINITY, "null"},
                 {123456789012345680.0, "1.2345678901234568e+17"}};
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        rt_json *json = rt_host_json_new(ctx);
        rt_str text;
        rt_host_json_event(json, RT_JSON_PUT_REAL, &reals[i].real, 8);
        CU_ASSERT_EQUAL(rt_host_json_text(json, &text), 0);
        CU_ASSERT_STRING_EQUAL(text.data, reals[i].text);
        if (isfinite(reals[i].real))
            CU_ASSERT_EQUAL(strtod(text.data, NULL), reals[i].real);
    }
    return 0;
}

static void reals(void)
{
    in_unit(write_reals, NULL);
}

RT_TEST_MAIN("json", {"a tree has every type, its members in order, and keys", tree},
             {"integers keep 64 bits and reals are told by how they are written", numbers},
             {"everything malformed is refused with its place or its name", refusals},
             {"arrays nest 64 deep and no deeper", nesting},
             {"two hundred thousand keys are checked without squaring", large_objects},
             {"what is written is JSON, escaped and repaired", writing},
             {"each misuse is reported when the text is asked for", misuse},
             {"reals are written with the fewest digits that read back", reals})
