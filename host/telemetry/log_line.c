/* How a record reads as a line. */
#include "telemetry/log_record.h"
#include "telemetry/span.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SHOWN 8 /* digits of a trace id that people compare */

/* --- pretty ---------------------------------------------------------------------------------- */

static const struct {
    const char *word; /* five columns */
    const char *colour;
} levels[RT_LOG_LEVEL_COUNT] = {
    [RT_LOG_TRACE] = {"TRACE", "\033[2m"},  [RT_LOG_DEBUG] = {"DEBUG", "\033[34m"},
    [RT_LOG_INFO] = {"INFO ", "\033[32m"},  [RT_LOG_WARN] = {"WARN ", "\033[33m"},
    [RT_LOG_ERROR] = {"ERROR", "\033[31m"}, [RT_LOG_FATAL] = {"FATAL", "\033[1;31m"},
};

/* U+0080 to U+009F: terminals take some of them for the beginning of a sequence. */
static bool is_high_control(const char *text)
{
    return (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] >= 0x80 &&
           (unsigned char)text[1] < 0xa0;
}

/* A record is one line: what would end it or steer a terminal is written as an escape. */
static void plain(rt_buffer *line, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\n')
            rt_buffer_text(line, "\\n");
        else if (is_high_control(c))
            rt_buffer_format(line, "\\x%02x", (unsigned char)*++c);
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            rt_buffer_format(line, "\\x%02x", (unsigned char)*c);
        else
            rt_buffer_char(line, *c);
    }
}

static bool needs_quotes(const char *text)
{
    return !*text || strpbrk(text, " \"=\n\r\t");
}

static void pretty_field(rt_buffer *line, const char *name, const char *text)
{
    rt_buffer_char(line, ' ');
    plain(line, name);
    rt_buffer_char(line, '=');
    if (!needs_quotes(text)) {
        plain(line, text);
        return;
    }
    rt_buffer_char(line, '"');
    rt_buffer_json(line, text, strlen(text));
    rt_buffer_char(line, '"');
}

static bool has_trace(const rt_log_record *record)
{
    return record->trace_high || record->trace_low;
}

static void pretty_head(rt_buffer *line, const rt_log_style *style, const rt_log_record *record)
{
    const char *off = style->colour ? "\033[0m" : "";
    struct tm local;
    localtime_r(&record->time.tv_sec, &local);
    rt_buffer_format(line, "%02d:%02d:%02d.%03ld %s%s%s %-7s ", local.tm_hour, local.tm_min,
                     local.tm_sec, record->time.tv_nsec / 1000000,
                     style->colour ? levels[record->level].colour : "", levels[record->level].word,
                     off, record->module);
}

void rt_log_line_pretty(rt_buffer *line, const rt_log_style *style, const rt_log_record *record)
{
    pretty_head(line, style, record);
    plain(line, record->message);
    for (uint64_t i = 0; i < record->field_count; i++) {
        const rt_field *field = &record->fields[i];
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)field->integer);
        pretty_field(line, field->name, field->text ? field->text : number);
    }
    if (has_trace(record)) {
        char trace[RT_LOG_TRACE_ID];
        rt_log_trace_id(record, trace);
        rt_buffer_format(line, " trace=%.*s", SHOWN, trace);
    }
    if (record->correlation)
        pretty_field(line, "correlation", record->correlation);
    rt_buffer_char(line, '\n');
}

/* --- JSON ------------------------------------------------------------------------------------ */

static void json_string(rt_buffer *line, const char *text)
{
    rt_buffer_char(line, '"');
    rt_buffer_json(line, text, strlen(text));
    rt_buffer_char(line, '"');
}

static void json_member(rt_buffer *line, const char *name, const char *text)
{
    rt_buffer_format(line, ",\"%s\":", name);
    json_string(line, text);
}

static void json_fields(rt_buffer *line, const rt_field *fields, uint64_t count)
{
    rt_buffer_text(line, ",\"fields\":{");
    for (uint64_t i = 0; i < count; i++) {
        if (i)
            rt_buffer_char(line, ',');
        json_string(line, fields[i].name);
        rt_buffer_char(line, ':');
        if (fields[i].text)
            json_string(line, fields[i].text);
        else
            rt_buffer_format(line, "%lld", (long long)fields[i].integer);
    }
    rt_buffer_char(line, '}');
}

void rt_log_trace_id(const rt_log_record *record, char text[RT_LOG_TRACE_ID])
{
    rt_hexadecimal(text, record->trace_high);
    rt_hexadecimal(text + 16, record->trace_low);
}

void rt_log_span_id(const rt_log_record *record, char text[RT_LOG_SPAN_ID])
{
    rt_hexadecimal(text, record->span);
}

/* As "Trace Context in non-OTLP Log Formats" names them. */
static void json_trace(rt_buffer *line, const rt_log_record *record)
{
    char trace[RT_LOG_TRACE_ID], span[RT_LOG_SPAN_ID];
    if (!has_trace(record))
        return;
    rt_log_trace_id(record, trace);
    json_member(line, "trace_id", trace);
    if (!record->span)
        return;
    rt_log_span_id(record, span);
    json_member(line, "span_id", span);
}

void rt_log_line_json(rt_buffer *line, const rt_log_style *style, const rt_log_record *record)
{
    char stamp[sizeof "2026-01-01T00:00:00"];
    struct tm utc;
    gmtime_r(&record->time.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    rt_buffer_format(line, "{\"time\":\"%s.%06ldZ\",\"level\":\"%s\",\"pid\":%d", stamp,
                     record->time.tv_nsec / 1000, rt_log_level_names[record->level], (int)getpid());
    if (*style->service)
        json_member(line, "service", style->service);
    json_member(line, "module", record->module);
    json_member(line, "message", record->message);
    json_trace(line, record);
    if (record->correlation)
        json_member(line, "correlation.id", record->correlation);
    if (record->field_count)
        json_fields(line, record->fields, record->field_count);
    rt_buffer_text(line, "}\n");
}
