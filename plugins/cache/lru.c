#include "lru.h"

#include <stdlib.h>

/* What an entry leads to; in the order of use. */
struct kept {
    struct kept *newer, *older;
    rt_entry *entry;
    int64_t expiry;
    uint64_t length;
    char data[];
};

struct rt_lru {
    rt_heap heap;
    rt_dict table;
    struct kept *newest, *oldest;
    uint64_t max_bytes, max_entries, evicted;
};

rt_lru *rt_lru_open(uint64_t max_bytes, uint64_t max_entries, uint64_t seed)
{
    rt_lru *lru = calloc(1, sizeof *lru);
    if (!lru)
        return NULL;
    lru->max_bytes = max_bytes;
    lru->max_entries = max_entries;
    rt_dict_open(&lru->table, &lru->heap, seed);
    return lru;
}

static void unlink_kept(rt_lru *lru, struct kept *kept)
{
    *(kept->newer ? &kept->newer->older : &lru->newest) = kept->older;
    *(kept->older ? &kept->older->newer : &lru->oldest) = kept->newer;
}

static void link_newest(rt_lru *lru, struct kept *kept)
{
    kept->newer = NULL;
    kept->older = lru->newest;
    *(lru->newest ? &lru->newest->newer : &lru->oldest) = kept;
    lru->newest = kept;
}

static void drop(rt_lru *lru, struct kept *kept)
{
    unlink_kept(lru, kept);
    rt_dict_remove(&lru->table, kept->entry);
    rt_heap_free(&lru->heap, kept);
}

void rt_lru_clear(rt_lru *lru)
{
    while (lru->oldest)
        drop(lru, lru->oldest);
}

void rt_lru_close(rt_lru *lru)
{
    if (!lru)
        return;
    rt_lru_clear(lru);
    rt_dict_close(&lru->table);
    free(lru);
}

bool rt_lru_get(rt_lru *lru, rt_str key, int64_t now, rt_str *value)
{
    const rt_entry *entry = rt_dict_find(&lru->table, key);
    struct kept *kept = entry ? entry->value : NULL;
    if (!kept)
        return false;
    if (kept->expiry <= now) {
        drop(lru, kept);
        return false;
    }
    unlink_kept(lru, kept);
    link_newest(lru, kept);
    *value = (rt_str){kept->data, kept->length};
    return true;
}

void rt_lru_delete(rt_lru *lru, rt_str key)
{
    const rt_entry *entry = rt_dict_find(&lru->table, key);
    if (entry)
        drop(lru, entry->value);
}

bool rt_lru_set(rt_lru *lru, rt_str key, rt_str value, int64_t expiry)
{
    rt_lru_delete(lru, key);
    struct kept *kept = rt_heap_alloc(&lru->heap, sizeof *kept + value.length);
    rt_entry *entry = kept ? rt_dict_add(&lru->table, key, NULL) : NULL;
    if (!entry) {
        rt_heap_free(&lru->heap, kept);
        return false;
    }
    entry->value = kept;
    kept->entry = entry;
    kept->expiry = expiry;
    kept->length = value.length;
    if (value.length)
        memcpy(kept->data, value.data, value.length);
    link_newest(lru, kept);
    while (lru->oldest &&
           (lru->heap.used > lru->max_bytes || lru->table.count > lru->max_entries)) {
        drop(lru, lru->oldest);
        lru->evicted++;
    }
    return true;
}

uint64_t rt_lru_bytes(const rt_lru *lru)
{
    return lru->heap.used;
}

uint64_t rt_lru_count(const rt_lru *lru)
{
    return lru->table.count;
}

uint64_t rt_lru_evicted(const rt_lru *lru)
{
    return lru->evicted;
}
