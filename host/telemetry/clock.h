/* clock.h — the monotonic time, for those who ask for it in every call
 *
 * Asking the system takes 25 ns, twice for each span. Where the processor counts at a constant rate
 * and the system itself trusts that counter, it is read instead, and set right by the system's
 * clock each second: within microseconds of CLOCK_MONOTONIC, and never going back. For measuring,
 * not for deadlines. The loop's thread only.
 */
#ifndef RT_TELEMETRY_CLOCK_H
#define RT_TELEMETRY_CLOCK_H

#include <stdint.h>

/* Once, while files of the system may still be read. Without it every call asks the system. */
void rt_clock_open(void);
uint64_t rt_clock_now(void); /* ns */

#endif
