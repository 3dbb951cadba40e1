/* arena.h — memory that is freed all at once
 *
 * An arena hands out zeroed memory aligned to 16 and frees it as a whole. Nothing but
 * rt_arena_try_alloc returns NULL: when memory is out the process says so and aborts, because no
 * caller could do better.
 */
#ifndef RT_BASE_ARENA_H
#define RT_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct rt_arena_block;

typedef struct rt_arena {
    struct rt_arena_block *blocks; /* the newest first */
    char *next;                    /* free bytes of the newest block */
    char *end;
} rt_arena;

/* Memory that never runs out silently: malloc and realloc that abort with a message. */
void *rt_xmalloc(size_t size);
void *rt_xcalloc(size_t count, size_t size);
void *rt_xrealloc(void *memory, size_t size);

void rt_arena_init(rt_arena *arena);
/* Frees everything but one standard block, which is kept for reuse. */
void rt_arena_reset(rt_arena *arena);
void rt_arena_free(rt_arena *arena);

void *rt_arena_alloc(rt_arena *arena, size_t size);
/* The same for sizes that others choose: NULL when there is not that much memory. */
void *rt_arena_try_alloc(rt_arena *arena, size_t size);
char *rt_arena_copy(rt_arena *arena, const char *text);                   /* NULL stays NULL */
char *rt_arena_copy_n(rt_arena *arena, const char *bytes, size_t length); /* adds a NUL */
char *rt_arena_format(rt_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
char *rt_arena_vformat(rt_arena *arena, const char *format, va_list arguments);

#define RT_NEW(arena, type) ((type *)rt_arena_alloc(arena, sizeof(type)))

/* Grows an arena array: rt_push(arena, list->items, list->count) is an lvalue, zeroed. The capacity
 * is the power of two at or above the count, so none is kept. */
#define rt_push(arena, items, count) \
    (*((items) = rt_arena_grow(arena, items, sizeof *(items), count), &(items)[(count)++]))
void *rt_arena_grow(rt_arena *arena, void *items, size_t size, size_t count);

#endif
