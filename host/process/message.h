/* message.h — what the supervisor and its children tell each other
 *
 * Over one socket pair: the parent sends a setup (plan, sockets, whom to skip) and later perhaps
 * more of these; the child tells each phase it enters, what went wrong, and that it is ready. The
 * child's end is its descriptor 0 when it starts. A closed socket means that the other side is
 * gone.
 */
#ifndef RT_PROCESS_MESSAGE_H
#define RT_PROCESS_MESSAGE_H

#include "base/pack.h"
#include "compose/plan.h"
#include "http/tickets.h"
#include "process/listen.h"
#include "process/parcel.h"

#include <sys/types.h>

enum rt_message_kind {
    RT_TELL_SETUP,     /* to the child */
    RT_TELL_STOP,      /* to the child: drain and end */
    RT_TELL_RETIRE,    /* to the child: the same, where a successor serves */
    RT_TELL_INTERRUPT, /* to the child that drains: its time is over */
    RT_TELL_LEVEL,     /* to the child: log from level `text`, of `module` or of all */
    RT_TELL_PHASE,     /* `module` enters phase `number` */
    RT_TELL_PROBLEM,   /* `number`: a diagnostic of area RT07, about `module`; `text` */
    RT_TELL_READY,     /* all phases are behind it */
    RT_TELL_CUT,       /* `number` requests were interrupted */
    RT_TELL_FIBERS,    /* to the child: which are there? From it: `text`, as rt_units_list has it */
    RT_TELL_DRAINS,    /* it takes no more connections */
    RT_TELL_REOPEN,    /* to the child: `number` says whose descriptors (logs.h) come with it */
    RT_TELL_CALL,     /* to the child: the line of call.h in `module`, JSON in `text`; no line: call
                         `number` is given up. From it: status in `module`, reply in `text` */
    RT_TELL_EXPORTED, /* from an exporter: of signal `number`, `text` for rt_exporting_count */
    RT_TELL_TASK,     /* to a load child: line of task.h in `text`; it waits for one where the setup
                         says so */
    RT_TELL_PRINT,    /* from it: `text` is to be printed */
    RT_TELL_COUNT,
};

typedef enum rt_phase {
    RT_PHASE_NONE,
    RT_PHASE_LOAD,
    RT_PHASE_REGISTER,
    RT_PHASE_CONFIGURE,
    RT_PHASE_START,
    RT_PHASE_HEALTH, /* asked for the first time */
    RT_PHASE_SERVE,
    RT_PHASE_STOP,
    RT_PHASE_MIGRATE, /* before start: the database of its slice */
    RT_PHASE_COUNT,
} rt_phase;
extern const char *const rt_phase_names[RT_PHASE_COUNT]; /* "loading", "starting", … */

typedef struct rt_message {
    uint32_t kind; /* rt_message_kind */
    uint64_t number;
    const char *module;
    const char *text;
} rt_message;

typedef struct rt_setup {
    rt_sockets sockets;   /* the child's numbers are the parent's; without their URLs */
    int board;            /* descriptor of the generation's board; -1: none */
    int crash;            /* of the area for crashes; -1: none */
    int records;          /* the socket of telemetry/outlet.h; -1: none */
    int metrics;          /* of the pool of metrics; -1: none */
    uint32_t metric_slot; /* where it counts there; 0: nowhere */
    uint32_t number;      /* the worker's, from 1 */
    uint32_t generation;  /* its number */
    const char **skip;    /* modules not to load */
    size_t skip_count;
    rt_ticket_secret tickets; /* all zero: none */
    rt_plan *plan;
} rt_setup;

void rt_message_pack(rt_buffer *buffer, const rt_message *message);
/* The bytes hold secrets: wipe them after use. */
void rt_setup_pack(rt_buffer *buffer, const rt_setup *setup);

/* Sends a message, waiting for room. 0 or -errno. */
int rt_message_send(int fd, const rt_message *message);

/* Bytes received that are not taken yet. */
typedef struct rt_inbox {
    rt_buffer bytes;
    size_t taken;
    rt_parcel *parcel; /* where descriptors go; NULL: none are taken */
} rt_inbox;

/* Reads once: bytes read, 0 at the end, -errno (-EAGAIN included). */
ssize_t rt_inbox_fill(rt_inbox *inbox, int fd);
/* 1 and the next message, whose texts live in the arena; 0: not here yet; -EPROTO: garbage. */
int rt_inbox_take(rt_inbox *inbox, rt_arena *arena, rt_message *message);
/* Wipes, too. */
void rt_inbox_free(rt_inbox *inbox);

/* The child's first act: waits for the setup. NULL if it never comes or is none. */
rt_setup *rt_setup_receive(rt_inbox *inbox, rt_arena *arena, int fd);

void rt_buffer_wipe(rt_buffer *buffer);

#endif
