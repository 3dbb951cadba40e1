#include "harness.h"

#include "fiber/fiber.h"
#include "http/http.h"
#include "process/form.h"

#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>

/* --- a capability as a third party writes it ------------------------------------------------- */

typedef struct toy_part {
    const char *name;
    uint64_t weight;
    const struct toy_part *inside; /* of itself: a result may be as deep as it likes */
} toy_part;

typedef struct toy {
    uint32_t size;
    int32_t small;
    uint32_t natural;
    uint32_t colour;
    uint32_t broken;
    uint32_t tag_count;
    int64_t large;
    uint64_t huge;
    double real;
    const char *text;
    const char *const *tags;
    const toy_part *parts;
    uint64_t part_count;
    const toy_part *main;
    const void *picture;
    uint64_t picture_length;
} toy;

#define TOY_PART_FIELDS(F)     \
    F(toy_part, VALUE, name)   \
    F(toy_part, VALUE, weight) \
    F(toy_part, ONE, inside, toy_part)
#define TOY_FIELDS(F)                         \
    F(toy, SIZE, size)                        \
    F(toy, VALUE, small)                      \
    F(toy, VALUE, natural)                    \
    F(toy, NAMED, colour, toy_colours)        \
    F(toy, BOOL, broken)                      \
    F(toy, VALUE, large)                      \
    F(toy, VALUE, huge)                       \
    F(toy, VALUE, real)                       \
    F(toy, VALUE, text)                       \
    F(toy, TEXTS, tags, tag_count)            \
    F(toy, MANY, parts, part_count, toy_part) \
    F(toy, ONE, main, toy_part)               \
    F(toy, BYTES, picture, picture_length)
RT_FORM_NAMES(toy_colours, {"red", 1}, {"green", 2}, {"blue", 30})
static const rt_form_struct toy_part_form_;
RT_FORM(toy_part, TOY_PART_FIELDS)
RT_FORM(toy, TOY_FIELDS)
#define TOY_FORMS(F) F(toy)
#define RT_FORMS_shop ~, TOY_FORMS

#define SHOP_METHODS(M)                                                                      \
    M(shop, swap, RT_WAITS, (const toy *, given), (toy *, back))                             \
    M(shop, swap_all, RT_IDEMPOTENT, (const toy *, given), (uint32_t, count), (toy *, back)) \
    M(shop, fetch, RT_NO_FLAGS, (uint32_t, count), (toy *, back))                            \
    M(shop, join, RT_NO_FLAGS, (const char *const *, texts), (uint32_t, count),              \
      (const char **, joined))                                                               \
    M(shop, sum, RT_NO_FLAGS, (const void *, bytes), (uint64_t, length), (uint64_t *, sum))  \
    M(shop, scalars, RT_NO_FLAGS, (int32_t, small), (uint32_t, natural), (int64_t, large),   \
      (double, real), (const char *, text), (int32_t *, twice))                              \
    M(shop, none, RT_NO_FLAGS)                                                               \
    M(shop, handle, RT_NO_FLAGS, (int32_t, number), (void *, easy))                          \
    M(shop, alone, RT_NO_FLAGS, (const void *, bytes))
RT_CAPABILITY(shop, 1, SHOP_METHODS)

static const toy_part deep = {.name = "deep", .inside = &deep};

static int swap(rt_ctx *ctx, const toy *given, toy *back)
{
    CU_ASSERT_EQUAL(given->size, sizeof *given);
    CU_ASSERT_EQUAL(back->size, sizeof *back);
    *back = *given;
    if (given->main && given->main->name && strcmp(given->main->name, "deep") == 0)
        back->main = &deep;
    if (given->text && strcmp(given->text, "large") == 0) {
        char *text = rt_alloc(ctx, RT_FORM_JSON_MOST);
        memset(text, 'x', RT_FORM_JSON_MOST - 1);
        back->text = text;
    }
    return given->small == -1 ? rt_fail(ctx, RT_EABORTED, "swapped too late") : 0;
}

static int swap_all(rt_ctx *ctx, const toy *given, uint32_t count, toy *back)
{
    for (uint32_t i = 0; i < count; i++)
        RT_TRY(swap(ctx, &given[i], &back[count - 1 - i]));
    return 0;
}

static int fetch(rt_ctx *ctx, uint32_t count, toy *back)
{
    (void)ctx;
    for (uint32_t i = 0; i < count; i++)
        back[i].natural = i + back[i].size / sizeof(toy);
    return 0;
}

static int join(rt_ctx *ctx, const char *const *texts, uint32_t count, const char **joined)
{
    *joined = count ? "" : NULL;
    for (uint32_t i = 0; i < count; i++)
        *joined = rt_format(ctx, "%s+%s", *joined, texts[i]);
    return 0;
}

static int sum(rt_ctx *ctx, const void *bytes, uint64_t length, uint64_t *total)
{
    (void)ctx;
    for (uint64_t i = *total = 0; i < length; i++)
        *total += ((const unsigned char *)bytes)[i];
    return 0;
}

static int scalars(rt_ctx *ctx, int32_t small, uint32_t natural, int64_t large, double real,
                   const char *text, int32_t *twice)
{
    (void)ctx;
    *twice = natural == 4000000000u && large == INT64_MIN && real == 2.5 && !text ? 2 * small : 0;
    return 0;
}

static int none(rt_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static const struct rt_shop_table shop_table = {.size = sizeof shop_table,
                                                .swap = swap,
                                                .swap_all = swap_all,
                                                .fetch = fetch,
                                                .join = join,
                                                .sum = sum,
                                                .scalars = scalars,
                                                .none = none};

/* A capability that binds all its providers. */
#define BELL_METHODS(M) M(bell, ring, RT_NO_FLAGS, (int32_t, times), (int64_t *, sounds))
RT_CAPABILITY_MANY(bell, 1, BELL_METHODS)

static int ring(rt_ctx *ctx, int32_t times, int64_t *sounds)
{
    CU_ASSERT_STRING_EQUAL(ctx->instance->name, "shop");
    *sounds = 3 * (int64_t)times;
    return 0;
}

static const struct rt_bell_table bell_table = {.size = sizeof bell_table, .ring = ring};

/* --- calling it ------------------------------------------------------------------------------ */

static rt_instance provider = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof provider, .name = "shop", .module = "shop"};
static const rt_binding binding = {
    .table = &shop_table, .instance = &provider, .all = &binding, .count = 1};
static rt_instance caller = {.magic = RT_INSTANCE_MAGIC,
                             .size = sizeof caller,
                             .bindings = &binding,
                             .name = "test",
                             .module = "test"};
static const rt_host table = {
    .size = sizeof table, .alloc = rt_host_alloc, .format = rt_host_format, .fail = rt_host_fail};
const rt_host *rt_host_table = &table;

static const rt_binding bell_binding = {
    .table = &bell_table, .instance = &provider, .all = &bell_binding, .count = 1};
static rt_instance bell_caller = {.magic = RT_INSTANCE_MAGIC,
                                  .size = sizeof bell_caller,
                                  .bindings = &bell_binding,
                                  .name = "test",
                                  .module = "test"};

static char said[4096]; /* the result, or the error */

struct asked {
    const char *method, *json;
    int code;
};

static int call(rt_ctx *ctx, const struct asked *asked)
{
    const rt_form *form =
        ctx->instance == &bell_caller ? rt_bell_methods_form_() : rt_shop_methods_form_();
    const rt_form_method *method = rt_form_find(form, asked->method);
    const rt_json_value *json = NULL;
    void *arguments;
    rt_str text;
    if (asked->json)
        RT_TRY(rt_host_json_parse(ctx, asked->json, strlen(asked->json), &json));
    RT_TRY(rt_form_read(ctx, method, json, &arguments));
    RT_TRY(method->call(ctx, arguments));
    RT_TRY(rt_form_write(ctx, method, arguments, &text));
    snprintf(said, sizeof said, "%.*s", (int)text.length, text.data);
    return 0;
}

static int run(rt_ctx *ctx, void *argument)
{
    struct asked *asked = argument;
    asked->code = call(ctx, asked);
    if (asked->code < 0)
        snprintf(said, sizeof said, "%s", rt_host_last_error(ctx)->message);
    return 0;
}

static int ask_as(rt_instance *who, const char *method, const char *json)
{
    struct asked asked = {.method = method, .json = json};
    said[0] = '\0';
    CU_ASSERT_EQUAL(rt_loop_open(&(rt_loop_options){0}), 0);
    CU_ASSERT_PTR_NULL(
        rt_unit_start(&(rt_unit_options){.instance = who, .name = "test"}, run, &asked));
    rt_loop_close();
    return asked.code;
}

static int ask(const char *method, const char *json)
{
    return ask_as(&caller, method, json);
}

static void expect(const char *method, const char *json, const char *result)
{
    CU_ASSERT_EQUAL(ask(method, json), 0);
    CU_ASSERT_STRING_EQUAL(said, result);
    if (strcmp(said, result) != 0)
        printf("\n%s %s\n  says %s\n  not  %s\n", method, json ? json : "", said, result);
}

static void expect_refusal(const char *method, const char *json, const char *message)
{
    CU_ASSERT_EQUAL(ask(method, json), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(said, message);
    if (strcmp(said, message) != 0)
        printf("\n%s %s\n  says %s\n  not  %s\n", method, json ? json : "", said, message);
}

/* --- what goes through ----------------------------------------------------------------------- */

static const char whole[] =
    "{\"small\":-7,\"natural\":4294967295,\"colour\":\"blue\",\"broken\":true,"
    "\"large\":-9223372036854775808,\"huge\":\"18446744073709551615\",\"real\":0.5,"
    "\"text\":\"t\\u00e9\\n\",\"tags\":[\"a\",\"b\"],"
    "\"parts\":[{\"name\":\"p\",\"weight\":1,\"inside\":null},"
    "{\"name\":null,\"weight\":0,\"inside\":{\"name\":\"q\",\"weight\":2,\"inside\":null}}],"
    "\"main\":{\"name\":\"m\",\"weight\":9223372036854775807,\"inside\":null},"
    "\"picture\":\"AAEC/w==\"}";

static void every_kind_of_field_comes_back_as_it_was_given(void)
{
    char json[2048], result[2048];
    snprintf(json, sizeof json, "{\"given\":%s}", whole);
    snprintf(result, sizeof result, "{\"back\":%s}", whole);
    char *accent = strstr(result, "\\u00e9");
    memmove(accent, "\xc3\xa9", 2);
    memmove(accent + 2, accent + 6, strlen(accent + 6) + 1);
    expect("swap", json, result);
}

static void what_is_left_out_is_zero(void)
{
    expect("swap", "{\"given\":{}}",
           "{\"back\":{\"small\":0,\"natural\":0,\"colour\":0,\"broken\":false,\"large\":0,"
           "\"huge\":0,\"real\":0.0,\"text\":null,\"tags\":[],\"parts\":[],\"main\":null,"
           "\"picture\":null}}");
    expect("swap",
           "{\"given\":{\"text\":null,\"tags\":null,\"parts\":null,\"main\":null,"
           "\"picture\":null}}",
           "{\"back\":{\"small\":0,\"natural\":0,\"colour\":0,\"broken\":false,\"large\":0,"
           "\"huge\":0,\"real\":0.0,\"text\":null,\"tags\":[],\"parts\":[],\"main\":null,"
           "\"picture\":null}}");
}

static void structs_next_to_a_count_are_as_many_as_are_given(void)
{
    CU_ASSERT_EQUAL(ask("swap_all", "{\"given\":[{\"small\":1},{\"small\":2},{\"small\":3}]}"), 0);
    const char *third = strstr(said, "\"small\":3"), *first = strstr(said, "\"small\":1");
    CU_ASSERT_TRUE(third && first && third < first);
    expect("swap-all", "{\"given\":[]}", "{\"back\":[]}");
    expect("swap_all", "{\"given\":null}", "{\"back\":[]}");
}

static void a_count_without_anything_to_count_is_given(void)
{
    CU_ASSERT_EQUAL(ask("fetch", "{\"count\":2}"), 0);
    const char *first = strstr(said, "\"natural\":1"), *second = strstr(said, "\"natural\":2");
    CU_ASSERT_TRUE(first && second && first < second);
    expect_refusal("fetch", "{\"count\":65537}", "`count` is more than 65536");
}

static void texts_and_bytes_are_counted_too(void)
{
    expect("join", "{\"texts\":[\"a\",\"b\"]}", "{\"joined\":\"+a+b\"}");
    expect("join", "{\"texts\":[]}", "{\"joined\":null}");
    expect("sum", "{\"bytes\":\"AQID\"}", "{\"sum\":6}");
    expect("sum", "{\"bytes\":\"/w==\"}", "{\"sum\":255}");
    expect("sum", "{\"bytes\":\"\"}", "{\"sum\":0}");
    expect("sum", "{\"bytes\":null}", "{\"sum\":0}");
}

static void scalars_are_members_of_their_names(void)
{
    expect("scalars",
           "{\"small\":-2147483648,\"natural\":1,\"large\":-9223372036854775808,"
           "\"real\":2.5,\"text\":null}",
           "{\"twice\":0}");
    expect("scalars",
           "{\"small\":21,\"natural\":4000000000,\"large\":-9223372036854775808,"
           "\"real\":2.5,\"text\":null}",
           "{\"twice\":42}");
    expect("none", NULL, "{}");
    expect("none", "{}", "{}");
}

static void the_error_of_the_method_is_that_of_the_call(void)
{
    CU_ASSERT_EQUAL(ask("swap", "{\"given\":{\"small\":-1}}"), -RT_EABORTED);
    CU_ASSERT_STRING_EQUAL(said, "swapped too late");
}

static void a_capability_of_many_providers_has_forms_too(void)
{
    CU_ASSERT_EQUAL(ask_as(&bell_caller, "ring", "{\"times\":-4}"), 0);
    CU_ASSERT_STRING_EQUAL(said, "{\"sounds\":-12}");
}

/* --- what is refused ------------------------------------------------------------------------- */

static const struct {
    const char *method, *json, *message;
} refusals[] = {
    {"swap", NULL, "`given` is missing"},
    {"swap", "{}", "`given` is missing"},
    {"swap", "[]", "the arguments must be in an object, not in an array"},
    {"swap", "null", "the arguments must be in an object, not in null"},
    {"swap", "{\"given\":null}", "`given` must be an object, not null"},
    {"swap", "{\"given\":[]}", "`given` must be an object, or null, not an array"},
    {"swap", "{\"givn\":{}}", "`givn` is not known; did you mean `given`?"},
    {"swap", "{\"given\":{},\"back\":{}}", "`back` is not given: it comes back"},
    {"swap_all", "{\"given\":[],\"count\":0}", "`count` is not given: it is counted"},
    {"swap_all", "{\"given\":{}}", "`given` must be an array of objects, or null, not an object"},
    {"swap_all", "{\"given\":[{},1]}", "`given[1]` must be an object, not an integer"},
    {"swap_all", "{\"given\":[{},{\"tags\":[\"a\",null]}]}",
     "`given[1].tags[1]` must be a string, not null"},
    {"swap", "{\"given\":{\"size\":96}}", "`given.size` is not known"},
    {"swap", "{\"given\":{\"tag_count\":1}}", "`given.tag_count` is not known"},
    {"swap", "{\"given\":{\"color\":1}}", "`given.color` is not known; did you mean `colour`?"},
    {"swap", "{\"given\":{\"parts\":[{\"nam\":1}]}}",
     "`given.parts[0].nam` is not known; did you mean `name`?"},
    {"swap", "{\"given\":{\"small\":2147483648}}",
     "`given.small` must be from -2147483648 to 2147483647"},
    {"swap", "{\"given\":{\"small\":-2147483649}}",
     "`given.small` must be from -2147483648 to 2147483647"},
    {"swap", "{\"given\":{\"small\":1.0}}", "`given.small` must be an integer, not a number"},
    {"swap", "{\"given\":{\"natural\":-1}}", "`given.natural` must be from 0 to 4294967295"},
    {"swap", "{\"given\":{\"natural\":4294967296}}",
     "`given.natural` must be from 0 to 4294967295"},
    {"swap", "{\"given\":{\"huge\":-1}}", "`given.huge` must be from 0 to 18446744073709551615"},
    {"swap", "{\"given\":{\"huge\":\"18446744073709551616\"}}",
     "`given.huge` must be an integer, not a string"},
    {"swap", "{\"given\":{\"huge\":\"99999999999999999999\"}}",
     "`given.huge` must be an integer, not a string"},
    {"swap", "{\"given\":{\"huge\":\"\"}}", "`given.huge` must be an integer, not a string"},
    {"swap", "{\"given\":{\"large\":\"1\"}}", "`given.large` must be an integer, not a string"},
    {"swap", "{\"given\":{\"real\":\"1\"}}", "`given.real` must be a number, not a string"},
    {"swap", "{\"given\":{\"broken\":1}}", "`given.broken` must be true or false, not an integer"},
    {"swap", "{\"given\":{\"text\":1}}", "`given.text` must be a string or null, not an integer"},
    {"swap", "{\"given\":{\"colour\":2}}", "`given.colour` must be a string, not an integer"},
    {"swap", "{\"given\":{\"colour\":\"bleu\"}}",
     "`given.colour` is one of `red`, `green`, `blue`; did you mean `blue`?"},
    {"swap", "{\"given\":{\"main\":[]}}", "`given.main` must be an object, or null, not an array"},
    {"swap", "{\"given\":{\"picture\":[]}}",
     "`given.picture` must be base64 in a string, or null, not an array"},
    {"sum", "{\"bytes\":\"AQI\"}", "`bytes` is not base64"},
    {"sum", "{\"bytes\":\"AQI=\\n\"}", "`bytes` is not base64"},
    {"sum", "{\"bytes\":\"A===\"}", "`bytes` is not base64"},
    {"sum", "{\"bytes\":\"====\"}", "`bytes` is not base64"},
    {"sum", "{\"bytes\":\"=AAA\"}", "`bytes` is not base64"},
    {"sum", "{\"bytes\":\"AB==\"}", "`bytes` is not base64"},
    {"sum", "{\"bytes\":\"AAB=\"}", "`bytes` is not base64"},
    {"sum", "{\"bytes\":\"AA-_\"}", "`bytes` is not base64"},
    {"none", "{\"a\":1}", "`a` is not known"},
};

static void what_does_not_fit_is_refused_by_its_path(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        expect_refusal(refusals[i].method, refusals[i].json, refusals[i].message);
}

static void a_long_name_is_not_repeated_whole(void)
{
    char json[400] = "{\"", message[200];
    memset(json + 2, 'n', 300);
    strcpy(json + 302, "\":1}");
    snprintf(message, sizeof message, "`%.64s` is not known", json + 2);
    expect_refusal("none", json, message);
}

static void an_array_has_at_most_so_many_elements(void)
{
    size_t count = RT_FORM_ITEMS_MOST + 1;
    char *json = malloc(4 * count + 32), *at = json + sprintf(json, "{\"given\":[");
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, i ? ",{}" : "{}");
    strcpy(at, "]}");
    expect_refusal("swap_all", json, "`given` has 65537 elements, more than 65536");
    free(json);
}

static void a_result_that_is_too_deep_or_too_large_is_an_error(void)
{
    CU_ASSERT_EQUAL(ask("swap", "{\"given\":{\"main\":{\"name\":\"deep\"}}}"),
                    -RT_ERESOURCE_EXHAUSTED);
    CU_ASSERT_STRING_EQUAL(said, "the result is nested deeper than 32");
    CU_ASSERT_EQUAL(ask("swap", "{\"given\":{\"text\":\"large\"}}"), -RT_ERESOURCE_EXHAUSTED);
    CU_ASSERT_STRING_EQUAL(said, "the result is larger than 1048576 bytes");
}

/* --- what is said of them -------------------------------------------------------------------- */

static const rt_form_method *method_named(const char *name)
{
    return rt_form_find(rt_shop_methods_form_(), name);
}

static void what_has_no_form_is_an_obstacle(void)
{
    CU_ASSERT_PTR_NULL(rt_form_obstacle(method_named("swap")));
    CU_ASSERT_PTR_NULL(rt_form_obstacle(method_named("none")));
    const rt_form_value *easy = rt_form_obstacle(method_named("handle"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(easy);
    CU_ASSERT_STRING_EQUAL(easy->name, "easy");
    CU_ASSERT_STRING_EQUAL(easy->type, "void *");
    const rt_form_value *bytes = rt_form_obstacle(method_named("alone"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    CU_ASSERT_STRING_EQUAL(bytes->name, "bytes");
    CU_ASSERT_PTR_NULL(method_named("swap_al"));
    CU_ASSERT_PTR_NULL(method_named(""));
}

static void summary_is(const char *method, const char *text)
{
    rt_buffer out = {0};
    rt_form_summary(method_named(method), &out);
    CU_ASSERT_STRING_EQUAL(out.data, text);
    rt_buffer_free(&out);
}

static void a_summary_names_what_is_given_and_what_comes_back(void)
{
    summary_is("swap", "swap(given) -> back");
    summary_is("swap_all", "swap_all(given) -> back");
    summary_is("fetch", "fetch(count) -> back");
    summary_is("join", "join(texts) -> joined");
    summary_is("sum", "sum(bytes) -> sum");
    summary_is("none", "none()");
}

/* So that what is printed as an example can be pasted. */
static void an_example_is_taken(void)
{
    static const char *const methods[] = {"swap", "swap_all", "fetch", "join",
                                          "sum",  "scalars",  "none"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        rt_buffer json = {0};
        rt_form_example(method_named(methods[i]), &json);
        CU_ASSERT_EQUAL(ask(methods[i], json.data), 0);
        rt_buffer_free(&json);
    }
}

static void an_explanation_shows_members_below_what_has_them(void)
{
    rt_buffer out = {0};
    rt_form_explain(method_named("join"), &out);
    CU_ASSERT_STRING_EQUAL(out.data, "takes\n  texts                  array of strings\n"
                                     "returns\n  joined                 string or null\n");
    rt_buffer_free(&out);
    rt_form_explain(method_named("none"), &out);
    CU_ASSERT_STRING_EQUAL(out.data, "takes nothing\nreturns nothing\n");
    rt_buffer_free(&out);
    rt_form_explain(method_named("swap"), &out);
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "    colour               one of \"red\", \"green\", "
                                            "\"blue\"\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out.data, "    parts                array of objects\n"
                                            "      name               string or null\n"));
    rt_buffer_free(&out);
}

RT_TEST_MAIN(
    "form",
    {"every kind of field comes back as it was given",
     every_kind_of_field_comes_back_as_it_was_given},
    {"what is left out is zero", what_is_left_out_is_zero},
    {"structs next to a count are as many as are given",
     structs_next_to_a_count_are_as_many_as_are_given},
    {"a count without anything to count is given", a_count_without_anything_to_count_is_given},
    {"texts and bytes are counted too", texts_and_bytes_are_counted_too},
    {"scalars are members of their names", scalars_are_members_of_their_names},
    {"the error of the method is that of the call", the_error_of_the_method_is_that_of_the_call},
    {"a capability of many providers has forms too", a_capability_of_many_providers_has_forms_too},
    {"what does not fit is refused by its path", what_does_not_fit_is_refused_by_its_path},
    {"a long name is not repeated whole", a_long_name_is_not_repeated_whole},
    {"an array has at most so many elements", an_array_has_at_most_so_many_elements},
    {"a result that is too deep or too large is an error",
     a_result_that_is_too_deep_or_too_large_is_an_error},
    {"what has no form is an obstacle", what_has_no_form_is_an_obstacle},
    {"a summary names what is given and what comes back",
     a_summary_names_what_is_given_and_what_comes_back},
    {"an example is taken", an_example_is_taken},
    {"an explanation shows members below what has them",
     an_explanation_shows_members_below_what_has_them})
