#include "process/privilege.h"

#include "fiber/sanitizer.h"
#include "telemetry/log.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

uint32_t rt_privileges_needs(const rt_plan *plan)
{
    uint32_t needs = 0;
    for (size_t i = 0; i < plan->instance_count; i++)
        needs |= plan->instances[i].needs;
    return needs;
}

bool rt_privileges_dumpable(const rt_plan *plan)
{
    return plan->environment < RT_STAGING || plan->host.core_dumps;
}

bool rt_privileges_change_identity(const rt_plan *plan)
{
    const rt_host_settings *host = &plan->host;
    return geteuid() == 0 && (host->uid > 0 || host->gid > 0);
}

/* --- limits ---------------------------------------------------------------------------------- */

static int set_limit(__rlimit_resource_t resource, int64_t value)
{
    struct rlimit limit = {(rlim_t)value, (rlim_t)value};
    return value && setrlimit(resource, &limit) < 0 ? -errno : 0;
}

static int limit_files(const rt_plan *plan)
{
    return set_limit(RLIMIT_NOFILE, plan->host.limits.open_files);
}

/* Data, not address space: that would count the guards of fiber stacks, mapped files and whatever a
 * library reserves without using it. The shadow of a sanitizer is data of many terabytes. */
static int limit_memory(const rt_plan *plan)
{
    return RT_SANITIZED ? 0 : set_limit(RLIMIT_DATA, plan->host.limits.memory);
}

static int limit_processes(const rt_plan *plan)
{
    return set_limit(RLIMIT_NPROC, plan->host.limits.processes);
}

/* --- identity -------------------------------------------------------------------------------- */

/* Without the capability for it there is nothing in the set that could be come by either. */
static int drop_bounding(const rt_plan *plan)
{
    (void)plan;
    for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
         capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM)
            return -errno;
    return 0;
}

static int take_groups(const rt_plan *plan)
{
    const rt_host_settings *host = &plan->host;
    if (!rt_privileges_change_identity(plan))
        return 0;
    const struct passwd *entry = host->uid >= 0 ? getpwuid((uid_t)host->uid) : NULL;
    gid_t group = host->gid >= 0 ? (gid_t)host->gid : getegid();
    int result = entry ? initgroups(entry->pw_name, group) : setgroups(0, NULL);
    if (result < 0 || setresgid(group, group, group) < 0)
        return -errno;
    return 0;
}

static int take_user(const rt_plan *plan)
{
    uid_t user = (uid_t)plan->host.uid;
    if (!rt_privileges_change_identity(plan) || plan->host.uid < 0)
        return 0;
    return setresuid(user, user, user) < 0 ? -errno : 0;
}

static int drop_capabilities(const rt_plan *plan)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    struct __user_cap_data_struct found[_LINUX_CAPABILITY_U32S_3];
    (void)plan;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
        return -errno;
    if (syscall(SYS_capget, &header, found) == 0 && memcmp(found, none, sizeof none) == 0)
        return 0; /* a service manager's filter may refuse what is not needed either */
    return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

/* What must fail from now on, tried. */
static int verify_identity(const rt_plan *plan)
{
    uid_t real, effective, saved;
    if (!rt_privileges_change_identity(plan) && geteuid() == 0)
        return 0; /* root is who it shall be, without capabilities */
    if (getresuid(&real, &effective, &saved) < 0 || real != effective || real != saved)
        return -EPERM;
    return real != 0 && setresuid((uid_t)-1, 0, (uid_t)-1) == 0 ? -EPERM : 0;
}

static int refuse_privileges(const rt_plan *plan)
{
    (void)plan;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* A change of the user has taken the flag already, whatever is wanted. LeakSanitizer traces its own
 * process at the end. */
static int hide_memory(const rt_plan *plan)
{
    unsigned long dumpable = RT_SANITIZED || rt_privileges_dumpable(plan);
    return prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) < 0 ? -errno : 0;
}

/* --- sandbox --------------------------------------------------------------------------------- */

static bool confines_files(const rt_plan *plan)
{
    return plan->host.sandbox.files && !(rt_privileges_needs(plan) & RT_NEEDS_FILES);
}

static int confine_files(const rt_plan *plan)
{
    return confines_files(plan) ? rt_files_confine(plan, rt_privileges_needs(plan)) : 0;
}

static int filter_system_calls(const rt_plan *plan)
{
    return plan->host.sandbox.system_calls ? rt_system_calls_filter(rt_privileges_needs(plan)) : 0;
}

static const struct {
    const char *what;
    int (*act)(const rt_plan *plan);
} steps[] = {
    {"set `limits.open_files`", limit_files},
    {"set `limits.memory`", limit_memory},
    {"set `limits.processes`", limit_processes},
    {"empty the bounding set of capabilities", drop_bounding},
    {"take `group`", take_groups},
    {"become `user`", take_user},
    {"drop all capabilities", drop_capabilities},
    {"make sure that there is no way back to root", verify_identity},
    {"keep debuggers and core dumps away", hide_memory},
    {"refuse new privileges", refuse_privileges},
    {"confine files with Landlock (`sandbox.files`)", confine_files},
    {"filter system calls with seccomp (`sandbox.system_calls`)", filter_system_calls},
};

int rt_privileges_drop(const rt_plan *plan, rt_buffer *problem)
{
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int error = steps[i].act(plan);
        if (!error)
            continue;
        rt_buffer_format(problem, "%s: %s", steps[i].what, strerror(-error));
        return error;
    }
    return 0;
}

/* --- what is said at the start --------------------------------------------------------------- */

static const char *state_of_files(const rt_plan *plan)
{
    if (!plan->host.sandbox.files)
        return "open";
    if (!confines_files(plan))
        return "open, as a module asks";
    return rt_files_version() ? "confined" : "open: this kernel has no Landlock";
}

void rt_privileges_announce(const rt_plan *plan)
{
    const rt_host_settings *host = &plan->host;
    rt_buffer who = {0};
    if (rt_privileges_change_identity(plan))
        rt_buffer_format(&who, "user %jd, group %jd",
                         (intmax_t)(host->uid >= 0 ? host->uid : (int64_t)geteuid()),
                         (intmax_t)(host->gid >= 0 ? host->gid : (int64_t)getegid()));
    else
        rt_buffer_format(&who, "user %u", (unsigned)geteuid());
    rt_log_host(RT_LOG_INFO, "workers: %s; system calls %s; files %s", who.data,
                host->sandbox.system_calls ? "filtered" : "open", state_of_files(plan));
    rt_buffer_free(&who);
    for (size_t i = 0; i < plan->instance_count; i++) {
        rt_buffer needs = {0};
        if (!plan->instances[i].needs)
            continue;
        rt_needs_print(&needs, plan->instances[i].needs);
        rt_log_host(RT_LOG_INFO, "sandbox: `%s` needs %s, which is open to all modules",
                    plan->instances[i].name, needs.data);
        rt_buffer_free(&needs);
    }
}
