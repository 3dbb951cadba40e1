/* From a plugin file to its manifest: opens and reads the file, then runs the parts of
 * the reader. */
#include "manifest/parts.h"

#include "base/reason.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- bytes ----------------------------------------------------------------------------------- */

static rt_diagnostic *unfit(rt_plugin *plugin, rt_elf_fault fault)
{
    rt_diagnostics *diagnostics = plugin->diagnostics;
    const rt_place *place = &plugin->place;
    const char *text = plugin->elf.fault_text;
    switch (fault) {
    case RT_ELF_EMPTY:
        return RT_DIAGNOSE(diagnostics, PLUGIN_EMPTY, place, place->file);
    case RT_ELF_FOREIGN:
        return RT_DIAGNOSE(diagnostics, PLUGIN_NOT_ELF, place, place->file);
    case RT_ELF_CLASS:
        return RT_DIAGNOSE(diagnostics, PLUGIN_WRONG_CLASS, place, place->file);
    case RT_ELF_ORDER:
        return RT_DIAGNOSE(diagnostics, PLUGIN_WRONG_ORDER, place, place->file);
    case RT_ELF_MACHINE:
        return RT_DIAGNOSE(diagnostics, PLUGIN_WRONG_MACHINE, place, place->file, text);
    case RT_ELF_TRUNCATED:
        return RT_DIAGNOSE(diagnostics, PLUGIN_TRUNCATED, place, place->file, plugin->elf.length);
    case RT_ELF_TYPE:
        return RT_DIAGNOSE(diagnostics, PLUGIN_NOT_SHARED, place, place->file, text);
    case RT_ELF_DAMAGED:
    case RT_ELF_SOUND:
        break;
    }
    return RT_DIAGNOSE(diagnostics, PLUGIN_DAMAGED, place, place->file, text);
}

/* What a person does about it. */
static const char *const fault_help[] = {
    [RT_ELF_EMPTY] = "install the plugin again",
    [RT_ELF_FOREIGN] = "`file` says what it is; move it out of the plugin folder",
    [RT_ELF_CLASS] = "build it for this machine: 64 bits",
    [RT_ELF_ORDER] = "build it for this machine",
    [RT_ELF_MACHINE] = "build it for this machine",
    [RT_ELF_TRUNCATED] = "install the plugin again: copy it under another name, then rename it",
    [RT_ELF_TYPE] = "link it with the flags of `pkg-config --libs rt-sdk` and -shared",
    [RT_ELF_DAMAGED] = "install the plugin again",
};

/* A program that is position-independent has the type of a shared object. */
static bool is_program(const rt_elf *elf)
{
    if (elf->entries[RT_ELF_FLAGS_1] & DF_1_PIE)
        return true;
    for (size_t i = 0; i < elf->segment_count; i++)
        if (elf->segments[i].p_type == PT_INTERP)
            return true;
    return false;
}

static bool open_elf(rt_plugin *plugin, const void *bytes, size_t length)
{
    rt_elf_fault fault = rt_elf_open(&plugin->elf, plugin->arena, bytes, length);
    if (!fault && is_program(&plugin->elf)) {
        plugin->elf.fault_text = "a program";
        fault = RT_ELF_TYPE;
    }
    if (fault)
        rt_help(unfit(plugin, fault), "%s", fault_help[fault]);
    return !fault;
}

static void judge_stack(rt_plugin *plugin)
{
    for (size_t i = 0; i < plugin->elf.segment_count; i++)
        if (plugin->elf.segments[i].p_type == PT_GNU_STACK &&
            plugin->elf.segments[i].p_flags & PF_X)
            rt_help(RT_DIAGNOSE(plugin->diagnostics, EXECUTABLE_STACK, &plugin->place,
                                plugin->place.file),
                    "link it with `-z noexecstack`");
}

static void judge(rt_plugin *plugin)
{
    size_t errors = plugin->diagnostics->errors;
    if (!rt_notes_read(plugin) || !rt_notes_judge(plugin))
        return;
    rt_descriptor_judge(plugin, plugin->diagnostics->errors == errors);
    rt_symbols_collect(plugin);
    judge_stack(plugin);
}

rt_manifest *rt_manifest_parse(rt_arena *arena, rt_diagnostics *diagnostics, const char *path,
                               const void *bytes, size_t length)
{
    const char *file = rt_arena_copy(arena, path);
    rt_plugin plugin = {.arena = arena,
                        .diagnostics = diagnostics,
                        .place = {.file = file},
                        .manifest = RT_NEW(arena, rt_manifest),
                        .first_problem = diagnostics->count};
    size_t errors = diagnostics->errors;
    plugin.manifest->file = file;
    SHA256(bytes, length, plugin.manifest->digest);
    if (open_elf(&plugin, bytes, length))
        judge(&plugin);
    rt_elf_close(&plugin.elf);
    if (diagnostics->errors != errors)
        return NULL;
    rt_manifest_sort(plugin.manifest);
    return plugin.manifest;
}

/* --- files ----------------------------------------------------------------------------------- */

static const char *kind_of_file(mode_t mode)
{
    static const struct {
        mode_t kind;
        const char *name;
    } kinds[] = {{S_IFDIR, "a folder"},
                 {S_IFIFO, "a named pipe"},
                 {S_IFSOCK, "a socket"},
                 {S_IFCHR, "a character device"},
                 {S_IFBLK, "a block device"}};
    for (size_t i = 0; i < RT_COUNT(kinds); i++)
        if ((mode & S_IFMT) == kinds[i].kind)
            return kinds[i].name;
    return "no regular file";
}

static void report_unreadable(rt_diagnostics *diagnostics, const rt_place *place, int error)
{
    char target[256];
    if (error == ELOOP) {
        rt_help(RT_DIAGNOSE(diagnostics, PLUGIN_LINK_LOOP, place, place->file),
                "make the link again so that it ends at the plugin file");
        return;
    }
    rt_diagnostic *diagnostic =
        RT_DIAGNOSE(diagnostics, PLUGIN_UNREADABLE, place, place->file, rt_reason(error));
    ssize_t length = readlink(place->file, target, sizeof target - 1);
    if (error == ENOENT && length >= 0) {
        target[length] = '\0';
        rt_note(diagnostic, "it is a link to `%s`, which does not exist",
                rt_shown(diagnostics->arena, target));
    } else if (error == EACCES) {
        rt_help(diagnostic, "let the user who runs this read it: `chmod a+r %s`", place->file);
    }
}

static bool is_fit(rt_diagnostics *diagnostics, const rt_place *place, const struct stat *status)
{
    if (!S_ISREG(status->st_mode))
        rt_help(RT_DIAGNOSE(diagnostics, PLUGIN_NOT_A_FILE, place, place->file,
                            kind_of_file(status->st_mode)),
                "move it out of the plugin folder or rename it");
    else if ((uint64_t)status->st_size > RT_PLUGIN_SIZE_LIMIT)
        rt_help(RT_DIAGNOSE(diagnostics, PLUGIN_TOO_LARGE, place, place->file,
                            RT_PLUGIN_SIZE_LIMIT >> 20),
                "`strip` takes the debug information out");
    else
        return true;
    return false;
}

/* -1 after an error was added. Looked at before it is opened, for to open a device can do things,
 * and after, because it may have been replaced in between. */
static int open_plugin(rt_diagnostics *diagnostics, const rt_place *place, size_t *size)
{
    struct stat status;
    int fd = -1;
    if (stat(place->file, &status) < 0) {
        report_unreadable(diagnostics, place, errno);
        return -1;
    }
    if (!is_fit(diagnostics, place, &status))
        return -1;
    fd = open(place->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &status) < 0)
        report_unreadable(diagnostics, place, errno);
    else if (is_fit(diagnostics, place, &status)) {
        *size = (size_t)status.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Reads rather than maps: a file that shrinks while it is mapped kills the process with SIGBUS. */
static ssize_t read_bytes(int fd, char *bytes, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, bytes + length, size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

rt_manifest *rt_manifest_read(rt_arena *arena, rt_diagnostics *diagnostics, const char *path)
{
    rt_place place = {.file = rt_arena_copy(arena, path)};
    rt_manifest *manifest = NULL;
    size_t size = 0;
    int fd = open_plugin(diagnostics, &place, &size);
    if (fd < 0)
        return NULL;
    char *bytes = rt_xmalloc(size);
    ssize_t length = read_bytes(fd, bytes, size);
    if (length < 0)
        report_unreadable(diagnostics, &place, errno);
    else
        manifest = rt_manifest_parse(arena, diagnostics, path, bytes, (size_t)length);
    free(bytes);
    close(fd);
    return manifest;
}
