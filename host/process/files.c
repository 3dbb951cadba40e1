/* Landlock: a worker reads what programs need and uses what its plan's settings name. Called by
 * number, with definitions of our own for what the headers of an older kernel lack. */
#include "process/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define EXECUTE LANDLOCK_ACCESS_FS_EXECUTE
#define MAKE                                                                                   \
    (LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SYM | \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK)
#define REMOVE (LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR)
#define WRITE (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define CHANGE (READ | WRITE | MAKE | REMOVE | LANDLOCK_ACCESS_FS_REFER)
#define OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | WRITE | EXECUTE)
#define FIRST_VERSION                                                 \
    (READ | LANDLOCK_ACCESS_FS_WRITE_FILE | EXECUTE | MAKE | REMOVE | \
     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)

/* Those that are not there are passed over. */
static const struct {
    const char *path;
    uint64_t access;
} common[] = {
    {"/usr", READ | EXECUTE}, /* programs, libraries, time zones, certificates */
    {"/lib", READ | EXECUTE},
    {"/lib64", READ | EXECUTE},
    {"/bin", READ | EXECUTE},
    {"/sbin", READ | EXECUTE},
    {"/opt", READ | EXECUTE},
    {"/etc", READ},
    {"/run/systemd/resolve", READ}, /* what /etc/resolv.conf may lead to */
    {"/run/resolvconf", READ},
    {"/run/NetworkManager", READ},
    {"/proc/self", READ},
    {"/proc/sys", READ},
    {"/proc/cpuinfo", READ},
    {"/proc/meminfo", READ},
    {"/proc/stat", READ},
    {"/proc/loadavg", READ},
    {"/proc/uptime", READ},
    {"/sys/devices/system/cpu", READ},
    {"/sys/fs/cgroup", READ},
    {"/dev/null", READ | WRITE},
    {"/dev/zero", READ},
    {"/dev/random", READ},
    {"/dev/urandom", READ},
    {"/proc/self/exe", READ},
};

const char *rt_files_common(size_t index)
{
    return index < sizeof common / sizeof common[0] ? common[index].path : NULL;
}

int rt_files_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

static uint64_t known_access(int version)
{
    return FIRST_VERSION | (version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) |
           (version >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
}

struct rules {
    int set;
    uint64_t known;  /* to this kernel */
    uint64_t denied; /* to all: EXECUTE unless a module needs it */
    int error;
};

/* A path that is not there needs no rule. */
static void allow(struct rules *rules, const char *path, uint64_t access)
{
    struct stat status;
    struct landlock_path_beneath_attr rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0)
        return;
    if (fstat(rule.parent_fd, &status) == 0 && !S_ISDIR(status.st_mode))
        access &= OF_FILES;
    rule.allowed_access = access & rules->known & ~rules->denied;
    if (rule.allowed_access && !rules->error &&
        syscall(SYS_landlock_add_rule, rules->set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        rules->error = -errno;
    close(rule.parent_fd);
}

static void allow_folder_of(struct rules *rules, const char *path, uint64_t access)
{
    char *folder = strdup(path), *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    allow(rules, slash ? folder : ".", access);
    free(folder);
}

/* Beside a file that is written lie its journal, its lock and the new version that is to replace
 * it: beside the file itself, where the path is a link. */
static void allow_path(struct rules *rules, const rt_plan_path *path)
{
    struct stat status;
    char *real = realpath(path->path, NULL);
    const char *name = real ? real : path->path;
    bool folder = stat(name, &status) == 0 && S_ISDIR(status.st_mode);
    allow(rules, name, path->write ? CHANGE : READ);
    if (path->write && !folder)
        allow_folder_of(rules, name, CHANGE);
    free(real);
}

static void allow_plan(struct rules *rules, const rt_plan *plan)
{
    for (size_t i = 0; i < plan->instance_count; i++) {
        const rt_plan_instance *instance = &plan->instances[i];
        if (instance->snapshot)
            allow_folder_of(rules, instance->snapshot, READ);
        for (size_t k = 0; k < instance->path_count; k++)
            allow_path(rules, &instance->paths[k]);
    }
}

int rt_files_confine(const rt_plan *plan, uint32_t needs)
{
    int version = rt_files_version();
    if (!version)
        return 0;
    struct rules rules = {.known = known_access(version),
                          .denied = needs & RT_NEEDS_EXECUTE ? 0 : EXECUTE};
    struct landlock_ruleset_attr attributes = {.handled_access_fs = rules.known};
    rules.set = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (rules.set < 0)
        return -errno;
    for (size_t i = 0; i < sizeof common / sizeof common[0]; i++)
        allow(&rules, common[i].path, common[i].access);
    allow_plan(&rules, plan);
    if (!rules.error && syscall(SYS_landlock_restrict_self, rules.set, 0) < 0)
        rules.error = -errno;
    close(rules.set);
    return rules.error;
}
