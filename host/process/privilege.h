/* privilege.h — what a worker gives up before it loads the first plugin
 *
 * In this order, because each step needs what a later one takes away: limits, bounding set, groups,
 * group and user, all capabilities, core dumps and debuggers, new privileges, files (Landlock),
 * system calls (seccomp). There is no way back: a worker that cannot do one of them ends. It has
 * one thread at that time; those made later inherit everything.
 */
#ifndef RT_PROCESS_PRIVILEGE_H
#define RT_PROCESS_PRIVILEGE_H

#include "compose/plan.h"

/* 0, or -errno and what could not be done in `problem`: "become user `www`: Operation not
 * permitted". */
int rt_privileges_drop(const rt_plan *plan, rt_buffer *problem);

/* The supervisor's: says in the log who the workers are, how they are confined, and which modules
 * asked for more. */
void rt_privileges_announce(const rt_plan *plan);

/* Bits of all modules of the plan: a worker has one sandbox. */
uint32_t rt_privileges_needs(const rt_plan *plan);

/* Secrets lie in memory, and whoever may trace or dump the worker has them. */
bool rt_privileges_dumpable(const rt_plan *plan);

/* True if workers become somebody else than the supervisor. */
bool rt_privileges_change_identity(const rt_plan *plan);

/* files.c: Landlock. The version of the kernel's; 0: it has none. */
int rt_files_version(void);
/* Confines this thread to what the plan's instances may use. 0 or -errno; 0 without Landlock. */
int rt_files_confine(const rt_plan *plan, uint32_t needs);
/* What every worker may read, for people: "/usr", …; ended by NULL. */
const char *rt_files_common(size_t index);

/* system_calls.c: seccomp. 0 or -errno. */
int rt_system_calls_filter(uint32_t needs);

#endif
