#include "fiber/stack.h"

#include "fiber/fiber.h"
#include "fiber/sanitizer.h"

#include <sys/mman.h>

/* Debian's libraries are built without stack clash protection: a guard of one page can be jumped
 * over by a large frame, 64 KiB hardly. */
#define GUARD ((size_t)64 << 10)
#define SMALLEST ((size_t)16 << 10)
#define ORDERS RT_STACK_ORDERS /* 16 KiB to 8 MiB */
#define IDLE_MOST 1024
#define SCALE (RT_SANITIZED ? 4 : 1)

static struct {
    rt_stack *idle[ORDERS];
    size_t idle_count;
    size_t mapped, limit; /* bytes; no limit: 0 */
} pool;

void rt_stack_limit(size_t bytes)
{
    pool.limit = bytes;
}

static uint32_t order_of(size_t size)
{
    if (size <= SMALLEST)
        return 0;
    uint32_t order = 64 - (uint32_t)__builtin_clzl((size - 1) / SMALLEST);
    return order < ORDERS ? order : ORDERS - 1;
}

static rt_stack *map_stack(uint32_t order)
{
    size_t size = (SMALLEST << order) * SCALE;
    if (pool.limit && pool.mapped + size > pool.limit)
        return NULL;
    char *memory = mmap(NULL, GUARD + size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (mprotect(memory, GUARD, PROT_NONE) != 0) {
        munmap(memory, GUARD + size);
        return NULL;
    }
    pool.mapped += size;
    char *low = memory + GUARD;
    rt_stack *stack = (rt_stack *)(low + size - 64);
    *stack = (rt_stack){.low = low, .size = size, .order = order};
    stack->valgrind = rt_shadow_map(low, low + size);
    return stack;
}

static void unmap_stack(rt_stack *stack)
{
    size_t size = stack->size;
    rt_shadow_unmap(stack->valgrind);
    munmap(stack->low - GUARD, GUARD + size);
    pool.mapped -= size;
}

void rt_stack_free_idle(void)
{
    for (uint32_t order = 0; order < ORDERS; order++) {
        for (rt_stack *stack = pool.idle[order], *next; stack; stack = next) {
            next = stack->next;
            unmap_stack(stack);
        }
        pool.idle[order] = NULL;
    }
    pool.idle_count = 0;
}

rt_stack *rt_stack_take(size_t size)
{
    uint32_t order = order_of(size);
    rt_stack *stack = pool.idle[order];
    if (!stack) {
        stack = map_stack(order);
        if (stack || !pool.idle_count)
            return stack;
        rt_stack_free_idle(); /* of other sizes */
        return map_stack(order);
    }
    pool.idle[order] = stack->next;
    pool.idle_count--;
    return stack;
}

void rt_stack_give(rt_stack *stack)
{
    rt_shadow_clean(stack->low, stack->size);
    if (pool.idle_count >= IDLE_MOST) {
        unmap_stack(stack);
        return;
    }
    stack->next = pool.idle[stack->order];
    pool.idle[stack->order] = stack;
    pool.idle_count++;
}

size_t rt_stacks_mapped(void)
{
    return pool.mapped;
}

size_t rt_stack_idle_count(void)
{
    return pool.idle_count;
}

#define PAGE ((size_t)4096)
#define PAGES_MOST ((SMALLEST << (ORDERS - 1)) * SCALE / PAGE)

size_t rt_stack_touched(const rt_stack *stack)
{
    static unsigned char pages[PAGES_MOST]; /* of the loop's thread */
    size_t count = stack->size / PAGE, deepest = 0;
    if (mincore(stack->low, stack->size, pages) != 0)
        return 0;
    while (deepest < count && !(pages[deepest] & 1))
        deepest++;
    return (count - deepest) * PAGE;
}

void rt_stack_measure_idle(uint64_t *high)
{
    for (uint32_t order = 0; order < ORDERS; order++)
        for (const rt_stack *stack = pool.idle[order]; stack; stack = stack->next) {
            size_t touched = rt_stack_touched(stack);
            high[order] = touched > high[order] ? touched : high[order];
        }
}

bool rt_stack_guards(const rt_stack *stack, const void *address)
{
    const char *at = address;
    return at >= stack->low - GUARD && at < stack->low;
}
