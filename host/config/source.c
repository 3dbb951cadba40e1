/* Characters of a source, their places, and problems reported at them. */
#include "config/lex.h"
#include "config/secret_name.h"

#include <string.h>

typedef enum fairness { FAIR, CONTROL, BROKEN } fairness;

static fairness judge(const rt_source *source, size_t *size)
{
    const char *at = source->text + source->next;
    size_t left = source->length - source->next;
    *size = rt_utf8_sequence(at, left);
    if (*size == 0) {
        *size = 1;
        return BROKEN;
    }
    unsigned char c = (unsigned char)at[0];
    if (c == '\r')
        return left > 1 && at[1] == '\n' ? FAIR : CONTROL;
    bool c1 = *size == 2 && c == 0xc2 && (unsigned char)at[1] < 0xa0;
    return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f || c1 ? CONTROL : FAIR;
}

bool rt_source_is_fair(const rt_source *source)
{
    size_t size;
    return judge(source, &size) == FAIR;
}

static void step(rt_source *source, size_t size)
{
    bool ends_line = source->text[source->next] == '\n';
    source->next += size;
    source->column++;
    if (ends_line) {
        source->line++;
        source->column = 1;
        source->line_start = source->next;
    }
}

static uint32_t code_point(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    return size == 1 ? bytes[0] : (uint32_t)(bytes[0] & 0x1f) << 6 | (bytes[1] & 0x3f);
}

static void report_unfair(rt_reader *reader, fairness found, const char *first, size_t size,
                          uint32_t column)
{
    rt_source *source = reader->source;
    rt_place place = rt_source_since(reader, source, column);
    if (found == BROKEN) {
        rt_diagnostic *problem =
            RT_PROBLEM(reader, CONFIG_ENCODING, &place,
                       rt_arena_format(reader->arena, "byte 0x%02x", (unsigned char)*first));
        rt_help(problem, "save the file as UTF-8");
        return;
    }
    uint32_t code = code_point(first, size);
    rt_diagnostic *problem =
        RT_PROBLEM(reader, CONFIG_CHARACTER, &place,
                   rt_arena_format(reader->arena, "control character U+%04X", code));
    if (code == '\r')
        rt_help(problem, "end lines with LF, or with CR LF");
    else if (code < 0x80)
        rt_help(problem, "remove it, or write it as `\\x%02x` in a string", code);
    else
        rt_help(problem, "remove it");
}

bool rt_reader_take(rt_reader *reader)
{
    rt_source *source = reader->source;
    size_t size;
    fairness found = judge(source, &size);
    if (found == FAIR) {
        step(source, size);
        return true;
    }
    const char *first = source->text + source->next;
    size_t first_size = size;
    uint32_t column = source->column;
    do
        step(source, size);
    while (source->next < source->length && judge(source, &size) == found);
    report_unfair(reader, found, first, first_size, column);
    return false;
}

/* --- places ---------------------------------------------------------------------------------- */

static void add_fair(rt_buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t size = rt_utf8_sequence(text + i, length - i);
        unsigned char c = (unsigned char)text[i];
        bool c1 = size == 2 && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;
        if (size == 0 || c1)
            rt_buffer_text(out, "\xef\xbf\xbd");
        else if (c == '\t')
            rt_buffer_char(out, c);
        else if (c < 0x20 || c == 0x7f)
            rt_buffer_char(out, '?');
        else
            rt_buffer_add(out, text + i, size);
        i += size ? size : 1;
    }
}

static const char *copy_line(rt_reader *reader, const rt_source *source)
{
    const char *start = source->text + source->line_start;
    size_t left = source->length - source->line_start;
    const char *end = memchr(start, '\n', left);
    size_t length = end ? (size_t)(end - start) : left;
    if (length && start[length - 1] == '\r')
        length--;
    if (length > RT_CONFIG_LINE_LIMIT)
        return NULL;
    reader->scratch.length = 0;
    rt_buffer_reserve(&reader->scratch, length);
    add_fair(&reader->scratch, start, length);
    return rt_arena_copy_n(reader->arena, reader->scratch.data, reader->scratch.length);
}

rt_place rt_source_place(rt_reader *reader, rt_source *source, uint32_t line, uint32_t column,
                         uint32_t length)
{
    if (line == source->line && source->line_text_of != line) {
        source->line_text = copy_line(reader, source);
        source->line_text_of = line;
    }
    return (rt_place){
        .file = source->path,
        .line = line,
        .column = column,
        .length = length,
        .source = source->line_text_of == line ? source->line_text : NULL,
    };
}

rt_place rt_source_since(rt_reader *reader, rt_source *source, uint32_t column)
{
    return rt_source_place(reader, source, source->line, column, source->column - column);
}

const char *rt_source_origin(rt_reader *reader, rt_source *source, uint32_t line)
{
    if (reader->label)
        return reader->label;
    if (source->origin_of != line) {
        source->origin = rt_arena_format(reader->arena, "%s:%u", source->path, line);
        source->origin_of = line;
    }
    return source->origin;
}

const char *rt_excerpt(rt_reader *reader, const char *text, size_t length)
{
    enum { LONGEST = 60 };
    bool shorten = length > LONGEST;
    if (shorten)
        for (length = LONGEST; length && ((unsigned char)text[length] & 0xc0) == 0x80; length--)
            continue;
    rt_buffer *scratch = &reader->scratch;
    scratch->length = 0;
    rt_buffer_reserve(scratch, length);
    add_fair(scratch, text, length);
    if (shorten)
        rt_buffer_text(scratch, "…");
    return rt_arena_copy_n(reader->arena, scratch->data, scratch->length);
}

const char *rt_excerpt_value(rt_reader *reader, const char *text, size_t length)
{
    return reader->is_secret ? "<redacted>" : rt_excerpt(reader, text, length);
}

/* --- problems -------------------------------------------------------------------------------- */

static const rt_source *source_of(const rt_reader *reader, const rt_place *place)
{
    const rt_source *source = reader->sources;
    while (source && source->path != place->file)
        source = source->older;
    return source;
}

void rt_reader_give_up(rt_reader *reader)
{
    reader->diagnostics = &reader->unheard;
}

bool rt_reader_gave_up(const rt_reader *reader)
{
    return reader->diagnostics == &reader->unheard;
}

rt_diagnostic *rt_reader_reported(rt_reader *reader, rt_diagnostic *diagnostic)
{
    const rt_source *source = source_of(reader, &diagnostic->place);
    const char *line = diagnostic->place.source;
    if (line && (reader->is_secret || rt_secret_in_line(line)))
        diagnostic->place.source = NULL;
    if (source && source->includer)
        rt_note(diagnostic, "included from %s:%u", source->included_at.file,
                source->included_at.line);
    if (++reader->problems == RT_CONFIG_PROBLEM_LIMIT) {
        RT_DIAGNOSE(reader->diagnostics, CONFIG_TOO_MANY_PROBLEMS,
                    &(rt_place){.file = reader->path}, RT_CONFIG_PROBLEM_LIMIT);
        rt_reader_give_up(reader);
    }
    return diagnostic;
}

static size_t file_rank(const rt_reader *reader, const char *file)
{
    size_t newer = 0;
    const rt_source *source = reader->sources;
    for (; source && source->path != file; source = source->older)
        newer++;
    return source ? newer : 0;
}

/* Whether `a` stands before `b`: files in the order they were opened, the oldest last in
 * the list. */
static bool stands_before(const rt_reader *reader, const rt_diagnostic *a, const rt_diagnostic *b)
{
    if (!a->place.line || !b->place.line)
        return false;
    if (a->place.file != b->place.file)
        return file_rank(reader, a->place.file) > file_rank(reader, b->place.file);
    return a->place.line != b->place.line ? a->place.line < b->place.line
                                          : a->place.column < b->place.column;
}

void rt_reader_sort_problems(rt_reader *reader)
{
    rt_diagnostic **items = reader->heard->items;
    size_t from = reader->heard_before;
    for (size_t i = from + 1; i < reader->heard->count; i++) {
        rt_diagnostic *moved = items[i];
        size_t at = i;
        for (; at > from && stands_before(reader, moved, items[at - 1]); at--)
            items[at] = items[at - 1];
        items[at] = moved;
    }
}
