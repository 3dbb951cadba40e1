/* exporting.h — the supervisor's side of the exporter: a child that sends telemetry to collectors
 *
 * There is one where the plan names an endpoint; it is started anew, with a delay that grows, when
 * it ends by itself. One socket pair is made for the supervisor's life: all workers and the
 * supervisor write records to one end, whichever exporter there is reads the other, and without one
 * what the socket has room for waits. When a reload changes its settings a new exporter takes over
 * at once, and the old one has RT_EXPORT_LAST to send what it holds; likewise at a stop.
 */
#ifndef RT_PROCESS_EXPORTING_H
#define RT_PROCESS_EXPORTING_H

#include "process/backoff.h"
#include "process/message.h"

#include <poll.h>

#define RT_EXPORT_LAST (UINT64_C(5) * 1000000000) /* ns to send what is left */
#define RT_EXPORT_KINDS 6                         /* numbers that an exporter tells of a signal */

/* The newest, and the one before it while it sends what it has. */
enum { RT_EXPORTER_NEW, RT_EXPORTER_OLD, RT_EXPORTERS };

typedef struct rt_exporter_child {
    pid_t pid;   /* 0: none */
    int control; /* -1: closed */
    rt_inbox inbox;
    rt_buffer outbox; /* not yet sent */
    size_t sent;
    rt_parcel parcel; /* goes with a message of the outbox */
    uint64_t started;
    uint64_t due; /* when it is killed; 0: not */
    uint64_t told[RT_SIGNAL_COUNT][RT_EXPORT_KINDS];
} rt_exporter_child;

typedef struct rt_exporting {
    int records[2]; /* read by the exporter, written by all others; -1: none yet */
    int metrics;    /* the pool, to be read; -1: none */
    rt_exporter_child children[RT_EXPORTERS];
    rt_buffer plan; /* of the newest, packed: what it needs of it; empty: none is wanted */
    rt_arena arena; /* of `variables` */
    char **variables;
    rt_backoff backoff;
    uint64_t due;    /* when to start one; 0: not */
    uint32_t starts; /* with these settings */
    bool stopping;
} rt_exporting;

void rt_exporting_init(rt_exporting *exporting);
void rt_exporting_free(rt_exporting *exporting);

/* What the workers of a generation with this plan write records to; -1: nothing is exported. Before
 * they start. */
int rt_exporting_socket(rt_exporting *exporting, const rt_plan *plan);
/* From now on this plan says where telemetry goes; also what the supervisor logs. */
void rt_exporting_follow(rt_exporting *exporting, const rt_plan *plan);
/* The log's file was opened anew, and the newest one is to go over to it. */
void rt_exporting_reopen(rt_exporting *exporting, int log);
/* No more records will come: what there is is sent, for RT_EXPORT_LAST at most. */
void rt_exporting_stop(rt_exporting *exporting);
void rt_exporting_kill(rt_exporting *exporting);
bool rt_exporting_is_over(const rt_exporting *exporting);
/* Of the newest; 0: none runs. */
pid_t rt_exporting_pid(const rt_exporting *exporting);

void rt_exporting_tick(rt_exporting *exporting, uint64_t now);
uint64_t rt_exporting_due(const rt_exporting *exporting);                    /* 0: never */
void rt_exporting_poll(const rt_exporting *exporting, struct pollfd *polls); /* RT_EXPORTERS */
void rt_exporting_handle(rt_exporting *exporting, const struct pollfd *polls);
/* One that another rtd started: it is waited for. */
void rt_exporting_adopt(rt_exporting *exporting, size_t which, pid_t pid);
void rt_exporting_reap(rt_exporting *exporting);
/* What one of them tells, if it tells anything. */
void rt_exporting_listen(rt_exporter_child *child, const struct pollfd *poll);

#endif
