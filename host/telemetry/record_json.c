#include "telemetry/record_json.h"

#include "telemetry/record.h"

#include <inttypes.h>
#include <math.h>
#include <rt/log.h>

static const char *const kinds[] = {
    [RT_RECORD_SPAN] = "span", [RT_RECORD_LOG] = "log", [RT_RECORD_BEGIN] = "begin"};
static const char *const levels[] = {
    [RT_LOG_TRACE] = "trace", [RT_LOG_DEBUG] = "debug", [RT_LOG_INFO] = "info",
    [RT_LOG_WARN] = "warn",   [RT_LOG_ERROR] = "error", [RT_LOG_FATAL] = "fatal"};
static const char *const statuses[] = {
    [RT_STATUS_UNSET] = "unset", [RT_STATUS_OK] = "ok", [RT_STATUS_ERROR] = "error"};
static const char *const span_kinds[] = {"unspecified", "internal", "server",
                                         "client",      "producer", "consumer"};

#define WORD(words, index) ((index) < sizeof(words) / sizeof *(words) ? (words)[index] : "unknown")

static void put_str(rt_buffer *out, rt_str text)
{
    rt_buffer_char(out, '"');
    rt_buffer_json(out, text.data, text.length);
    rt_buffer_char(out, '"');
}

static void put_text(rt_buffer *out, const char *name, rt_str text)
{
    if (!text.length)
        return;
    rt_buffer_format(out, ",\"%s\":", name);
    put_str(out, text);
}

/* --- notes ----------------------------------------------------------------------------------- */

static void put_value(rt_buffer *out, const rt_span_note *note)
{
    if (note->type == RT_NOTE_TEXT)
        put_str(out, note->text);
    else if (note->type == RT_NOTE_BOOL)
        rt_buffer_text(out, note->integer & 1 ? "true" : "false");
    else if (note->type == RT_NOTE_INTEGER)
        rt_buffer_format(out, "%" PRId64, note->integer);
    else if (isfinite(note->real))
        rt_buffer_format(out, "%.17g", note->real);
    else
        rt_buffer_text(out, "null");
}

static void put_attribute(rt_buffer *out, const rt_span_note *note, bool first)
{
    rt_buffer_text(out, first ? "" : ",");
    put_str(out, note->name);
    rt_buffer_char(out, ':');
    put_value(out, note);
}

static void put_event(rt_buffer *out, rt_record_view *view, const rt_span_note *event)
{
    rt_span_note note;
    rt_buffer_text(out, "{\"name\":");
    put_str(out, event->name);
    rt_buffer_format(out, ",\"time\":%" PRIu64 ",\"attributes\":{",
                     (uint64_t)event->integer / 1000);
    for (uint32_t i = 0; i < event->attributes && rt_record_next(view, &note); i++)
        put_attribute(out, &note, i == 0);
    rt_buffer_text(out, "}}");
}

/* An event is followed by its attributes, and these may stand between those of the span. */
static void put_notes(rt_buffer *out, rt_record_view *view)
{
    rt_buffer events = {0};
    rt_span_note note;
    bool first = true;
    rt_buffer_text(out, ",\"attributes\":{");
    while (rt_record_next(view, &note)) {
        if (note.type == RT_NOTE_EVENT) {
            rt_buffer_text(&events, events.length ? "," : "");
            put_event(&events, view, &note);
            continue;
        }
        put_attribute(out, &note, first);
        first = false;
    }
    rt_buffer_char(out, '}');
    if (events.length)
        rt_buffer_format(out, ",\"events\":[%s]", events.data);
    rt_buffer_free(&events);
}

/* --- the record ------------------------------------------------------------------------------ */

static void put_place(rt_buffer *out, const rt_record *head)
{
    if (head->high || head->low)
        rt_buffer_format(out, ",\"trace\":\"%016" PRIx64 "%016" PRIx64 "\"", head->high, head->low);
    if (head->span)
        rt_buffer_format(out, ",\"span\":\"%016" PRIx64 "\"", head->span);
    if (head->parent)
        rt_buffer_format(out, ",\"parent\":\"%016" PRIx64 "\"", head->parent);
}

static void put_nature(rt_buffer *out, const rt_record *head)
{
    if (head->kind == RT_RECORD_LOG) {
        rt_buffer_format(out, ",\"level\":\"%s\"", WORD(levels, head->level));
        return;
    }
    rt_buffer_format(out, ",\"span_kind\":\"%s\"", WORD(span_kinds, head->level));
    if (head->kind == RT_RECORD_SPAN)
        rt_buffer_format(out, ",\"status\":\"%s\",\"duration\":%" PRIu64,
                         WORD(statuses, head->status), head->duration);
}

bool rt_record_json(rt_buffer *out, const void *record, size_t size)
{
    rt_record_view view;
    if (!rt_record_read(&view, record, size))
        return false;
    const rt_record *head = &view.head;
    const char *kind = WORD(kinds, head->kind);
    rt_buffer_format(out, "{\"kind\":\"%s\",\"time\":%" PRIu64, kind ? kind : "unknown",
                     head->time / 1000);
    put_place(out, head);
    put_nature(out, head);
    put_text(out, "name", view.texts[RT_TEXT_NAME]);
    put_text(out, "module", view.texts[RT_TEXT_MODULE]);
    put_text(out, "error", view.texts[RT_TEXT_ERROR]);
    if (head->dropped)
        rt_buffer_format(out, ",\"dropped\":%u", head->dropped);
    put_notes(out, &view);
    rt_buffer_char(out, '}');
    return true;
}
