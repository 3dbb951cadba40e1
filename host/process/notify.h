/* notify.h — what the service manager is told: sd_notify(3), one datagram a piece of news
 *
 * Without NOTIFY_SOCKET in the environment every function here does nothing. None waits: where the
 * manager's queue is full, news of a state is kept and sent by a later tick, in order; signs of
 * life and requests for more time are of the moment, and are lost or repeated.
 */
#ifndef RT_PROCESS_NOTIFY_H
#define RT_PROCESS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* NOTIFY_SOCKET, and the watchdog if it is meant for this process. */
void rt_notify_open(void);
void rt_notify_close(void);

/* `status` is what `systemctl status` shows. */
void rt_notify_ready(const char *status);
void rt_notify_reloading(const char *status); /* to be followed by rt_notify_ready */
void rt_notify_stopping(const char *status);

/* What runs will take until `due` (monotonic ns; 0: no idea). Said anew when that is later by more
 * than a second, or the state is another. */
void rt_notify_extend(uint64_t due, uint64_t now);

/* When the next tick is needed; 0: never. */
uint64_t rt_notify_due(void);
/* Sends what was kept. True if the watchdog waits for a sign of life now. */
bool rt_notify_tick(uint64_t now);
/* Tells the watchdog that all is well, or nothing if it is not, which the log says once. */
void rt_notify_sign(bool well);

#endif
