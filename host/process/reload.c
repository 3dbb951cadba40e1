/* Reload: the next generation starts beside the one that serves, takes over when all its workers
 * are ready, and the old one drains. Whatever goes wrong before that leaves things as they were. */
#include "process/notify.h"
#include "process/supervisor.h"
#include "process/supervisor_metrics.h"

#include "http/http.h"
#include "telemetry/log.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* An old worker that does not hear of it for so long is held, and takes no connections either. */
#define SETTLE_LIMIT RT_SECOND

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

uint64_t rt_reload_ticket(const rt_supervisor *supervisor)
{
    return supervisor->reload.count + 1;
}

void rt_reload_ask(rt_supervisor *supervisor, const char *who)
{
    if (supervisor->state != RT_RUNNING) {
        rt_log_host(RT_LOG_WARN, "%s: no reload, for rtd stops", who);
        return;
    }
    if (!supervisor->current || supervisor->reload.running)
        rt_log_host(RT_LOG_INFO, "%s: a reload follows when %s", who,
                    supervisor->current ? "the one that runs has ended" : "rtd has started");
    else
        rt_log_host(RT_LOG_INFO, "%s: reloading", who);
    supervisor->reload.asked = true;
}

void rt_reload_end(rt_supervisor *supervisor, int status, const char *format, ...)
{
    rt_reload *reload = &supervisor->reload;
    rt_outcome *last = &reload->last;
    rt_buffer text = {0}, verdict = {0};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last->text, sizeof last->text, format, arguments);
    va_end(arguments);
    last->at = rt_monotonic();
    last->status = status;
    reload->running = false;
    rt_count_reload(status);
    if (status == 0)
        rt_buffer_format(&verdict, "reloaded: %s", last->text);
    else
        rt_buffer_format(&verdict, "not reloaded, generation %u goes on: %s",
                         supervisor->current->number, last->text);
    rt_log_host(status ? RT_LOG_ERROR : RT_LOG_INFO, "%s", verdict.data);
    rt_notify_ready(verdict.data);
    rt_buffer_add(&text, reload->report.data, reload->report.length);
    rt_buffer_format(&text, "%s\n", verdict.data);
    const char *word = status ? "err" : "out";
    rt_control_finish(&supervisor->control, RT_WAITS_RELOAD, reload->count, word, text.data,
                      status);
    rt_control_finish(&supervisor->control, RT_WAITS_UPGRADE, reload->count, word, text.data,
                      status);
    rt_buffer_free(&verdict);
    rt_buffer_free(&text);
}

void rt_reload_begin(rt_supervisor *supervisor)
{
    rt_reload *reload = &supervisor->reload;
    reload->asked = false;
    reload->running = true;
    reload->count++;
    reload->began = rt_monotonic();
    rt_notify_reloading("reloading");
    rt_launch(supervisor); /* which says why not */
}

/* --- switching ------------------------------------------------------------------------------- */

/* Those that drain and still have time for it: the oldest in `*oldest`. */
static size_t count_draining(const rt_supervisor *supervisor, rt_generation **oldest)
{
    size_t count = 0;
    for (rt_generation *g = supervisor->generations; g; g = g->older) {
        if (!g->retired || g->interrupted)
            continue;
        count++;
        *oldest = g;
    }
    return count;
}

static void retire(rt_supervisor *supervisor, rt_generation *generation)
{
    rt_generation *oldest = NULL;
    rt_board_set_state(generation->board, RT_BOARD_RETIRED);
    rt_generation_retire(generation);
    if (count_draining(supervisor, &oldest) <= RT_DRAINING_MOST)
        return;
    rt_log_host(RT_LOG_WARN, "generation %u is interrupted: %d younger ones drain", oldest->number,
                RT_DRAINING_MOST);
    rt_generation_interrupt(oldest);
}

/* What was asked for and does not happen. */
static void say_what_stays(const rt_supervisor *supervisor, const rt_generation *old)
{
    const char *before = old->plan->host.control.socket;
    const char *after = supervisor->current->plan->host.control.socket;
    if (strcmp(before ? before : "", after ? after : "") != 0)
        rt_log_host(RT_LOG_WARN, "`control.socket` takes effect when rtd is started anew");
}

static void switch_over(rt_supervisor *supervisor)
{
    rt_generation *old = supervisor->current;
    supervisor->current = supervisor->next;
    supervisor->next = NULL;
    rt_board_set_state(supervisor->current->board, RT_BOARD_SERVING);
    rt_launch_settle(supervisor);
    say_what_stays(supervisor, old);
    retire(supervisor, old);
}

static void describe(rt_buffer *text, const rt_generation *generation)
{
    size_t modules = generation->plan->instance_count;
    for (size_t i = 0; i < generation->sockets.count; i++) {
        const rt_socket *socket = &generation->sockets.items[i];
        rt_buffer_format(text, "%s%s, ", socket->flags & RT_LISTEN_ADMIN ? "admin " : "",
                         socket->url);
    }
    rt_buffer_format(text, "%zu module%s", modules, plural(modules));
}

static double milliseconds_to_serve(const rt_generation *generation)
{
    return (double)(generation->serving - generation->began) / 1e6;
}

static void serve_first(rt_supervisor *supervisor)
{
    rt_generation *first = supervisor->next;
    rt_buffer text = {0};
    supervisor->current = first;
    supervisor->next = NULL;
    rt_board_set_state(first->board, RT_BOARD_SERVING);
    describe(&text, first);
    rt_log_host(RT_LOG_INFO, "ready: %s, %.0f ms", text.data, milliseconds_to_serve(first));
    rt_notify_ready(text.data);
    rt_buffer_free(&text);
}

/* --- after the switch ------------------------------------------------------------------------ */

static bool old_ones_take(const rt_supervisor *supervisor)
{
    for (const rt_generation *g = supervisor->generations; g; g = g->older)
        if (g->retired && rt_generation_takes(g))
            return true;
    return false;
}

/* Who hears that it is over, and asks, is answered by the new ones. */
static void settle(rt_supervisor *supervisor)
{
    const rt_generation *current = supervisor->current;
    rt_buffer text = {0};
    if (old_ones_take(supervisor) && rt_monotonic() < supervisor->reload.settles)
        return;
    supervisor->reload.settles = 0;
    describe(&text, current);
    rt_reload_end(supervisor, 0, "generation %u, %s, %.0f ms", current->number, text.data,
                  milliseconds_to_serve(current));
    rt_buffer_free(&text);
}

static void succeed(rt_supervisor *supervisor)
{
    if (!supervisor->current) {
        serve_first(supervisor);
        return;
    }
    switch_over(supervisor);
    supervisor->reload.settles = rt_monotonic() + SETTLE_LIMIT;
}

static void give_up(rt_supervisor *supervisor)
{
    rt_generation *failed = supervisor->next;
    supervisor->next = NULL;
    if (!supervisor->current) {
        supervisor->state = RT_FAILING;
        supervisor->failure = failed->first_status;
        rt_board_set_state(failed->board, RT_BOARD_DRAINING);
        rt_generation_stop(failed);
        rt_addresses_keep(&supervisor->addresses, NULL);
        return;
    }
    retire(supervisor, failed); /* its first workers may have accepted already */
    rt_addresses_keep(&supervisor->addresses, &supervisor->current->sockets);
    rt_reload_end(supervisor, failed->first_status, "%s", failed->first_problem);
}

void rt_reload_advance(rt_supervisor *supervisor)
{
    rt_generation *next = supervisor->next;
    if (next && next->first_problem)
        give_up(supervisor);
    else if (next && rt_generation_ready(next))
        succeed(supervisor);
    if (supervisor->reload.settles)
        settle(supervisor);
}
