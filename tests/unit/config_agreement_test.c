/* Thousands of valid files, made up from a fixed seed, are read by both readers, libconfig with its
 * own file access and its own includes; the trees must be the same. Then the files are damaged. */
#include "harness.h"

#include "config/config.h"

#include <inttypes.h>
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES = 3000, MUTANTS = 20000, PARTS = 4, DEEPEST = 6 };

static char folder[] = "/tmp/rt-agreement-test-XXXXXX";

/* --- making files up ------------------------------------------------------------------------- */

typedef struct writer {
    rt_buffer text;
    uint64_t state;
    unsigned names; /* so far, for names that differ */
    unsigned parts; /* files that are included */
    unsigned depth;
    unsigned budget; /* values that may still be written */
} writer;

static unsigned pick(writer *w, unsigned count)
{
    w->state ^= w->state << 13;
    w->state ^= w->state >> 7;
    w->state ^= w->state << 17;
    return (unsigned)(w->state >> 33) % count;
}

static const char *one_of(writer *w, const char *const *words, unsigned count)
{
    return words[pick(w, count)];
}
#define ONE_OF(w, words) one_of(w, words, sizeof(words) / sizeof((words)[0]))

static void write_blank(writer *w, bool needed)
{
    static const char *const blanks[] = {" ",       "\n",          "\t",     "\r\n",         "  ",
                                         "/* c */", "# \"c = {\n", "#* d\n", "// c [ ; é\n", "/**/",
                                         "/*\n*/"};
    if (!needed && pick(w, 2))
        return;
    rt_buffer_text(&w->text, ONE_OF(w, blanks));
}

static void write_name(writer *w)
{
    static const char *const starts[] = {"a", "Zed", "*", "x-y", "under_score", "truth", "include"};
    rt_buffer_format(&w->text, "%s%u", ONE_OF(w, starts), w->names++);
}

static void write_piece(writer *w)
{
    static const char *const plain[] = {"a", "B", " ",  "{", "}", "#", "//",       "/*", "é",
                                        "€", "𝄞", "\t", ";", "=", "'", "@include", "0"};
    static const char *const escapes[] = {"\\\\", "\\\"",  "\\n",   "\\r",        "\\t",
                                          "\\f",  "\\x41", "\\X7f", "\\xc3\\xa9", "\\x01"};
    rt_buffer_char(&w->text, '"');
    for (unsigned length = pick(w, 8); length; length--)
        rt_buffer_text(&w->text, pick(w, 3) ? ONE_OF(w, plain) : ONE_OF(w, escapes));
    rt_buffer_char(&w->text, '"');
}

static void write_string(writer *w)
{
    write_piece(w);
    while (pick(w, 4) == 0) {
        write_blank(w, false);
        write_piece(w);
    }
}

static void write_int(writer *w)
{
    static const char *const edges[] = {"0",           "-0",         "+5",        "2147483647",
                                        "-2147483648", "0x7FFFFFFF", "0X0000001f"};
    unsigned kind = pick(w, 4);
    if (kind == 0)
        rt_buffer_text(&w->text, ONE_OF(w, edges));
    else if (kind == 1)
        rt_buffer_format(&w->text, "0x%x", pick(w, INT32_MAX));
    else
        rt_buffer_format(&w->text, "%d", (int)pick(w, INT32_MAX) - INT32_MAX / 2);
}

static void write_long(writer *w)
{
    static const char *const edges[] = {"0L", "9223372036854775807L", "-9223372036854775808LL",
                                        "0x7FFFFFFFFFFFFFFFL", "0xffLL"};
    unsigned kind = pick(w, 3);
    if (kind == 0)
        rt_buffer_text(&w->text, ONE_OF(w, edges));
    else
        rt_buffer_format(&w->text, "%s%" PRIu64 "%s", kind == 1 ? "-" : "", w->state >> 1,
                         pick(w, 2) ? "L" : "LL");
}

static void write_float(writer *w)
{
    static const char *const edges[] = {
        "0.0", "-.5",  "5.",       "1e5",   "1.E-3",
        "+.5", "1E+5", "4.9e-324", "0.0e9", "1.7976931348623157e308"};
    if (pick(w, 2))
        rt_buffer_text(&w->text, ONE_OF(w, edges));
    else
        rt_buffer_format(&w->text, "%s%u.%ue%d", pick(w, 2) ? "-" : "", pick(w, 1000),
                         pick(w, 1000), (int)pick(w, 200) - 100);
}

static void write_bool(writer *w)
{
    static const char *const words[] = {"true", "false", "TRUE", "False", "tRuE"};
    rt_buffer_text(&w->text, ONE_OF(w, words));
}

static void (*const scalars[])(writer *) = {write_string, write_int, write_long, write_float,
                                            write_bool};
enum { SCALARS = sizeof scalars / sizeof scalars[0] };

static void write_value(writer *w);
static void write_settings(writer *w);

static void write_array(writer *w)
{
    unsigned kind = pick(w, SCALARS);
    rt_buffer_char(&w->text, '[');
    for (unsigned i = 0, count = pick(w, 5); i < count; i++) {
        if (i)
            rt_buffer_char(&w->text, ',');
        write_blank(w, false);
        scalars[kind](w);
        write_blank(w, false);
    }
    rt_buffer_char(&w->text, ']');
}

/* Writes to a file of its own and puts an @include where it belongs. */
static void write_part(writer *w, void (*write)(writer *))
{
    rt_buffer outer = w->text;
    char path[128];
    unsigned part = w->parts++;
    w->text = (rt_buffer){0};
    write(w);
    rt_buffer_char(&w->text, '\n');
    snprintf(path, sizeof path, "%s/part%u.conf", folder, part);
    FILE *file = fopen(path, "w");
    if (file) {
        fwrite(w->text.data, 1, w->text.length, file);
        fclose(file);
    }
    rt_buffer_free(&w->text);
    w->text = outer;
    rt_buffer_format(&w->text, "\n%s@include%s\"part%u.conf\"%s\n", pick(w, 2) ? "  " : "",
                     pick(w, 2) ? " " : "\t", part, pick(w, 2) ? "" : " # included");
}

static void write_items(writer *w)
{
    for (unsigned i = 0, count = 1 + pick(w, 4); i < count; i++) {
        if (i)
            rt_buffer_char(&w->text, ',');
        write_blank(w, false);
        write_value(w);
        write_blank(w, false);
    }
}

static void write_list(writer *w)
{
    rt_buffer_char(&w->text, '(');
    if (w->parts < PARTS && pick(w, 20) == 0)
        write_part(w, write_items);
    else if (pick(w, 5))
        write_items(w);
    rt_buffer_char(&w->text, ')');
}

static void write_group(writer *w)
{
    rt_buffer_char(&w->text, '{');
    write_settings(w);
    rt_buffer_char(&w->text, '}');
}

static void write_value(writer *w)
{
    static void (*const brackets[])(writer *) = {write_array, write_list, write_group};
    w->budget -= w->budget > 0;
    if (w->depth >= DEEPEST || !w->budget || pick(w, 5) < 3) {
        scalars[pick(w, SCALARS)](w);
        return;
    }
    w->depth++;
    brackets[pick(w, 3)](w);
    w->depth--;
}

static void write_setting(writer *w)
{
    write_name(w);
    write_blank(w, false);
    rt_buffer_char(&w->text, pick(w, 2) ? '=' : ':');
    write_blank(w, false);
    write_value(w);
    write_blank(w, false);
    unsigned terminator = pick(w, 3);
    if (terminator < 2)
        rt_buffer_char(&w->text, terminator ? ';' : ',');
    write_blank(w, terminator == 2);
}

static void write_settings(writer *w)
{
    for (unsigned count = pick(w, 6); count; count--) {
        write_blank(w, false);
        if (w->parts < PARTS && pick(w, 20) == 0)
            write_part(w, write_settings);
        else
            write_setting(w);
    }
}

static void write_file(writer *w, uint64_t seed)
{
    *w = (writer){.state = seed * 0x9e3779b97f4a7c15u + 1, .budget = 60};
    for (int i = 0; i < 8; i++)
        pick(w, 2);
    do
        write_settings(w);
    while (pick(w, 3));
    rt_buffer_char(&w->text, '\n');
}

/* --- comparing ------------------------------------------------------------------------------- */

static unsigned counts[RT_NODE_STRING + 1], longs;

static bool same_value(const rt_node *node, const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
        return node->type == RT_NODE_INT && !node->is_long &&
               node->value.integer == config_setting_get_int(setting);
    case CONFIG_TYPE_INT64:
        return node->type == RT_NODE_INT && node->is_long &&
               node->value.integer == config_setting_get_int64(setting);
    case CONFIG_TYPE_FLOAT: {
        double real = config_setting_get_float(setting);
        return node->type == RT_NODE_FLOAT && memcmp(&node->value.real, &real, sizeof real) == 0;
    }
    case CONFIG_TYPE_BOOL:
        return node->type == RT_NODE_BOOL &&
               node->value.integer == config_setting_get_bool(setting);
    case CONFIG_TYPE_STRING:
        return node->type == RT_NODE_STRING &&
               strcmp(node->value.text, config_setting_get_string(setting)) == 0;
    case CONFIG_TYPE_GROUP:
        return node->type == RT_NODE_GROUP;
    case CONFIG_TYPE_ARRAY:
        return node->type == RT_NODE_ARRAY;
    case CONFIG_TYPE_LIST:
        return node->type == RT_NODE_LIST;
    default:
        return false;
    }
}

static bool same(const rt_node *node, config_setting_t *setting)
{
    const char *name = config_setting_name(setting);
    bool is_bracket = node->type <= RT_NODE_LIST;
    int count = is_bracket ? config_setting_length(setting) : 0;
    if (!same_value(node, setting) || (int)node->count != count)
        return false;
    if (name ? !node->name || strcmp(name, node->name) != 0 : node->name && *node->name)
        return false;
    counts[node->type]++;
    longs += node->is_long;
    const rt_node *member = node->first;
    for (int i = 0; i < count; i++, member = member->next)
        if (!member || !same(member, config_setting_get_elem(setting, (unsigned)i)))
            return false;
    return !member;
}

/* Whether libconfig reads the file, and as the tree says. */
static bool agrees(const rt_node *top, const char *path)
{
    config_t config;
    config_init(&config);
    config_set_include_dir(&config, folder);
    bool agreed =
        config_read_file(&config, path) == CONFIG_TRUE && same(top, config_root_setting(&config));
    config_destroy(&config);
    return agreed;
}

static void save(const char *path, const rt_buffer *text)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL(file);
    if (!file)
        return;
    CU_ASSERT_EQUAL(fwrite(text->data, 1, text->length, file), text->length);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void show(const rt_buffer *text, const rt_diagnostics *diagnostics)
{
    rt_buffer out = {0};
    for (size_t i = 0; i < diagnostics->count; i++)
        rt_diagnostic_print(&out, diagnostics->items[i], false);
    printf("\n---\n%s---\n%s\n", text->data, out.data ? out.data : "");
    rt_buffer_free(&out);
}

/* --- the tests ------------------------------------------------------------------------------- */

static char main_path[128];

static void valid_files_read_alike(void)
{
    unsigned failed = 0, parts = 0;
    for (uint64_t seed = 1; seed <= FILES && failed < 3; seed++) {
        writer w;
        rt_arena arena;
        rt_diagnostics diagnostics;
        rt_arena_init(&arena);
        rt_diagnostics_init(&diagnostics, &arena);
        write_file(&w, seed);
        parts += w.parts;
        save(main_path, &w.text);
        const rt_node *top = rt_config_read(&arena, &diagnostics, main_path);
        bool good = top && !diagnostics.count && agrees(top, main_path);
        CU_ASSERT_TRUE(good);
        if (!good) {
            failed++;
            show(&w.text, &diagnostics);
        }
        rt_buffer_free(&w.text);
        rt_arena_free(&arena);
    }
    for (size_t type = 0; type <= RT_NODE_STRING; type++)
        CU_ASSERT_TRUE(counts[type] > FILES / 2);
    CU_ASSERT_TRUE(longs > FILES / 2);
    CU_ASSERT_TRUE(parts > FILES / 10);
}

/* One to three bytes or slices are changed, taken out, doubled or put in. */
static void damage(writer *w)
{
    static const char *const pieces[] = {
        "{",  "}",  "[",  "]",    "(",           ")",  ";",     ",",    "=",    ":",
        "\"", "\\", "/*", "*/",   "#",           "\n", "L",     "0",    "0x",   ".",
        "e",  "-",  "+",  "true", "//",          "\t", "\\x00", "\\q",  "\xff", "\x01",
        "\r", "\f", "@",  "'",    "99999999999", "a",  "a=1",   "\"\"", "*",    "_"};
    for (unsigned times = 1 + pick(w, 3); times; times--) {
        rt_buffer old = w->text;
        size_t at = old.length ? pick(w, (unsigned)old.length) : 0, length = pick(w, 4);
        size_t end = at + length < old.length ? at + length : old.length;
        unsigned kind = pick(w, 3);
        w->text = (rt_buffer){0};
        rt_buffer_add(&w->text, old.data, at);
        if (kind == 0)
            rt_buffer_text(&w->text, ONE_OF(w, pieces));
        else if (kind == 1)
            rt_buffer_add(&w->text, old.data + at,
                          2 * (end - at) <= old.length - at ? 2 * (end - at) : end - at);
        rt_buffer_add(&w->text, old.data + (kind == 1 ? at : end),
                      old.length - (kind == 1 ? at : end));
        rt_buffer_free(&old);
    }
    rt_buffer_char(&w->text, '\n');
}

static void damaged_files_are_refused_or_read_alike(void)
{
    unsigned accepted = 0, refused = 0, failed = 0;
    for (uint64_t seed = 1; seed <= MUTANTS && failed < 3; seed++) {
        writer w;
        rt_arena arena;
        rt_diagnostics diagnostics;
        rt_arena_init(&arena);
        rt_diagnostics_init(&diagnostics, &arena);
        write_file(&w, FILES + seed);
        damage(&w);
        save(main_path, &w.text);
        const rt_node *top = rt_config_read(&arena, &diagnostics, main_path);
        bool good = top ? !diagnostics.count && agrees(top, main_path) : diagnostics.errors > 0;
        for (size_t i = 0; i < diagnostics.count; i++)
            good = good && diagnostics.items[i]->id != RT_D_CONFIG_DISAGREEMENT;
        CU_ASSERT_TRUE(good);
        if (!good) {
            failed++;
            show(&w.text, &diagnostics);
        }
        *(top ? &accepted : &refused) += 1;
        rt_buffer_free(&w.text);
        rt_arena_free(&arena);
    }
    printf("(%u accepted, %u refused) ", accepted, refused);
    CU_ASSERT_TRUE(accepted > MUTANTS / 20);
    CU_ASSERT_TRUE(refused > MUTANTS / 20);
}

static void has_a_folder(void)
{
    CU_ASSERT_PTR_NOT_NULL(mkdtemp(folder));
    snprintf(main_path, sizeof main_path, "%s/runtime.conf", folder);
}

static void leaves_nothing_behind(void)
{
    unlink(main_path);
    for (unsigned part = 0; part < 1000; part++) {
        char path[128];
        snprintf(path, sizeof path, "%s/part%u.conf", folder, part);
        unlink(path);
    }
    CU_ASSERT_EQUAL(rmdir(folder), 0);
}

RT_TEST_MAIN("config agreement", {"a temporary folder is made", has_a_folder},
             {"valid files are read as libconfig reads them", valid_files_read_alike},
             {"damaged files are refused, or read as libconfig reads them",
              damaged_files_are_refused_or_read_alike},
             {"nothing is left behind", leaves_nothing_behind})
