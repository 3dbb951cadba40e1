/* A record of the log on its way to the exporter and to developer tools. */
#include "base/redact.h"
#include "telemetry/log_record.h"
#include "telemetry/record.h"

#include <string.h>

static rt_str text_of(const char *text)
{
    return (rt_str){text, text ? strlen(text) : 0};
}

static void add_fields(rt_buffer *notes, const rt_log_record *record)
{
    for (uint64_t i = 0; i < record->field_count; i++) {
        const rt_field *field = &record->fields[i];
        rt_notes_add(notes, &(rt_span_note){.type = field->text ? RT_NOTE_TEXT : RT_NOTE_INTEGER,
                                            .name = text_of(field->name),
                                            .text = text_of(field->text),
                                            .integer = field->integer});
    }
}

void rt_log_put(const rt_log_record *record)
{
    rt_buffer notes = {0};
    if (!rt_record_is_wanted(RT_RECORD_LOG))
        return;
    add_fields(&notes, record);
    if (record->correlation)
        rt_notes_add(&notes, &(rt_span_note){.type = RT_NOTE_TEXT,
                                             .name = text_of("correlation.id"),
                                             .text = text_of(record->correlation)});
    rt_record_put(&(rt_record_parts){
        .head = {.kind = RT_RECORD_LOG,
                 .level = (uint8_t)record->level,
                 .high = record->trace_high,
                 .low = record->trace_low,
                 .span = record->span,
                 .flags = record->trace_flags,
                 .time =
                     (uint64_t)record->time.tv_sec * 1000000000 + (uint64_t)record->time.tv_nsec,
                 .note_count = (uint32_t)record->field_count + (record->correlation != NULL)},
        .texts = {[RT_TEXT_NAME] = text_of(record->message),
                  [RT_TEXT_MODULE] = text_of(record->module),
                  [RT_TEXT_VERSION] = text_of(record->version)},
        .notes = {notes.data, notes.length}});
    rt_buffer_free(&notes);
}
