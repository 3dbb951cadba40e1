#include "process/crash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BEGINNING "crash-"
#define ENDING ".txt"

const char *rt_crash_folder(rt_arena *arena, const char *configured)
{
    static const struct {
        const char *variable, *below;
    } places[] = {
        {"STATE_DIRECTORY", "crashes"},
        {"XDG_STATE_HOME", "rt/crashes"},
        {"HOME", ".local/state/rt/crashes"},
    };
    if (configured)
        return configured;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *value = getenv(places[i].variable);
        if (value && *value == '/') /* a service manager may give several */
            return rt_arena_format(arena, "%.*s/%s", (int)strcspn(value, ":"), value,
                                   places[i].below);
    }
    return NULL;
}

/* --- listing --------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_report(const char *name)
{
    size_t length = strlen(name), ending = strlen(ENDING);
    return begins(name, BEGINNING) && length > ending &&
           strcmp(name + length - ending, ENDING) == 0;
}

static int by_name(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

int rt_crash_list(rt_arena *arena, const char *folder, const char ***names, size_t *count)
{
    DIR *directory = opendir(folder);
    *names = NULL;
    *count = 0;
    if (!directory)
        return -errno;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (is_report(entry->d_name))
            rt_push(arena, *names, *count) = rt_arena_copy(arena, entry->d_name);
    closedir(directory);
    if (*count)
        qsort(*names, *count, sizeof **names, by_name);
    return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static int make_folders(const char *folder)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s", folder) >= (int)sizeof path)
        return -ENAMETOOLONG;
    for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        mkdir(path, 0700); /* a folder that is missing after all is found when it is opened */
        *slash = '/';
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

static int write_all(int fd, const rt_buffer *text)
{
    for (size_t done = 0; done < text->length;) {
        ssize_t written = write(fd, text->data + done, text->length - done);
        if (written < 0 && errno != EINTR)
            return -errno;
        done += written > 0 ? (size_t)written : 0;
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

/* Whole or not at all: it has its name only when all of it is on the disk. */
static int write_report(int folder, const char *name, const rt_buffer *report)
{
    char unfinished[128];
    snprintf(unfinished, sizeof unfinished, ".new-%s", name);
    int fd = openat(folder, unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int error = write_all(fd, report);
    if (close(fd) != 0 && !error)
        error = -errno;
    if (!error && renameat(folder, unfinished, folder, name) != 0)
        error = -errno;
    if (error)
        unlinkat(folder, unfinished, 0);
    return error;
}

static void remove_oldest(rt_arena *arena, const char *folder, int fd, size_t keep)
{
    const char **names;
    size_t count;
    if (rt_crash_list(arena, folder, &names, &count) != 0)
        return;
    for (size_t i = 0; i + keep < count; i++)
        unlinkat(fd, names[i], 0);
}

int rt_crash_store(rt_arena *arena, const char *folder, size_t keep, pid_t pid,
                   const rt_buffer *report, const char **path)
{
    struct timespec now;
    struct tm utc;
    char stamp[32];
    int error = make_folders(folder);
    int fd = error ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error ? error : -errno;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &utc);
    const char *name = rt_arena_format(arena, BEGINNING "%s.%06ldZ-%d" ENDING, stamp,
                                       now.tv_nsec / 1000, (int)pid);
    error = write_report(fd, name, report);
    if (!error)
        remove_oldest(arena, folder, fd, keep);
    close(fd);
    *path = rt_arena_format(arena, "%s/%s", folder, name);
    return error;
}
