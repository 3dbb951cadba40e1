/* Writes what the templates in share/rt/templates hold, names filled in. */
#include "rtctl/rtctl.h"

#include "compose/internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPLATE_SIZE_LIMIT ((size_t)1 << 20)
#define LONGEST_NAME 64

struct names {
    rt_arena *arena;
    const char *name;       /* "my-plugin" */
    const char *identifier; /* "my_plugin" */
    const char *pkgconfig;  /* the folder of rt-sdk.pc */
    const char *plugins;    /* where those of rt are */
};

static bool is_module_name(const char *name)
{
    size_t length = strlen(name);
    return islower((unsigned char)name[0]) && length <= LONGEST_NAME &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length &&
           name[length - 1] != '-';
}

static bool may_be_named(const char *name)
{
    bool is_reserved = rt_option_find(rt_host_options, rt_host_option_count, name);
    if (is_reserved)
        fprintf(stderr, "rtctl new: `%s` is a section of the host's own settings\n", name);
    else if (!is_module_name(name))
        fprintf(stderr,
                "rtctl new: `%s` cannot be a module's name: lower-case letters, digits and `-`,\n"
                "starting with a letter and not ending in `-`, at most %d\n",
                name, LONGEST_NAME);
    else
        return true;
    return false;
}

static char *fill_in(const struct names *names, const char *text)
{
    const struct {
        const char *mark, *value;
    } marks[] = {{"@NAME@", names->name},
                 {"@IDENTIFIER@", names->identifier},
                 {"@PKGCONFIG@", names->pkgconfig},
                 {"@PLUGINS@", names->plugins}};
    enum { MARKS = sizeof marks / sizeof marks[0] };
    rt_buffer out = {0};
    rt_buffer_reserve(&out, strlen(text));
    rt_buffer_text(&out, "");
    while (*text) {
        size_t i = 0;
        while (i < MARKS && strncmp(text, marks[i].mark, strlen(marks[i].mark)) != 0)
            i++;
        if (i < MARKS)
            rt_buffer_text(&out, marks[i].value);
        else
            rt_buffer_char(&out, *text);
        text += i < MARKS ? strlen(marks[i].mark) : 1;
    }
    char *filled = rt_arena_copy(names->arena, out.data);
    rt_buffer_free(&out);
    return filled;
}

static int complain(const char *what, const char *path, int error)
{
    fprintf(stderr, "rtctl new: cannot %s `%s`: %s\n", what, path, strerror(error));
    return EXIT_COULD_NOT_RUN;
}

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return complain("create", path, errno);
    size_t length = strlen(text), done = 0;
    while (done < length) {
        ssize_t wrote = write(fd, text + done, length - done);
        if (wrote < 0 && errno != EINTR)
            break;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    int error = done < length ? errno : 0;
    if (close(fd) < 0 && !error)
        error = errno;
    if (error)
        return complain("write", path, error);
    printf("%s\n", path);
    return EXIT_VALID;
}

static int copy_template(const struct names *names, const char *folder, const char *entry)
{
    const char *source = rt_arena_format(names->arena, "%s/%s", folder, entry);
    rt_buffer content = {0};
    int result = rt_buffer_read_file(&content, source, TEMPLATE_SIZE_LIMIT);
    int status =
        result < 0
            ? complain("read", source, -result)
            : write_file(rt_arena_format(names->arena, "%s/%s", names->name, fill_in(names, entry)),
                         fill_in(names, content.data));
    rt_buffer_free(&content);
    return status;
}

static int copy_templates(const struct names *names, const char *folder)
{
    int status = EXIT_VALID;
    DIR *directory = opendir(folder);
    if (!directory)
        return complain("open the templates in", folder, errno);
    if (mkdir(names->name, 0777) < 0)
        status = complain("make the folder", names->name, errno);
    for (struct dirent *entry; !status && (entry = readdir(directory));)
        if (entry->d_name[0] != '.')
            status = copy_template(names, folder, entry->d_name);
    closedir(directory);
    return status;
}

int rt_new(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    if (argc != 2 || strcmp(argv[0], "plugin") != 0)
        return rt_subcommand_misused(subcommand);
    if (!may_be_named(argv[1]))
        return EXIT_COULD_NOT_RUN;
    char *identifier = rt_arena_copy(arena, argv[1]);
    for (char *c = identifier; *c; c++)
        *c = *c == '-' ? '_' : *c;
    struct names names = {arena, argv[1], identifier, rt_installed_path(arena, RT_PKGCONFIG_DIR),
                          rt_installed_path(arena, RT_PLUGIN_DIR)};
    int status = copy_templates(&names, rt_installed_path(arena, RT_DATA_DIR "/templates/plugin"));
    fflush(stdout); /* before what is said about it */
    if (status == EXIT_VALID)
        fprintf(stderr, "now: cd %s && make check\n", argv[1]);
    return status;
}
