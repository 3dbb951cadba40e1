#include "process/role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

static void enter_sandbox(void)
{
    setsid();
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(EX_OSERR);
}

static void restore_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
}

/* Whatever else is open, ours or inherited, must not reach plugins. */
static void close_others(const rt_role *role)
{
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < role->keep_count; i++)
        fcntl(role->keep[i], F_SETFD, 0);
}

__attribute__((noreturn)) static void become(const rt_role *role, int control)
{
    char *const arguments[] = {"rtd", (char *)role->word, NULL};
    bool fine = dup2(control, STDIN_FILENO) >= 0;
    if (role->output >= 0)
        fine = fine && dup2(role->output, STDOUT_FILENO) >= 0 &&
               dup2(role->output, STDERR_FILENO) >= 0;
    close_others(role);
    restore_signals();
    if (role->sandbox)
        enter_sandbox();
    if (role->at_root && chdir("/") != 0)
        _exit(EX_OSERR);
    if (fine)
        execve(role->program, arguments, role->variables);
    _exit(EX_OSERR);
}

int rt_role_start(const rt_role *role, pid_t *pid, int *control)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    *pid = fork();
    if (*pid == 0)
        become(role, pair[1]);
    int error = errno;
    close(pair[1]);
    if (*pid > 0) {
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
        *control = pair[0];
        return 0;
    }
    close(pair[0]);
    return -error;
}

static bool is_named(const char *entry, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        if (strncmp(entry, names[i], length) == 0 && entry[length] == '=')
            return true;
    }
    return false;
}

char **rt_environment_without(rt_arena *arena, char **variables, const char *const *names,
                              size_t count)
{
    char **kept = NULL;
    size_t kept_count = 0;
    for (char **entry = variables; *entry; entry++)
        if (!is_named(*entry, names, count))
            rt_push(arena, kept, kept_count) = *entry;
    rt_push(arena, kept, kept_count) = NULL;
    return kept;
}

/* What the service manager says, it says to the supervisor. */
static const char *const managers[] = {"NOTIFY_SOCKET",        "WATCHDOG_USEC", "WATCHDOG_PID",
                                       "LISTEN_FDS",           "LISTEN_PID",    "LISTEN_FDNAMES",
                                       "CREDENTIALS_DIRECTORY"};

char **rt_worker_environment(rt_arena *arena, const rt_plan *plan)
{
    char **kept =
        rt_environment_without(arena, environ, plan->secret_variables, plan->secret_variable_count);
    return rt_environment_without(arena, kept, managers, sizeof managers / sizeof managers[0]);
}

int rt_role_control(void)
{
    int type;
    socklen_t length = sizeof type;
    if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &length) < 0)
        return -1;
    int control = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (control < 0 || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0)
        return -1;
    close(nothing);
    return control;
}
