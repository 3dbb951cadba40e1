#include "telemetry/prometheus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- names ----------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Runs of what is not allowed become one `_`. */
static void add_name(rt_buffer *out, rt_str text)
{
    size_t start = out->length;
    if (text.length && is_digit(text.data[0]))
        rt_buffer_char(out, '_');
    for (uint64_t i = 0; i < text.length; i++) {
        bool allowed = is_letter(text.data[i]) || is_digit(text.data[i]);
        bool repeats = out->length > start && out->data[out->length - 1] == '_';
        if (allowed || !repeats)
            rt_buffer_char(out, allowed ? text.data[i] : '_');
    }
    if (out->length == start)
        rt_buffer_char(out, '_');
}

static const struct unit {
    const char *code, *word;
} units[] = {
    {"d", "days"},          {"h", "hours"},         {"min", "minutes"},    {"s", "seconds"},
    {"ms", "milliseconds"}, {"us", "microseconds"}, {"ns", "nanoseconds"}, {"By", "bytes"},
    {"KiBy", "kibibytes"},  {"MiBy", "mebibytes"},  {"GiBy", "gibibytes"}, {"TiBy", "tebibytes"},
    {"KBy", "kilobytes"},   {"MBy", "megabytes"},   {"GBy", "gigabytes"},  {"TBy", "terabytes"},
    {"m", "meters"},        {"V", "volts"},         {"A", "amperes"},      {"J", "joules"},
    {"W", "watts"},         {"g", "grams"},         {"Cel", "celsius"},    {"Hz", "hertz"},
    {"%", "percent"},
};
/* Behind a `/`. */
static const struct unit times[] = {{"s", "second"}, {"m", "minute"}, {"h", "hour"}, {"d", "day"},
                                    {"w", "week"},   {"mo", "month"}, {"y", "year"}};

static rt_str spelled(const struct unit *table, size_t count, rt_str code)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(table[i].code) == code.length &&
            memcmp(table[i].code, code.data, code.length) == 0)
            return (rt_str){table[i].word, strlen(table[i].word)};
    return code;
}

/* Annotations in braces are for people. */
static rt_str without_braces(rt_str unit)
{
    const char *brace = unit.length ? memchr(unit.data, '{', unit.length) : NULL;
    return brace ? (rt_str){unit.data, (uint64_t)(brace - unit.data)} : unit;
}

static void spell_unit(rt_str unit, rt_buffer *out)
{
    const char *slash = unit.length ? memchr(unit.data, '/', unit.length) : NULL;
    rt_str above = {unit.data, slash ? (uint64_t)(slash - unit.data) : unit.length};
    above = without_braces(above);
    if (above.length)
        add_name(out, spelled(units, sizeof units / sizeof units[0], above));
    if (!slash)
        return;
    rt_str below = {slash + 1, unit.length - (uint64_t)(slash + 1 - unit.data)};
    below = without_braces(below);
    if (!below.length)
        return;
    rt_buffer_text(out, above.length ? "_per_" : "per_");
    add_name(out, spelled(times, sizeof times / sizeof times[0], below));
}

static bool ends_with(const rt_buffer *text, size_t from, const char *end)
{
    size_t length = strlen(end);
    return text->length - from > length + 1 &&
           memcmp(text->data + text->length - length, end, length) == 0 &&
           text->data[text->length - length - 1] == '_';
}

static void take_end(rt_buffer *text, size_t from, const char *end)
{
    if (!ends_with(text, from, end))
        return;
    text->length -= strlen(end) + 1;
    text->data[text->length] = '\0';
}

static bool is_counter(const rt_metric_family *family)
{
    return family->kind == RT_COUNTER || family->kind == RT_COUNTER_REAL;
}

/* A name that ends like a part of a histogram, or like a counter, would be taken for one. */
static void take_reserved_ends(const rt_metric_family *family, size_t from, rt_buffer *out)
{
    static const char *const reserved[] = {"total", "count", "sum", "bucket"};
    size_t count = is_counter(family) ? 1 : sizeof reserved / sizeof reserved[0];
    size_t before;
    do {
        before = out->length;
        for (size_t i = 0; i < count; i++)
            take_end(out, from, reserved[i]);
    } while (out->length < before);
}

void rt_prometheus_name(const rt_metric_family *family, rt_buffer *out)
{
    rt_buffer unit = {0};
    size_t from = out->length;
    add_name(out, family->name);
    take_reserved_ends(family, from, out);
    bool is_one = family->unit.length == 1 && family->unit.data[0] == '1';
    if (is_one && family->kind == RT_GAUGE)
        rt_buffer_text(&unit, "ratio");
    else if (!is_one)
        spell_unit(family->unit, &unit);
    if (unit.length && !ends_with(out, from, unit.data))
        rt_buffer_format(out, "_%s", unit.data);
    if (is_counter(family))
        rt_buffer_text(out, "_total");
    rt_buffer_free(&unit);
}

/* --- values ---------------------------------------------------------------------------------- */

static void add_integer(rt_buffer *out, uint64_t value)
{
    char digits[24], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    rt_buffer_add(out, at, (size_t)(digits + sizeof digits - at));
}

/* As few digits as tell it from others. */
static void add_real(rt_buffer *out, double value)
{
    char text[40];
    if (value >= 0 && value < 1e15 && value == (double)(uint64_t)value) {
        add_integer(out, (uint64_t)value);
        return;
    }
    if (__builtin_isnan(value) || __builtin_isinf(value)) {
        rt_buffer_text(out, __builtin_isnan(value) ? "NaN" : value < 0 ? "-Inf" : "+Inf");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (digits == 17 || strtod(text, NULL) == value)
            break;
    }
    rt_buffer_text(out, text);
}

static void add_escaped(rt_buffer *out, rt_str text, bool quotes)
{
    for (uint64_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '\n')
            rt_buffer_add(out, "\\n", 2);
        else if (c == '\\' || (c == '"' && quotes))
            rt_buffer_add(out, (char[]){'\\', c}, 2);
        else
            rt_buffer_char(out, c);
    }
}

static bool needs_escape(rt_str text)
{
    for (uint64_t i = 0; i < text.length; i++)
        if ((unsigned char)(text.data[i] - ' ') > '~' - ' ' || text.data[i] == '\\' ||
            text.data[i] == '"')
            return true;
    return false;
}

/* Text, whatever a process that was scribbled over had left there. */
static void add_text(rt_buffer *out, rt_str text, bool quotes)
{
    for (uint64_t at = 0; at < text.length;) {
        size_t character = rt_label_character(text.data + at, text.length - at);
        if (character)
            add_escaped(out, (rt_str){text.data + at, character}, quotes);
        else
            rt_buffer_text(out, "\xef\xbf\xbd");
        at += character ? character : 1;
    }
}

static void add_value(rt_buffer *out, rt_str text)
{
    if (needs_escape(text))
        add_text(out, text, true);
    else
        rt_buffer_add(out, text.data, text.length);
}

/* --- lines ----------------------------------------------------------------------------------- */

static bool has_name(const rt_buffer *out, const char *name, size_t length)
{
    const char *at = out->data, *end = out->data + out->length;
    while ((at = memmem(at, (size_t)(end - at), name, length)) != NULL) {
        if ((at == out->data || at[-1] == ',') && at + length + 1 < end && at[length] == '=' &&
            at[length + 1] == '"') /* within a value it would be escaped */
            return true;
        at++;
    }
    return false;
}

/* The bounds of a histogram have a label of their own: two of a name would spoil the whole scrape.
 */
static void spell_label(rt_buffer *word, rt_str name, uint32_t kind)
{
    word->length = 0;
    add_name(word, name);
    if (kind != RT_HISTOGRAM || strcmp(word->data, "le") != 0)
        return;
    word->length = 0;
    rt_buffer_text(word, "exported_le");
}

/* Names that differ only in what Prometheus does not have are told once. */
static void add_labels(rt_buffer *out, rt_buffer *word, rt_str labels, uint32_t kind)
{
    rt_str name, value;
    while (rt_labels_next(&labels, &name, &value)) {
        spell_label(word, name, kind);
        if (out->length && has_name(out, word->data, word->length))
            continue;
        if (out->length)
            rt_buffer_char(out, ',');
        rt_buffer_add(out, word->data, word->length);
        rt_buffer_add(out, "=\"", 2);
        add_value(out, value);
        rt_buffer_char(out, '"');
    }
}

/* What the lines of a family are made of. */
struct lines {
    rt_buffer *out;
    rt_buffer name;
    rt_buffer labels; /* of the point */
    rt_buffer word;
    rt_arena arena; /* of names that were told */
    const char **told;
    size_t told_count;
    rt_buffer bounds[RT_BOUNDS_MOST];
};

static void begin_line(const struct lines *lines, const char *suffix, const rt_buffer *bound)
{
    rt_buffer *out = lines->out;
    rt_buffer_add(out, lines->name.data, lines->name.length);
    rt_buffer_text(out, suffix);
    if (lines->labels.length || bound) {
        rt_buffer_char(out, '{');
        if (lines->labels.length)
            rt_buffer_add(out, lines->labels.data, lines->labels.length);
        if (bound) {
            rt_buffer_text(out, lines->labels.length ? ",le=\"" : "le=\"");
            rt_buffer_add(out, bound->data, bound->length);
            rt_buffer_char(out, '"');
        }
        rt_buffer_char(out, '}');
    }
    rt_buffer_char(out, ' ');
}

static void add_count(const struct lines *lines, const char *suffix, const rt_buffer *bound,
                      uint64_t count)
{
    begin_line(lines, suffix, bound);
    add_integer(lines->out, count);
    rt_buffer_char(lines->out, '\n');
}

static void add_histogram(const struct lines *lines, const rt_metric_point *point)
{
    static char infinite[] = "+Inf";
    const rt_metric_family *family = point->family;
    uint64_t count = 0;
    for (uint32_t i = 0; i < family->bound_count; i++) {
        count += point->values[1 + i];
        add_count(lines, "_bucket", &lines->bounds[i], count);
    }
    count += point->values[1 + family->bound_count];
    add_count(lines, "_bucket", &(rt_buffer){.data = infinite, .length = 4}, count);
    begin_line(lines, "_sum", NULL);
    add_real(lines->out, rt_bits_real(point->values[0]));
    rt_buffer_char(lines->out, '\n');
    add_count(lines, "_count", NULL, count);
}

static void add_point(struct lines *lines, const rt_metric_point *point)
{
    lines->labels.length = 0;
    add_labels(&lines->labels, &lines->word, point->labels, point->family->kind);
    if (point->family->kind == RT_HISTOGRAM) {
        add_histogram(lines, point);
    } else if (point->family->kind == RT_COUNTER) {
        add_count(lines, "", NULL, *point->values);
    } else {
        begin_line(lines, "", NULL);
        add_real(lines->out, rt_bits_real(*point->values));
        rt_buffer_char(lines->out, '\n');
    }
}

static void add_head(const struct lines *lines, const rt_metric_family *family)
{
    static const char *const types[RT_INSTRUMENT_KINDS] = {[RT_COUNTER] = "counter",
                                                           [RT_GAUGE] = "gauge",
                                                           [RT_HISTOGRAM] = "histogram",
                                                           [RT_COUNTER_REAL] = "counter"};
    rt_buffer_format(lines->out, "# HELP %s ", lines->name.data);
    add_text(lines->out, family->help, false);
    rt_buffer_format(lines->out, "\n# TYPE %s %s\n", lines->name.data, types[family->kind]);
}

static void add_family(struct lines *lines, const rt_metric_family *family)
{
    add_head(lines, family);
    for (uint32_t i = 0; i < family->bound_count; i++) {
        lines->bounds[i].length = 0;
        add_real(&lines->bounds[i], family->bounds[i]);
    }
    for (size_t i = 0; i < family->point_count; i++)
        add_point(lines, family->points[i]);
}

/* Two names of OpenTelemetry's may be one here; the format has each once. */
static bool is_told(struct lines *lines)
{
    for (size_t i = 0; i < lines->told_count; i++)
        if (strcmp(lines->told[i], lines->name.data) == 0)
            return true;
    rt_push(&lines->arena, lines->told, lines->told_count) =
        rt_arena_copy_n(&lines->arena, lines->name.data, lines->name.length);
    return false;
}

void rt_prometheus_text(const rt_metric_view *view, rt_buffer *out)
{
    struct lines *lines = rt_xcalloc(1, sizeof *lines);
    lines->out = out;
    rt_arena_init(&lines->arena);
    for (size_t i = 0; i < view->family_count; i++) {
        lines->name.length = 0;
        rt_prometheus_name(view->families[i], &lines->name);
        if (!is_told(lines))
            add_family(lines, view->families[i]);
    }
    rt_arena_free(&lines->arena);
    rt_buffer_free(&lines->name);
    rt_buffer_free(&lines->labels);
    rt_buffer_free(&lines->word);
    for (size_t i = 0; i < RT_BOUNDS_MOST; i++)
        rt_buffer_free(&lines->bounds[i]);
    free(lines);
}
