/* supervisor_metrics.h — what the supervisor counts: restarts, crashes, reloads, generations */
#ifndef RT_PROCESS_SUPERVISOR_METRICS_H
#define RT_PROCESS_SUPERVISOR_METRICS_H

#include <stdint.h>

struct rt_supervisor;

/* Makes the pool, unless one was adopted, and counts in the supervisor's slot of it from now on. */
void rt_supervisor_metrics_open(void);
void rt_supervisor_metrics_close(void);
/* The gauges; between two turns of the loop. */
void rt_supervisor_metrics_refresh(const struct rt_supervisor *supervisor);
uint64_t rt_supervisor_metrics_due(void); /* when it wants to be called again */

void rt_count_restart(uint32_t worker);
void rt_count_crash(uint32_t worker);
void rt_count_reload(int status); /* of sysexits.h */

#endif
