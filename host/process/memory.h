/* memory.h — whom the system kills for want of memory */
#ifndef RT_PROCESS_MEMORY_H
#define RT_PROCESS_MEMORY_H

#include <stdint.h>

/* How many processes of our control group were killed so, by its own count; 0 where there is none
 * to read. Another process of the group counts, too. */
uint64_t rt_memory_kills(void);

/* The caller is to be killed before its parent, whatever either uses: for workers are replaced. */
void rt_memory_yield(void);

#endif
