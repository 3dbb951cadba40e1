/* task.h — what a database child is to do, and what it prints of slices
 *
 * `rtd --role=migrate` loads what the task needs of a plan, starts providers, and works with their
 * databases: for `rtctl migrate` and `rtctl validate --connect`. Its parent (load_check.c) sends
 * the task behind the setup.
 */
#ifndef RT_PROCESS_TASK_H
#define RT_PROCESS_TASK_H

#include "compose/compose.h"
#include "migrate/state.h"

typedef enum rt_task_kind {
    RT_TASK_LOAD,    /* load, register, configure: the load child's own */
    RT_TASK_CONNECT, /* likewise, then start each provider and look at the slices */
    RT_TASK_STATUS,  /* of slices: what was applied, what is missing */
    RT_TASK_PLAN,    /* what `up` would do */
    RT_TASK_UP,      /* apply what is missing */
    RT_TASK_VERIFY,  /* checksums and tables */
    RT_TASK_COUNT,
} rt_task_kind;

typedef struct rt_task {
    rt_task_kind kind;
    const char *slice; /* of this one alone; NULL: of all */
    uint32_t most;     /* the last number to apply; 0: all */
    bool json;
    /* Takes what is to be printed: with `json` one object a slice. In the parent. */
    void (*print)(void *argument, const char *text);
    void *argument;
} rt_task;

/* As a line, and back; false if it is none. Texts live in the arena. */
void rt_task_write(rt_buffer *line, const rt_task *task);
bool rt_task_read(rt_arena *arena, const char *line, rt_task *task);

/* task_text.c: a slice as it is, for people or as JSON. `with_text`: the SQL of what is missing. */
void rt_task_tell_slice(rt_buffer *out, const rt_task *task, const char *module,
                        const rt_migrations *state);

/* load_check.c: runs the task in a child and adds what it found (RT07xx) to the composition's
 * diagnostics. `self`: the program to execute. True if nothing is missing. */
bool rt_task_run(rt_composition *composition, const char *self, const rt_task *task);

int rt_task_main(void);

#endif
