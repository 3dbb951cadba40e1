/* One writer: the thread that opened the metrics. What readers of other processes see is the room
 * alone; what this process relies on (where values lie, how many there are) it keeps to itself, so
 * that another one that scribbles over the room spoils numbers and nothing else. */
#include "telemetry/metric.h"

#include "base/arena.h"
#include "telemetry/log.h"
#include "telemetry/metric_room.h"

#include <stdlib.h>
#include <sys/random.h>

/* The end of a room is for overflow series alone. */
#define RESERVE ((size_t)64 << 10)
#define TABLE_LEAST 1024u

struct rt_instrument_record {
    struct rt_instrument_record *next;
    uint32_t offset; /* in the room; 0: it has none there */
    uint32_t kind;
    double *bounds;
    uint32_t bound_count;
    uint32_t limit;
    uint32_t count; /* series */
    bool used;      /* in this process */
    rt_series *overflow;
    char *name;
};

typedef struct rt_held {
    rt_series series; /* first: it is what callers hold */
    struct rt_instrument_record *record;
    uint64_t hash;
    uint32_t length;
    char labels[];
} rt_held;

static struct {
    uint64_t epoch; /* of what is open; 0: nothing */
    char *room;
    size_t size, used;
    bool own; /* the room is private */
    rt_arena arena;
    struct rt_instrument_record *records;
    rt_held **table;
    size_t table_size, table_count;
    uint32_t instruments; /* in the room */
    uint64_t seed;
    rt_series *refused[2];
} metrics;

static uint32_t limit_of_all = RT_SERIES_LIMIT;

enum refusal { BY_LIMIT, BY_ROOM };

/* --- the table ------------------------------------------------------------------------------- */

/* Label values may be a stranger's choice: the seed keeps them from choosing collisions. */
static uint64_t hash_of(const struct rt_instrument_record *record, const char *labels,
                        size_t length)
{
    uint64_t hash = metrics.seed ^ (uint64_t)(uintptr_t)record, word;
    for (; length >= sizeof word; labels += sizeof word, length -= sizeof word) {
        memcpy(&word, labels, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    word = length;
    memcpy(&word, labels, length);
    hash = (hash ^ word ^ (uint64_t)length << 56) * UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 29;
}

static rt_held **place_of(const struct rt_instrument_record *record, uint64_t hash,
                          const char *labels, size_t length)
{
    size_t mask = metrics.table_size - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        rt_held *held = metrics.table[i];
        if (!held || (held->hash == hash && held->record == record && held->length == length &&
                      memcmp(held->labels, labels, length) == 0))
            return &metrics.table[i];
    }
}

static void grow_table(void)
{
    rt_held **old = metrics.table;
    size_t size = metrics.table_size;
    metrics.table_size = size ? 2 * size : TABLE_LEAST;
    metrics.table = rt_xcalloc(metrics.table_size, sizeof(void *));
    for (size_t i = 0; i < size; i++)
        if (old[i])
            *place_of(old[i]->record, old[i]->hash, old[i]->labels, old[i]->length) = old[i];
    free(old);
}

static rt_held *hold(struct rt_instrument_record *record, const char *labels, size_t length,
                     uint64_t *values)
{
    rt_held *held = rt_arena_alloc(&metrics.arena, sizeof *held + length);
    *held = (rt_held){.series = {values, record->bounds, record->bound_count, record->kind},
                      .record = record,
                      .hash = hash_of(record, labels, length),
                      .length = (uint32_t)length};
    memcpy(held->labels, labels, length);
    if (2 * (metrics.table_count + 1) > metrics.table_size)
        grow_table();
    *place_of(record, held->hash, labels, length) = held;
    metrics.table_count++;
    record->count++;
    return held;
}

/* --- the room -------------------------------------------------------------------------------- */

/* Where a record of this size may be written; NULL: there is no room. */
static char *reserve(size_t size, bool last)
{
    size_t end = last ? metrics.size : metrics.size - RESERVE;
    return size <= end && metrics.used <= end - size ? metrics.room + metrics.used : NULL;
}

static void publish(size_t size)
{
    rt_room_head *head = (rt_room_head *)metrics.room;
    metrics.used += size;
    __atomic_store_n(&head->used, metrics.used, __ATOMIC_RELEASE);
}

static size_t rounded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* 0 if there is no room. */
static uint32_t write_instrument(const rt_instrument *instrument,
                                 const struct rt_instrument_record *record)
{
    const char *unit = instrument->unit ? instrument->unit : "";
    const char *help = instrument->help ? instrument->help : "";
    rt_instrument_head head = {.record = RT_RECORD_INSTRUMENT,
                               .kind = (uint8_t)record->kind,
                               .aggregate = (uint8_t)instrument->aggregate,
                               .bound_count = (uint16_t)record->bound_count,
                               .name_length = (uint8_t)strnlen(record->name, 255),
                               .unit_length = (uint8_t)strnlen(unit, 63),
                               .help_length = (uint16_t)strnlen(help, 400)};
    size_t bounds = record->bound_count * sizeof(double);
    head.size = (uint32_t)rounded(sizeof head + bounds + head.name_length + head.unit_length +
                                  head.help_length);
    bool told = head.name_length && metrics.instruments < RT_INSTRUMENTS_MOST;
    char *at = told ? reserve(head.size, true) : NULL;
    if (!at)
        return 0;
    metrics.instruments++;
    memcpy(at, &head, sizeof head);
    if (bounds)
        memcpy(at + sizeof head, record->bounds, bounds);
    char *text = at + sizeof head + bounds;
    memcpy(text, record->name, head.name_length);
    memcpy(text + head.name_length, unit, head.unit_length);
    memcpy(text + head.name_length + head.unit_length, help, head.help_length);
    uint32_t offset = (uint32_t)metrics.used;
    publish(head.size);
    return offset;
}

/* Its values, all zero; NULL if there is no room. */
static uint64_t *write_series(const struct rt_instrument_record *record, const char *labels,
                              size_t length, bool last)
{
    uint32_t count = rt_value_count(record->kind, record->bound_count);
    rt_series_head head = {
        .record = RT_RECORD_SERIES, .instrument = record->offset, .label_length = (uint32_t)length};
    head.size = (uint32_t)rounded(sizeof head + count * sizeof(uint64_t) + length);
    char *at = record->offset ? reserve(head.size, last) : NULL;
    if (!at)
        return NULL;
    memcpy(at, &head, sizeof head);
    memset(at + sizeof head, 0, count * sizeof(uint64_t));
    memcpy(at + sizeof head + count * sizeof(uint64_t), labels, length);
    publish(head.size);
    return (uint64_t *)(void *)(at + sizeof head);
}

/* --- instruments ----------------------------------------------------------------------------- */

static struct rt_instrument_record *new_record(const char *name, size_t length, uint32_t kind,
                                               const double *bounds, uint32_t bound_count)
{
    struct rt_instrument_record *record = RT_NEW(&metrics.arena, struct rt_instrument_record);
    record->name = rt_arena_copy_n(&metrics.arena, name, length);
    record->kind = kind;
    record->bound_count = kind == RT_HISTOGRAM ? bound_count : 0;
    record->bounds = rt_arena_alloc(&metrics.arena, RT_BOUNDS_MOST * sizeof(double));
    if (record->bound_count)
        memcpy(record->bounds, bounds, record->bound_count * sizeof *bounds);
    record->limit = limit_of_all;
    record->next = metrics.records;
    metrics.records = record;
    return record;
}

static bool agrees(const struct rt_instrument_record *record, const rt_instrument *instrument,
                   uint32_t bound_count)
{
    return record->kind == (uint32_t)instrument->kind &&
           (record->kind != RT_HISTOGRAM ||
            (record->bound_count == bound_count &&
             memcmp(record->bounds, instrument->bounds, bound_count * sizeof(double)) == 0));
}

/* Two instruments of one name are one. */
static struct rt_instrument_record *record_of(const rt_instrument *instrument, size_t length,
                                              uint32_t bound_count, bool *conflicts)
{
    *conflicts = false;
    for (struct rt_instrument_record *record = metrics.records; record; record = record->next) {
        if (strlen(record->name) != length || memcmp(record->name, instrument->name, length) != 0)
            continue;
        if (agrees(record, instrument, bound_count))
            return record;
        *conflicts |= record->used;
    }
    return NULL;
}

/* A reader takes what it cannot be for damage, and would see nothing behind it. */
static uint32_t bounds_of(const rt_instrument *instrument)
{
    uint32_t most =
        instrument->bound_count < RT_BOUNDS_MOST ? instrument->bound_count : RT_BOUNDS_MOST;
    uint32_t sound =
        instrument->kind == RT_HISTOGRAM ? rt_bounds_sound(instrument->bounds, most) : 0;
    if (instrument->kind == RT_HISTOGRAM && sound < instrument->bound_count)
        rt_log_host(RT_LOG_WARN,
                    "metric `%s` has bounds that do not ascend, or more than %d: it goes by the "
                    "first %u",
                    instrument->name, RT_BOUNDS_MOST, sound);
    return sound;
}

/* Where two of this process differ the later counts for itself, and nobody sees it: a number that
 * means two things means nothing. What a former process had declared otherwise stays beside it. */
static struct rt_instrument_record *enter(rt_instrument *instrument)
{
    if (!metrics.epoch)
        rt_metrics_open(NULL, 0);
    size_t length = strnlen(instrument->name, 255);
    uint32_t bounds = bounds_of(instrument);
    bool conflicts;
    struct rt_instrument_record *record = record_of(instrument, length, bounds, &conflicts);
    if (!record) {
        record = new_record(instrument->name, length, instrument->kind, instrument->bounds, bounds);
        if (!length)
            rt_log_host(RT_LOG_WARN, "a metric without a name is not told");
        else if (conflicts)
            rt_log_host(RT_LOG_WARN,
                        "metric `%s` is declared twice, and differently: the later is not told",
                        record->name);
        else
            record->offset = write_instrument(instrument, record);
    }
    record->used = true;
    if (instrument->limit && instrument->limit < record->limit)
        record->limit = instrument->limit;
    instrument->epoch = metrics.epoch;
    instrument->record = record;
    return record;
}

static rt_instrument refusals = {
    .name = "rt.metrics.overflows",
    .unit = "{lookup}",
    .help = "Series that were asked for and told by the overflow series of their instrument",
    .kind = RT_COUNTER};

static rt_series *overflow_of(struct rt_instrument_record *record, enum refusal why)
{
    static const char labels[] = "\x14\x04otel.metric.overflowtrue";
    if (metrics.refused[why])
        rt_series_add(metrics.refused[why], 1);
    if (record->overflow)
        return record->overflow;
    size_t length = sizeof labels - 1;
    uint64_t hash = hash_of(record, labels, length);
    rt_held *held = *place_of(record, hash, labels, length);
    if (!held) {
        uint64_t *values = write_series(record, labels, length, true);
        if (!values) /* nobody will see it, but it can be written to */
            values = rt_arena_alloc(&metrics.arena,
                                    rt_value_count(record->kind, record->bound_count) * 8);
        held = hold(record, labels, length, values);
    }
    return record->overflow = &held->series;
}

rt_series *rt_series_of(rt_instrument *instrument, const rt_metric_label *labels, size_t count)
{
    char packed[RT_LABELS_ROOM];
    struct rt_instrument_record *record = instrument->epoch && instrument->epoch == metrics.epoch
                                              ? instrument->record
                                              : enter(instrument);
    size_t length = rt_labels_pack(packed, labels, count);
    rt_held *held = *place_of(record, hash_of(record, packed, length), packed, length);
    if (held) {
        if (record->kind == RT_GAUGE && __builtin_isnan(rt_bits_real(*held->series.values)))
            rt_series_set(&held->series, 0); /* which a former process had set last */
        return &held->series;
    }
    if (record->count >= record->limit)
        return overflow_of(record, BY_LIMIT);
    uint64_t *values = write_series(record, packed, length, false);
    return values ? &hold(record, packed, length, values)->series : overflow_of(record, BY_ROOM);
}

/* --- opening --------------------------------------------------------------------------------- */

static void resume_instrument(void *argument, rt_room_instrument *found)
{
    (void)argument;
    struct rt_instrument_record *record = new_record(
        found->name.data, found->name.length, found->kind, found->bounds, found->bound_count);
    record->offset = found->offset;
    metrics.instruments++;
    found->owner = record;
}

/* A gauge told how things were for a process that is gone: not a number, until it is set. */
static void resume_series(void *argument, const rt_room_instrument *instrument,
                          const rt_room_series *found)
{
    (void)argument;
    struct rt_instrument_record *record = instrument->owner;
    uint64_t *values = (uint64_t *)(void *)(metrics.room + found->offset);
    if (record->kind == RT_GAUGE)
        rt_series_set(&(rt_series){.values = values}, __builtin_nan(""));
    uint64_t hash = hash_of(record, found->labels.data, found->labels.length);
    if (!*place_of(record, hash, found->labels.data, found->labels.length))
        hold(record, found->labels.data, found->labels.length, values);
}

static size_t resume(void)
{
    void *copy = rt_xmalloc(metrics.size);
    size_t length = rt_room_copy(copy, metrics.room, metrics.size);
    rt_room_visitor visitor = {resume_instrument, resume_series, NULL};
    size_t sound = rt_room_walk(copy, length, &visitor);
    free(copy);
    return sound;
}

/* But not the series: those who hold some go on writing to them. */
static void forget(void)
{
    free(metrics.table);
    metrics.table = NULL;
    metrics.table_size = metrics.table_count = 0;
    metrics.records = NULL;
    metrics.instruments = 0;
    memset(metrics.refused, 0, sizeof metrics.refused);
}

static void open_refusals(void)
{
    static const char *const reasons[] = {[BY_LIMIT] = "limit", [BY_ROOM] = "room"};
    for (enum refusal i = BY_LIMIT; i <= BY_ROOM; i++) {
        rt_metric_label label = {"reason", {reasons[i], strlen(reasons[i])}};
        metrics.refused[i] = rt_series_of(&refusals, &label, 1);
    }
}

void rt_metrics_open(void *room, size_t size)
{
    static uint64_t epochs;
    forget();
    metrics.epoch = ++epochs;
    metrics.own = !room;
    metrics.size = room ? size : RT_METRIC_ROOM;
    metrics.room = room ? room : rt_xcalloc(1, metrics.size);
    if (getrandom(&metrics.seed, sizeof metrics.seed, GRND_NONBLOCK) < 0)
        metrics.seed = (uint64_t)(uintptr_t)&metrics;
    grow_table();
    metrics.used = sizeof(rt_room_head);
    size_t sound = resume();
    if (sound)
        metrics.used = sound;
    ((rt_room_head *)(void *)metrics.room)->magic = RT_ROOM_MAGIC;
    publish(0);
    open_refusals();
}

void rt_metrics_limit(uint32_t series)
{
    limit_of_all = series;
}

void rt_metrics_close(void)
{
    if (metrics.epoch && metrics.own)
        free(metrics.room);
    forget();
    rt_arena_free(&metrics.arena);
    metrics.epoch = 0;
    limit_of_all = RT_SERIES_LIMIT;
}

const void *rt_metrics_room(size_t *size)
{
    if (!metrics.epoch)
        rt_metrics_open(NULL, 0);
    *size = metrics.size;
    return metrics.room;
}
