#include "memory_dict.h"

#include <malloc.h>
#include <stdlib.h>

enum { LEAST_SIZE = 4 };

/* --- memory ---------------------------------------------------------------------------------- */

void *rt_heap_alloc(rt_heap *heap, uint64_t size)
{
    void *memory = calloc(1, size);
    if (memory)
        heap->used += malloc_usable_size(memory);
    return memory;
}

void *rt_heap_resize(rt_heap *heap, void *memory, uint64_t size)
{
    uint64_t before = memory ? malloc_usable_size(memory) : 0;
    void *resized = realloc(memory, size);
    if (resized)
        heap->used += malloc_usable_size(resized) - before;
    return resized;
}

void rt_heap_free(rt_heap *heap, void *memory)
{
    if (memory)
        heap->used -= malloc_usable_size(memory);
    free(memory);
}

rt_bytes *rt_bytes_new(rt_heap *heap, rt_str from)
{
    rt_bytes *bytes = rt_heap_alloc(heap, sizeof *bytes + from.length + 1);
    if (!bytes)
        return NULL;
    bytes->length = from.length;
    if (from.length)
        memcpy(bytes->data, from.data, from.length);
    return bytes;
}

int rt_str_compare(rt_str a, rt_str b)
{
    uint64_t both = a.length < b.length ? a.length : b.length;
    int order = both ? memcmp(a.data, b.data, both) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* --- tables ---------------------------------------------------------------------------------- */

static uint64_t hash_of(const rt_dict *dict, rt_str name)
{
    uint64_t hash = dict->seed ^ 14695981039346656037u;
    for (uint64_t i = 0; i < name.length; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 1099511628211u;
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

void rt_dict_open(rt_dict *dict, rt_heap *heap, uint64_t seed)
{
    *dict = (rt_dict){.heap = heap, .seed = seed};
}

void rt_dict_close(rt_dict *dict)
{
    for (uint64_t i = 0; i < dict->size; i++) {
        for (rt_entry *entry = dict->buckets[i], *next; entry; entry = next) {
            next = entry->next;
            rt_heap_free(dict->heap, entry);
        }
    }
    rt_heap_free(dict->heap, dict->buckets);
    rt_dict_open(dict, dict->heap, dict->seed);
}

static rt_entry **find_place(const rt_dict *dict, rt_str name, uint64_t hash)
{
    rt_entry **place = &dict->buckets[hash & (dict->size - 1)];
    while (*place && ((*place)->hash != hash || (*place)->length != name.length ||
                      (name.length && memcmp((*place)->name, name.data, name.length) != 0)))
        place = &(*place)->next;
    return place;
}

rt_entry *rt_dict_find(const rt_dict *dict, rt_str name)
{
    return dict->size ? *find_place(dict, name, hash_of(dict, name)) : NULL;
}

/* Without memory the table stays as it is: longer chains are no error. */
static bool resize(rt_dict *dict, uint64_t size)
{
    rt_entry **buckets = rt_heap_alloc(dict->heap, size * sizeof *buckets);
    if (!buckets)
        return dict->size != 0;
    for (uint64_t i = 0; i < dict->size; i++) {
        for (rt_entry *entry = dict->buckets[i], *next; entry; entry = next) {
            rt_entry **bucket = &buckets[entry->hash & (size - 1)];
            next = entry->next;
            entry->next = *bucket;
            *bucket = entry;
        }
    }
    rt_heap_free(dict->heap, dict->buckets);
    dict->buckets = buckets;
    dict->size = size;
    return true;
}

rt_entry *rt_dict_add(rt_dict *dict, rt_str name, bool *added)
{
    bool unused;
    added = added ? added : &unused;
    *added = false;
    if (dict->count >= dict->size && !resize(dict, dict->size ? 2 * dict->size : LEAST_SIZE))
        return NULL;
    uint64_t hash = hash_of(dict, name);
    rt_entry **place = find_place(dict, name, hash);
    if (*place)
        return *place;
    rt_entry *entry = rt_heap_alloc(dict->heap, sizeof *entry + name.length + 1);
    if (!entry)
        return NULL;
    entry->hash = hash;
    entry->length = name.length;
    if (name.length)
        memcpy(entry->name, name.data, name.length);
    *place = entry;
    dict->count++;
    *added = true;
    return entry;
}

void rt_dict_remove(rt_dict *dict, rt_entry *entry)
{
    rt_entry **place = &dict->buckets[entry->hash & (dict->size - 1)];
    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    rt_heap_free(dict->heap, entry);
    dict->count--;
    if (dict->size > LEAST_SIZE && dict->count < dict->size / 8)
        resize(dict, dict->size / 4);
}

rt_entry *rt_dict_next(const rt_dict *dict, const rt_entry *entry)
{
    if (entry && entry->next)
        return entry->next;
    uint64_t bucket = entry ? (entry->hash & (dict->size - 1)) + 1 : 0;
    while (bucket < dict->size && !dict->buckets[bucket])
        bucket++;
    return bucket < dict->size ? dict->buckets[bucket] : NULL;
}

rt_entry *rt_dict_any(const rt_dict *dict, uint64_t number)
{
    if (!dict->count)
        return NULL;
    uint64_t bucket = number & (dict->size - 1), length = 0;
    while (!dict->buckets[bucket])
        bucket = (bucket + 1) & (dict->size - 1);
    for (const rt_entry *entry = dict->buckets[bucket]; entry; entry = entry->next)
        length++;
    rt_entry *chosen = dict->buckets[bucket];
    for (uint64_t steps = (number >> 40) % length; steps; steps--)
        chosen = chosen->next;
    return chosen;
}

static uint64_t reverse(uint64_t bits)
{
    bits = (bits >> 1 & 0x5555555555555555u) | (bits & 0x5555555555555555u) << 1;
    bits = (bits >> 2 & 0x3333333333333333u) | (bits & 0x3333333333333333u) << 2;
    bits = (bits >> 4 & 0x0f0f0f0f0f0f0f0fu) | (bits & 0x0f0f0f0f0f0f0f0fu) << 4;
    return __builtin_bswap64(bits);
}

/* The cursor counts from its highest bit down, so that the buckets which a larger or smaller table
 * splits or joins lie next to each other on its way. */
uint64_t rt_dict_scan(const rt_dict *dict, uint64_t cursor,
                      void (*visit)(void *argument, rt_entry *entry), void *argument)
{
    if (!dict->size)
        return 0;
    uint64_t mask = dict->size - 1;
    for (rt_entry *entry = dict->buckets[cursor & mask], *next; entry; entry = next) {
        next = entry->next;
        visit(argument, entry);
    }
    return reverse(reverse(cursor | ~mask) + 1);
}
