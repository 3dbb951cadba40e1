#include "rtctl/rtctl.h"

#include "base/suggest.h"
#include "compose/internal.h"
#include "compose/report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    uint32_t bit;
    const char *name;
} kinds[] = {
    {RT_SERVES_ROUTES, "routes"},
    {RT_SERVES_SERVICES, "services"},
    {RT_SERVES_JOBS, "jobs"},
    {RT_SERVES_EVENTS, "events"},
};

static void print_bits(const char *title, uint32_t bits, size_t count, const char *(*name)(size_t))
{
    if (!bits)
        return;
    printf("%-14s", title);
    for (size_t i = 0; i < count; i++)
        if (bits & 1u << i)
            printf(" %s", name(i));
    putchar('\n');
}

static const char *kind_name(size_t i)
{
    return kinds[i].name;
}

static const char *environment_name(size_t i)
{
    return rt_environment_names[i];
}

static void print_capabilities(const rt_manifest *manifest)
{
    for (size_t i = 0; i < manifest->provides_count; i++) {
        const rt_provides *provides = &manifest->provides[i];
        printf("provides       %s/%u, tier %s, priority %d%s:", provides->capability,
               provides->major, rt_tier_name(provides->tier), provides->priority,
               provides->development_only ? ", development-only" : "");
        for (size_t k = 0; k < provides->method_count; k++)
            printf(" %s", provides->methods[k].name);
        putchar('\n');
    }
    for (size_t i = 0; i < manifest->requires_count; i++) {
        const rt_requires *requires = &manifest->requires[i];
        printf("%-14s %s/%u%s%s\n", requires->optional ? "optional" : "requires",
               requires->capability, requires->major, requires->raw ? ", raw" : "",
               requires->many ? ", many" : "");
    }
}

static void print_option(const rt_option_spec *option, int indent)
{
    printf("%*s%s: %s", indent, "", option->name, rt_setting_type_name(option->type));
    if (option->type == RT_SETTING_LIST)
        printf(" of %s", rt_setting_type_name(option->of));
    for (size_t i = 0; i < option->value_count; i++)
        printf("%s%s", i ? " | " : " ", option->values[i]);
    if (option->required)
        fputs(", required", stdout);
    if (option->required_with)
        printf(", required with %s", option->required_with);
    if (option->default_text)
        printf(", default %s", option->default_text);
    if (option->least)
        printf(", at least %s", option->least);
    if (option->most)
        printf(", at most %s", option->most);
    printf("\n%*s%s\n", indent + 4, "", option->help ? option->help : "");
    for (size_t i = 0; i < option->field_count; i++)
        print_option(&option->fields[i], indent + 4);
}

static void print_manifest(const rt_manifest *manifest)
{
    printf("module         %s %s\n", manifest->name, manifest->version);
    printf("summary        %s\n", manifest->summary);
    printf("file           %s\n", manifest->file);
    printf("abi            %u.%u\n", manifest->abi_major, manifest->abi_minor);
    if (manifest->build_id)
        printf("build-id       %s\n", manifest->build_id);
    if (manifest->development_only || manifest->process_local || manifest->inspects)
        printf("flags         %s%s%s\n", manifest->development_only ? " development-only" : "",
               manifest->process_local ? " process-local" : "",
               manifest->inspects ? " inspects" : "");
    for (size_t i = 0; i < manifest->condition_count; i++)
        printf("%s when %s = \"%s\"\n",
               manifest->conditions[i].process_local ? "process-local" : "development-only",
               manifest->conditions[i].path, manifest->conditions[i].equals);
    print_bits("serves", manifest->serves, sizeof kinds / sizeof kinds[0], kind_name);
    print_bits("enabled in", manifest->enabled_in, RT_ENVIRONMENT_COUNT, environment_name);
    print_bits("needs", manifest->needs, RT_NEED_COUNT, rt_need_name);
    if (manifest->slice)
        printf("slice          %s\n", manifest->slice);
    if (manifest->stack_size)
        printf("stack          %u bytes\n", manifest->stack_size);
    print_capabilities(manifest);
    for (size_t i = 0; i < manifest->publishes_count; i++)
        printf("publishes      %s version %u as %s\n", manifest->publishes[i].topic,
               manifest->publishes[i].version, manifest->publishes[i].wire);
    for (size_t i = 0; i < manifest->handles_count; i++)
        printf("handles        %s version %u\n", manifest->handles[i].topic,
               manifest->handles[i].version);
    for (size_t i = 0; i < manifest->needed_count; i++)
        printf("links          %s\n", manifest->needed[i]);
    if (manifest->option_count)
        puts("settings:");
    for (size_t i = 0; i < manifest->option_count; i++)
        print_option(&manifest->options[i], 4);
}

static int inspect_file(rt_arena *arena, const char *path)
{
    rt_composition composition = {.config_name = path};
    rt_diagnostics_init(&composition.diagnostics, arena);
    rt_manifest *manifest = rt_manifest_read(arena, &composition.diagnostics, path);
    if (manifest) {
        rt_library_cache *cache = rt_library_cache_new(arena);
        rt_manifest_check_links(cache, &composition.diagnostics, manifest);
        rt_library_cache_close(cache);
        print_manifest(manifest);
    }
    rt_buffer out = {0};
    for (size_t i = 0; i < composition.diagnostics.count; i++)
        rt_diagnostic_print(&out, composition.diagnostics.items[i], rt_report_wants_colour(stdout));
    if (out.length)
        fputs(out.data, stdout);
    rt_buffer_free(&out);
    return manifest && !composition.diagnostics.errors ? EXIT_VALID : EXIT_PROBLEMS;
}

static int inspect_module(rt_arguments *arguments, rt_arena *arena, const char *name)
{
    rt_composition *composition = rt_subcommand_compose(arguments, arena);
    if (!composition)
        return EXIT_COULD_NOT_RUN;
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, name);
    for (size_t i = 0; i < composition->manifest_count; i++) {
        rt_suggest(&suggestion, composition->manifests[i]->name);
        if (strcmp(composition->manifests[i]->name, name) == 0) {
            print_manifest(composition->manifests[i]);
            return EXIT_VALID;
        }
    }
    rt_subcommand_has_plan(composition); /* what was wrong may have hidden the module */
    fprintf(stderr, "rtctl inspect: `%s` is neither a file nor a module in the plugin folders",
            name);
    rt_suggest_print(&suggestion, stderr);
    fputc('\n', stderr);
    return EXIT_COULD_NOT_RUN;
}

int rt_inspect(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    int status;
    rt_arguments arguments = {0};
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, 1, &status))
        return status;
    if (!arguments.words.count)
        return rt_subcommand_misused(subcommand);
    const char *subject = arguments.words.items[0];
    bool is_path = strchr(subject, '/') || strstr(subject, ".so") || access(subject, F_OK) == 0;
    status = is_path ? inspect_file(arena, subject) : inspect_module(&arguments, arena, subject);
    return status;
}
