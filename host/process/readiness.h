/* readiness.h — whether a generation can do its work, judged from its board
 *
 * By any process that has the board and the plan: a worker for the admin listener, the supervisor
 * for its control socket. README.md says what makes it degraded and what unavailable.
 */
#ifndef RT_PROCESS_READINESS_H
#define RT_PROCESS_READINESS_H

#include "base/buffer.h"
#include "compose/plan.h"
#include "process/board.h"
#include "process/health_room.h"

typedef enum rt_verdict {
    RT_VERDICT_READY,
    RT_VERDICT_DEGRADED,
    RT_VERDICT_UNAVAILABLE,
} rt_verdict;

typedef struct rt_module_condition {
    rt_module_health condition;
    const char *reason; /* or NULL */
} rt_module_condition;

typedef struct rt_worker_condition {
    uint32_t number;
    int32_t pid;       /* 0: none */
    const char *state; /* ready, starting, stopping, missing, silent */
    bool serves;
    rt_module_condition *modules; /* by plan->instances; NULL unless it serves */
} rt_worker_condition;

typedef struct rt_readiness {
    const rt_plan *plan;
    rt_verdict verdict;
    const char *state; /* of the generation: starting, serving, stopping, draining */
    const char **reasons;
    size_t reason_count;
    rt_worker_condition *workers;
    size_t worker_count;
    rt_entry *quarantined;
    size_t quarantined_count;
} rt_readiness;

/* `self`: the number of the worker that judges, whose loop turns beyond doubt; 0: the supervisor.
 * `now`: CLOCK_MONOTONIC, ns. All of it lives in the arena, or in the plan. */
rt_readiness *rt_readiness_judge(rt_arena *arena, const rt_plan *plan, const rt_board *board,
                                 uint32_t self, uint64_t now);
/* 200, or 503 where `health.fail_on` says so. */
uint32_t rt_readiness_status(const rt_readiness *readiness);
void rt_readiness_json(const rt_readiness *readiness, rt_buffer *out);
/* For people, in lines. */
void rt_readiness_text(const rt_readiness *readiness, rt_buffer *out);

#endif
