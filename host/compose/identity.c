/* Who the workers become: `user` and `group`, by name or by number. */
#include "compose/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROUPS_MOST 256

static bool is_number(const char *text, int64_t *number)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *number = (int64_t)value;
    return *text >= '0' && *text <= '9' && !*end && !errno && value < UINT32_MAX;
}

static void unknown(rt_composer *composer, const char *setting, const char *name, const char *help)
{
    const rt_node *node = rt_settings_find(composer->tree, setting);
    rt_diagnostic *diagnostic = RT_DIAGNOSE(composer->diagnostics, UNKNOWN_IDENTITY,
                                            node ? &node->value_place : NULL, setting, name);
    rt_help(diagnostic, "%s", help);
}

static void find_group(rt_composer *composer, rt_host_settings *host)
{
    const struct group *entry = host->group ? getgrnam(host->group) : NULL;
    if (entry)
        host->gid = entry->gr_gid;
    else if (host->group && !is_number(host->group, &host->gid))
        unknown(composer, "group", host->group, "`groupadd --system NAME` makes one");
}

/* The user's own group serves unless one is named. */
static void find_user(rt_composer *composer, rt_host_settings *host)
{
    const struct passwd *entry = getpwnam(host->user);
    bool numeric = !entry && is_number(host->user, &host->uid);
    if (numeric)
        entry = getpwuid((uid_t)host->uid);
    if (!entry && !numeric)
        unknown(composer, "user", host->user,
                "`useradd --system --user-group NAME` makes one; workers need no home or shell");
    else if (!entry && !host->group)
        unknown(composer, "user", host->user, "set `group` too: the number alone names none");
    if (!entry)
        return;
    host->uid = entry->pw_uid;
    if (!host->group)
        host->gid = entry->pw_gid;
}

static void judge_power(rt_composer *composer, const rt_host_settings *host)
{
    uid_t current = geteuid();
    bool same = (host->uid < 0 || host->uid == (int64_t)current) &&
                (host->gid < 0 || host->gid == (int64_t)getegid());
    if (!composer->request->running || current == 0 || same)
        return;
    const char *setting = host->user ? "user" : "group";
    const rt_node *node = rt_settings_find(composer->tree, setting);
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(composer->diagnostics, IDENTITY_IGNORED, node ? &node->value_place : NULL,
                    setting, host->user ? host->user : host->group, (unsigned)current);
    rt_help(diagnostic, "start it as root, or leave `%s` out and let the service manager choose",
            setting);
}

void rt_identity_judge(rt_composer *composer)
{
    rt_host_settings *host = &composer->host;
    if (host->user)
        find_user(composer, host);
    find_group(composer, host);
    judge_power(composer, host);
}

/* --- what they may use ----------------------------------------------------------------------- */

static int groups_of(const rt_host_settings *host, gid_t *groups)
{
    int count = GROUPS_MOST;
    const struct passwd *entry = getpwuid((uid_t)host->uid);
    bool fits = entry && getgrouplist(entry->pw_name, (gid_t)host->gid, groups, &count) >= 0;
    return fits ? count : 0;
}

/* The system calls, which concern this thread alone, not the C library's functions. The identity
 * for files takes root's power over them with it, and gives it back. */
static int access_as(const rt_host_settings *host, const char *path, int mode)
{
    gid_t own[GROUPS_MOST], groups[GROUPS_MOST];
    int own_count = getgroups(GROUPS_MOST, own), count = groups_of(host, groups);
    if (own_count < 0 || syscall(SYS_setgroups, count, groups) < 0)
        return access(path, mode);
    int group = setfsgid((gid_t)host->gid), user = setfsuid((uid_t)host->uid);
    int result = faccessat(AT_FDCWD, path, mode, AT_EACCESS);
    int error = errno;
    setfsuid((uid_t)user);
    setfsgid((gid_t)group);
    syscall(SYS_setgroups, own_count, own);
    errno = error;
    return result;
}

int rt_identity_access(const rt_composer *composer, const char *path, int mode)
{
    const rt_host_settings *host = &composer->host;
    uid_t current = geteuid();
    bool other = host->uid > 0 && host->uid != (int64_t)current;
    if (other && current == 0)
        return access_as(host, path, mode);
    int result = access(path, mode);
    bool unknown = other && !composer->request->running && result < 0 && errno == EACCES;
    return unknown ? 0 : result;
}
