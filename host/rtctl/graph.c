#include "rtctl/rtctl.h"

#include <stdio.h>
#include <string.h>

/* How one format draws; an edge goes from who requires to who provides. */
struct format {
    const char *name;
    const char *begin, *end;
    void (*node)(const rt_plan_instance *instance, size_t number);
    void (*edge)(const rt_plan *plan, size_t from, size_t to, const rt_plan_binding *binding);
};

static void no_node(const rt_plan_instance *instance, size_t number)
{
    (void)number;
    if (!instance->binding_count && instance->root)
        printf("%s\n", instance->name);
}

static void text_edge(const rt_plan *plan, size_t from, size_t to, const rt_plan_binding *binding)
{
    printf("%s → %s  %s/%u%s\n", plan->instances[from].name, plan->instances[to].name,
           binding->capability, binding->major, binding->optional ? " (optional)" : "");
}

static void dot_node(const rt_plan_instance *instance, size_t number)
{
    printf("  n%zu [label=\"%s\"%s%s];\n", number, instance->name,
           instance->root ? ", shape=box" : "", instance->development_only ? ", style=dashed" : "");
}

static void dot_edge(const rt_plan *plan, size_t from, size_t to, const rt_plan_binding *binding)
{
    (void)plan;
    printf("  n%zu -> n%zu [label=\"%s/%u\"%s];\n", from, to, binding->capability, binding->major,
           binding->optional ? ", style=dashed" : "");
}

static void mermaid_node(const rt_plan_instance *instance, size_t number)
{
    /* In quotes, because a bare `end` or `graph` is a word of Mermaid's own. */
    printf(instance->root ? "  n%zu[\"%s\"]%s\n" : "  n%zu(\"%s\")%s\n", number, instance->name,
           instance->development_only ? ":::development" : "");
}

static void mermaid_edge(const rt_plan *plan, size_t from, size_t to,
                         const rt_plan_binding *binding)
{
    (void)plan;
    printf("  n%zu %s|%s/%u| n%zu\n", from, binding->optional ? "-.->" : "-->", binding->capability,
           binding->major, to);
}

static const struct format formats[] = {
    {"text", "", "", no_node, text_edge},
    {"dot", "digraph plan {\n", "}\n", dot_node, dot_edge},
    {"mermaid", "graph LR\n  classDef development stroke-dasharray: 4\n", "", mermaid_node,
     mermaid_edge},
};

static void draw(const rt_plan *plan, const struct format *format)
{
    fputs(format->begin, stdout);
    for (size_t i = 0; i < plan->instance_count; i++)
        format->node(&plan->instances[i], i);
    for (size_t i = 0; i < plan->instance_count; i++)
        for (size_t b = 0; b < plan->instances[i].binding_count; b++) {
            const rt_plan_binding *binding = &plan->instances[i].bindings[b];
            for (size_t p = 0; p < binding->provider_count; p++)
                format->edge(plan, i, binding->providers[p], binding);
        }
    fputs(format->end, stdout);
}

static const struct format *find_format(const char *name)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    fprintf(stderr, "rtctl graph: unknown format `%s`, it is one of text, dot, mermaid\n", name);
    return NULL;
}

int rt_graph(const rt_subcommand *subcommand, rt_arena *arena, int argc, char **argv)
{
    const char *name = "text";
    int status;
    const rt_option_argument options[] = {
        {"--format", RT_ARGUMENT_TEXT, &name, "FORMAT", "text, dot or mermaid"},
    };
    rt_arguments arguments = {.options = options, .option_count = 1};
    if (!rt_subcommand_parse(subcommand, &arguments, arena, argc, argv, 0, &status))
        return status;
    const struct format *format = find_format(name);
    rt_composition *composition = format ? rt_subcommand_compose(&arguments, arena) : NULL;
    if (!composition)
        return EXIT_COULD_NOT_RUN;
    if (rt_subcommand_has_plan(composition))
        draw(composition->plan, format);
    status = rt_is_fit(composition) ? EXIT_VALID : EXIT_PROBLEMS;
    return status;
}
