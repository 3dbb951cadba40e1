/* rtctl.h — one file a subcommand, one table of them in main.c
 *
 * Results go to standard output, chatter to standard error. Exit status: 0 valid, 1 problems,
 * 2 could not run; of those that speak to a running rtd what it answers (sysexits.h), or 69.
 */
#ifndef RT_RTCTL_RTCTL_H
#define RT_RTCTL_RTCTL_H

#include "compose/arguments.h"
#include "compose/compose.h"

enum { EXIT_VALID = 0, EXIT_PROBLEMS = 1, EXIT_COULD_NOT_RUN = 2 };

typedef struct rt_subcommand {
    const char *name;
    const char *usage; /* what follows the name */
    const char *summary;
    int (*run)(const struct rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
    const char *details; /* for --help, where there are no options to list; else NULL */
} rt_subcommand;

int rt_validate(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_show_plan(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_graph(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_inspect(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_modules(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_show_config(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_show_crashes(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_explain(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_embed(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_migrate(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_new(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
/* control.c: what is asked of a running rtd, by the subcommand's name. */
int rt_ask_running(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_top(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
/* One line, and what follows it, to the rtd that the arguments or `socket` name: prints its reply,
 * a status of sysexits.h. */
int rt_ask_line(rt_arguments *arguments, rt_arena *arena, const char *socket,
                const rt_buffer *line);
/* Without controls, and, unless it is a phrase, without blanks. */
bool rt_is_word(const char *text, bool phrase);
int rt_ask_call(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);
int rt_version(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv);

/* Parses the subcommand's options; false when it is to end with `*status` (--help, a complaint). At
 * most `most_words` words may be left over. */
bool rt_subcommand_parse(const rt_subcommand *subcommand, rt_arguments *arguments, rt_arena *arena,
                         int argc, char **argv, size_t most_words, int *status);

/* Says how the subcommand is used; EXIT_COULD_NOT_RUN. */
int rt_subcommand_misused(const rt_subcommand *subcommand);

/* Composes what the common options name; NULL after a complaint. */
rt_composition *rt_subcommand_compose(rt_arguments *arguments, rt_arena *arena);

/* For the subcommands that show something other than problems: prints errors to standard error and
 * returns false if there is no plan to show. */
bool rt_subcommand_has_plan(const rt_composition *composition);
bool rt_is_fit(const rt_composition *composition);

/* control.c: puts a line to the rtd that `*socket` or the arguments name, and adds what it answers.
 * `*socket` is then set. What the rtd exits with, after a complaint unless that is 0. */
int rt_ask_text(rt_arguments *arguments, rt_arena *arena, const char **socket, const char *line,
                rt_buffer *out);

#endif
