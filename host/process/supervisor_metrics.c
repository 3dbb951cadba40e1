#include "process/supervisor_metrics.h"

#include "process/metric_pool.h"
#include "process/process_metrics.h"
#include "process/supervisor.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Of its own memory and time, for which it wakes up when nothing else happens. */
#define PERIOD (10 * RT_SECOND)

static rt_instrument restarts = {.name = "rt.worker.restarts",
                                 .unit = "{restart}",
                                 .help = "Workers that were started in place of one that ended",
                                 .kind = RT_COUNTER};
static rt_instrument crashes = {.name = "rt.worker.crashes",
                                .unit = "{crash}",
                                .help =
                                    "Ends of workers by a signal or an exit that nobody asked for",
                                .kind = RT_COUNTER};
static rt_instrument reloads = {.name = "rt.reloads",
                                .unit = "{reload}",
                                .help = "Reloads by how they ended",
                                .kind = RT_COUNTER};
static rt_instrument workers = {.name = "rt.workers",
                                .unit = "{worker}",
                                .help = "Workers of all generations by their state",
                                .kind = RT_GAUGE};
static rt_instrument generations = {.name = "rt.generations",
                                    .unit = "{generation}",
                                    .help = "Generations by what they do",
                                    .kind = RT_GAUGE};
static rt_instrument newest = {.name = "rt.generation.number",
                               .unit = "{generation}",
                               .help = "Number of the generation that serves",
                               .kind = RT_GAUGE};
static rt_instrument quarantined = {.name = "rt.quarantined",
                                    .unit = "{entry}",
                                    .help = "Entries that are refused because they crashed workers",
                                    .kind = RT_GAUGE};
static rt_instrument build = {
    .name = "rt.build.info", .help = "Which rtd this is: always 1", .kind = RT_GAUGE};

enum { STARTING, SERVING, DRAINING, ROLES };
static const char *const role_names[ROLES] = {"starting", "serving", "draining"};

static struct {
    void *room; /* mapped; NULL: private */
    uint64_t refreshed;
    rt_series *states[RT_WORKER_STATES], *roles[ROLES], *quarantined, *newest;
} own;

static rt_series *labelled(rt_instrument *instrument, const char *name, const char *value)
{
    return rt_series_of(instrument, &(rt_metric_label){name, {value, strlen(value)}}, 1);
}

void rt_supervisor_metrics_open(void)
{
    const rt_metric_pool *pool = rt_metric_pool_of_host();
    own.room = pool->fd < 0 ? NULL : rt_metric_slot_map(pool->fd, 0);
    rt_metrics_open(own.room, RT_METRIC_ROOM);
    for (uint32_t i = 0; i < RT_WORKER_STATES; i++)
        own.states[i] = labelled(&workers, "state", rt_worker_state_names[i]);
    for (uint32_t i = 0; i < ROLES; i++)
        own.roles[i] = labelled(&generations, "state", role_names[i]);
    own.quarantined = rt_series_of(&quarantined, NULL, 0);
    own.newest = rt_series_of(&newest, NULL, 0);
    labelled(&reloads, "outcome", "success");
    labelled(&reloads, "outcome", "failure");
    rt_series_set(labelled(&build, "version", RT_VERSION), 1);
    rt_process_metrics_open();
}

void rt_supervisor_metrics_close(void)
{
    rt_process_metrics_close();
    rt_metrics_close();
    if (own.room)
        munmap(own.room, RT_METRIC_ROOM);
    own.room = NULL;
    rt_metric_pool_close();
}

static void count_generation(const rt_supervisor *supervisor, const rt_generation *generation,
                             uint32_t states[RT_WORKER_STATES], uint32_t roles[ROLES])
{
    bool starts = generation == supervisor->next;
    roles[starts ? STARTING : generation->retired ? DRAINING : SERVING]++;
    for (size_t i = 0; i < generation->count; i++)
        if (generation->workers[i].state != RT_WORKER_ABSENT || !generation->retired)
            states[generation->workers[i].state]++;
}

static void refresh_process(void)
{
    uint64_t now = rt_monotonic();
    if (now < own.refreshed + PERIOD)
        return;
    own.refreshed = now;
    rt_process_metrics_refresh();
}

void rt_supervisor_metrics_refresh(const rt_supervisor *supervisor)
{
    uint32_t states[RT_WORKER_STATES] = {0}, roles[ROLES] = {0};
    for (const rt_generation *g = supervisor->generations; g; g = g->older)
        count_generation(supervisor, g, states, roles);
    for (uint32_t i = 0; i < RT_WORKER_STATES; i++)
        rt_series_set(own.states[i], states[i]);
    for (uint32_t i = 0; i < ROLES; i++)
        rt_series_set(own.roles[i], roles[i]);
    if (supervisor->current) {
        size_t refused = rt_quarantine_refused(&supervisor->current->quarantine);
        rt_series_set(own.quarantined, (double)refused);
        rt_series_set(own.newest, supervisor->current->number);
    }
    refresh_process();
}

uint64_t rt_supervisor_metrics_due(void)
{
    return own.refreshed + PERIOD;
}

static void count_worker(rt_instrument *instrument, uint32_t worker)
{
    char text[16];
    snprintf(text, sizeof text, "%u", worker);
    rt_series_add(labelled(instrument, "rt.worker", text), 1);
}

void rt_count_restart(uint32_t worker)
{
    count_worker(&restarts, worker);
}

void rt_count_crash(uint32_t worker)
{
    count_worker(&crashes, worker);
}

void rt_count_reload(int status)
{
    rt_series_add(labelled(&reloads, "outcome", status ? "failure" : "success"), 1);
}
