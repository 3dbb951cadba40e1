/* Copies that an rtd left behind because it was killed.
 *
 * A folder of copies is locked by its rtd for as long as that lives, so one that can be locked has
 * lost its owner. The parent may be a place for everybody, such as /tmp: only what rtd itself
 * would have made is touched, nothing is reached through a link, and a folder with anything else in
 * it stays as it is. */
#include "process/snapshot.h"
#include "telemetry/log.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "rtd-"
#define SUFFIX ".so"
#define RANDOM_LENGTH 6 /* what mkdtemp(3) puts in */

/* rtd-PID-XXXXXX */
static bool is_folder_name(const char *name)
{
    static const char digits[] = "0123456789";
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
        return false;
    name += strlen(PREFIX);
    size_t length = strspn(name, digits);
    if (!length || name[length] != '-')
        return false;
    name += length + 1;
    for (length = 0; isalnum((unsigned char)name[length]); length++)
        ;
    return length == RANDOM_LENGTH && !name[length];
}

static bool has_mode(const struct stat *status, mode_t mode, mode_t mode_group)
{
    mode_t found = status->st_mode & 07777;
    return status->st_uid == geteuid() && (found == mode || found == mode_group);
}

static bool is_own_folder(int folder)
{
    struct stat status;
    return fstat(folder, &status) == 0 &&
           has_mode(&status, RT_SNAPSHOT_FOLDER_MODE, RT_SNAPSHOT_FOLDER_MODE_GROUP);
}

static bool is_copy(int folder, const char *name)
{
    struct stat status;
    size_t length = strlen(name);
    return length > strlen(SUFFIX) && strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0 &&
           fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
           has_mode(&status, RT_SNAPSHOT_FILE_MODE, RT_SNAPSHOT_FILE_MODE_GROUP);
}

static bool remove_copy(int folder, const char *name)
{
    return unlinkat(folder, name, 0) == 0;
}

/* True if `visit` was for every entry. */
static bool for_all(int folder, bool (*visit)(int folder, const char *name))
{
    struct dirent *entry;
    bool fine = true;
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = again < 0 ? NULL : fdopendir(again);
    if (!list) {
        if (again >= 0)
            close(again);
        return false;
    }
    while (fine && (entry = readdir(list)))
        fine = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
               visit(folder, entry->d_name);
    closedir(list);
    return fine;
}

static bool remove_folder(int parent, const char *name)
{
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return false;
    bool removed = is_own_folder(folder) && flock(folder, LOCK_EX | LOCK_NB) == 0 &&
                   for_all(folder, is_copy) && for_all(folder, remove_copy) &&
                   unlinkat(parent, name, AT_REMOVEDIR) == 0;
    close(folder);
    return removed;
}

void rt_snapshot_sweep(const char *parent)
{
    struct dirent *entry;
    DIR *list = opendir(parent);
    while (list && (entry = readdir(list)))
        if (is_folder_name(entry->d_name) && remove_folder(dirfd(list), entry->d_name))
            rt_log_host(RT_LOG_INFO, "removed the plugin copies of an rtd that was killed: `%s/%s`",
                        parent, entry->d_name);
    if (list)
        closedir(list);
}
