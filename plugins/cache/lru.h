/* lru.h — values in memory, bounded: what was not used for longest goes first
 *
 * Nothing waits. Times are those of whoever calls: nanoseconds, growing.
 */
#ifndef PLUGINS_CACHE_LRU_H
#define PLUGINS_CACHE_LRU_H

#include "redis/memory_dict.h"

typedef struct rt_lru rt_lru;

/* NULL: no memory. */
rt_lru *rt_lru_open(uint64_t max_bytes, uint64_t max_entries, uint64_t seed);
void rt_lru_close(rt_lru *lru);
void rt_lru_clear(rt_lru *lru);

/* False: there is none, or it is too old. The value is there until the next change. */
bool rt_lru_get(rt_lru *lru, rt_str key, int64_t now, rt_str *value);
/* False: no memory. What is larger than all there is room for is not kept. */
bool rt_lru_set(rt_lru *lru, rt_str key, rt_str value, int64_t expiry);
void rt_lru_delete(rt_lru *lru, rt_str key);

uint64_t rt_lru_bytes(const rt_lru *lru);
uint64_t rt_lru_count(const rt_lru *lru);
uint64_t rt_lru_evicted(const rt_lru *lru); /* for want of room, ever */

#endif
