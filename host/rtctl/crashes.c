/* Reads the folder where rtd keeps crash reports; no running rtd is needed. */
#include "rtctl/rtctl.h"

#include "base/reason.h"
#include "process/crash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LARGEST_REPORT ((size_t)1 << 20)

/* What follows "what: ". */
static void print_sentence(const rt_buffer *report)
{
    const char *what = strstr(report->data, "\nwhat: ");
    if (what)
        printf("  %.*s", (int)strcspn(what + 7, "\n"), what + 7);
}

static int list(rt_arena *arena, const char *folder, const char **names, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        rt_buffer report = {0};
        fputs(names[i], stdout);
        if (rt_buffer_read_file(&report, rt_arena_format(arena, "%s/%s", folder, names[i]),
                                LARGEST_REPORT) == 0)
            print_sentence(&report);
        putchar('\n');
        rt_buffer_free(&report);
    }
    return EXIT_VALID;
}

static int complain(const char *what, int error)
{
    fprintf(stderr, "rtctl crashes: cannot read `%s`: %s\n", what, rt_reason(-error));
    return EXIT_COULD_NOT_RUN;
}

static int print(rt_arena *arena, const char *folder, const char *name)
{
    rt_buffer report = {0};
    const char *path = strchr(name, '/') ? name : rt_arena_format(arena, "%s/%s", folder, name);
    int error = rt_buffer_read_file(&report, path, LARGEST_REPORT);
    if (!error)
        fwrite(report.data, 1, report.length, stdout);
    rt_buffer_free(&report);
    return error ? complain(path, error) : EXIT_VALID;
}

int rt_show_crashes(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    rt_arguments arguments = {0};
    const char **names;
    size_t count;
    int status;
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, 1, &status))
        return status;
    rt_composition *composition = rt_subcommand_compose(&arguments, arena);
    if (!composition || !rt_subcommand_has_plan(composition))
        return EXIT_COULD_NOT_RUN;
    const char *folder = rt_crash_folder(arena, composition->plan->host.crash.folder);
    if (!folder) {
        fputs("rtctl crashes: reports are kept nowhere: set `crash.folder`\n", stderr);
        return EXIT_COULD_NOT_RUN;
    }
    if (arguments.words.count)
        return print(arena, folder, arguments.words.items[0]);
    int error = rt_crash_list(arena, folder, &names, &count);
    if (error && error != -ENOENT)
        return complain(folder, error);
    if (!count)
        fprintf(stderr, "rtctl crashes: no reports in `%s`\n", folder);
    return list(arena, folder, names, count);
}
