#include "rtctl/rtctl.h"

#include <stdio.h>
#include <string.h>

static void print_provides(const rt_plan_instance *instance)
{
    for (size_t i = 0; i < instance->provides_count; i++)
        printf("     provides %s/%u (%s)\n", instance->provides[i].capability,
               instance->provides[i].major, rt_tier_name(instance->provides[i].tier));
}

static void print_binding(const rt_plan *plan, const rt_plan_binding *binding)
{
    printf("     %s %s/%u%s", binding->optional ? "optional" : "requires", binding->capability,
           binding->major, binding->raw ? " (raw)" : "");
    for (size_t i = 0; i < binding->provider_count; i++)
        printf("%s%s", i ? ", " : " → ", plan->instances[binding->providers[i]].name);
    printf(" — %s\n", binding->reason);
}

static void print_instance(const rt_plan *plan, size_t i)
{
    const rt_plan_instance *instance = &plan->instances[i];
    printf("%3zu. %s", i + 1, instance->name);
    if (strcmp(instance->name, instance->module) != 0)
        printf(" (an instance of %s)", instance->module);
    printf(" %s%s%s%s\n", instance->version, instance->lazy ? ", lazy" : "",
           instance->development_only ? ", development-only" : "",
           instance->acknowledged ? ", acknowledged" : "");
    printf("     %s\n", instance->file);
    if (instance->required_by)
        printf("     in the plan for %s\n", instance->required_by);
    else
        puts("     a root");
    print_provides(instance);
    for (size_t k = 0; k < instance->binding_count; k++)
        print_binding(plan, &instance->bindings[k]);
}

int rt_show_plan(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    int status;
    rt_arguments arguments = {0};
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, 0, &status))
        return status;
    rt_composition *composition = rt_subcommand_compose(&arguments, arena);
    if (!composition)
        return EXIT_COULD_NOT_RUN;
    if (rt_subcommand_has_plan(composition)) {
        const rt_plan *plan = composition->plan;
        printf("%s: %zu module%s in the order of start, %lld worker%s\n",
               rt_environment_names[plan->environment], plan->instance_count,
               plan->instance_count == 1 ? "" : "s", (long long)plan->host.workers,
               plan->host.workers == 1 ? "" : "s");
        for (size_t i = 0; i < plan->instance_count; i++)
            print_instance(plan, i);
    }
    status = rt_is_fit(composition) ? EXIT_VALID : EXIT_PROBLEMS;
    return status;
}
