/* health.h — asks the modules of a worker how they are
 *
 * Every `health.interval`, all at once, each in a unit of work of its own, and never one that has
 * not answered yet. What they answer goes to the worker's room of the board (health_room.h), and
 * each change to the log. README.md says what counts as an answer.
 */
#ifndef RT_PROCESS_HEALTH_H
#define RT_PROCESS_HEALTH_H

#include "process/health_room.h"
#include "process/runtime.h"

typedef struct rt_checkup rt_checkup;

typedef struct rt_health_watch {
    rt_runtime *runtime;
    void *room; /* or NULL: nobody is told */
    rt_instance instance;
    rt_checkup *checkups; /* by plan->instances */
    rt_health_report *report;
    rt_ctx *asker; /* the fiber that asks */
    rt_channel *ended;
    rt_parking first; /* who waits for the first answers */
    uint64_t next;    /* when all are asked again */
    bool asked;       /* once */
    bool over;
} rt_health_watch;

/* Once all modules are started: returns when each has answered, or its time was over. */
void rt_health_begin(rt_ctx *ctx, rt_health_watch *watch, rt_runtime *runtime, void *room);
/* Ends the wait of rt_health_begin. */
void rt_health_interrupt(rt_health_watch *watch);
/* Before modules are stopped: no more is asked. What still runs ends with its instance. */
void rt_health_end(rt_ctx *ctx, rt_health_watch *watch);
/* Once no unit of an instance runs. Also of a zeroed one. */
void rt_health_free(rt_health_watch *watch);

#endif
