#include "export/otlp.h"

#include "export/otlp_fields.h"
#include "export/protobuf.h"

#include <rt/log.h>

#include <stddef.h>
#include <string.h>

/* --- attributes ------------------------------------------------------------------------------ */

static void write_value(rt_buffer *out, const rt_span_note *note)
{
    size_t at = rt_pb_open(out, RT_OTLP_VALUE);
    switch (note->type) {
    case RT_NOTE_INTEGER:
        rt_pb_varint(out, RT_OTLP_ANY_INT, (uint64_t)note->integer);
        break;
    case RT_NOTE_REAL:
        rt_pb_double(out, RT_OTLP_ANY_DOUBLE, note->real);
        break;
    case RT_NOTE_BOOL:
        rt_pb_varint(out, RT_OTLP_ANY_BOOL, note->integer != 0);
        break;
    default:
        rt_pb_string(out, RT_OTLP_ANY_STRING, note->text.data, note->text.length);
    }
    rt_pb_close(out, at);
}

static void write_attribute(rt_buffer *out, uint32_t number, const rt_span_note *note)
{
    size_t at = rt_pb_open(out, number);
    rt_pb_string(out, RT_OTLP_KEY, note->name.data, note->name.length);
    write_value(out, note);
    rt_pb_close(out, at);
}

void rt_otlp_text_attribute(rt_buffer *out, uint32_t number, rt_str name, rt_str text)
{
    write_attribute(out, number, &(rt_span_note){.type = RT_NOTE_TEXT, .name = name, .text = text});
}

/* Its attributes are the notes behind it. */
static void write_event(rt_buffer *out, rt_record_view *view, const rt_span_note *event)
{
    rt_span_note note;
    size_t at = rt_pb_open(out, RT_OTLP_SPAN_EVENTS);
    rt_pb_fixed64(out, RT_OTLP_EVENT_TIME, (uint64_t)event->integer);
    rt_pb_string(out, RT_OTLP_EVENT_NAME, event->name.data, event->name.length);
    for (uint32_t i = 0; i < event->attributes && rt_record_next(view, &note); i++)
        if (note.type != RT_NOTE_EVENT)
            write_attribute(out, RT_OTLP_EVENT_ATTRIBUTES, &note);
    rt_pb_close(out, at);
}

static void write_notes(rt_buffer *out, rt_record_view *view, uint32_t number)
{
    bool has_events = view->head.kind == RT_RECORD_SPAN;
    for (rt_span_note note; rt_record_next(view, &note);)
        if (note.type != RT_NOTE_EVENT)
            write_attribute(out, number, &note);
        else if (has_events)
            write_event(out, view, &note);
}

/* --- numbers of a record --------------------------------------------------------------------- */

enum form { AS_TRACE, AS_SPAN, AS_TIME, AS_FLAGS, AS_COUNT, AS_KIND };

struct row {
    uint32_t number;
    enum form form;
    size_t offset; /* in rt_record */
};

#define ROW(number_, form_, member_)                 \
    {                                                \
        number_, form_, offsetof(rt_record, member_) \
    }
static const struct row span_rows[] = {
    ROW(RT_OTLP_SPAN_TRACE_ID, AS_TRACE, high),
    ROW(RT_OTLP_SPAN_SPAN_ID, AS_SPAN, span),
    ROW(RT_OTLP_SPAN_PARENT, AS_SPAN, parent),
    ROW(RT_OTLP_SPAN_KIND, AS_KIND, level),
    ROW(RT_OTLP_SPAN_START, AS_TIME, time),
    ROW(RT_OTLP_SPAN_ATTRIBUTES_DROPPED, AS_COUNT, dropped),
    ROW(RT_OTLP_SPAN_FLAGS, AS_FLAGS, flags),
};
static const struct row log_rows[] = {
    ROW(RT_OTLP_LOG_TIME, AS_TIME, time),
    ROW(RT_OTLP_LOG_OBSERVED, AS_TIME, time),
    ROW(RT_OTLP_LOG_ATTRIBUTES_DROPPED, AS_COUNT, dropped),
    ROW(RT_OTLP_LOG_FLAGS, AS_FLAGS, flags),
    ROW(RT_OTLP_LOG_TRACE_ID, AS_TRACE, high),
    ROW(RT_OTLP_LOG_SPAN_ID, AS_SPAN, span),
};
#define ROWS(rows_) (rows_), sizeof(rows_) / sizeof(rows_)[0]

_Static_assert(offsetof(rt_record, low) == offsetof(rt_record, high) + 8, "one id of 16 bytes");

static uint64_t number_at(const rt_record *record, size_t offset)
{
    uint64_t number;
    memcpy(&number, (const char *)record + offset, sizeof number);
    return number;
}

static uint32_t small_at(const rt_record *record, size_t offset)
{
    uint32_t number;
    memcpy(&number, (const char *)record + offset, sizeof number);
    return number;
}

/* Ids are texts of bytes, their first digit first. */
static void write_id(rt_buffer *out, const struct row *row, const rt_record *record)
{
    size_t count = row->form == AS_TRACE ? 2 : 1;
    uint64_t words[2] = {0};
    for (size_t i = 0; i < count; i++)
        words[i] = __builtin_bswap64(number_at(record, row->offset + 8 * i));
    if (words[0] || words[1])
        rt_pb_bytes(out, row->number, words, 8 * count);
}

static void write_row(rt_buffer *out, const struct row *row, const rt_record *record)
{
    switch (row->form) {
    case AS_TRACE:
    case AS_SPAN:
        write_id(out, row, record);
        break;
    case AS_TIME:
        rt_pb_fixed64(out, row->number, number_at(record, row->offset));
        break;
    case AS_FLAGS:
        rt_pb_fixed32(out, row->number, small_at(record, row->offset) & 0xFF);
        break;
    case AS_COUNT:
        if (small_at(record, row->offset))
            rt_pb_varint(out, row->number, small_at(record, row->offset));
        break;
    case AS_KIND:
        rt_pb_varint(out, row->number, *((const uint8_t *)record + row->offset));
    }
}

static void write_rows(rt_buffer *out, const struct row *rows, size_t count,
                       const rt_record *record)
{
    for (size_t i = 0; i < count; i++)
        write_row(out, &rows[i], record);
}

static void write_text(rt_buffer *out, uint32_t number, rt_str text)
{
    if (text.length)
        rt_pb_string(out, number, text.data, text.length);
}

/* --- spans ----------------------------------------------------------------------------------- */

static void write_status(rt_buffer *out, const rt_record_view *view)
{
    if (view->head.status == RT_STATUS_UNSET)
        return;
    size_t at = rt_pb_open(out, RT_OTLP_SPAN_STATUS);
    write_text(out, RT_OTLP_STATUS_MESSAGE, view->texts[RT_TEXT_ERROR]);
    rt_pb_varint(out, RT_OTLP_STATUS_CODE, view->head.status);
    rt_pb_close(out, at);
}

void rt_otlp_span(rt_buffer *items, rt_record_view *view)
{
    const rt_record *head = &view->head;
    size_t at = rt_pb_open(items, RT_OTLP_OF_SCOPE_ITEMS);
    write_rows(items, ROWS(span_rows), head);
    rt_pb_fixed64(items, RT_OTLP_SPAN_END, head->time + head->duration);
    write_text(items, RT_OTLP_SPAN_NAME, view->texts[RT_TEXT_NAME]);
    write_text(items, RT_OTLP_SPAN_TRACE_STATE, view->texts[RT_TEXT_STATE]);
    write_notes(items, view, RT_OTLP_SPAN_ATTRIBUTES);
    write_status(items, view);
    rt_pb_close(items, at);
}

/* --- log lines ------------------------------------------------------------------------------- */

static const struct {
    uint32_t number;
    const char *text;
} severities[] = {
    [RT_LOG_TRACE] = {1, "TRACE"}, [RT_LOG_DEBUG] = {5, "DEBUG"},  [RT_LOG_INFO] = {9, "INFO"},
    [RT_LOG_WARN] = {13, "WARN"},  [RT_LOG_ERROR] = {17, "ERROR"}, [RT_LOG_FATAL] = {21, "FATAL"},
};

static void write_severity(rt_buffer *out, uint8_t level)
{
    if (level >= sizeof severities / sizeof severities[0])
        return;
    rt_pb_varint(out, RT_OTLP_LOG_SEVERITY, severities[level].number);
    rt_pb_text(out, RT_OTLP_LOG_SEVERITY_TEXT, severities[level].text);
}

void rt_otlp_log(rt_buffer *items, rt_record_view *view)
{
    rt_str body = view->texts[RT_TEXT_NAME];
    size_t at = rt_pb_open(items, RT_OTLP_OF_SCOPE_ITEMS);
    write_rows(items, ROWS(log_rows), &view->head);
    write_severity(items, view->head.level);
    size_t value = rt_pb_open(items, RT_OTLP_LOG_BODY);
    rt_pb_string(items, RT_OTLP_ANY_STRING, body.data, body.length);
    rt_pb_close(items, value);
    write_notes(items, view, RT_OTLP_LOG_ATTRIBUTES);
    rt_pb_close(items, at);
}
