/* crash.h — the supervisor's side of a worker's unwanted end: what it was, told once
 *
 *     rt_crash crash = {.end = {…}, .board = board, .plan = plan};
 *     rt_crash_read(&crash, &arena, area);   what the worker left, and what the board says
 *     rt_crash_describe(&crash, &text);      one sentence
 *     rt_crash_tell(&crash, text.data);      a log record, and a report in the folder
 *
 * What the worker left may have been scribbled over: each number is checked, each text ended.
 */
#ifndef RT_PROCESS_CRASH_H
#define RT_PROCESS_CRASH_H

#include "base/buffer.h"
#include "compose/plan.h"
#include "process/board.h"
#include "process/crash_area.h"
#include "process/symbols.h"

#include <sys/types.h>

enum rt_end_cause {
    RT_END_OWN,     /* nobody of us ended it */
    RT_END_LATE,    /* a phase, or its stop, took too long */
    RT_END_STALLED, /* a unit of work held the loop beyond `watchdog_timeout` */
};

typedef struct rt_end {
    uint32_t worker;
    pid_t pid;
    int status; /* of waitpid */
    enum rt_end_cause cause;
    uint64_t stalled;   /* ns, how long nothing had moved */
    bool unasked;       /* it served, and nobody had told it to end */
    bool out_of_memory; /* the system counted such a kill meanwhile */
    uint32_t running;   /* from the board */
    const char *doing;  /* "starting module `x`" while it is not serving, or NULL */
} rt_end;

typedef struct rt_crash {
    rt_end end;
    const rt_board *board;
    const rt_plan *plan;
    /* By rt_crash_read: */
    rt_arena *arena;
    const rt_crash_area *area; /* checked; NULL: it left nothing */
    bool has_entry;
    rt_entry entry;
    uint32_t entry_number;
    rt_symbols *symbols;
    const char *module; /* whose code it was, as far as can be told; or NULL */
} rt_crash;

/* Call rt_crash_free after it. `area` -1: there is none. */
void rt_crash_read(rt_crash *crash, rt_arena *arena, int area);
void rt_crash_free(rt_crash *crash);
/* An end that deserves a report: by a signal, or by what the area says. */
bool rt_crash_is_one(const rt_crash *crash);
void rt_crash_describe(const rt_crash *crash, rt_buffer *text);
void rt_crash_tell(const rt_crash *crash, const char *sentence);

/* --- crash_text.c ---------------------------------------------------------------------------- */

/* "front!dig+0x1f (build-id …)"; `plan` names modules by their copies, or is NULL. */
void rt_crash_frame(rt_buffer *text, const rt_plan *plan, const rt_symbol *symbol,
                    uint64_t counter);
/* One line a frame, each begun with `begin` and "#0 ". */
void rt_crash_backtrace(rt_buffer *text, const rt_plan *plan, rt_symbols *symbols,
                        const rt_backtrace *trace, const char *begin);
/* One record a line; cuts the text up; NULL is none. */
void rt_crash_log_lines(uint32_t level, char *text);
const char *rt_module_of_file(const rt_plan *plan, const char *file);
const char *rt_signal_code_name(int number, int code); /* "SEGV_MAPERR", or NULL */
void rt_crash_report(const rt_crash *crash, const char *sentence, rt_buffer *text);

/* --- crash_folder.c -------------------------------------------------------------------------- */

/* Where reports are kept: as configured, or by STATE_DIRECTORY, XDG_STATE_HOME or HOME; NULL. */
const char *rt_crash_folder(rt_arena *arena, const char *configured);
/* Writes a report whole, and removes the oldest beyond `keep`. 0 with its path, or -errno. */
int rt_crash_store(rt_arena *arena, const char *folder, size_t keep, pid_t pid,
                   const rt_buffer *report, const char **path);
/* Names of the reports, oldest first. 0 or -errno. */
int rt_crash_list(rt_arena *arena, const char *folder, const char ***names, size_t *count);

#endif
