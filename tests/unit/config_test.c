#include "harness.h"

#include "config/lex.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static rt_arena arena;
static rt_diagnostics diagnostics;

static void begin(void)
{
    rt_arena_free(&arena);
    rt_diagnostics_init(&diagnostics, &arena);
}

static rt_node *parse(const char *text)
{
    begin();
    return rt_config_parse(&arena, &diagnostics, "runtime.conf", text, strlen(text));
}

static rt_node *parse_value(const char *text)
{
    begin();
    return rt_config_parse_value(&arena, &diagnostics, "--set a.b", text);
}

static const rt_node *member(const rt_node *group, const char *name)
{
    static const rt_node none = {.type = RT_NODE_LIST, .value.text = ""};
    const rt_node *found = group ? rt_node_member(group, name) : NULL;
    CU_ASSERT_PTR_NOT_NULL(found);
    return found ? found : &none;
}

/* "RT0121@3:5 RT0106@4:1": what was found, in order. */
static const char *found(void)
{
    rt_buffer text = {0};
    for (size_t i = 0; i < diagnostics.count; i++) {
        const rt_diagnostic *item = diagnostics.items[i];
        rt_buffer_format(&text, "%s%s@%u:%u", i ? " " : "", rt_diagnostic_table[item->id].number,
                         item->place.line, item->place.column);
    }
    const char *copy = rt_arena_copy(&arena, text.data ? text.data : "");
    rt_buffer_free(&text);
    return copy;
}

static void expect(const char *text, const char *wanted)
{
    const rt_node *top = parse(text);
    CU_ASSERT_STRING_EQUAL(found(), wanted);
    if (strcmp(found(), wanted) != 0)
        printf("\n    %.60s\n    wanted %s\n    found  %s\n", text, wanted, found());
    CU_ASSERT_EQUAL(top != NULL, *wanted == '\0');
}

/* --- what is read ---------------------------------------------------------------------------- */

static void reads_every_type(void)
{
    const rt_node *top = parse("i = -5; h: 0x1F, l = 5000000000L; ll = 0XffLL f = 1e3;\n"
                               "g = -.5; t = TrUe; s = \"x\"; e = { }; a = [ 1, 2 ]; n = ( );");
    CU_ASSERT_EQUAL(member(top, "i")->value.integer, -5);
    CU_ASSERT_FALSE(member(top, "i")->is_long);
    CU_ASSERT_EQUAL(member(top, "h")->value.integer, 31);
    CU_ASSERT_EQUAL(member(top, "l")->value.integer, INT64_C(5000000000));
    CU_ASSERT_TRUE(member(top, "l")->is_long);
    CU_ASSERT_EQUAL(member(top, "ll")->value.integer, 255);
    CU_ASSERT_TRUE(member(top, "ll")->is_long);
    CU_ASSERT_EQUAL(member(top, "f")->value.real, 1000);
    CU_ASSERT_EQUAL(member(top, "g")->value.real, -0.5);
    CU_ASSERT_EQUAL(member(top, "t")->type, RT_NODE_BOOL);
    CU_ASSERT_EQUAL(member(top, "t")->value.integer, 1);
    CU_ASSERT_STRING_EQUAL(member(top, "s")->value.text, "x");
    CU_ASSERT_EQUAL(member(top, "e")->type, RT_NODE_GROUP);
    CU_ASSERT_EQUAL(member(top, "a")->type, RT_NODE_ARRAY);
    CU_ASSERT_EQUAL(member(top, "a")->count, 2);
    CU_ASSERT_EQUAL(member(top, "a")->last->value.integer, 2);
    CU_ASSERT_EQUAL(member(top, "n")->type, RT_NODE_LIST);
}

static void keeps_the_extremes(void)
{
    const rt_node *top =
        parse("a = 2147483647; b = -2147483648; c = 9223372036854775807L;\n"
              "d = -9223372036854775808L; e = 0x7FFFFFFF; f = 0x7FFFFFFFFFFFFFFFL; g = -0;\n"
              "h = 1.7976931348623157e308; i = 4.9e-324; j = 0x00000000000000000001;");
    CU_ASSERT_EQUAL(member(top, "a")->value.integer, INT32_MAX);
    CU_ASSERT_EQUAL(member(top, "b")->value.integer, INT32_MIN);
    CU_ASSERT_EQUAL(member(top, "c")->value.integer, INT64_MAX);
    CU_ASSERT_EQUAL(member(top, "d")->value.integer, INT64_MIN);
    CU_ASSERT_EQUAL(member(top, "e")->value.integer, INT32_MAX);
    CU_ASSERT_EQUAL(member(top, "f")->value.integer, INT64_MAX);
    CU_ASSERT_EQUAL(member(top, "g")->value.integer, 0);
    CU_ASSERT_TRUE(member(top, "h")->value.real > 1e308);
    CU_ASSERT_TRUE(member(top, "i")->value.real > 0);
    CU_ASSERT_EQUAL(member(top, "j")->value.integer, 1);
}

static void joins_strings_and_reads_escapes(void)
{
    const rt_node *top =
        parse("a = \"one \" /* two */ \"three\" # four\n \"\\x41\\n\\\\\\\"\\t\";\n"
              "b = \"\\f\\r\\x07\";");
    CU_ASSERT_STRING_EQUAL(member(top, "a")->value.text, "one threeA\n\\\"\t");
    CU_ASSERT_STRING_EQUAL(member(top, "a")->raw, "\"one \" \"three\" \"\\x41\\n\\\\\\\"\\t\"");
    CU_ASSERT_STRING_EQUAL(member(top, "b")->value.text, "\f\r\a");
}

static void knows_the_place_of_everything(void)
{
    const rt_node *top = parse("first = 1;\n\tg\xc3\xa4 = 2;\n");
    CU_ASSERT_PTR_NULL(top);
    CU_ASSERT_STRING_EQUAL(found(), "RT0112@2:2");
    CU_ASSERT_EQUAL(diagnostics.items[0]->place.length, 2);

    top =
        parse("# caf\xc3\xa9\n\tt = \"gr\xc3\xbcn\"; port = 587;\r\nlist = ( 0x10, { x = 1; } );");
    const rt_node *port = member(top, "port"), *list = member(top, "list");
    CU_ASSERT_EQUAL(port->name_place.line, 2);
    CU_ASSERT_EQUAL(port->name_place.column, 14);
    CU_ASSERT_EQUAL(port->name_place.length, 4);
    CU_ASSERT_EQUAL(port->value_place.column, 21);
    CU_ASSERT_EQUAL(port->value_place.length, 3);
    CU_ASSERT_STRING_EQUAL(port->value_place.source, "\tt = \"gr\xc3\xbcn\"; port = 587;");
    CU_ASSERT_STRING_EQUAL(port->value_place.file, "runtime.conf");
    CU_ASSERT_STRING_EQUAL(port->origin, "runtime.conf:2");
    CU_ASSERT_STRING_EQUAL(port->raw, "587");
    CU_ASSERT_PTR_EQUAL(port->parent, top);
    CU_ASSERT_EQUAL(list->value_place.column, 8);
    CU_ASSERT_EQUAL(list->first->name_place.column, 10);
    CU_ASSERT_STRING_EQUAL(list->first->raw, "0x10");
    CU_ASSERT_PTR_NULL(list->first->name);
    CU_ASSERT_PTR_EQUAL(member(list->last, "x")->parent, list->last);
}

static void finds_members_by_name(void)
{
    const rt_node *top = parse("a = { b = 1; B = 2; }; c = ( 1 );");
    CU_ASSERT_EQUAL(member(member(top, "a"), "B")->value.integer, 2);
    CU_ASSERT_PTR_NULL(rt_node_member(top, "b"));
    CU_ASSERT_PTR_NULL(rt_node_member(member(top, "c"), ""));
    CU_ASSERT_STRING_EQUAL(rt_node_type_name(RT_NODE_GROUP), "a group");
    CU_ASSERT_STRING_EQUAL(rt_node_type_name(RT_NODE_STRING), "a string");
    CU_ASSERT_STRING_EQUAL(rt_node_type_name(RT_NODE_INT), "an integer");
}

static void accepts_what_is_odd_but_fine(void)
{
    static const char *const texts[] = {
        "",
        "\n\n",
        "# only a comment",
        "// only a comment",
        "/**/",
        "#* x\na = 1; /* # */ b = 2; // */\n",
        "/***/ a = 1 /* x */ b = 2 // y",
        "a = 1\r\nb = 2\r\n",
        "*a-b_c* = 1",
        "truely = true",
        "a-b = 2 a = { a = { a = 1 } }",
        "include = \"@include\";",
        "a = 1 b /* c */ # d\n // e\n = 2",
        "a = \"tab\there // no comment # none /* none\";",
        "/*\n@include \"nothing.conf\"\n*/",
        "# @include \"nothing.conf\"\n",
        "a =\n\n[\n1\n,\n2\n]\n;",
        "a = { b = 1 }, c = { },",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        expect(texts[i], "");
}

/* --- what is refused ------------------------------------------------------------------------- */

static const struct {
    const char *text, *wanted;
} refusals[] = {
    {"a = 2147483648;", "RT0118@1:5"},
    {"a = -2147483649;", "RT0118@1:5"},
    {"a = 0x80000000;", "RT0118@1:5"},
    {"a = 9223372036854775808L;", "RT0118@1:5"},
    {"a = 0x8000000000000000L;", "RT0118@1:5"},
    {"a = 00;", "RT0119@1:5"},
    {"a = -01;", "RT0119@1:5"},
    {"a = 01.5;", "RT0119@1:5"},
    {"a = 1e309;", "RT0120@1:5"},
    {"a = 1.0e-400;", "RT0120@1:5"},
    {"a = .;", "RT0123@1:5"},
    {"a = -.e5;", "RT0123@1:5"},
    {"a = 5b = 6;", "RT0117@1:5"},
    {"a = 1l;", "RT0117@1:5"},
    {"a = +0x5;", "RT0117@1:5"},
    {"a = 1e;", "RT0117@1:5"},
    {"a = \"\\q\";", "RT0116@1:6"},
    {"a = 1.E;", "RT0117@1:5"},
    {"a = \"\\a\\v\\b\";", "RT0116@1:6 RT0116@1:8 RT0116@1:10"},
    {"a = \"\\x4\" \"\\0\";", "RT0116@1:6 RT0116@1:12"},
    {"a = \"\\x00\";", "RT0116@1:6"},
    {"a = \"\\xff\";", "RT0113@1:5"},
    {"a = \"x", "RT0114@1:5"},
    {"a = \"x\\", "RT0114@1:5"},
    {"a = \"x\ny\";", "RT0114@1:5 RT0114@2:2"},
    {"a = 1; /* b", "RT0114@1:8"},
    {"/*/ a = 1;", "RT0114@1:1"},
    {"a = 1; */ b = 2;", "RT0126@1:8"},
    {"a = \x01;", "RT0111@1:5"},
    {"# \x7f\x7f\na = 1;", "RT0111@1:3"},
    {"a = 1;\rb = 2;", "RT0111@1:7"},
    {"a = 1;\fb = 2;", "RT0111@1:7"},
    {"\xef\xbb\xbf"
     "a = 1;",
     "RT0111@1:1"},
    {"a = \"\xc2\x85\";", "RT0111@1:6"},
    {"a = \"\xe9\";", "RT0113@1:6"},
    {"a = \"\xed\xa0\x80\";", "RT0113@1:6"},
    {"\xff\xfe"
     "a = 1",
     "RT0113@1:1"},
    {"a = 1; a = 2;", "RT0121@1:8"},
    {"a = { b = 1; b = 2; }; b = 1; a = 1;", "RT0121@1:14 RT0121@1:31"},
    {"a = ( { b = 1; }, { b = 1; b = 2; } );", "RT0121@1:28"},
    {"a = [ 1, \"x\", 2.0 ];", "RT0122@1:10"},
    {"a = [ 1, 2L ];", "RT0122@1:10"},
    {"a = [ { } ];", "RT0122@1:7"},
    {"a = [ ( 1 ), [ ] ];", "RT0122@1:7"},
    {"a = ;", "RT0123@1:3"},
    {"a =", "RT0123@1:3"},
    {"a =\nb = 1;", "RT0123@1:3"},
    {"a = yes;", "RT0123@1:5"},
    {"a = http://b/c#d;\n", "RT0123@1:5"},
    {"a 1;", "RT0124@1:1"},
    {"a", "RT0124@1:1"},
    {"a\nb = 1;", "RT0124@1:1"},
    {"a { b 1; }", "RT0124@1:1 RT0124@1:5"},
    {"a == 1;", "RT0106@1:4"},
    {"a = 1;;", "RT0106@1:7"},
    {";", "RT0106@1:1"},
    {"a = [ 1, ];", "RT0106@1:8"},
    {"a = [ , 1 ];", "RT0106@1:7"},
    {"a = ( 1 2 );", "RT0106@1:9"},
    {"a = ( 1; 2 );", "RT0106@1:8"},
    {"a = 1 2;", "RT0106@1:7"},
    {"{ a = yes; }", "RT0106@1:1 RT0123@1:7"},
    {"a = {", "RT0125@1:5"},
    {"a = { b = ( ( {", "RT0125@1:5 RT0125@1:11 RT0125@1:13 RT0125@1:15"},
    {"a = [ 1,\nb = 2;", "RT0125@1:5"},
    {"a = { b = ( 1;\n}; c = 1;", "RT0125@1:11"},
    {"}", "RT0126@1:1"},
    {"a = { }; }; b = 1;", "RT0126@1:10"},
    {"a = [ 1 );", "RT0126@1:9"},
    {"a = [ \"x ];\nb = 1;", "RT0114@1:7"},
    {"a = { b = \"x };\nb = 1;", "RT0114@1:11"},
    {"true = 1;", "RT0112@1:1"},
    {"_a = 1;", "RT0112@1:1"},
    {"a.b = 1;", "RT0112@1:1"},
    {"\"a\": 1;", "RT0112@1:1"},
    {"5 = 1;", "RT0112@1:1"},
    {"a = 1; @include \"x\"", "RT0127@1:8"},
    {"@include", "RT0127@1:1"},
    {"@include\"x\"", "RT0127@1:1"},
    {"@include \"\"", "RT0127@1:10"},
    {"@include \"x\\y\"", "RT0116@1:12"},
    {"@include \"nothing-of-this-name\"\na = yes;", "RT0101@1:10 RT0123@2:5"},
};

static void refuses_each_at_its_place(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        expect(refusals[i].text, refusals[i].wanted);
}

static void every_refusal_says_what_to_do(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        parse(refusals[i].text);
        for (size_t k = 0; k < diagnostics.count; k++) {
            const rt_diagnostic *item = diagnostics.items[k];
            bool helps = item->label || item->help_count;
            CU_ASSERT_TRUE(helps);
            if (!helps)
                printf("\n    %s: %s\n", refusals[i].text, item->message);
        }
    }
}

static void reports_all_problems_in_the_order_of_the_file(void)
{
    expect("a = {\n  b = 0755;\n  c = yes;\n  d = [ 1, \"x\" ];\n  b = 1;\ne = 5000000000;\n",
           "RT0125@1:5 RT0119@2:7 RT0123@3:7 RT0122@4:12 RT0121@5:3 RT0118@6:5");
}

static void stops_after_a_hundred_problems(void)
{
    rt_buffer text = {0};
    for (int i = 0; i < 1000; i++)
        rt_buffer_format(&text, "a%d = yes;\n", i);
    parse(text.data);
    CU_ASSERT_EQUAL(diagnostics.errors, 101);
    CU_ASSERT_EQUAL(diagnostics.items[100]->id, RT_D_CONFIG_TOO_MANY_PROBLEMS);
    CU_ASSERT_EQUAL(diagnostics.items[99]->place.line, 100);
    rt_buffer_free(&text);
}

static void a_nul_byte_ends_the_matter(void)
{
    static const char text[] = "a = 1;\nb = \"\0\"; c = yes;";
    begin();
    CU_ASSERT_PTR_NULL(
        rt_config_parse(&arena, &diagnostics, "runtime.conf", text, sizeof text - 1));
    CU_ASSERT_STRING_EQUAL(found(), "RT0111@2:6");
}

static void keeps_to_its_limits(void)
{
    static const struct {
        const char *before, *each, *after;
        size_t count;
        const char *wanted;
    } shapes[] = {
        {"a = [ 1", ", 1", " ];", 65535, ""},
        {"a = [ 1", ", 1", " ];", 65536, "RT0104@1:196615"},
        {"a = \"", "x", "\";", (1 << 20) - 7, ""},
        {"a = \"", "x", "\";", (1 << 20) - 6, "RT0102@0:0"},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        rt_buffer text = {0};
        rt_buffer_text(&text, shapes[i].before);
        for (size_t k = 0; k < shapes[i].count; k++)
            rt_buffer_text(&text, shapes[i].each);
        rt_buffer_text(&text, shapes[i].after);
        expect(text.data, shapes[i].wanted);
        rt_buffer_free(&text);
    }
}

static void counts_settings_and_depth(void)
{
    for (int settings = 1024; settings <= 1025; settings++) {
        rt_buffer text = {0};
        for (int i = 0; i < settings; i++)
            rt_buffer_format(&text, "a%d = %d;\n", i, i);
        expect(text.data, settings == 1024 ? "" : "RT0104@1025:1");
        rt_buffer_free(&text);
    }
    expect("a = (((((((((((((((((((((((((((((((())))))))))))))))))))))))))))))));", "");
    expect("a = ((((((((((((((((((((((((((((((((()))))))))))))))))))))))))))))))));",
           "RT0103@1:37");
}

/* --- files ----------------------------------------------------------------------------------- */

static char folder[] = "/tmp/rt-config-test-XXXXXX";

static const char *in_folder(const char *name)
{
    return rt_arena_format(&arena, "%s/%s", folder, name);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");
    CU_ASSERT_PTR_NOT_NULL(file);
    if (!file)
        return;
    fputs(text, file);
    fclose(file);
}

static rt_node *read_file(const char *name)
{
    return rt_config_read(&arena, &diagnostics, in_folder(name));
}

static void includes_stand_where_the_directive_stands(void)
{
    begin();
    mkdir(in_folder("conf.d"), 0700);
    write_file("conf.d/http.conf", "max = 5;\n@include \"conf.d/tls.conf\"\n");
    write_file("conf.d/tls.conf", "tls: { };");
    write_file("items.conf", "\"a\",\n\"b\" # last");
    write_file("main.conf", "http: {\n  @include\t\"conf.d/http.conf\"\n};\n"
                            "list = [\n@include \"items.conf\"\n];\n"
                            "again = (\n@include \"items.conf\"\n, 1);\n");
    const rt_node *top = read_file("main.conf");
    const rt_node *http = member(top, "http"), *max = member(http, "max");
    CU_ASSERT_EQUAL(diagnostics.count, 0);
    CU_ASSERT_EQUAL(max->value.integer, 5);
    CU_ASSERT_STRING_EQUAL(max->origin,
                           rt_arena_format(&arena, "%s:1", in_folder("conf.d/http.conf")));
    CU_ASSERT_STRING_EQUAL(max->name_place.file, in_folder("conf.d/http.conf"));
    CU_ASSERT_EQUAL(member(http, "tls")->type, RT_NODE_GROUP);
    CU_ASSERT_EQUAL(member(top, "list")->count, 2);
    CU_ASSERT_EQUAL(member(top, "again")->count, 3);
}

static void an_include_keeps_its_brackets_to_itself(void)
{
    begin();
    write_file("head.conf", "http: {\n a = 1;\n");
    write_file("main.conf", "@include \"head.conf\"\n b = 2;\n};\n");
    CU_ASSERT_PTR_NULL(read_file("main.conf"));
    CU_ASSERT_STRING_EQUAL(found(), "RT0126@3:1 RT0125@1:7");
}

static void an_include_of_itself_is_named(void)
{
    begin();
    write_file("a.conf", "@include \"b.conf\"\n");
    write_file("b.conf", "x = 1;\n@include \"a.conf\"\n");
    CU_ASSERT_PTR_NULL(read_file("a.conf"));
    CU_ASSERT_STRING_EQUAL(found(), "RT0128@2:10");
    CU_ASSERT_EQUAL(diagnostics.items[0]->note_count, 1);
}

static void what_is_no_regular_file_is_refused_at_once(void)
{
    begin();
    mkfifo(in_folder("fifo"), 0600);
    write_file("main.conf", "@include \"fifo\"\n@include \"conf.d\"\n@include \"/dev/zero\"\n"
                            "@include \"none.conf\"\nx = yes;\n");
    CU_ASSERT_PTR_NULL(read_file("main.conf"));
    CU_ASSERT_STRING_EQUAL(found(), "RT0101@1:10 RT0101@2:10 RT0101@3:10 RT0101@4:10 RT0123@5:5");
    static const char *const mains[] = {"fifo", "conf.d", "none.conf", "main.conf/x"};
    for (size_t i = 0; i < sizeof mains / sizeof mains[0]; i++) {
        begin();
        CU_ASSERT_PTR_NULL(read_file(mains[i]));
        CU_ASSERT_STRING_EQUAL(found(), "RT0101@0:0");
        CU_ASSERT_STRING_EQUAL(diagnostics.items[0]->place.file, in_folder(mains[i]));
    }
}

/* --- hostile shapes -------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fill(rt_buffer *text, const char *piece, size_t size)
{
    size_t length = strlen(piece);
    while (text->length + length <= size)
        rt_buffer_add(text, piece, length);
}

/* The shortest distinct names: as many settings as fit. */
static void fill_groups(rt_buffer *text, size_t size)
{
    for (unsigned group = 0; text->length + 8000 < size; group++) {
        rt_buffer_format(text, "g%u={", group);
        for (unsigned i = 0; i < 1024; i++)
            rt_buffer_format(text, "a%x=1,", i);
        rt_buffer_text(text, "}");
    }
}

static void a_mebibyte_of_anything_is_soon_judged(void)
{
    static const char *const pieces[] = {
        "(",
        ")",
        "{a=",
        "[",
        "a=1 ",
        "a\n",
        "a",
        "1",
        "\"",
        "/*",
        "//",
        "\\",
        "\n@include \"x\"",
        "@include ",
        "\xc3",
        "\x01 ",
        "' ",
        "a=(",
        "=",
        ";",
        ",",
        ".",
        "\"\\q\"",
        "-",
        "a.b.c=",
        "\xc3\xa9",
        "*/ ",
        "x }\n",
        "[1;\n",
        "\"\"",
    };
    for (size_t i = 0; i <= sizeof pieces / sizeof pieces[0]; i++) {
        rt_buffer text = {0};
        if (i < sizeof pieces / sizeof pieces[0])
            fill(&text, pieces[i], 1 << 20);
        else
            fill_groups(&text, 1 << 20);
        double start = seconds();
        begin();
        const rt_node *top =
            rt_config_parse(&arena, &diagnostics, in_folder("x.conf"), text.data, text.length);
        double took = seconds() - start;
        CU_ASSERT_TRUE(took < 20);
        CU_ASSERT_EQUAL(top != NULL, diagnostics.errors == 0);
        if (took >= 20)
            printf("\n    %.20s: %.1f s\n", text.data, took);
        rt_buffer_free(&text);
    }
    CU_ASSERT_EQUAL(diagnostics.errors, 0);
}

/* --- lone values ----------------------------------------------------------------------------- */

static void reads_a_lone_value(void)
{
    const rt_node *node = parse_value("587");
    CU_ASSERT_TRUE(node && node->type == RT_NODE_INT && node->value.integer == 587);
    node = parse_value("  \"a\" \"b\"  # c");
    CU_ASSERT_TRUE(node && node->type == RT_NODE_STRING && strcmp(node->value.text, "ab") == 0);
    node = parse_value("[ \"x\", \"y\" ]");
    CU_ASSERT_TRUE(node && node->type == RT_NODE_ARRAY && node->count == 2);
    CU_ASSERT_STRING_EQUAL(node ? node->first->origin : "", "--set a.b");
    CU_ASSERT_STRING_EQUAL(node ? node->first->value_place.file : "", "--set a.b");
    node = parse_value("( { a = 1; }, 2.5, false )");
    CU_ASSERT_TRUE(node && node->type == RT_NODE_LIST && node->count == 3);
    node = parse_value("{ }");
    CU_ASSERT_TRUE(node && node->type == RT_NODE_GROUP && !node->name);
    node = parse_value("-9223372036854775808L");
    CU_ASSERT_TRUE(node && node->is_long && node->value.integer == INT64_MIN);
}

static void refuses_what_is_no_lone_value(void)
{
    static const char *const texts[][2] = {
        {"", "RT0106@1:1"},
        {"hello", "RT0123@1:1"},
        {"1; b = 2", "RT0106@1:2"},
        {"1 2", "RT0106@1:3"},
        {"1;", "RT0106@1:2"},
        {"a = 1", "RT0123@1:1"},
        {"5000000000", "RT0118@1:1"},
        {"[ 1, \"x\" ]", "RT0122@1:6"},
        {"[ 1", "RT0125@1:1"},
        {"}", "RT0106@1:1"},
        {"1 }", "RT0106@1:3"},
        {"\"x", "RT0114@1:1"},
        {"@include \"/etc/passwd\"", "RT0127@1:1"},
        {"(\n@include \"/etc/passwd\"\n)", "RT0127@2:1"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CU_ASSERT_PTR_NULL(parse_value(texts[i][0]));
        CU_ASSERT_STRING_EQUAL(found(), texts[i][1]);
        if (strcmp(found(), texts[i][1]) != 0)
            printf("\n    %s: %s\n", texts[i][0], found());
    }
}

/* --- the second reader ----------------------------------------------------------------------- */

static size_t disagreements(const char *ours, const char *theirs)
{
    rt_node *top = parse(ours);
    CU_ASSERT_PTR_NOT_NULL(top);
    rt_reader reader = {.arena = &arena, .diagnostics = &diagnostics, .path = "runtime.conf"};
    rt_buffer_text(&reader.flat, theirs);
    if (top)
        rt_config_confirm(&reader, top, false);
    rt_buffer_free(&reader.flat);
    rt_buffer_free(&reader.scratch);
    for (size_t i = 0; i < diagnostics.count; i++)
        CU_ASSERT_EQUAL(diagnostics.items[i]->id, RT_D_CONFIG_DISAGREEMENT);
    return diagnostics.count;
}

static void a_disagreement_with_libconfig_is_an_error(void)
{
    static const char ours[] = "a = 1; b = { c = \"x\"; d = [ 1.5 ]; e = 2L; f = true; };\n";
    CU_ASSERT_EQUAL(disagreements(ours, ours), 0);
    static const char *const others[] = {
        "a = 2; b = { c = \"x\"; d = [ 1.5 ]; e = 2L; f = true; };\n",
        "a = 1.0; b = { c = \"x\"; d = [ 1.5 ]; e = 2L; f = true; };\n",
        "z = 1; b = { c = \"x\"; d = [ 1.5 ]; e = 2L; f = true; };\n",
        "a = 1; b = { c = \"y\"; d = [ 1.5 ]; e = 2L; f = true; };\n",
        "a = 1; b = { c = \"x\"; d = [ 1.6 ]; e = 2L; f = true; };\n",
        "a = 1; b = { c = \"x\"; d = [ 1.5, 1.5 ]; e = 2L; f = true; };\n",
        "a = 1; b = { c = \"x\"; d = ( 1.5 ); e = 2L; f = true; };\n",
        "a = 1; b = { c = \"x\"; d = [ 1.5 ]; e = 2; f = true; };\n",
        "a = 1; b = { c = \"x\"; d = [ 1.5 ]; e = 2L; f = false; };\n",
        "a = 1; b = { c = \"x\"; d = [ 1.5 ]; e = 2L; };\n",
        "a = 1; b = { c = \"x\"; d = [ 1.5 ]; e = 2L; f = true; }; g = 1;\n",
        "a = ;\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CU_ASSERT_EQUAL(disagreements(ours, others[i]), 1);

    rt_buffer text = {0};
    disagreements(ours, others[0]);
    rt_diagnostic_print(&text, diagnostics.items[0], false);
    CU_ASSERT_STRING_EQUAL(text.data,
                           "error[RT0129]: libconfig reads `a` differently: it finds "
                           "another value\n"
                           " --> runtime.conf:1:1\n"
                           "  |\n"
                           "1 | a = 1; b = { c = \"x\"; d = [ 1.5 ]; e = 2L; f = true; };\n"
                           "  | ^\n");
    rt_buffer_free(&text);
}

static void leaves_nothing_behind(void)
{
    static const char *const names[] = {"conf.d/http.conf", "conf.d/tls.conf", "conf.d",
                                        "items.conf",       "main.conf",       "head.conf",
                                        "a.conf",           "b.conf",          "fifo"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CU_ASSERT_EQUAL(remove(in_folder(names[i])), 0);
    CU_ASSERT_EQUAL(rmdir(folder), 0);
    rt_arena_free(&arena);
}

static void has_a_folder(void)
{
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(folder));
}

RT_TEST_MAIN(
    "config", {"a temporary folder is made", has_a_folder},
    {"every type of value is read", reads_every_type},
    {"the greatest and smallest numbers are kept", keeps_the_extremes},
    {"adjacent strings are joined and escapes are read", joins_strings_and_reads_escapes},
    {"each node knows its place, raw text and origin", knows_the_place_of_everything},
    {"members are found by name", finds_members_by_name},
    {"what is odd but fine is accepted", accepts_what_is_odd_but_fine},
    {"each mistake is refused at its place, once", refuses_each_at_its_place},
    {"every refusal says what to do", every_refusal_says_what_to_do},
    {"all problems are reported, in the order of the file",
     reports_all_problems_in_the_order_of_the_file},
    {"reading stops after a hundred problems", stops_after_a_hundred_problems},
    {"a NUL byte is reported and nothing else", a_nul_byte_ends_the_matter},
    {"file and array sizes are limited exactly", keeps_to_its_limits},
    {"settings in a group and depth are limited exactly", counts_settings_and_depth},
    {"includes stand where the directive stands", includes_stand_where_the_directive_stands},
    {"an included file cannot open or close another's brackets",
     an_include_keeps_its_brackets_to_itself},
    {"a file that includes itself is named", an_include_of_itself_is_named},
    {"what is no regular file is refused and does not block",
     what_is_no_regular_file_is_refused_at_once},
    {"a mebibyte of anything is judged within seconds", a_mebibyte_of_anything_is_soon_judged},
    {"a lone value is read", reads_a_lone_value},
    {"what is no lone value is refused", refuses_what_is_no_lone_value},
    {"a disagreement with libconfig is an error", a_disagreement_with_libconfig_is_an_error},
    {"nothing is left behind", leaves_nothing_behind})
