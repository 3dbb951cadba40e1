/* arguments.h — the command line of rtd and of rtctl's subcommands
 *
 * One table of options a program (`rt_option_argument`), beside the common ones that make a
 * rt_compose_request: --config FILE (repeated), --environment E, --set PATH=VALUE (repeated),
 * --foreground, and, where `for_checking` is set, --env-file FILE and --no-secrets. `--name=value`
 * is
 * `--name value`; `--` ends the options. Everything lives in the arena.
 *
 *     bool json = false;
 *     const rt_option_argument options[] = {
 *         {"--json", RT_ARGUMENT_FLAG, &json, NULL, "print one JSON object a line"},
 *     };
 *     rt_arguments arguments = {.program = "rtctl validate", .options = options, .option_count = 1,
 *                               .for_checking = true};
 *     if (!rt_arguments_parse(&arguments, &arena, argc - 2, argv + 2))
 *         return 2;               // the complaint is on standard error
 */
#ifndef RT_COMPOSE_ARGUMENTS_H
#define RT_COMPOSE_ARGUMENTS_H

#include "compose/compose.h"

#include <stdio.h>

typedef struct rt_argument_list {
    const char **items;
    size_t count;
} rt_argument_list;

typedef enum rt_argument_kind {
    RT_ARGUMENT_FLAG, /* bool * */
    RT_ARGUMENT_TEXT, /* const char ** */
    RT_ARGUMENT_LIST, /* rt_argument_list *: may be repeated */
} rt_argument_kind;

typedef struct rt_option_argument {
    const char *name; /* "--config" */
    rt_argument_kind kind;
    void *target;
    const char *value; /* what the help calls its value; NULL for a flag */
    const char *help;
} rt_option_argument;

typedef struct rt_arguments {
    const char *program; /* names it in complaints */
    const rt_option_argument *options;
    size_t option_count;
    bool for_checking;

    rt_compose_request request; /* config_files is empty if no --config was given */
    rt_argument_list words;     /* what is no option */
    const char *env_file;
    bool foreground; /* rtd never leaves it, and rtctl takes what rtd is started with */
    rt_argument_list configs, sets;
} rt_arguments;

/* False after a complaint on standard error: an unknown option, a missing value, an --env-file that
 * cannot be read. `argv` does not begin with the program's name. */
bool rt_arguments_parse(rt_arguments *arguments, rt_arena *arena, int argc, char *const *argv);

/* One line an option, the program's own first. */
void rt_arguments_help(FILE *out, const rt_arguments *arguments);

/* `path` below the folder the program is installed in (bin/..); an absolute one stays. */
const char *rt_installed_path(rt_arena *arena, const char *path);

/* Takes the installed configuration if none was named. False after a complaint: it is not there. */
bool rt_arguments_default_config(rt_arguments *arguments, rt_arena *arena, const char *installed);

#endif
