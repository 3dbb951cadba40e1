/* `rtctl migrate`: what the databases of a deployment's slices have, and what they lack. */
#include "rtctl/rtctl.h"

#include "base/suggest.h"
#include "compose/report.h"
#include "process/task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    rt_task_kind kind;
} actions[] = {{"status", RT_TASK_STATUS},
               {"plan", RT_TASK_PLAN},
               {"up", RT_TASK_UP},
               {"verify", RT_TASK_VERIFY}};
#define ACTIONS (sizeof actions / sizeof actions[0])

/* What is printed while the child works. */
struct printing {
    bool json;
    size_t count; /* objects so far */
};

static void print(void *argument, const char *text)
{
    struct printing *printing = argument;
    if (printing->json && printing->count++)
        putchar(',');
    fputs(text, stdout);
    fflush(stdout); /* a migration may take long */
}

/* Composition's warnings are no concern of this; what the child found comes behind them. */
static void print_findings(const rt_diagnostics *diagnostics, size_t first)
{
    rt_buffer out = {0};
    for (size_t i = first; i < diagnostics->count; i++)
        rt_diagnostic_print(&out, diagnostics->items[i], rt_report_wants_colour(stderr));
    if (out.length)
        fputs(out.data, stderr);
    rt_buffer_free(&out);
}

static void print_findings_json(const rt_diagnostics *diagnostics, size_t first, bool complete)
{
    rt_buffer out = {0};
    rt_buffer_format(&out, "],\"complete\":%s,\"diagnostics\":[", complete ? "true" : "false");
    for (size_t i = first; i < diagnostics->count; i++) {
        rt_buffer_text(&out, i > first ? "," : "");
        rt_diagnostic_json(&out, diagnostics->items[i]);
    }
    rt_buffer_text(&out, "]}");
    puts(out.data);
    rt_buffer_free(&out);
}

static int run_task(rt_composition *composition, rt_task *task)
{
    struct printing printing = {.json = task->json};
    const rt_diagnostics *diagnostics = &composition->diagnostics;
    size_t first = diagnostics->count;
    task->print = print;
    task->argument = &printing;
    if (task->json)
        fputs("{\"slices\":[", stdout);
    bool complete = rt_task_run(composition, "/proc/self/exe", task) && !diagnostics->errors;
    if (task->json)
        print_findings_json(diagnostics, first, complete);
    else
        print_findings(diagnostics, first);
    return complete ? EXIT_VALID : EXIT_PROBLEMS;
}

/* --- what is asked for ----------------------------------------------------------------------- */

static bool take_action(const rt_arguments *arguments, rt_task *task)
{
    const char *word = arguments->words.count ? arguments->words.items[0] : "status";
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, word);
    for (size_t i = 0; i < ACTIONS; i++) {
        rt_suggest(&suggestion, actions[i].word);
        task->kind = actions[i].kind;
        if (strcmp(actions[i].word, word) == 0)
            return true;
    }
    fprintf(stderr, "rtctl migrate: unknown word `%s`", word);
    rt_suggest_print(&suggestion, stderr);
    fputs("; there are status, plan, up and verify\n", stderr);
    return false;
}

static bool take_most(const char *text, rt_task *task)
{
    char *end;
    errno = 0;
    unsigned long number = text ? strtoul(text, &end, 10) : 0;
    if (text && (*text < '0' || *text > '9' || *end || errno || !number || number > 9999)) {
        fprintf(stderr, "rtctl migrate: `--to` takes the number of a migration, not `%s`\n", text);
        return false;
    }
    if (text && task->kind != RT_TASK_UP) {
        fputs("rtctl migrate: `--to` is for `up` alone\n", stderr);
        return false;
    }
    if (text && !task->slice) {
        fputs("rtctl migrate: `--to` needs `--slice`: each slice counts for itself\n", stderr);
        return false;
    }
    task->most = (uint32_t)number;
    return true;
}

/* True if there is something to do; else says why not. */
static bool has_slice(const rt_plan *plan, const char *name, int *status)
{
    rt_suggestion suggestion;
    bool any = false;
    rt_suggest_begin(&suggestion, name ? name : "");
    for (size_t i = 0; i < plan->instance_count; i++) {
        const char *slice = plan->instances[i].slice;
        if (slice && (!name || strcmp(slice, name) == 0))
            return true;
        if (slice)
            rt_suggest(&suggestion, slice);
        any |= slice != NULL;
    }
    *status = name ? EXIT_COULD_NOT_RUN : EXIT_VALID;
    if (!name || !any) {
        fputs("rtctl migrate: no module of the plan has a slice\n", stderr);
        return false;
    }
    fprintf(stderr, "rtctl migrate: no module of the plan has the slice `%s`", name);
    rt_suggest_print(&suggestion, stderr);
    fputc('\n', stderr);
    return false;
}

int rt_migrate(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    rt_task task = {0};
    const char *most = NULL;
    int status;
    const rt_option_argument options[] = {
        {"--slice", RT_ARGUMENT_TEXT, &task.slice, "NAME", "of this slice alone"},
        {"--to", RT_ARGUMENT_TEXT, &most, "NUMBER", "of `up`: not beyond this migration"},
        {"--json", RT_ARGUMENT_FLAG, &task.json, NULL, "print one JSON object"},
    };
    rt_arguments arguments = {.options = options, .option_count = 3};
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, 1, &status))
        return status;
    if (!take_action(&arguments, &task) || !take_most(most, &task))
        return EXIT_COULD_NOT_RUN;
    rt_composition *composition = rt_subcommand_compose(&arguments, arena);
    if (!composition)
        return EXIT_COULD_NOT_RUN;
    if (!rt_subcommand_has_plan(composition) || !rt_is_fit(composition))
        return EXIT_PROBLEMS;
    if (!has_slice(composition->plan, task.slice, &status)) {
        if (task.json && status == EXIT_VALID)
            puts("{\"slices\":[],\"complete\":true,\"diagnostics\":[]}");
        return status;
    }
    return run_task(composition, &task);
}
