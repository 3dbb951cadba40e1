/* One walk over the supervisor serves both directions, so that the two cannot disagree: with `out`
 * it writes each value it meets, with `in` it reads it and makes what it belongs to. */
#include "process/handover.h"

#include "process/metric_pool.h"
#include "process/role.h"
#include "process/supervisor_metrics.h"
#include "process/tls.h"
#include "telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x31564f4844545200) /* "\0RTDHOV1" */
#define STATE_LIMIT ((off_t)512 << 20)

struct walk {
    rt_buffer *out; /* NULL: reading */
    rt_unpack in;
    rt_supervisor *supervisor;
    int *descriptors;
    size_t count;
};

/* --- values ---------------------------------------------------------------------------------- */

static void number(struct walk *walk, uint64_t *value)
{
    if (walk->out)
        rt_pack_u64(walk->out, *value);
    else
        *value = rt_unpack_u64(&walk->in);
}

static void small(struct walk *walk, uint32_t *value, uint32_t most)
{
    uint64_t wide = *value;
    number(walk, &wide);
    if (wide > most)
        walk->in.failed = true;
    else
        *value = (uint32_t)wide;
}

static void truth(struct walk *walk, bool *value)
{
    uint32_t bit = *value;
    small(walk, &bit, 1);
    *value = bit == 1;
}

static void text(struct walk *walk, rt_arena *arena, const char **value)
{
    if (walk->out) {
        rt_pack_text(walk->out, *value);
        return;
    }
    walk->in.arena = arena;
    *value = rt_unpack_text(&walk->in);
}

/* How many follow; when reading never more than bytes are left. */
static size_t count_of(struct walk *walk, size_t count)
{
    if (walk->out)
        rt_pack_u64(walk->out, count);
    return walk->out ? count : rt_unpack_count(&walk->in);
}

static void bytes(struct walk *walk, rt_buffer *buffer, size_t from)
{
    size_t length = count_of(walk, buffer->length - from);
    if (walk->out) {
        rt_buffer_add(walk->out, buffer->data + from, length);
        return;
    }
    if (walk->in.failed)
        return;
    rt_buffer_add(buffer, walk->in.next, length);
    walk->in.next += length;
}

/* -1 is none. */
static void descriptor(struct walk *walk, int *fd)
{
    uint64_t wide = (uint64_t)(int64_t)*fd;
    number(walk, &wide);
    int value = (int)(int64_t)wide;
    if (value >= 0 && fcntl(value, F_GETFD) < 0)
        walk->in.failed = true;
    *fd = walk->in.failed ? -1 : value;
    if (*fd >= 0)
        rt_push(&walk->supervisor->arena, walk->descriptors, walk->count) = *fd;
}

/* --- sockets and the control socket ---------------------------------------------------------- */

static void sockets(struct walk *walk, rt_arena *arena, rt_sockets *list)
{
    size_t count = count_of(walk, list->count);
    for (size_t i = 0; i < count && !walk->in.failed; i++) {
        if (!walk->out)
            rt_push(arena, list->items, list->count) = (rt_socket){.fd = -1, .url = ""};
        descriptor(walk, &list->items[i].fd);
        small(walk, &list->items[i].flags, UINT32_MAX);
        text(walk, arena, &list->items[i].url);
        number(walk, &list->items[i].file);
    }
}

/* Sessions of TLS are resumed after an upgrade too. */
static void tickets(struct walk *walk)
{
    rt_ticket_secret secret = walk->out ? rt_tickets_of_host() : (rt_ticket_secret){0};
    number(walk, &secret.epoch);
    for (int i = 0; i < 4; i++)
        number(walk, &secret.chain[i]);
    if (!walk->out && !walk->in.failed)
        rt_tickets_take_over(&secret);
    explicit_bzero(&secret, sizeof secret);
}

static void addresses(struct walk *walk)
{
    rt_addresses *all = &walk->supervisor->addresses;
    size_t count = 0;
    for (rt_address *address = all->first; address; address = address->next)
        count++;
    count = count_of(walk, count);
    rt_address *address = all->first;
    for (size_t i = 0; i < count && !walk->in.failed; i++) {
        const char *name = walk->out ? address->text : NULL;
        text(walk, &walk->supervisor->arena, &name);
        uint32_t flags = walk->out ? address->flags : 0;
        small(walk, &flags, UINT32_MAX);
        if (!walk->out)
            address = rt_address_add(all, name ? name : "", flags);
        sockets(walk, &address->arena, &address->sockets);
        address = address->next;
    }
}

static void client(struct walk *walk, rt_client *client)
{
    uint32_t waits = client->waits;
    small(walk, &waits, RT_WAITS_FIBERS);
    small(walk, &client->subject, UINT32_MAX);
    descriptor(walk, &client->fd);
    client->waits = (enum rt_control_wait)waits;
    if (waits == RT_WAITS_RELOAD)
        walk->supervisor->reload.asked = true;
    client->asked = true;
    if (!walk->out)
        client->ticket = 1; /* the reload that follows */
}

static void control(struct walk *walk)
{
    rt_control *control = &walk->supervisor->control;
    const char *path = control->path;
    uint64_t device = control->device, inode = control->inode;
    size_t waiting = 0;
    descriptor(walk, &control->listener);
    text(walk, &walk->supervisor->arena, &path);
    number(walk, &device);
    number(walk, &inode);
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++)
        waiting += control->clients[i].fd >= 0 && control->clients[i].waits;
    waiting = count_of(walk, waiting);
    for (size_t i = 0, at = 0; i < waiting && at < RT_CONTROL_CLIENTS; at++) {
        bool passes = control->clients[at].fd >= 0 && control->clients[at].waits;
        if (walk->out && !passes)
            continue;
        client(walk, &control->clients[at]);
        i++;
    }
    if (walk->out)
        return;
    snprintf(control->path, sizeof control->path, "%s", path ? path : "");
    control->device = device;
    control->inode = inode;
}

/* --- generations ----------------------------------------------------------------------------- */

static void worker(struct walk *walk, rt_worker *worker)
{
    uint64_t pid = (uint64_t)worker->pid;
    uint32_t cause = worker->cause;
    number(walk, &pid);
    worker->pid = (pid_t)pid;
    small(walk, &worker->number, UINT32_MAX);
    small(walk, &worker->state, RT_WORKER_STATES - 1);
    descriptor(walk, &worker->control);
    number(walk, &worker->started);
    number(walk, &worker->due);
    number(walk, &worker->backoff.next);
    number(walk, &worker->restarts);
    number(walk, &worker->crashes);
    number(walk, &worker->stalled);
    truth(walk, &worker->replaces);
    truth(walk, &worker->drains);
    small(walk, &worker->metric_slot, RT_METRIC_SLOTS);
    small(walk, &cause, RT_END_STALLED);
    worker->cause = (enum rt_end_cause)cause;
    descriptor(walk, &worker->crash);
    bytes(walk, &worker->inbox.bytes, worker->inbox.taken);
    bytes(walk, &worker->outbox, worker->sent);
}

/* The board has it, too; but a plugin may have scribbled over that. */
static void quarantine(struct walk *walk, rt_generation *generation)
{
    rt_quarantine *quarantine = &generation->quarantine;
    size_t count = count_of(walk, quarantine->count);
    for (size_t i = 0; i < count && !walk->in.failed; i++) {
        uint32_t entry = walk->out ? quarantine->entries[i].number : 0;
        small(walk, &entry, RT_BOARD_ENTRIES - 1);
        rt_quarantine_entry *item = rt_quarantine_entry_of(quarantine, entry);
        const char *module = item->module;
        for (size_t at = 0; at < RT_QUARANTINE_CRASHES; at++)
            number(walk, &item->crashes[at]);
        truth(walk, &item->refused);
        text(walk, &generation->arena, &module);
        if (!walk->out)
            item->module = module ? strdup(module) : NULL;
    }
    if (!walk->out && !walk->in.failed)
        rt_quarantine_restore(quarantine, generation->board);
}

static void snapshot(struct walk *walk, rt_generation *generation)
{
    rt_snapshot *copies = &generation->snapshot;
    rt_arena *arena = copies->arena = &generation->arena;
    text(walk, arena, &copies->folder);
    descriptor(walk, &copies->lock);
    size_t count = count_of(walk, copies->file_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++) {
        if (!walk->out)
            rt_push(arena, copies->files, copies->file_count) = NULL;
        text(walk, arena, &copies->files[i]);
        if (!copies->files[i])
            walk->in.failed = true;
    }
}

/* What is needed of a plan even if the rest of it cannot be read. */
static void least_of_plan(struct walk *walk, rt_arena *arena, rt_plan *plan)
{
    rt_host_settings *host = &plan->host;
    int64_t *numbers[] = {&host->start_timeout,     &host->drain_timeout,    &host->shutdown_delay,
                          &host->finalizer_timeout, &host->watchdog_timeout, &host->crash.keep,
                          &host->health.interval,   &host->health.timeout};
    small(walk, (uint32_t *)&plan->environment, RT_ENVIRONMENT_COUNT - 1);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        number(walk, (uint64_t *)numbers[i]);
    truth(walk, &host->quarantine);
    const char **texts[] = {&host->name,          &host->log.level,      &host->log.format,
                            &host->log.file,      &host->control.socket, &host->crash.folder,
                            &host->health.fail_on};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        text(walk, arena, texts[i]);
    if (!host->name || !host->log.level || !host->log.format || !host->health.fail_on)
        walk->in.failed = true;
    size_t count = count_of(walk, plan->secret_variable_count);
    for (size_t i = 0; i < count && !walk->in.failed; i++) {
        if (!walk->out)
            rt_push(arena, plan->secret_variables, plan->secret_variable_count) = NULL;
        text(walk, arena, &plan->secret_variables[i]);
        if (!plan->secret_variables[i])
            walk->in.failed = true;
    }
}

/* Two builds of one version may differ in it. */
static uint64_t plan_layout(void)
{
    const size_t sizes[] = {sizeof(rt_plan),          sizeof(rt_host_settings),
                            sizeof(rt_plan_instance), sizeof(rt_plan_binding),
                            sizeof(rt_plan_option),   sizeof(rt_setting),
                            sizeof(rt_plan_path)};
    uint64_t layout = RT_HANDOVER_PLAN;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        layout = layout * 1009 + sizes[i];
    return layout;
}

/* From which workers are replaced; a plan that another rtd wrote in another form is not needed to
 * let the workers that live go on. */
static void plan(struct walk *walk, rt_generation *generation)
{
    rt_arena *arena = &generation->arena;
    rt_plan *least = walk->out ? generation->plan : RT_NEW(arena, rt_plan), *whole = NULL;
    uint64_t layout = plan_layout();
    rt_buffer packed = {0};
    least_of_plan(walk, arena, least);
    number(walk, &layout);
    if (walk->out && !generation->is_frozen)
        rt_plan_pack(&packed, generation->plan);
    bytes(walk, &packed, 0);
    if (!walk->out && !walk->in.failed) {
        if (packed.length && layout == plan_layout())
            whole = rt_plan_unpack(arena, packed.data, packed.length);
        if (whole) {
            whole->secret_variables = least->secret_variables;
            whole->secret_variable_count = least->secret_variable_count;
        }
        generation->is_frozen = !whole;
        generation->plan = whole ? whole : least;
        generation->variables = rt_worker_environment(arena, least);
        rt_plan_redact(generation->plan);
    }
    rt_buffer_wipe(&packed);
}

/* The workers that live keep to a board of another form; nobody new could. */
static void staff(struct walk *walk, rt_generation *generation, size_t count, int board)
{
    if (rt_generation_staff(generation, count, board) == 0)
        return;
    rt_board_close(generation->board);
    generation->is_frozen = true;
    if (rt_generation_staff(generation, count, -1) != 0)
        walk->in.failed = true;
}

static void retake_slots(const rt_generation *generation)
{
    for (size_t i = 0; i < generation->count; i++)
        rt_metric_pool_retake(rt_metric_pool_of_host(), generation->workers[i].metric_slot,
                              generation->number, generation->workers[i].number);
}

static void generation(struct walk *walk, rt_generation *generation)
{
    small(walk, &generation->number, UINT32_MAX);
    number(walk, &generation->began);
    number(walk, &generation->serving);
    number(walk, &generation->retired);
    number(walk, &generation->cut);
    truth(walk, &generation->stopping);
    truth(walk, &generation->interrupted);
    truth(walk, &generation->unclean);
    plan(walk, generation);
    sockets(walk, &generation->arena, &generation->sockets);
    snapshot(walk, generation);
    bytes(walk, &generation->levels, 0);
    int board = generation->board ? generation->board->fd : -1;
    descriptor(walk, &board);
    size_t count = count_of(walk, generation->count);
    if (!walk->out && !walk->in.failed)
        staff(walk, generation, count, board);
    for (size_t i = 0; i < count && !walk->in.failed; i++)
        worker(walk, &generation->workers[i]);
    if (!walk->out)
        retake_slots(generation);
    quarantine(walk, generation);
}

static void generations(struct walk *walk)
{
    rt_supervisor *supervisor = walk->supervisor;
    rt_generation **at = &supervisor->generations;
    size_t count = 0;
    for (rt_generation *g = supervisor->generations; g; g = g->older)
        count++;
    count = count_of(walk, count);
    for (size_t i = 0; i < count && !walk->in.failed; i++) {
        bool is_current = walk->out && *at == supervisor->current;
        truth(walk, &is_current);
        if (!walk->out) {
            *at = rt_generation_new(0);
            (*at)->fibers = &supervisor->fibers;
            (*at)->calls = &supervisor->calls;
        }
        if (is_current)
            supervisor->current = *at;
        generation(walk, *at);
        at = &(*at)->older;
    }
    if (!supervisor->current)
        walk->in.failed = true;
}

/* Of another form, it is counted anew from here. */
static void metrics(struct walk *walk)
{
    int fd = walk->out ? rt_metric_pool_of_host()->fd : -1;
    descriptor(walk, &fd);
    if (walk->out || walk->in.failed)
        return;
    if (fd >= 0 && rt_metric_pool_adopt(fd) != 0)
        rt_log_host(RT_LOG_WARN, "metrics are counted anew: they were kept in another form");
    rt_supervisor_metrics_open();
}

/* --- the state ------------------------------------------------------------------------------- */

/* The next rtd makes an exporter of its own; this one sends what it has and ends, as its control
 * socket closes. */
static void exporting(struct walk *walk)
{
    rt_exporting *all = &walk->supervisor->exporting;
    for (size_t i = 0; i < 2; i++)
        descriptor(walk, &all->records[i]);
    for (size_t i = 0; i < RT_EXPORTERS; i++) {
        uint64_t pid = (uint64_t)all->children[i].pid;
        number(walk, &pid);
        if (!walk->out && pid)
            rt_exporting_adopt(all, i, (pid_t)pid);
    }
    for (rt_generation *g = walk->supervisor->generations; g && !walk->out; g = g->older)
        g->records = all->records[1];
}

static const char *whole(struct walk *walk)
{
    rt_supervisor *supervisor = walk->supervisor;
    uint64_t magic = MAGIC, version = RT_HANDOVER_VERSION;
    number(walk, &magic);
    number(walk, &version);
    if (walk->in.failed || magic != MAGIC)
        return "it is no state of an rtd";
    if (version != RT_HANDOVER_VERSION)
        return "its version is unknown";
    number(walk, &supervisor->began);
    small(walk, &supervisor->last_number, UINT32_MAX);
    text(walk, &supervisor->arena, &supervisor->program);
    addresses(walk);
    tickets(walk);
    control(walk);
    metrics(walk);
    generations(walk);
    exporting(walk);
    if (walk->in.failed || !supervisor->program || walk->in.next != walk->in.end)
        return "it is damaged";
    return NULL;
}

static void set_inheritance(const int *descriptors, size_t count, int flags)
{
    for (size_t i = 0; i < count; i++)
        fcntl(descriptors[i], F_SETFD, flags);
}

static int write_state(const rt_buffer *bytes)
{
    int fd = memfd_create("rtd-state", 0);
    if (fd < 0)
        return -errno;
    for (size_t done = 0; done < bytes->length;) {
        ssize_t wrote = write(fd, bytes->data + done, bytes->length - done);
        if (wrote < 0 && errno != EINTR) {
            int error = -errno;
            close(fd);
            return error;
        }
        done += wrote < 0 ? 0 : (size_t)wrote;
    }
    return fd;
}

int rt_handover_make(rt_supervisor *supervisor, rt_handover *handover)
{
    rt_buffer state = {0};
    struct walk walk = {.out = &state, .supervisor = supervisor};
    whole(&walk);
    int fd = walk.in.failed ? -EBADF : write_state(&state);
    rt_buffer_wipe(&state);
    if (fd < 0)
        return fd;
    *handover = (rt_handover){fd, walk.descriptors, walk.count};
    set_inheritance(walk.descriptors, walk.count, 0);
    return 0;
}

void rt_handover_undo(rt_handover *handover)
{
    set_inheritance(handover->descriptors, handover->count, FD_CLOEXEC);
    close(handover->state);
}

char **rt_handover_variables(rt_arena *arena, int state, int old_program, bool is_return)
{
    char **variables = NULL;
    size_t count = 0;
    for (char **entry = environ; *entry; entry++)
        rt_push(arena, variables, count) = *entry;
    rt_push(arena, variables, count) =
        rt_arena_format(arena, RT_HANDOVER_VARIABLE "=%d:%d:%d%s", (int)getpid(), state,
                        old_program, is_return ? ":back" : "");
    rt_push(arena, variables, count) = NULL;
    return variables;
}

/* --- taking over ----------------------------------------------------------------------------- */

/* Memory that grows would leave copies of the secrets behind. */
static bool read_state(int fd, rt_buffer *bytes)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || status.st_size <= 0 || status.st_size > STATE_LIMIT)
        return false;
    rt_buffer_reserve(bytes, (size_t)status.st_size);
    while (bytes->length < (size_t)status.st_size) {
        ssize_t got = pread(fd, bytes->data + bytes->length, (size_t)status.st_size - bytes->length,
                            (off_t)bytes->length);
        if (got <= 0)
            return false;
        bytes->length += (size_t)got;
    }
    return true;
}

/* The children are not lost as long as somebody holds their sockets and knows what they are: the
 * program before does. */
static int go_back(rt_supervisor *supervisor, const char *reason)
{
    const rt_startup *startup = supervisor->startup;
    rt_log_host(RT_LOG_ERROR, "rtd %s cannot take over: the state handed to it: %s", RT_VERSION,
                reason);
    if (startup->old_program >= 0) {
        fcntl(startup->state, F_SETFD, 0);
        fcntl(startup->old_program, F_SETFD, FD_CLOEXEC); /* it is needed only to execute it */
        char **variables = rt_handover_variables(&supervisor->arena, startup->state, -1, true);
        fexecve(startup->old_program, startup->arguments, variables);
    }
    rt_log_host(RT_LOG_FATAL, "nor can the rtd before it go on: the workers end");
    _exit(EX_SOFTWARE);
}

static void say_taken(rt_supervisor *supervisor)
{
    if (supervisor->startup->is_return) {
        static const char text[] = "not upgraded: the new rtd could not read the state";
        rt_log_host(RT_LOG_ERROR, "%s; rtd %s goes on", text, RT_VERSION);
        rt_control_finish(&supervisor->control, RT_WAITS_UPGRADE, UINT64_MAX, "err", text,
                          EX_SOFTWARE);
        return;
    }
    rt_log_host(RT_LOG_INFO, "upgraded: rtd %s took over generation %u", RT_VERSION,
                supervisor->current->number);
    supervisor->reload.asked = true;
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++)
        if (supervisor->control.clients[i].waits == RT_WAITS_UPGRADE)
            rt_client_out(&supervisor->control.clients[i], "upgraded: rtd %s", RT_VERSION);
    if (supervisor->current->is_frozen)
        rt_log_host(RT_LOG_WARN,
                    "the plan of generation %u is in another form: its workers are not replaced",
                    supervisor->current->number);
}

int rt_handover_take(rt_supervisor *supervisor)
{
    const rt_startup *startup = supervisor->startup;
    rt_buffer state = {0};
    struct walk walk = {.supervisor = supervisor};
    const char *problem = "it cannot be read";
    if (read_state(startup->state, &state)) {
        walk.in = (rt_unpack){.next = state.data, .end = state.data + state.length};
        problem = whole(&walk);
    }
    rt_buffer_wipe(&state);
    if (problem)
        return go_back(supervisor, problem);
    set_inheritance(walk.descriptors, walk.count, FD_CLOEXEC);
    close(startup->state);
    if (startup->old_program >= 0)
        close(startup->old_program);
    rt_launch_log(supervisor->current->plan, RT_LOG_ERROR);
    rt_launch_hide(supervisor->current->plan);
    if (!supervisor->current->is_frozen) /* of whose plan nothing is known about it */
        rt_exporting_follow(&supervisor->exporting, supervisor->current->plan);
    say_taken(supervisor);
    for (rt_generation *g = supervisor->generations; g; g = g->older)
        rt_generation_reap(g); /* who died in between was signalled to nobody */
    return 0;
}
