/* metric_room.h — how metrics lie in memory that several processes share
 *
 * A head, then records without gaps: an instrument before its series. Records are only ever added:
 * `used` moves on, with release, when one is complete, and but for the values it never changes.
 *
 * Whoever reads believes nothing, for a plugin may have scribbled over all of it: the bytes are
 * copied first, and what the walk then tells is bounded, whatever they are.
 */
#ifndef RT_TELEMETRY_METRIC_ROOM_H
#define RT_TELEMETRY_METRIC_ROOM_H

#include "telemetry/metric.h"

#define RT_ROOM_MAGIC UINT64_C(0x313063697274656d) /* "metric01" */
#define RT_LABELS_ROOM 1024u                       /* bytes of a series's labels */
#define RT_INSTRUMENTS_MOST 2000u                  /* in a room */

typedef struct rt_room_head {
    uint64_t magic;
    uint64_t used; /* bytes, the head's included; records below it are complete */
    uint64_t reserved[6];
} rt_room_head;

enum rt_room_record { RT_RECORD_INSTRUMENT = 1, RT_RECORD_SERIES = 2 };

/* Behind it `bound_count` doubles, then the three texts. */
typedef struct rt_instrument_head {
    uint32_t size; /* of the whole record, a multiple of 8 */
    uint32_t record;
    uint8_t kind;
    uint8_t aggregate;
    uint16_t bound_count;
    uint8_t name_length, unit_length;
    uint16_t help_length;
} rt_instrument_head;

/* Behind it the values, then the labels: for each a byte with the name's length, one with the
 * value's, the name, the value; sorted by name. */
typedef struct rt_series_head {
    uint32_t size;
    uint32_t record;
    uint32_t instrument; /* where its record lies in the room */
    uint32_t label_length;
} rt_series_head;

typedef struct rt_room_instrument {
    uint32_t offset;
    uint32_t kind, aggregate;
    uint32_t bound_count;
    const double *bounds;
    rt_str name, unit, help;
    void *owner; /* the reader's */
} rt_room_instrument;

typedef struct rt_room_series {
    uint32_t offset; /* of its values in the room */
    uint32_t value_count;
    const uint64_t *values;
    rt_str labels;
} rt_room_series;

typedef struct rt_room_visitor {
    void (*instrument)(void *argument, rt_room_instrument *instrument);
    void (*series)(void *argument, const rt_room_instrument *instrument,
                   const rt_room_series *series);
    void *argument;
} rt_room_visitor;

static inline uint32_t rt_value_count(uint32_t kind, uint32_t bound_count)
{
    return kind == RT_HISTOGRAM ? bound_count + 2 : 1;
}

/* Copies what is used of a room, into 8-aligned memory of `size` bytes; how much that is. */
size_t rt_room_copy(void *to, const void *room, size_t size);
/* Walks a copy. How many of its bytes were sound: at most `length`, 0 if it is no room. */
size_t rt_room_walk(const void *copy, size_t length, const rt_room_visitor *visitor);

/* The next label of a packed list; false at its end. */
bool rt_labels_next(rt_str *rest, rt_str *name, rt_str *value);

/* How many of the bounds are good for a histogram, from the first: finite, and ascending. */
uint32_t rt_bounds_sound(const double *bounds, uint32_t count);

/* Bytes of the character at `text`; 0: it is none that a label holds (no UTF-8, or a control that
 * could steer a terminal). */
size_t rt_label_character(const char *text, size_t length);

/* Writes labels as a series has them: sorted, each name once, values cut and made UTF-8. At most
 * RT_LABELS_ROOM bytes; what does not fit is left out. How many bytes. */
size_t rt_labels_pack(char *to, const rt_metric_label *labels, size_t count);

#endif
