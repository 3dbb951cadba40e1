#include "process/snapshot.h"

#include "process/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

static bool is_usable(const char *folder)
{
    struct statvfs mount;
    return folder && *folder == '/' && statvfs(folder, &mount) == 0 &&
           !(mount.f_flag & ST_NOEXEC) && access(folder, W_OK) == 0;
}

static bool may_search(const struct stat *status, const rt_host_settings *host)
{
    mode_t bit = (int64_t)status->st_uid == host->uid   ? S_IXUSR
                 : (int64_t)status->st_gid == host->gid ? S_IXGRP
                                                        : S_IXOTH;
    return status->st_mode & bit;
}

/* Root's own places, /run/user/0 for one, are closed to the user that the workers become. */
static bool is_reachable(rt_arena *arena, const char *folder, const rt_plan *plan)
{
    struct stat status;
    if (!rt_privileges_change_identity(plan) || plan->host.uid <= 0)
        return true;
    for (size_t length = 1; length <= strlen(folder); length++) {
        bool whole = folder[length] == '/' || !folder[length] || length == 1;
        const char *part = whole ? rt_arena_copy_n(arena, folder, length) : NULL;
        if (whole && (stat(part, &status) < 0 || !may_search(&status, &plan->host)))
            return false;
    }
    return true;
}

/* systemd.exec(5): one folder or several with colons between them. */
static const char *runtime_directory(rt_arena *arena)
{
    const char *folders = getenv("RUNTIME_DIRECTORY");
    return folders ? rt_arena_format(arena, "%.*s", (int)strcspn(folders, ":"), folders) : NULL;
}

/* The first place that may hold programs: what the service manager or the operator names, then the
 * usual ones. */
static const char *choose_parent(rt_arena *arena, const rt_plan *plan)
{
    const char *const places[] = {runtime_directory(arena),
                                  getenv("TMPDIR"),
                                  getenv("XDG_RUNTIME_DIR"),
                                  "/run",
                                  "/tmp",
                                  "/var/tmp",
                                  "/dev/shm"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (is_usable(places[i]) && is_reachable(arena, places[i], plan))
            return places[i];
    return NULL;
}

/* False if another rtd that sweeps took the folder for a leftover, as it may until it is locked. A
 * file system without locks has none for those who sweep either. */
static bool lock_folder(rt_snapshot *snapshot, const char *path)
{
    struct stat status;
    snapshot->lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (snapshot->lock < 0)
        return errno != ENOENT;
    flock(snapshot->lock, LOCK_EX);
    if (lstat(path, &status) == 0 || errno != ENOENT)
        return true;
    close(snapshot->lock);
    return false;
}

static bool make_folder(rt_snapshot *snapshot, const rt_plan *plan, const char **error)
{
    const char *parent = choose_parent(snapshot->arena, plan);
    char *folder;
    *error =
        "no folder for plugin copies is writable, open to `user` and on a mount without noexec: "
        "set TMPDIR";
    if (!parent)
        return false;
    rt_snapshot_sweep(parent);
    do {
        folder = rt_arena_format(snapshot->arena, "%s/rtd-%d-XXXXXX", parent, (int)getpid());
        if (!mkdtemp(folder)) {
            *error = rt_arena_format(snapshot->arena, "cannot make a folder in `%s`: %s", parent,
                                     strerror(errno));
            return false;
        }
    } while (!lock_folder(snapshot, folder));
    snapshot->folder = folder;
    return true;
}

static int write_all(int fd, const rt_buffer *bytes)
{
    for (size_t done = 0; done < bytes->length;) {
        ssize_t wrote = write(fd, bytes->data + done, bytes->length - done);
        if (wrote < 0 && errno != EINTR)
            return -errno;
        done += wrote < 0 ? 0 : (size_t)wrote;
    }
    return 0;
}

static int write_copy(rt_snapshot *snapshot, const char *path, const rt_buffer *bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, RT_SNAPSHOT_FILE_MODE);
    if (fd < 0)
        return -errno;
    rt_push(snapshot->arena, snapshot->files, snapshot->file_count) = path;
    int result = write_all(fd, bytes);
    return close(fd) < 0 && !result ? -errno : result;
}

static const rt_manifest *manifest_of(const rt_composition *composition, const char *module)
{
    for (size_t i = 0; i < composition->manifest_count; i++)
        if (strcmp(composition->manifests[i]->name, module) == 0)
            return composition->manifests[i];
    return NULL;
}

static void refuse(rt_diagnostics *diagnostics, const rt_plan_instance *instance,
                   const char *reason)
{
    RT_DIAGNOSE(diagnostics, FILE_REPLACED, &(rt_place){.file = instance->file}, instance->module,
                reason);
}

/* The digest speaks for every byte, so that nothing of the judgement needs to be repeated. */
static bool is_as_judged(const rt_manifest *manifest, const rt_buffer *bytes)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)bytes->data, bytes->length, digest);
    return memcmp(digest, manifest->digest, sizeof digest) == 0;
}

static int copy_plugin(rt_snapshot *snapshot, const rt_composition *composition,
                       rt_plan_instance *instance, rt_diagnostics *diagnostics, const char **error)
{
    const rt_manifest *manifest = manifest_of(composition, instance->module);
    rt_buffer bytes = {0};
    int code = 0;
    int result = rt_buffer_read_file(&bytes, instance->file, RT_PLUGIN_SIZE_LIMIT);
    const char *path =
        rt_arena_format(snapshot->arena, "%s/%s.so", snapshot->folder, instance->module);
    if (result < 0) {
        refuse(diagnostics, instance, strerror(-result));
        code = EX_CONFIG;
    } else if (!manifest || !is_as_judged(manifest, &bytes)) {
        refuse(diagnostics, instance, "its contents differ");
        code = EX_CONFIG;
    } else if ((result = write_copy(snapshot, path, &bytes)) < 0) {
        *error = rt_arena_format(snapshot->arena, "cannot write `%s`: %s", path, strerror(-result));
        code = EX_OSERR;
    }
    instance->snapshot = path;
    rt_buffer_free(&bytes);
    return code;
}

/* The same module under another name has its copy already. */
static const char *copied_already(const rt_plan *plan, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(plan->instances[i].module, plan->instances[index].module) == 0)
            return plan->instances[i].snapshot;
    return NULL;
}

/* The workers' group may read; the owner stays root, so that a worker that was taken over cannot
 * change what the next one loads. */
static int let_group_read(rt_snapshot *snapshot, const rt_plan *plan, const char **error)
{
    gid_t group = (gid_t)plan->host.gid;
    const char *failed = NULL;
    if (!rt_privileges_change_identity(plan) || plan->host.gid < 0)
        return 0;
    for (size_t i = 0; i < snapshot->file_count && !failed; i++)
        if (chown(snapshot->files[i], (uid_t)-1, group) < 0 ||
            chmod(snapshot->files[i], RT_SNAPSHOT_FILE_MODE_GROUP) < 0)
            failed = snapshot->files[i];
    if (!failed && (chown(snapshot->folder, (uid_t)-1, group) < 0 ||
                    chmod(snapshot->folder, RT_SNAPSHOT_FOLDER_MODE_GROUP) < 0))
        failed = snapshot->folder;
    if (!failed)
        return 0;
    *error = rt_arena_format(snapshot->arena, "cannot let `group` read `%s`: %s", failed,
                             strerror(errno));
    return EX_OSERR;
}

int rt_snapshot_make(rt_snapshot *snapshot, rt_arena *arena, const rt_composition *composition,
                     rt_diagnostics *diagnostics, const char **error)
{
    rt_plan *plan = composition->plan;
    int worst = 0;
    *snapshot = (rt_snapshot){.arena = arena, .lock = -1};
    if (!make_folder(snapshot, plan, error))
        return EX_OSERR;
    for (size_t i = 0; i < plan->instance_count && worst != EX_OSERR; i++) {
        plan->instances[i].snapshot = copied_already(plan, i);
        if (plan->instances[i].snapshot)
            continue;
        int code = copy_plugin(snapshot, composition, &plan->instances[i], diagnostics, error);
        worst = code ? code : worst;
    }
    return worst ? worst : let_group_read(snapshot, plan, error);
}

void rt_snapshot_remove(rt_snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->file_count; i++)
        unlink(snapshot->files[i]);
    if (snapshot->folder) {
        rmdir(snapshot->folder);
        close(snapshot->lock);
    }
    snapshot->folder = NULL;
    snapshot->file_count = 0;
}
