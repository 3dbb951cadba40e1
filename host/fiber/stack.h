/* stack.h — stacks of fibers: mapped, guarded, pooled by size
 *
 *     low - guard ────── low ─────────────────────────── the rt_stack itself ── end of the mapping
 *     64 KiB, no access  the stack, growing down from it
 */
#ifndef RT_FIBER_STACK_H
#define RT_FIBER_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rt_stack {
    struct rt_stack *next; /* while idle */
    char *low;
    size_t size;    /* from `low` to the end of the mapping */
    uint32_t order; /* the size is 16 KiB times two to this */
    unsigned valgrind;
} rt_stack;

/* Raised to a power of two from 16 KiB to 8 MiB, times four under sanitizers; NULL: no memory. */
rt_stack *rt_stack_take(size_t size);
/* What all stacks together may have; then there is no memory for more. 0: as much as there is. */
void rt_stack_limit(size_t bytes);
void rt_stack_give(rt_stack *stack);
void rt_stack_free_idle(void);
size_t rt_stack_idle_count(void); /* for tests: that the pool fills, and has a bound */
/* Bytes from the top to the deepest page that was ever used: its high-water mark, over all the
 * fibers that had it. A system call; nothing is kept up to date for it. */
size_t rt_stack_touched(const rt_stack *stack);
/* The largest of the idle stacks, by order. */
void rt_stack_measure_idle(uint64_t *high);
bool rt_stack_guards(const rt_stack *stack, const void *address);

#endif
