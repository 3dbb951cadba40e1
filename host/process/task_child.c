/* The database child: starts the providers that a task needs and works with their databases. It may
 * crash, hang or be cut short as the load child may; what it was doing is rolled back. */
#include "base/redact.h"
#include "process/privilege.h"
#include "process/process.h"
#include "process/role.h"
#include "process/slice.h"
#include "process/task.h"
#include "telemetry/log.h"

#include <rt/health.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Of migrations that are asked for by hand: as long as they take. */
#define UNLIMITED (INT64_MAX / 4)

struct child {
    rt_arena arena;
    int control;
    rt_inbox inbox;
    rt_setup *setup;
    rt_task task;
    rt_runtime runtime;
    bool *needed; /* by instance: it is loaded and registered */
    bool *starts; /* likewise: it is started, too */
    const char *applied_by;
    bool lacking; /* something is missing, or wrong */
    size_t told;  /* problems, information included */
    uv_poll_t watch;
};

static struct child child;

static void tell(uint32_t kind, uint64_t number, const char *module, const char *text)
{
    rt_message_send(child.control,
                    &(rt_message){.kind = kind, .number = number, .module = module, .text = text});
}

static void tell_phase(void *argument, const rt_running *running, rt_phase phase)
{
    (void)argument;
    tell(RT_TELL_PHASE, phase, running->plan->name, NULL);
}

static void tell_problem(void *argument, const rt_running *running, enum rt_diagnostic_id id,
                         const char *text)
{
    (void)argument;
    child.told++;
    child.lacking |= rt_diagnostic_table[id].severity == RT_ERROR;
    tell(RT_TELL_PROBLEM, id, running->plan->name, rt_redacted(&child.arena, text));
}

static void print(rt_buffer *text)
{
    tell(RT_TELL_PRINT, 0, NULL, rt_redacted(&child.arena, text->data));
    rt_buffer_free(text);
}

/* --- what is needed -------------------------------------------------------------------------- */

static const rt_plan *plan_of(void)
{
    return child.setup->plan;
}

static bool connects(void)
{
    return child.task.kind == RT_TASK_CONNECT;
}

static bool is_skipped(const char *module)
{
    for (size_t i = 0; i < child.setup->skip_count; i++)
        if (strcmp(child.setup->skip[i], module) == 0)
            return true;
    return false;
}

static const rt_plan_binding *database_of(const rt_plan_instance *instance)
{
    for (size_t i = 0; i < instance->binding_count; i++)
        if (strcmp(instance->bindings[i].capability, "sql") == 0 &&
            instance->bindings[i].provider_count)
            return &instance->bindings[i];
    return NULL;
}

static bool is_wanted(const rt_plan_instance *instance)
{
    return instance->slice && (!child.task.slice || strcmp(child.task.slice, instance->slice) == 0);
}

static void start_all_of(const rt_plan_binding *binding)
{
    for (size_t i = 0; i < binding->provider_count; i++)
        child.starts[binding->providers[i]] = true;
}

/* Providers stand before their consumers, so one walk backwards finds them all. A module with a
 * slice is loaded for what it registers, and not started. */
static void find_needed(void)
{
    const rt_plan *plan = plan_of();
    child.needed = rt_arena_alloc(&child.arena, plan->instance_count * sizeof *child.needed);
    child.starts = rt_arena_alloc(&child.arena, plan->instance_count * sizeof *child.starts);
    for (size_t i = plan->instance_count; i-- > 0;) {
        const rt_plan_instance *instance = &plan->instances[i];
        child.starts[i] |= connects() && instance->provides_count && !instance->serves;
        child.needed[i] = connects() || child.starts[i] || is_wanted(instance);
        for (size_t k = 0; child.starts[i] && k < instance->binding_count; k++)
            start_all_of(&instance->bindings[k]);
        if (is_wanted(instance) && database_of(instance))
            start_all_of(database_of(instance));
    }
}

/* Nobody is served here: what counts, spans and guards calls is left out. */
static void still_effects(rt_plan *plan)
{
    plan->host.telemetry.traces = plan->host.telemetry.metrics = plan->host.telemetry.logs = false;
    for (size_t i = 0; i < plan->instance_count; i++)
        for (size_t k = 0; k < plan->instances[i].provides_count; k++)
            plan->instances[i].provides[k].effect_count = 0;
}

/* --- phases ---------------------------------------------------------------------------------- */

static void load_needed(void)
{
    for (size_t i = 0; i < plan_of()->instance_count; i++) {
        rt_running *running = &child.runtime.instances[i];
        if (child.needed[i] && !is_skipped(running->plan->module) && !rt_load(running))
            running->descriptor = NULL;
    }
}

static void register_needed(rt_ctx *ctx)
{
    for (size_t i = 0; i < plan_of()->instance_count; i++)
        if (child.runtime.instances[i].descriptor)
            rt_register(ctx, &child.runtime.instances[i]);
    for (size_t i = 0; i < plan_of()->instance_count; i++) {
        rt_running *running = &child.runtime.instances[i];
        bool configures = connects() || child.starts[i];
        if (running->registered && configures && !rt_configure(ctx, running))
            running->registered = false;
    }
}

static int ask_health(rt_ctx *ctx)
{
    rt_running *running = (rt_running *)ctx->instance;
    rt_health health = {.size = sizeof health};
    RT_TRY(running->lifecycle.health(ctx, &health));
    const char *reason = health.reason ? health.reason : "without a reason";
    if (health.status >= RT_UNHEALTHY)
        rt_problem(running, RT_D_PROVIDER_UNHEALTHY, "%s", reason);
    else if (health.status == RT_DEGRADED)
        rt_problem(running, RT_D_PROVIDER_DEGRADED, "%s", reason);
    else
        rt_problem(running, RT_D_PROVIDER_WORKS, "it started, and is healthy");
    return 0;
}

static void judge_health(rt_ctx *ctx, rt_running *running)
{
    if (running->lifecycle.health)
        rt_run_phase(ctx, running, RT_PHASE_HEALTH, ask_health, RT_D_PROVIDER_UNHEALTHY);
    else if (running->lifecycle.start)
        rt_problem(running, RT_D_PROVIDER_WORKS, "it started, and cannot be asked how it is");
}

/* One that starts with its first use, too. Of a slice of its own nothing is applied by that. */
static void start_one(rt_ctx *ctx, rt_running *running)
{
    running->slice = NULL;
    running->starts_late = false;
    if (rt_start(ctx, running) && connects())
        judge_health(ctx, running);
}

static void stop_started(rt_ctx *ctx)
{
    child.runtime.stopping = true;
    rt_loop_refuse();
    for (size_t i = plan_of()->instance_count; i-- > 0;)
        rt_stop(ctx, &child.runtime.instances[i]);
}

/* --- slices ---------------------------------------------------------------------------------- */

static void note_applied(void *argument, const rt_migration_entry *entry, int64_t milliseconds)
{
    rt_running *running = argument;
    rt_buffer text = {0};
    if (child.task.json)
        return;
    rt_buffer_format(&text, "slice %s: %u %s applied in %lld ms\n", running->plan->slice,
                     entry->number, entry->name, (long long)milliseconds);
    print(&text);
}

static rt_migrate_job job_of(rt_running *running)
{
    rt_migrate_job job = rt_slice_job(running, child.applied_by);
    job.most = child.task.most;
    job.applied = note_applied;
    job.argument = running;
    return job;
}

static void print_slice(const rt_running *running, const rt_migrations *state)
{
    rt_buffer text = {0};
    rt_task_tell_slice(&text, &child.task, running->plan->name, state);
    print(&text);
}

static bool judge_agreement(rt_running *running, const rt_migrations *state)
{
    rt_buffer text = {0};
    if (rt_migrations_agree(state))
        return true;
    rt_migrations_tell_disagreement(state, &text);
    rt_problem(running, RT_D_MIGRATIONS_DISAGREE, "%s", text.data);
    rt_buffer_free(&text);
    return false;
}

static int judge_tables(rt_ctx *ctx, rt_running *running, const rt_migrate_job *job)
{
    rt_buffer differences = {0};
    int result = rt_tables_compare(ctx, job, &differences);
    if (result >= 0 && differences.length)
        rt_problem(running, RT_D_TABLES_DIFFER, "%s", differences.data);
    rt_buffer_free(&differences);
    return result;
}

static void judge_missing(rt_running *running, const rt_migrations *state, bool is_information)
{
    rt_buffer text = {0};
    rt_migrations_tell_missing(state, &text);
    if (!is_information)
        rt_buffer_text(&text, "; `rtctl migrate up --config …` applies what is missing");
    rt_problem(running, is_information ? RT_D_MIGRATIONS_WAIT : RT_D_MIGRATIONS_MISSING, "%s",
               text.data);
    rt_buffer_free(&text);
}

/* Of `--connect` and `verify`: all that a start would find. */
static int judge_slice(rt_ctx *ctx, rt_running *running, bool automatic)
{
    rt_migrate_job job = job_of(running);
    rt_migrations state;
    RT_TRY(rt_migrations_read(ctx, &job, &state));
    if (!judge_agreement(running, &state))
        return 0;
    if (state.of[RT_MIGRATION_MISSING]) {
        judge_missing(running, &state, automatic);
        return 0;
    }
    if (child.task.kind == RT_TASK_VERIFY)
        print_slice(running, &state);
    return judge_tables(ctx, running, &job);
}

static int connect_slice(rt_ctx *ctx)
{
    rt_running *running = (rt_running *)ctx->instance;
    return judge_slice(ctx, running, rt_slice_is_automatic(plan_of(), running->plan));
}

static int verify_slice(rt_ctx *ctx)
{
    return judge_slice(ctx, (rt_running *)ctx->instance, false);
}

static int show_slice(rt_ctx *ctx)
{
    rt_running *running = (rt_running *)ctx->instance;
    rt_migrate_job job = job_of(running);
    rt_migrations state;
    RT_TRY(rt_migrations_read(ctx, &job, &state));
    print_slice(running, &state);
    if (child.task.kind == RT_TASK_PLAN)
        judge_agreement(running, &state);
    else
        child.lacking |= state.of[RT_MIGRATION_APPLIED] != state.count;
    return 0;
}

static int migrate_slice(rt_ctx *ctx)
{
    rt_running *running = (rt_running *)ctx->instance;
    rt_migrate_job job = job_of(running);
    rt_migrations state;
    RT_TRY(rt_migrations_read(ctx, &job, &state));
    if (!judge_agreement(running, &state))
        return 0;
    bool any = rt_migrations_next(&state, job.most);
    if (any)
        RT_TRY(rt_migrations_apply(ctx, &job, &state));
    if (!any || child.task.json)
        print_slice(running, &state);
    return 0;
}

static const rt_phase_function of_slices[RT_TASK_COUNT] = {[RT_TASK_CONNECT] = connect_slice,
                                                           [RT_TASK_STATUS] = show_slice,
                                                           [RT_TASK_PLAN] = show_slice,
                                                           [RT_TASK_UP] = migrate_slice,
                                                           [RT_TASK_VERIFY] = verify_slice};

/* Two instances of one module may share a slice. */
static bool is_told_already(size_t index)
{
    const rt_plan *plan = plan_of();
    const rt_plan_binding *database = database_of(&plan->instances[index]);
    for (size_t i = 0; i < index; i++) {
        const rt_plan_binding *other = database_of(&plan->instances[i]);
        if (is_wanted(&plan->instances[i]) && other &&
            strcmp(plan->instances[i].slice, plan->instances[index].slice) == 0 &&
            other->providers[0] == database->providers[0])
            return true;
    }
    return false;
}

static bool has_its_database(size_t index)
{
    const rt_plan_binding *database = database_of(&plan_of()->instances[index]);
    const rt_running *running = &child.runtime.instances[index];
    return running->registered && running->slice && database &&
           child.runtime.instances[database->providers[0]].started;
}

static void work_on_slice(rt_ctx *ctx, size_t index)
{
    rt_host_settings *host = &child.setup->plan->host;
    int64_t limit = host->start_timeout;
    if (!has_its_database(index)) {
        child.lacking = true; /* why has been told */
        return;
    }
    if (child.task.kind == RT_TASK_UP)
        host->start_timeout = UNLIMITED;
    rt_run_phase(ctx, &child.runtime.instances[index], RT_PHASE_MIGRATE, of_slices[child.task.kind],
                 RT_D_MIGRATION_FAILED);
    host->start_timeout = limit;
}

/* In the order of start, so that a provider that keeps data has been judged before it starts. */
static void work_on_all(rt_ctx *ctx)
{
    for (size_t i = 0; i < plan_of()->instance_count && !child.runtime.stopping; i++) {
        rt_running *running = &child.runtime.instances[i];
        bool lacks = false;
        if (is_wanted(running->plan) && !is_told_already(i)) {
            size_t told = child.told;
            work_on_slice(ctx, i);
            lacks = child.told > told;
        }
        if (child.starts[i] && running->registered && !lacks)
            start_one(ctx, running);
    }
}

/* --- the process ----------------------------------------------------------------------------- */

static int life(rt_ctx *ctx, void *argument)
{
    (void)argument;
    register_needed(ctx);
    work_on_all(ctx);
    stop_started(ctx);
    return 0;
}

static void on_ended(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    (void)ctx, (void)exit, (void)argument;
    rt_loop_stop();
}

/* Whoever asked has gone: what runs is cancelled, which rolls it back. */
static void on_control(uv_poll_t *watch, int status, int events)
{
    (void)status, (void)events;
    uv_poll_stop(watch);
    rt_runtime_interrupt(&child.runtime);
}

static bool drop_privileges(void)
{
    rt_buffer problem = {0};
    int error = rt_privileges_drop(plan_of(), &problem);
    if (error)
        fprintf(stderr, "the workers of `%s` cannot be confined: cannot %s\n", plan_of()->host.name,
                problem.data);
    rt_buffer_free(&problem);
    return !error;
}

static int run(void)
{
    rt_watch watch = {tell_phase, tell_problem, NULL};
    rt_instance host = {.magic = RT_INSTANCE_MAGIC, .size = sizeof host, .name = "rtd"};
    rt_unit_options options = {.instance = &host, .name = "runtime.task", .done = on_ended};
    still_effects(child.setup->plan);
    if (!drop_privileges())
        return EX_OSERR;
    int error =
        rt_loop_open(&(rt_loop_options){.pool_threads = (uint32_t)plan_of()->host.pool.threads});
    if (error) {
        fprintf(stderr, "cannot open the loop: %s\n", strerror(-error));
        return EX_OSERR;
    }
    rt_runtime_init(&child.runtime, plan_of(), &watch);
    find_needed();
    load_needed();
    uv_poll_init(rt_loop_uv(), &child.watch, child.control);
    uv_poll_start(&child.watch, UV_READABLE | UV_DISCONNECT, on_control);
    rt_unit_start(&options, life, NULL);
    rt_loop_run();
    tell(RT_TELL_READY, child.lacking, NULL, NULL);
    return 0;
}

static bool receive_task(void)
{
    rt_message message;
    int taken;
    while ((taken = rt_inbox_take(&child.inbox, &child.arena, &message)) == 0)
        if (rt_inbox_fill(&child.inbox, child.control) <= 0)
            return false;
    return taken > 0 && message.kind == RT_TELL_TASK &&
           rt_task_read(&child.arena, message.text, &child.task) && of_slices[child.task.kind];
}

int rt_task_main(void)
{
    child.control = rt_role_control();
    if (child.control < 0) {
        fputs("rtd: this role is for rtctl's own use\n", stderr);
        return EX_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    rt_arena_init(&child.arena);
    child.setup = rt_setup_receive(&child.inbox, &child.arena, child.control);
    if (!child.setup || !receive_task())
        _exit(EX_SOFTWARE);
    rt_inbox_free(&child.inbox);
    rt_plan_redact(plan_of());
    child.applied_by = rt_slice_applied_by(&child.arena, "rtctl");
    /* _exit: what modules would do at exit is not what was asked for. */
    _exit(run());
}
