#include "telemetry/metric_room.h"

#include "base/arena.h"
#include "base/buffer.h"

#include <stdlib.h>

#define VALUE_MOST 255u

/* --- reading --------------------------------------------------------------------------------- */

size_t rt_room_copy(void *to, const void *room, size_t size)
{
    const rt_room_head *head = room;
    const uint64_t *from = room;
    uint64_t *words = to;
    uint64_t used = __atomic_load_n(&head->used, __ATOMIC_ACQUIRE);
    if (used > size)
        used = size;
    if (used < sizeof *head)
        return 0;
    used &= ~UINT64_C(7);
    for (size_t i = 0; i < used / sizeof *words; i++)
        words[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    return used;
}

struct walk {
    const char *bytes;
    size_t length;
    const rt_room_visitor *visitor;
    rt_room_instrument *instruments; /* by offset */
    size_t count;
};

static rt_room_instrument *instrument_at(const struct walk *walk, uint32_t offset)
{
    size_t low = 0, high = walk->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (walk->instruments[middle].offset == offset)
            return &walk->instruments[middle];
        if (walk->instruments[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

uint32_t rt_bounds_sound(const double *bounds, uint32_t count)
{
    uint32_t sound = 0;
    while (sound < count && bounds[sound] >= -__DBL_MAX__ && bounds[sound] <= __DBL_MAX__ &&
           (!sound || bounds[sound] > bounds[sound - 1]))
        sound++;
    return sound;
}

static bool take_instrument(struct walk *walk, size_t at, uint32_t size)
{
    const rt_instrument_head *head = (const void *)(walk->bytes + at);
    size_t bounds = head->bound_count * sizeof(double);
    size_t texts = (size_t)head->name_length + head->unit_length + head->help_length;
    if (walk->count == RT_INSTRUMENTS_MOST || size < sizeof *head + bounds + texts ||
        head->kind >= RT_INSTRUMENT_KINDS || head->aggregate >= RT_AGGREGATES ||
        head->bound_count > RT_BOUNDS_MOST || head->name_length == 0)
        return false;
    const char *text = (const char *)(head + 1) + bounds;
    rt_room_instrument *instrument = &walk->instruments[walk->count];
    *instrument = (rt_room_instrument){
        .offset = (uint32_t)at,
        .kind = head->kind,
        .aggregate = head->aggregate,
        .bound_count = head->bound_count,
        .bounds = (const void *)(head + 1),
        .name = {text, head->name_length},
        .unit = {text + head->name_length, head->unit_length},
        .help = {text + head->name_length + head->unit_length, head->help_length}};
    if (rt_bounds_sound(instrument->bounds, instrument->bound_count) < instrument->bound_count)
        return false;
    walk->count++;
    walk->visitor->instrument(walk->visitor->argument, instrument);
    return true;
}

static bool are_labels(rt_str labels)
{
    rt_str name, value;
    while (rt_labels_next(&labels, &name, &value))
        if (name.length == 0)
            return false;
    return labels.length == 0;
}

static bool take_series(const struct walk *walk, size_t at, uint32_t size)
{
    const rt_series_head *head = (const void *)(walk->bytes + at);
    const rt_room_instrument *instrument =
        size < sizeof *head ? NULL : instrument_at(walk, head->instrument);
    if (!instrument || head->label_length > RT_LABELS_ROOM)
        return false;
    uint32_t count = rt_value_count(instrument->kind, instrument->bound_count);
    if (size < sizeof *head + count * sizeof(uint64_t) + head->label_length)
        return false;
    const uint64_t *values = (const void *)(head + 1);
    rt_room_series series = {.offset = (uint32_t)(at + sizeof *head),
                             .value_count = count,
                             .values = values,
                             .labels = {(const char *)(values + count), head->label_length}};
    if (!are_labels(series.labels))
        return false;
    walk->visitor->series(walk->visitor->argument, instrument, &series);
    return true;
}

/* Each record's own size is at least 16, so this ends. */
static bool take_record(struct walk *walk, size_t at, uint32_t *size)
{
    uint32_t record;
    memcpy(size, walk->bytes + at, sizeof *size);
    memcpy(&record, walk->bytes + at + sizeof *size, sizeof record);
    if (*size < sizeof(rt_series_head) || *size % 8 || *size > walk->length - at)
        return false;
    return record == RT_RECORD_INSTRUMENT
               ? take_instrument(walk, at, *size)
               : record == RT_RECORD_SERIES && take_series(walk, at, *size);
}

size_t rt_room_walk(const void *copy, size_t length, const rt_room_visitor *visitor)
{
    const rt_room_head *head = copy;
    struct walk walk = {.bytes = copy, .length = length, .visitor = visitor};
    size_t at = sizeof *head;
    uint32_t size;
    if (length < sizeof *head || head->magic != RT_ROOM_MAGIC)
        return 0;
    walk.instruments = rt_xcalloc(RT_INSTRUMENTS_MOST, sizeof *walk.instruments);
    while (at + sizeof(rt_series_head) <= length && take_record(&walk, at, &size))
        at += size;
    free(walk.instruments);
    return at;
}

/* --- labels ---------------------------------------------------------------------------------- */

bool rt_labels_next(rt_str *rest, rt_str *name, rt_str *value)
{
    if (rest->length < 2)
        return false;
    const unsigned char *lengths = (const unsigned char *)rest->data;
    uint64_t whole = 2 + (uint64_t)lengths[0] + lengths[1];
    if (whole > rest->length)
        return false;
    *name = (rt_str){rest->data + 2, lengths[0]};
    *value = (rt_str){rest->data + 2 + lengths[0], lengths[1]};
    *rest = (rt_str){rest->data + whole, rest->length - whole};
    return true;
}

/* ASCII without controls; may say no of a few that are, too. */
static bool is_plain(const char *text, size_t length)
{
    const uint64_t high = UINT64_C(0x8080808080808080), blank = UINT64_C(0x2020202020202020);
    uint64_t word, odd = 0;
    for (; length >= sizeof word; text += sizeof word, length -= sizeof word) {
        memcpy(&word, text, sizeof word);
        odd |= word | ((word - blank) & ~word);
    }
    word = blank;
    memcpy(&word, text, length);
    odd |= word | ((word - blank) & ~word);
    return !(odd & high);
}

size_t rt_label_character(const char *text, size_t length)
{
    unsigned char first = (unsigned char)text[0];
    size_t sequence = rt_utf8_sequence(text, length);
    bool steers = (first < ' ' && first != '\n' && first != '\t') || first == 0x7f ||
                  (sequence == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0);
    return steers ? 0 : sequence;
}

/* Whole characters, at most `most` bytes; what is none becomes U+FFFD. */
static size_t copy_text(char *to, const char *text, size_t length, size_t most)
{
    size_t done = 0;
    if (!length)
        return 0;
    if (is_plain(text, length)) {
        done = length < most ? length : most;
        memcpy(to, text, done);
        return done;
    }
    for (size_t at = 0; at < length;) {
        size_t sequence = rt_label_character(text + at, length - at);
        size_t written = sequence ? sequence : 3;
        if (done + written > most)
            break;
        memcpy(to + done, sequence ? text + at : "\xef\xbf\xbd", written);
        done += written;
        at += sequence ? sequence : 1;
    }
    return done;
}

static size_t sort(const rt_metric_label *sorted[RT_LABELS_MOST], const rt_metric_label *labels,
                   size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count && kept < RT_LABELS_MOST; i++) {
        size_t at = kept;
        int order = -1;
        while (at && (order = strcmp(sorted[at - 1]->name, labels[i].name)) > 0)
            at--;
        if (order == 0 && at)
            continue;
        for (size_t later = kept; later > at; later--)
            sorted[later] = sorted[later - 1];
        sorted[at] = &labels[i];
        kept++;
    }
    return kept;
}

static size_t pack_label(char *to, size_t room, const rt_metric_label *label)
{
    size_t name = strlen(label->name);
    if (!name || name > VALUE_MOST || room < name + 2)
        return 0;
    memcpy(to + 2, label->name, name);
    size_t most = room - name - 2 < VALUE_MOST ? room - name - 2 : VALUE_MOST;
    size_t value = copy_text(to + 2 + name, label->value.data, label->value.length, most);
    to[0] = (char)name;
    to[1] = (char)value;
    return 2 + name + value;
}

size_t rt_labels_pack(char *to, const rt_metric_label *labels, size_t count)
{
    const rt_metric_label *sorted[RT_LABELS_MOST + 1];
    size_t length = 0, kept = sort(sorted, labels, count);
    for (size_t i = 0; i < kept; i++)
        length += pack_label(to + length, RT_LABELS_ROOM - length, sorted[i]);
    return length;
}
