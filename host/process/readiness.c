#include "process/readiness.h"

#include "process/generation.h"

#include <stdlib.h>
#include <string.h>

struct judgement {
    rt_arena *arena;
    const rt_plan *plan;
    const rt_board *board;
    uint32_t self;
    uint64_t now;
    rt_health_report *report; /* of one worker after the other */
    rt_readiness *result;
};

static const char *const states[RT_BOARD_STATES] = {"starting", "serving",  "serving",
                                                    "stopping", "draining", "retired"};
static const char *const verdicts[] = {"ready", "degraded", "unavailable"};

static bool serves(enum rt_board_state state)
{
    return state == RT_BOARD_SERVING || state == RT_BOARD_JOINING;
}

/* --- judging --------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void find(const struct judgement *judgement,
                                                       rt_verdict verdict, const char *format, ...)
{
    rt_readiness *result = judgement->result;
    va_list arguments;
    va_start(arguments, format);
    rt_push(judgement->arena, result->reasons, result->reason_count) =
        rt_arena_vformat(judgement->arena, format, arguments);
    va_end(arguments);
    if (result->verdict < verdict)
        result->verdict = verdict;
}

static void judge_module(const struct judgement *judgement, uint32_t worker, size_t index,
                         rt_module_condition *module)
{
    static const rt_verdict worth[RT_MODULE_COUNT] = {[RT_MODULE_UNKNOWN] = RT_VERDICT_DEGRADED,
                                                      [RT_MODULE_DEGRADED] = RT_VERDICT_DEGRADED,
                                                      [RT_MODULE_UNHEALTHY] =
                                                          RT_VERDICT_UNAVAILABLE};
    const char *reason;
    module->condition = rt_health_report_get(judgement->report, index, &reason);
    module->reason = rt_arena_copy(judgement->arena, reason);
    if (module->condition != RT_MODULE_HEALTHY)
        find(judgement, worth[module->condition], "module `%s` is %s in worker %u%s%s",
             judgement->plan->instances[index].name, rt_module_health_names[module->condition],
             worker, reason ? ": " : "", reason ? reason : "");
}

/* A loop that turns tells at least every interval; it gets the time of a slow round on top. After a
 * pause of the whole machine the request may be taken before the answers that are due. */
static bool is_silent(const struct judgement *judgement)
{
    const rt_host_settings *host = &judgement->plan->host;
    uint64_t patience = (uint64_t)(host->health.interval + 2 * host->health.timeout);
    return judgement->report->told + patience < judgement->now;
}

static bool has_report(const struct judgement *judgement, uint32_t number)
{
    size_t size;
    const void *room = rt_board_room(judgement->board, number, RT_ROOM_HEALTH, &size);
    return rt_health_room_read(room, judgement->report) &&
           (number == judgement->self || !is_silent(judgement));
}

static void judge_worker(const struct judgement *judgement, rt_worker_condition *worker)
{
    static const char *const names[] = {[RT_WORKER_ABSENT] = "missing",
                                        [RT_WORKER_STARTING] = "starting",
                                        [RT_WORKER_READY] = "ready",
                                        [RT_WORKER_STOPPING] = "stopping"};
    const rt_board_slot *slot = rt_board_slot_of(judgement->board, worker->number);
    uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_RELAXED);
    worker->pid = __atomic_load_n(&slot->pid, __ATOMIC_RELAXED);
    worker->state = state < sizeof names / sizeof names[0] ? names[state] : "missing";
    if (state != RT_WORKER_READY)
        return;
    worker->serves = has_report(judgement, worker->number);
    if (!worker->serves) {
        worker->state = "silent";
        return;
    }
    size_t count = judgement->plan->instance_count;
    worker->modules = rt_arena_alloc(judgement->arena, count * sizeof *worker->modules);
    for (size_t i = 0; i < count; i++)
        judge_module(judgement, worker->number, i, &worker->modules[i]);
}

/* One that is being replaced leaves the service up as long as another one serves. */
static void judge_workers(const struct judgement *judgement, enum rt_board_state state)
{
    rt_readiness *result = judgement->result;
    size_t serving = 0;
    result->worker_count = judgement->board->slot_count;
    result->workers =
        rt_arena_alloc(judgement->arena, result->worker_count * sizeof *result->workers);
    for (size_t i = 0; i < result->worker_count; i++) {
        result->workers[i].number = (uint32_t)i + 1;
        judge_worker(judgement, &result->workers[i]);
        serving += result->workers[i].serves;
    }
    rt_verdict verdict = serving ? RT_VERDICT_DEGRADED : RT_VERDICT_UNAVAILABLE;
    for (size_t i = 0; i < result->worker_count && serves(state); i++)
        if (!result->workers[i].serves)
            find(judgement, verdict, "worker %zu is %s", i + 1, result->workers[i].state);
}

static void judge_quarantine(const struct judgement *judgement)
{
    rt_readiness *result = judgement->result;
    rt_entry entry;
    for (uint32_t i = 1; i < rt_board_entry_count(judgement->board); i++) {
        if (!__atomic_load_n(rt_board_quarantine(judgement->board, i), __ATOMIC_RELAXED) ||
            !rt_board_entry(judgement->board, i, &entry))
            continue;
        rt_push(judgement->arena, result->quarantined, result->quarantined_count) = entry;
        find(judgement, RT_VERDICT_DEGRADED, "`%s` of `%s` is quarantined", entry.name,
             entry.instance);
    }
}

static rt_readiness *judge_once(struct judgement *judgement, enum rt_board_state state)
{
    rt_readiness *result = judgement->result = RT_NEW(judgement->arena, rt_readiness);
    *result = (rt_readiness){.plan = judgement->plan, .state = states[state]};
    if (state == RT_BOARD_RETIRED) /* the one that serves will say how it is */
        return result;
    if (!serves(state))
        find(judgement, RT_VERDICT_UNAVAILABLE, "the server is %s", states[state]);
    judge_workers(judgement, state);
    judge_quarantine(judgement);
    return result;
}

rt_readiness *rt_readiness_judge(rt_arena *arena, const rt_plan *plan, const rt_board *board,
                                 uint32_t self, uint64_t now)
{
    struct judgement judgement = {.arena = arena,
                                  .plan = plan,
                                  .board = board,
                                  .self = self,
                                  .now = now,
                                  .report = RT_NEW(arena, rt_health_report)};
    enum rt_board_state state;
    rt_readiness *result;
    do { /* or workers that stop would be taken for those of a generation that serves */
        state = rt_board_state(board);
        result = judge_once(&judgement, state);
    } while (state != rt_board_state(board));
    return result;
}

uint32_t rt_readiness_status(const rt_readiness *readiness)
{
    bool strict = strcmp(readiness->plan->host.health.fail_on, "degraded") == 0;
    return readiness->verdict > (strict ? RT_VERDICT_READY : RT_VERDICT_DEGRADED) ? 503 : 200;
}

/* --- as JSON --------------------------------------------------------------------------------- */

static void put(rt_buffer *out, const char *text)
{
    rt_buffer_char(out, '"');
    rt_buffer_json(out, text, strlen(text));
    rt_buffer_char(out, '"');
}

static void member(rt_buffer *out, const char *before, const char *name, const char *text)
{
    rt_buffer_format(out, "%s\"%s\":", before, name);
    put(out, text);
}

static void put_modules(rt_buffer *out, const rt_plan *plan, const rt_module_condition *modules)
{
    for (size_t i = 0; modules && i < plan->instance_count; i++) {
        member(out, i ? ",{" : "{", "name", plan->instances[i].name);
        member(out, ",", "status", rt_module_health_names[modules[i].condition]);
        if (modules[i].reason)
            member(out, ",", "reason", modules[i].reason);
        rt_buffer_char(out, '}');
    }
}

static void put_workers(rt_buffer *out, const rt_readiness *readiness)
{
    for (size_t i = 0; i < readiness->worker_count; i++) {
        const rt_worker_condition *worker = &readiness->workers[i];
        rt_buffer_format(out, "%s{\"number\":%u,\"pid\":%d", i ? "," : "", worker->number,
                         worker->pid);
        member(out, ",", "state", worker->state);
        rt_buffer_text(out, ",\"modules\":[");
        put_modules(out, readiness->plan, worker->modules);
        rt_buffer_text(out, "]}");
    }
}

static void put_acknowledged(rt_buffer *out, const rt_plan *plan)
{
    const char *comma = "";
    for (size_t i = 0; i < plan->instance_count; i++) {
        if (!plan->instances[i].acknowledged)
            continue;
        rt_buffer_text(out, comma);
        put(out, plan->instances[i].name);
        comma = ",";
    }
}

static void put_quarantined(rt_buffer *out, const rt_readiness *readiness)
{
    for (size_t i = 0; i < readiness->quarantined_count; i++) {
        const rt_entry *entry = &readiness->quarantined[i];
        member(out, i ? ",{" : "{", "entry", entry->name);
        member(out, ",", "instance", entry->instance);
        member(out, ",", "module", entry->module);
        rt_buffer_char(out, '}');
    }
}

void rt_readiness_json(const rt_readiness *readiness, rt_buffer *out)
{
    member(out, "{", "status", verdicts[readiness->verdict]);
    member(out, ",", "state", readiness->state);
    member(out, ",", "name", readiness->plan->host.name);
    member(out, ",", "environment", rt_environment_names[readiness->plan->environment]);
    rt_buffer_text(out, ",\"reasons\":[");
    for (size_t i = 0; i < readiness->reason_count; i++) {
        rt_buffer_text(out, i ? "," : "");
        put(out, readiness->reasons[i]);
    }
    rt_buffer_text(out, "],\"acknowledged\":[");
    put_acknowledged(out, readiness->plan);
    rt_buffer_text(out, "],\"quarantined\":[");
    put_quarantined(out, readiness);
    rt_buffer_text(out, "],\"workers\":[");
    put_workers(out, readiness);
    rt_buffer_text(out, "]}\n");
}

/* --- for people ------------------------------------------------------------------------------ */

static void line(rt_buffer *out, const char *before, const char *text)
{
    rt_buffer_text(out, before);
    rt_buffer_visible(out, text);
    rt_buffer_char(out, '\n');
}

static void describe_worker(rt_buffer *out, const rt_plan *plan, const rt_worker_condition *worker)
{
    rt_buffer_format(out, "worker %u: %s", worker->number, worker->state);
    if (worker->pid > 0)
        rt_buffer_format(out, ", pid %d", worker->pid);
    rt_buffer_char(out, '\n');
    for (size_t i = 0; worker->modules && i < plan->instance_count; i++) {
        const rt_module_condition *module = &worker->modules[i];
        rt_buffer_format(out, "  %-20s %s", plan->instances[i].name,
                         rt_module_health_names[module->condition]);
        line(out, module->reason ? ": " : "", module->reason ? module->reason : "");
    }
}

void rt_readiness_text(const rt_readiness *readiness, rt_buffer *out)
{
    const rt_plan *plan = readiness->plan;
    rt_buffer_format(out, "%s: %s in %s, %s\n", plan->host.name, verdicts[readiness->verdict],
                     rt_environment_names[plan->environment], readiness->state);
    for (size_t i = 0; i < readiness->reason_count; i++)
        line(out, "- ", readiness->reasons[i]);
    for (size_t i = 0; i < plan->instance_count; i++)
        if (plan->instances[i].acknowledged)
            line(out, "acknowledged: ", plan->instances[i].name);
    for (size_t i = 0; i < readiness->worker_count; i++)
        describe_worker(out, plan, &readiness->workers[i]);
}
