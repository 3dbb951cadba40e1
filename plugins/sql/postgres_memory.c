#include "postgres_memory.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE 16384u

struct rt_pg_chunk {
    struct rt_pg_chunk *next;
    size_t size;
    _Alignas(16) char bytes[];
};

static struct rt_pg_chunk *new_chunk(rt_pg_memory *memory, size_t size)
{
    struct rt_pg_chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        abort(); /* as rt_alloc: there is nobody to tell */
    *chunk = (struct rt_pg_chunk){.next = memory->chunks, .size = size};
    return memory->chunks = chunk;
}

void rt_pg_memory_reserve(rt_pg_memory *memory, size_t size)
{
    if ((size_t)(memory->end - memory->at) >= size)
        return;
    if (!memory->ctx && size < CHUNK_SIZE)
        size = CHUNK_SIZE;
    memory->at = memory->ctx ? rt_alloc(memory->ctx, size) : new_chunk(memory, size)->bytes;
    memory->end = memory->at + size;
}

void *rt_pg_memory_take(rt_pg_memory *memory, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if ((size_t)(memory->end - memory->at) < size)
        rt_pg_memory_reserve(memory, size < 256 ? 256 : size);
    char *taken = memory->at;
    memory->at += size;
    memory->taken += size;
    return taken;
}

char *rt_pg_memory_copy(rt_pg_memory *memory, const void *bytes, size_t length)
{
    char *copy = rt_pg_memory_take(memory, length + 1);
    if (length)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

static void free_chunks(struct rt_pg_chunk *chunk)
{
    while (chunk) {
        struct rt_pg_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

void rt_pg_memory_reset(rt_pg_memory *memory)
{
    struct rt_pg_chunk *kept = memory->chunks;
    memory->taken = 0;
    if (!kept)
        return;
    free_chunks(kept->next);
    kept->next = NULL;
    memory->at = kept->bytes;
    memory->end = kept->bytes + kept->size;
}

void rt_pg_memory_free(rt_pg_memory *memory)
{
    free_chunks(memory->chunks);
    *memory = (rt_pg_memory){0};
}
