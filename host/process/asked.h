/* asked.h — the calls that clients of the control socket wait for
 *
 *     rt_asked *asked = rt_asked_begin(&calls, now)      one that is handed to a worker
 *     rt_asked_take(&calls, pid, number, status, text)   its answer; or rt_asked_lose: it ended
 *     rt_asked_end(asked)                                its client was told, or is gone
 *
 * There are at most as many as there are clients. A call has a number, which comes back with its
 * answer: one that comes late finds no call.
 */
#ifndef RT_PROCESS_ASKED_H
#define RT_PROCESS_ASKED_H

#include "process/control.h"

typedef struct rt_asked {
    uint64_t number; /* 0: free */
    pid_t pid;       /* of the worker */
    uint32_t worker, generation;
    uint64_t due; /* monotonic ns: when its answer is overdue */
    bool answered, lost;
    int status;
    char *text;
} rt_asked;

typedef struct rt_asked_calls {
    rt_asked items[RT_CONTROL_CLIENTS];
    uint64_t last; /* number */
} rt_asked_calls;

rt_asked *rt_asked_begin(rt_asked_calls *calls, uint64_t now); /* NULL: too many */
rt_asked *rt_asked_find(rt_asked_calls *calls, uint64_t number);
void rt_asked_take(rt_asked_calls *calls, pid_t pid, uint64_t number, const char *status,
                   const char *text);
void rt_asked_lose(rt_asked_calls *calls, pid_t pid);
void rt_asked_end(rt_asked *asked);
uint64_t rt_asked_due(const rt_asked_calls *calls); /* 0: never */

#endif
