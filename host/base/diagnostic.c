#include "base/diagnostic.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define error RT_ERROR
#define warning RT_WARNING
#define info RT_INFO
const rt_diagnostic_entry rt_diagnostic_table[RT_DIAGNOSTIC_COUNT] = {
#define D(number, severity, name, format, explanation) \
    {#number, severity, #name, format, explanation},
#include "base/diagnostics.def"
#undef D
};
#undef error
#undef warning
#undef info

void rt_diagnostics_init(rt_diagnostics *diagnostics, rt_arena *arena)
{
    *diagnostics = (rt_diagnostics){.arena = arena};
}

static void count(rt_diagnostics *diagnostics, rt_severity severity, size_t by)
{
    if (severity == RT_ERROR)
        diagnostics->errors += by;
    else if (severity == RT_WARNING)
        diagnostics->warnings += by;
}

rt_diagnostic *rt_diagnose(rt_diagnostics *diagnostics, enum rt_diagnostic_id id,
                           const rt_place *place, const char *format, ...)
{
    rt_diagnostic *diagnostic = RT_NEW(diagnostics->arena, rt_diagnostic);
    va_list arguments;
    va_start(arguments, format);
    diagnostic->message = rt_arena_vformat(diagnostics->arena, format, arguments);
    va_end(arguments);
    diagnostic->id = id;
    diagnostic->severity = rt_diagnostic_table[id].severity;
    diagnostic->arena = diagnostics->arena;
    if (place)
        diagnostic->place = *place;
    rt_push(diagnostics->arena, diagnostics->items, diagnostics->count) = diagnostic;
    count(diagnostics, diagnostic->severity, 1);
    return diagnostic;
}

void rt_set_severity(rt_diagnostics *diagnostics, rt_diagnostic *diagnostic, rt_severity severity)
{
    count(diagnostics, diagnostic->severity, (size_t)-1);
    count(diagnostics, severity, 1);
    diagnostic->severity = severity;
}

void rt_label(rt_diagnostic *diagnostic, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    diagnostic->label = rt_arena_vformat(diagnostic->arena, format, arguments);
    va_end(arguments);
}

void rt_note(rt_diagnostic *diagnostic, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    rt_push(diagnostic->arena, diagnostic->notes, diagnostic->note_count) =
        rt_arena_vformat(diagnostic->arena, format, arguments);
    va_end(arguments);
}

void rt_help(rt_diagnostic *diagnostic, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    rt_push(diagnostic->arena, diagnostic->helps, diagnostic->help_count) =
        rt_arena_vformat(diagnostic->arena, format, arguments);
    va_end(arguments);
}

void rt_diagnostics_sort(rt_diagnostics *diagnostics)
{
    rt_diagnostic **sorted = NULL;
    size_t sorted_count = 0;
    for (int severity = RT_ERROR; severity >= RT_INFO; severity--)
        for (size_t i = 0; i < diagnostics->count; i++)
            if ((int)diagnostics->items[i]->severity == severity)
                rt_push(diagnostics->arena, sorted, sorted_count) = diagnostics->items[i];
    diagnostics->items = sorted;
}

const char *rt_severity_name(rt_severity severity)
{
    static const char *const names[] = {"info", "warning", "error"};
    return names[severity];
}

static const char *paint(rt_severity severity, bool colour)
{
    static const char *const colours[] = {"\033[1;36m", "\033[1;33m", "\033[1;31m"};
    return colour ? colours[severity] : "";
}

static void print_excerpt(rt_buffer *out, const rt_diagnostic *diagnostic, int margin, bool colour)
{
    const rt_place *place = &diagnostic->place;
    const char *off = colour ? "\033[0m" : "";
    rt_buffer_format(out, "%*s |\n%*u | ", margin, "", margin, place->line);
    rt_buffer_visible(out, place->source);
    rt_buffer_char(out, '\n');
    rt_buffer_format(out, "%*s | %*s%s", margin, "", (int)place->column - 1, "",
                     paint(diagnostic->severity, colour));
    for (uint32_t i = 0; i < (place->length ? place->length : 1); i++)
        rt_buffer_char(out, '^');
    if (diagnostic->label)
        rt_buffer_char(out, ' ');
    if (diagnostic->label)
        rt_buffer_visible(out, diagnostic->label);
    rt_buffer_format(out, "%s\n", off);
}

static void print_remark(rt_buffer *out, const char *word, const char *remark, int margin)
{
    rt_buffer_format(out, "%*s = %s: ", margin, "", word);
    rt_buffer_visible(out, remark);
    rt_buffer_char(out, '\n');
}

static void print_remarks(rt_buffer *out, const char *word, const char **remarks,
                          size_t remark_count, int margin)
{
    for (size_t i = 0; i < remark_count; i++)
        print_remark(out, word, remarks[i], margin);
}

static void print_place(rt_buffer *out, const rt_place *place, int margin)
{
    rt_buffer_format(out, "%*s--> ", margin, "");
    rt_buffer_visible(out, place->file);
    if (place->line)
        rt_buffer_format(out, ":%u:%u", place->line, place->column);
    rt_buffer_char(out, '\n');
}

void rt_diagnostic_print(rt_buffer *out, const rt_diagnostic *diagnostic, bool colour)
{
    const rt_place *place = &diagnostic->place;
    int margin = place->line ? snprintf(NULL, 0, "%u", place->line) : 1;
    bool excerpt = place->line && place->source;
    rt_buffer_format(out, "%s%s[%s]%s: %s", paint(diagnostic->severity, colour),
                     rt_severity_name(diagnostic->severity),
                     rt_diagnostic_table[diagnostic->id].number, colour ? "\033[0m" : "",
                     colour ? "\033[1m" : "");
    rt_buffer_visible(out, diagnostic->message);
    rt_buffer_text(out, colour ? "\033[0m\n" : "\n");
    if (place->file)
        print_place(out, place, margin);
    if (excerpt)
        print_excerpt(out, diagnostic, margin, colour);
    else if (diagnostic->label)
        print_remark(out, "note", diagnostic->label, margin);
    print_remarks(out, "note", diagnostic->notes, diagnostic->note_count, margin);
    print_remarks(out, "help", diagnostic->helps, diagnostic->help_count, margin);
}

static void json_member(rt_buffer *out, const char *name, const char *text)
{
    rt_buffer_format(out, ",\"%s\":", name);
    if (!text) {
        rt_buffer_text(out, "null");
        return;
    }
    rt_buffer_char(out, '"');
    rt_buffer_json(out, text, strlen(text));
    rt_buffer_char(out, '"');
}

static void json_texts(rt_buffer *out, const char *name, const char **texts, size_t text_count)
{
    rt_buffer_format(out, ",\"%s\":[", name);
    for (size_t i = 0; i < text_count; i++) {
        rt_buffer_text(out, i ? ",\"" : "\"");
        rt_buffer_json(out, texts[i], strlen(texts[i]));
        rt_buffer_char(out, '"');
    }
    rt_buffer_char(out, ']');
}

void rt_diagnostic_json(rt_buffer *out, const rt_diagnostic *diagnostic)
{
    const rt_place *place = &diagnostic->place;
    rt_buffer_format(out, "{\"id\":\"%s\",\"severity\":\"%s\"",
                     rt_diagnostic_table[diagnostic->id].number,
                     rt_severity_name(diagnostic->severity));
    json_member(out, "message", diagnostic->message);
    json_member(out, "file", place->file);
    if (place->line)
        rt_buffer_format(out, ",\"line\":%u,\"column\":%u", place->line, place->column);
    json_member(out, "label", diagnostic->label);
    json_texts(out, "notes", diagnostic->notes, diagnostic->note_count);
    json_texts(out, "help", diagnostic->helps, diagnostic->help_count);
    rt_buffer_char(out, '}');
}

const rt_diagnostic_entry *rt_diagnostic_find(const char *number)
{
    for (size_t i = 0; i < RT_DIAGNOSTIC_COUNT; i++)
        if (strcasecmp(rt_diagnostic_table[i].number, number) == 0)
            return &rt_diagnostic_table[i];
    return NULL;
}
