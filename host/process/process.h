/* process.h — supervisor, worker and load child
 *
 * rtd is one program in three roles: the supervisor (composes, opens sockets, snapshots plugins,
 * loads none), its workers (`rtd` executed anew; plan and secrets come through a pipe), and, for
 * `rtctl validate --load`, a child that loads, registers and configures and then ends.
 */
#ifndef RT_PROCESS_PROCESS_H
#define RT_PROCESS_PROCESS_H

#include "compose/compose.h"

/* What rtd was started with, as long as it lives. */
typedef struct rt_startup {
    rt_compose_request request; /* of the start and of each reload */
    char **arguments;           /* of main, the program's name first */
    const char *program;        /* the file it was started from: what an upgrade runs */
    int state;                  /* descriptor of what an rtd before this one hands over; -1: none */
    int old_program;            /* its program, to go back to; -1 */
    bool is_return;             /* the younger one could not take over */
} rt_startup;

/* The supervisor: composes and runs until told to stop; returns a sysexits.h code. */
int rt_supervise(const rt_startup *startup);

/* startup.c: finds the program's path and what is handed over to this process; takes the latter's
 * variable out of the environment. Before the arguments are parsed. */
void rt_startup_begin(rt_startup *startup, rt_arena *arena, char **arguments);

/* The file to execute for another process of the same program. */
const char *rt_own_program(void);

/* upgrade.c, `rtd --preflight`: says whether this rtd could take over from another; a sysexits.h
 * code. */
int rt_preflight(rt_arena *arena, const rt_compose_request *request);

/* The worker's and the load child's side, called by main when argv[1] is the hidden role word. */
#define RT_ROLE_WORKER "--role=worker"
#define RT_ROLE_LOAD "--role=load"
#define RT_ROLE_MIGRATE "--role=migrate"
#define RT_ROLE_EXPORTER "--role=exporter"
int rt_worker_main(void);
int rt_load_main(void);
int rt_export_main(void);

/* Depth --load: runs the plan's loading in a child, 10 s at most, and adds what it found (RT07xx)
 * to the composition's diagnostics. `self`: the program to execute with RT_ROLE_LOAD. */
void rt_load_check(rt_composition *composition, const char *self);

#endif
