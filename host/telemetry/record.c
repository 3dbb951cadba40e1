#include "telemetry/record.h"

#include "base/redact.h"
#include "telemetry/outlet.h"
#include "telemetry/tap.h"

#include <stdlib.h>
#include <string.h>

static size_t aligned(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static size_t cut(uint64_t length)
{
    return length < RT_RECORD_TEXT ? (size_t)length : RT_RECORD_TEXT;
}

/* --- notes ----------------------------------------------------------------------------------- */

/* Most do not, and have to be put fast. */
static inline bool holds_secret(rt_str text)
{
    return text.length >= RT_REDACT_LEAST && rt_redact_finds(text.data, text.length);
}

/* As it may leave the process; in the copy, if it holds a secret. */
static rt_str redacted(rt_buffer *copy, rt_str text)
{
    if (!holds_secret(text))
        return text;
    rt_buffer_add(copy, text.data, text.length);
    rt_redact(copy);
    return (rt_str){copy->data, copy->length};
}

static void add_note(struct rt_buffer *notes, const rt_span_note *note, rt_str text)
{
    bool is_text = note->type == RT_NOTE_TEXT;
    rt_note_head head = {.type = (uint8_t)note->type,
                         .attributes = (uint8_t)note->attributes,
                         .name_length = (uint16_t)cut(note->name.length),
                         .value_length = is_text ? (uint32_t)cut(text.length) : 8};
    rt_buffer_reserve(notes, sizeof head + head.name_length + head.value_length);
    char *at = notes->data + notes->length;
    const void *value = is_text                      ? (const void *)text.data
                        : note->type == RT_NOTE_REAL ? (const void *)&note->real
                                                     : (const void *)&note->integer;
    at = mempcpy(at, &head, sizeof head);
    at = mempcpy(at, note->name.data, head.name_length);
    at = mempcpy(at, value, head.value_length);
    notes->length = (size_t)(at - notes->data);
    *at = '\0';
}

void rt_notes_add(struct rt_buffer *notes, const rt_span_note *note)
{
    rt_buffer copy = {0};
    add_note(notes, note, note->type == RT_NOTE_TEXT ? redacted(&copy, note->text) : note->text);
    if (copy.data)
        rt_buffer_free(&copy);
}

static bool is_sound(const rt_note_head *head, size_t left)
{
    bool known = head->type >= RT_NOTE_TEXT && head->type <= RT_NOTE_EVENT;
    bool fits = head->value_length <= left && head->name_length <= left - head->value_length;
    return known && fits && (head->type == RT_NOTE_TEXT || head->value_length == 8);
}

bool rt_record_next(rt_record_view *view, rt_span_note *note)
{
    rt_note_head head;
    if ((size_t)(view->end - view->next) < sizeof head)
        return false;
    memcpy(&head, view->next, sizeof head);
    const char *name = view->next + sizeof head, *value = name + head.name_length;
    if (!is_sound(&head, (size_t)(view->end - name)))
        return false;
    *note = (rt_span_note){
        .type = head.type, .attributes = head.attributes, .name = {name, head.name_length}};
    if (head.type == RT_NOTE_TEXT)
        note->text = (rt_str){value, head.value_length};
    else
        memcpy(head.type == RT_NOTE_REAL ? (void *)&note->real : (void *)&note->integer, value, 8);
    view->next = value + head.value_length;
    return true;
}

/* --- records --------------------------------------------------------------------------------- */

size_t rt_record_size(const rt_record_parts *parts)
{
    size_t size = sizeof(rt_record) + parts->notes.length;
    for (size_t i = 0; i < RT_TEXT_COUNT; i++)
        size += cut(parts->texts[i].length);
    size = aligned(size);
    return size <= RT_RECORD_SIZE ? size : 0;
}

void rt_record_write(void *to, const rt_record_parts *parts, size_t size)
{
    rt_record *head = to;
    char *at = (char *)to + sizeof *head;
    *head = parts->head;
    head->size = (uint32_t)size;
    for (size_t i = 0; i < RT_TEXT_COUNT; i++) {
        head->lengths[i] = (uint32_t)cut(parts->texts[i].length);
        if (head->lengths[i])
            memcpy(at, parts->texts[i].data, head->lengths[i]);
        at += head->lengths[i];
    }
    head->notes_length = (uint32_t)parts->notes.length;
    if (head->notes_length)
        memcpy(at, parts->notes.data, head->notes_length);
    at += head->notes_length;
    memset(at, 0, (size_t)((char *)to + head->size - at));
}

bool rt_record_read(rt_record_view *view, const void *bytes, size_t size)
{
    if (size < sizeof view->head)
        return false;
    memcpy(&view->head, bytes, sizeof view->head);
    const rt_record *head = &view->head;
    if (head->size < sizeof *head || head->size > size || head->size % 8 ||
        head->size > RT_RECORD_SIZE)
        return false;
    const char *at = (const char *)bytes + sizeof *head, *end = (const char *)bytes + head->size;
    for (size_t i = 0; i < RT_TEXT_COUNT; i++) {
        if (head->lengths[i] > (size_t)(end - at))
            return false;
        view->texts[i] = (rt_str){at, head->lengths[i]};
        at += head->lengths[i];
    }
    if (head->notes_length > (size_t)(end - at))
        return false;
    view->next = at;
    view->end = at + head->notes_length;
    return true;
}

bool rt_record_is_wanted(uint32_t kind)
{
    return rt_tap_is_on() || rt_outlet_takes(kind);
}

static void put_outlet(const rt_record_parts *parts, size_t size)
{
    void *room = size ? rt_outlet_take(size) : NULL;
    if (!room) {
        rt_outlet_dropped(parts->head.kind);
        return;
    }
    rt_record_write(room, parts, size);
    rt_outlet_taken(size);
}

static void put_tap(const rt_record_parts *parts, size_t size)
{
    void *copy = rt_xcalloc(1, size);
    rt_record_write(copy, parts, size);
    rt_tap_put(copy, size);
    free(copy);
}

static void put_all(const rt_record_parts *parts)
{
    size_t size = rt_record_size(parts);
    if (rt_outlet_takes(parts->head.kind))
        put_outlet(parts, size);
    if (rt_tap_is_on() && size)
        put_tap(parts, size);
}

/* Names and versions of modules are no secrets. */
static const uint8_t judged[] = {RT_TEXT_NAME, RT_TEXT_ERROR, RT_TEXT_STATE};
enum { JUDGED = sizeof judged };

static bool has_secret(const rt_record_parts *parts)
{
    bool found = false;
    for (size_t i = 0; i < JUDGED; i++)
        found |= holds_secret(parts->texts[judged[i]]);
    return found;
}

static void put_redacted(const rt_record_parts *parts)
{
    rt_record_parts safe = *parts;
    rt_buffer copies[JUDGED] = {0};
    for (size_t i = 0; i < JUDGED; i++)
        safe.texts[judged[i]] = redacted(&copies[i], parts->texts[judged[i]]);
    put_all(&safe);
    for (size_t i = 0; i < JUDGED; i++)
        rt_buffer_free(&copies[i]);
}

void rt_record_put(const rt_record_parts *parts)
{
    if (!rt_tap_is_on() && !rt_outlet_takes(parts->head.kind))
        return;
    if (has_secret(parts))
        put_redacted(parts);
    else
        put_all(parts);
}
