/* Strings and their escapes, and the file names of @include. */
#include "config/lex.h"

#include <ctype.h>
#include <string.h>

static int escape_byte(int letter)
{
    static const char escapes[] = "\\\\\"\"f\fn\nr\rt\t";
    for (const char *escape = escapes; *escape; escape += 2)
        if (escape[0] == letter)
            return escape[1];
    return -1;
}

static int digit_value(int digit)
{
    return isdigit(digit) ? digit - '0' : tolower(digit) - 'a' + 10;
}

static bool report_escape(rt_reader *reader, const char *escape, const rt_place *place,
                          const char *what, const char *help)
{
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_ESCAPE, place, escape, what);
    rt_help(problem, "%s", help);
    return false;
}

/* At the `x` of `\x`. */
static bool take_hexadecimal(rt_reader *reader, uint32_t column)
{
    rt_source *source = reader->source;
    const char *start = source->text + source->next - 1;
    size_t digits = 0;
    while (digits < 2 && isxdigit(rt_source_look(source, 1 + digits)))
        digits++;
    int high = rt_source_look(source, 1), low = rt_source_look(source, 2);
    rt_source_skip(source, 1 + digits);
    int byte = digits == 2 ? digit_value(high) * 16 + digit_value(low) : 0;
    if (byte) {
        rt_buffer_char(&reader->piece, (char)byte);
        return true;
    }
    rt_place place = rt_source_since(reader, source, column);
    const char *escape = rt_excerpt_value(reader, start, 2 + digits);
    return digits == 2 ? report_escape(reader, escape, &place, "would put a NUL into a string",
                                       "remove it: a text cannot hold a NUL")
                       : report_escape(reader, escape, &place, "lacks a hexadecimal digit",
                                       "write two digits, as in `\\x0a`");
}

static bool report_unknown(rt_reader *reader, uint32_t column)
{
    rt_source *source = reader->source;
    const char *start = source->text + source->next - 1;
    if (!rt_reader_take(reader))
        return false;
    rt_place place = rt_source_since(reader, source, column);
    const char *escape =
        rt_excerpt_value(reader, start, (size_t)(source->text + source->next - start));
    bool is_unicode = escape[1] == 'u' || escape[1] == 'U';
    const char *help = rt_arena_format(reader->arena, "write `\\%s` for a backslash",
                                       reader->is_secret ? "\\" : escape);
    return report_escape(reader, escape, &place, "is not an escape",
                         is_unicode ? "write the character itself" : help);
}

static bool ends_line(const rt_source *source)
{
    int next = rt_source_look(source, 0);
    return next < 0 || next == '\n' || (next == '\r' && rt_source_look(source, 1) == '\n');
}

/* At a backslash. One before the end of the line is left for the string to be unterminated. */
static bool take_escape(rt_reader *reader)
{
    rt_source *source = reader->source;
    uint32_t column = source->column;
    rt_source_skip(source, 1);
    if (ends_line(source))
        return false;
    int letter = rt_source_look(source, 0);
    if (letter == 'x' || letter == 'X')
        return take_hexadecimal(reader, column);
    int byte = escape_byte(letter);
    if (byte < 0)
        return report_unknown(reader, column);
    rt_source_skip(source, 1);
    rt_buffer_char(&reader->piece, (char)byte);
    return true;
}

static bool take_plain(rt_reader *reader)
{
    rt_source *source = reader->source;
    const char *start = source->text + source->next;
    if (!rt_reader_take(reader))
        return false;
    rt_buffer_add(&reader->piece, start, (size_t)(source->text + source->next - start));
    return true;
}

static void report_open(rt_reader *reader, uint32_t column)
{
    rt_source *source = reader->source;
    rt_place place = rt_source_since(reader, source, column);
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_UNTERMINATED, &place, "string");
    rt_label(problem, "the closing `\"` is missing");
    if (memmem(source->text + source->line_start, source->next - source->line_start, "\\\"", 2)) {
        rt_help(problem, "`\\\"` is a quote in the text: write `\\\\` for a backslash");
        return;
    }
    rt_help(problem, "a string ends on its line: write `\\n` for a line break, or several strings "
                     "one after the other");
}

void rt_lex_string(rt_reader *reader, rt_token *token)
{
    rt_source *source = reader->source;
    uint32_t column = source->column;
    bool good = true;
    reader->piece.length = 0;
    rt_buffer_reserve(&reader->piece, 0);
    rt_source_skip(source, 1);
    while (!ends_line(source) && rt_source_look(source, 0) != '"')
        good &= rt_source_look(source, 0) == '\\' ? take_escape(reader) : take_plain(reader);
    if (ends_line(source)) {
        report_open(reader, column);
        token->kind = RT_TOKEN_BAD;
        token->is_open = true;
        return;
    }
    rt_source_skip(source, 1);
    token->kind = good ? RT_TOKEN_STRING : RT_TOKEN_BAD;
    token->value.text = rt_arena_copy_n(reader->arena, reader->piece.data, reader->piece.length);
}

/* --- file names ------------------------------------------------------------------------------ */

static const char *report_no_name(rt_reader *reader, const rt_place *place, const char *what)
{
    rt_source *source = reader->source;
    while (rt_source_look(source, 0) >= 0 && rt_source_look(source, 0) != '\n')
        rt_reader_take(reader);
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_INCLUDE, place, what);
    rt_help(problem, "write `@include \"file.conf\"`");
    return NULL;
}

/* libconfig knows only these two escapes here. */
static bool take_name_escape(rt_reader *reader)
{
    rt_source *source = reader->source;
    int next = rt_source_look(source, 1);
    if (next == '\\' || next == '"') {
        rt_buffer_char(&reader->piece, (char)next);
        rt_source_skip(source, 2);
        return true;
    }
    uint32_t column = source->column;
    rt_source_skip(source, 1);
    return ends_line(source) ? false : report_unknown(reader, column);
}

const char *rt_lex_file_name(rt_reader *reader, rt_place *place)
{
    rt_source *source = reader->source;
    bool apart = false, good = true;
    while (rt_source_look(source, 0) == ' ' || rt_source_look(source, 0) == '\t') {
        rt_source_skip(source, 1);
        apart = true;
    }
    if (!apart || rt_source_look(source, 0) != '"')
        return report_no_name(reader, place, "needs a file name in quotes");
    uint32_t column = source->column;
    reader->piece.length = 0;
    rt_buffer_reserve(&reader->piece, 0);
    rt_source_skip(source, 1);
    while (!ends_line(source) && rt_source_look(source, 0) != '"')
        good &= rt_source_look(source, 0) == '\\' ? take_name_escape(reader) : take_plain(reader);
    if (ends_line(source)) {
        report_open(reader, column);
        return NULL;
    }
    rt_source_skip(source, 1);
    *place = rt_source_since(reader, source, column);
    if (reader->piece.length == 0)
        return report_no_name(reader, place, "names no file");
    return good ? rt_arena_copy_n(reader->arena, reader->piece.data, reader->piece.length) : NULL;
}
