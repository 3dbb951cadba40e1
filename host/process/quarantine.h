/* quarantine.h — entries that are refused because they keep crashing workers
 *
 * Three crashes with the same entry within a minute, over all workers of a generation and over
 * their replacements, set its flag on the board; whoever starts a unit of work for it looks there
 * first. Only what is asked for from outside can be refused (routes, jobs, events, commands): a
 * service or a life-cycle phase that crashes is left to the back-off. A new generation has a new
 * board.
 */
#ifndef RT_PROCESS_QUARANTINE_H
#define RT_PROCESS_QUARANTINE_H

#include "base/buffer.h"
#include "process/board.h"

#define RT_QUARANTINE_CRASHES 3

typedef struct rt_quarantine_entry {
    uint32_t number;                         /* on the board */
    uint64_t crashes[RT_QUARANTINE_CRASHES]; /* when, newest first; 0: none */
    bool refused;
    char *module; /* whose code crashed last */
} rt_quarantine_entry;

typedef struct rt_quarantine {
    rt_quarantine_entry *entries;
    size_t count;
} rt_quarantine;

/* Notes a crash at `now` (monotonic ns); true if its entry is refused from now on. */
bool rt_quarantine_note(rt_quarantine *quarantine, rt_board *board, uint32_t number,
                        const char *module, uint64_t now);
/* What is known of an entry; a new one for one of which nothing is. */
rt_quarantine_entry *rt_quarantine_entry_of(rt_quarantine *quarantine, uint32_t number);
/* Sets the flags again, after the board was mended. */
void rt_quarantine_restore(const rt_quarantine *quarantine, rt_board *board);
size_t rt_quarantine_refused(const rt_quarantine *quarantine);
/* One line each: "orders GET /orders/{id} (crashed in module `x`)". */
void rt_quarantine_list(const rt_quarantine *quarantine, const rt_board *board, rt_buffer *text);
/* Lifts that of the entry "GET /orders/{id}" (or "orders GET /orders/{id}" of one instance alone),
 * or of all if NULL; how many. */
size_t rt_quarantine_clear(rt_quarantine *quarantine, rt_board *board, const char *name);
/* `rtctl quarantine [list | clear [ENTRY…]]`: the words after the command, an entry's as one or
 * several. The exit status; what is to be said is in `out`, a complaint in `err`. */
int rt_quarantine_run(rt_quarantine *quarantine, rt_board *board, int count, char **words,
                      rt_buffer *out, rt_buffer *err);
void rt_quarantine_free(rt_quarantine *quarantine);

#endif
