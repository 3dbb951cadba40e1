#include "http/access_line.h"
#include "telemetry/span.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* As nginx does: quotes, backslashes, controls and what is not ASCII as \xXX. */
static void add_escaped(rt_buffer *line, rt_str text)
{
    for (uint64_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\' || c < 0x20 || c >= 0x7f)
            rt_buffer_format(line, "\\x%02X", c);
        else
            rt_buffer_char(line, (char)c);
    }
}

static void add_or_dash(rt_buffer *line, rt_str text)
{
    if (text.length)
        add_escaped(line, text);
    else
        rt_buffer_char(line, '-');
}

/* The time in the style's form, made once a second. */
static const char *stamp(rt_access_style *style, time_t second, const char *form, bool local)
{
    struct tm parts;
    if (style->second == second && *style->stamp)
        return style->stamp;
    if (local)
        localtime_r(&second, &parts);
    else
        gmtime_r(&second, &parts);
    style->second = second;
    strftime(style->stamp, sizeof style->stamp, form, &parts);
    return style->stamp;
}

/* --- combined -------------------------------------------------------------------------------- */

static void write_combined(rt_buffer *line, rt_access_style *style, const rt_access_record *record,
                           const rt_report *report)
{
    rt_buffer_format(line, "%s - - [%s] \"", record->peer,
                     stamp(style, time(NULL), "%d/%b/%Y:%H:%M:%S %z", true));
    if (record->parts[RT_ACCESS_METHOD].length) {
        add_escaped(line, record->parts[RT_ACCESS_METHOD]);
        rt_buffer_char(line, ' ');
        add_escaped(line, record->parts[RT_ACCESS_TARGET]);
        rt_buffer_format(line, " %s", record->protocol);
    }
    rt_buffer_format(line, "\" %u %llu \"", report->status, (unsigned long long)report->bytes);
    add_or_dash(line, record->parts[RT_ACCESS_REFERER]);
    rt_buffer_text(line, "\" \"");
    add_or_dash(line, record->parts[RT_ACCESS_AGENT]);
    rt_buffer_text(line, "\"\n");
}

/* --- json: a record like the log's ----------------------------------------------------------- */

static void add_string(rt_buffer *line, const char *name, rt_str text)
{
    if (!text.length)
        return;
    rt_buffer_char(line, '"');
    rt_buffer_text(line, name);
    rt_buffer_text(line, "\":\"");
    rt_buffer_json(line, text.data, text.length);
    rt_buffer_text(line, "\",");
}

static void add_text(rt_buffer *line, const char *name, const char *text)
{
    if (text && *text)
        add_string(line, name, (rt_str){text, strlen(text)});
}

/* As in records of the log. */
static void add_trace(rt_buffer *line, const rt_trace *trace)
{
    char id[33];
    if (!trace || !(trace->high || trace->low))
        return;
    rt_hexadecimal(id, trace->high);
    rt_hexadecimal(id + 16, trace->low);
    add_text(line, "trace_id", id);
    rt_hexadecimal(id, trace->parent);
    if (trace->parent)
        add_text(line, "span_id", id);
}

static void add_fields(rt_buffer *line, const rt_access_record *record, const rt_report *report)
{
    static const char *const names[] = {
        [RT_ACCESS_METHOD] = "method",
        [RT_ACCESS_TARGET] = "target",
        [RT_ACCESS_REFERER] = "referer",
        [RT_ACCESS_AGENT] = "user_agent",
    };
    rt_buffer_text(line, "\"fields\":{");
    add_text(line, "peer", record->peer);
    for (int i = 0; i < RT_ACCESS_TEXTS; i++)
        add_string(line, names[i], record->parts[i]);
    add_text(line, "protocol", record->protocol);
    add_text(line, "tls", record->tls);
    add_text(line, "route", report->route ? report->route->name : NULL);
    rt_buffer_text(line, "\"status\":");
    rt_buffer_number(line, report->status);
    rt_buffer_text(line, ",\"bytes\":");
    rt_buffer_number(line, report->bytes);
    rt_buffer_text(line, ",\"duration_us\":");
    rt_buffer_number(line, report->duration / 1000);
    rt_buffer_text(line, "}}\n");
}

/* Point and six digits. */
static void add_fraction(rt_buffer *line, uint32_t microseconds)
{
    char text[7] = ".000000";
    for (char *at = text + sizeof text - 1; microseconds; microseconds /= 10)
        *at-- = (char)('0' + microseconds % 10);
    rt_buffer_add(line, text, sizeof text);
}

static void write_json(rt_buffer *line, rt_access_style *style, const rt_access_record *record,
                       const rt_report *report)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    rt_buffer_text(line, "{\"time\":\"");
    rt_buffer_text(line, stamp(style, now.tv_sec, "%Y-%m-%dT%H:%M:%S", false));
    add_fraction(line, (uint32_t)now.tv_nsec / 1000);
    rt_buffer_text(line, "Z\",\"level\":\"info\",\"pid\":");
    rt_buffer_number(line, (uint64_t)style->pid);
    rt_buffer_char(line, ',');
    add_text(line, "service", style->service);
    rt_buffer_text(line, "\"module\":\"http\",\"message\":\"request\",");
    add_trace(line, style->trace);
    add_text(line, "correlation.id", style->correlation);
    add_fields(line, record, report);
}

/* --- pretty ---------------------------------------------------------------------------------- */

static void write_pretty(rt_buffer *line, rt_access_style *style, const rt_access_record *record,
                         const rt_report *report)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    rt_buffer_format(line, "%s.%03ld INFO  http    ", stamp(style, now.tv_sec, "%H:%M:%S", true),
                     now.tv_nsec / 1000000);
    add_or_dash(line, record->parts[RT_ACCESS_METHOD]);
    rt_buffer_char(line, ' ');
    add_or_dash(line, record->parts[RT_ACCESS_TARGET]);
    rt_buffer_format(line, " %u, %llu B, %.1f ms peer=%s", report->status,
                     (unsigned long long)report->bytes, (double)report->duration / 1e6,
                     record->peer);
    if (style->correlation)
        rt_buffer_format(line, " correlation=%s", style->correlation);
    rt_buffer_char(line, '\n');
}

rt_access_writer *rt_access_writer_named(const char *format)
{
    static const struct {
        const char *name;
        rt_access_writer *writer;
    } writers[] = {{"pretty", write_pretty}, {"json", write_json}, {"combined", write_combined}};
    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++)
        if (strcmp(writers[i].name, format) == 0)
            return writers[i].writer;
    return NULL;
}
