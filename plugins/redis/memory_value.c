#include "memory_value.h"

const char *const rt_value_types[] = {"string", "list", "set", "zset", "hash", "stream"};

/* --- lists ------------------------------------------------------------------------------------ */

static bool grow_ring(rt_deque *deque)
{
    uint64_t capacity = deque->capacity ? 2 * deque->capacity : 4;
    rt_bytes **ring = rt_heap_alloc(deque->heap, capacity * sizeof(rt_bytes *));
    if (!ring)
        return false;
    for (uint64_t i = 0; i < deque->count; i++)
        ring[i] = *rt_deque_at(deque, i);
    rt_heap_free(deque->heap, deque->ring);
    deque->ring = ring;
    deque->capacity = capacity;
    deque->first = 0;
    return true;
}

bool rt_deque_push(rt_deque *deque, bool left, rt_bytes *bytes)
{
    if (deque->count == deque->capacity && !grow_ring(deque))
        return false;
    if (left)
        deque->first = (deque->first + deque->capacity - 1) % deque->capacity;
    deque->count++;
    *rt_deque_at(deque, left ? 0 : deque->count - 1) = bytes;
    return true;
}

rt_bytes *rt_deque_pop(rt_deque *deque, bool left)
{
    if (!deque->count)
        return NULL;
    rt_bytes *bytes = *rt_deque_at(deque, left ? 0 : deque->count - 1);
    if (left)
        deque->first = (deque->first + 1) % deque->capacity;
    deque->count--;
    return bytes;
}

void rt_deque_remove(rt_deque *deque, uint64_t index)
{
    rt_heap_free(deque->heap, *rt_deque_at(deque, index));
    for (; index + 1 < deque->count; index++)
        *rt_deque_at(deque, index) = *rt_deque_at(deque, index + 1);
    deque->count--;
}

bool rt_deque_insert(rt_deque *deque, uint64_t index, rt_bytes *bytes)
{
    if (!rt_deque_push(deque, false, bytes))
        return false;
    for (uint64_t i = deque->count - 1; i > index; i--)
        *rt_deque_at(deque, i) = *rt_deque_at(deque, i - 1);
    *rt_deque_at(deque, index) = bytes;
    return true;
}

static void close_deque(rt_deque *deque)
{
    for (rt_bytes *bytes; (bytes = rt_deque_pop(deque, true));)
        rt_heap_free(deque->heap, bytes);
    rt_heap_free(deque->heap, deque->ring);
}

/* --- sorted sets ------------------------------------------------------------------------------ */

static int compare_members(const rt_entry *a, double score, rt_str name)
{
    if (a->score != score)
        return a->score < score ? -1 : 1;
    return rt_str_compare(rt_entry_name(a), name);
}

/* Of `count` members in order, how many come before this one. */
static uint64_t find_rank(const rt_zset *zset, uint64_t count, double score, rt_str name)
{
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (compare_members(zset->order[middle], score, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t rt_zset_rank(const rt_zset *zset, const rt_entry *member)
{
    return find_rank(zset, zset->members.count, member->score, rt_entry_name(member));
}

uint64_t rt_zset_below(const rt_zset *zset, double score, bool inclusive)
{
    uint64_t low = 0, high = zset->members.count;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        double other = zset->order[middle]->score;
        if (other < score || (inclusive && other == score))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void take_out(rt_zset *zset, uint64_t rank, uint64_t count)
{
    memmove(&zset->order[rank], &zset->order[rank + 1], (count - rank - 1) * sizeof zset->order[0]);
}

static void put_in(rt_zset *zset, rt_entry *member, uint64_t count)
{
    uint64_t rank = find_rank(zset, count, member->score, rt_entry_name(member));
    memmove(&zset->order[rank + 1], &zset->order[rank], (count - rank) * sizeof zset->order[0]);
    zset->order[rank] = member;
}

static bool grow_order(rt_zset *zset)
{
    if (zset->members.count < zset->capacity)
        return true;
    uint64_t capacity = zset->capacity ? 2 * zset->capacity : 4;
    rt_entry **order =
        rt_heap_resize(zset->members.heap, zset->order, capacity * sizeof zset->order[0]);
    if (!order)
        return false;
    zset->order = order;
    zset->capacity = capacity;
    return true;
}

bool rt_zset_put(rt_zset *zset, rt_str name, double score)
{
    bool added;
    rt_entry *member = grow_order(zset) ? rt_dict_add(&zset->members, name, &added) : NULL;
    if (!member)
        return false;
    if (!added && member->score == score)
        return true;
    if (!added)
        take_out(zset, rt_zset_rank(zset, member), zset->members.count);
    member->score = score;
    put_in(zset, member, zset->members.count - 1);
    return true;
}

void rt_zset_remove(rt_zset *zset, rt_entry *member)
{
    take_out(zset, rt_zset_rank(zset, member), zset->members.count);
    rt_dict_remove(&zset->members, member);
}

/* --- streams ---------------------------------------------------------------------------------- */

rt_str rt_stream_text(const rt_stream_item *item, uint64_t index)
{
    const char *bytes = (const char *)&item->ends[item->count];
    uint64_t begin = index ? item->ends[index - 1] : 0;
    return (rt_str){bytes + begin, item->ends[index] - begin};
}

uint64_t rt_stream_find(const rt_stream *stream, rt_stream_id id)
{
    uint64_t low = 0, high = stream->count;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (rt_stream_id_compare(rt_stream_at(stream, middle)->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static rt_stream_item *make_item(rt_heap *heap, rt_stream_id id, const rt_str *texts,
                                 uint64_t count)
{
    uint64_t length = 0;
    for (uint64_t i = 0; i < count; i++)
        length += texts[i].length;
    rt_stream_item *item =
        rt_heap_alloc(heap, sizeof *item + count * sizeof item->ends[0] + length);
    if (!item)
        return NULL;
    char *to = (char *)&item->ends[count];
    item->id = id;
    item->count = count;
    for (uint64_t i = 0, end = 0; i < count; i++) {
        if (texts[i].length)
            memcpy(to + end, texts[i].data, texts[i].length);
        item->ends[i] = end += texts[i].length;
    }
    return item;
}

/* Room for one more at the end; what was dropped at the front is used first. */
static bool make_room(rt_stream *stream)
{
    if (stream->first + stream->count < stream->capacity)
        return true;
    if (stream->first > stream->capacity / 2) {
        memmove(stream->items, stream->items + stream->first,
                stream->count * sizeof stream->items[0]);
        stream->first = 0;
        return true;
    }
    uint64_t capacity = stream->capacity ? 2 * stream->capacity : 8;
    rt_stream_item **items =
        rt_heap_resize(stream->heap, stream->items, capacity * sizeof stream->items[0]);
    if (!items)
        return false;
    stream->items = items;
    stream->capacity = capacity;
    return true;
}

bool rt_stream_append(rt_stream *stream, rt_stream_id id, const rt_str *texts, uint64_t count)
{
    rt_stream_item *item = make_room(stream) ? make_item(stream->heap, id, texts, count) : NULL;
    if (!item)
        return false;
    stream->items[stream->first + stream->count++] = item;
    stream->last = id;
    stream->added++;
    return true;
}

void rt_stream_drop(rt_stream *stream, uint64_t oldest)
{
    for (uint64_t i = 0; i < oldest; i++)
        rt_heap_free(stream->heap, rt_stream_at(stream, i));
    stream->first += oldest;
    stream->count -= oldest;
}

void rt_stream_remove(rt_stream *stream, uint64_t index)
{
    rt_stream_item **item = &stream->items[stream->first + index];
    if (rt_stream_id_compare((*item)->id, stream->deleted) > 0)
        stream->deleted = (*item)->id;
    rt_heap_free(stream->heap, *item);
    memmove(item, item + 1, (stream->count - index - 1) * sizeof *item);
    stream->count--;
}

rt_stream_group *rt_stream_group_add(rt_stream *stream, rt_str name)
{
    bool added;
    rt_stream_group *group = rt_heap_alloc(stream->heap, sizeof *group);
    rt_entry *entry = group ? rt_dict_add(&stream->groups, name, &added) : NULL;
    if (!entry) {
        rt_heap_free(stream->heap, group);
        return NULL;
    }
    group->heap = stream->heap;
    rt_dict_open(&group->consumers, stream->heap, stream->groups.seed);
    entry->value = group;
    return group;
}

void rt_stream_group_remove(rt_stream *stream, rt_entry *entry)
{
    rt_stream_group *group = entry->value;
    rt_dict_close(&group->consumers);
    rt_heap_free(stream->heap, group->pending);
    rt_heap_free(stream->heap, group);
    rt_dict_remove(&stream->groups, entry);
}

uint64_t rt_pending_find(const rt_stream_group *group, rt_stream_id id)
{
    uint64_t low = 0, high = group->pending_count;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (rt_stream_id_compare(group->pending[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

rt_pending *rt_pending_put(rt_stream_group *group, rt_stream_id id)
{
    uint64_t index = rt_pending_find(group, id);
    if (index < group->pending_count && rt_stream_id_compare(group->pending[index].id, id) == 0)
        return &group->pending[index];
    if (group->pending_count == group->pending_capacity) {
        uint64_t capacity = group->pending_capacity ? 2 * group->pending_capacity : 8;
        rt_pending *pending =
            rt_heap_resize(group->heap, group->pending, capacity * sizeof *pending);
        if (!pending)
            return NULL;
        group->pending = pending;
        group->pending_capacity = capacity;
    }
    memmove(&group->pending[index + 1], &group->pending[index],
            (group->pending_count - index) * sizeof group->pending[0]);
    group->pending_count++;
    group->pending[index] = (rt_pending){.id = id};
    return &group->pending[index];
}

void rt_pending_remove(rt_stream_group *group, uint64_t index)
{
    memmove(&group->pending[index], &group->pending[index + 1],
            (group->pending_count - index - 1) * sizeof group->pending[0]);
    group->pending_count--;
}

static void close_stream(rt_stream *stream)
{
    rt_stream_drop(stream, stream->count);
    rt_heap_free(stream->heap, stream->items);
    for (rt_entry *group; (group = rt_dict_next(&stream->groups, NULL));)
        rt_stream_group_remove(stream, group);
    rt_dict_close(&stream->groups);
}

/* --- any of them ------------------------------------------------------------------------------ */

rt_value *rt_value_new(rt_heap *heap, enum rt_value_type type, uint64_t seed)
{
    rt_value *value = rt_heap_alloc(heap, sizeof *value);
    if (!value)
        return NULL;
    value->type = type;
    value->heap = heap;
    if (type == RT_LIST)
        value->as.list.heap = heap;
    if (type == RT_SET || type == RT_HASH)
        rt_dict_open(&value->as.table, heap, seed);
    if (type == RT_ZSET)
        rt_dict_open(&value->as.zset.members, heap, seed);
    if (type == RT_STREAM) {
        value->as.stream.heap = heap;
        rt_dict_open(&value->as.stream.groups, heap, seed);
    }
    return value;
}

static void close_table(rt_value *value)
{
    for (rt_entry *entry = NULL; (entry = rt_dict_next(&value->as.table, entry));)
        rt_heap_free(value->heap, entry->value);
    rt_dict_close(&value->as.table);
}

void rt_value_free(rt_value *value)
{
    if (value->type == RT_STRING)
        rt_heap_free(value->heap, value->as.string);
    else if (value->type == RT_LIST)
        close_deque(&value->as.list);
    else if (value->type == RT_STREAM)
        close_stream(&value->as.stream);
    else if (value->type == RT_ZSET) {
        rt_heap_free(value->heap, value->as.zset.order);
        rt_dict_close(&value->as.zset.members);
    } else
        close_table(value);
    rt_heap_free(value->heap, value);
}

uint64_t rt_value_length(const rt_value *value)
{
    switch (value->type) {
    case RT_STRING:
        return value->as.string->length;
    case RT_LIST:
        return value->as.list.count;
    case RT_ZSET:
        return value->as.zset.members.count;
    case RT_STREAM:
        return value->as.stream.count;
    default:
        return value->as.table.count;
    }
}
