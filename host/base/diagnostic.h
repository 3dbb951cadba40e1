/* diagnostic.h — problems found in a deployment, collected and then printed
 *
 * diagnostics.def is the one table: stable id, severity, name, message and long text. Whoever finds
 * a problem calls RT_DIAGNOSE with the name and the message's arguments (checked by the compiler),
 * and may add a label under the caret, notes and a help line. Nothing is printed here and nothing
 * stops at the first problem.
 *
 *     rt_diagnostic *d = RT_DIAGNOSE(diagnostics, UNKNOWN_SETTING, &node->place, name, owner);
 *     rt_label(d, "did you mean `%s`?", nearest);
 *     rt_help(d, "`rtctl inspect %s` lists its settings", module);
 */
#ifndef RT_BASE_DIAGNOSTIC_H
#define RT_BASE_DIAGNOSTIC_H

#include "base/arena.h"
#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum rt_severity { RT_INFO, RT_WARNING, RT_ERROR } rt_severity;

/* Where: a place in a text, or a whole file (line 0), or nowhere (file NULL). */
typedef struct rt_place {
    const char *file;
    uint32_t line;      /* from 1 */
    uint32_t column;    /* from 1, in characters (UTF-8), a tab counts one */
    uint32_t length;    /* of what the caret underlines, in characters; 0 counts as 1 */
    const char *source; /* the whole line, without its end; or NULL */
} rt_place;

typedef struct rt_diagnostic {
    uint32_t id; /* index into the table */
    rt_severity severity;
    rt_place place;
    const char *message;
    const char *label; /* beside the caret, or NULL */
    const char **notes;
    size_t note_count;
    const char **helps;
    size_t help_count;
    rt_arena *arena;
} rt_diagnostic;

typedef struct rt_diagnostics {
    rt_arena *arena;
    rt_diagnostic **items; /* in the order found */
    size_t count;
    size_t errors;
    size_t warnings;
} rt_diagnostics;

enum rt_diagnostic_id {
#define D(number, severity, name, format, explanation) RT_D_##name,
#include "base/diagnostics.def"
#undef D
    RT_DIAGNOSTIC_COUNT
};

#define D(number, severity, name, format, explanation) \
    __attribute__((unused)) static const char rt_format_##name[] = format;
#include "base/diagnostics.def"
#undef D

typedef struct rt_diagnostic_entry {
    const char *number; /* "RT0107" */
    rt_severity severity;
    const char *name;
    const char *format;
    const char *explanation;
} rt_diagnostic_entry;

extern const rt_diagnostic_entry rt_diagnostic_table[RT_DIAGNOSTIC_COUNT];

void rt_diagnostics_init(rt_diagnostics *diagnostics, rt_arena *arena);

/* Adds a diagnostic; `place` may be NULL and is copied (its texts are not). */
#define RT_DIAGNOSE(diagnostics, name, place, ...) \
    rt_diagnose(diagnostics, RT_D_##name, place, rt_format_##name, ##__VA_ARGS__)
rt_diagnostic *rt_diagnose(rt_diagnostics *diagnostics, enum rt_diagnostic_id id,
                           const rt_place *place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Some problems weigh more in production, or less with --no-secrets. */
void rt_set_severity(rt_diagnostics *diagnostics, rt_diagnostic *diagnostic, rt_severity severity);

void rt_label(rt_diagnostic *diagnostic, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rt_note(rt_diagnostic *diagnostic, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rt_help(rt_diagnostic *diagnostic, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Errors first in the order found, then warnings, then information. */
void rt_diagnostics_sort(rt_diagnostics *diagnostics);
void rt_diagnostic_print(rt_buffer *out, const rt_diagnostic *diagnostic, bool colour);
/* One JSON object: id, severity, message, file, line, column, label, notes, help. */
void rt_diagnostic_json(rt_buffer *out, const rt_diagnostic *diagnostic);
const rt_diagnostic_entry *rt_diagnostic_find(const char *number); /* "RT0107", any case */
const char *rt_severity_name(rt_severity severity);

#endif
