/* board.h — what the processes of a generation know of each other, in shared memory
 *
 * The supervisor makes one board a generation (a sealed memfd) and its workers inherit it: one slot
 * a worker, and one table of entries. An entry is a unit of work that can be named: a route, a
 * life-cycle phase, a service, later a job or event. Each word is written by one side only; the
 * other reads it at any time and believes nothing: a plugin may have scribbled over all of it.
 *
 *     supervisor                       worker
 *     rt_board_make(&board, count)     rt_board_open(&board, setup->board)
 *     rt_board_slot_of(&board, 1)      id = rt_board_enter(&board, RT_ENTRY_ROUTE, "shop",
 * "orders", "GET /orders/{id}") rt_board_entry(&board, slot->marks.running, &entry)
 *
 * Room for more: RT_ROOM_… is memory a slot that nothing touches before its owner does. To add
 * some, add a row to `rooms` in board.c.
 */
#ifndef RT_PROCESS_BOARD_H
#define RT_PROCESS_BOARD_H

#include "fiber/marks.h"

#include <stdbool.h>
#include <stddef.h>

#define RT_BOARD_ENTRIES 4096 /* the first is RT_ENTRY_NONE: nothing runs, or nobody knows what */

enum rt_entry_kind {
    RT_ENTRY_NONE,
    RT_ENTRY_ROUTE,
    RT_ENTRY_PHASE,
    RT_ENTRY_SERVICE,
    RT_ENTRY_JOB,
    RT_ENTRY_EVENT,
    RT_ENTRY_COMMAND,
    RT_ENTRY_KIND_COUNT,
};

/* Texts that do not fit are cut; entries are told apart by the whole of them. */
typedef struct rt_entry {
    uint64_t hash; /* of kind, instance and name */
    uint32_t kind; /* rt_entry_kind */
    char instance[60];
    char module[64];
    char name[184]; /* "GET /orders/{id}", "starting", "service `outbox`" */
} rt_entry;

typedef struct rt_board_slot {
    /* The worker's: */
    _Alignas(64) rt_loop_marks marks;     /* running entry, turns */
    uint64_t requests;                    /* started */
    uint64_t stalls;                      /* units that held the loop beyond `watchdog` */
    uint64_t stack_high[RT_STACK_ORDERS]; /* bytes; see rt_stacks_measure */
    /* The supervisor's: */
    _Alignas(64) int32_t pid; /* 0: none lives */
    uint32_t state;           /* rt_worker_state of generation.h */
    uint64_t crashes;         /* ends by a signal or an exit() that nobody asked for */
    uint64_t restarts;
} rt_board_slot;

/* What a worker's slot has beside it, by its owner's layout; starts zeroed. */
enum rt_board_room {
    RT_ROOM_HEALTH,  /* of modules: 16 KiB */
    RT_ROOM_METRICS, /* 256 KiB */
    RT_ROOM_RECORDS, /* of telemetry/outlet.h: 256 KiB */
    RT_ROOM_COUNT,
};

/* What the whole generation does; the supervisor's. */
enum rt_board_state {
    RT_BOARD_STARTING, /* for the first time */
    RT_BOARD_JOINING,  /* likewise, while another generation serves */
    RT_BOARD_SERVING,
    RT_BOARD_STOPPING, /* `shutdown_delay` runs: it serves still */
    RT_BOARD_DRAINING,
    RT_BOARD_RETIRED, /* it drains, and another generation serves */
    RT_BOARD_STATES,
};

typedef struct rt_board {
    int fd;
    struct rt_board_memory *memory;
    size_t size;
    uint32_t slot_count;
    /* The supervisor's own copies of what is not to be changed by others: */
    rt_entry *kept; /* NULL in a worker */
    uint32_t kept_count;
    enum rt_board_state kept_state;
} rt_board;

int rt_board_make(rt_board *board, uint32_t slot_count); /* 0 or -errno */
/* In a worker, which keeps the descriptor; 0, -errno, or -EPROTO if it is no board. */
int rt_board_open(rt_board *board, int fd);
/* In a supervisor that takes over from another: the same, with entries of its own again. */
int rt_board_adopt(rt_board *board, int fd);
void rt_board_close(rt_board *board);

enum rt_board_state rt_board_state(const rt_board *board);
void rt_board_set_state(rt_board *board, enum rt_board_state state);

/* In the supervisor: copies entries that are new, and restores what was scribbled over, so that the
 * next worker finds a sound board. True if it had to. */
bool rt_board_mend(rt_board *board);

/* By the worker's number, from 1. */
rt_board_slot *rt_board_slot_of(const rt_board *board, uint32_t number);
void *rt_board_room(const rt_board *board, uint32_t number, enum rt_board_room room, size_t *size);

/* The entry's number, the same in all workers and after a worker's death; 0 when the table is full
 * or `board` is NULL. */
uint32_t rt_board_enter(rt_board *board, enum rt_entry_kind kind, const char *instance,
                        const char *module, const char *name);
/* A copy with its texts ended; false if there is no such entry. */
bool rt_board_entry(const rt_board *board, uint32_t number, rt_entry *entry);
uint32_t rt_board_entry_count(const rt_board *board); /* RT_ENTRY_NONE included */

/* Whether the entry is refused. Never NULL; number 0 is never quarantined. */
const uint8_t *rt_board_quarantine(const rt_board *board, uint32_t number);
void rt_board_set_quarantine(rt_board *board, uint32_t number, bool quarantined);

#endif
