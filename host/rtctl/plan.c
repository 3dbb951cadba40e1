#include "rtctl/rtctl.h"

#include "compose/document.h"
#include "process/privilege.h"

#include <stdio.h>
#include <string.h>

static void print_effects(const rt_plan_provides *provides)
{
    for (size_t i = 0; i < provides->effect_count; i++) {
        rt_buffer text = {0};
        rt_effect_print(&text, &provides->effects[i]);
        if (text.length)
            printf("       %s.%s: %s\n", provides->capability, provides->effects[i].method,
                   text.data);
        rt_buffer_free(&text);
    }
}

static void print_provides(const rt_plan_instance *instance)
{
    for (size_t i = 0; i < instance->provides_count; i++) {
        const rt_plan_provides *provides = &instance->provides[i];
        printf("     provides %s/%u (%s)\n", provides->capability, provides->major,
               rt_tier_name(provides->tier));
        print_effects(provides);
    }
}

static void print_binding(const rt_plan *plan, const rt_plan_binding *binding)
{
    printf("     %s %s/%u%s", binding->optional ? "optional" : "requires", binding->capability,
           binding->major, binding->raw ? " (raw)" : "");
    for (size_t i = 0; i < binding->provider_count; i++)
        printf("%s%s", i ? ", " : " → ", plan->instances[binding->providers[i]].name);
    printf(" — %s\n", binding->reason);
}

static void print_needs(uint32_t needs)
{
    rt_buffer text = {0};
    if (!needs)
        return;
    rt_needs_print(&text, needs);
    printf("     needs %s\n", text.data);
    rt_buffer_free(&text);
}

static void print_paths(const rt_plan_instance *instance)
{
    for (size_t i = 0; i < instance->path_count; i++) {
        const rt_plan_path *path = &instance->paths[i];
        printf("     may %s %s (%s)\n", path->write ? "read and write" : "read", path->path,
               path->option);
    }
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
    if (instance->slice)
        printf("     slice %s\n", instance->slice);
    print_needs(instance->needs);
    print_paths(instance);
}

/* --- what workers may do --------------------------------------------------------------------- */

static void print_identity(const rt_host_settings *host)
{
    if (host->uid < 0 && host->gid < 0) {
        puts("     run as the user that starts rtd");
        return;
    }
    fputs("     when rtd is started as root, run as", stdout);
    if (host->uid >= 0)
        printf(" user %s (%lld)", host->user, (long long)host->uid);
    if (host->gid >= 0)
        printf(" group %s (%lld)", host->group ? host->group : "of that user",
               (long long)host->gid);
    putchar('\n');
}

static void print_files(const rt_host_settings *host, uint32_t needs)
{
    const char *path;
    if (!host->sandbox.files || needs & RT_NEEDS_FILES) {
        printf("     files: any%s\n", host->sandbox.files ? ", as a module needs them" : "");
        return;
    }
    fputs("     files: those above, and to read", stdout);
    for (size_t i = 0; (path = rt_files_common(i)); i++)
        printf(" %s", path);
    putchar('\n');
}

/* One sandbox for all modules of a worker. */
static void print_sandbox(const rt_plan *plan)
{
    const rt_host_settings *host = &plan->host;
    uint32_t needs = rt_privileges_needs(plan);
    uint32_t opened = needs & ~(uint32_t)RT_NEEDS_FILES;
    rt_buffer text = {0};
    puts("workers");
    print_identity(host);
    if (opened)
        rt_needs_print(&text, opened);
    printf("     system calls: %s%s%s\n", host->sandbox.system_calls ? "filtered" : "any",
           opened ? "; open to all modules: " : "", opened ? text.data : "");
    print_files(host, needs);
    rt_buffer_free(&text);
}

static void print_text(const rt_composition *composition)
{
    const rt_plan *plan = composition->plan;
    printf("%s: %zu module%s in the order of start, %lld worker%s\n",
           rt_environment_names[plan->environment], plan->instance_count,
           plan->instance_count == 1 ? "" : "s", (long long)plan->host.workers,
           plan->host.workers == 1 ? "" : "s");
    for (size_t i = 0; i < plan->instance_count; i++)
        print_instance(plan, i);
    print_sandbox(plan);
}

static void print_json(const rt_composition *composition)
{
    rt_buffer out = {0};
    rt_document_plan(&out, composition);
    puts(out.data);
    rt_buffer_free(&out);
}

int rt_show_plan(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    bool json = false;
    int status;
    const rt_option_argument options[] = {
        {"--json", RT_ARGUMENT_FLAG, &json, NULL, "print one JSON object"},
    };
    rt_arguments arguments = {.options = options, .option_count = 1};
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, 0, &status))
        return status;
    rt_composition *composition = rt_subcommand_compose(&arguments, arena);
    if (!composition)
        return EXIT_COULD_NOT_RUN;
    if (rt_subcommand_has_plan(composition))
        (json ? print_json : print_text)(composition);
    status = rt_is_fit(composition) ? EXIT_VALID : EXIT_PROBLEMS;
    return status;
}
