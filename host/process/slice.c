#include "process/slice.h"

#include "telemetry/log.h"

#include <string.h>
#include <unistd.h>

bool rt_slice_is_concern(enum rt_diagnostic_id id)
{
    return id == RT_D_MIGRATIONS_MISSING || id == RT_D_MIGRATIONS_DISAGREE ||
           id == RT_D_MIGRATION_FAILED || id == RT_D_TABLES_DIFFER;
}

const char *rt_slice_applied_by(rt_arena *arena, const char *who)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) < 0 || !host[0])
        strcpy(host, "localhost");
    return rt_arena_format(arena, "%s@%s", who, host);
}

rt_migrate_job rt_slice_job(rt_running *running, const char *applied_by)
{
    return (rt_migrate_job){
        .name = running->plan->slice, .slice = running->slice, .applied_by = applied_by};
}

bool rt_slice_is_automatic(const rt_plan *plan, const rt_plan_instance *instance)
{
    for (size_t i = 0; i < instance->option_count; i++) {
        const rt_plan_option *option = &instance->options[i];
        if (strcmp(option->name, "migrate") == 0 && option->value.type == RT_SETTING_ENUM)
            return strcmp(option->value.value.text, "auto") == 0;
    }
    return plan->environment <= RT_TEST;
}

/* One that takes the place of a worker that died. */
static bool is_replacement(const rt_runtime *runtime)
{
    uint32_t state = runtime->board ? rt_board_state(runtime->board) : RT_BOARD_STARTING;
    return state != RT_BOARD_STARTING && state != RT_BOARD_JOINING;
}

/* --- the phase ------------------------------------------------------------------------------- */

/* Told here, and so not again when the phase has failed. */
static int refuse(rt_running *running, enum rt_diagnostic_id id, const char *text)
{
    rt_problem(running, id, "%s", text);
    running->slice_told = true;
    return -RT_EFAILED_PRECONDITION;
}

static int refuse_missing(rt_running *running, const rt_migrations *state)
{
    rt_buffer text = {0};
    rt_migrations_tell_missing(state, &text);
    rt_buffer_format(&text,
                     "; `rtctl migrate up --config …` applies what is missing, and so does a "
                     "start with `migrate = \"auto\"` in the group of `%s`",
                     running->plan->name);
    int result = refuse(running, RT_D_MIGRATIONS_MISSING, text.data);
    rt_buffer_free(&text);
    return result;
}

static const char *way_out(const rt_running *running)
{
    return running->runtime->plan->environment <= RT_TEST
               ? "; what was applied is never changed: put the old text back, or the file that is "
                 "gone, and write another migration; or, while nothing in it matters, begin with "
                 "an empty database"
               : "; run the build that the database was migrated by, or a later one";
}

/* A newer build may migrate while this one still serves: its workers are replaced all the same, as
 * those that live are not ended either. */
static int judge_disagreement(rt_running *running, const rt_migrations *state)
{
    rt_buffer text = {0};
    bool bearable = is_replacement(running->runtime) && !state->of[RT_MIGRATION_CHANGED] &&
                    !state->of[RT_MIGRATION_SKIPPED];
    int result = 0;
    rt_migrations_tell_disagreement(state, &text);
    if (bearable) {
        rt_log_host(RT_LOG_WARN, "module `%s`: %s", running->plan->name, text.data);
    } else {
        rt_buffer_text(&text, way_out(running));
        result = refuse(running, RT_D_MIGRATIONS_DISAGREE, text.data);
    }
    rt_buffer_free(&text);
    return result;
}

static void log_applied(void *argument, const rt_migration_entry *entry, int64_t milliseconds)
{
    const rt_running *running = argument;
    rt_log_host(RT_LOG_INFO, "module `%s`: migration %u `%s` of slice `%s` applied in %lld ms",
                running->plan->name, entry->number, entry->name, running->plan->slice,
                (long long)milliseconds);
}

static int bring_up(rt_ctx *ctx, rt_running *running, const rt_migrate_job *job)
{
    rt_migrations state;
    RT_TRY(rt_migrations_read(ctx, job, &state));
    if (!rt_migrations_agree(&state))
        return judge_disagreement(running, &state);
    if (!state.of[RT_MIGRATION_MISSING])
        return 0;
    if (!rt_slice_is_automatic(running->runtime->plan, running->plan))
        return refuse_missing(running, &state);
    return rt_migrations_apply(ctx, job, &state);
}

static int compare_tables(rt_ctx *ctx, rt_running *running, const rt_migrate_job *job)
{
    rt_buffer differences = {0};
    int result = rt_tables_compare(ctx, job, &differences);
    if (result >= 0 && differences.length)
        result = refuse(running, RT_D_TABLES_DIFFER, differences.data);
    rt_buffer_free(&differences);
    return result;
}

static int judge_and_mend(rt_ctx *ctx, void *argument)
{
    rt_running *running = argument;
    const char *who = running->runtime->plan->host.name;
    rt_migrate_job job = rt_slice_job(running, rt_slice_applied_by(rt_unit_arena(ctx), who));
    uint64_t began = rt_host_now();
    job.applied = log_applied;
    job.argument = running;
    RT_TRY(bring_up(ctx, running, &job));
    RT_TRY(compare_tables(ctx, running, &job));
    rt_log_host(RT_LOG_DEBUG, "module `%s`: the database of slice `%s` is as it should be, %.1f ms",
                running->plan->name, running->plan->slice, (double)(rt_host_now() - began) / 1e6);
    return 0;
}

/* In one span: each statement would be a trace of its own. */
static int open_slice(rt_ctx *ctx)
{
    rt_run_options options = {.size = sizeof options, .name = "slice.open"};
    return rt_host_run(ctx, &options, judge_and_mend, ctx->instance);
}

bool rt_slice_open(rt_ctx *ctx, rt_running *running)
{
    running->slice_told = false;
    return !running->slice ||
           rt_run_phase(ctx, running, RT_PHASE_MIGRATE, open_slice, RT_D_MIGRATION_FAILED);
}

/* --- what the module registers --------------------------------------------------------------- */

static const char *misplaced(const rt_running *running, const rt_slice *slice)
{
    if (!running->plan->slice)
        return "it gives a slice without RT_SLICE(…)";
    if (!slice->sql->capability || strcmp(slice->sql->capability, "sql") != 0)
        return "its slice is bound to something else than sql/1";
    return NULL;
}

int rt_host_slice(rt_registry *registry, const rt_slice *slice)
{
    if (!registry || !registry->ctx)
        return -RT_EFAILED_PRECONDITION;
    rt_running *running = registry->running;
    rt_buffer problem = {0};
    int result = 0;
    if (running->slice)
        result = rt_registry_refuse(registry, RT_EALREADY_EXISTS, RT_D_REGISTER_FAILED,
                                    "it gives two slices");
    else if (!rt_slice_judge(slice, &problem))
        result = rt_registry_refuse(registry, RT_EINVALID_ARGUMENT, RT_D_REGISTER_FAILED, "%s",
                                    problem.data);
    else if (misplaced(running, slice))
        result = rt_registry_refuse(registry, RT_EFAILED_PRECONDITION, RT_D_UNDECLARED_KIND, "%s",
                                    misplaced(running, slice));
    else
        running->slice = slice;
    rt_buffer_free(&problem);
    return result;
}
