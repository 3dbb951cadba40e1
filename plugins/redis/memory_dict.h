/* memory_dict.h — what the keyspace is made of: counted memory, byte strings, hash tables
 *
 * Names are bytes. A table's cursor visits every entry that is there from the first step to the
 * last, also when the table grows or shrinks between two steps; some may come twice.
 * Nothing waits. What allocates returns NULL when memory is out.
 */
#ifndef PLUGINS_REDIS_MEMORY_DICT_H
#define PLUGINS_REDIS_MEMORY_DICT_H

#include <rt/abi.h>
#include <stdbool.h>

/* Counts what is taken from it. */
typedef struct rt_heap {
    uint64_t used;
} rt_heap;

void *rt_heap_alloc(rt_heap *heap, uint64_t size); /* zeroed */
void *rt_heap_resize(rt_heap *heap, void *memory, uint64_t size);
void rt_heap_free(rt_heap *heap, void *memory);

/* Ends in a NUL that is not counted. */
typedef struct rt_bytes {
    uint64_t length;
    char data[];
} rt_bytes;

rt_bytes *rt_bytes_new(rt_heap *heap, rt_str from);
static inline rt_str rt_bytes_str(const rt_bytes *bytes)
{
    return (rt_str){bytes->data, bytes->length};
}

/* Byte by byte, the shorter one first. */
int rt_str_compare(rt_str a, rt_str b);

typedef struct rt_entry {
    struct rt_entry *next;
    uint64_t hash;
    void *value;    /* the owner's */
    int64_t number; /* likewise */
    double score;
    uint64_t length;
    char name[];
} rt_entry;

static inline rt_str rt_entry_name(const rt_entry *entry)
{
    return (rt_str){entry->name, entry->length};
}

typedef struct rt_dict {
    rt_heap *heap;
    rt_entry **buckets;
    uint64_t size; /* a power of two, or 0 */
    uint64_t count;
    uint64_t seed;
} rt_dict;

void rt_dict_open(rt_dict *dict, rt_heap *heap, uint64_t seed);
/* Frees the entries, not what their values lead to. */
void rt_dict_close(rt_dict *dict);
rt_entry *rt_dict_find(const rt_dict *dict, rt_str name);
/* The entry, new or old; `*added` may be NULL. */
rt_entry *rt_dict_add(rt_dict *dict, rt_str name, bool *added);
void rt_dict_remove(rt_dict *dict, rt_entry *entry);
/* The first one after NULL. The table must not change in between, but for removing `entry`'s
 * predecessors. */
rt_entry *rt_dict_next(const rt_dict *dict, const rt_entry *entry);
/* Any, by a random number; NULL: the table is empty. */
rt_entry *rt_dict_any(const rt_dict *dict, uint64_t number);
/* One step of a scan; returns the cursor of the next, 0 after the last. */
uint64_t rt_dict_scan(const rt_dict *dict, uint64_t cursor,
                      void (*visit)(void *argument, rt_entry *entry), void *argument);

#endif
