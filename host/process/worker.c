/* The worker: one process that runs the plan and serves.
 *
 * Plugins are loaded on the process's own stack, because their constructors may need more of it
 * than a fiber has. Everything else happens in one fiber, `life`, which reads top to bottom. */
#include "base/redact.h"
#include "process/admin.h"
#include "process/call.h"
#include "process/crash_area.h"
#include "process/generation.h"
#include "process/health.h"
#include "process/inspect.h"
#include "process/logs.h"
#include "process/memory.h"
#include "process/open_http.h"
#include "process/privilege.h"
#include "process/process.h"
#include "process/role.h"
#include "process/runtime.h"
#include "process/slice.h"
#include "process/telemetry.h"
#include "process/tls.h"
#include "process/watchdog.h"
#include "process/worker_metrics.h"
#include "telemetry/log.h"
#include "telemetry/span.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

/* Of `limits.memory` stacks may have one part in so many: a request without a stack is answered
 * 503, but whoever gets no memory from the heap ends the worker. */
#define STACK_SHARE 2

struct worker {
    rt_arena arena;
    int control;
    rt_inbox inbox;
    rt_parcel parcel; /* that came with messages */
    rt_setup *setup;
    rt_board board;
    rt_runtime runtime;
    rt_http_server *server;
    rt_http_parts http;
    rt_admin admin;
    rt_calls calls;
    rt_health_watch health;
    rt_channel *stop;    /* closed when the worker is to end */
    rt_channel *drained; /* closed when no connection is left */
    bool stopping;
    bool serving;      /* was ready */
    bool succeeded_by; /* others serve on: idle connections end with their next request */
    bool draining;
    bool hurried; /* the time to drain is over */
    bool failed;  /* a problem was told */
    bool unfit;   /* one of a database */
    uv_poll_t control_watch;
    uv_poll_t repeats_watch;
    uv_timer_t drain_timer;
    unsigned open_handles;
};

static void tell(const struct worker *worker, const rt_message *message)
{
    rt_message_send(worker->control,
                    message); /* without a supervisor the socket's end is news enough */
}

static void tell_phase(void *argument, const rt_running *running, rt_phase phase)
{
    tell(argument,
         &(rt_message){.kind = RT_TELL_PHASE, .number = phase, .module = running->plan->name});
}

static void tell_problem(void *argument, const rt_running *running, enum rt_diagnostic_id id,
                         const char *text)
{
    struct worker *worker = argument;
    if (worker->stopping)
        return; /* it was cut short, so it is no problem */
    worker->failed = true;
    worker->unfit |= rt_slice_is_concern(id);
    const char *safe = rt_redacted(&worker->arena, text);
    tell(worker,
         &(rt_message){
             .kind = RT_TELL_PROBLEM, .number = id, .module = running->plan->name, .text = safe});
}

/* --- what comes from the supervisor ---------------------------------------------------------- */

static void on_drained(void *argument)
{
    struct worker *worker = argument;
    worker->draining = false;
    rt_host_channel_close(worker->drained);
}

static void begin_stop(struct worker *worker)
{
    if (worker->draining) /* nobody serves on after all */
        rt_http_drain(worker->server, on_drained, worker);
    if (worker->admin.retired)
        rt_admin_interrupt(&worker->admin);
    worker->succeeded_by = false;
    if (worker->stopping)
        return;
    worker->stopping = true;
    rt_runtime_interrupt(&worker->runtime);
    rt_health_interrupt(&worker->health);
    rt_host_channel_close(worker->stop);
}

/* What requests need is still started: they are to be answered as if nothing happened. */
static void begin_retirement(struct worker *worker)
{
    if (worker->stopping || !worker->serving) {
        begin_stop(worker);
        return;
    }
    worker->stopping = worker->succeeded_by = true;
    rt_host_channel_close(worker->stop);
}

static void on_drain_timeout(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    uint32_t running = rt_http_running(worker->server);
    if (running)
        rt_log_host(RT_LOG_WARN, "%u request%s still run%s %s: interrupted", running,
                    running == 1 ? "" : "s", running == 1 ? "s" : "",
                    worker->hurried ? "and two younger generations drain"
                                    : "after `drain_timeout`");
    tell(worker, &(rt_message){.kind = RT_TELL_CUT, .number = running});
    rt_http_interrupt(worker->server);
    rt_admin_interrupt(&worker->admin);
    rt_calls_interrupt(&worker->calls);
}

static void begin_interruption(struct worker *worker)
{
    worker->hurried = true;
    if (worker->draining)
        uv_timer_start(&worker->drain_timer, on_drain_timeout, 0, 0);
    else
        rt_calls_interrupt(&worker->calls);
}

static void tell_call(void *argument, uint64_t number, int status, const char *text)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%d", status);
    tell(argument,
         &(rt_message){.kind = RT_TELL_CALL, .number = number, .module = digits, .text = text});
}

static void take_call(struct worker *worker, const rt_message *message)
{
    if (!message->module)
        rt_calls_cancel(&worker->calls, message->number);
    else
        rt_calls_take(&worker->calls, message->number, message->module, message->text);
}

static void tell_fibers(const struct worker *worker, uint64_t question)
{
    rt_buffer text = {0};
    rt_board_slot *slot = rt_board_slot_of(&worker->board, worker->setup->number);
    rt_units_list(&text);
    rt_redact(&text);
    if (slot)
        rt_stacks_measure(slot->stack_high);
    tell(worker, &(rt_message){.kind = RT_TELL_FIBERS, .number = question, .text = text.data});
    rt_buffer_free(&text);
}

static void take_message(struct worker *worker, const rt_message *message)
{
    switch (message->kind) {
    case RT_TELL_STOP:
        begin_stop(worker);
        break;
    case RT_TELL_RETIRE:
        begin_retirement(worker);
        break;
    case RT_TELL_INTERRUPT:
        begin_interruption(worker);
        break;
    case RT_TELL_LEVEL:
        rt_log_set_level(message->text, message->module);
        break;
    case RT_TELL_FIBERS:
        tell_fibers(worker, message->number);
        break;
    case RT_TELL_REOPEN:
        rt_logs_take(worker->setup->plan, message->number, &worker->parcel, worker->server,
                     worker->http.access_output);
        break;
    case RT_TELL_CALL:
        take_call(worker, message);
    }
}

static void take_messages(struct worker *worker)
{
    rt_arena arena; /* not the worker's: what is asked of it in its life would stay */
    rt_message message;
    rt_arena_init(&arena);
    while (rt_inbox_take(&worker->inbox, &arena, &message) > 0)
        take_message(worker, &message);
    rt_arena_free(&arena);
}

static void on_control(uv_poll_t *watch, int status, int events)
{
    struct worker *worker = watch->data;
    (void)events;
    if (status < 0 || rt_inbox_fill(&worker->inbox, worker->control) <= 0) {
        if (!worker->stopping)
            rt_log_host(RT_LOG_WARN, "the supervisor is gone: this worker stops");
        uv_poll_stop(watch);
        begin_stop(worker);
        return;
    }
    take_messages(worker);
}

/* --- serving --------------------------------------------------------------------------------- */

static bool open_admin(struct worker *worker)
{
    const rt_setup *setup = worker->setup;
    int error = rt_admin_open(&worker->admin, setup->plan, &worker->board, setup->number,
                              &setup->sockets, setup->metrics);
    if (error)
        rt_log_host(RT_LOG_ERROR, "cannot serve a socket of `admin.listen`: %s", strerror(-error));
    return error == 0;
}

/* While another generation serves, that one answers how things are. */
static bool is_joining(const struct worker *worker)
{
    return worker->board.memory && rt_board_state(&worker->board) == RT_BOARD_JOINING;
}

/* As the supervisor will, once it has heard of it; by then this one may have been asked. */
static void mark_ready(const struct worker *worker)
{
    rt_board_slot *slot = rt_board_slot_of(&worker->board, worker->setup->number);
    __atomic_store_n(&slot->state, RT_WORKER_READY, __ATOMIC_RELAXED);
}

static bool find_health(rt_ctx *ctx, struct worker *worker)
{
    size_t size;
    if (worker->stopping)
        return false;
    rt_health_begin(ctx, &worker->health, &worker->runtime,
                    rt_board_room(&worker->board, worker->setup->number, RT_ROOM_HEALTH, &size));
    return !worker->stopping;
}

static bool open_tls(struct worker *worker)
{
    const char *why;
    worker->http.tls = rt_tls_of_plan(worker->setup, &worker->arena, &why);
    if (why)
        rt_log_host(RT_LOG_ERROR, "cannot serve TLS: %s", why);
    return !why;
}

static bool serve(struct worker *worker)
{
    const rt_setup *setup = worker->setup;
    rt_board_slot *slot = rt_board_slot_of(&worker->board, setup->number);
    worker->http.requests = slot ? &slot->requests : NULL;
    if (!open_tls(worker))
        return false;
    worker->server = rt_open_http(setup->plan, worker->runtime.router, &worker->http);
    if (!worker->server)
        return false;
    worker->http.access_output = 0; /* the server's now */
    for (size_t i = 0; i < setup->sockets.count; i++) {
        const rt_socket *socket = &setup->sockets.items[i];
        if (socket->flags & RT_LISTEN_ADMIN)
            continue;
        int error = rt_http_listen(worker->server, socket->fd, socket->flags);
        if (!error)
            continue;
        rt_log_host(RT_LOG_ERROR, "cannot serve a listening socket: %s", strerror(-error));
        return false;
    }
    mark_ready(worker);
    if (!worker->admin.server && !open_admin(worker))
        return false;
    worker->serving = true;
    tell(worker, &(rt_message){.kind = RT_TELL_READY});
    return true;
}

static void wait_for_close(rt_ctx *ctx, rt_channel *channel)
{
    void *item;
    while (rt_host_channel_receive(ctx, channel, &item) >= 0)
        ;
}

/* Or the address stays taken while requests end. */
static void close_sockets(const rt_setup *setup)
{
    for (size_t i = 0; i < setup->sockets.count; i++)
        if (!(setup->sockets.items[i].flags & RT_LISTEN_ADMIN))
            close(setup->sockets.items[i].fd);
}

static void close_server(struct worker *worker)
{
    rt_http_close(worker->server);
    worker->server = NULL;
}

static void drain(rt_ctx *ctx, struct worker *worker)
{
    uint64_t limit = (uint64_t)worker->setup->plan->host.drain_timeout / 1000000;
    uv_timer_start(&worker->drain_timer, on_drain_timeout, worker->hurried ? 0 : limit, 0);
    worker->draining = true;
    if (worker->succeeded_by)
        rt_admin_retire(&worker->admin);
    (worker->succeeded_by ? rt_http_retire : rt_http_drain)(worker->server, on_drained, worker);
    close_sockets(worker->setup);
    tell(worker, &(rt_message){.kind = RT_TELL_DRAINS});
    wait_for_close(ctx, worker->drained);
    rt_admin_await(ctx, &worker->admin);
    rt_calls_await(ctx, &worker->calls);
    uv_timer_stop(&worker->drain_timer);
    close_server(worker);
}

/* --- the worker's life ----------------------------------------------------------------------- */

typedef bool (*phase_function)(rt_ctx *ctx, rt_running *running);

static bool for_all(rt_ctx *ctx, struct worker *worker, phase_function phase)
{
    for (size_t i = 0; i < worker->setup->plan->instance_count; i++)
        if (!phase(ctx, &worker->runtime.instances[i]))
            return false;
    return true;
}

static void stop_all(rt_ctx *ctx, struct worker *worker)
{
    worker->runtime.stopping = true;
    rt_loop_refuse();
    for (size_t i = worker->setup->plan->instance_count; i-- > 0;)
        rt_stop(ctx, &worker->runtime.instances[i]);
}

static int life(rt_ctx *ctx, void *argument)
{
    struct worker *worker = argument;
    bool up = (is_joining(worker) || open_admin(worker)) && for_all(ctx, worker, rt_register) &&
              for_all(ctx, worker, rt_configure) && for_all(ctx, worker, rt_start) &&
              find_health(ctx, worker) && serve(worker);
    if (up) {
        wait_for_close(ctx, worker->stop);
        drain(ctx, worker);
    } else if (worker->server) {
        close_server(worker);
    }
    rt_health_end(ctx, &worker->health);
    stop_all(ctx, worker);
    rt_admin_close(ctx, &worker->admin);
    rt_worker_metrics_stop();
    worker->failed = !up && !worker->stopping;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct worker *worker = handle->data;
    if (--worker->open_handles == 0)
        rt_loop_stop();
}

static void on_life_ended(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    struct worker *worker = argument;
    (void)ctx;
    if (exit->kind != RT_EXIT_SUCCESS)
        worker->failed = true;
    rt_telemetry_detach();
    uv_close((uv_handle_t *)&worker->control_watch, on_handle_closed);
    uv_close((uv_handle_t *)&worker->drain_timer, on_handle_closed);
    if (rt_log_settles() >= 0)
        uv_close((uv_handle_t *)&worker->repeats_watch, on_handle_closed);
}

static void on_repeats(uv_poll_t *watch, int status, int events)
{
    (void)watch, (void)status, (void)events;
    rt_log_settle(false);
}

static void watch_repeats(struct worker *worker)
{
    if (rt_log_settles() < 0)
        return;
    uv_poll_init(rt_loop_uv(), &worker->repeats_watch, rt_log_settles());
    worker->repeats_watch.data = worker;
    uv_poll_start(&worker->repeats_watch, UV_READABLE, on_repeats);
    worker->open_handles++;
}

static void open_handles(struct worker *worker)
{
    uv_poll_init(rt_loop_uv(), &worker->control_watch, worker->control);
    uv_timer_init(rt_loop_uv(), &worker->drain_timer);
    worker->control_watch.data = worker->drain_timer.data = worker;
    worker->open_handles = 2;
    uv_poll_start(&worker->control_watch, UV_READABLE | UV_DISCONNECT, on_control);
    watch_repeats(worker);
    worker->stop = rt_host_channel_new(0);
    worker->drained = rt_host_channel_new(0);
}

static bool load_all(struct worker *worker)
{
    for (size_t i = 0; i < worker->setup->plan->instance_count; i++)
        if (!rt_load(&worker->runtime.instances[i]))
            return false;
    return true;
}

static void run(struct worker *worker)
{
    rt_instance host = {
        .magic = RT_INSTANCE_MAGIC, .size = sizeof host, .name = "rtd", .module = "rtd"};
    rt_unit_options options = {
        .instance = &host, .name = "runtime.life", .done = on_life_ended, .done_argument = worker};
    open_handles(worker);
    rt_telemetry_attach();
    rt_worker_metrics_start(&worker->board, worker->setup->number, worker->setup->plan);
    rt_unit_start(&options, life, worker);
    take_messages(worker); /* that came with the plan */
    rt_loop_run();
    rt_health_free(&worker->health);
    rt_host_channel_free(worker->stop);
    rt_host_channel_free(worker->drained);
}

/* --- the process ----------------------------------------------------------------------------- */

static void ignore_signal(int number)
{
    (void)number;
}

/* The supervisor alone decides when a worker ends: a terminal's Ctrl-C and a service manager's
 * SIGTERM reach the whole group. Handlers, unlike SIG_IGN, do not reach programs that plugins run.
 */
static void settle_signals(void)
{
    static const int told_to_supervisor[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
    struct sigaction quiet = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART};
    sigemptyset(&quiet.sa_mask);
    for (size_t i = 0; i < sizeof told_to_supervisor / sizeof *told_to_supervisor; i++)
        sigaction(told_to_supervisor[i], &quiet, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* The end of work whose exit nobody gets: services, posts. */
static void log_end(rt_ctx *ctx, const char *name, const rt_exit *exit)
{
    const rt_error *error = exit->kind == RT_EXIT_FAILURE ? exit->error : NULL;
    if (exit->defect)
        rt_host_log(ctx, RT_LOG_ERROR, "`%s` ended as a defect: %s", name, exit->defect);
    else if (error)
        rt_host_log(ctx, RT_LOG_ERROR, "`%s` failed: %s", name, error->message);
    if (exit->finalizer_error)
        rt_host_log(ctx, RT_LOG_ERROR, "a finalizer of `%s` failed: %s", name,
                    exit->finalizer_error->message);
}

static uint32_t service_entry(void *board, const rt_instance *instance, const char *name)
{
    char entry[128];
    snprintf(entry, sizeof entry, "service `%s`", name);
    return rt_board_enter(board, RT_ENTRY_SERVICE, instance->name, instance->module, entry);
}

/* Where the loop leaves its marks; without a board nobody is told. */
static rt_loop_marks *open_board(struct worker *worker)
{
    int error = rt_board_open(&worker->board, worker->setup->board);
    rt_board_slot *slot = error ? NULL : rt_board_slot_of(&worker->board, worker->setup->number);
    if (!slot)
        rt_log_host(RT_LOG_ERROR, "cannot read the generation's board: %s", strerror(-error));
    return slot ? &slot->marks : NULL;
}

static bool drop_privileges(const struct worker *worker)
{
    const rt_plan *plan = worker->setup->plan;
    rt_buffer problem = {0};
    int error = rt_privileges_drop(plan, &problem);
    if (error)
        tell(worker, &(rt_message){.kind = RT_TELL_PROBLEM,
                                   .number = RT_D_CONFINE_FAILED,
                                   .module = plan->host.name,
                                   .text = problem.data});
    rt_buffer_free(&problem);
    return !error;
}

/* Before the privileges go: the files may be root's. */
static int open_logs(struct worker *worker)
{
    const rt_plan *plan = worker->setup->plan;
    const char *name;
    int error = rt_logs_open(plan, &name);
    if (error) {
        rt_log_host(RT_LOG_ERROR, "cannot open the log `%s`: %s", name, strerror(-error));
        return error;
    }
    worker->http.access_output = rt_open_access_output(plan);
    return worker->http.access_output < 0 ? worker->http.access_output : 0;
}

/* Before anything of a plugin runs. */
static void watch_crashes(const struct worker *worker)
{
    int error = worker->setup->crash < 0 ? 0 : rt_crash_watch(worker->setup->crash);
    if (error)
        rt_log_host(RT_LOG_ERROR, "a crash of this worker cannot be noted: %s", strerror(-error));
}

static int open_worker(struct worker *worker)
{
    const rt_host_settings *host = &worker->setup->plan->host;
    rt_loop_options loop = {.stack_memory = (size_t)host->limits.memory / STACK_SHARE,
                            .pool_threads = (uint32_t)host->pool.threads,
                            .finalizer_timeout = (uint64_t)host->finalizer_timeout,
                            .marks = open_board(worker),
                            .service_entry = service_entry,
                            .service_entry_argument = &worker->board,
                            .report = log_end,
                            .span = rt_span_of_work};
    int error = open_logs(worker);
    rt_telemetry_open(worker->setup, &worker->board);
    watch_crashes(worker);
    rt_worker_metrics_open(worker->setup, &loop);
    if (!error && !drop_privileges(worker))
        error = -EPERM;
    else if (!error && (error = rt_loop_open(&loop)))
        rt_log_host(RT_LOG_ERROR, "cannot open the loop: %s", strerror(-error));
    return error;
}

static void watch_loop(struct worker *worker)
{
    const rt_setup *setup = worker->setup;
    int error = rt_watchdog_start(setup->plan, &worker->board, setup->number);
    if (error)
        rt_log_host(RT_LOG_WARN, "nobody watches the loop: %s", strerror(-error));
}

static int run_plan(struct worker *worker)
{
    rt_watch watch = {tell_phase, tell_problem, worker};
    rt_runtime_init(&worker->runtime, worker->setup->plan, &watch);
    worker->runtime.board = &worker->board;
    worker->calls =
        (rt_calls){.runtime = &worker->runtime, .answer = tell_call, .argument = worker};
    rt_inspect_open(&worker->runtime, &worker->health);
    watch_loop(worker);
    bool loaded = load_all(worker);
    if (loaded)
        run(worker);
    rt_watchdog_stop();
    rt_loop_close();
    rt_telemetry_close();
    rt_inspect_close();
    rt_tls_close(worker->http.tls);
    rt_runtime_free(&worker->runtime);
    if (loaded && !worker->failed)
        return 0;
    return worker->unfit ? EX_DATAERR : EX_UNAVAILABLE;
}

int rt_worker_main(void)
{
    struct worker worker = {.control = rt_role_control()};
    if (worker.control < 0) {
        fputs("rtd: workers are started by rtd itself\n", stderr);
        return EX_USAGE;
    }
    prctl(PR_SET_NAME, "rtd-worker");
    rt_memory_yield();
    settle_signals();
    rt_arena_init(&worker.arena);
    worker.inbox.parcel = &worker.parcel;
    worker.setup = rt_setup_receive(&worker.inbox, &worker.arena, worker.control);
    if (!worker.setup)
        rt_log_host(RT_LOG_ERROR, "no plan came from the supervisor");
    else
        rt_plan_redact(worker.setup->plan);
    int code = worker.setup && !open_worker(&worker) ? run_plan(&worker) : EX_SOFTWARE;
    rt_crash_leave();
    rt_inbox_free(&worker.inbox);
    rt_parcel_drop(&worker.parcel);
    rt_arena_free(&worker.arena);
    return code;
}
