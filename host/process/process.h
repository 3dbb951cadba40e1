/* process.h — supervisor, worker and load child
 *
 * rtd is one program in three roles: the supervisor (composes, opens sockets, snapshots plugins,
 * loads none), its workers (`rtd` executed anew; plan and secrets come through a pipe), and, for
 * `rtctl validate --load`, a child that loads, registers and configures and then ends.
 */
#ifndef RT_PROCESS_PROCESS_H
#define RT_PROCESS_PROCESS_H

#include "compose/compose.h"

/* The supervisor: runs the composition until told to stop; returns a sysexits.h code. */
int rt_supervise(const rt_composition *composition);

/* The worker's and the load child's side, called by main when argv[1] is the hidden role word. */
#define RT_ROLE_WORKER "--role=worker"
#define RT_ROLE_LOAD "--role=load"
int rt_worker_main(void);
int rt_load_main(void);

/* Depth --load: runs the plan's loading in a child, 10 s at most, and adds what it found (RT07xx)
 * to the composition's diagnostics. `self`: the program to execute with RT_ROLE_LOAD. */
void rt_load_check(rt_composition *composition, const char *self);

#endif
