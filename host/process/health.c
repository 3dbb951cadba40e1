#include "process/health.h"

#include "base/redact.h"
#include "telemetry/log.h"

#include <rt/health.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rt_checkup {
    rt_health_watch *watch;
    rt_running *running;
    uint32_t entry;
    bool asked;   /* its function runs */
    bool overdue; /* and will be too late */
    uint64_t due;
    rt_module_health condition, answer;
    char reason[RT_HEALTH_REASON], answer_reason[RT_HEALTH_REASON];
};

static size_t module_count(const rt_health_watch *watch)
{
    return watch->runtime->plan->instance_count;
}

static const rt_host_settings *settings(const rt_health_watch *watch)
{
    return &watch->runtime->plan->host;
}

/* --- what is told ---------------------------------------------------------------------------- */

static void add_all(const rt_health_watch *watch, bool well)
{
    for (size_t i = 0; i < module_count(watch); i++) {
        const rt_checkup *checkup = &watch->checkups[i];
        if ((checkup->condition <= RT_MODULE_HEALTHY) == well)
            rt_health_report_add(watch->report, i, checkup->condition, checkup->reason);
    }
}

/* Those that are not well come first, while there is room for reasons. */
static void publish(const rt_health_watch *watch)
{
    memset(watch->report, 0, sizeof *watch->report);
    watch->report->told = rt_host_now();
    add_all(watch, false);
    add_all(watch, true);
    if (watch->room)
        rt_health_room_write(watch->room, watch->report);
}

static void log_change(const rt_checkup *checkup, rt_module_health before)
{
    bool well = checkup->condition == RT_MODULE_HEALTHY;
    if (well && before == RT_MODULE_UNKNOWN)
        return;
    rt_log_host(well ? RT_LOG_INFO : RT_LOG_WARN, "module `%s` is %s%s%s",
                checkup->running->plan->name, rt_module_health_names[checkup->condition],
                *checkup->reason ? ": " : "", checkup->reason);
}

/* A method whose calls are refused, whatever the module says of itself; or NULL. */
static const char *refused_method(const rt_running *running)
{
    const char *name = NULL;
    for (size_t i = 0; i < running->plan->provides_count && !name; i++)
        name = rt_policies_refusing(running->policies[i]);
    return name;
}

/* While all are asked at once, one report is enough at the end. */
static void settle(rt_checkup *checkup, rt_module_health condition, const char *reason)
{
    char text[RT_HEALTH_REASON];
    rt_module_health before = checkup->condition;
    const char *refused = condition == RT_MODULE_HEALTHY ? refused_method(checkup->running) : NULL;
    if (refused) {
        condition = RT_MODULE_DEGRADED;
        snprintf(text, sizeof text, "calls of `%s` are refused: its breaker is open", refused);
        reason = text;
    }
    checkup->condition = condition;
    snprintf(checkup->reason, sizeof checkup->reason, "%s", reason ? reason : "");
    if (before != condition)
        log_change(checkup, before);
}

static void settle_late(rt_checkup *checkup)
{
    char text[RT_HEALTH_REASON];
    double seconds = (double)settings(checkup->watch)->health.timeout / 1e9;
    snprintf(text, sizeof text, "did not answer in %.3g s", seconds);
    settle(checkup, RT_MODULE_UNHEALTHY, text);
}

/* --- one module ------------------------------------------------------------------------------ */

/* Cut only after redacting: half a secret would not be found. */
static void keep_reason(char kept[RT_HEALTH_REASON], const char *lead, const char *text)
{
    rt_buffer whole = {0};
    rt_buffer_text(&whole, lead);
    rt_buffer_text(&whole, text);
    rt_redact(&whole);
    snprintf(kept, RT_HEALTH_REASON, "%s", whole.data);
    rt_buffer_free(&whole);
}

static int take_answer(rt_ctx *ctx, rt_checkup *checkup, const rt_health *health)
{
    static const rt_module_health conditions[] = {[RT_HEALTHY] = RT_MODULE_HEALTHY,
                                                  [RT_DEGRADED] = RT_MODULE_DEGRADED,
                                                  [RT_UNHEALTHY] = RT_MODULE_UNHEALTHY};
    if (health->status >= sizeof conditions / sizeof conditions[0])
        return rt_host_fail(ctx, RT_EINTERNAL, "its answer is %u, which means nothing",
                            health->status);
    checkup->answer = conditions[health->status];
    keep_reason(checkup->answer_reason, "", health->reason ? health->reason : "");
    return 0;
}

static int ask_module(rt_ctx *ctx, void *argument)
{
    rt_checkup *checkup = argument;
    rt_health health = {.size = sizeof health};
    RT_TRY(checkup->running->lifecycle.health(ctx, &health));
    return take_answer(ctx, checkup, &health);
}

static void settle_failed(rt_checkup *checkup, const rt_exit *exit)
{
    char text[RT_HEALTH_REASON];
    const char *message = exit->error ? exit->error->message : NULL;
    if (exit->kind == RT_EXIT_DEFECT)
        keep_reason(text, "defect: ", exit->defect ? exit->defect : "unknown");
    else
        keep_reason(text, "", message ? message : rt_code_name(exit->result));
    settle(checkup, RT_MODULE_UNHEALTHY, text);
}

static bool is_awaited(const rt_health_watch *watch)
{
    for (size_t i = 0; i < module_count(watch); i++)
        if (watch->checkups[i].condition == RT_MODULE_UNKNOWN)
            return true;
    return false;
}

/* After one or more have settled. */
static void tell(rt_health_watch *watch)
{
    publish(watch);
    if (!is_awaited(watch))
        rt_unpark(&watch->first, 0);
}

static void answered(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    rt_checkup *checkup = argument;
    bool counts = !checkup->overdue && !checkup->watch->over;
    (void)ctx;
    checkup->asked = checkup->overdue = false;
    if (!counts)
        return;
    if (exit->kind == RT_EXIT_SUCCESS)
        settle(checkup, checkup->answer, checkup->answer_reason);
    else if (exit->result == -RT_EDEADLINE)
        settle_late(checkup);
    else
        settle_failed(checkup, exit);
    tell(checkup->watch);
}

/* The supervisor, told of each module before its function has the loop for the first time, can name
 * the one that does not give it back. */
static void announce(const rt_checkup *checkup)
{
    const rt_runtime *runtime = checkup->running->runtime;
    if (!checkup->watch->asked)
        runtime->watch.phase(runtime->watch.argument, checkup->running, RT_PHASE_HEALTH);
}

static void ask(rt_checkup *checkup, uint64_t now)
{
    rt_running *running = checkup->running;
    uint64_t due = now + (uint64_t)settings(checkup->watch)->health.timeout;
    rt_unit_options options = {.instance = &running->instance,
                               .name = "health",
                               .deadline = due,
                               .stack_size = running->plan->stack_size,
                               .entry = checkup->entry,
                               .done = answered,
                               .done_argument = checkup};
    announce(checkup);
    checkup->due = due;
    checkup->asked = true;
    rt_unit_start(&options, ask_module, checkup);
}

static void check(rt_checkup *checkup, uint64_t now)
{
    const rt_running *running = checkup->running;
    if (checkup->asked)
        return;
    if (running->starts_late && !running->started)
        settle(checkup, RT_MODULE_HEALTHY, "not started");
    else if (!running->lifecycle.health)
        settle(checkup, RT_MODULE_HEALTHY, NULL);
    else
        ask(checkup, now);
}

/* --- all of them ----------------------------------------------------------------------------- */

static void check_all(rt_health_watch *watch, uint64_t now)
{
    for (size_t i = 0; i < module_count(watch) && !watch->over; i++)
        check(&watch->checkups[i], now);
    watch->asked = true;
    watch->next = now + (uint64_t)settings(watch)->health.interval;
}

static void find_overdue(const rt_health_watch *watch, uint64_t now)
{
    for (size_t i = 0; i < module_count(watch); i++) {
        rt_checkup *checkup = &watch->checkups[i];
        if (!checkup->asked || checkup->overdue || checkup->due > now)
            continue;
        checkup->overdue = true;
        settle_late(checkup);
    }
}

static uint64_t soonest(const rt_health_watch *watch)
{
    uint64_t due = watch->next;
    for (size_t i = 0; i < module_count(watch); i++) {
        const rt_checkup *checkup = &watch->checkups[i];
        if (checkup->asked && !checkup->overdue && checkup->due < due)
            due = checkup->due;
    }
    return due;
}

static int keep_asking(rt_ctx *ctx, void *argument)
{
    rt_health_watch *watch = argument;
    uint64_t now, due;
    do {
        now = rt_host_now();
        find_overdue(watch, now);
        if (now >= watch->next)
            check_all(watch, now);
        tell(watch);
        now = rt_host_now();
        due = soonest(watch);
    } while (!watch->over && rt_host_sleep(ctx, due > now ? due - now : 0) == 0);
    return 0;
}

static void asker_ended(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    rt_health_watch *watch = argument;
    (void)ctx, (void)exit;
    watch->asker = NULL;
    rt_host_channel_close(watch->ended);
}

static void open_watch(rt_health_watch *watch, rt_runtime *runtime, void *room)
{
    const rt_plan *plan = runtime->plan;
    *watch = (rt_health_watch){.runtime = runtime,
                               .room = room,
                               .instance = {.magic = RT_INSTANCE_MAGIC,
                                            .size = sizeof(rt_instance),
                                            .name = "health",
                                            .module = "rtd"},
                               .report = rt_xcalloc(1, sizeof *watch->report),
                               .ended = rt_host_channel_new(0)};
    watch->checkups = rt_xcalloc(plan->instance_count + 1, sizeof *watch->checkups);
    for (size_t i = 0; i < plan->instance_count; i++) {
        rt_running *running = &runtime->instances[i];
        uint32_t entry = rt_board_enter(runtime->board, RT_ENTRY_PHASE, running->plan->name,
                                        running->plan->module, "health");
        watch->checkups[i] = (rt_checkup){.watch = watch, .running = running, .entry = entry};
    }
}

void rt_health_begin(rt_ctx *ctx, rt_health_watch *watch, rt_runtime *runtime, void *room)
{
    open_watch(watch, runtime, room);
    rt_unit_options options = {.instance = &watch->instance,
                               .name = "runtime.health",
                               .done = asker_ended,
                               .done_argument = watch};
    watch->asker = rt_unit_start(&options, keep_asking, watch);
    while (is_awaited(watch) && !watch->over)
        if (rt_park(ctx, &watch->first) < 0)
            return;
}

void rt_health_interrupt(rt_health_watch *watch)
{
    watch->over = true;
    rt_unpark(&watch->first, 0);
}

void rt_health_end(rt_ctx *ctx, rt_health_watch *watch)
{
    void *item;
    watch->over = true;
    if (!watch->asker)
        return;
    rt_unit_cancel(watch->asker);
    while (watch->asker && rt_host_channel_receive(ctx, watch->ended, &item) >= 0)
        ;
}

void rt_health_free(rt_health_watch *watch)
{
    rt_host_channel_free(watch->ended);
    free(watch->checkups);
    free(watch->report);
    *watch = (rt_health_watch){0};
}
