/* process_metrics.h — what any process of rtd tells of itself: time, memory, descriptors */
#ifndef RT_PROCESS_PROCESS_METRICS_H
#define RT_PROCESS_PROCESS_METRICS_H

/* Before the sandbox closes /proc. */
void rt_process_metrics_open(void);
void rt_process_metrics_refresh(void);
void rt_process_metrics_close(void);

#endif
