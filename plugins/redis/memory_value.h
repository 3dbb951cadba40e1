/* memory_value.h — the types of Redis: what a key leads to
 *
 * Nothing waits. What says bool is false when memory is out, and the value is as it was.
 */
#ifndef PLUGINS_REDIS_MEMORY_VALUE_H
#define PLUGINS_REDIS_MEMORY_VALUE_H

#include "memory_dict.h"

/* --- lists: a ring ---------------------------------------------------------------------------- */

typedef struct rt_deque {
    rt_heap *heap;
    rt_bytes **ring;
    uint64_t capacity, first, count;
} rt_deque;

static inline rt_bytes **rt_deque_at(const rt_deque *deque, uint64_t index)
{
    return &deque->ring[(deque->first + index) % deque->capacity];
}
bool rt_deque_push(rt_deque *deque, bool left, rt_bytes *bytes);
rt_bytes *rt_deque_pop(rt_deque *deque, bool left); /* NULL: it is empty */
void rt_deque_remove(rt_deque *deque, uint64_t index);
bool rt_deque_insert(rt_deque *deque, uint64_t index, rt_bytes *bytes);

/* --- sorted sets: a table of members, and an array of them by score and name ------------------ */

typedef struct rt_zset {
    rt_dict members; /* their `score` */
    rt_entry **order;
    uint64_t capacity;
} rt_zset;

bool rt_zset_put(rt_zset *zset, rt_str member, double score);
void rt_zset_remove(rt_zset *zset, rt_entry *member);
uint64_t rt_zset_rank(const rt_zset *zset, const rt_entry *member);
/* How many members lie below the score; with `inclusive`, at or below it. */
uint64_t rt_zset_below(const rt_zset *zset, double score, bool inclusive);

/* --- streams ---------------------------------------------------------------------------------- */

typedef struct rt_stream_id {
    uint64_t milliseconds, sequence;
} rt_stream_id;

static inline int rt_stream_id_compare(rt_stream_id a, rt_stream_id b)
{
    if (a.milliseconds != b.milliseconds)
        return a.milliseconds < b.milliseconds ? -1 : 1;
    return a.sequence < b.sequence ? -1 : a.sequence > b.sequence;
}

typedef struct rt_stream_item {
    rt_stream_id id;
    uint64_t count;  /* of texts: fields and values in turn */
    uint64_t ends[]; /* where each text ends in the bytes behind */
} rt_stream_item;

rt_str rt_stream_text(const rt_stream_item *item, uint64_t index);

/* Delivered to a consumer and not acknowledged. */
typedef struct rt_pending {
    rt_stream_id id;
    rt_entry *consumer; /* `number`: seen last, in ms */
    int64_t delivered;  /* ms */
    uint64_t times;
} rt_pending;

typedef struct rt_stream_group {
    rt_heap *heap;
    rt_stream_id last;
    int64_t read; /* entries ever delivered; -1: nobody knows */
    rt_dict consumers;
    rt_pending *pending; /* by id */
    uint64_t pending_count, pending_capacity;
} rt_stream_group;

typedef struct rt_stream {
    rt_heap *heap;
    rt_stream_item **items; /* `count` of them from `first` on, by id */
    uint64_t first, count, capacity;
    rt_stream_id last, deleted; /* the newest id ever, the newest that was deleted */
    uint64_t added;
    rt_dict groups; /* `value`: rt_stream_group */
} rt_stream;

static inline rt_stream_item *rt_stream_at(const rt_stream *stream, uint64_t index)
{
    return stream->items[stream->first + index];
}
/* The index of the first item at or after the id. */
uint64_t rt_stream_find(const rt_stream *stream, rt_stream_id id);
bool rt_stream_append(rt_stream *stream, rt_stream_id id, const rt_str *texts, uint64_t count);
void rt_stream_remove(rt_stream *stream, uint64_t index);
void rt_stream_drop(rt_stream *stream, uint64_t oldest);

rt_stream_group *rt_stream_group_add(rt_stream *stream, rt_str name);
void rt_stream_group_remove(rt_stream *stream, rt_entry *group);
/* The index of the first pending one at or after the id. */
uint64_t rt_pending_find(const rt_stream_group *group, rt_stream_id id);
/* The one of this id, new or old. */
rt_pending *rt_pending_put(rt_stream_group *group, rt_stream_id id);
void rt_pending_remove(rt_stream_group *group, uint64_t index);

/* --- any of them ------------------------------------------------------------------------------ */

enum rt_value_type { RT_STRING, RT_LIST, RT_SET, RT_ZSET, RT_HASH, RT_STREAM };
extern const char *const rt_value_types[]; /* "string" */

typedef struct rt_value {
    enum rt_value_type type;
    rt_heap *heap;
    union {
        rt_bytes *string;
        rt_deque list;
        rt_dict table; /* of a set, of a hash: `value` is rt_bytes */
        rt_zset zset;
        rt_stream stream;
    } as;
} rt_value;

rt_value *rt_value_new(rt_heap *heap, enum rt_value_type type, uint64_t seed);
void rt_value_free(rt_value *value);
uint64_t rt_value_length(const rt_value *value);

#endif
