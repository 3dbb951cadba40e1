/* watchdog.h — tells of units of work that hold the loop
 *
 * A thread of the worker samples the loop's marks, four times in the limit. When nothing has moved
 * for the limit while something ran, it asks the loop's thread by a signal where it is, and logs
 * that, once; and again when it is over. Silent until the worker serves, and while a debugger is
 * attached or the whole process stood still.
 */
#ifndef RT_PROCESS_WATCHDOG_H
#define RT_PROCESS_WATCHDOG_H

#include "compose/plan.h"
#include "process/board.h"

/* On the loop's thread; `number` is the worker's. 0 or -errno. Nothing is started for limit 0. */
int rt_watchdog_start(const rt_plan *plan, rt_board *board, uint32_t number);
void rt_watchdog_stop(void);

#endif
