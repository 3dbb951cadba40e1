/* view.h — what runs in this thread, for signal handlers
 *
 * Everything may be broken by then: memory is read through a function that fails where a plain read
 * would fault.
 */
#ifndef RT_FIBER_VIEW_H
#define RT_FIBER_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes copied; fewer than asked for where memory ends. Async-signal-safe. */
typedef size_t (*rt_fetch)(void *to, const void *from, size_t size);

typedef struct rt_fiber_view {
    bool on_fiber; /* else a thread that runs no unit of work; the texts are empty */
    bool blocking; /* a thread of the pool, in rt_blocking of that unit */
    bool overflow; /* `address` is in the guard of the fiber's stack */
    uint32_t entry;
    char fiber[96];
    char instance[64];
    char module[64];
    char correlation[132];
} rt_fiber_view;

void rt_fiber_view_take(rt_fiber_view *view, const void *address, rt_fetch fetch);

#endif
