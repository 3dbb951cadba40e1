/* generation.h — the workers that run one plan from one snapshot
 *
 * The supervisor's side: starts them, follows what they tell, replaces those that die: the first
 * time at once; when the replacement dies within a minute after 1 s, then 2 s, up to 30 s. A worker
 * that lived for a minute is replaced at once again.
 *
 * A generation owns all that its workers are made from: composition, plan, copies of the plugins,
 * environment. The listening sockets are lent to it. It starts, serves, drains and ends; workers
 * that drain are not replaced.
 */
#ifndef RT_PROCESS_GENERATION_H
#define RT_PROCESS_GENERATION_H

#include "process/backoff.h"
#include "process/board.h"
#include "process/crash.h"
#include "process/fibers.h"
#include "process/listen.h"
#include "process/message.h"
#include "process/quarantine.h"
#include "process/snapshot.h"

#include <poll.h>

typedef enum rt_worker_state {
    RT_WORKER_ABSENT,   /* to be started when `due` has come; 0: not again */
    RT_WORKER_STARTING, /* to be killed when `due` has come without a word from it */
    RT_WORKER_READY,
    RT_WORKER_STOPPING, /* likewise */
    RT_WORKER_STATES,
} rt_worker_state;
extern const char *const rt_worker_state_names[RT_WORKER_STATES];

typedef struct rt_worker {
    uint32_t number; /* from 1 */
    rt_worker_state state;
    pid_t pid;
    int control; /* -1: closed */
    rt_inbox inbox;
    rt_buffer outbox; /* not yet sent */
    size_t sent;
    rt_parcel parcel;      /* goes with a message of the outbox */
    uint64_t started, due; /* monotonic ns */
    rt_backoff backoff;
    uint64_t restarts;
    uint64_t seen_turns; /* of its loop, when rt_generation_turns looked last */
    uint64_t crashes;
    rt_phase phase;
    char *module;            /* whose phase it is */
    char *problem;           /* what it told last: why it ends */
    enum rt_end_cause cause; /* that we end it, and why */
    uint64_t turns, moved;   /* of its loop: as last seen, and when they had changed */
    uint64_t stalled;        /* ns, when that is the cause */
    int crash;               /* what it leaves when it crashes; -1: none */
    uint32_t metric_slot;    /* where it counts; 0: where nobody looks */
    bool replaces;           /* one that died */
    bool drains;             /* takes no more connections */
} rt_worker;

typedef struct rt_generation {
    struct rt_generation *older;       /* in the supervisor's list */
    uint32_t number;                   /* from 1 */
    rt_arena arena;                    /* of all that follows, workers' texts and buffers aside */
    const rt_composition *composition; /* NULL after an upgrade */
    rt_plan *plan;
    rt_snapshot snapshot;
    rt_sockets sockets; /* the supervisor's, as they were when this one started */
    char **variables;   /* the workers' environment */
    rt_board *board;
    int records; /* the supervisor's socket to the exporter, for workers to inherit; -1: none */
    rt_quarantine quarantine;
    rt_fibers *fibers;            /* the supervisor's: what was asked of the workers; or NULL */
    struct rt_asked_calls *calls; /* likewise */
    uint64_t memory_kills;        /* that the system had counted */
    uint64_t looked;              /* when the last tick was */
    rt_worker *workers;
    size_t count;
    uint64_t began;   /* monotonic ns */
    uint64_t serving; /* since when all were ready; 0: they never were */
    uint64_t retired; /* since when it drains */
    bool stopping;
    bool interrupted;    /* its time to drain was cut short */
    bool unclean;        /* a worker had to be killed, or ended with an error while stopping */
    bool is_frozen;      /* its plan is of another rtd: a worker that dies is not replaced */
    uint64_t cut;        /* requests that were interrupted */
    rt_buffer levels;    /* messages: what was said of log levels since it serves */
    char *first_problem; /* why a worker ended before all were ready */
    int first_status;    /* what rtd ends with, if it is the first generation */
} rt_generation;

uint64_t rt_monotonic(void);

rt_generation *rt_generation_new(uint32_t number);
/* Its workers, to be started by the next tick, and their board: a new one for -1. 0 or -errno. What
 * else they need is there. */
int rt_generation_staff(rt_generation *generation, size_t count, int board);
/* Removes its copies, too. No worker is alive. */
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

/* All drain and end; repeated, those that retire are told that nobody succeeds them. */
void rt_generation_stop(rt_generation *generation);
/* The same where a successor serves: kept connections end with their next request. */
void rt_generation_retire(rt_generation *generation);
/* No more time to drain. */
void rt_generation_interrupt(rt_generation *generation);
void rt_generation_kill(rt_generation *generation);
/* From which level its workers log, one module of them (or all: NULL); replaced ones, too. */
void rt_generation_level(rt_generation *generation, const char *level, const char *module);

/* Whether one of its workers may still take connections, though it retires. */
bool rt_generation_takes(const rt_generation *generation);
size_t rt_generation_alive(const rt_generation *generation);
bool rt_generation_ready(rt_generation *generation); /* all workers are */
/* One worker at least is ready, and waits or went on since the last call; nobody knows of a frozen
 * one. */
bool rt_generation_turns(rt_generation *generation);
/* When the last of the limits that run now ends; 0: none runs. */
uint64_t rt_generation_latest(const rt_generation *generation);

/* ending.c, for generation.c. */
void rt_generation_note_end(rt_generation *generation, rt_worker *worker, int status);
bool rt_worker_is_stalled(const rt_generation *generation, rt_worker *worker, uint64_t now);

#endif
