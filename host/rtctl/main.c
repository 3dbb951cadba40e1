#include "rtctl/rtctl.h"

#include "base/reason.h"
#include "base/suggest.h"
#include "compose/report.h"
#include "process/process.h"
#include "process/task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const rt_subcommand subcommands[] = {
    {"validate", "[options]", "judge a deployment without running plugin code", rt_validate},
    {"plan", "[options]", "show what would run, in order, bound to what and why", rt_show_plan},
    {"graph", "[--format text|dot|mermaid] [options]", "draw the plan", rt_graph},
    {"config", "[options]", "show effective settings and where each came from", rt_show_config},
    {"modules", "[options]", "list the modules in the plugin folders", rt_modules},
    {"inspect", "FILE|MODULE [options]", "show what a plugin says about itself", rt_inspect},
    {"crashes", "[FILE] [options]", "list the crash reports, newest first, or print one",
     rt_show_crashes},
    {"status", "[--json] [options]", "show what a running rtd does", rt_ask_running},
    {"health", "[--json] [options]", "say whether a running rtd can do its work", rt_ask_running},
    {"stop", "[--wait] [options]", "stop a running rtd", rt_ask_running},
    {"reload", "[--wait] [options]", "let a running rtd take up configuration and plugins anew",
     rt_ask_running},
    {"upgrade", "[options]", "replace a running rtd by the program in its place", rt_ask_running},
    {"log-level", "[LEVEL [MODULE]] [options]", "show or set from which level a running rtd logs",
     rt_ask_running},
    {"log-reopen", "[options]", "let a running rtd open the files of its logs anew",
     rt_ask_running},
    {"quarantine", "[list|clear [ENTRY]] [options]",
     "list what is refused since it kept crashing, or lift it", rt_ask_running},
    {"fibers", "[WORKER] [options]", "list what a running rtd's workers do, and wait for",
     rt_ask_running},
    {"metrics", "[options]", "print what a running rtd counts, in Prometheus's text format",
     rt_ask_running},
    {"top", "[--interval TIME] [--once] [options]", "show live what a running rtd does", rt_top},
    {"call", "CAPABILITY.METHOD [JSON|-] [options]", "call a method in a running rtd", rt_ask_call},
    {"migrate", "[status|plan|up|verify] [options]",
     "show or apply the migrations of a deployment's databases", rt_migrate},
    {"explain", "[ID]", "explain a diagnostic", rt_explain,
     "ID is such as RT0107, or a diagnostic's name; without it, all are listed.\n"},
    {"new", "plugin NAME", "write a plugin that builds at once", rt_new,
     "Makes the folder NAME with source, Makefile, test and configuration in it.\n"},
    {"embed", "FOLDER [-o FILE]", "write a folder of migrations as a C header", rt_embed,
     "Reads `0001_name.sql`, `0002_name.sqlite.sql`, `0002_name.postgres.sql`, …, and writes a "
     "header\n"
     "that defines `rt_migrations`, for rt_slice_register.\n"
     "  -o FILE         write it there, not to standard output\n"
     "  --depfile FILE  with -o: also write what it was made of, for make or ninja\n"},
    {"version", "", "print the version", rt_version, "Of rt, and of what plugins are built for.\n"},
};
#define SUBCOMMAND_COUNT (sizeof subcommands / sizeof subcommands[0])

static void print_usage(FILE *out)
{
    fputs("usage: rtctl SUBCOMMAND …\n\n", out);
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        fprintf(out, "  %-10s %s\n", subcommands[i].name, subcommands[i].summary);
    fputs("\n`rtctl help SUBCOMMAND` lists its options; rtctl(1) says more.\n", out);
}

static int unknown_subcommand(const char *name)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, name);
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        rt_suggest(&suggestion, subcommands[i].name);
    fprintf(stderr, "rtctl: unknown subcommand `%s`", name);
    rt_suggest_print(&suggestion, stderr);
    fputs("\n`rtctl --help` lists them\n", stderr);
    return EXIT_COULD_NOT_RUN;
}

static int misplaced_option(const char *name)
{
    fprintf(stderr, "rtctl: option `%.*s` without a subcommand before it\n",
            (int)strcspn(name, "="), name);
    print_usage(stderr);
    return EXIT_COULD_NOT_RUN;
}

static const rt_subcommand *find_subcommand(const char *name)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        if (strcmp(name, subcommands[i].name) == 0)
            return &subcommands[i];
    return NULL;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

static bool asks_for_help(const char *word)
{
    return is_one_of(word, "--help", "-h") || strcmp(word, "help") == 0;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (is_one_of(argv[i], "--help", "-h"))
            return true;
    return false;
}

static void print_subcommand_usage(FILE *out, const rt_subcommand *subcommand)
{
    fprintf(out, "usage: rtctl %s%s%s\n", subcommand->name, *subcommand->usage ? " " : "",
            subcommand->usage);
}

static int print_details(const rt_subcommand *subcommand)
{
    print_subcommand_usage(stdout, subcommand);
    printf("%s\n\n%s", subcommand->summary, subcommand->details);
    return EXIT_VALID;
}

static int unexpected_word(const char *program, const char *word)
{
    fprintf(stderr, "%s: unexpected word `%s`\n", program, word);
    return EXIT_COULD_NOT_RUN;
}

static int run(rt_arena *arena, int argc, char **argv)
{
    if (argc < 1) {
        print_usage(stderr);
        return EXIT_COULD_NOT_RUN;
    }
    const char *word = argv[0];
    bool asks = asks_for_help(word);
    if (asks && (argc == 1 || asks_for_help(argv[1]))) {
        print_usage(stdout);
        return EXIT_VALID;
    }
    if (asks) { /* `rtctl help plan` is `rtctl plan --help` */
        static char help_option[] = "--help";
        char *swapped[] = {argv[1], help_option, NULL};
        if (argc > 2)
            return unexpected_word("rtctl help", argv[2]);
        return run(arena, 2, swapped);
    }
    const rt_subcommand *subcommand =
        find_subcommand(strcmp(word, "--version") == 0 ? word + 2 : word);
    if (subcommand && subcommand->details && wants_help(argc - 1, argv + 1))
        return print_details(subcommand);
    if (subcommand)
        return subcommand->run(subcommand, arena, argc - 1, argv + 1);
    return word[0] == '-' ? misplaced_option(word) : unknown_subcommand(word);
}

/* A file opened as descriptor 1 would get the result. Read only, so that writing still fails. */
static void fill_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], RT_ROLE_LOAD) == 0)
        return rt_load_main();
    if (argc > 1 && strcmp(argv[1], RT_ROLE_MIGRATE) == 0)
        return rt_task_main();
    fill_standard_descriptors();
    rt_arena arena;
    rt_arena_init(&arena);
    int status = run(&arena, argc - 1, argv + 1);
    rt_arena_free(&arena);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "rtctl: cannot write the result: %s\n", rt_reason(errno));
    return EXIT_COULD_NOT_RUN;
}

/* --- what subcommands share ------------------------------------------------------------------ */

int rt_subcommand_misused(const rt_subcommand *subcommand)
{
    print_subcommand_usage(stderr, subcommand);
    return EXIT_COULD_NOT_RUN;
}

static int help(const rt_subcommand *subcommand, const rt_arguments *arguments)
{
    print_subcommand_usage(stdout, subcommand);
    printf("%s\n\n", subcommand->summary);
    rt_arguments_help(stdout, arguments);
    return EXIT_VALID;
}

bool rt_subcommand_parse(const rt_subcommand *subcommand, rt_arguments *arguments, rt_arena *arena,
                         int argc, char **argv, size_t most_words, int *status)
{
    *status = EXIT_COULD_NOT_RUN;
    arguments->program = rt_arena_format(arena, "rtctl %s", subcommand->name);
    arguments->for_checking = true;
    if (wants_help(argc, argv)) {
        *status = help(subcommand, arguments);
        return false;
    }
    if (!rt_arguments_parse(arguments, arena, argc, argv))
        return false;
    if (arguments->words.count <= most_words)
        return true;
    *status = unexpected_word(arguments->program, arguments->words.items[most_words]);
    return false;
}

rt_composition *rt_subcommand_compose(rt_arguments *arguments, rt_arena *arena)
{
    if (!rt_arguments_default_config(arguments, arena, RT_CONFIG_DIR "/runtime.conf"))
        return NULL;
    arguments->request.default_plugins = rt_installed_path(arena, RT_PLUGIN_DIR);
    return rt_compose(arena, &arguments->request);
}

bool rt_is_fit(const rt_composition *composition)
{
    return composition->plan && !composition->diagnostics.errors;
}

bool rt_subcommand_has_plan(const rt_composition *composition)
{
    if (!rt_is_fit(composition))
        rt_report_print(stderr, composition, rt_report_wants_colour(stderr));
    return composition->plan != NULL;
}
