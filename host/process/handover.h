/* handover.h — what one rtd hands to the next when it executes it in its own place
 *
 * The process stays, and with it its children and descriptors; what they mean is written into a
 * memory file that is inherited. Its version is that of this layout, of the messages between
 * supervisor and workers, and of what workers leave when they crash: who changes one counts it up.
 * The variable RTD_HANDOVER names the process, the file and the program before; `rtd --preflight`
 * prints the versions it can take.
 */
#ifndef RT_PROCESS_HANDOVER_H
#define RT_PROCESS_HANDOVER_H

#include "process/supervisor.h"

#ifndef RT_HANDOVER_VERSION /* tests build an rtd with another one */
#define RT_HANDOVER_VERSION 3
#endif
#ifndef RT_HANDOVER_PLAN /* likewise */
#define RT_HANDOVER_PLAN 0
#endif
#define RT_HANDOVER_VARIABLE "RTD_HANDOVER"

typedef struct rt_handover {
    int state;        /* the memory file */
    int *descriptors; /* that the next rtd inherits beside it */
    size_t count;
} rt_handover;

/* Writes the state and lets the descriptors pass; 0 or -errno. rt_handover_undo takes both back. */
int rt_handover_make(rt_supervisor *supervisor, rt_handover *handover);
void rt_handover_undo(rt_handover *handover);

/* The environment for the next program. */
char **rt_handover_variables(rt_arena *arena, int state, int old_program, bool is_return);

/* At the start: makes the supervisor what the one before was, and asks for a reload. If the state
 * cannot be read, the program before is executed again: this returns then only if that fails. */
int rt_handover_take(rt_supervisor *supervisor);

#endif
