#include "http/http2_memory.h"

#include "fiber/sanitizer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STEP 64u
#define CLASSES 17u /* class 0 is the allocator's, of any size */

/* Right before the bytes; keeps their alignment. */
typedef struct piece {
    _Alignas(16) struct piece *next; /* while it is kept */
    size_t class;                    /* its bytes in steps */
} piece;

static piece *lists[CLASSES];
static size_t kept; /* bytes */

static size_t class_of(size_t size)
{
    return size <= (CLASSES - 1) * STEP ? (size + STEP - 1) / STEP : 0;
}

/* So many bytes of a piece are somebody's; of the others AddressSanitizer reports every use. */
static void *lend(piece *lent, size_t size)
{
#if RT_ASAN
    size_t whole = lent->class * STEP;
    ASAN_UNPOISON_MEMORY_REGION(lent + 1, size);
    if (size < whole)
        ASAN_POISON_MEMORY_REGION((char *)(lent + 1) + size, whole - size);
#else
    (void)size;
#endif
    return lent + 1;
}

static void *new_piece(size_t size, size_t class)
{
    piece *made;
    size_t whole = class ? class * STEP : size;
    if (__builtin_add_overflow(whole, sizeof *made, &whole) || !(made = malloc(whole)))
        return NULL;
    made->class = class;
    return lend(made, size);
}

static void *take(size_t size, void *argument)
{
    size_t class = class_of(size);
    piece *first = lists[class];
    (void)argument;
    if (!first)
        return new_piece(size, class);
    lists[class] = first->next;
    kept -= class * STEP;
    return lend(first, size);
}

static void give(void *memory, void *argument)
{
    (void)argument;
    if (!memory)
        return;
    piece *over = (piece *)memory - 1;
    if (!over->class || kept + over->class * STEP > RT_HTTP2_KEPT) {
        free(over);
        return;
    }
    lend(over, 0);
    over->next = lists[over->class];
    lists[over->class] = over;
    kept += over->class * STEP;
}

static void *take_zeroed(size_t count, size_t size, void *argument)
{
    void *memory;
    if (__builtin_mul_overflow(count, size, &size) || !(memory = take(size, argument)))
        return NULL;
    return memset(memory, 0, size);
}

static void *resize_large(piece *old, size_t size)
{
    if (__builtin_add_overflow(size, sizeof *old, &size) || !(old = realloc(old, size)))
        return NULL;
    return old + 1;
}

static void *resize(void *memory, size_t size, void *argument)
{
    if (!memory)
        return take(size, argument);
    piece *old = (piece *)memory - 1;
    if (!old->class)
        return resize_large(old, size);
    if (size <= old->class * STEP)
        return lend(old, size);
    void *larger = take(size, argument);
    if (!larger)
        return NULL;
    memcpy(larger, lend(old, old->class * STEP), old->class * STEP);
    give(memory, argument);
    return larger;
}

nghttp2_mem rt_http2_memory = {NULL, take, give, take_zeroed, resize};

void *rt_http2_alloc_zeroed(size_t size)
{
    return take_zeroed(1, size, NULL);
}

void rt_http2_free(void *memory)
{
    give(memory, NULL);
}

size_t rt_http2_memory_kept(void)
{
    return kept;
}

void rt_http2_memory_clear(void)
{
    for (size_t class = 1; class < CLASSES; class ++)
        for (piece *next; lists[class]; lists[class] = next) {
            next = lists[class]->next;
            free(lists[class]);
        }
    kept = 0;
}
