/* The supervisor: prepares what workers inherit, starts them, watches them, and ends with them. It
 * loads no plugin. */
#include "process/generation.h"
#include "process/process.h"
#include "process/role.h"
#include "process/snapshot.h"
#include "telemetry/log.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#define WORKERS_MOST 1024

/* What a worker opens beside connections: listening sockets, its log, whatever modules need. */
#define OTHER_DESCRIPTORS 100

enum supervisor_state {
    STARTING,
    SERVING,
    DELAYING, /* `shutdown_delay` runs */
    STOPPING,
    FAILING, /* the first start failed: the other workers are stopped */
};

/* ns. Who signals a process and its group, as timeout(1) does, signals rtd twice and means once. */
#define ECHO (UINT64_C(250) * 1000000)

struct supervisor {
    rt_arena arena;
    const rt_composition *composition;
    rt_plan *plan;
    rt_snapshot snapshot;
    rt_sockets sockets;
    rt_generation generation;
    enum supervisor_state state;
    int signals; /* signalfd */
    uint64_t began;
    uint64_t stop_asked; /* when the first signal to stop came; 0: none did */
    uint64_t stop_at;    /* end of `shutdown_delay`; 0: none runs */
    bool forced;
};

/* --- preparing ------------------------------------------------------------------------------- */

static bool is_strict(const rt_plan *plan)
{
    return plan->environment == RT_STAGING || plan->environment == RT_PRODUCTION;
}

/* Secrets lie in the workers' memory, and a core file would carry them away. */
static void limit_cores(const rt_plan *plan)
{
    if (is_strict(plan) && !plan->host.core_dumps)
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static bool serves_routes(const rt_plan *plan)
{
    for (size_t i = 0; i < plan->instance_count; i++)
        if (plan->instances[i].serves & RT_SERVES_ROUTES)
            return true;
    return false;
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
    if (limit.rlim_max < needed && serves_routes(plan))
        rt_log_host(RT_LOG_WARN,
                    "a worker may open %ju descriptors, but %ju connections "
                    "(`http.max_connections`) and %d others need %ju: raise the hard limit of open "
                    "files",
                    (uintmax_t)limit.rlim_max, (uintmax_t)connections, OTHER_DESCRIPTORS,
                    (uintmax_t)needed);
}

static int open_log(const rt_plan *plan)
{
    rt_log_options options = {plan->host.log.level, plan->host.log.format, plan->host.log.file,
                              plan->host.name};
    int error = rt_log_open(&options);
    if (error)
        rt_log_host(RT_LOG_FATAL, "cannot open the log `%s`: %s",
                    options.file ? options.file : "standard error", strerror(-error));
    return error ? EX_IOERR : 0;
}

/* What the report would have said, in a log that programs read. */
static void log_findings(const rt_composition *composition)
{
    static const uint32_t levels[] = {
        [RT_INFO] = RT_LOG_INFO, [RT_WARNING] = RT_LOG_WARN, [RT_ERROR] = RT_LOG_ERROR};
    if (strcmp(composition->plan->host.log.format, "json") != 0)
        return;
    for (size_t i = 0; i < composition->diagnostics.count; i++) {
        const rt_diagnostic *item = composition->diagnostics.items[i];
        const char *file = item->place.file ? item->place.file : "";
        rt_log_host(levels[item->severity], "%s%s%s [%s]", file, *file ? ": " : "", item->message,
                    rt_diagnostic_table[item->id].number);
    }
}

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

static int open_sockets(struct supervisor *supervisor)
{
    const rt_setting *addresses = supervisor->plan->host.http.listen;
    const char *error;
    if (!addresses || !serves_routes(supervisor->plan))
        return 0;
    for (uint32_t i = 0; i < addresses->count; i++) {
        const char *address = addresses->value.members[i].value.text;
        if (rt_listen(&supervisor->sockets, &supervisor->arena, address, &error) == 0)
            continue;
        rt_log_host(RT_LOG_FATAL, "cannot listen on `%s`: %s", address, error);
        return EX_UNAVAILABLE;
    }
    return 0;
}

static void print_diagnostics(const rt_diagnostics *diagnostics)
{
    rt_buffer text = {0};
    for (size_t i = 0; i < diagnostics->count; i++)
        rt_diagnostic_print(&text, diagnostics->items[i], false);
    fwrite(text.data, 1, text.length, stderr);
    rt_buffer_free(&text);
}

static int take_snapshot(struct supervisor *supervisor)
{
    rt_diagnostics diagnostics;
    const char *error = NULL;
    rt_diagnostics_init(&diagnostics, &supervisor->arena);
    int code = rt_snapshot_make(&supervisor->snapshot, &supervisor->arena, supervisor->composition,
                                &diagnostics, &error);
    if (code == EX_CONFIG) {
        print_diagnostics(&diagnostics);
        rt_log_host(RT_LOG_FATAL, "a plugin changed while rtd started: nothing of it was run");
    } else if (code) {
        rt_log_host(RT_LOG_FATAL, "cannot copy the plugins: %s", error);
    }
    return code;
}

static bool is_planned(const rt_plan *plan, const char *module)
{
    for (size_t i = 0; i < plan->instance_count; i++)
        if (strcmp(plan->instances[i].module, module) == 0)
            return true;
    return false;
}

static void warn_of_origin(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->composition->manifest_count; i++) {
        const rt_manifest *manifest = supervisor->composition->manifests[i];
        if (is_planned(supervisor->plan, manifest->name) && manifest->runpath &&
            strstr(manifest->runpath, "ORIGIN"))
            rt_log_host(RT_LOG_WARN,
                        "module `%s` looks for libraries beside its file ($ORIGIN), but workers "
                        "load a copy of it from another folder",
                        manifest->name);
    }
}

/* --- signals --------------------------------------------------------------------------------- */

static int open_signals(void)
{
    static const int watched[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++)
        sigaddset(&set, watched[i]);
    signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would reap for us */
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void stop_now(struct supervisor *supervisor)
{
    supervisor->state = STOPPING;
    supervisor->stop_at = 0;
    rt_generation_stop(&supervisor->generation);
    rt_sockets_close(&supervisor->sockets);
}

static void on_stop_signal(struct supervisor *supervisor, const char *name)
{
    int64_t delay = supervisor->plan->host.shutdown_delay;
    if (supervisor->stop_asked && rt_monotonic() - supervisor->stop_asked < ECHO)
        return;
    if (!supervisor->stop_asked)
        supervisor->stop_asked = rt_monotonic();
    if (supervisor->state == STARTING || supervisor->state == SERVING) {
        bool delays = delay > 0 && supervisor->state == SERVING;
        rt_log_host(RT_LOG_INFO, "%s: stopping%s", name, delays ? " after `shutdown_delay`" : "");
        supervisor->state = DELAYING;
        supervisor->stop_at = rt_monotonic() + (uint64_t)(delays ? delay : 0);
        return;
    }
    rt_log_host(RT_LOG_WARN, "%s again: stopping at once", name);
    supervisor->forced = true;
    rt_generation_stop(&supervisor->generation);
    rt_generation_kill(&supervisor->generation);
}

static void on_signal(struct supervisor *supervisor, const struct signalfd_siginfo *info)
{
    switch (info->ssi_signo) {
    case SIGCHLD:
        rt_generation_reap(&supervisor->generation);
        break;
    case SIGHUP:
        rt_log_host(RT_LOG_WARN,
                    "SIGHUP is ignored: changes of configuration and plugins need a restart");
        break;
    default:
        on_stop_signal(supervisor, info->ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
    }
}

static void read_signals(struct supervisor *supervisor)
{
    struct signalfd_siginfo info;
    while (read(supervisor->signals, &info, sizeof info) == sizeof info)
        on_signal(supervisor, &info);
}

/* --- running --------------------------------------------------------------------------------- */

static void announce_ready(struct supervisor *supervisor)
{
    rt_buffer urls = {0};
    for (size_t i = 0; i < supervisor->sockets.url_count; i++)
        rt_buffer_format(&urls, "%s, ", supervisor->sockets.urls[i]);
    size_t modules = supervisor->plan->instance_count;
    rt_log_host(RT_LOG_INFO, "ready: %s%zu module%s, %.0f ms", urls.length ? urls.data : "",
                modules, modules == 1 ? "" : "s",
                (double)(rt_monotonic() - supervisor->began) / 1e6);
    rt_buffer_free(&urls);
}

static void advance(struct supervisor *supervisor)
{
    rt_generation *generation = &supervisor->generation;
    if (supervisor->stop_at && rt_monotonic() >= supervisor->stop_at)
        stop_now(supervisor);
    if (supervisor->state != STARTING)
        return;
    if (generation->first_problem) {
        supervisor->state = FAILING;
        rt_generation_stop(generation);
        rt_sockets_close(&supervisor->sockets);
    } else if (rt_generation_ready(generation)) {
        supervisor->state = SERVING;
        announce_ready(supervisor);
    }
}

static bool is_over(const struct supervisor *supervisor)
{
    return (supervisor->state == STOPPING || supervisor->state == FAILING || supervisor->forced) &&
           rt_generation_alive(&supervisor->generation) == 0;
}

static int time_to_wait(const struct supervisor *supervisor)
{
    uint64_t due = rt_generation_due(&supervisor->generation), now = rt_monotonic();
    if (supervisor->stop_at && (!due || supervisor->stop_at < due))
        due = supervisor->stop_at;
    if (!due)
        return -1;
    if (due <= now)
        return 0;
    uint64_t milliseconds = (due - now) / 1000000 + 1;
    return milliseconds < INT_MAX ? (int)milliseconds : INT_MAX;
}

static void run(struct supervisor *supervisor)
{
    size_t count = supervisor->generation.count;
    struct pollfd *polls = rt_arena_alloc(&supervisor->arena, (count + 1) * sizeof *polls);
    while (!is_over(supervisor)) {
        rt_generation_tick(&supervisor->generation, rt_monotonic());
        rt_generation_poll(&supervisor->generation, polls);
        polls[count] = (struct pollfd){.fd = supervisor->signals, .events = POLLIN};
        if (poll(polls, count + 1, time_to_wait(supervisor)) > 0) {
            rt_generation_handle(&supervisor->generation, polls);
            read_signals(supervisor);
        }
        advance(supervisor);
    }
}

static int last_words(const struct supervisor *supervisor)
{
    const rt_generation *generation = &supervisor->generation;
    if (supervisor->state == FAILING) {
        rt_log_host(RT_LOG_FATAL, "%s", generation->first_problem);
        return EX_UNAVAILABLE;
    }
    bool clean = !generation->unclean && !supervisor->forced;
    rt_log_host(clean ? RT_LOG_INFO : RT_LOG_ERROR, clean ? "stopped" : "stopped by force");
    return clean ? 0 : EX_SOFTWARE;
}

static size_t worker_count(const rt_plan *plan)
{
    if (plan->environment == RT_DEVELOPMENT || plan->host.workers < 1)
        return 1;
    return plan->host.workers > WORKERS_MOST ? WORKERS_MOST : (size_t)plan->host.workers;
}

static int prepare(struct supervisor *supervisor)
{
    rt_plan *plan = supervisor->plan;
    int code;
    limit_cores(plan);
    if ((code = open_log(plan)))
        return code;
    log_findings(supervisor->composition);
    if ((code = open_sockets(supervisor)) || (code = take_snapshot(supervisor)))
        return code;
    raise_descriptor_limit(plan);
    warn_of_origin(supervisor);
    announce(plan);
    char **variables = rt_environment_without(&supervisor->arena, environ, plan->secret_variables,
                                              plan->secret_variable_count);
    int error = rt_generation_init(&supervisor->generation, &supervisor->arena, plan,
                                   &supervisor->sockets, variables, worker_count(plan));
    if (error)
        rt_log_host(RT_LOG_FATAL, "no memory to share with the workers: %s", strerror(-error));
    return error ? EX_OSERR : 0;
}

int rt_supervise(const rt_composition *composition)
{
    struct supervisor supervisor = {.composition = composition,
                                    .plan = composition->plan,
                                    .began = rt_monotonic(),
                                    .signals = open_signals()};
    rt_arena_init(&supervisor.arena);
    int code = supervisor.signals < 0 ? EX_OSERR : prepare(&supervisor);
    if (code == 0) {
        run(&supervisor);
        code = last_words(&supervisor);
    }
    rt_generation_free(&supervisor.generation);
    rt_sockets_close(&supervisor.sockets);
    rt_snapshot_remove(&supervisor.snapshot);
    if (supervisor.signals >= 0)
        close(supervisor.signals);
    rt_arena_free(&supervisor.arena);
    return code;
}
