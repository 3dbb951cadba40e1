/* record.h — a span or a log line as bytes, on its way out of the process that made it
 *
 * Never leaves the machine: numbers are in its own byte order. A record is its head, texts, and
 * notes (attributes and events), one after the other. Who reads it believes nothing: rt_record_read
 * checks every length against the bytes given, so that notes can be walked without more.
 *
 *     rt_record_view view;
 *     if (rt_record_read(&view, bytes, size))
 *         for (rt_span_note note; rt_record_next(&view, &note);)
 *             …
 */
#ifndef RT_TELEMETRY_RECORD_H
#define RT_TELEMETRY_RECORD_H

#include <rt/abi.h>
#include <stdbool.h>
#include <stddef.h>

#define RT_RECORD_TEXT 16384u /* most bytes of one text; more is cut */
#define RT_RECORD_SIZE 65536u /* most bytes of a record */

enum rt_record_kind {
    RT_RECORD_SPAN = 1, /* has ended */
    RT_RECORD_LOG = 2,
    RT_RECORD_BEGIN = 3, /* a span begins; for taps alone */
};

/* The texts of a record, in the order of its bytes. */
enum rt_record_text {
    RT_TEXT_NAME,    /* of the span; of a log line its message */
    RT_TEXT_MODULE,  /* the instance's name: the instrumentation's scope, */
    RT_TEXT_VERSION, /* and its version */
    RT_TEXT_ERROR,   /* what the status of a span says; else empty */
    RT_TEXT_STATE,   /* tracestate */
    RT_TEXT_COUNT,
};

enum rt_note_type {
    RT_NOTE_TEXT = 1,
    RT_NOTE_INTEGER = 2, /* int64_t */
    RT_NOTE_REAL = 3,    /* double */
    RT_NOTE_BOOL = 4,    /* one byte */
    RT_NOTE_EVENT = 5,   /* ns since the epoch; so many notes after it are its attributes */
};

enum rt_span_status { RT_STATUS_UNSET, RT_STATUS_OK, RT_STATUS_ERROR };

typedef struct rt_record {
    uint32_t size;           /* of all of it, a multiple of 8 */
    uint16_t kind;           /* rt_record_kind */
    uint8_t level;           /* of a log line: rt_log_level; of a span: rt_span_kind */
    uint8_t status;          /* of a span: rt_span_status */
    uint64_t high, low;      /* trace; both 0: none */
    uint64_t span, parent;   /* 0: none */
    uint64_t time, duration; /* ns since the epoch; ns */
    uint32_t flags;          /* rt_trace_flags */
    uint32_t note_count;
    uint32_t dropped; /* notes beyond the limits */
    uint32_t lengths[RT_TEXT_COUNT];
    uint32_t notes_length, reserved;
} rt_record;

/* Before its name and value. */
typedef struct rt_note_head {
    uint8_t type;
    uint8_t attributes; /* of an event */
    uint16_t name_length;
    uint32_t value_length;
} rt_note_head;

/* What a record is made of; the texts need not be terminated. */
typedef struct rt_record_parts {
    rt_record head; /* without size, lengths and notes_length */
    rt_str texts[RT_TEXT_COUNT];
    rt_str notes; /* note_count of them, as rt_notes_add made them */
} rt_record_parts;

typedef struct rt_record_view {
    rt_record head;
    rt_str texts[RT_TEXT_COUNT];
    const char *next, *end; /* notes */
} rt_record_view;

typedef struct rt_span_note {
    uint32_t type;       /* rt_note_type */
    uint32_t attributes; /* of an event */
    rt_str name;
    rt_str text;
    int64_t integer; /* of integers, booleans and events */
    double real;
} rt_span_note;

struct rt_buffer;

/* At most so many bytes are appended for one. */
static inline size_t rt_note_size(const rt_span_note *note)
{
    uint64_t name = note->name.length < RT_RECORD_TEXT ? note->name.length : RT_RECORD_TEXT;
    uint64_t text = note->text.length < RT_RECORD_TEXT ? note->text.length : RT_RECORD_TEXT;
    return sizeof(rt_note_head) + name + (note->type == RT_NOTE_TEXT ? text : 8);
}
/* Appends one. Texts are cut. */
void rt_notes_add(struct rt_buffer *notes, const rt_span_note *note);

size_t rt_record_size(const rt_record_parts *parts); /* 0: it is too large */
/* `size`: of rt_record_size, not 0. */
void rt_record_write(void *to, const rt_record_parts *parts, size_t size);

/* False: no record begins there. `view` points into the bytes. */
bool rt_record_read(rt_record_view *view, const void *bytes, size_t size);
/* The next; false after the last, or where they are damaged. */
bool rt_record_next(rt_record_view *view, rt_span_note *note);

/* Whether somebody takes records of this kind (rt_record_kind). */
bool rt_record_is_wanted(uint32_t kind);
/* To whoever takes records; cheap where nobody does. Any thread. */
void rt_record_put(const rt_record_parts *parts);

#endif
