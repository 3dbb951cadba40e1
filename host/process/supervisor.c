/* The supervisor: one loop that follows the workers of all generations, signals and the control
 * socket, and does between two turns what was asked for. It loads no plugin. */
#include "process/supervisor.h"
#include "process/handover.h"
#include "process/notify.h"
#include "process/supervisor_metrics.h"
#include "telemetry/log.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

/* ns. Who signals a process and its group, as timeout(1) does, signals rtd twice and means once. */
#define ECHO (UINT64_C(250) * 1000000)

/* --- stopping -------------------------------------------------------------------------------- */

static void for_all(rt_supervisor *supervisor, void (*function)(rt_generation *generation))
{
    for (rt_generation *g = supervisor->generations; g; g = g->older)
        function(g);
}

static void tell_state(rt_supervisor *supervisor, enum rt_board_state state)
{
    for (rt_generation *g = supervisor->generations; g; g = g->older)
        rt_board_set_state(g->board, state);
}

static void stop_now(rt_supervisor *supervisor)
{
    tell_state(supervisor, RT_BOARD_DRAINING);
    supervisor->state = RT_STOPPING;
    supervisor->stop_at = 0;
    for_all(supervisor, rt_generation_stop);
    rt_addresses_keep(&supervisor->addresses, NULL);
}

/* Nothing new is begun; what has begun is stopped with all the rest. */
static void begin_stop(rt_supervisor *supervisor, const char *who)
{
    rt_generation *current = supervisor->current;
    int64_t delay = current ? current->plan->host.shutdown_delay : 0;
    rt_log_host(RT_LOG_INFO, "%s: stopping%s", who, delay > 0 ? " after `shutdown_delay`" : "");
    rt_notify_stopping("stopping");
    rt_upgrade_cancel(supervisor);
    if (supervisor->reload.running || supervisor->reload.asked)
        rt_control_finish(&supervisor->control, RT_WAITS_RELOAD, UINT64_MAX, "err",
                          "not reloaded: rtd stops", EX_UNAVAILABLE);
    supervisor->reload.running = supervisor->reload.asked = false;
    supervisor->reload.settles = 0;
    supervisor->state = RT_DELAYING;
    tell_state(supervisor, RT_BOARD_STOPPING);
    supervisor->stop_at = rt_monotonic() + (uint64_t)delay;
}

void rt_supervisor_stop(rt_supervisor *supervisor, const char *who)
{
    if (supervisor->stop_asked && rt_monotonic() - supervisor->stop_asked < ECHO)
        return;
    if (!supervisor->stop_asked)
        supervisor->stop_asked = rt_monotonic();
    if (supervisor->state == RT_RUNNING) {
        begin_stop(supervisor, who);
        return;
    }
    rt_log_host(RT_LOG_WARN, "%s again: stopping at once", who);
    supervisor->forced = true;
    for_all(supervisor, rt_generation_stop);
    for_all(supervisor, rt_generation_kill);
    rt_exporting_kill(&supervisor->exporting);
}

/* --- signals --------------------------------------------------------------------------------- */

static int open_signals(void)
{
    static const int watched[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++)
        sigaddset(&set, watched[i]);
    signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would reap for us */
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void reap(rt_supervisor *supervisor)
{
    for_all(supervisor, rt_generation_reap);
    rt_upgrade_reap(supervisor);
    rt_exporting_reap(&supervisor->exporting);
}

static void on_signal(rt_supervisor *supervisor, uint32_t number)
{
    const char *outcome;
    switch (number) {
    case SIGCHLD:
        reap(supervisor);
        break;
    case SIGHUP:
        rt_reload_ask(supervisor, "SIGHUP");
        break;
    case SIGUSR1:
        rt_logs_reopen(supervisor, "SIGUSR1", &outcome);
        break;
    case SIGUSR2:
        rt_upgrade_ask(supervisor, "SIGUSR2");
        break;
    default:
        rt_supervisor_stop(supervisor, number == SIGINT ? "SIGINT" : "SIGTERM");
    }
}

static void read_signals(rt_supervisor *supervisor)
{
    struct signalfd_siginfo info;
    while (read(supervisor->signals, &info, sizeof info) == sizeof info)
        on_signal(supervisor, info.ssi_signo);
}

/* --- between two turns ----------------------------------------------------------------------- */

static void describe_end(const rt_generation *generation)
{
    const char *how = generation->unclean ? " by force" : "";
    if (generation->cut)
        rt_log_host(RT_LOG_WARN, "generation %u has ended%s: %ju request%s interrupted",
                    generation->number, how, (uintmax_t)generation->cut,
                    generation->cut == 1 ? " was" : "s were");
    else
        rt_log_host(RT_LOG_INFO, "generation %u has ended%s", generation->number, how);
}

/* Those that have drained. */
static void bury_ended(rt_supervisor *supervisor)
{
    for (rt_generation **at = &supervisor->generations; *at;) {
        rt_generation *generation = *at;
        if (!generation->retired || rt_generation_alive(generation)) {
            at = &generation->older;
            continue;
        }
        describe_end(generation);
        if (supervisor->state == RT_STOPPING)
            supervisor->unclean |= generation->unclean;
        *at = generation->older;
        rt_generation_free(generation);
    }
}

static void advance(rt_supervisor *supervisor)
{
    if (supervisor->stop_at && rt_monotonic() >= supervisor->stop_at)
        stop_now(supervisor);
    bury_ended(supervisor);
    rt_fibers_advance(supervisor);
    rt_calls_advance(supervisor);
    if (supervisor->state != RT_RUNNING)
        return;
    rt_reload_advance(supervisor);
    rt_upgrade_advance(supervisor);
    bool idle = supervisor->current && !supervisor->reload.running && !supervisor->upgrade.pid;
    if (idle && supervisor->upgrade.asked)
        rt_upgrade_begin(supervisor);
    else if (idle && supervisor->reload.asked)
        rt_reload_begin(supervisor);
}

/* The last worker has ended, and no other will start. */
static bool ends(const rt_supervisor *supervisor)
{
    size_t alive = 0;
    for (const rt_generation *g = supervisor->generations; g; g = g->older)
        alive += rt_generation_alive(g);
    return !alive && (supervisor->state == RT_STOPPING || supervisor->state == RT_FAILING ||
                      supervisor->forced);
}

static bool is_over(const rt_supervisor *supervisor)
{
    return ends(supervisor) && rt_exporting_is_over(&supervisor->exporting);
}

/* --- the service manager ---------------------------------------------------------------------- */

/* When the last of the limits on what starts or stops now ends; 0: nothing does. */
static uint64_t longest_limit(const rt_supervisor *supervisor)
{
    bool runs = supervisor->state == RT_RUNNING;
    uint64_t latest = runs ? 0 : rt_exporting_due(&supervisor->exporting);
    latest = supervisor->stop_at > latest ? supervisor->stop_at : latest;
    for (const rt_generation *g = supervisor->generations; g; g = g->older) {
        uint64_t due = !runs || g == supervisor->next ? rt_generation_latest(g) : 0;
        latest = due > latest ? due : latest;
    }
    return latest;
}

/* While it starts and stops, the limits of those are what the service manager looks at. */
static bool is_well(const rt_supervisor *supervisor)
{
    return supervisor->state != RT_RUNNING || !supervisor->current ||
           rt_generation_turns(supervisor->current);
}

static void tell_manager(const rt_supervisor *supervisor)
{
    uint64_t now = rt_monotonic();
    rt_notify_extend(longest_limit(supervisor), now);
    if (rt_notify_tick(now))
        rt_notify_sign(is_well(supervisor));
}

/* --- the loop -------------------------------------------------------------------------------- */

static void sooner(uint64_t *due, uint64_t other)
{
    if (other && (!*due || other < *due))
        *due = other;
}

static int time_to_wait(const rt_supervisor *supervisor)
{
    uint64_t due = supervisor->stop_at, now = rt_monotonic();
    for (const rt_generation *g = supervisor->generations; g; g = g->older)
        sooner(&due, rt_generation_due(g));
    sooner(&due, rt_control_due(&supervisor->control));
    sooner(&due, supervisor->upgrade.due);
    sooner(&due, supervisor->reload.settles);
    sooner(&due, rt_notify_due());
    sooner(&due, supervisor->fibers.due);
    sooner(&due, rt_supervisor_metrics_due());
    sooner(&due, rt_asked_due(&supervisor->calls));
    sooner(&due, rt_exporting_due(&supervisor->exporting));
    bool waits = supervisor->state == RT_RUNNING && supervisor->current &&
                 !supervisor->reload.running && !supervisor->upgrade.pid &&
                 (supervisor->reload.asked || supervisor->upgrade.asked);
    if (waits || (due && due <= now))
        return 0;
    if (!due)
        return -1;
    uint64_t milliseconds = (due - now) / 1000000 + 1;
    return milliseconds < INT_MAX ? (int)milliseconds : INT_MAX;
}

enum {
    SIGNALS,
    UPGRADE,
    REPEATS,
    EXPORTERS,
    CONTROL = EXPORTERS + RT_EXPORTERS,
    WORKERS = CONTROL + RT_CONTROL_POLLS
};

static size_t fill_polls(rt_supervisor *supervisor)
{
    size_t count = WORKERS;
    for (const rt_generation *g = supervisor->generations; g; g = g->older)
        count += g->count;
    if (count > supervisor->poll_room) {
        supervisor->poll_room = 2 * count;
        supervisor->polls =
            rt_xrealloc(supervisor->polls, supervisor->poll_room * sizeof *supervisor->polls);
    }
    struct pollfd *polls = supervisor->polls;
    polls[SIGNALS] = (struct pollfd){.fd = supervisor->signals, .events = POLLIN};
    polls[UPGRADE] = (struct pollfd){.fd = supervisor->upgrade.output, .events = POLLIN};
    polls[REPEATS] = (struct pollfd){.fd = rt_log_settles(), .events = POLLIN};
    rt_exporting_poll(&supervisor->exporting, polls + EXPORTERS);
    rt_control_poll(&supervisor->control, polls + CONTROL);
    polls += WORKERS;
    for (const rt_generation *g = supervisor->generations; g; polls += g->count, g = g->older)
        rt_generation_poll(g, polls);
    return count;
}

/* Workers first: what they told counts before what is asked about them. */
static void handle(rt_supervisor *supervisor)
{
    const struct pollfd *polls = supervisor->polls + WORKERS;
    for (rt_generation *g = supervisor->generations; g; polls += g->count, g = g->older)
        rt_generation_handle(g, polls);
    rt_upgrade_handle(supervisor, &supervisor->polls[UPGRADE]);
    if (supervisor->polls[REPEATS].revents)
        rt_log_settle(false);
    rt_exporting_handle(&supervisor->exporting, supervisor->polls + EXPORTERS);
    read_signals(supervisor);
    rt_control_handle(&supervisor->control, supervisor->polls + CONTROL);
}

static void turn(rt_supervisor *supervisor)
{
    uint64_t now = rt_monotonic();
    for (rt_generation *g = supervisor->generations; g; g = g->older)
        rt_generation_tick(g, now);
    rt_control_tick(&supervisor->control, now);
    rt_exporting_tick(&supervisor->exporting, now);
    size_t count = fill_polls(supervisor);
    if (poll(supervisor->polls, count, time_to_wait(supervisor)) > 0)
        handle(supervisor);
    advance(supervisor);
    rt_supervisor_metrics_refresh(supervisor);
    if (ends(supervisor))
        rt_exporting_stop(&supervisor->exporting);
    tell_manager(supervisor);
}

/* --- beginning and end ----------------------------------------------------------------------- */

static void open_control(rt_supervisor *supervisor)
{
    const rt_plan *plan = supervisor->next->plan;
    const char *configured = plan->host.control.socket, *error;
    const char *config = supervisor->startup->request.config_files[0];
    const char *path =
        configured ? configured : rt_control_default(&supervisor->arena, plan->host.name, config);
    if (!path)
        rt_log_host(RT_LOG_WARN, "no place for a control socket: rtctl does not reach this rtd");
    else if (!rt_control_open(&supervisor->control, &supervisor->arena, path, &error))
        rt_log_host(RT_LOG_WARN, "no control socket at `%s`: %s; rtctl does not reach this rtd",
                    path, error);
}

static int begin(rt_supervisor *supervisor)
{
    if (supervisor->signals < 0)
        return EX_OSERR;
    rt_notify_open();
    supervisor->control.ask = rt_command_run;
    supervisor->control.owner = supervisor;
    if (supervisor->startup->state >= 0)
        return rt_handover_take(supervisor);
    rt_supervisor_metrics_open();
    int code = rt_launch(supervisor);
    if (code == 0)
        open_control(supervisor);
    return code;
}

static int last_words(rt_supervisor *supervisor)
{
    if (supervisor->state == RT_FAILING) {
        rt_log_host(RT_LOG_FATAL, "%s", supervisor->generations->first_problem);
        return supervisor->failure;
    }
    for (const rt_generation *g = supervisor->generations; g; g = g->older)
        supervisor->unclean |= g->unclean;
    bool clean = !supervisor->unclean && !supervisor->forced;
    const char *text = clean ? "stopped" : "stopped by force";
    int code = clean ? 0 : EX_SOFTWARE;
    rt_log_host(clean ? RT_LOG_INFO : RT_LOG_ERROR, "%s", text);
    rt_control_finish(&supervisor->control, RT_WAITS_STOP, UINT64_MAX, clean ? "out" : "err", text,
                      code);
    return code;
}

static void end(rt_supervisor *supervisor)
{
    while (supervisor->generations) {
        rt_generation *generation = supervisor->generations;
        supervisor->generations = generation->older;
        rt_generation_free(generation);
    }
    rt_notify_close();
    rt_control_close(&supervisor->control);
    rt_addresses_keep(&supervisor->addresses, NULL);
    rt_buffer_free(&supervisor->reload.report);
    rt_buffer_free(&supervisor->upgrade.text);
    rt_fibers_free(&supervisor->fibers);
    rt_calls_free(supervisor);
    rt_exporting_free(&supervisor->exporting);
    if (supervisor->signals >= 0)
        close(supervisor->signals);
    rt_supervisor_metrics_close();
    free(supervisor->polls);
    rt_arena_free(&supervisor->arena);
}

/* Not on the stack, for its clients' lines are many pages. */
int rt_supervise(const rt_startup *startup)
{
    rt_supervisor *supervisor = rt_xcalloc(1, sizeof *supervisor);
    supervisor->startup = startup;
    supervisor->program = startup->program;
    supervisor->began = rt_monotonic();
    supervisor->upgrade.output = -1;
    supervisor->signals = open_signals();
    rt_control_init(&supervisor->control);
    rt_exporting_init(&supervisor->exporting);
    rt_arena_init(&supervisor->arena);
    int code = begin(supervisor);
    if (code == 0) {
        while (!is_over(supervisor))
            turn(supervisor);
        code = last_words(supervisor);
    }
    end(supervisor);
    free(supervisor);
    return code;
}
