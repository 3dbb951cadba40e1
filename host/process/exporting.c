#include "process/exporting.h"

#include "process/exporting_metrics.h"
#include "process/generation.h"
#include "process/logs.h"
#include "process/metric_pool.h"
#include "process/process.h"
#include "process/role.h"
#include "telemetry/log.h"
#include "telemetry/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define GRACE (UINT64_C(2) * 1000000000) /* ns between its limit and ours */
#define SOCKET_ROOM (4 << 20)            /* bytes: what waits while no exporter runs */
#define INBOX_MOST ((size_t)64 << 10)

void rt_exporting_init(rt_exporting *exporting)
{
    *exporting = (rt_exporting){.records = {-1, -1}, .metrics = -1};
    for (size_t i = 0; i < RT_EXPORTERS; i++)
        exporting->children[i].control = -1;
    rt_arena_init(&exporting->arena);
}

/* A way to the metrics by which nothing can be written; the number stays, or every reload would
 * look like one of settings. */
static int open_metrics(void)
{
    char path[64];
    int pool = rt_metric_pool_of_host()->fd;
    snprintf(path, sizeof path, "/proc/self/fd/%d", pool);
    return pool < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
}

static void forget(rt_exporter_child *child)
{
    if (child->control >= 0)
        close(child->control);
    rt_inbox_free(&child->inbox);
    rt_parcel_drop(&child->parcel);
    rt_buffer_wipe(&child->outbox);
    *child = (rt_exporter_child){.control = -1};
}

void rt_exporting_free(rt_exporting *exporting)
{
    rt_outlet_open(&(rt_outlet_options){.socket = -1});
    for (size_t i = 0; i < RT_EXPORTERS; i++)
        forget(&exporting->children[i]);
    const int owned[] = {exporting->records[0], exporting->records[1], exporting->metrics};
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        if (owned[i] >= 0)
            close(owned[i]);
    rt_buffer_wipe(&exporting->plan);
    rt_arena_free(&exporting->arena);
}

/* --- the socket ------------------------------------------------------------------------------ */

static bool exports(const rt_plan *plan)
{
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++)
        if (plan->host.telemetry.signals[i].endpoint)
            return true;
    return false;
}

static void make_socket(rt_exporting *exporting)
{
    int room = SOCKET_ROOM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, exporting->records) < 0) {
        rt_log_host(RT_LOG_ERROR, "no socket for telemetry: %s; none is exported", strerror(errno));
        exporting->records[0] = exporting->records[1] = -1;
        return;
    }
    if (setsockopt(exporting->records[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) < 0)
        setsockopt(exporting->records[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

int rt_exporting_socket(rt_exporting *exporting, const rt_plan *plan)
{
    if (!exports(plan))
        return -1;
    if (exporting->records[1] < 0)
        make_socket(exporting);
    return exporting->records[1];
}

/* --- what it is told ------------------------------------------------------------------------- */

/* No more of the plan than it needs: it speaks with the network. */
static void pack_plan(const rt_plan *plan, rt_buffer *packed)
{
    const rt_host_settings *host = &plan->host;
    rt_plan_pack(packed, &(rt_plan){.environment = plan->environment,
                                    .host = {.name = host->name,
                                             .core_dumps = host->core_dumps,
                                             .user = host->user,
                                             .group = host->group,
                                             .uid = host->uid,
                                             .gid = host->gid,
                                             .sandbox = host->sandbox,
                                             .log = host->log,
                                             .telemetry = host->telemetry}});
}

static void pack_setup(const rt_exporting *exporting, rt_buffer *setup)
{
    const rt_buffer *packed = &exporting->plan;
    rt_arena arena;
    rt_arena_init(&arena);
    rt_plan *plan = rt_plan_unpack(&arena, packed->data, packed->length);
    rt_setup_pack(setup, &(rt_setup){.number = exporting->starts,
                                     .board = -1,
                                     .crash = -1,
                                     .records = exporting->records[0],
                                     .metrics = exporting->metrics,
                                     .plan = plan});
    rt_arena_free(&arena);
}

static bool is_same(const rt_buffer *a, const rt_buffer *b)
{
    return a->length == b->length && (!a->length || memcmp(a->data, b->data, a->length) == 0);
}

static void tell_to_end(rt_exporter_child *child)
{
    if (child->pid <= 0 || child->due)
        return;
    rt_message_pack(&child->outbox, &(rt_message){.kind = RT_TELL_STOP, .number = RT_EXPORT_LAST});
    child->due = rt_monotonic() + RT_EXPORT_LAST + GRACE;
}

static void kill_child(const rt_exporter_child *child)
{
    if (child->pid > 0)
        kill(child->pid, SIGKILL);
}

/* --- starting and ending --------------------------------------------------------------------- */

static void start(rt_exporting *exporting, uint64_t now)
{
    rt_exporter_child *child = &exporting->children[RT_EXPORTER_NEW];
    const int keep[] = {exporting->records[0], exporting->metrics};
    rt_role role = {.program = rt_own_program(),
                    .word = RT_ROLE_EXPORTER,
                    .variables = exporting->variables,
                    .keep = keep,
                    .keep_count = sizeof keep / sizeof keep[0],
                    .output = -1};
    exporting->due = 0;
    int error = rt_role_start(&role, &child->pid, &child->control);
    if (error) {
        child->pid = 0;
        child->control = -1;
        rt_log_host(RT_LOG_ERROR, "the exporter cannot be started: %s", strerror(-error));
        exporting->due = now + rt_backoff_delay(&exporting->backoff, now, now);
        return;
    }
    child->started = now;
    exporting->starts++;
    pack_setup(exporting, &child->outbox);
}

/* The one before it is cut short if it has not ended yet: it had its time. */
static void replace(rt_exporting *exporting)
{
    rt_exporter_child *old = &exporting->children[RT_EXPORTER_OLD];
    rt_exporter_child *new = &exporting->children[RT_EXPORTER_NEW];
    if (new->pid <= 0)
        return;
    if (old->pid > 0) {
        kill_child(old);
        waitpid(old->pid, NULL, 0);
        forget(old);
    }
    *old = *new;
    *new = (rt_exporter_child){.control = -1};
    tell_to_end(old);
}

/* What the supervisor logs goes where its workers' lines go. */
static void open_outlet(const rt_exporting *exporting, const rt_plan *plan)
{
    bool logs = plan->host.telemetry.signals[RT_SIGNAL_LOGS].endpoint != NULL;
    rt_outlet_open(&(rt_outlet_options){.socket = exporting->records[1], .logs = logs});
}

void rt_exporting_follow(rt_exporting *exporting, const rt_plan *plan)
{
    rt_buffer packed = {0};
    open_outlet(exporting, plan);
    if (exporting->metrics < 0 && exports(plan))
        exporting->metrics = open_metrics();
    if (rt_exporting_socket(exporting, plan) >= 0)
        pack_plan(plan, &packed);
    if (is_same(&packed, &exporting->plan)) {
        rt_buffer_wipe(&packed);
        if (exporting->plan.length && exporting->children[RT_EXPORTER_NEW].pid <= 0)
            exporting->due = rt_monotonic(); /* perhaps what it lacked is there now */
        return;
    }
    replace(exporting);
    rt_buffer_wipe(&exporting->plan);
    exporting->plan = packed;
    exporting->starts = 0;
    exporting->backoff = (rt_backoff){0};
    rt_arena_reset(&exporting->arena);
    exporting->variables = rt_worker_environment(&exporting->arena, plan);
    exporting->due = packed.length ? rt_monotonic() : 0;
}

void rt_exporting_stop(rt_exporting *exporting)
{
    if (exporting->stopping)
        return;
    exporting->stopping = true;
    exporting->due = 0;
    for (size_t i = 0; i < RT_EXPORTERS; i++)
        tell_to_end(&exporting->children[i]);
}

void rt_exporting_kill(rt_exporting *exporting)
{
    exporting->due = 0;
    for (size_t i = 0; i < RT_EXPORTERS; i++)
        kill_child(&exporting->children[i]);
}

bool rt_exporting_is_over(const rt_exporting *exporting)
{
    return exporting->children[RT_EXPORTER_NEW].pid <= 0 &&
           exporting->children[RT_EXPORTER_OLD].pid <= 0;
}

pid_t rt_exporting_pid(const rt_exporting *exporting)
{
    return exporting->children[RT_EXPORTER_NEW].pid;
}

void rt_exporting_adopt(rt_exporting *exporting, size_t which, pid_t pid)
{
    rt_exporter_child *child = &exporting->children[which < RT_EXPORTERS ? which : 0];
    child->pid = pid;
    child->due = rt_monotonic() + RT_EXPORT_LAST + GRACE;
}

/* --- ends ------------------------------------------------------------------------------------ */

static void describe(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "by signal %d", WTERMSIG(status));
    else
        snprintf(text, size, "with status %d", WEXITSTATUS(status));
}

/* It says itself what it lacks; to start it again would bring nothing but the same words. */
static bool is_hopeless(int status)
{
    return WIFEXITED(status) &&
           (WEXITSTATUS(status) == EX_UNAVAILABLE || WEXITSTATUS(status) == EX_CONFIG);
}

static void note_end(rt_exporting *exporting, rt_exporter_child *child, int status)
{
    uint64_t now = rt_monotonic();
    char how[64];
    bool wanted = !child->due;
    describe(status, how, sizeof how);
    if (!wanted && status)
        rt_log_host(RT_LOG_WARN, "the exporter (pid %d) ended %s while it sent its last",
                    (int)child->pid, how);
    if (wanted && is_hopeless(status))
        rt_log_host(RT_LOG_ERROR, "telemetry is not exported until the next reload");
    else if (wanted)
        exporting->due = now + rt_backoff_delay(&exporting->backoff, child->started, now);
    if (wanted && !is_hopeless(status))
        rt_log_host(RT_LOG_ERROR, "the exporter (pid %d) ended %s; it is started again in %ju ms",
                    (int)child->pid, how, (uintmax_t)((exporting->due - now) / 1000000));
    forget(child);
}

void rt_exporting_reap(rt_exporting *exporting)
{
    int status;
    for (size_t i = 0; i < RT_EXPORTERS; i++) {
        rt_exporter_child *child = &exporting->children[i];
        struct pollfd last = {.fd = child->control, .revents = POLLIN};
        if (child->pid <= 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
            continue;
        if (child->control >= 0) /* what it told before */
            rt_exporting_listen(child, &last);
        note_end(exporting, child, status);
    }
}

void rt_exporting_tick(rt_exporting *exporting, uint64_t now)
{
    for (size_t i = 0; i < RT_EXPORTERS; i++) {
        const rt_exporter_child *child = &exporting->children[i];
        if (child->pid > 0 && child->due && child->due <= now)
            kill_child(child);
    }
    if (exporting->due && exporting->due <= now && !exporting->stopping)
        start(exporting, now);
}

uint64_t rt_exporting_due(const rt_exporting *exporting)
{
    uint64_t due = exporting->due;
    for (size_t i = 0; i < RT_EXPORTERS; i++) {
        const rt_exporter_child *child = &exporting->children[i];
        if (child->pid > 0 && child->due && (!due || child->due < due))
            due = child->due;
    }
    return due;
}

/* --- talking --------------------------------------------------------------------------------- */

void rt_exporting_poll(const rt_exporting *exporting, struct pollfd *polls)
{
    for (size_t i = 0; i < RT_EXPORTERS; i++) {
        const rt_exporter_child *child = &exporting->children[i];
        short events = child->outbox.length ? POLLIN | POLLOUT : POLLIN;
        polls[i] = (struct pollfd){.fd = child->control, .events = events};
    }
}

static void send_more(rt_exporter_child *child)
{
    ssize_t sent = rt_parcel_send(child->control, child->outbox.data, child->outbox.length,
                                  child->sent, &child->parcel);
    bool hopeless = sent < 0 && errno != EAGAIN && errno != EINTR;
    child->sent += sent > 0 ? (size_t)sent : 0;
    if (!hopeless && child->sent < child->outbox.length)
        return;
    rt_buffer_wipe(&child->outbox);
    rt_parcel_drop(&child->parcel);
    child->sent = 0;
}

/* What was opened before and is not sent yet is replaced. */
void rt_exporting_reopen(rt_exporting *exporting, int log)
{
    rt_exporter_child *child = &exporting->children[RT_EXPORTER_NEW];
    bool pending = child->parcel.count > 0;
    if (child->control < 0)
        return;
    rt_parcel_drop(&child->parcel);
    rt_parcel_add(&child->parcel, log);
    if (pending)
        return;
    child->parcel.at = child->outbox.length;
    rt_message_pack(&child->outbox, &(rt_message){.kind = RT_TELL_REOPEN, .number = RT_REOPEN_LOG});
}

static void hang_up(rt_exporter_child *child)
{
    close(child->control);
    child->control = -1;
}

/* It talks with the network, and is believed no more than that: numbers, and not many bytes. */
void rt_exporting_listen(rt_exporter_child *child, const struct pollfd *poll)
{
    rt_arena arena;
    rt_message message;
    if (!(poll->revents & (POLLIN | POLLHUP | POLLERR)))
        return;
    ssize_t got = rt_inbox_fill(&child->inbox, child->control);
    if (got == -EAGAIN)
        return;
    rt_arena_init(&arena);
    int taken = got > 0 ? 1 : -EPROTO;
    while (taken > 0 && (taken = rt_inbox_take(&child->inbox, &arena, &message)) > 0)
        if (message.kind == RT_TELL_EXPORTED && message.text)
            rt_exporting_count(child->told, message.number, message.text);
    if (taken < 0 || child->inbox.bytes.length > INBOX_MOST)
        hang_up(child);
    rt_arena_free(&arena);
}

void rt_exporting_handle(rt_exporting *exporting, const struct pollfd *polls)
{
    for (size_t i = 0; i < RT_EXPORTERS; i++) {
        rt_exporter_child *child = &exporting->children[i];
        if (child->control < 0 || polls[i].fd != child->control)
            continue;
        if (polls[i].revents & POLLOUT)
            send_more(child);
        rt_exporting_listen(child, &polls[i]);
    }
}
