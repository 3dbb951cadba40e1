/* From a configuration to a generation whose workers can be started. At the first start what goes
 * wrong ends rtd; at a reload it ends the reload. */
#include "base/redact.h"
#include "compose/report.h"
#include "fiber/sanitizer.h"
#include "process/logs.h"
#include "process/passed.h"
#include "process/privilege.h"
#include "process/role.h"
#include "process/supervisor.h"
#include "telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#define WORKERS_MOST 1024

/* What a worker opens beside connections: listening sockets, its log, whatever modules need. */
#define OTHER_DESCRIPTORS 100

__attribute__((format(printf, 3, 4))) static int fail(rt_supervisor *supervisor, int status,
                                                      const char *format, ...)
{
    rt_buffer text = {0};
    va_list arguments;
    va_start(arguments, format);
    rt_buffer_vformat(&text, format, arguments);
    va_end(arguments);
    if (supervisor->current)
        rt_reload_end(supervisor, status, "%s", text.data);
    else
        rt_log_host(RT_LOG_FATAL, "%s", text.data);
    rt_buffer_free(&text);
    return status;
}

/* --- judging --------------------------------------------------------------------------------- */

/* What the report would have said, in a log that programs read. */
static void log_findings(const rt_diagnostics *diagnostics)
{
    static const uint32_t levels[] = {
        [RT_INFO] = RT_LOG_INFO, [RT_WARNING] = RT_LOG_WARN, [RT_ERROR] = RT_LOG_ERROR};
    for (size_t i = 0; i < diagnostics->count; i++) {
        const rt_diagnostic *item = diagnostics->items[i];
        const char *file = item->place.file ? item->place.file : "";
        rt_log_host(levels[item->severity], "%s%s%s [%s]", file, *file ? ": " : "", item->message,
                    rt_diagnostic_table[item->id].number);
    }
}

static void keep_report(rt_supervisor *supervisor, const rt_composition *composition)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    if (!file)
        return;
    rt_report_print(file, composition, false);
    fclose(file);
    rt_buffer_add(&supervisor->reload.report, text, length);
    free(text);
}

/* A log that programs read gets records; else the report goes to whoever typed the command, as
 * `rtctl validate` would say it. */
static bool wants_records(const rt_supervisor *supervisor, const rt_composition *composition)
{
    const rt_plan *plan = supervisor->current ? supervisor->current->plan : composition->plan;
    return strcmp(plan->host.log.format, "pretty") != 0;
}

static void report(const rt_supervisor *supervisor, const rt_composition *composition)
{
    const rt_plan *serving = supervisor->current ? supervisor->current->plan : NULL;
    bool records = serving && wants_records(supervisor, composition);
    if (composition->diagnostics.count && !records)
        rt_report_print(stderr, composition, false);
    if (records || (serving && serving->host.log.file))
        log_findings(&composition->diagnostics);
}

static bool compose(rt_supervisor *supervisor, rt_generation *generation)
{
    const rt_composition *composition =
        rt_compose(&generation->arena, &supervisor->startup->request);
    generation->composition = composition;
    generation->plan = composition->plan;
    keep_report(supervisor, composition);
    if (composition->plan)
        rt_plan_redact(composition->plan);
    return composition->plan && !composition->diagnostics.errors;
}

/* --- the log --------------------------------------------------------------------------------- */

int rt_launch_log(const rt_plan *plan, uint32_t level)
{
    const char *name;
    int error = rt_logs_open(plan, &name);
    if (error)
        rt_log_host(level, "cannot open the log `%s`: %s", name, strerror(-error));
    return error ? EX_IOERR : 0;
}

/* While another generation serves, the log is its own until the switch; so it is only tried. */
static int prepare_log(rt_supervisor *supervisor, const rt_generation *generation)
{
    const char *file = rt_logs_file(generation->plan, RT_REOPEN_LOG);
    if (!supervisor->current)
        return rt_launch_log(generation->plan, RT_LOG_FATAL);
    int fd =
        file ? open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640)
             : STDERR_FILENO;
    if (fd < 0)
        return fail(supervisor, EX_IOERR, "cannot open the log `%s`: %s", file, strerror(errno));
    if (file)
        close(fd);
    return 0;
}

/* --- limits ---------------------------------------------------------------------------------- */

/* Secrets lie in this memory as in the workers', and a core file would carry them away. The limit
 * does not hold for cores that go to a program, the flag does; that one is gone after an upgrade.
 */
void rt_launch_hide(const rt_plan *plan)
{
    struct rlimit limit;
    prctl(PR_SET_DUMPABLE, RT_SANITIZED || rt_privileges_dumpable(plan), 0, 0, 0);
    if (!rt_privileges_dumpable(plan))
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    else if (plan->host.core_dumps && getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0)
        rt_log_host(RT_LOG_WARN, "`core_dumps` is set, but the limit of core files is 0 and stays "
                                 "so until rtd is started anew");
}

/* Workers inherit it. The soft limit is usually 1,024, for the sake of programs with select(2). */
static void raise_descriptor_limit(const rt_plan *plan)
{
    struct rlimit limit;
    uint64_t connections = (uint64_t)plan->host.http.max_connections;
    uint64_t needed = connections + OTHER_DESCRIPTORS;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (plan->host.limits.open_files) /* the workers set their own */
        limit.rlim_max = (rlim_t)plan->host.limits.open_files;
    if (limit.rlim_max < needed && rt_plan_serves_routes(plan))
        rt_log_host(
            RT_LOG_WARN,
            "a worker may open %ju descriptors, but %ju connections "
            "(`http.max_connections`) and %d others need %ju: raise %s",
            (uintmax_t)limit.rlim_max, (uintmax_t)connections, OTHER_DESCRIPTORS, (uintmax_t)needed,
            plan->host.limits.open_files ? "`limits.open_files`" : "the hard limit of open files");
}

/* --- sockets and copies ---------------------------------------------------------------------- */

static int open_sockets(rt_supervisor *supervisor, rt_generation *generation)
{
    const char *error;
    if (!supervisor->current)
        rt_passed_open();
    int result = rt_addresses_open(&supervisor->addresses, &generation->arena, generation->plan,
                                   &generation->sockets, &error);
    if (result == 0 && !supervisor->current)
        rt_passed_report();
    if (result == 0)
        return 0;
    return fail(supervisor, EX_UNAVAILABLE, "%s", error);
}

static void print_diagnostics(rt_supervisor *supervisor, const rt_diagnostics *diagnostics)
{
    rt_buffer text = {0};
    for (size_t i = 0; i < diagnostics->count; i++)
        rt_diagnostic_print(&text, diagnostics->items[i], false);
    fwrite(text.data, 1, text.length, stderr);
    rt_buffer_add(&supervisor->reload.report, text.data, text.length);
    rt_buffer_free(&text);
}

static int take_snapshot(rt_supervisor *supervisor, rt_generation *generation)
{
    rt_diagnostics diagnostics;
    const char *error = NULL;
    rt_diagnostics_init(&diagnostics, &generation->arena);
    int code = rt_snapshot_make(&generation->snapshot, &generation->arena, generation->composition,
                                &diagnostics, &error);
    if (code == EX_CONFIG) {
        print_diagnostics(supervisor, &diagnostics);
        return fail(supervisor, code, "a plugin changed while rtd %s: nothing of it was run",
                    supervisor->current ? "reloaded" : "started");
    }
    return code ? fail(supervisor, code, "cannot copy the plugins: %s", error) : 0;
}

static bool is_planned(const rt_plan *plan, const char *module)
{
    for (size_t i = 0; i < plan->instance_count; i++)
        if (strcmp(plan->instances[i].module, module) == 0)
            return true;
    return false;
}

static void warn_of_origin(const rt_generation *generation)
{
    for (size_t i = 0; i < generation->composition->manifest_count; i++) {
        const rt_manifest *manifest = generation->composition->manifests[i];
        if (is_planned(generation->plan, manifest->name) && manifest->runpath &&
            strstr(manifest->runpath, "ORIGIN"))
            rt_log_host(RT_LOG_WARN,
                        "module `%s` looks for libraries beside its file ($ORIGIN), but workers "
                        "load a copy of it from another folder",
                        manifest->name);
    }
}

/* --- announcing ------------------------------------------------------------------------------ */

static void describe_offers(rt_buffer *text, const rt_plan_instance *instance)
{
    for (size_t i = 0; i < instance->provides_count; i++)
        rt_buffer_format(text, "%s%s/%u", i ? ", " : " serves ", instance->provides[i].capability,
                         instance->provides[i].major);
}

static void announce(const rt_plan *plan)
{
    for (size_t i = 0; i < plan->instance_count; i++) {
        const rt_plan_instance *instance = &plan->instances[i];
        rt_buffer text = {0};
        if (!instance->development_only)
            continue;
        rt_buffer_text(&text, instance->name);
        describe_offers(&text, instance);
        if (instance->acknowledged)
            rt_log_host(RT_LOG_WARN, "acknowledged: development-only module %s in %s", text.data,
                        rt_environment_names[plan->environment]);
        else
            rt_log_host(RT_LOG_INFO, "development-only: %s", text.data);
        rt_buffer_free(&text);
    }
}

static size_t worker_count(const rt_plan *plan)
{
    if (plan->environment == RT_DEVELOPMENT || plan->host.workers < 1)
        return 1;
    return plan->host.workers > WORKERS_MOST ? WORKERS_MOST : (size_t)plan->host.workers;
}

/* --- all together ---------------------------------------------------------------------------- */

static int judge(rt_supervisor *supervisor, rt_generation *generation)
{
    bool fit = compose(supervisor, generation);
    const rt_composition *composition = generation->composition;
    bool records = fit && wants_records(supervisor, composition);
    if (fit && !supervisor->current)
        rt_launch_hide(generation->plan);
    if (!records)
        report(supervisor, composition);
    int code = fit ? prepare_log(supervisor, generation) : EX_CONFIG;
    if (records && !code)
        log_findings(&composition->diagnostics);
    if (!fit && supervisor->current)
        rt_reload_end(supervisor, EX_CONFIG, "%s is not fit for %s", composition->config_name,
                      rt_environment_names[composition->environment]);
    return code;
}

static int make(rt_supervisor *supervisor, rt_generation *generation)
{
    int code = judge(supervisor, generation);
    if (code)
        return code;
    if ((code = open_sockets(supervisor, generation)) ||
        (code = take_snapshot(supervisor, generation)))
        return code;
    const rt_plan *plan = generation->plan;
    if (supervisor->current)
        rt_launch_hide(plan);
    raise_descriptor_limit(plan);
    warn_of_origin(generation);
    announce(plan);
    rt_privileges_announce(plan);
    generation->variables = rt_worker_environment(&generation->arena, plan);
    generation->records = rt_exporting_socket(&supervisor->exporting, plan);
    int error = rt_generation_staff(generation, worker_count(plan), -1);
    if (!error && supervisor->current) /* which answers for how things are until the switch */
        rt_board_set_state(generation->board, RT_BOARD_JOINING);
    return error ? fail(supervisor, EX_OSERR, "no memory to share with the workers: %s",
                        strerror(-error))
                 : 0;
}

int rt_launch(rt_supervisor *supervisor)
{
    rt_generation *generation = rt_generation_new(supervisor->last_number + 1);
    generation->fibers = &supervisor->fibers;
    generation->calls = &supervisor->calls;
    rt_buffer_free(&supervisor->reload.report);
    int code = make(supervisor, generation);
    if (code) {
        rt_generation_free(generation);
        rt_addresses_keep(&supervisor->addresses,
                          supervisor->current ? &supervisor->current->sockets : NULL);
        return code;
    }
    supervisor->last_number = generation->number;
    generation->older = supervisor->generations;
    supervisor->generations = supervisor->next = generation;
    if (!supervisor->current) /* else when it serves */
        rt_exporting_follow(&supervisor->exporting, generation->plan);
    return 0;
}

/* Those of generations that have ended are forgotten. */
static void settle_secrets(const rt_supervisor *supervisor)
{
    rt_redact_forget();
    for (const rt_generation *g = supervisor->generations; g; g = g->older)
        rt_plan_redact(g->plan);
}

void rt_launch_settle(rt_supervisor *supervisor)
{
    const rt_plan *plan = supervisor->current->plan;
    settle_secrets(supervisor);
    rt_launch_log(plan, RT_LOG_ERROR);
    rt_exporting_follow(&supervisor->exporting, plan);
    rt_addresses_settle(&supervisor->addresses, plan);
    rt_addresses_keep(&supervisor->addresses, &supervisor->current->sockets);
}
