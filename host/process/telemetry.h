/* telemetry.h — what a worker tells of itself: spans, metrics, logs
 *
 * Opened before any plugin's code runs; closed when nothing more can happen.
 */
#ifndef RT_PROCESS_TELEMETRY_H
#define RT_PROCESS_TELEMETRY_H

#include "process/board.h"
#include "process/message.h"

/* As the plan wants it. `board` may have no memory. */
void rt_telemetry_open(const rt_setup *setup, const rt_board *board);
/* Once the loop is there, and before it ends. */
void rt_telemetry_attach(void);
void rt_telemetry_detach(void);
void rt_telemetry_close(void);

#endif
