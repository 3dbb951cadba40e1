/* The host's composition against the model, on many random deployments. */
#include "compose/internal.h"
#include "compose_world.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define DEPLOYMENTS 20000
#define SHUFFLED 4000

/* --- a world as manifests and settings ------------------------------------------------------- */

struct build {
    const struct world *world;
    rt_arena *arena;
    uint64_t random; /* 0: everything in the order of the world */
};

static const char *capability_name(const struct build *build, int capability)
{
    return rt_arena_format(build->arena, "cap-%d", capability);
}

/* A permutation of 0 … count - 1. */
static int *shuffled(struct build *build, int count)
{
    int *order = rt_arena_alloc(build->arena, ((size_t)count + 1) * sizeof *order);
    for (int i = 0; i < count; i++)
        order[i] = i;
    for (int i = count - 1; build->random && i > 0; i--) {
        int other = (int)random_below(&build->random, (uint32_t)i + 1), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
    return order;
}

static void build_capabilities(struct build *build, const struct module *module,
                               rt_manifest *manifest)
{
    const int *order = shuffled(build, module->offer_count);
    for (int i = 0; i < module->offer_count; i++) {
        const struct offer *offer = &module->offers[order[i]];
        rt_push(build->arena, manifest->provides, manifest->provides_count) =
            (rt_provides){.capability = capability_name(build, offer->capability),
                          .major = offer->major,
                          .tier = offer->tier,
                          .priority = offer->priority,
                          .development_only = offer->development_only,
                          .process_local = offer->process_local,
                          .many = build->world->many[offer->capability]};
    }
    for (int i = 0; i < module->need_count; i++)
        rt_push(build->arena, manifest->requires, manifest->requires_count) =
            (rt_requires){.capability = capability_name(build, module->needs[i].capability),
                          .major = module->needs[i].major,
                          .optional = module->needs[i].optional,
                          .many = build->world->many[module->needs[i].capability]};
}

static rt_manifest *build_manifest(struct build *build, const struct module *module)
{
    rt_manifest *manifest = RT_NEW(build->arena, rt_manifest);
    *manifest = (rt_manifest){.file = rt_arena_format(build->arena, "no/%s.so", module->name),
                              .name = module->name,
                              .version = "1.0.0",
                              .summary = "",
                              .development_only = module->development_only,
                              .process_local = module->process_local,
                              .serves = module->serves ? RT_SERVES_ROUTES : 0,
                              .enabled_in = module->enabled_in};
    build_capabilities(build, module, manifest);
    if (module->condition) {
        bool by_default = module->condition == CONDITIONAL_BY_DEFAULT;
        rt_push(build->arena, manifest->options, manifest->option_count) =
            (rt_option_spec){.name = "mode",
                             .type = RT_SETTING_STRING,
                             .default_text = by_default ? "\":memory:\"" : NULL};
        rt_push(build->arena, manifest->conditions, manifest->condition_count) =
            (rt_manifest_condition){.path = "mode", .equals = ":memory:"};
    }
    return manifest;
}

static rt_node *add_node(const struct build *build, rt_node *group, const char *name,
                         rt_node_type type)
{
    rt_node *node = rt_node_new(build->arena, name, type);
    node->parent = group;
    *(group->last ? &group->last->next : &group->first) = node;
    group->last = node;
    group->count++;
    return node;
}

static void add_text(const struct build *build, rt_node *group, const char *name, const char *text)
{
    add_node(build, group, name, RT_NODE_STRING)->value.text = text;
}

static void add_flag(const struct build *build, rt_node *group, const char *name, bool value)
{
    add_node(build, group, name, RT_NODE_BOOL)->value.integer = value;
}

static const char *unit_name(const struct build *build, int unit)
{
    return unit == UNKNOWN_UNIT ? "nobody" : build->world->units[unit].name;
}

static void add_choice(const struct build *build, rt_node *group, const struct choice *choice)
{
    const char *capability = capability_name(build, choice->capability);
    if (!choice->list) {
        add_text(build, group, capability, unit_name(build, choice->names[0]));
        return;
    }
    rt_node *list = add_node(build, group, capability, RT_NODE_ARRAY);
    for (int i = 0; i < choice->count; i++)
        add_text(build, list, NULL, unit_name(build, choice->names[i]));
}

static void add_group(const struct build *build, rt_node *top, const struct unit *unit)
{
    const struct module *module = &build->world->modules[unit->module];
    rt_node *group = add_node(build, top, unit->name, RT_NODE_GROUP);
    if (unit->instance)
        add_text(build, group, "module", module->name);
    if (unit->disabled)
        add_flag(build, group, "enabled", false);
    if (module->condition)
        add_text(build, group, "mode", unit->memory ? ":memory:" : "file");
    rt_node *use = unit->use_count ? add_node(build, group, "use", RT_NODE_GROUP) : NULL;
    for (int i = 0; i < unit->use_count; i++)
        add_choice(build, use, &unit->uses[i]);
}

static rt_node *build_tree(struct build *build)
{
    const struct world *world = build->world;
    rt_node *top = rt_node_new(build->arena, "", RT_NODE_GROUP);
    const int *order = shuffled(build, world->unit_count);
    for (int i = 0; i < world->unit_count; i++)
        if (world->units[order[i]].group)
            add_group(build, top, &world->units[order[i]]);
    if (world->bind_count) {
        rt_node *bind = add_node(build, top, "bind", RT_NODE_GROUP);
        for (int i = 0; i < world->bind_count; i++)
            add_choice(build, bind, &world->binds[i]);
    }
    if (world->load_set) {
        rt_node *load = add_node(build, top, "load", RT_NODE_ARRAY);
        for (int i = 0; i < world->load_count; i++)
            add_text(build, load, NULL, unit_name(build, world->loads[i]));
    }
    rt_node *acknowledge = add_node(build, top, "acknowledge", RT_NODE_ARRAY);
    for (int i = 0; i < world->unit_count; i++)
        if (world->acknowledged[i])
            add_text(build, acknowledge, NULL, world->units[i].name);
    return top;
}

/* --- the host's stages, as compose.c runs them ----------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(rt_manifest *const *)a)->name, (*(rt_manifest *const *)b)->name);
}

static void acknowledge(rt_composer *composer, const struct world *world)
{
    for (int i = 0; i < world->unit_count; i++)
        if (world->acknowledged[i])
            rt_candidate_find(composer, world->units[i].name)->acknowledged = true;
}

/* True if the plan has an order. */
static bool run_host(rt_composer *composer, struct build *build)
{
    const struct world *world = build->world;
    static const rt_compose_request request = {0};
    composer->arena = build->arena;
    composer->request = &request;
    composer->result = RT_NEW(build->arena, rt_composition);
    composer->diagnostics = &composer->result->diagnostics;
    composer->main_folder = "";
    composer->environment = world->environment;
    composer->strict = world->environment >= RT_STAGING;
    rt_diagnostics_init(composer->diagnostics, build->arena);
    const int *order = shuffled(build, world->module_count);
    for (int i = 0; i < world->module_count; i++)
        rt_push(build->arena, composer->result->manifests, composer->result->manifest_count) =
            build_manifest(build, &world->modules[order[i]]);
    qsort(composer->result->manifests, composer->result->manifest_count, sizeof(rt_manifest *),
          by_name);
    composer->tree = build_tree(build);
    rt_candidates_make(composer, true);
    rt_host_settings_judge(composer);
    composer->host.workers = world->environment == RT_DEVELOPMENT ? 1 : world->workers;
    rt_candidates_configure(composer);
    acknowledge(composer, world);
    rt_resolve(composer);
    bool ordered = rt_order(composer);
    rt_policy_judge(composer);
    return ordered;
}

/* --- what the host found, in the model's words ----------------------------------------------- */

static const struct {
    enum rt_diagnostic_id id;
    enum problem problem;
} problems[] = {
    {RT_D_NO_PROVIDER, NO_PROVIDER},
    {RT_D_OTHER_VERSION, OTHER_VERSION},
    {RT_D_OPTIONAL_UNBOUND, OPTIONAL_UNBOUND},
    {RT_D_AMBIGUOUS, AMBIGUOUS},
    {RT_D_BOUND_UNKNOWN, BAD_NAME},
    {RT_D_BOUND_WRONG, BAD_NAME},
    {RT_D_BOUND_DISABLED, BAD_NAME},
    {RT_D_BOUND_MANY, LIST_FOR_ONE},
    {RT_D_BOUND_TWICE, NAMED_TWICE},
    {RT_D_UNKNOWN_ROOT, UNKNOWN_ROOT},
    {RT_D_UNKNOWN_CAPABILITY, UNKNOWN_CAPABILITY},
    {RT_D_USE_NOT_REQUIRED, USE_NOT_REQUIRED},
    {RT_D_PROCESS_LOCAL, PROCESS_LOCAL},
    {RT_D_DEVELOPMENT_ONLY, DEVELOPMENT_ONLY},
    {RT_D_TEST_TIER, TEST_TIER},
    {RT_D_ACKNOWLEDGED, ACKNOWLEDGED},
    {RT_D_ACKNOWLEDGES_NOTHING, ACKNOWLEDGES_NOTHING},
    {RT_D_FALLBACK_BY_OVERSIGHT, FALLBACK_BY_OVERSIGHT},
};
#define PROBLEM_ID_COUNT (sizeof problems / sizeof problems[0])

static int unit_of(const struct world *world, const rt_candidate *candidate)
{
    for (int unit = 0; unit < world->unit_count; unit++)
        if (strcmp(world->units[unit].name, candidate->name) == 0)
            return unit;
    return UNKNOWN_UNIT;
}

/* True if it is none that the model counts or that is information only. */
static bool is_foreign(const rt_diagnostic *diagnostic, struct outcome *outcome)
{
    for (size_t i = 0; i < PROBLEM_ID_COUNT; i++)
        if (problems[i].id == diagnostic->id) {
            outcome->problems[problems[i].problem]++;
            return false;
        }
    outcome->left_out |= diagnostic->id == RT_D_LEFT_OUT;
    return diagnostic->severity != RT_INFO && diagnostic->id != RT_D_CYCLE;
}

/* True if the message names a closed walk along bindings. */
static bool is_cycle(const rt_composer *composer, const char *message)
{
    const rt_candidate *first = NULL, *last = NULL;
    char name[16];
    for (const char *at = strchr(message, '`'); at; at = strchr(at + 1, '`')) {
        size_t length = strcspn(++at, "`");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        const rt_candidate *next = rt_candidate_find(composer, name);
        bool bound = !last;
        for (size_t r = 0; next && last && r < last->manifest->requires_count; r++)
            for (size_t k = 0; k < last->bindings[r].provider_count; k++)
                bound |= last->bindings[r].providers[k] == next->index;
        if (!next || !bound)
            return false;
        first = first ? first : next;
        last = next;
        at += length;
    }
    return first && first == last;
}

static void read_unit(const struct world *world, const rt_composer *composer,
                      const rt_candidate *candidate, struct outcome *outcome)
{
    int unit = unit_of(world, candidate);
    outcome->planned[unit] = candidate->planned;
    outcome->root[unit] = candidate->root;
    for (size_t r = 0; candidate->planned && r < candidate->manifest->requires_count; r++) {
        const rt_plan_binding *binding = &candidate->bindings[r];
        struct bound *bound = &outcome->bound[unit][r];
        for (size_t k = 0; k < binding->provider_count && bound->count < MOST_UNITS; k++)
            bound->units[bound->count++] =
                unit_of(world, composer->candidates[binding->providers[k]]);
    }
}

/* NULL, or what is wrong with the outcome itself. */
static const char *read_outcome(const struct world *world, const rt_composer *composer,
                                bool ordered, struct outcome *outcome)
{
    size_t cycles = 0;
    *outcome = (struct outcome){.cyclic = !ordered};
    for (size_t i = 0; i < composer->diagnostics->count; i++) {
        const rt_diagnostic *diagnostic = composer->diagnostics->items[i];
        if (is_foreign(diagnostic, outcome))
            return diagnostic->message;
        if (diagnostic->id == RT_D_CYCLE && !is_cycle(composer, diagnostic->message))
            return diagnostic->message;
        cycles += diagnostic->id == RT_D_CYCLE;
    }
    for (size_t i = 0; i < composer->candidate_count; i++)
        read_unit(world, composer, composer->candidates[i], outcome);
    for (size_t i = 0; ordered && i < composer->order_count; i++)
        outcome->order[outcome->order_count++] = unit_of(world, composer->order[i]);
    return (cycles != 0) == outcome->cyclic ? NULL : "a cycle without message, or a message alone";
}

/* --- comparing ------------------------------------------------------------------------------- */

static bool same_bindings(const struct world *world, const struct outcome *model,
                          const struct outcome *host)
{
    for (int unit = 0; unit < world->unit_count; unit++) {
        if (model->planned[unit] != host->planned[unit] || model->root[unit] != host->root[unit])
            return false;
        for (int i = 0; i < MOST_NEEDS; i++) {
            const struct bound *left = &model->bound[unit][i], *right = &host->bound[unit][i];
            if (left->count != right->count ||
                memcmp(left->units, right->units, (size_t)left->count * sizeof(int)) != 0)
                return false;
        }
    }
    return true;
}

static const char *difference(const struct world *world, const struct outcome *model,
                              const struct outcome *host)
{
    if (!same_bindings(world, model, host))
        return "another plan or other bindings";
    if (memcmp(model->problems, host->problems, sizeof model->problems) != 0)
        return "other problems";
    /* Among several equals one may be left out without any consequence. */
    if (model->left_out != host->left_out && !(host->left_out && model->problems[AMBIGUOUS]))
        return "others left out";
    if (model->cyclic != host->cyclic)
        return "a cycle for one of them";
    if (!model->cyclic &&
        (model->order_count != host->order_count ||
         memcmp(model->order, host->order, (size_t)host->order_count * sizeof(int)) != 0))
        return "another order";
    return NULL;
}

static void print_outcome(const struct world *world, const char *title,
                          const struct outcome *outcome)
{
    printf("%s:%s%s", title, outcome->cyclic ? " cyclic" : "",
           outcome->left_out ? " leaves out" : "");
    for (int i = 0; i < PROBLEM_COUNT; i++)
        printf(" %d", outcome->problems[i]);
    printf("\n  order:");
    for (int i = 0; !outcome->cyclic && i < outcome->order_count; i++)
        printf(" %s", world->units[outcome->order[i]].name);
    for (int unit = 0; unit < world->unit_count; unit++) {
        if (!outcome->planned[unit])
            continue;
        printf("\n  %s%s", world->units[unit].name, outcome->root[unit] ? ", a root" : "");
        for (int i = 0; i < world->modules[world->units[unit].module].need_count; i++) {
            printf(" [");
            for (int k = 0; k < outcome->bound[unit][i].count; k++)
                printf(" %s", world->units[outcome->bound[unit][i].units[k]].name);
            printf(" ]");
        }
    }
    printf("\n");
}

static void print_world(const struct world *world, const rt_composer *composer)
{
    static const char *const tiers[] = {"production", "fallback", "test"};
    printf("%s, %d workers\n", rt_environment_names[world->environment], world->workers);
    for (int m = 0; m < world->module_count; m++) {
        const struct module *module = &world->modules[m];
        printf("  %s%s%s:", module->name, module->serves ? " serves" : "",
               module->development_only ? " development-only" : "");
        for (int i = 0; i < module->offer_count; i++)
            printf(" offers %d/%u %s %d%s,", module->offers[i].capability, module->offers[i].major,
                   tiers[module->offers[i].tier], module->offers[i].priority,
                   module->offers[i].development_only ? " development-only" : "");
        for (int i = 0; i < module->need_count; i++)
            printf(" needs %d/%u%s%s,", module->needs[i].capability, module->needs[i].major,
                   module->needs[i].optional ? "?" : "",
                   world->many[module->needs[i].capability] ? " many" : "");
        printf("\n");
    }
    for (size_t i = 0; i < composer->diagnostics->count; i++)
        printf("  %s\n", composer->diagnostics->items[i]->message);
}

/* --- what was seen --------------------------------------------------------------------------- */

struct coverage {
    int problems[PROBLEM_COUNT];
    int plans, fit, cycles, sets, instances, left_out, by_name, environments[4];
};

static void cover(struct coverage *coverage, const struct world *world,
                  const struct outcome *outcome)
{
    for (int i = 0; i < PROBLEM_COUNT; i++)
        coverage->problems[i] += outcome->problems[i] != 0;
    static const enum problem harmless[] = {OPTIONAL_UNBOUND, ACKNOWLEDGED, ACKNOWLEDGES_NOTHING,
                                            FALLBACK_BY_OVERSIGHT};
    int found = 0;
    for (int i = 0; i < PROBLEM_COUNT; i++)
        found += outcome->problems[i];
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
        found -= outcome->problems[harmless[i]];
    coverage->fit += !found && outcome->order_count > 1;
    coverage->plans += outcome->order_count > 1;
    coverage->cycles += outcome->cyclic;
    coverage->left_out += outcome->left_out;
    coverage->environments[world->environment]++;
    for (int unit = 0; unit < world->unit_count; unit++) {
        coverage->instances += outcome->planned[unit] && world->units[unit].instance;
        coverage->by_name += outcome->planned[unit] && world->units[unit].use_count;
        for (int i = 0; i < MOST_NEEDS; i++)
            coverage->sets += outcome->bound[unit][i].count > 1;
    }
}

static void composition_agrees_with_the_model(void)
{
    struct coverage coverage = {.plans = 0};
    rt_arena arena;
    rt_arena_init(&arena);
    int differences = 0;
    for (uint64_t seed = 1; seed <= DEPLOYMENTS && differences < 3; seed++) {
        struct world world;
        struct outcome model, host;
        world_make(&world, seed);
        model_compose(&world, &model);
        struct build build = {.world = &world, .arena = &arena};
        rt_composer composer = {0};
        bool ordered = run_host(&composer, &build);
        const char *wrong = read_outcome(&world, &composer, ordered, &host);
        if (!wrong)
            wrong = difference(&world, &model, &host);
        if (wrong) {
            printf("\ndeployment %llu: %s\n", (unsigned long long)seed, wrong);
            print_world(&world, &composer);
            print_outcome(&world, "model", &model);
            print_outcome(&world, "host", &host);
            differences++;
        }
        cover(&coverage, &world, &model);
        rt_arena_reset(&arena);
    }
    rt_arena_free(&arena);
    CU_ASSERT_EQUAL(differences, 0);
    printf("\n    plans %d, fit %d, cycles %d, sets %d, instances %d, by name %d, left out %d; "
           "problems",
           coverage.plans, coverage.fit, coverage.cycles, coverage.sets, coverage.instances,
           coverage.by_name, coverage.left_out);
    for (int i = 0; i < PROBLEM_COUNT; i++) {
        printf(" %d", coverage.problems[i]);
        CU_ASSERT(coverage.problems[i] >= 100);
    }
    printf("\n");
    for (int i = 0; i < 4; i++)
        CU_ASSERT(coverage.environments[i] >= DEPLOYMENTS / 5);
    CU_ASSERT(coverage.plans >= DEPLOYMENTS / 5);
    CU_ASSERT(coverage.fit >= 500);
    CU_ASSERT(coverage.cycles >= 100);
    CU_ASSERT(coverage.sets >= 500);
    CU_ASSERT(coverage.instances >= 500);
    CU_ASSERT(coverage.by_name >= 500);
    CU_ASSERT(coverage.left_out >= 100);
}

/* --- determinism ----------------------------------------------------------------------------- */

/* All that `rtctl plan` and `rtctl validate` would say. */
static char *describe(rt_composer *composer, bool ordered)
{
    rt_buffer out = {0};
    rt_diagnostics_sort(composer->diagnostics);
    for (size_t i = 0; i < composer->diagnostics->count; i++)
        rt_diagnostic_print(&out, composer->diagnostics->items[i], false);
    for (size_t i = 0; ordered && i < composer->order_count; i++) {
        const rt_candidate *candidate = composer->order[i];
        rt_buffer_format(&out, "%s, for %s", candidate->name,
                         candidate->required_by ? candidate->required_by : "itself");
        for (size_t r = 0; r < candidate->manifest->requires_count; r++) {
            const rt_plan_binding *binding = &candidate->bindings[r];
            rt_buffer_format(&out, "\n  %s: %s", binding->capability, binding->reason);
            for (size_t k = 0; k < binding->provider_count; k++)
                rt_buffer_format(&out, " %s", composer->candidates[binding->providers[k]]->name);
        }
        rt_buffer_char(&out, '\n');
    }
    char *text = rt_arena_copy(composer->arena, out.data ? out.data : "");
    rt_buffer_free(&out);
    return text;
}

static void order_of_files_and_settings_changes_nothing(void)
{
    rt_arena arena;
    rt_arena_init(&arena);
    size_t said = 0, differences = 0;
    for (uint64_t seed = 1; seed <= SHUFFLED && differences < 3; seed++) {
        struct world world;
        world_make(&world, seed ^ UINT64_C(0x5eed) << 32);
        struct build plain = {.world = &world, .arena = &arena};
        rt_composer first = {0};
        const char *expected = describe(&first, run_host(&first, &plain));
        said += strlen(expected) > 100;
        for (uint64_t round = 1; round <= 3; round++) {
            struct build build = {.world = &world, .arena = &arena, .random = seed * 31 + round};
            rt_composer again = {0};
            const char *text = describe(&again, run_host(&again, &build));
            if (strcmp(text, expected) == 0)
                continue;
            printf("\ndeployment %llu:\n%s---\n%s", (unsigned long long)seed, expected, text);
            differences++;
        }
        rt_arena_reset(&arena);
    }
    rt_arena_free(&arena);
    CU_ASSERT_EQUAL(differences, 0);
    CU_ASSERT(said > SHUFFLED / 2);
}

RT_TEST_MAIN("compose_reference",
             {"composition agrees with the model on random deployments",
              composition_agrees_with_the_model},
             {"the order of files and settings changes nothing",
              order_of_files_and_settings_changes_nothing})
