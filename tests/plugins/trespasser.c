/* Tries what the sandbox of a worker refuses, and answers with the name of the error or "done". */
#include <rt/rt.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

RT_MODULE(NAME, "1.0.0", "Tries what it may not do")
RT_SERVES(routes)
#ifdef NEEDS
#define RT_NEEDS_THE(...) RT_NEEDS(__VA_ARGS__)
RT_NEEDS_THE(NEEDS)
#endif
RT_OPTION(path, input, RT_READ, "What it may read")
RT_OPTION(path, output, RT_WRITE, "What it may write")
RT_OPTION(string, outside, , "A folder that is none of its business")

/* In a child, so that a call that succeeds changes nobody else; its errno is the exit status. */
static int in_child(int (*act)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(act() < 0 ? errno : 0);
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return -1;
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    return errno ? -1 : 0;
}

static int try_execve(void)
{
    char *const arguments[] = {"true", NULL};
    return execve("/bin/true", arguments, NULL);
}

static int run_program(void)
{
    return in_child(try_execve);
}

static int trace_me(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? -1 : 0;
}

static int try_ptrace(void)
{
    return in_child(trace_me);
}

static int read_memory(void)
{
    char from = 1, to = 0;
    struct iovec source = {&from, 1}, target = {&to, 1};
    return process_vm_readv(getpid(), &target, 1, &source, 1, 0) < 0 ? -1 : 0;
}

static int try_mount(void)
{
    return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static int new_user_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static int try_unshare(void)
{
    return in_child(new_user_namespace);
}

static int try_clone(void)
{
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0)
        _exit(0);
    if (child > 0)
        waitpid((pid_t)child, NULL, 0);
    return child < 0 ? -1 : 0;
}

static int try_clone3(void)
{
    return (int)syscall(SYS_clone3, NULL, 0);
}

static int try_keyctl(void)
{
    return (int)syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3, 1, 0, 0) < 0 ? -1 : 0;
}

static int try_bpf(void)
{
    return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int try_uring(void)
{
    return (int)syscall(SYS_io_uring_setup, 0, NULL);
}

static int try_userfaultfd(void)
{
    return (int)syscall(SYS_userfaultfd, ~0);
}

static int try_perf(void)
{
    struct perf_event_attr attributes = {.size = 1};
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static int try_reboot(void)
{
    return (int)syscall(SYS_reboot, 0, 0, 0, NULL);
}

static int try_terminal(void)
{
    return ioctl(STDERR_FILENO, TIOCSTI, "x");
}

static int become_root(void)
{
    return setresuid(0, 0, 0);
}

static const struct {
    const char *name;
    int (*act)(void);
} attempts[] = {
    {"execve", run_program},       {"ptrace", try_ptrace},      {"readv", read_memory},
    {"mount", try_mount},          {"unshare", try_unshare},    {"clone", try_clone},
    {"clone3", try_clone3},        {"keyctl", try_keyctl},      {"bpf", try_bpf},
    {"io_uring_setup", try_uring}, {"faults", try_userfaultfd}, {"perf", try_perf},
    {"reboot", try_reboot},        {"terminal", try_terminal},  {"root", become_root},
};

static int answer(rt_ctx *ctx, rt_response *response, int result)
{
    const char *name = result < 0 ? strerrorname_np(errno) : "done";
    return rt_respond(ctx, response, 200, "text/plain", (rt_str){name, strlen(name)});
}

static int attempt(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str name = rt_param(request, "what");
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++)
        if (strlen(attempts[i].name) == name.length &&
            memcmp(attempts[i].name, name.data, name.length) == 0)
            return answer(ctx, response, attempts[i].act());
    return rt_fail(ctx, RT_ENOT_FOUND, "nothing of this name is tried");
}

static int open_and_close(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : 0;
}

static int read_input(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return answer(ctx, response, open_and_close(RT_GET(ctx, input), O_RDONLY));
}

static int write_input(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return answer(ctx, response, open_and_close(RT_GET(ctx, input), O_WRONLY));
}

/* As a database does: a journal beside the file, renamed over it. */
static int write_output(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const char *path = RT_GET(ctx, output);
    const char *journal = rt_format(ctx, "%s-journal", path);
    (void)request;
    int result = open_and_close(path, O_RDWR | O_CREAT | O_TRUNC);
    if (!result)
        result = open_and_close(journal, O_RDWR | O_CREAT | O_EXCL);
    return answer(ctx, response, result ? result : rename(journal, path));
}

static int outside(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str what = rt_param(request, "what");
    bool reads = what.length == 4 && memcmp(what.data, "read", 4) == 0;
    const char *path = rt_format(ctx, "%s/%s", RT_GET(ctx, outside), reads ? "there" : "new");
    return answer(ctx, response,
                  open_and_close(path, reads ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/try/{what}", attempt));
    RT_TRY(rt_route(registry, RT_GET, "/input/read", read_input));
    RT_TRY(rt_route(registry, RT_GET, "/input/write", write_input));
    RT_TRY(rt_route(registry, RT_GET, "/output", write_output));
    return rt_route(registry, RT_GET, "/outside/{what}", outside);
}
