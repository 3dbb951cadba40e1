#include "rtctl/rtctl.h"

#include "compose/document.h"
#include "compose/report.h"
#include "process/process.h"
#include "process/task.h"

#include <stdio.h>

static void print_json(const rt_composition *composition, bool valid)
{
    rt_buffer out = {0};
    rt_document_diagnostics(&out, composition, valid);
    puts(out.data);
    rt_buffer_free(&out);
}

int rt_validate(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    bool json = false, load = false, connect = false, strict = false;
    int status;
    const rt_option_argument options[] = {
        {"--load", RT_ARGUMENT_FLAG, &load, NULL,
         "also load and register the plugins, in a child process"},
        {"--connect", RT_ARGUMENT_FLAG, &connect, NULL,
         "also start the providers there, and look at the databases"},
        {"--strict", RT_ARGUMENT_FLAG, &strict, NULL, "warnings are problems too"},
        {"--json", RT_ARGUMENT_FLAG, &json, NULL, "print one JSON object"},
    };
    rt_arguments arguments = {.options = options, .option_count = 4};
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, 0, &status))
        return status;
    rt_composition *composition = rt_subcommand_compose(&arguments, arena);
    if (!composition)
        return EXIT_COULD_NOT_RUN;
    if (connect && rt_is_fit(composition))
        rt_task_run(composition, "/proc/self/exe", &(rt_task){.kind = RT_TASK_CONNECT});
    else if (load && rt_is_fit(composition))
        rt_load_check(composition, "/proc/self/exe");
    bool valid = rt_is_fit(composition) && !(strict && composition->diagnostics.warnings);
    if (json)
        print_json(composition, valid);
    else
        rt_report_print(stdout, composition, strict);
    return valid ? EXIT_VALID : EXIT_PROBLEMS;
}
