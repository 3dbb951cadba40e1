/* Files: the main one, what it includes, and the one flat text that libconfig reads. */
#include "config/lex.h"

#include "base/reason.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static const char help_size[] =
    "keep long data in a file of its own and give its path in a setting";

static void report_unreadable(rt_reader *reader, const rt_place *place, const char *path, int error)
{
    if (error == EFBIG) {
        rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_TOO_LARGE, place,
                                            rt_arena_format(reader->arena, "`%s`", path), "1 MiB");
        rt_help(problem, "%s", help_size);
        return;
    }
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_UNREADABLE, place, path, rt_reason(error));
    if (place->line && error == ENOENT)
        rt_help(problem, "included files are looked for in the folder of `%s`", reader->path);
    else if (place->line && error == EISDIR)
        rt_help(problem, "include the files in it, each by its name");
}

static bool report_no_text(rt_reader *reader, rt_source *source, const char *nul)
{
    while (source->text + source->next < nul) {
        unsigned char c = (unsigned char)source->text[source->next++];
        bool ends_line = c == '\n';
        source->column = ends_line ? 1 : source->column + ((c & 0xc0) != 0x80);
        source->line += ends_line;
        if (ends_line)
            source->line_start = source->next;
    }
    rt_place place = rt_source_place(reader, source, source->line, source->column, 1);
    place.source = NULL;
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_CHARACTER, &place, "a NUL byte");
    rt_help(problem, "the file is no text: check that the right one is given");
    return false;
}

static bool report_byte_order(rt_reader *reader, rt_source *source)
{
    rt_place place = rt_source_place(reader, source, 1, 1, 1);
    place.source = NULL;
    rt_diagnostic *problem =
        RT_PROBLEM(reader, CONFIG_ENCODING, &place, "the file begins as UTF-16 does");
    rt_help(problem, "save the file as UTF-8");
    return false;
}

/* What makes the whole file something else than a configuration is said once. */
static bool check_text(rt_reader *reader, rt_source *source)
{
    const char *text = source->text;
    if (source->length >= 2 &&
        (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return report_byte_order(reader, source);
    const char *nul = source->length ? memchr(text, '\0', source->length) : NULL;
    if (nul)
        return report_no_text(reader, source, nul);
    if (source->length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        source->next = source->line_start = source->flat_from = 3;
        rt_place place = rt_source_place(reader, source, 1, 1, 1);
        rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_CHARACTER, &place, "a byte order mark");
        rt_help(problem, "save the file as UTF-8 without it");
    }
    return true;
}

static rt_source *add_source(rt_reader *reader, const char *path, const char *text, size_t length)
{
    rt_source *source = RT_NEW(reader->arena, rt_source);
    source->path = rt_arena_copy(reader->arena, path);
    source->text = rt_arena_copy_n(reader->arena, text, length);
    source->length = length;
    source->line = source->column = 1;
    source->older = reader->sources;
    reader->sources = source;
    reader->size += length;
    return source;
}

static bool push(rt_reader *reader, rt_source *source)
{
    if (!check_text(reader, source))
        return false;
    reader->source = source;
    return true;
}

static void set_main(rt_reader *reader, const char *path)
{
    const char *slash = strrchr(path, '/');
    reader->path = rt_arena_copy(reader->arena, path);
    reader->folder = rt_arena_copy_n(reader->arena, path, slash ? (size_t)(slash - path) + 1 : 0);
}

bool rt_reader_open_text(rt_reader *reader, const char *path, const char *text, size_t length)
{
    set_main(reader, path);
    if (length > RT_CONFIG_FILE_LIMIT) {
        report_unreadable(reader, &(rt_place){.file = reader->path}, path, EFBIG);
        return false;
    }
    return push(reader, add_source(reader, path, text, length));
}

static rt_source *read_source(rt_reader *reader, const rt_place *place, const char *path)
{
    rt_buffer text = {0};
    struct stat status;
    rt_source *source = NULL;
    int result = stat(path, &status) < 0 ? -errno : 0;
    if (!result)
        result = rt_buffer_read_file(&text, path, RT_CONFIG_FILE_LIMIT);
    if (result) {
        report_unreadable(reader, place, path, -result);
    } else {
        source = add_source(reader, path, text.data, text.length);
        source->device = status.st_dev;
        source->inode = status.st_ino;
    }
    rt_buffer_free(&text);
    return source;
}

bool rt_reader_open(rt_reader *reader, const char *path)
{
    set_main(reader, path);
    rt_source *source = read_source(reader, &(rt_place){.file = reader->path}, path);
    return source && push(reader, source);
}

/* --- @include -------------------------------------------------------------------------------- */

static bool is_open_already(const rt_reader *reader, const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return false;
    for (const rt_source *source = reader->source; source; source = source->includer)
        if (source->inode && source->inode == status.st_ino && source->device == status.st_dev)
            return true;
    return false;
}

static void report_loop(rt_reader *reader, const rt_place *place, const char *path)
{
    rt_diagnostic *problem =
        RT_PROBLEM(reader, CONFIG_INCLUDE_LOOP, place, path, "includes itself");
    for (const rt_source *source = reader->source; source->includer; source = source->includer)
        if (source != reader->source)
            rt_note(problem, "through %s:%u", source->included_at.file, source->included_at.line);
    rt_help(problem, "remove this line");
}

static bool within_limits(rt_reader *reader, const rt_place *place, const char *path)
{
    if (is_open_already(reader, path)) {
        report_loop(reader, place, path);
        return false;
    }
    if (reader->source->depth == RT_CONFIG_INCLUDE_DEPTH) {
        rt_diagnostic *problem =
            RT_PROBLEM(reader, CONFIG_INCLUDE_LOOP, place, path,
                       rt_arena_format(reader->arena, "is included more than %d deep",
                                       RT_CONFIG_INCLUDE_DEPTH));
        rt_help(problem, "include it from `%s` itself", reader->path);
        return false;
    }
    if (reader->includes == RT_CONFIG_INCLUDE_LIMIT) {
        RT_PROBLEM(reader, CONFIG_INCLUDE_LOOP, place, path,
                   rt_arena_format(reader->arena,
                                   "comes after %d other includes, the most there may be",
                                   RT_CONFIG_INCLUDE_LIMIT));
        rt_reader_give_up(reader);
        return false;
    }
    reader->includes++;
    return true;
}

static bool within_size(rt_reader *reader, const rt_place *place)
{
    if (reader->size <= RT_CONFIG_TREE_LIMIT)
        return true;
    const char *what = rt_arena_format(reader->arena, "`%s` with all it includes", reader->path);
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_TOO_LARGE, place, what, "2 MiB");
    rt_help(problem, "%s", help_size);
    rt_reader_give_up(reader);
    return false;
}

static bool open_include(rt_reader *reader, const rt_place *place, const char *name)
{
    const char *path =
        rt_arena_format(reader->arena, "%s%s", name[0] == '/' ? "" : reader->folder, name);
    if (!within_limits(reader, place, path))
        return false;
    rt_source *source = read_source(reader, place, path);
    if (!source || !within_size(reader, place))
        return false;
    source->includer = reader->source;
    source->included_at = *place;
    source->depth = reader->source->depth + 1;
    return push(reader, source);
}

static void report_terminator(rt_reader *reader)
{
    rt_source *source = reader->source;
    while (rt_source_look(source, 0) == ' ' || rt_source_look(source, 0) == '\t')
        rt_source_skip(source, 1);
    int next = rt_source_look(source, 0);
    if (next != ';' && next != ',')
        return;
    rt_source_skip(source, 1);
    rt_place place = rt_source_since(reader, source, source->column - 1);
    rt_diagnostic *problem =
        RT_PROBLEM(reader, CONFIG_INCLUDE, &place, next == ';' ? "takes no `;`" : "takes no `,`");
    rt_help(problem, "remove it");
}

static bool starts_line(const rt_source *source)
{
    size_t at = source->line_start;
    while (at < source->next && (source->text[at] == ' ' || source->text[at] == '\t'))
        at++;
    return at == source->next;
}

static bool is_allowed_here(rt_reader *reader, const rt_place *directive, bool at_start)
{
    if (reader->label) {
        RT_PROBLEM(reader, CONFIG_INCLUDE, directive, "cannot stand in a value");
        return false;
    }
    if (!at_start) {
        rt_diagnostic *problem =
            RT_PROBLEM(reader, CONFIG_INCLUDE, directive, "must stand at the start of a line");
        rt_help(problem, "put it on a line of its own");
    }
    return at_start;
}

bool rt_reader_include(rt_reader *reader)
{
    rt_source *source = reader->source;
    uint32_t column = source->column;
    bool at_start = starts_line(source);
    rt_reader_flatten(reader, source);
    rt_source_skip(source, sizeof "@include" - 1);
    rt_place directive = rt_source_since(reader, source, column), place = directive;
    const char *name = rt_lex_file_name(reader, &place);
    if (!name || !is_allowed_here(reader, &directive, at_start))
        return false;
    report_terminator(reader);
    source->flat_from = source->next;
    return open_include(reader, &place, name);
}

void rt_reader_flatten(rt_reader *reader, rt_source *source)
{
    rt_buffer_add(&reader->flat, source->text + source->flat_from,
                  source->next - source->flat_from);
    source->flat_from = source->next;
}

void rt_reader_leave(rt_reader *reader)
{
    rt_source *source = reader->source;
    rt_reader_flatten(reader, source);
    rt_buffer_char(&reader->flat, '\n');
    reader->source = source->includer;
}
