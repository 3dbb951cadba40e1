/* Validation by running: the plan's modules in a child that may crash, hang or leave. When one
 * brings the child down, another child runs without it, so that one bad module does not hide the
 * next. */
#include "base/reason.h"
#include "process/generation.h"
#include "process/privilege.h"
#include "process/process.h"
#include "process/role.h"
#include "process/snapshot.h"
#include "process/task.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define MILLISECOND UINT64_C(1000000)
#define UNLIMITED UINT64_MAX
#define WHOLE_LIMIT (10000 * MILLISECOND)
#define STEP_LIMIT (3000 * MILLISECOND) /* without a word from the child: it hangs */
#define CHILDREN_MOST 8
#define OUTPUT_MOST 2048 /* of what the child writes, kept for the note */

struct finding {
    enum rt_diagnostic_id id;
    const char *module, *text;
};

struct load_check {
    rt_composition *composition;
    rt_arena *arena;
    const char *self;
    uint64_t ends;     /* of all children */
    const char **skip; /* modules that brought a child down */
    size_t skip_count;
    const rt_task *task;
    bool lacking; /* the child says that something is missing */
};

/* One child. */
struct attempt {
    struct load_check *check;
    pid_t pid;
    int control, output;
    rt_inbox inbox;
    rt_buffer setup;
    size_t sent;
    rt_buffer said; /* what it wrote to its 1 and 2 */
    rt_phase phase;
    const char *module; /* whose phase it is */
    struct finding *findings;
    size_t finding_count;
    uint64_t step_limit, step_ends;
    bool done, hung, gone;
    int status;
};

/* --- talking to the child -------------------------------------------------------------------- */

/* Providers may wait for their servers; the child sees to the limits of the host's settings. What
 * is applied takes the time it takes. */
static uint64_t limit_of(const struct load_check *check, rt_phase phase)
{
    const rt_host_settings *host = &check->composition->plan->host;
    switch (phase) {
    case RT_PHASE_START:
        return (uint64_t)host->start_timeout + STEP_LIMIT;
    case RT_PHASE_MIGRATE:
        return check->task->kind == RT_TASK_UP ? UNLIMITED
                                               : (uint64_t)host->start_timeout + STEP_LIMIT;
    case RT_PHASE_HEALTH:
        return (uint64_t)host->start_timeout + STEP_LIMIT;
    case RT_PHASE_STOP:
        return (uint64_t)host->finalizer_timeout + STEP_LIMIT;
    default:
        return STEP_LIMIT;
    }
}

static void begin_step(struct attempt *attempt, rt_phase phase)
{
    attempt->phase = phase;
    attempt->step_limit = limit_of(attempt->check, phase);
}

static void take_message(struct attempt *attempt, const rt_message *message)
{
    const rt_task *task = attempt->check->task;
    if (message->kind == RT_TELL_READY) {
        attempt->done = true;
        attempt->check->lacking = message->number != 0;
    } else if (message->kind == RT_TELL_PHASE && message->number < RT_PHASE_COUNT) {
        begin_step(attempt, (rt_phase)message->number);
        attempt->module = message->module;
    } else if (message->kind == RT_TELL_PRINT && message->text && task->print) {
        task->print(task->argument, message->text);
    } else if (message->kind == RT_TELL_PROBLEM && message->number < RT_DIAGNOSTIC_COUNT &&
               message->module && message->text) {
        rt_push(attempt->check->arena, attempt->findings, attempt->finding_count) =
            (struct finding){(enum rt_diagnostic_id)message->number, message->module,
                             message->text};
    }
    attempt->step_ends =
        attempt->step_limit == UNLIMITED ? UNLIMITED : rt_monotonic() + attempt->step_limit;
}

static void read_messages(struct attempt *attempt)
{
    rt_message message;
    ssize_t got = rt_inbox_fill(&attempt->inbox, attempt->control);
    int taken = 0;
    while (got > 0 && (taken = rt_inbox_take(&attempt->inbox, attempt->check->arena, &message)) > 0)
        take_message(attempt, &message);
    if (got == 0 || taken < 0 || (got < 0 && got != -EAGAIN))
        attempt->gone = true;
}

static void send_setup(struct attempt *attempt)
{
    ssize_t sent = send(attempt->control, attempt->setup.data + attempt->sent,
                        attempt->setup.length - attempt->sent, MSG_NOSIGNAL);
    if (sent > 0)
        attempt->sent += (size_t)sent;
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        attempt->sent = attempt->setup.length;
    if (attempt->sent == attempt->setup.length)
        rt_buffer_wipe(&attempt->setup);
}

/* What does not fit is read all the same: a child must not wait for room. */
static void read_output(struct attempt *attempt)
{
    char bytes[4096];
    ssize_t got = read(attempt->output, bytes, sizeof bytes);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            close(attempt->output), attempt->output = -1;
        return;
    }
    size_t room = OUTPUT_MOST - attempt->said.length;
    rt_buffer_add(&attempt->said, bytes, (size_t)got < room ? (size_t)got : room);
}

static int time_left(const struct attempt *attempt)
{
    uint64_t now = rt_monotonic(), ends = attempt->step_ends;
    if (attempt->check->ends < ends)
        ends = attempt->check->ends;
    if (ends == UNLIMITED)
        return -1;
    return ends <= now ? 0 : (int)((ends - now) / MILLISECOND + 1);
}

static void follow(struct attempt *attempt)
{
    while (!attempt->gone && !attempt->done && !attempt->hung) {
        short wanted = attempt->setup.length ? POLLIN | POLLOUT : POLLIN;
        struct pollfd polls[] = {{.fd = attempt->control, .events = wanted},
                                 {.fd = attempt->output, .events = POLLIN}};
        int timeout = time_left(attempt);
        attempt->hung = timeout == 0 || (poll(polls, 2, timeout) < 0 && errno != EINTR);
        if (attempt->hung)
            break;
        if (polls[1].revents)
            read_output(attempt);
        if (polls[0].revents & POLLOUT)
            send_setup(attempt);
        if (polls[0].revents & (POLLIN | POLLHUP | POLLERR))
            read_messages(attempt);
    }
}

/* --- one child ------------------------------------------------------------------------------- */

static bool is_load(const struct load_check *check)
{
    return check->task->kind == RT_TASK_LOAD;
}

static int start_child(struct attempt *attempt)
{
    struct load_check *check = attempt->check;
    const rt_plan *plan = check->composition->plan;
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) < 0)
        return -errno;
    rt_role role = {.program = check->self,
                    .word = is_load(check) ? RT_ROLE_LOAD : RT_ROLE_MIGRATE,
                    .variables = rt_worker_environment(check->arena, plan),
                    .output = pipe_ends[1],
                    .sandbox = true,
                    .at_root = is_load(check)}; /* paths of databases may be relative */
    int error = rt_role_start(&role, &attempt->pid, &attempt->control);
    close(pipe_ends[1]);
    attempt->output = pipe_ends[0];
    fcntl(attempt->output, F_SETFL, O_NONBLOCK);
    if (error)
        close(attempt->output);
    return error;
}

/* Its whole process group goes, and what was written until then is read. */
static void end_child(struct attempt *attempt)
{
    if (!attempt->gone)
        kill(-attempt->pid, SIGKILL);
    while (waitpid(attempt->pid, &attempt->status, 0) < 0 && errno == EINTR)
        ;
    kill(-attempt->pid, SIGKILL);
    for (size_t before = SIZE_MAX; attempt->output >= 0 && before != attempt->said.length;) {
        before = attempt->said.length;
        read_output(attempt);
    }
    if (attempt->output >= 0)
        close(attempt->output);
    close(attempt->control);
    rt_inbox_free(&attempt->inbox);
    rt_buffer_wipe(&attempt->setup);
}

static void pack_task(struct attempt *attempt)
{
    rt_buffer line = {0};
    if (is_load(attempt->check))
        return;
    rt_task_write(&line, attempt->check->task);
    rt_message_pack(&attempt->setup, &(rt_message){.kind = RT_TELL_TASK, .text = line.data});
    rt_buffer_free(&line);
}

static int run_child(struct attempt *attempt)
{
    struct load_check *check = attempt->check;
    rt_setup setup = {.board = -1,
                      .metrics = -1,
                      .crash = -1,
                      .records = -1,
                      .skip = check->skip,
                      .skip_count = check->skip_count,
                      .plan = check->composition->plan};
    int error = start_child(attempt);
    if (error)
        return error;
    begin_step(attempt, RT_PHASE_NONE);
    attempt->step_ends = rt_monotonic() + STEP_LIMIT;
    rt_setup_pack(&attempt->setup, &setup);
    pack_task(attempt);
    follow(attempt);
    end_child(attempt);
    return 0;
}

/* --- what it means --------------------------------------------------------------------------- */

static const rt_plan_instance *find_instance(const rt_plan *plan, const char *name)
{
    for (size_t i = 0; name && i < plan->instance_count; i++)
        if (strcmp(plan->instances[i].name, name) == 0)
            return &plan->instances[i];
    return NULL;
}

static rt_place place_of(const struct load_check *check, const char *name)
{
    const rt_plan_instance *instance = find_instance(check->composition->plan, name);
    return (rt_place){.file = instance ? instance->file : NULL};
}

/* The child's output as one line a note: its lines are joined, controls are left out. */
static void note_output(const struct attempt *attempt, rt_diagnostic *diagnostic)
{
    rt_buffer text = {0};
    for (size_t i = 0; i < attempt->said.length; i++) {
        char c = attempt->said.data[i];
        bool printable = (unsigned char)c >= 0x20 && c != 0x7f;
        if (printable || (c == '\n' && i + 1 < attempt->said.length))
            rt_buffer_char(&text, printable ? c : ' ');
    }
    if (text.length)
        rt_note(diagnostic, "it wrote: %s%s", text.data,
                attempt->said.length == OUTPUT_MOST ? "…" : "");
    rt_buffer_free(&text);
}

static void report_end(const struct attempt *attempt)
{
    struct load_check *check = attempt->check;
    rt_diagnostics *diagnostics = &check->composition->diagnostics;
    const char *phase = rt_phase_names[attempt->phase], *module = attempt->module;
    int status = attempt->status, number = WTERMSIG(status);
    const char *name = WIFSIGNALED(status) ? sigabbrev_np(number) : NULL;
    rt_place place = place_of(check, module);
    rt_diagnostic *diagnostic;
    if (attempt->hung)
        diagnostic =
            RT_DIAGNOSE(diagnostics, LOAD_HUNG, &place, module, phase,
                        rt_arena_format(check->arena, "%.3g s", (double)attempt->step_limit / 1e9));
    else if (WIFSIGNALED(status))
        diagnostic = RT_DIAGNOSE(diagnostics, LOAD_CRASHED, &place, module, phase,
                                 rt_arena_format(check->arena, "signal SIG%s (%s)",
                                                 name ? name : "?", strsignal(number)));
    else
        diagnostic =
            RT_DIAGNOSE(diagnostics, LOAD_EXITED, &place, module, phase,
                        rt_arena_format(check->arena, "exit status %d", WEXITSTATUS(status)));
    note_output(attempt, diagnostic);
}

/* The first line is the message's, each further one a note. */
static void report_finding(const struct attempt *attempt, const struct finding *finding)
{
    rt_arena *arena = attempt->check->arena;
    rt_place place = place_of(attempt->check, finding->module);
    const char *text = finding->text;
    size_t length = strcspn(text, "\n");
    rt_diagnostic *diagnostic = rt_diagnose(&attempt->check->composition->diagnostics, finding->id,
                                            &place, rt_diagnostic_table[finding->id].format,
                                            finding->module, rt_arena_copy_n(arena, text, length));
    for (text += length; *text; text += length) {
        length = strcspn(++text, "\n");
        rt_note(diagnostic, "%.*s", (int)length, text);
    }
}

static void report_findings(const struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->finding_count; i++)
        report_finding(attempt, &attempt->findings[i]);
}

static void report_broken_child(struct load_check *check, const struct attempt *attempt)
{
    const char *reason =
        attempt->hung
            ? "it says nothing"
            : rt_arena_format(check->arena, "it ended with status %d before it loaded anything",
                              attempt->status);
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(&check->composition->diagnostics, LOAD_CHILD_FAILED, NULL, reason);
    note_output(attempt, diagnostic);
}

/* False when it is not worth another child. */
static bool judge(struct load_check *check, const struct attempt *attempt)
{
    if (attempt->done) {
        report_findings(attempt);
        return false;
    }
    const rt_plan_instance *guilty = find_instance(check->composition->plan, attempt->module);
    if (!guilty) {
        report_broken_child(check, attempt);
        return false;
    }
    report_end(attempt);
    if (!is_load(check) && check->task->kind != RT_TASK_CONNECT) {
        report_findings(attempt);
        return false;
    }
    rt_push(check->arena, check->skip, check->skip_count) = guilty->module;
    if (check->skip_count < CHILDREN_MOST && rt_monotonic() < check->ends)
        return true;
    report_findings(attempt);
    RT_DIAGNOSE(&check->composition->diagnostics, LOAD_INCOMPLETE, NULL,
                check->skip_count == CHILDREN_MOST ? "too many modules bring the process down"
                                                   : "time is over");
    return false;
}

static bool try_once(struct load_check *check)
{
    struct attempt attempt = {.check = check};
    int error = run_child(&attempt);
    bool again = false;
    if (error)
        RT_DIAGNOSE(&check->composition->diagnostics, LOAD_CHILD_FAILED, NULL, rt_reason(-error));
    else
        again = judge(check, &attempt);
    rt_buffer_free(&attempt.said);
    return again;
}

/* The child works in the folder `/`, so the files get their full names. */
static void name_files_in_full(const struct load_check *check, bool set)
{
    rt_plan *plan = check->composition->plan;
    for (size_t i = 0; i < plan->instance_count; i++) {
        char *full = set ? realpath(plan->instances[i].file, NULL) : NULL;
        plan->instances[i].snapshot = rt_arena_copy(check->arena, full);
        free(full);
    }
}

/* A child that becomes somebody else loads copies, as workers do: where the plugins lie, that user
 * may have no business. */
static bool prepare_files(struct load_check *check, rt_snapshot *snapshot)
{
    const char *error = NULL;
    if (!rt_privileges_change_identity(check->composition->plan)) {
        name_files_in_full(check, true);
        return true;
    }
    int code = rt_snapshot_make(snapshot, check->arena, check->composition,
                                &check->composition->diagnostics, &error);
    if (code && code != EX_CONFIG)
        RT_DIAGNOSE(&check->composition->diagnostics, LOAD_CHILD_FAILED, NULL, error);
    return code == 0;
}

bool rt_task_run(rt_composition *composition, const char *self, const rt_task *task)
{
    struct load_check check = {.composition = composition,
                               .arena = composition->diagnostics.arena,
                               .self = self,
                               .task = task,
                               .ends = task->kind == RT_TASK_LOAD ? rt_monotonic() + WHOLE_LIMIT
                                                                  : UNLIMITED,
                               .lacking = true};
    if (!composition->plan)
        return false;
    rt_snapshot snapshot = {0};
    bool prepared = prepare_files(&check, &snapshot);
    while (prepared && try_once(&check))
        ;
    rt_snapshot_remove(&snapshot);
    name_files_in_full(&check, false);
    return !check.lacking;
}

void rt_load_check(rt_composition *composition, const char *self)
{
    rt_task_run(composition, self, &(rt_task){.kind = RT_TASK_LOAD});
}
