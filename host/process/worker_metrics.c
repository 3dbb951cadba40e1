#include "process/worker_metrics.h"

#include "process/health_room.h"
#include "process/metric_pool.h"
#include "process/process_metrics.h"
#include "telemetry/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD 1000 /* ms */

/* What a unit that is ready, or a timer, may have waited for the loop: from 50 microseconds. */
static const double lag_bounds[] = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                    0.01,    0.025,  0.05,    0.1,    0.25,  0.5,    1};
static const double pool_bounds[] = {0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10};

#define BOUNDS(array) .bounds = (array), .bound_count = sizeof(array) / sizeof *(array)

static rt_instrument lag = {.name = "rt.loop.lag",
                            .unit = "s",
                            .help = "Time between two looks of the loop at descriptors and timers",
                            .kind = RT_HISTOGRAM,
                            BOUNDS(lag_bounds)};
static rt_instrument lag_most = {.name = "rt.loop.lag.most",
                                 .unit = "s",
                                 .help = "The longest of these times in the last second",
                                 .kind = RT_GAUGE,
                                 .aggregate = RT_EACH};
static rt_instrument utilization = {.name = "rt.loop.utilization",
                                    .unit = "1",
                                    .help = "Share of the last second in which the loop was busy",
                                    .kind = RT_GAUGE,
                                    .aggregate = RT_EACH};
static rt_instrument stalls = {.name = "rt.loop.stalls",
                               .unit = "{stall}",
                               .help = "Units of work that held the loop beyond `watchdog`",
                               .kind = RT_COUNTER};
static rt_instrument fibers = {.name = "rt.fibers",
                               .unit = "{fiber}",
                               .help = "Units of work that are alive",
                               .kind = RT_GAUGE,
                               .aggregate = RT_EACH};
static rt_instrument switches = {.name = "rt.fiber.switches",
                                 .unit = "{switch}",
                                 .help = "Times that a unit of work was resumed",
                                 .kind = RT_COUNTER};
static rt_instrument stacks = {.name = "rt.fiber.stacks",
                               .unit = "By",
                               .help = "Address space of all stacks, idle ones included",
                               .kind = RT_GAUGE,
                               .aggregate = RT_EACH};
static rt_instrument pool_threads = {.name = "rt.pool.threads",
                                     .unit = "{thread}",
                                     .help = "Threads for calls that block",
                                     .kind = RT_GAUGE};
static rt_instrument pool_calls = {.name = "rt.pool.calls",
                                   .unit = "{call}",
                                   .help = "Calls that block, waiting or running",
                                   .kind = RT_GAUGE};
static rt_instrument pool_waited = {.name = "rt.pool.wait",
                                    .unit = "s",
                                    .help = "Time that calls waited for a thread",
                                    .kind = RT_HISTOGRAM,
                                    BOUNDS(pool_bounds)};
static rt_instrument pool_ran = {.name = "rt.pool.duration",
                                 .unit = "s",
                                 .help = "Time that calls had a thread",
                                 .kind = RT_HISTOGRAM,
                                 BOUNDS(pool_bounds)};
static rt_instrument health = {.name = "rt.module.health",
                               .unit = "{condition}",
                               .help = "0 unknown, 1 healthy, 2 degraded, 3 unhealthy; the worst",
                               .kind = RT_GAUGE,
                               .aggregate = RT_MAX};

static struct {
    uv_timer_t timer;
    bool runs;
    const rt_board_slot *slot; /* or NULL */
    const void *health;
    const rt_plan *plan;
    uint64_t looked;        /* when, ns */
    uint64_t busy, longest; /* of the loop since then */
    uint64_t stalls, turns; /* told so far */
    rt_series *lag, *lag_most, *utilization, *stalls_told, *fibers, *switches, *stacks;
    rt_series *active, *queued, *waited, *ran;
    rt_series **modules; /* by plan->instances */
} own;

/* --- told by the loop ------------------------------------------------------------------------ */

static void turned(uint64_t nanoseconds)
{
    own.busy += nanoseconds;
    if (nanoseconds > own.longest)
        own.longest = nanoseconds;
    rt_series_observe(own.lag, (double)nanoseconds / 1e9);
}

static void called(uint64_t waited, uint64_t ran)
{
    rt_series_observe(own.waited, (double)waited / 1e9);
    rt_series_observe(own.ran, (double)ran / 1e9);
}

/* --- refreshed ------------------------------------------------------------------------------- */

static void refresh_loop(void)
{
    uint64_t now = uv_hrtime(), passed = now - own.looked;
    double share = passed ? (double)own.busy / (double)passed : 0;
    rt_series_set(own.utilization, share > 1 ? 1 : share);
    rt_series_set(own.lag_most, (double)own.longest / 1e9);
    own.looked = now;
    own.busy = own.longest = 0;
}

static void tell_more(rt_series *series, uint64_t *told, uint64_t value)
{
    rt_series_add(series, value > *told ? value - *told : 0);
    *told = value;
}

static void refresh_slot(void)
{
    if (!own.slot)
        return;
    tell_more(own.stalls_told, &own.stalls, __atomic_load_n(&own.slot->stalls, __ATOMIC_RELAXED));
    tell_more(own.switches, &own.turns, own.slot->marks.turns);
}

static void refresh_fibers(void)
{
    rt_pool_load load = rt_pool_look();
    rt_series_set(own.fibers, rt_unit_count());
    rt_series_set(own.stacks, (double)rt_stacks_mapped());
    rt_series_set(own.active, load.active);
    rt_series_set(own.queued, load.queued);
}

static void refresh_health(void)
{
    static rt_health_report report;
    if (!own.health || !rt_health_room_read(own.health, &report))
        return;
    for (size_t i = 0; i < own.plan->instance_count && i < report.count; i++) {
        const char *name = own.plan->instances[i].name, *reason;
        rt_metric_label module = {"module", {name, strlen(name)}};
        if (!own.modules[i])
            own.modules[i] = rt_series_of(&health, &module, 1);
        rt_series_set(own.modules[i], rt_health_report_get(&report, i, &reason));
    }
}

static void refresh(uv_timer_t *timer)
{
    (void)timer;
    refresh_loop();
    refresh_slot();
    refresh_fibers();
    refresh_health();
    rt_process_metrics_refresh();
}

/* --- opening --------------------------------------------------------------------------------- */

static rt_series *only(rt_instrument *instrument)
{
    return rt_series_of(instrument, NULL, 0);
}

static rt_series *calls_in(const char *state)
{
    return rt_series_of(&pool_calls, &(rt_metric_label){"state", {state, strlen(state)}}, 1);
}

void rt_worker_metrics_open(const rt_setup *setup, rt_loop_options *loop)
{
    const struct rt_telemetry_settings *settings = &setup->plan->host.telemetry;
    if (!settings->metrics)
        return;
    rt_metrics_limit((uint32_t)settings->max_series);
    bool given = setup->metrics >= 0 && setup->metric_slot;
    void *room = given ? rt_metric_slot_map(setup->metrics, setup->metric_slot) : NULL;
    if (!room)
        rt_log_host(RT_LOG_WARN, "metrics of this worker are not told: %s",
                    given ? strerror(errno) : "the supervisor has no room for them");
    rt_metrics_open(room, RT_METRIC_ROOM);
    own.lag = only(&lag);
    own.lag_most = only(&lag_most);
    own.utilization = only(&utilization);
    own.stalls_told = only(&stalls);
    own.fibers = only(&fibers);
    own.switches = only(&switches);
    own.stacks = only(&stacks);
    own.active = calls_in("active");
    own.queued = calls_in("queued");
    own.waited = only(&pool_waited);
    own.ran = only(&pool_ran);
    rt_series_set(only(&pool_threads), loop->pool_threads ? loop->pool_threads : 4);
    rt_process_metrics_open();
    loop->turned = turned;
    loop->called = called;
}

void rt_worker_metrics_start(const rt_board *board, uint32_t number, const rt_plan *plan)
{
    size_t size;
    if (!plan->host.telemetry.metrics)
        return;
    own.slot = board->memory ? rt_board_slot_of(board, number) : NULL;
    own.health = own.slot ? rt_board_room(board, number, RT_ROOM_HEALTH, &size) : NULL;
    own.plan = plan;
    own.modules = rt_xcalloc(plan->instance_count + 1, sizeof *own.modules);
    own.stalls = own.slot ? own.slot->stalls : 0; /* of the worker before, which told them */
    own.looked = uv_hrtime();
    uv_timer_init(rt_loop_uv(), &own.timer);
    uv_unref((uv_handle_t *)&own.timer);
    uv_timer_start(&own.timer, refresh, PERIOD, PERIOD);
    own.runs = true;
}

void rt_worker_metrics_stop(void)
{
    if (!own.runs)
        return;
    refresh(&own.timer);
    uv_close((uv_handle_t *)&own.timer, NULL);
    free(own.modules);
    own.modules = NULL;
    own.runs = false;
}
