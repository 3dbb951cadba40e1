/* marks.h — where the loop leaves its marks, for others to read at any time: a watchdog, a
 * supervisor
 */
#ifndef RT_FIBER_MARKS_H
#define RT_FIBER_MARKS_H

#include <stdint.h>

#define RT_STACK_ORDERS 10         /* sizes of stacks: 16 KiB times two to the order */
#define RT_MARK_UNNAMED UINT32_MAX /* a unit of work without an entry runs */

typedef struct rt_loop_marks {
    uint32_t running; /* entry of the unit of work that runs; 0: none does */
    uint32_t polling; /* the loop waits, or runs callbacks of descriptors */
    uint64_t turns;   /* times that a unit was resumed */
} rt_loop_marks;

#endif
