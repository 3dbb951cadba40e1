/* How workers end: what it was, who is told, and what is refused from then on */
#include "process/crash.h"
#include "process/generation.h"
#include "process/memory.h"
#include "process/supervisor_metrics.h"
#include "telemetry/log.h"
#include "telemetry/outlet.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>

/* "starting module `x`" while it is not serving. */
static const char *doing(rt_arena *arena, const rt_worker *worker)
{
    return worker->module ? rt_arena_format(arena, "%s module `%s`", rt_phase_names[worker->phase],
                                            worker->module)
                          : NULL;
}

static bool memory_ran_out(rt_generation *generation, int status)
{
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        return false;
    uint64_t kills = rt_memory_kills();
    bool more = kills > generation->memory_kills;
    generation->memory_kills = kills;
    return more;
}

/* A kill from outside that has nothing to do with memory says nothing about what ran. */
static bool is_to_blame(const rt_crash *crash)
{
    const rt_end *end = &crash->end;
    bool killed = WIFSIGNALED(end->status) && WTERMSIG(end->status) == SIGKILL;
    bool sent = crash->area && crash->area->kind == RT_CRASH_SIGNAL && crash->area->sender &&
                crash->area->sender != (int32_t)end->pid;
    return end->cause == RT_END_STALLED || (!killed && !sent) || (killed && end->out_of_memory);
}

static void judge_entry(rt_generation *generation, const rt_crash *crash)
{
    if (!generation->plan->host.quarantine || !is_to_blame(crash) ||
        !rt_quarantine_note(&generation->quarantine, generation->board, crash->entry_number,
                            crash->module, rt_monotonic()))
        return;
    rt_log_host(
        RT_LOG_ERROR,
        "`%s` of `%s` is quarantined: it crashed %d times within 60 s, last in module `%s`; "
        "a reload or `rtctl quarantine clear` lifts it",
        crash->entry.name, crash->entry.instance, RT_QUARANTINE_CRASHES,
        crash->module ? crash->module : crash->entry.module);
}

/* Before all were ready once, the first reason is the one the supervisor ends with. */
static void note_reason(rt_generation *generation, const char *text, int status, bool told)
{
    generation->unclean = true;
    if (!generation->serving && !generation->stopping && !generation->first_problem) {
        generation->first_problem = strdup(text);
        generation->first_status =
            WIFEXITED(status) && WEXITSTATUS(status) == EX_DATAERR ? EX_DATAERR : EX_UNAVAILABLE;
    } else if (!told && (generation->serving || generation->stopping))
        rt_log_host(RT_LOG_ERROR, "%s", text);
}

/* Spans and log lines that it had made and not sent. */
static void rescue_records(const rt_generation *generation, const rt_worker *worker)
{
    size_t size = 0;
    void *room = rt_board_room(generation->board, worker->number, RT_ROOM_RECORDS, &size);
    if (room && generation->records >= 0)
        rt_outlet_rescue(room, size, generation->records);
}

void rt_generation_note_end(rt_generation *generation, rt_worker *worker, int status)
{
    rt_board_slot *slot = rt_board_slot_of(generation->board, worker->number);
    rt_arena arena;
    rt_buffer text = {0};
    rt_arena_init(&arena);
    rt_crash crash = {
        .end = {.worker = worker->number,
                .pid = worker->pid,
                .status = status,
                .cause = worker->cause,
                .stalled = worker->stalled,
                .unasked = worker->state == RT_WORKER_READY && !worker->problem,
                .out_of_memory = worker->cause == RT_END_OWN && memory_ran_out(generation, status),
                .running = __atomic_load_n(&slot->marks.running, __ATOMIC_RELAXED),
                .doing = doing(&arena, worker)},
        .board = generation->board,
        .plan = generation->plan};
    rt_crash_read(&crash, &arena, worker->crash);
    bool crashed = rt_crash_is_one(&crash);
    rescue_records(generation, worker);
    if (worker->problem && !crashed)
        rt_buffer_text(&text, worker->problem);
    else
        rt_crash_describe(&crash, &text);
    if (crashed) {
        slot->crashes = ++worker->crashes;
        rt_count_crash(worker->number);
        rt_crash_tell(&crash, text.data);
        judge_entry(generation, &crash);
    }
    if (crashed || status != 0 || worker->state != RT_WORKER_STOPPING)
        note_reason(generation, text.data, status, crashed);
    rt_crash_free(&crash);
    rt_buffer_free(&text);
    rt_arena_free(&arena);
}

/* --- loops that do not turn ------------------------------------------------------------------ */

static bool is_looked_at(pid_t pid)
{
    char path[64];
    rt_buffer text = {0};
    bool held = false;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (rt_buffer_read_file(&text, path, 65536) == 0) {
        const char *tracer = strstr(text.data, "\nTracerPid:\t");
        const char *state = strstr(text.data, "\nState:\t");
        held = (tracer && tracer[12] != '0') || (state && (state[8] == 'T' || state[8] == 't'));
    }
    rt_buffer_free(&text);
    return held;
}

/* True if it is to be ended: its marks have not moved for the limit, while something ran. */
bool rt_worker_is_stalled(const rt_generation *generation, rt_worker *worker, uint64_t now)
{
    uint64_t limit = (uint64_t)generation->plan->host.watchdog_timeout;
    const rt_loop_marks *marks = &rt_board_slot_of(generation->board, worker->number)->marks;
    uint64_t turns = __atomic_load_n(&marks->turns, __ATOMIC_RELAXED);
    bool idle = !__atomic_load_n(&marks->running, __ATOMIC_RELAXED) &&
                __atomic_load_n(&marks->polling, __ATOMIC_RELAXED);
    if (!limit || worker->state != RT_WORKER_READY || worker->cause != RT_END_OWN)
        return false;
    if (idle || turns != worker->turns || !worker->moved) {
        worker->turns = turns;
        worker->moved = now;
        return false;
    }
    if (now - worker->moved < limit || is_looked_at(worker->pid))
        return false;
    worker->stalled = now - worker->moved;
    return true;
}
