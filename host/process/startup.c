/* Which file rtd was started from, and what another rtd in the same process hands over to it. */
#include "process/handover.h"

#include "fiber/sanitizer.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_this_program(const char *path)
{
    struct stat self, other;
    return stat("/proc/self/exe", &self) == 0 && stat(path, &other) == 0 &&
           self.st_dev == other.st_dev && self.st_ino == other.st_ino;
}

/* As it was called, so that a link which later names another version is followed then. */
static const char *absolute(rt_arena *arena, const char *path)
{
    char folder[PATH_MAX];
    if (*path == '/' || !getcwd(folder, sizeof folder))
        return path;
    return rt_arena_format(arena, "%s/%s", folder, path);
}

static const char *search(rt_arena *arena, const char *name)
{
    const char *at = getenv("PATH");
    while (at && *at) {
        size_t length = strcspn(at, ":");
        const char *path = rt_arena_format(arena, "%.*s/%s", (int)length, at, name);
        if (length && is_this_program(path))
            return path;
        at += length + (at[length] == ':');
    }
    return NULL;
}

/* /proc/self/exe names the file as it is now, and no longer once it is replaced. */
static const char *find_program(rt_arena *arena, const char *called)
{
    char self[PATH_MAX];
    const char *path = strchr(called, '/') ? absolute(arena, called) : search(arena, called);
    if (path && is_this_program(path))
        return path;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    return length > 0 ? rt_arena_copy_n(arena, self, (size_t)length) : called;
}

static const char *own_program = "/proc/self/exe";

const char *rt_own_program(void)
{
    return own_program;
}

/* Where that name is Valgrind's, which would then find itself in the place of a worker. */
static void avoid_valgrind(const char *program)
{
#if RT_VALGRIND
    if (RUNNING_ON_VALGRIND)
        own_program = program;
#endif
    (void)program;
}

/* The process is named so that nobody who inherits the variable takes it for theirs. */
static void take_variable(rt_startup *startup)
{
    int pid, state, old_program, length = 0;
    const char *value = getenv(RT_HANDOVER_VARIABLE);
    startup->state = startup->old_program = -1;
    if (value && sscanf(value, "%d:%d:%d%n", &pid, &state, &old_program, &length) == 3 &&
        pid == getpid() && state > STDERR_FILENO) {
        startup->state = state;
        startup->old_program = old_program;
        startup->is_return = strcmp(value + length, ":back") == 0;
        fcntl(state, F_SETFD, FD_CLOEXEC);
    }
    unsetenv(RT_HANDOVER_VARIABLE);
}

void rt_startup_begin(rt_startup *startup, rt_arena *arena, char **arguments)
{
    startup->arguments = arguments;
    startup->program = find_program(arena, arguments[0]);
    avoid_valgrind(startup->program);
    take_variable(startup);
}
