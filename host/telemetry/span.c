#include "telemetry/span.h"

#include "telemetry/clock.h"
#include "telemetry/tap.h"

#include <rt/error.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IDLE_MOST 1024
#define KEPT_MOST 4096 /* bytes of notes that an idle span keeps */
/* Bytes of notes: with them, its name and its error, all as long as texts may be, it is a record.
 */
#define NOTES_MOST (RT_RECORD_SIZE / 2 - 1024)
#define SECOND UINT64_C(1000000000)

static struct {
    bool on;
    uint64_t threshold; /* ids of traces below it are sampled */
    bool all;
    rt_span *idle;
    uint32_t idle_count;
} spans = {.on = true, .all = true};

void rt_spans_configure(const rt_span_options *options)
{
    spans.on = options->traces;
    spans.all = options->sampling >= 1;
    /* The upper half of the id's low word: 53 bits of a double are more than enough. */
    spans.threshold = (uint64_t)(options->sampling * 0x1p32);
}

bool rt_spans_are_on(void)
{
    return spans.on;
}

static bool are_heard(void)
{
    return rt_record_is_wanted(RT_RECORD_SPAN);
}

/* --- time ------------------------------------------------------------------------------------ */

uint64_t rt_wall_time(uint64_t monotonic)
{
    static _Thread_local uint64_t offset, looked;
    if (!offset || monotonic - looked > SECOND) {
        struct timespec wall, own;
        clock_gettime(CLOCK_MONOTONIC, &own);
        clock_gettime(CLOCK_REALTIME, &wall);
        offset = (uint64_t)wall.tv_sec * SECOND + (uint64_t)wall.tv_nsec -
                 ((uint64_t)own.tv_sec * SECOND + (uint64_t)own.tv_nsec);
        looked = monotonic;
    }
    return monotonic + offset;
}

/* --- the pool -------------------------------------------------------------------------------- */

static rt_span *take_span(void)
{
    rt_span *span = spans.idle;
    if (!span)
        return rt_xcalloc(1, sizeof *span);
    spans.idle = span->next_idle;
    spans.idle_count--;
    return span;
}

static void free_span(rt_span *span)
{
    rt_buffer_free(&span->notes);
    rt_buffer_free(&span->title);
    free(span);
}

static void give_span(rt_span *span)
{
    if (spans.idle_count >= IDLE_MOST) {
        free_span(span);
        return;
    }
    if (span->notes.capacity > KEPT_MOST)
        rt_buffer_free(&span->notes);
    if (span->title.capacity > KEPT_MOST)
        rt_buffer_free(&span->title);
    span->next_idle = spans.idle;
    spans.idle = span;
    spans.idle_count++;
}

void rt_spans_free(void)
{
    while (spans.idle) {
        rt_span *span = spans.idle;
        spans.idle = span->next_idle;
        free_span(span);
    }
    spans.idle_count = 0;
}

/* --- begin and end --------------------------------------------------------------------------- */

void rt_trace_begin(rt_trace *trace)
{
    trace->high = rt_random_id();
    trace->low = rt_random_id();
    bool sampled = spans.all || (trace->low >> 32) < spans.threshold;
    trace->flags = sampled ? RT_TRACE_SAMPLED : 0;
}

rt_span *rt_span_begin(rt_trace *place, const char *name, enum rt_span_kind kind,
                       const rt_instance *instance, uint64_t now)
{
    if (!spans.on)
        return NULL;
    if (!(place->high | place->low))
        rt_trace_begin(place);
    if (!(place->flags & RT_TRACE_SAMPLED) || !are_heard())
        return NULL;
    rt_span *span = take_span();
    span->name = name;
    span->instance = instance;
    span->place = *place;
    span->id = rt_random_id();
    span->began = now;
    span->kind = (uint32_t)kind;
    span->status = RT_STATUS_UNSET;
    span->note_count = span->dropped = 0;
    span->authored = false;
    span->notes.length = 0;
    place->parent = span->id;
    return span;
}

static rt_str text_of(const char *text)
{
    return (rt_str){text, text ? strlen(text) : 0};
}

static rt_str state_of(const rt_trace *trace)
{
    return text_of(trace->state);
}

static void put(rt_span *span, enum rt_record_kind kind, uint64_t now, rt_str error)
{
    const rt_instance *instance = span->instance;
    uint32_t status = span->status;
    if (error.data)
        status = RT_STATUS_ERROR;
    rt_record_parts parts; /* zeroing all of it would be a tenth of what a span costs */
    rt_record *head = &parts.head;
    head->kind = (uint16_t)kind;
    head->level = (uint8_t)span->kind;
    head->status = (uint8_t)status;
    head->high = span->place.high;
    head->low = span->place.low;
    head->span = span->id;
    head->parent = span->place.parent;
    head->time = rt_wall_time(span->began);
    head->duration = now - span->began;
    head->flags = span->place.flags;
    head->note_count = span->note_count;
    head->dropped = span->dropped;
    head->reserved = 0;
    parts.texts[RT_TEXT_NAME] = text_of(span->name);
    parts.texts[RT_TEXT_MODULE] = text_of(instance ? instance->name : "rtd");
    parts.texts[RT_TEXT_VERSION] = text_of(instance ? instance->version : RT_VERSION);
    parts.texts[RT_TEXT_ERROR] = error;
    parts.texts[RT_TEXT_STATE] = state_of(&span->place);
    parts.notes = (rt_str){span->notes.data, span->notes.length};
    rt_record_put(&parts);
}

void rt_span_announce(rt_span *span)
{
    if (span && rt_tap_is_on())
        put(span, RT_RECORD_BEGIN, span->began, (rt_str){0});
}

void rt_span_end(const rt_ctx *ctx, rt_span *span, uint64_t now, rt_str error)
{
    if (!span)
        return;
    if (ctx)
        rt_span_text(span, "correlation.id", rt_host_correlation_id(ctx));
    put(span, RT_RECORD_SPAN, now, error);
    give_span(span);
}

/* --- spans of a context ---------------------------------------------------------------------- */

static void close_abandoned(rt_ctx *ctx, rt_open *open)
{
    rt_span *span = (rt_span *)open;
    rt_exit exit;
    rt_str error = {0};
    uint64_t now = rt_clock_now();
    rt_trace_of(ctx)->parent = span->place.parent;
    rt_unit_exit(ctx, &exit);
    if (exit.kind != RT_EXIT_SUCCESS) {
        const char *message = exit.defect                         ? exit.defect
                              : exit.error && exit.error->message ? exit.error->message
                                                                  : rt_code_name(exit.result);
        rt_span_error(span, now, exit.defect ? "defect" : rt_code_name(exit.result), message);
        error = text_of(message);
    }
    rt_span_end(ctx, span, now, error);
}

static rt_span *push(rt_ctx *ctx, rt_span *span)
{
    span->open.abandon = close_abandoned;
    rt_open_push(rt_trace_of(ctx), &span->open);
    rt_span_announce(span);
    return span;
}

rt_span *rt_span_open(rt_ctx *ctx, const char *name, enum rt_span_kind kind, uint64_t now)
{
    rt_span *span = rt_span_begin(rt_trace_of(ctx), name, kind, ctx->instance, now);
    return span ? push(ctx, span) : NULL;
}

/* The error of the context is the call's only if its code is; else it is an older one. */
static const char *message_of(const rt_ctx *ctx, int result)
{
    const rt_error *error = rt_host_last_error(ctx);
    bool ours = error && error->code == -result && error->message;
    return ours ? error->message : rt_code_name(result);
}

void rt_span_close(rt_ctx *ctx, rt_span *span, uint64_t now, int result)
{
    if (!span)
        return;
    rt_open_pop(ctx, &span->open);
    rt_trace_of(ctx)->parent = span->place.parent;
    rt_str error = {0};
    if (result < 0) {
        error = text_of(message_of(ctx, result));
        rt_span_error(span, now, rt_code_name(result), error.data);
    } else if (!span->status) {
        span->status = RT_STATUS_OK;
    }
    rt_span_end(ctx, span, now, error);
}

/* Whoever brought it ends it. */
static void leave_open(rt_ctx *ctx, rt_open *open)
{
    (void)ctx, (void)open;
}

void rt_span_enter(rt_ctx *ctx, rt_span *span)
{
    span->open.abandon = leave_open;
    rt_open_push(rt_trace_of(ctx), &span->open);
}

rt_span *rt_span_current(const rt_ctx *ctx)
{
    for (rt_open *open = ctx ? rt_trace_of(ctx)->open : NULL; open; open = open->outer)
        if (open->abandon == close_abandoned || open->abandon == leave_open)
            return (rt_span *)open;
    return NULL;
}

void rt_span_of_work(rt_ctx *ctx, const char *name)
{
    rt_span_open(ctx, name, RT_SPAN_INTERNAL, rt_clock_now());
}

/* --- notes ----------------------------------------------------------------------------------- */

static bool fits(const rt_span *span, const rt_span_note *note)
{
    return span->notes.length + rt_note_size(note) <= NOTES_MOST;
}

static bool has_room(rt_span *span, const rt_span_note *note)
{
    if (span->note_count < RT_SPAN_NOTES && fits(span, note))
        return true;
    span->dropped++;
    return false;
}

/* Of an event only itself: its attributes follow. */
static void skip_event(rt_record_view *at, const rt_span_note *event)
{
    rt_span_note note;
    for (uint32_t i = 0; i < event->attributes; i++)
        rt_record_next(at, &note);
}

static bool is_attribute(const rt_span_note *note, rt_str name)
{
    return note->type != RT_NOTE_EVENT && note->name.length == name.length &&
           memcmp(note->name.data, name.data, name.length) == 0;
}

/* Receivers may refuse a span that has two attributes of one name. */
static void take_out(rt_span *span, rt_str name)
{
    char *end = span->notes.data + span->notes.length;
    rt_record_view at = {.next = span->notes.data, .end = end};
    rt_span_note note;
    for (const char *start = at.next; rt_record_next(&at, &note); start = at.next) {
        if (is_attribute(&note, name)) {
            memmove(span->notes.data + (start - span->notes.data), at.next,
                    (size_t)(end - at.next));
            span->notes.length -= (size_t)(at.next - start);
            span->note_count--;
            return;
        }
        if (note.type == RT_NOTE_EVENT)
            skip_event(&at, &note);
    }
}

static void add(rt_span *span, const rt_span_note *note)
{
    if (span->authored && span->notes.length)
        take_out(span, note->name);
    if (!has_room(span, note))
        return;
    rt_notes_add(&span->notes, note);
    span->note_count++;
}

void rt_span_bytes(rt_span *span, const char *name, rt_str text)
{
    if (span && text.length)
        add(span, &(rt_span_note){.type = RT_NOTE_TEXT, .name = text_of(name), .text = text});
}

void rt_span_text(rt_span *span, const char *name, const char *text)
{
    if (span && text)
        add(span,
            &(rt_span_note){.type = RT_NOTE_TEXT, .name = text_of(name), .text = text_of(text)});
}

void rt_span_integer(rt_span *span, const char *name, int64_t value)
{
    if (span)
        add(span,
            &(rt_span_note){.type = RT_NOTE_INTEGER, .name = text_of(name), .integer = value});
}

static rt_span_note note_of(const rt_field *field)
{
    rt_span_note note = {.type = RT_NOTE_INTEGER, .name = text_of(field->name ? field->name : "")};
    note.integer = field->integer;
    if (field->text) {
        note.type = RT_NOTE_TEXT;
        note.text = text_of(field->text);
    }
    return note;
}

/* How many attributes of an event there is room for, behind it. */
static uint32_t count_fitting(const rt_span *span, const rt_span_note *event,
                              const rt_field *fields, size_t count)
{
    size_t most = count < RT_SPAN_EVENT_NOTES ? count : RT_SPAN_EVENT_NOTES;
    size_t size = span->notes.length + rt_note_size(event);
    uint32_t fitting = 0;
    while (fitting < most) {
        rt_span_note note = note_of(&fields[fitting]);
        size += rt_note_size(&note);
        if (size > NOTES_MOST)
            break;
        fitting++;
    }
    return fitting;
}

static void add_event(rt_span *span, uint64_t now, const char *name, const rt_field *fields,
                      size_t count)
{
    rt_span_note event = {.type = RT_NOTE_EVENT, .name = text_of(name)};
    if (!span || !has_room(span, &event))
        return;
    event.integer = (int64_t)rt_wall_time(now);
    event.attributes = count_fitting(span, &event, fields, count);
    rt_notes_add(&span->notes, &event);
    for (uint32_t i = 0; i < event.attributes; i++) {
        rt_span_note note = note_of(&fields[i]);
        rt_notes_add(&span->notes, &note);
    }
    span->dropped += (uint32_t)count - event.attributes;
    span->note_count++;
}

void rt_span_event(rt_span *span, const char *name, const rt_field *fields, size_t count)
{
    add_event(span, rt_clock_now(), name, fields, count);
}

void rt_span_error(rt_span *span, uint64_t now, const char *type, const char *message)
{
    rt_span_text(span, "error.type", type);
    add_event(span, now, "exception",
              (rt_field[]){{"exception.type", type, 0}, {"exception.message", message, 0}}, 2);
}

/* --- the SDK's ------------------------------------------------------------------------------- */

rt_span *rt_host_span_start(rt_ctx *ctx, const char *name, uint32_t kind)
{
    bool known = kind >= RT_SPAN_INTERNAL && kind <= RT_SPAN_CONSUMER;
    rt_span *span = rt_span_begin(rt_trace_of(ctx), "span", known ? kind : RT_SPAN_INTERNAL,
                                  ctx->instance, rt_clock_now());
    if (!span)
        return NULL;
    if (name) { /* not in the arena: a service makes spans for years */
        span->title.length = 0;
        rt_buffer_text(&span->title, name);
        span->name = span->title.data;
    }
    return push(ctx, span);
}

static bool is_open_in(const rt_ctx *ctx, const rt_span *span)
{
    for (const rt_open *open = rt_trace_of(ctx)->open; open; open = open->outer) {
        if (open == &span->open)
            return true;
        if (open->abandon != close_abandoned)
            return false;
    }
    return false;
}

/* Only what is open here may be ended, whatever the pointer is. */
void rt_host_span_finish(rt_ctx *ctx, rt_span *span, int result)
{
    if (is_open_in(ctx, span))
        rt_span_close(ctx, span, rt_clock_now(), result);
}

/* That of its request, too, where no other is open. */
int rt_host_span_recorded(const rt_ctx *ctx)
{
    return rt_span_current(ctx) != NULL;
}

void rt_host_span_add(rt_ctx *ctx, const char *event, const rt_field *fields, uint64_t count)
{
    rt_span *span = rt_span_current(ctx);
    if (!span)
        return;
    if (event) {
        rt_span_event(span, event, fields, count);
        return;
    }
    span->authored = true;
    for (uint64_t i = 0; i < count; i++) {
        rt_span_note note = note_of(&fields[i]);
        add(span, &note);
    }
}

const char *rt_host_traceparent(rt_ctx *ctx, char *text)
{
    rt_trace *trace = rt_trace_of(ctx);
    if (!spans.on && !(trace->high | trace->low))
        return NULL;
    rt_traceparent_write(text, trace);
    return trace->state && *trace->state ? trace->state : NULL;
}
