/* worker_metrics.h — what a worker tells of itself once a second: its loop, fibers, pool, modules
 */
#ifndef RT_PROCESS_WORKER_METRICS_H
#define RT_PROCESS_WORKER_METRICS_H

#include "fiber/fiber.h"
#include "process/board.h"
#include "process/message.h"

/* Before the sandbox, and before the loop is open; leaves in `loop` what is to be told. */
void rt_worker_metrics_open(const rt_setup *setup, rt_loop_options *loop);
/* On the loop: refreshes from now on. */
void rt_worker_metrics_start(const rt_board *board, uint32_t number, const rt_plan *plan);
void rt_worker_metrics_stop(void);

#endif
