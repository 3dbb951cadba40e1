/* The filter of system calls: a list of those that a server does without and that whoever takes it
 * over would start with. Everything else is allowed, so that libraries of tomorrow work. */
#include "fiber/sanitizer.h"
#include "process/privilege.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <sys/ioctl.h>

/* Of kernels newer than the header. */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef TIOCLINUX
#define TIOCLINUX 0x541C
#endif

#define ANY_ARGUMENT (-1)

struct refusal {
    uint32_t need; /* the bit that opens it; 0: nothing does */
    int call;
    int answer;   /* errno: ENOSYS where callers fall back to something else */
    int argument; /* refused only if `value` is in its bits; ANY_ARGUMENT: always */
    uint64_t value;
};

#define REFUSE(need_, name_)                           \
    {                                                  \
        need_, SCMP_SYS(name_), EPERM, ANY_ARGUMENT, 0 \
    }
#define ABSENT(need_, name_)                            \
    {                                                   \
        need_, SCMP_SYS(name_), ENOSYS, ANY_ARGUMENT, 0 \
    }
#define REFUSE_BITS(need_, name_, argument_, value_)     \
    {                                                    \
        need_, SCMP_SYS(name_), EPERM, argument_, value_ \
    }

static const struct refusal refusals[] = {
    REFUSE(RT_NEEDS_EXECUTE, execve),
    REFUSE(RT_NEEDS_EXECUTE, execveat),

#if !RT_SANITIZED /* LeakSanitizer stops the threads of its process with it */
    REFUSE(RT_NEEDS_DEBUG, ptrace),
#endif
    REFUSE(RT_NEEDS_DEBUG, process_vm_readv),
    REFUSE(RT_NEEDS_DEBUG, process_vm_writev),
    REFUSE(RT_NEEDS_DEBUG, process_madvise),
    REFUSE(RT_NEEDS_DEBUG, kcmp),
    REFUSE(RT_NEEDS_DEBUG, pidfd_getfd),
    REFUSE(RT_NEEDS_DEBUG, personality),

    REFUSE(RT_NEEDS_NAMESPACES, unshare),
    REFUSE(RT_NEEDS_NAMESPACES, setns),
    /* Its flags lie in memory, where no filter can look; the C library falls back to clone. */
    ABSENT(RT_NEEDS_NAMESPACES, clone3),
    REFUSE_BITS(RT_NEEDS_NAMESPACES, clone, 0, CLONE_NEWUSER),
    REFUSE_BITS(RT_NEEDS_NAMESPACES, clone, 0, CLONE_NEWNS),
    REFUSE_BITS(RT_NEEDS_NAMESPACES, clone, 0, CLONE_NEWPID),
    REFUSE_BITS(RT_NEEDS_NAMESPACES, clone, 0, CLONE_NEWNET),
    REFUSE_BITS(RT_NEEDS_NAMESPACES, clone, 0, CLONE_NEWIPC),
    REFUSE_BITS(RT_NEEDS_NAMESPACES, clone, 0, CLONE_NEWUTS),
    REFUSE_BITS(RT_NEEDS_NAMESPACES, clone, 0, CLONE_NEWCGROUP),

    REFUSE(RT_NEEDS_KEYS, keyctl),
    REFUSE(RT_NEEDS_KEYS, add_key),
    REFUSE(RT_NEEDS_KEYS, request_key),

    ABSENT(RT_NEEDS_URING, io_uring_setup),
    ABSENT(RT_NEEDS_URING, io_uring_enter),
    ABSENT(RT_NEEDS_URING, io_uring_register),

    REFUSE(RT_NEEDS_FAULTS, userfaultfd),

    REFUSE(RT_NEEDS_PROFILE, perf_event_open),

    /* mounts */
    REFUSE(0, mount),
    REFUSE(0, umount2),
    REFUSE(0, pivot_root),
    REFUSE(0, chroot),
    REFUSE(0, fsopen),
    REFUSE(0, fsconfig),
    REFUSE(0, fsmount),
    REFUSE(0, fspick),
    REFUSE(0, move_mount),
    REFUSE(0, open_tree),
    REFUSE(0, mount_setattr),
    REFUSE(0, quotactl),
    REFUSE(0, quotactl_fd),
    REFUSE(0, open_by_handle_at),
    REFUSE(0, fanotify_init),

    /* the kernel itself */
    REFUSE(0, bpf),
    REFUSE(0, init_module),
    REFUSE(0, finit_module),
    REFUSE(0, delete_module),
    REFUSE(0, kexec_load),
    REFUSE(0, kexec_file_load),
    REFUSE(0, lookup_dcookie),
    REFUSE(0, syslog),
    REFUSE(0, uselib),
    REFUSE(0, nfsservctl),

    /* the machine */
    REFUSE(0, reboot),
    REFUSE(0, swapon),
    REFUSE(0, swapoff),
    REFUSE(0, settimeofday),
    REFUSE(0, clock_settime),
    REFUSE(0, clock_adjtime),
    REFUSE(0, sethostname),
    REFUSE(0, setdomainname),
    REFUSE(0, acct),
    REFUSE(0, vhangup),
    REFUSE(0, iopl),
    REFUSE(0, ioperm),
    REFUSE(0, modify_ldt),
};

/* Typing into the terminal that rtd was started from. */
static const uint64_t terminal_requests[] = {TIOCSTI, TIOCLINUX};

static int add(scmp_filter_ctx filter, const struct refusal *refusal)
{
    uint32_t action = SCMP_ACT_ERRNO((uint32_t)refusal->answer);
    if (refusal->argument == ANY_ARGUMENT)
        return seccomp_rule_add(filter, action, refusal->call, 0);
    return seccomp_rule_add(
        filter, action, refusal->call, 1,
        SCMP_CMP((unsigned)refusal->argument, SCMP_CMP_MASKED_EQ, refusal->value, refusal->value));
}

static int fill(scmp_filter_ctx filter, uint32_t needs)
{
    int result = 0;
    for (size_t i = 0; !result && i < sizeof refusals / sizeof refusals[0]; i++)
        if (!(refusals[i].need & needs))
            result = add(filter, &refusals[i]);
    for (size_t i = 0; !result && i < sizeof terminal_requests / sizeof terminal_requests[0]; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, terminal_requests[i]));
    return result;
}

/* A binary search instead of a chain: what is allowed would otherwise pay for every refusal. The
 * mitigation that older kernels switch on with any filter costs more than the filter, and guards
 * against code that a browser would run. */
static int tune(scmp_filter_ctx filter)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (!result)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    return result ? result
                  : seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
}

int rt_system_calls_filter(uint32_t needs)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return -ENOMEM;
    int result = tune(filter);
    if (!result)
        result = fill(filter, needs);
    if (!result)
        result = seccomp_load(filter);
    seccomp_release(filter);
    return result;
}
