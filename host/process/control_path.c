/* Where the control socket is when nothing says so: a folder for such things, and a name that both
 * rtd and rtctl can make from the path of the configuration. */
#include "process/control.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_BYTES 6
#define NAME_MOST 32

static const char *hash_of(rt_arena *arena, const char *config)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char *real = realpath(config, NULL);
    const char *text = real ? real : config;
    rt_buffer hash = {0};
    SHA256((const unsigned char *)text, strlen(text), digest);
    for (size_t i = 0; i < HASH_BYTES; i++)
        rt_buffer_format(&hash, "%02x", digest[i]);
    const char *copy = rt_arena_copy(arena, hash.data);
    rt_buffer_free(&hash);
    free(real);
    return copy;
}

static const char *file_name(rt_arena *arena, const char *name, const char *config)
{
    char *safe = rt_arena_format(arena, "%.*s", NAME_MOST, name);
    for (char *c = safe; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_-", *c))
            *c = '_';
    return rt_arena_format(arena, "rt-%s-%s.sock", safe, hash_of(arena, config));
}

/* systemd.exec(5): one folder or several with colons between them. */
static const char *service_folder(rt_arena *arena)
{
    const char *folders = getenv("RUNTIME_DIRECTORY");
    size_t length = folders ? strcspn(folders, ":") : 0;
    return length ? rt_arena_copy_n(arena, folders, length) : NULL;
}

static const char *own_folder(rt_arena *arena)
{
    return rt_arena_format(arena, "/tmp/rt-%u", (unsigned)geteuid());
}

/* Anybody may have made it before us in a place for everybody. */
static bool is_private(const char *folder)
{
    struct stat status;
    return lstat(folder, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & 077) == 0;
}

static bool is_usable(const char *folder)
{
    return folder && *folder == '/' && access(folder, W_OK | X_OK) == 0;
}

const char *rt_control_default(rt_arena *arena, const char *name, const char *config)
{
    const char *service = service_folder(arena), *own = own_folder(arena);
    const char *const shared[] = {getenv("XDG_RUNTIME_DIR"), "/run"};
    const char *file = file_name(arena, name, config);
    if (is_usable(service))
        return rt_arena_format(arena, "%s/control", service);
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
        if (is_usable(shared[i]))
            return rt_arena_format(arena, "%s/%s", shared[i], file);
    if (mkdir(own, 0700) != 0 && errno != EEXIST)
        return NULL;
    return is_private(own) ? rt_arena_format(arena, "%s/%s", own, file) : NULL;
}

static void look_in(rt_arena *arena, const char *folder, const char *hash, const char ***paths,
                    size_t *count)
{
    glob_t found;
    const char *pattern = rt_arena_format(arena, "%s/rt-*-%s.sock", folder, hash);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            rt_push(arena, *paths, *count) = rt_arena_copy(arena, found.gl_pathv[i]);
        globfree(&found);
    }
}

size_t rt_control_find(rt_arena *arena, const char *config, const char ***paths)
{
    const char *service = service_folder(arena), *own = own_folder(arena);
    const char *const folders[] = {getenv("XDG_RUNTIME_DIR"), "/run", is_private(own) ? own : NULL};
    const char *hash = hash_of(arena, config);
    size_t count = 0;
    *paths = NULL;
    if (service)
        rt_push(arena, *paths, count) = rt_arena_format(arena, "%s/control", service);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        if (folders[i] && *folders[i] == '/')
            look_in(arena, folders[i], hash, paths, &count);
    return count;
}
