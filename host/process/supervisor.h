/* supervisor.h — what the files of the supervisor share
 *
 * One thread, one poll(2). A signal or a request on the control socket only notes what is asked
 * for; it is done between two polls, by `advance` in supervisor.c, so nothing happens in the middle
 * of something else. At most one of reload and preflight runs at a time, and what is asked
 * meanwhile is done once afterwards.
 */
#ifndef RT_PROCESS_SUPERVISOR_H
#define RT_PROCESS_SUPERVISOR_H

#include "process/address.h"
#include "process/asked.h"
#include "process/control.h"
#include "process/exporting.h"
#include "process/generation.h"
#include "process/process.h"

#define RT_DRAINING_MOST 2
#define RT_SECOND UINT64_C(1000000000)

enum rt_supervisor_state {
    RT_RUNNING,  /* starting, until there is a `current` generation */
    RT_DELAYING, /* `shutdown_delay` runs */
    RT_STOPPING,
    RT_FAILING, /* the first start failed: the other workers are stopped */
};

/* How a reload ended. */
typedef struct rt_outcome {
    uint64_t at;    /* monotonic ns; 0: there was none yet */
    int status;     /* of sysexits.h */
    char text[512]; /* in a line */
} rt_outcome;

typedef struct rt_reload {
    bool asked;
    uint64_t count;   /* begun so far */
    bool running;     /* `supervisor->next` is its generation */
    uint64_t began;   /* monotonic ns */
    uint64_t settles; /* has switched, and ends when the old ones take no more, or then; 0: no */
    rt_buffer report; /* what composition had to say */
    rt_outcome last;
} rt_reload;

typedef struct rt_upgrade {
    bool asked;
    pid_t pid;  /* of the preflight; 0: none runs */
    int output; /* what it writes; -1 */
    uint64_t due;
    int status; /* of wait(2) */
    bool ended;
    rt_buffer text;
} rt_upgrade;

typedef struct rt_supervisor {
    const rt_startup *startup;
    rt_arena arena;
    const char *program; /* what an upgrade runs */
    enum rt_supervisor_state state;
    rt_generation *generations; /* all, the newest first */
    rt_generation *current;     /* serves */
    rt_generation *next;        /* starts */
    uint32_t last_number;
    rt_addresses addresses;
    rt_control control;
    rt_reload reload;
    rt_upgrade upgrade;
    rt_fibers fibers;
    rt_asked_calls calls;
    rt_exporting exporting;
    int signals; /* signalfd */
    uint64_t began;
    uint64_t stop_asked; /* when the first signal to stop came; 0: none did */
    uint64_t stop_at;    /* end of `shutdown_delay`; 0: none runs */
    bool forced;
    bool unclean; /* while stopping */
    int failure;  /* what a first start ends with */
    struct pollfd *polls;
    size_t poll_room;
} rt_supervisor;

/* supervisor.c */
void rt_supervisor_stop(rt_supervisor *supervisor, const char *who);

/* launch.c: makes the next generation as far as its workers, which the loop then starts. 0, or a
 * status after it was said why; what composition had to say is in `supervisor->reload.report`. */
int rt_launch(rt_supervisor *supervisor);
/* It serves: its log, and no address but its own. */
void rt_launch_settle(rt_supervisor *supervisor);
/* Keeps core dumps of this process, and debuggers, away where the plan wants that. */
void rt_launch_hide(const rt_plan *plan);
/* Opens the plan's log; a failure is said at this level. 0 or EX_IOERR. */
int rt_launch_log(const rt_plan *plan, uint32_t level);

/* reload.c */
void rt_reload_ask(rt_supervisor *supervisor, const char *who);
void rt_reload_begin(rt_supervisor *supervisor);
void rt_reload_advance(rt_supervisor *supervisor);
/* Where a reload that is asked for now ends, for rt_control_finish. */
uint64_t rt_reload_ticket(const rt_supervisor *supervisor);
void rt_reload_end(rt_supervisor *supervisor, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* reopen.c: the files of all logs, after they were moved. False if one could not be opened, which
 * goes on as it was; what happened is logged, too. */
bool rt_logs_reopen(rt_supervisor *supervisor, const char *who, const char **outcome);

/* upgrade.c */
void rt_upgrade_ask(rt_supervisor *supervisor, const char *who);
void rt_upgrade_begin(rt_supervisor *supervisor);
void rt_upgrade_handle(rt_supervisor *supervisor, const struct pollfd *poll);
void rt_upgrade_reap(rt_supervisor *supervisor);
void rt_upgrade_advance(rt_supervisor *supervisor);
void rt_upgrade_cancel(rt_supervisor *supervisor);

/* command.c: what the control socket asks for. */
void rt_command_run(void *supervisor, rt_client *client, int count, char **words);

/* fibers_ask.c: a question that clients wait for is put to all workers; who does not answer in time
 * is named. */
void rt_fibers_advance(rt_supervisor *supervisor);
/* Why a worker does not answer. */
void rt_worker_excuse(const rt_generation *generation, const rt_worker *worker, rt_buffer *text);

/* call_ask.c: what `rtctl call` asks for goes to one worker, and its answer back. */
void rt_call_ask(rt_supervisor *supervisor, rt_client *client, int count, char **words);
void rt_calls_advance(rt_supervisor *supervisor);
void rt_calls_abandon(rt_supervisor *supervisor); /* before an upgrade */
void rt_calls_free(rt_supervisor *supervisor);

/* status.c */
void rt_status_text(const rt_supervisor *supervisor, rt_buffer *out);
void rt_status_json(const rt_supervisor *supervisor, rt_buffer *out);

#endif
