#include "rtctl/rtctl.h"

#include "base/suggest.h"
#include "compose/report.h"
#include "process/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static const rt_subcommand subcommands[] = {
    {"validate", "[options]", "judge a deployment without running plugin code", rt_validate},
    {"plan", "[options]", "show what would run, in order, bound to what and why", rt_show_plan},
    {"graph", "[--format text|dot|mermaid] [options]", "draw the plan", rt_graph},
    {"config", "[options]", "show effective settings and where each came from", rt_show_config},
    {"modules", "[options]", "list the modules in the plugin folders", rt_modules},
    {"inspect", "FILE|MODULE [options]", "show what a plugin says about itself", rt_inspect},
    {"explain", "[ID]", "explain a diagnostic", rt_explain},
    {"new", "plugin NAME", "write a plugin that builds at once", rt_new},
    {"version", "", "print the version", rt_version},
};
#define SUBCOMMAND_COUNT (sizeof subcommands / sizeof subcommands[0])

static void print_usage(FILE *out)
{
    fputs("usage: rtctl SUBCOMMAND …\n\n", out);
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        fprintf(out, "  %-10s %s\n", subcommands[i].name, subcommands[i].summary);
    fputs("\n`rtctl SUBCOMMAND --help` lists its options; rtctl(1) says more.\n", out);
}

static int unknown_subcommand(const char *name)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, name);
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        rt_suggest(&suggestion, subcommands[i].name);
    fprintf(stderr, "rtctl: unknown subcommand `%s`", name);
    if (suggestion.nearest)
        fprintf(stderr, ", did you mean `%s`?", suggestion.nearest);
    fputs("\n`rtctl --help` lists them\n", stderr);
    return EXIT_COULD_NOT_RUN;
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], RT_ROLE_LOAD) == 0)
        return rt_load_main();
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_COULD_NOT_RUN;
    }
    if (is_one_of(argv[1], "--help", "-h") || strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return EXIT_VALID;
    }
    if (strcmp(argv[1], "--version") == 0)
        argv[1] += 2;
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        if (strcmp(argv[1], subcommands[i].name) == 0) {
            int status = subcommands[i].run(&subcommands[i], argc - 2, argv + 2);
            if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
            perror("rtctl: cannot write the result");
            return EXIT_COULD_NOT_RUN;
        }
    return unknown_subcommand(argv[1]);
}

/* --- what subcommands share
 * -------------------------------------------------------------------------- */

static int help(const rt_subcommand *subcommand, const rt_arguments *arguments)
{
    printf("usage: rtctl %s %s\n%s\n\n", subcommand->name, subcommand->usage, subcommand->summary);
    rt_arguments_help(stdout, arguments);
    return EXIT_VALID;
}

bool rt_subcommand_parse(const rt_subcommand *subcommand, rt_arguments *arguments, rt_arena *arena,
                         int argc, char **argv, size_t most_words, int *status)
{
    *status = EXIT_COULD_NOT_RUN;
    arguments->program = rt_arena_format(arena, "rtctl %s", subcommand->name);
    arguments->for_checking = true;
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (is_one_of(argv[i], "--help", "-h")) {
            *status = help(subcommand, arguments);
            return false;
        }
    if (!rt_arguments_parse(arguments, arena, argc, argv))
        return false;
    if (arguments->words.count <= most_words)
        return true;
    fprintf(stderr, "%s: unexpected word `%s`\n", arguments->program,
            arguments->words.items[most_words]);
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

void rt_json_quote(rt_buffer *out, const char *text)
{
    if (!text) {
        rt_buffer_text(out, "null");
        return;
    }
    rt_buffer_char(out, '"');
    rt_buffer_json(out, text, strlen(text));
    rt_buffer_char(out, '"');
}
