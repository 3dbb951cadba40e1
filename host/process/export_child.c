/* The exporter's process: `rtd --role=exporter`. The supervisor says what is sent where, and when
 * to end; without a supervisor it ends as if it had been told to. */
#include "export/exporter.h"
#include "process/exporting.h"
#include "process/generation.h"
#include "process/instance_id.h"
#include "process/logs.h"
#include "process/metric_pool.h"
#include "process/privilege.h"
#include "process/process.h"
#include "process/role.h"
#include "telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define RT_SECOND UINT64_C(1000000000)

#define TOLD_EVERY RT_SECOND /* ns */
#define DRAIN_PART 5         /* of the time for the last: workers of another exporter go on */

struct child {
    int control;
    rt_inbox inbox;
    rt_parcel parcel; /* that came with messages */
    rt_arena arena;
    rt_setup *setup;
    char instance[RT_INSTANCE_ID];
    rt_exporter *exporter;
    uint64_t metrics_due, tell_due; /* 0: never */
    uint64_t told[RT_SIGNAL_COUNT][RT_EXPORT_KINDS];
    bool stops;
    uint64_t limit; /* ns to send what is left */
};

/* --- counts ---------------------------------------------------------------------------------- */

static bool count(const rt_sender *sender, uint64_t counts[RT_EXPORT_KINDS])
{
    uint64_t before[RT_EXPORT_KINDS];
    memcpy(before, counts, sizeof before);
    for (size_t i = 0; i < RT_SENT_KINDS; i++)
        counts[i] = sender->counts[i];
    return memcmp(before, counts, sizeof before) != 0;
}

static void tell_counts(struct child *child)
{
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++) {
        uint64_t *told = child->told[i];
        rt_buffer text = {0};
        if (!count(&child->exporter->ways[i].sender, told))
            continue;
        for (size_t k = 0; k < RT_EXPORT_KINDS; k++)
            rt_buffer_format(&text, "%s%ju", k ? " " : "", (uintmax_t)told[k]);
        rt_message_send(child->control,
                        &(rt_message){.kind = RT_TELL_EXPORTED, .number = i, .text = text.data});
        rt_buffer_free(&text);
    }
    child->tell_due = rt_monotonic() + TOLD_EVERY;
}

/* --- the supervisor's words ------------------------------------------------------------------ */

static void take_messages(struct child *child)
{
    rt_message message;
    int taken;
    while ((taken = rt_inbox_take(&child->inbox, &child->arena, &message)) > 0) {
        if (message.kind == RT_TELL_REOPEN)
            rt_logs_take(child->setup->plan, message.number, &child->parcel, NULL, 0);
        if (message.kind != RT_TELL_STOP)
            continue;
        child->stops = true;
        child->limit = message.number;
    }
    child->stops |= taken < 0;
}

static void listen_to_supervisor(struct child *child)
{
    ssize_t got = rt_inbox_fill(&child->inbox, child->control);
    if (got == -EAGAIN)
        return;
    if (got <= 0)
        child->stops = true;
    else
        take_messages(child);
}

/* --- metrics --------------------------------------------------------------------------------- */

static void take_metrics(struct child *child)
{
    struct timespec time;
    int pool = child->setup->metrics;
    rt_metric_view *view = rt_metric_view_new();
    clock_gettime(CLOCK_REALTIME, &time);
    rt_metric_times times = {.began = rt_metric_pool_began(pool),
                             .now = (uint64_t)time.tv_sec * RT_SECOND + (uint64_t)time.tv_nsec};
    int error = rt_metric_pool_read(pool, view);
    if (error)
        rt_log_host(RT_LOG_WARN, "metrics cannot be read: %s", strerror(-error));
    rt_metric_view_finish(view);
    rt_exporter_metrics(child->exporter, view, &times);
    rt_metric_view_free(view);
}

/* --- life ------------------------------------------------------------------------------------ */

static void serve(struct child *child)
{
    const struct rt_telemetry_settings *telemetry = &child->setup->plan->host.telemetry;
    bool sends_metrics = telemetry->signals[RT_SIGNAL_METRICS].endpoint && telemetry->metrics;
    uint64_t interval = (uint64_t)telemetry->interval;
    child->metrics_due = sends_metrics ? rt_monotonic() + interval : 0;
    child->tell_due = rt_monotonic() + TOLD_EVERY;
    take_messages(child); /* that came with the setup */
    while (!child->stops) {
        uint64_t due = child->metrics_due && child->metrics_due < child->tell_due
                           ? child->metrics_due
                           : child->tell_due;
        if (rt_exporter_turn(child->exporter, child->control, due))
            listen_to_supervisor(child);
        uint64_t now = rt_monotonic();
        if (child->metrics_due && child->metrics_due <= now) {
            take_metrics(child);
            child->metrics_due = now + interval;
        }
        if (child->tell_due <= now)
            tell_counts(child);
    }
}

/* What the supervisor does about an end that it waits for is not its business any more. */
static void finish(struct child *child)
{
    uint64_t end = rt_monotonic() + child->limit;
    rt_exporter_drain(child->exporter, rt_monotonic() + child->limit / DRAIN_PART);
    if (child->metrics_due)
        take_metrics(child);
    rt_exporter_flush(child->exporter);
    while (!rt_exporter_is_idle(child->exporter) && rt_monotonic() < end)
        rt_exporter_turn(child->exporter, -1, end);
    rt_exporter_give_up(child->exporter);
    tell_counts(child);
    rt_exporter_close(child->exporter);
}

/* --- beginning ------------------------------------------------------------------------------- */

/* The supervisor alone says when to end. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
}

static int confine(const rt_plan *plan)
{
    rt_buffer problem = {0};
    int error = rt_privileges_drop(plan, &problem);
    if (error)
        rt_log_host(RT_LOG_ERROR, "the exporter cannot be confined: %s", problem.data);
    rt_buffer_free(&problem);
    return error;
}

static int open_child(struct child *child)
{
    const rt_plan *plan = child->setup->plan;
    const char *error = "", *log;
    rt_export_settings settings = {.telemetry = &plan->host.telemetry,
                                   .environment = rt_environment_names[plan->environment],
                                   .instance = child->instance,
                                   .follows = child->setup->number > 1};
    rt_instance_id(child->instance);
    if (rt_logs_open(plan, &log) < 0)
        return EX_IOERR;
    if (confine(plan) < 0)
        return EX_OSERR;
    child->exporter = rt_exporter_open(&settings, child->setup->records, &error);
    if (child->exporter)
        return 0;
    rt_log_host(RT_LOG_ERROR, "telemetry cannot be exported: %s", error);
    return EX_UNAVAILABLE;
}

int rt_export_main(void)
{
    struct child child = {.control = rt_role_control(), .limit = RT_EXPORT_LAST};
    if (child.control < 0)
        return EX_USAGE;
    ignore_signals();
    rt_arena_init(&child.arena);
    child.inbox.parcel = &child.parcel;
    child.setup = rt_setup_receive(&child.inbox, &child.arena, child.control);
    int code = child.setup ? open_child(&child) : EX_PROTOCOL;
    if (code == 0) {
        fcntl(child.control, F_SETFL, O_NONBLOCK);
        serve(&child);
        finish(&child);
    }
    rt_inbox_free(&child.inbox);
    rt_parcel_drop(&child.parcel);
    rt_arena_free(&child.arena);
    return code;
}
