/* backoff.h — how long to wait before a worker that keeps dying is started again
 *
 * At once; when that one dies within a minute after 1 s, then 2 s, doubling up to 30 s. One that
 * lived for a minute is replaced at once again. Times are monotonic ns.
 */
#ifndef RT_PROCESS_BACKOFF_H
#define RT_PROCESS_BACKOFF_H

#include <stdint.h>

typedef struct rt_backoff {
    uint64_t next; /* what the next early death costs */
} rt_backoff;

/* How long to wait after the death at `died` of one that was started at `started`. */
uint64_t rt_backoff_delay(rt_backoff *backoff, uint64_t started, uint64_t died);

#endif
