#include "rtctl/rtctl.h"

#include <stdio.h>
#include <string.h>

static const char *state_of(const rt_composition *composition, const rt_manifest *manifest)
{
    const rt_plan *plan = composition->plan;
    for (size_t i = 0; plan && i < plan->instance_count; i++)
        if (strcmp(plan->instances[i].module, manifest->name) == 0)
            return "planned";
    return "-";
}

static void print_module(const rt_composition *composition, const rt_manifest *manifest)
{
    printf("%-20s %-10s %-8s ", manifest->name, manifest->version, state_of(composition, manifest));
    for (size_t i = 0; i < manifest->provides_count; i++)
        printf("%s%s/%u %s", i ? ", " : "", manifest->provides[i].capability,
               manifest->provides[i].major, rt_tier_name(manifest->provides[i].tier));
    if (!manifest->provides_count)
        fputs(manifest->serves ? "serves" : "-", stdout);
    printf("  %s\n", manifest->file);
}

int rt_modules(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    int status;
    rt_arguments arguments = {0};
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, 0, &status))
        return status;
    rt_composition *composition = rt_subcommand_compose(&arguments, arena);
    if (!composition)
        return EXIT_COULD_NOT_RUN;
    rt_subcommand_has_plan(composition);
    for (size_t i = 0; i < composition->manifest_count; i++)
        print_module(composition, composition->manifests[i]);
    status = rt_is_fit(composition) ? EXIT_VALID : EXIT_PROBLEMS;
    return status;
}
