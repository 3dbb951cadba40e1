/* role.h — starts this program anew in another role */
#ifndef RT_PROCESS_ROLE_H
#define RT_PROCESS_ROLE_H

#include "compose/plan.h"

#include <stdbool.h>
#include <sys/types.h>

typedef struct rt_role {
    const char *program; /* to execute; "/proc/self/exe" is this one */
    const char *word;    /* RT_ROLE_… */
    char **variables;    /* its environment */
    const int *keep;     /* descriptors it inherits under their numbers, beside 0, 1 and 2 */
    size_t keep_count;
    int output;   /* becomes its 1 and 2; -1: it inherits ours */
    bool sandbox; /* session of its own, no new privileges, no core */
    bool at_root; /* in the folder / */
} rt_role;

/* Forks and executes; the child's descriptor 0 is the other end of `*control`, which is
 * close-on-exec and non-blocking. 0 or -errno. A program that cannot be executed ends with
 * status 71. */
int rt_role_start(const rt_role *role, pid_t *pid, int *control);

/* The environment without some variables. */
char **rt_environment_without(rt_arena *arena, char **variables, const char *const *names,
                              size_t count);

/* Ours without what secrets were read from and what only the supervisor is told. */
char **rt_worker_environment(rt_arena *arena, const rt_plan *plan);

/* In the child: moves the control socket from descriptor 0 to a free one and puts /dev/null there.
 * -1 if 0 is no socket, which means that somebody typed the role by hand. */
int rt_role_control(void);

#endif
