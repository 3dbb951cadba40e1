/* Upgrade in place: the program that rtd was started from is run with --preflight; if it says that
 * it can take over, it is executed in this process. If not, nothing has happened. */
#include "compose/report.h"
#include "process/handover.h"
#include "telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define LIMIT_SECONDS 10
#define OUTPUT_MOST 65536
#define PREFLIGHT "--preflight"
#define SAYS_STATE "preflight: state "
#define CANNOT_EXECUTE 127

int rt_preflight(rt_arena *arena, const rt_compose_request *request)
{
    const rt_composition *composition = rt_compose(arena, request);
    bool fit = composition->plan && !composition->diagnostics.errors;
    rt_report_print(stdout, composition, false);
    printf("rtd %s\n" SAYS_STATE "%d\n", RT_VERSION, RT_HANDOVER_VERSION);
    return fit ? 0 : EX_CONFIG;
}

void rt_upgrade_ask(rt_supervisor *supervisor, const char *who)
{
    if (supervisor->state != RT_RUNNING) {
        rt_log_host(RT_LOG_WARN, "%s: no upgrade, for rtd stops", who);
        return;
    }
    rt_log_host(RT_LOG_INFO, "%s: upgrading", who);
    supervisor->upgrade.asked = true;
}

/* --- the preflight --------------------------------------------------------------------------- */

/* The same words, with the one more where it counts as an option whatever follows. */
static char **arguments_of(rt_supervisor *supervisor)
{
    char **from = supervisor->startup->arguments, **arguments = NULL;
    size_t count = 0;
    rt_push(&supervisor->arena, arguments, count) = *from++;
    rt_push(&supervisor->arena, arguments, count) = rt_arena_copy(&supervisor->arena, PREFLIGHT);
    while (*from)
        rt_push(&supervisor->arena, arguments, count) = *from++;
    rt_push(&supervisor->arena, arguments, count) = NULL;
    return arguments;
}

__attribute__((noreturn)) static void become_preflight(const char *program, char **arguments,
                                                       int output)
{
    sigset_t none;
    int input = open("/dev/null", O_RDONLY);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    if (input < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        _exit(CANNOT_EXECUTE);
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    execve(program, arguments, environ);
    dprintf(STDERR_FILENO, "cannot execute `%s`: %s\n", program, strerror(errno));
    _exit(CANNOT_EXECUTE);
}

static int start_preflight(rt_supervisor *supervisor)
{
    rt_upgrade *upgrade = &supervisor->upgrade;
    char **arguments = arguments_of(supervisor);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        become_preflight(supervisor->program, arguments, ends[1]);
    int error = errno;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -error;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    upgrade->pid = pid;
    upgrade->output = ends[0];
    upgrade->due = rt_monotonic() + LIMIT_SECONDS * RT_SECOND;
    return 0;
}

static void read_output(rt_upgrade *upgrade)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(upgrade->output, bytes, sizeof bytes)) > 0) {
        size_t room = OUTPUT_MOST - upgrade->text.length;
        rt_buffer_add(&upgrade->text, bytes, (size_t)got < room ? (size_t)got : room);
    }
}

void rt_upgrade_handle(rt_supervisor *supervisor, const struct pollfd *poll)
{
    rt_upgrade *upgrade = &supervisor->upgrade;
    if (upgrade->output < 0 || !(poll->revents & (POLLIN | POLLHUP | POLLERR)))
        return;
    read_output(upgrade);
    if (!(poll->revents & POLLHUP))
        return;
    close(upgrade->output); /* or poll(2) would return for it at once until the process ends */
    upgrade->output = -1;
}

void rt_upgrade_reap(rt_supervisor *supervisor)
{
    rt_upgrade *upgrade = &supervisor->upgrade;
    if (upgrade->pid > 0 && !upgrade->ended &&
        waitpid(upgrade->pid, &upgrade->status, WNOHANG) == upgrade->pid)
        upgrade->ended = true;
}

static void kill_preflight(const rt_upgrade *upgrade)
{
    if (upgrade->ended)
        return;
    kill(-upgrade->pid, SIGKILL);
    kill(upgrade->pid, SIGKILL);
}

static void forget(rt_upgrade *upgrade)
{
    if (upgrade->output >= 0)
        close(upgrade->output);
    rt_buffer_free(&upgrade->text);
    *upgrade = (rt_upgrade){.output = -1, .asked = upgrade->asked};
}

void rt_upgrade_cancel(rt_supervisor *supervisor)
{
    rt_upgrade *upgrade = &supervisor->upgrade;
    if (upgrade->pid) {
        kill_preflight(upgrade);
        if (!upgrade->ended)
            waitpid(upgrade->pid, NULL, 0);
    }
    if (upgrade->pid || upgrade->asked)
        rt_control_finish(&supervisor->control, RT_WAITS_UPGRADE, UINT64_MAX, "err",
                          "not upgraded: rtd stops", EX_UNAVAILABLE);
    forget(upgrade);
    upgrade->asked = false;
}

/* --- the verdict ----------------------------------------------------------------------------- */

static void refuse(rt_supervisor *supervisor, int status, const char *reason)
{
    rt_buffer text = {0}, *output = &supervisor->upgrade.text;
    rt_log_host(RT_LOG_ERROR, "not upgraded, rtd %s goes on: `%s` %s%s%s", RT_VERSION,
                supervisor->program, reason, output->length ? ": " : "",
                output->length ? output->data : "");
    rt_buffer_add(&text, output->data, output->length);
    if (output->length && output->data[output->length - 1] != '\n')
        rt_buffer_char(&text, '\n');
    rt_buffer_format(&text, "not upgraded, rtd %s goes on: `%s` %s\n", RT_VERSION,
                     supervisor->program, reason);
    rt_control_finish(&supervisor->control, RT_WAITS_UPGRADE, UINT64_MAX, "err", text.data, status);
    rt_buffer_free(&text);
    forget(&supervisor->upgrade);
}

/* A line of its own with this very version: any program can end with status 0. */
static bool can_take_over(const rt_buffer *output)
{
    char line[64];
    int length = snprintf(line, sizeof line, SAYS_STATE "%d\n", RT_HANDOVER_VERSION);
    for (const char *at = output->data; at && (at = strstr(at, line)); at += length)
        if (at == output->data || at[-1] == '\n')
            return true;
    return false;
}

static bool passed(rt_supervisor *supervisor)
{
    const rt_upgrade *upgrade = &supervisor->upgrade;
    char reason[64];
    if (WIFSIGNALED(upgrade->status))
        snprintf(reason, sizeof reason, "was ended by signal %d", WTERMSIG(upgrade->status));
    else if (WEXITSTATUS(upgrade->status))
        snprintf(reason, sizeof reason, "ended with status %d", WEXITSTATUS(upgrade->status));
    else if (!can_take_over(&upgrade->text))
        snprintf(reason, sizeof reason, "is no rtd that reads state %d", RT_HANDOVER_VERSION);
    else
        return true;
    bool unfit = WIFEXITED(upgrade->status) && WEXITSTATUS(upgrade->status) == EX_CONFIG;
    refuse(supervisor, unfit ? EX_CONFIG : EX_UNAVAILABLE, reason);
    return false;
}

/* Returns only if it failed. */
static void execute(rt_supervisor *supervisor)
{
    rt_handover handover;
    rt_calls_abandon(supervisor);
    int error = rt_handover_make(supervisor, &handover);
    if (!error) {
        int self = open("/proc/self/exe", O_RDONLY);
        char **variables = rt_handover_variables(&supervisor->arena, handover.state, self, false);
        rt_log_settle(true);
        execve(supervisor->program, supervisor->startup->arguments, variables);
        error = -errno;
        if (self >= 0)
            close(self);
        rt_handover_undo(&handover);
    }
    refuse(supervisor, EX_OSERR, strerror(-error));
}

void rt_upgrade_begin(rt_supervisor *supervisor)
{
    supervisor->upgrade.asked = false;
    int error = start_preflight(supervisor);
    if (error)
        refuse(supervisor, EX_OSERR, strerror(-error));
}

void rt_upgrade_advance(rt_supervisor *supervisor)
{
    rt_upgrade *upgrade = &supervisor->upgrade;
    if (!upgrade->pid)
        return;
    if (!upgrade->ended && upgrade->due <= rt_monotonic()) {
        kill_preflight(upgrade);
        waitpid(upgrade->pid, NULL, 0);
        refuse(supervisor, EX_UNAVAILABLE, "did not end its preflight within 10 s");
        return;
    }
    if (!upgrade->ended)
        return;
    if (upgrade->output >= 0)
        read_output(upgrade); /* another process may hold the other end: nobody waits for it */
    if (passed(supervisor))
        execute(supervisor);
}
