/* postgres_memory.h — memory that grows by chunks, of a unit of work or of an owner of its own */
#ifndef PLUGINS_SQL_POSTGRES_MEMORY_H
#define PLUGINS_SQL_POSTGRES_MEMORY_H

#include <rt/context.h>

struct rt_pg_chunk;

/* With a context it takes from the unit of work; without, by malloc, until rt_pg_memory_free. */
typedef struct rt_pg_memory {
    rt_ctx *ctx;
    char *at, *end;
    struct rt_pg_chunk *chunks;
    size_t taken; /* since it was made or reset */
} rt_pg_memory;

/* Room for that many bytes in one piece, taken beforehand. */
void rt_pg_memory_reserve(rt_pg_memory *memory, size_t size);
/* Aligned to 8, not cleared; never NULL. */
void *rt_pg_memory_take(rt_pg_memory *memory, size_t size);
/* A copy that ends in NUL. */
char *rt_pg_memory_copy(rt_pg_memory *memory, const void *bytes, size_t length);
/* Of memory without a context: all it gave is free again; keeps one chunk. */
void rt_pg_memory_reset(rt_pg_memory *memory);
void rt_pg_memory_free(rt_pg_memory *memory);

#endif
