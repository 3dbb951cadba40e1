#include "rtctl/rtctl.h"

#include "compose/document.h"
#include "compose/report.h"

#include <stdio.h>

static void print_table(const rt_composition *composition)
{
    int widest = 0;
    for (size_t i = 0; i < composition->effective_count; i++) {
        const rt_effective *entry = &composition->effective[i];
        int width = snprintf(NULL, 0, "%s = %s", entry->path, entry->value);
        if (width > widest && width <= 56)
            widest = width;
    }
    for (size_t i = 0; i < composition->effective_count; i++) {
        const rt_effective *entry = &composition->effective[i];
        int width = printf("%s = %s", entry->path, entry->value);
        printf("%*s  # %s\n", width < widest ? widest - width : 0, "", entry->origin);
    }
}

static void print_json(const rt_composition *composition)
{
    rt_buffer out = {0};
    rt_document_config(&out, composition);
    puts(out.data);
    rt_buffer_free(&out);
}

int rt_show_config(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    bool json = false;
    int status;
    const rt_option_argument options[] = {
        {"--json", RT_ARGUMENT_FLAG, &json, NULL, "print a JSON array"},
    };
    rt_arguments arguments = {.options = options, .option_count = 1};
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, 0, &status))
        return status;
    rt_composition *composition = rt_subcommand_compose(&arguments, arena);
    if (!composition)
        return EXIT_COULD_NOT_RUN;
    if (!rt_is_fit(composition))
        rt_report_print(stderr, composition, false);
    if (json)
        print_json(composition);
    else
        print_table(composition);
    status = rt_is_fit(composition) ? EXIT_VALID : EXIT_PROBLEMS;
    return status;
}
