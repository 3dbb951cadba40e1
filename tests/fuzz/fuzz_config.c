/* fuzz_config — the configuration reader on any bytes
 *
 * The input is the main file; behind a line `%%` stands what `@include "part.conf"` gives. Besides
 * memory errors it looks for disagreement with libconfig and for a refusal without a reason. The
 * first line is read as a lone value too.
 */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char mark[] = "\n%%\n";
static char folder[] = "/tmp/rt-fuzz-config-XXXXXX";
static char main_path[64], part_path[64];

static void name_files(void)
{
    if (main_path[0])
        return;
    if (!mkdtemp(folder))
        abort();
    snprintf(main_path, sizeof main_path, "%s/runtime.conf", folder);
    snprintf(part_path, sizeof part_path, "%s/part.conf", folder);
}

static void write_part(const char *bytes, size_t length)
{
    FILE *file = fopen(part_path, "w");
    if (!file || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
        abort();
}

/* Only the part may be included: what else lies on this machine is nobody's input. */
static bool includes_more(const char *text, size_t length)
{
    static const char directive[] = "@include", part[] = "\"part.conf\"";
    const char *end = text + length, *at = text;
    while ((at = memmem(at, (size_t)(end - at), directive, sizeof directive - 1))) {
        at += sizeof directive - 1;
        const char *name = at;
        while (name < end && (*name == ' ' || *name == '\t'))
            name++;
        if (name < end && *name == '"' &&
            ((size_t)(end - name) < sizeof part - 1 || memcmp(name, part, sizeof part - 1) != 0))
            return true;
    }
    return false;
}

static void check(const rt_diagnostics *diagnostics, const rt_node *node)
{
    rt_buffer printed = {0};
    if (!node == !diagnostics->errors)
        abort();
    for (size_t i = 0; i < diagnostics->count; i++) {
        if (diagnostics->items[i]->id == RT_D_CONFIG_DISAGREEMENT) {
            fprintf(stderr, "%s\n", diagnostics->items[i]->message);
            abort();
        }
        rt_diagnostic_print(&printed, diagnostics->items[i], false);
    }
    rt_buffer_free(&printed);
}

static void read_value(const char *text, size_t length)
{
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_arena_init(&arena);
    rt_diagnostics_init(&diagnostics, &arena);
    const char *end = length ? memchr(text, '\n', length) : NULL;
    const char *value = rt_arena_copy_n(&arena, text, end ? (size_t)(end - text) : length);
    check(&diagnostics, rt_config_parse_value(&arena, &diagnostics, "--set", value));
    rt_arena_free(&arena);
}

static void read_file(const char *text, size_t length)
{
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_arena_init(&arena);
    rt_diagnostics_init(&diagnostics, &arena);
    check(&diagnostics, rt_config_parse(&arena, &diagnostics, main_path, text, length));
    rt_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *part = size ? memmem(text, size, mark, sizeof mark - 1) : NULL;
    if (size && includes_more(text, size))
        return -1;
    name_files();
    if (part) {
        const char *from = part + sizeof mark - 1;
        write_part(from, size - (size_t)(from - text));
    } else {
        unlink(part_path);
    }
    size_t length = part ? (size_t)(part - text) + 1 : size;
    read_file(text, length);
    read_value(text, length);
    return 0;
}
