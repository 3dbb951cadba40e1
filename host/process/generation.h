/* generation.h — the workers that run one plan from one snapshot over the same sockets
 *
 * The supervisor's side: starts them, follows what they tell, replaces those that die: the first
 * time at once; when the replacement dies within a minute after 1 s, then 2 s, up to 30 s. A worker
 * that lived for a minute is replaced at once again.
 */
#ifndef RT_PROCESS_GENERATION_H
#define RT_PROCESS_GENERATION_H

#include "process/board.h"
#include "process/listen.h"
#include "process/message.h"

#include <poll.h>

typedef enum rt_worker_state {
    RT_WORKER_ABSENT,   /* to be started when `due` has come; 0: not again */
    RT_WORKER_STARTING, /* to be killed when `due` has come without a word from it */
    RT_WORKER_READY,
    RT_WORKER_STOPPING, /* likewise */
} rt_worker_state;

typedef struct rt_worker {
    uint32_t number; /* from 1 */
    rt_worker_state state;
    pid_t pid;
    int control; /* -1: closed */
    rt_inbox inbox;
    rt_buffer outbox; /* not yet sent */
    size_t sent;
    uint64_t started, due; /* monotonic ns */
    uint64_t delay;        /* what its next early death costs */
    rt_phase phase;
    char *module;  /* whose phase it is */
    char *problem; /* what it told last: why it ends */
    bool killed;   /* by us: it did not keep the time */
    bool replaces; /* one that died */
} rt_worker;

typedef struct rt_generation {
    const rt_plan *plan;
    const rt_sockets *sockets;
    char **variables; /* the workers' environment */
    rt_board *board;
    rt_worker *workers;
    size_t count;
    bool was_ready; /* all workers were, once */
    bool stopping;
    bool unclean;        /* a worker had to be killed, or ended with an error while stopping */
    char *first_problem; /* why a worker ended before all were ready */
} rt_generation;

uint64_t rt_monotonic(void);

/* 0 or -errno: there is no memory for the board. */
int rt_generation_init(rt_generation *generation, rt_arena *arena, const rt_plan *plan,
                       const rt_sockets *sockets, char **variables, size_t count);
void rt_generation_free(rt_generation *generation);

/* Starts what is due and kills what is overdue. */
void rt_generation_tick(rt_generation *generation, uint64_t now);
/* When the next tick is needed; 0: never. */
uint64_t rt_generation_due(const rt_generation *generation);

/* What to poll for: `count` entries, one a worker. */
void rt_generation_poll(const rt_generation *generation, struct pollfd *polls);
void rt_generation_handle(rt_generation *generation, const struct pollfd *polls);
/* After SIGCHLD. */
void rt_generation_reap(rt_generation *generation);

void rt_generation_stop(rt_generation *generation); /* tells all to drain and end */
void rt_generation_kill(rt_generation *generation);
size_t rt_generation_alive(const rt_generation *generation);
bool rt_generation_ready(rt_generation *generation); /* all workers are */

#endif
