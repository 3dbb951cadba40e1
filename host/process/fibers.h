/* fibers.h — what units of work the workers have: a question, and its answers as they come
 *
 *     rt_fibers_begin(&fibers, now)                  for `rtctl fibers`
 *     rt_fibers_expect(&fibers, generation, worker, pid)   each that is asked
 *     rt_fibers_take(&fibers, pid, question, text)   its answer; or rt_fibers_lose, when it ended
 *     rt_fibers_ready(&fibers, worker, now)          all have answered, or their time is over
 *     rt_fibers_print(&fibers, worker, &out, &err)
 *
 * A question has a number, which comes back with its answers: one that comes late is not taken for
 * the answer to the next question. A worker whose loop is held does not answer; rt_fibers_explain
 * says then what holds it.
 */
#ifndef RT_PROCESS_FIBERS_H
#define RT_PROCESS_FIBERS_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum rt_fibers_state { RT_FIBERS_ASKED, RT_FIBERS_ANSWERED, RT_FIBERS_ENDED };

typedef struct rt_fibers_answer {
    uint32_t generation, worker;
    pid_t pid;
    enum rt_fibers_state state;
    char *text; /* as rt_units_list has it; of one that does not answer: what it does; or NULL */
} rt_fibers_answer;

typedef struct rt_fibers {
    uint64_t question; /* its number, never the same twice; 0: none is under way */
    uint64_t due;      /* monotonic ns */
    rt_fibers_answer *answers;
    size_t count;
} rt_fibers;

void rt_fibers_begin(rt_fibers *fibers, uint64_t now);
void rt_fibers_expect(rt_fibers *fibers, uint32_t generation, uint32_t worker, pid_t pid);
void rt_fibers_take(rt_fibers *fibers, pid_t pid, uint64_t question, const char *text);
void rt_fibers_lose(rt_fibers *fibers, pid_t pid);
/* Of one that has not answered. */
void rt_fibers_explain(rt_fibers *fibers, pid_t pid, const char *text);
/* `worker` 0: all, here and below. */
bool rt_fibers_ready(const rt_fibers *fibers, uint32_t worker, uint64_t now);
/* The table; in `err` a line for each that is missing in it. */
void rt_fibers_print(const rt_fibers *fibers, uint32_t worker, rt_buffer *out, rt_buffer *err);
void rt_fibers_free(rt_fibers *fibers);

#endif
