#include "process/generation.h"

#include "base/diagnostic.h"
#include "process/asked.h"
#include "process/memory.h"
#include "process/metric_pool.h"
#include "process/process.h"
#include "process/role.h"
#include "process/supervisor_metrics.h"
#include "process/tls.h"
#include "telemetry/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define LOOKS 4            /* at each loop, in the time that it may stand still */
#define GRACE (2 * SECOND) /* between a time limit in the worker and ours over the worker */

uint64_t rt_monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

const char *const rt_worker_state_names[RT_WORKER_STATES] = {"absent", "starting", "ready",
                                                             "stopping"};

rt_generation *rt_generation_new(uint32_t number)
{
    rt_generation *generation = rt_xcalloc(1, sizeof *generation);
    rt_arena_init(&generation->arena);
    generation->number = number;
    generation->records = -1;
    generation->began = rt_monotonic();
    return generation;
}

static int open_board(rt_generation *generation, int board)
{
    uint32_t count = (uint32_t)generation->count;
    generation->board = RT_NEW(&generation->arena, rt_board);
    int error = board < 0 ? rt_board_make(generation->board, count)
                          : rt_board_adopt(generation->board, board);
    return !error && generation->board->slot_count < count ? -EPROTO : error;
}

int rt_generation_staff(rt_generation *generation, size_t count, int board)
{
    generation->workers = rt_arena_alloc(&generation->arena, count * sizeof *generation->workers);
    generation->count = count;
    for (size_t i = 0; i < count; i++) {
        generation->workers[i] = (rt_worker){
            .number = (uint32_t)i + 1, .control = -1, .crash = -1, .due = rt_monotonic()};
    }
    generation->memory_kills = rt_memory_kills();
    return open_board(generation, board);
}

static void set_text(char **kept, const char *text)
{
    free(*kept);
    *kept = text ? strdup(text) : NULL;
}

static void hang_up(rt_worker *worker)
{
    if (worker->control >= 0)
        close(worker->control);
    worker->control = -1;
}

static void forget(rt_worker *worker)
{
    hang_up(worker);
    rt_inbox_free(&worker->inbox);
    rt_buffer_wipe(&worker->outbox);
    rt_parcel_drop(&worker->parcel);
    set_text(&worker->module, NULL);
    set_text(&worker->problem, NULL);
    worker->sent = 0;
    worker->pid = 0;
    worker->phase = RT_PHASE_NONE;
    worker->cause = RT_END_OWN;
    worker->moved = 0;
    if (worker->crash >= 0)
        close(worker->crash);
    worker->crash = -1;
    if (worker->metric_slot)
        rt_metric_pool_give(rt_metric_pool_of_host(), worker->metric_slot);
    worker->metric_slot = 0;
    worker->drains = false;
}

void rt_generation_free(rt_generation *generation)
{
    for (size_t i = 0; i < generation->count; i++)
        forget(&generation->workers[i]);
    set_text(&generation->first_problem, NULL);
    rt_quarantine_free(&generation->quarantine);
    if (generation->board)
        rt_board_close(generation->board);
    rt_buffer_free(&generation->levels);
    rt_snapshot_remove(&generation->snapshot);
    rt_arena_free(&generation->arena);
    free(generation);
}

/* --- the board ------------------------------------------------------------------------------- */

static rt_board_slot *slot_of(const rt_generation *generation, const rt_worker *worker)
{
    return rt_board_slot_of(generation->board, worker->number);
}

static void set_state(const rt_generation *generation, rt_worker *worker, rt_worker_state state)
{
    rt_board_slot *slot = slot_of(generation, worker);
    worker->state = state;
    __atomic_store_n(&slot->state, state, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->pid, worker->pid, __ATOMIC_RELAXED);
}

static void mend_board(const rt_generation *generation)
{
    if (!rt_board_mend(generation->board))
        return;
    rt_quarantine_restore(&generation->quarantine, generation->board);
    for (size_t i = 0; i < generation->count; i++)
        set_state(generation, &generation->workers[i], generation->workers[i].state);
}

/* --- starting -------------------------------------------------------------------------------- */

static void put_off(rt_worker *worker, uint64_t now)
{
    worker->replaces = true;
    uint64_t delay = rt_backoff_delay(&worker->backoff, worker->started, now);
    worker->due = now + delay;
    if (delay)
        rt_log_host(RT_LOG_WARN, "worker %u keeps ending: it is started again in %u s",
                    worker->number, (unsigned)(delay / SECOND));
}

static uint64_t start_limit(const rt_generation *generation)
{
    return (uint64_t)generation->plan->host.start_timeout + GRACE;
}

static int execute_worker(const rt_generation *generation, rt_worker *worker)
{
    const rt_sockets *sockets = &generation->sockets;
    size_t count = sockets->count;
    int *keep = rt_xcalloc(count + 4, sizeof *keep);
    for (size_t i = 0; i < sockets->count; i++)
        keep[i] = sockets->items[i].fd;
    keep[count++] = generation->board->fd;
    keep[count++] = worker->crash;
    keep[count++] = generation->records;
    if (rt_metric_pool_of_host()->fd >= 0)
        keep[count++] = rt_metric_pool_of_host()->fd;
    rt_role role = {.program = rt_own_program(),
                    .word = RT_ROLE_WORKER,
                    .variables = generation->variables,
                    .keep = keep,
                    .keep_count = count,
                    .output = -1};
    int error = rt_role_start(&role, &worker->pid, &worker->control);
    free(keep);
    return error;
}

/* Without it a crash is told all the same, with less to say. */
static void make_crash_area(rt_worker *worker)
{
    worker->crash = rt_crash_area_make();
    if (worker->crash < 0)
        rt_log_host(RT_LOG_WARN, "no memory for crash reports: %s", strerror(-worker->crash));
}

static void start_worker(rt_generation *generation, rt_worker *worker, uint64_t now)
{
    make_crash_area(worker);
    rt_metric_pool *metrics = rt_metric_pool_of_host();
    if (generation->plan->host.telemetry.metrics)
        worker->metric_slot = rt_metric_pool_take(metrics, generation->number, worker->number);
    rt_setup setup = {.sockets = generation->sockets,
                      .tickets = rt_tickets_of_host(),
                      .board = generation->board->fd,
                      .crash = worker->crash,
                      .records = generation->records,
                      .generation = generation->number,
                      .metrics = metrics->fd,
                      .metric_slot = worker->metric_slot,
                      .number = worker->number,
                      .plan = generation->plan};
    worker->started = now;
    worker->due = now + start_limit(generation);
    mend_board(generation);
    slot_of(generation, worker)->marks = (rt_loop_marks){0};
    int error = execute_worker(generation, worker);
    if (error) {
        rt_log_host(RT_LOG_ERROR, "worker %u cannot be started: %s", worker->number,
                    strerror(-error));
        forget(worker);
        put_off(worker, now);
        return;
    }
    worker->restarts += worker->replaces;
    if (worker->replaces)
        rt_count_restart(worker->number);
    slot_of(generation, worker)->restarts += worker->replaces;
    set_state(generation, worker, RT_WORKER_STARTING);
    rt_setup_pack(&worker->outbox, &setup);
    rt_buffer_add(&worker->outbox, generation->levels.data, generation->levels.length);
}

/* --- talking --------------------------------------------------------------------------------- */

static void send_more(rt_worker *worker)
{
    ssize_t sent = rt_parcel_send(worker->control, worker->outbox.data, worker->outbox.length,
                                  worker->sent, &worker->parcel);
    if (sent > 0)
        worker->sent += (size_t)sent;
    bool hopeless = sent < 0 && errno != EAGAIN && errno != EINTR;
    if (!hopeless && worker->sent < worker->outbox.length)
        return;
    rt_buffer_wipe(&worker->outbox);
    rt_parcel_drop(&worker->parcel);
    worker->sent = 0;
}

static uint64_t phase_limit(const rt_host_settings *host, rt_phase phase)
{
    switch (phase) {
    case RT_PHASE_HEALTH:
        return (uint64_t)host->health.timeout;
    case RT_PHASE_STOP:
        return 2 * (uint64_t)host->finalizer_timeout;
    default:
        return (uint64_t)host->start_timeout;
    }
}

/* Each phase has its own time, so that a hang is found in the module that hangs. */
static void take_phase(const rt_generation *generation, rt_worker *worker,
                       const rt_message *message)
{
    const rt_host_settings *host = &generation->plan->host;
    bool awaited = worker->state == RT_WORKER_STARTING || message->number == RT_PHASE_STOP;
    if (!awaited)
        return; /* a late start, which has a limit of its own */
    worker->phase = message->number < RT_PHASE_COUNT ? (rt_phase)message->number : RT_PHASE_NONE;
    set_text(&worker->module, message->module);
    worker->due = rt_monotonic() + phase_limit(host, worker->phase) + GRACE;
}

static void take_problem(rt_worker *worker, const rt_message *message)
{
    if (message->number >= RT_DIAGNOSTIC_COUNT || !message->module || !message->text)
        return;
    const rt_diagnostic_entry *entry = &rt_diagnostic_table[message->number];
    rt_buffer text = {0};
    rt_buffer_format(&text, entry->format, message->module, message->text);
    for (char *end; (end = strchr(text.data, '\n'));)
        *end = ' ';
    rt_buffer_format(&text, " [%s]", entry->number);
    set_text(&worker->problem, text.data);
    rt_buffer_free(&text);
}

static void take_ready(const rt_generation *generation, rt_worker *worker)
{
    worker->phase = RT_PHASE_SERVE;
    set_text(&worker->module, NULL);
    if (worker->state != RT_WORKER_STARTING)
        return;
    mend_board(generation); /* what it registered is known from now on */
    set_state(generation, worker, RT_WORKER_READY);
    worker->due = 0;
    if (worker->replaces)
        rt_log_host(RT_LOG_INFO, "worker %u (pid %d) serves again", worker->number,
                    (int)worker->pid);
}

static void take_message(rt_generation *generation, rt_worker *worker, const rt_message *message)
{
    switch (message->kind) {
    case RT_TELL_PHASE:
        take_phase(generation, worker, message);
        break;
    case RT_TELL_PROBLEM:
        take_problem(worker, message);
        break;
    case RT_TELL_FIBERS:
        if (generation->fibers)
            rt_fibers_take(generation->fibers, worker->pid, message->number, message->text);
        break;
    case RT_TELL_CALL:
        if (generation->calls)
            rt_asked_take(generation->calls, worker->pid, message->number, message->module,
                          message->text);
        break;
    case RT_TELL_READY:
        take_ready(generation, worker);
        break;
    case RT_TELL_CUT:
        generation->cut += message->number;
        break;
    case RT_TELL_DRAINS:
        worker->drains = true;
        break;
    }
}

/* True if there may be more; false at the end, and with -EAGAIN in `*error` when it is not yet. */
static bool receive(rt_generation *generation, rt_worker *worker, ssize_t *error)
{
    rt_arena arena;
    rt_message message;
    *error = rt_inbox_fill(&worker->inbox, worker->control);
    if (*error <= 0)
        return false;
    rt_arena_init(&arena);
    int taken;
    while ((taken = rt_inbox_take(&worker->inbox, &arena, &message)) > 0)
        take_message(generation, worker, &message);
    rt_arena_free(&arena);
    *error = taken;
    return taken == 0;
}

void rt_generation_poll(const rt_generation *generation, struct pollfd *polls)
{
    for (size_t i = 0; i < generation->count; i++) {
        const rt_worker *worker = &generation->workers[i];
        short events = worker->outbox.length ? POLLIN | POLLOUT : POLLIN;
        polls[i] = (struct pollfd){.fd = worker->control, .events = events};
    }
}

void rt_generation_handle(rt_generation *generation, const struct pollfd *polls)
{
    ssize_t error;
    for (size_t i = 0; i < generation->count; i++) {
        rt_worker *worker = &generation->workers[i];
        if (polls[i].revents & POLLOUT)
            send_more(worker);
        if (!(polls[i].revents & (POLLIN | POLLHUP | POLLERR)))
            continue;
        if (!receive(generation, worker, &error) && error != -EAGAIN)
            hang_up(worker); /* how it ended comes with SIGCHLD */
    }
}

/* --- dying ----------------------------------------------------------------------------------- */

static void bury(rt_generation *generation, rt_worker *worker, int status)
{
    ssize_t error;
    while (worker->control >= 0 && receive(generation, worker, &error))
        ; /* its last words */
    rt_generation_note_end(generation, worker, status);
    if (generation->fibers)
        rt_fibers_lose(generation->fibers, worker->pid);
    if (generation->calls)
        rt_asked_lose(generation->calls, worker->pid);
    forget(worker);
    set_state(generation, worker, RT_WORKER_ABSENT);
    worker->due = 0;
    if (generation->is_frozen && !generation->stopping)
        rt_log_host(RT_LOG_ERROR, "worker %u cannot be replaced before the next reload",
                    worker->number);
    else if (!generation->stopping)
        put_off(worker, rt_monotonic());
}

void rt_generation_reap(rt_generation *generation)
{
    int status;
    for (size_t i = 0; i < generation->count; i++) {
        rt_worker *worker = &generation->workers[i];
        if (worker->pid > 0 && waitpid(worker->pid, &status, WNOHANG) == worker->pid)
            bury(generation, worker, status);
    }
}

/* --- time ------------------------------------------------------------------------------------ */

/* First with a signal that leaves a report of where it is, then for good. */
static void end_worker(rt_worker *worker, enum rt_end_cause cause, uint64_t now)
{
    bool again = worker->cause != RT_END_OWN;
    if (!again)
        worker->cause = cause;
    worker->due = again ? 0 : now + GRACE;
    kill(worker->pid, again ? SIGKILL : SIGABRT);
}

static void tick_worker(rt_generation *generation, rt_worker *worker, uint64_t now)
{
    if (worker->pid > 0 && rt_worker_is_stalled(generation, worker, now)) {
        end_worker(worker, RT_END_STALLED, now);
        return;
    }
    if (!worker->due || worker->due > now)
        return;
    if (worker->pid > 0) {
        end_worker(worker, RT_END_LATE, now);
        return;
    }
    worker->due = 0;
    if (worker->state == RT_WORKER_ABSENT && !generation->stopping)
        start_worker(generation, worker, now);
}

void rt_generation_tick(rt_generation *generation, uint64_t now)
{
    for (size_t i = 0; i < generation->count; i++)
        tick_worker(generation, &generation->workers[i], now);
    generation->looked = now;
}

uint64_t rt_generation_due(const rt_generation *generation)
{
    uint64_t look = (uint64_t)generation->plan->host.watchdog_timeout / LOOKS;
    uint64_t soonest = look && generation->serving ? generation->looked + look : 0;
    for (size_t i = 0; i < generation->count; i++) {
        uint64_t due = generation->workers[i].due;
        if (due && (!soonest || due < soonest))
            soonest = due;
    }
    return soonest;
}

/* --- all together ---------------------------------------------------------------------------- */

/* Who has not served has nothing to drain. */
static uint64_t stop_limit(const rt_generation *generation, const rt_worker *worker)
{
    const rt_host_settings *host = &generation->plan->host;
    bool drains = !generation->interrupted && worker->state != RT_WORKER_STARTING;
    int64_t drain = drains ? host->drain_timeout : 0;
    return (uint64_t)(drain + 2 * host->finalizer_timeout) + GRACE;
}

static void end_workers(rt_generation *generation, enum rt_message_kind kind)
{
    for (size_t i = 0; i < generation->count; i++) {
        rt_worker *worker = &generation->workers[i];
        uint64_t end = rt_monotonic() + stop_limit(generation, worker);
        bool ends = worker->state == RT_WORKER_STOPPING || worker->cause != RT_END_OWN;
        bool sooner = ends && worker->due && worker->due < end;
        if (worker->pid > 0 && !sooner)
            worker->due = end;
        else if (worker->pid <= 0)
            worker->due = 0;
        if (worker->pid <= 0)
            continue;
        set_state(generation, worker, RT_WORKER_STOPPING);
        rt_message_pack(&worker->outbox, &(rt_message){.kind = kind});
    }
}

void rt_generation_stop(rt_generation *generation)
{
    generation->stopping = true;
    generation->unclean = false;
    end_workers(generation, RT_TELL_STOP);
}

void rt_generation_retire(rt_generation *generation)
{
    generation->stopping = true;
    generation->unclean = false;
    generation->retired = rt_monotonic();
    end_workers(generation, RT_TELL_RETIRE);
}

void rt_generation_interrupt(rt_generation *generation)
{
    generation->interrupted = true;
    end_workers(generation, RT_TELL_INTERRUPT);
}

void rt_generation_kill(rt_generation *generation)
{
    for (size_t i = 0; i < generation->count; i++)
        if (generation->workers[i].pid > 0)
            kill(generation->workers[i].pid, SIGKILL);
}

/* Those that start yet get it behind their plan. */
void rt_generation_level(rt_generation *generation, const char *level, const char *module)
{
    rt_message message = {.kind = RT_TELL_LEVEL, .module = module, .text = level};
    rt_message_pack(&generation->levels, &message);
    for (size_t i = 0; i < generation->count; i++)
        if (generation->workers[i].control >= 0)
            rt_message_pack(&generation->workers[i].outbox, &message);
}

bool rt_generation_takes(const rt_generation *generation)
{
    for (size_t i = 0; i < generation->count; i++)
        if (generation->workers[i].pid > 0 && !generation->workers[i].drains)
            return true;
    return false;
}

size_t rt_generation_alive(const rt_generation *generation)
{
    size_t alive = 0;
    for (size_t i = 0; i < generation->count; i++)
        alive += generation->workers[i].pid > 0;
    return alive;
}

bool rt_generation_ready(rt_generation *generation)
{
    for (size_t i = 0; i < generation->count; i++)
        if (generation->workers[i].state != RT_WORKER_READY)
            return false;
    if (!generation->serving)
        generation->serving = rt_monotonic();
    return true;
}

/* It waits for something to do, or did something since it was asked last. */
static bool turns(const rt_generation *generation, rt_worker *worker)
{
    const rt_board_slot *slot = slot_of(generation, worker);
    if (worker->state != RT_WORKER_READY || !slot)
        return false;
    uint64_t count = __atomic_load_n(&slot->marks.turns, __ATOMIC_RELAXED);
    bool waits = __atomic_load_n(&slot->marks.polling, __ATOMIC_RELAXED) &&
                 !__atomic_load_n(&slot->marks.running, __ATOMIC_RELAXED);
    bool moved = count != worker->seen_turns;
    worker->seen_turns = count;
    return waits || moved;
}

bool rt_generation_turns(rt_generation *generation)
{
    bool any = generation->is_frozen; /* its board may be one that its workers do not know */
    for (size_t i = 0; i < generation->count; i++)
        any |= turns(generation, &generation->workers[i]);
    return any;
}

uint64_t rt_generation_latest(const rt_generation *generation)
{
    uint64_t latest = 0;
    for (size_t i = 0; i < generation->count; i++)
        if (generation->workers[i].due > latest)
            latest = generation->workers[i].due;
    return latest;
}
