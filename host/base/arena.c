#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STANDARD_BLOCK ((size_t)8192)
#define ALIGNMENT ((size_t)16)

struct rt_arena_block {
    struct rt_arena_block *older;
    size_t size; /* of `bytes` */
    _Alignas(16) char bytes[];
};

static _Noreturn void out_of_memory(void)
{
    static const char message[] = "out of memory\n";
    fwrite(message, 1, sizeof message - 1, stderr);
    abort();
}

void *rt_xmalloc(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory)
        out_of_memory();
    return memory;
}

void *rt_xcalloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        out_of_memory();
    return memory;
}

void *rt_xrealloc(void *memory, size_t size)
{
    memory = realloc(memory, size ? size : 1);
    if (!memory)
        out_of_memory();
    return memory;
}

void rt_arena_init(rt_arena *arena)
{
    *arena = (rt_arena){0};
}

static void use_block(rt_arena *arena, struct rt_arena_block *block)
{
    arena->next = block->bytes;
    arena->end = block->bytes + block->size;
}

static struct rt_arena_block *new_block(size_t size)
{
    struct rt_arena_block *block = malloc(sizeof *block + size);
    if (block)
        block->size = size;
    return block;
}

static bool add_block(rt_arena *arena, size_t size)
{
    struct rt_arena_block *block = new_block(size);
    if (!block)
        return false;
    block->older = arena->blocks;
    arena->blocks = block;
    use_block(arena, block);
    return true;
}

void rt_arena_reset(rt_arena *arena)
{
    struct rt_arena_block *kept = NULL;
    for (struct rt_arena_block *block = arena->blocks, *older; block; block = older) {
        older = block->older;
        if (!kept && block->size == STANDARD_BLOCK)
            kept = block;
        else
            free(block);
    }
    rt_arena_init(arena);
    if (!kept)
        return;
    kept->older = NULL;
    arena->blocks = kept;
    use_block(arena, kept);
}

void rt_arena_free(rt_arena *arena)
{
    for (struct rt_arena_block *block = arena->blocks, *older; block; block = older) {
        older = block->older;
        free(block);
    }
    rt_arena_init(arena);
}

/* A large piece gets a block of its own behind the newest, so that the newest stays in use. */
static void *alloc_apart(rt_arena *arena, size_t size)
{
    struct rt_arena_block *block = new_block(size);
    if (!block)
        return NULL;
    if (arena->blocks) {
        block->older = arena->blocks->older;
        arena->blocks->older = block;
    } else {
        block->older = NULL;
        arena->blocks = block;
        arena->next = arena->end = block->bytes + size;
    }
    return memset(block->bytes, 0, size);
}

void *rt_arena_try_alloc(rt_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = ((size ? size : 1) + ALIGNMENT - 1) & ~(ALIGNMENT - 1); /* NULL is a failure */
    if (size > (size_t)(arena->end - arena->next)) {
        if (size > STANDARD_BLOCK / 4)
            return alloc_apart(arena, size);
        if (!add_block(arena, STANDARD_BLOCK))
            return NULL;
    }
    void *memory = arena->next;
    arena->next += size;
    return memset(memory, 0, size);
}

void *rt_arena_alloc(rt_arena *arena, size_t size)
{
    void *memory = rt_arena_try_alloc(arena, size);
    if (!memory)
        out_of_memory();
    return memory;
}

char *rt_arena_copy_n(rt_arena *arena, const char *bytes, size_t length)
{
    char *copy = rt_arena_alloc(arena, length + 1);
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

char *rt_arena_copy(rt_arena *arena, const char *text)
{
    return text ? rt_arena_copy_n(arena, text, strlen(text)) : NULL;
}

char *rt_arena_vformat(rt_arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = rt_arena_alloc(arena, (size_t)(length < 0 ? 0 : length) + 1);
    if (length > 0)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *rt_arena_format(rt_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = rt_arena_vformat(arena, format, arguments);
    va_end(arguments);
    return text;
}

void *rt_arena_grow(rt_arena *arena, void *items, size_t size, size_t count)
{
    if (count & (count - 1) || (count == 0 && items))
        return items;
    void *larger = rt_arena_alloc(arena, (count ? count * 2 : 1) * size);
    if (count)
        memcpy(larger, items, count * size);
    return larger;
}
