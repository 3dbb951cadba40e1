/* What SPEC section 3 makes of a world, written from its text: every question is answered by
 * looking at everything, nothing is sorted, indexed or remembered.
 *
 * Where the text is silent the model takes the side of the host: nobody is bound to itself but by
 * name; a module that offers several capabilities is ordered by its best tier and highest priority;
 * one that offers none comes last. */
#include "compose_world.h"

#include <string.h>

static const struct module *module_of(const struct world *world, int unit)
{
    return &world->modules[world->units[unit].module];
}

static const struct offer *offer_of(const struct world *world, int unit, const struct need *need)
{
    const struct module *module = module_of(world, unit);
    for (int i = 0; i < module->offer_count; i++)
        if (module->offers[i].capability == need->capability &&
            module->offers[i].major == need->major)
            return &module->offers[i];
    return NULL;
}

static bool is_strict(const struct world *world)
{
    return world->environment == RT_STAGING || world->environment == RT_PRODUCTION;
}

static bool condition_holds(const struct world *world, int unit)
{
    const struct module *module = module_of(world, unit);
    if (world->units[unit].group)
        return module->condition && world->units[unit].memory;
    return module->condition == CONDITIONAL_BY_DEFAULT;
}

/* As one who serves `offer`; as a module if that is NULL. */
static bool is_development_only(const struct world *world, int unit, const struct offer *offer)
{
    return module_of(world, unit)->development_only || condition_holds(world, unit) ||
           (offer && (offer->development_only || offer->tier == RT_TIER_TEST));
}

/* --- roots ----------------------------------------------------------------------------------- */

static bool is_loaded(const struct world *world, int unit)
{
    for (int i = 0; i < world->load_count; i++)
        if (world->loads[i] == unit)
            return true;
    return false;
}

static bool is_root(const struct world *world, int unit)
{
    const struct module *module = module_of(world, unit);
    if (world->units[unit].disabled)
        return false;
    if (world->load_set)
        return is_loaded(world, unit);
    return module->serves && (!module->enabled_in || module->enabled_in & 1u << world->environment);
}

/* --- one requirement ------------------------------------------------------------------------- */

struct question {
    const struct world *world;
    int consumer;
    const struct need *need;
    bool many;
    bool admit_all; /* do not leave development-only ones out */
    int *problems;
};

static bool is_admitted(const struct question *question, int unit, const struct offer *offer)
{
    const struct world *world = question->world;
    if (question->admit_all || !is_strict(world) || !(question->need->optional || question->many))
        return true;
    if (!is_development_only(world, unit, offer))
        return true;
    return world->acknowledged[unit] && offer->tier != RT_TIER_TEST;
}

static bool is_eligible(const struct question *question, int unit, rt_tier tier)
{
    const struct unit *candidate = &question->world->units[unit];
    const struct offer *offer = offer_of(question->world, unit, question->need);
    if (!offer || offer->tier != tier || candidate->instance || candidate->disabled)
        return false;
    if (unit == question->consumer || (tier == RT_TIER_PRODUCTION && !candidate->group))
        return false;
    return is_admitted(question, unit, offer);
}

/* Is `a` before `b` among providers of one tier? */
static bool is_better(const struct question *question, int a, int b)
{
    int left = offer_of(question->world, a, question->need)->priority;
    int right = offer_of(question->world, b, question->need)->priority;
    if (left != right)
        return left > right;
    return strcmp(question->world->units[a].name, question->world->units[b].name) < 0;
}

/* All of a tier, the best first. */
static struct bound all_of(const struct question *question, rt_tier tier)
{
    struct bound found = {.count = 0};
    for (int unit = 0; unit < question->world->unit_count; unit++) {
        int rank = 0;
        if (!is_eligible(question, unit, tier))
            continue;
        found.count++;
        for (int other = 0; other < question->world->unit_count; other++)
            rank += other != unit && is_eligible(question, other, tier) &&
                    is_better(question, other, unit);
        found.units[rank] = unit;
    }
    return found;
}

static struct bound best_of(const struct question *question, rt_tier tier)
{
    struct bound found = all_of(question, tier);
    if (found.count < 2)
        return found;
    int first = offer_of(question->world, found.units[0], question->need)->priority;
    int second = offer_of(question->world, found.units[1], question->need)->priority;
    question->problems[AMBIGUOUS] += first == second;
    found.count = 1;
    return found;
}

static struct bound by_tier(const struct question *question)
{
    struct bound (*take)(const struct question *, rt_tier) = question->many ? all_of : best_of;
    struct bound found = {.count = 0};
    if (question->world->environment == RT_TEST)
        found = take(question, RT_TIER_TEST);
    if (!found.count)
        found = take(question, RT_TIER_PRODUCTION);
    if (!found.count)
        found = best_of(question, RT_TIER_FALLBACK);
    return found;
}

static const struct choice *choice_of(const struct choice *choices, int count, int capability)
{
    for (int i = 0; i < count; i++)
        if (choices[i].capability == capability)
            return &choices[i];
    return NULL;
}

static const struct choice *named(const struct question *question)
{
    const struct world *world = question->world;
    const struct unit *consumer = &world->units[question->consumer];
    int capability = question->need->capability;
    const struct choice *choice = choice_of(consumer->uses, consumer->use_count, capability);
    return choice ? choice : choice_of(world->binds, world->bind_count, capability);
}

static bool is_among(const struct bound *bound, int unit)
{
    for (int i = 0; i < bound->count; i++)
        if (bound->units[i] == unit)
            return true;
    return false;
}

static struct bound by_name(const struct question *question, const struct choice *choice)
{
    struct bound found = {.count = 0};
    if (choice->list && !question->many) {
        question->problems[LIST_FOR_ONE]++;
        return found;
    }
    for (int i = 0; i < choice->count; i++) {
        int unit = choice->names[i];
        if (unit == UNKNOWN_UNIT || !offer_of(question->world, unit, question->need) ||
            question->world->units[unit].disabled)
            question->problems[BAD_NAME]++;
        else if (is_among(&found, unit))
            question->problems[NAMED_TWICE]++;
        else
            found.units[found.count++] = unit;
    }
    if (!choice->count && !question->need->optional)
        question->problems[NO_PROVIDER]++;
    return found;
}

static bool is_offered_in_other_majors_only(const struct question *question)
{
    bool offered = false;
    for (int unit = 0; unit < question->world->unit_count; unit++) {
        const struct module *module = module_of(question->world, unit);
        for (int i = 0; i < module->offer_count; i++)
            offered |= module->offers[i].capability == question->need->capability;
        if (offer_of(question->world, unit, question->need))
            return false;
    }
    return offered;
}

static struct bound answer(const struct question *question)
{
    const struct choice *choice = named(question);
    if (choice)
        return by_name(question, choice);
    struct bound found = by_tier(question);
    if (found.count)
        return found;
    if (question->need->optional)
        question->problems[OPTIONAL_UNBOUND]++;
    else if (is_offered_in_other_majors_only(question))
        question->problems[OTHER_VERSION]++;
    else
        question->problems[NO_PROVIDER]++;
    return found;
}

static bool leaves_out(struct question question)
{
    int without[PROBLEM_COUNT] = {0}, with[PROBLEM_COUNT] = {0};
    question.problems = without;
    struct bound found = answer(&question);
    question.admit_all = true;
    question.problems = with;
    struct bound all = answer(&question);
    return found.count != all.count || memcmp(without, with, sizeof with) != 0 ||
           memcmp(found.units, all.units, (size_t)all.count * sizeof all.units[0]) != 0;
}

/* --- the plan -------------------------------------------------------------------------------- */

static void bind_needs(const struct world *world, int unit, struct outcome *outcome)
{
    const struct module *module = module_of(world, unit);
    for (int i = 0; i < module->need_count; i++) {
        struct question question = {.world = world,
                                    .consumer = unit,
                                    .need = &module->needs[i],
                                    .many = world->many[module->needs[i].capability],
                                    .problems = outcome->problems};
        outcome->bound[unit][i] = answer(&question);
        outcome->left_out |= leaves_out(question);
        for (int k = 0; k < outcome->bound[unit][i].count; k++)
            outcome->planned[outcome->bound[unit][i].units[k]] = true;
    }
}

static void plan(const struct world *world, struct outcome *outcome)
{
    bool done[MOST_UNITS] = {false}, again = true;
    for (int unit = 0; unit < world->unit_count; unit++)
        outcome->planned[unit] = outcome->root[unit] = is_root(world, unit);
    while (again) {
        again = false;
        for (int unit = 0; unit < world->unit_count; unit++) {
            if (!outcome->planned[unit] || done[unit])
                continue;
            done[unit] = again = true;
            bind_needs(world, unit, outcome);
        }
    }
}

static void judge_names(const struct world *world, struct outcome *outcome)
{
    for (int i = 0; world->load_set && i < world->load_count; i++) {
        outcome->problems[UNKNOWN_ROOT] += world->loads[i] == UNKNOWN_UNIT;
        outcome->problems[BAD_NAME] +=
            world->loads[i] != UNKNOWN_UNIT && world->units[world->loads[i]].disabled;
    }
    for (int unit = 0; unit < world->unit_count; unit++)
        for (int i = 0; i < world->units[unit].use_count; i++) {
            const struct module *module = module_of(world, unit);
            bool required = false;
            for (int k = 0; k < module->need_count; k++)
                required |= module->needs[k].capability == world->units[unit].uses[i].capability;
            outcome->problems[USE_NOT_REQUIRED] += !required;
        }
}

static void judge_binds(const struct world *world, struct outcome *outcome)
{
    for (int i = 0; i < world->bind_count; i++) {
        bool known = false;
        for (int m = 0; m < world->module_count; m++) {
            const struct module *module = &world->modules[m];
            for (int k = 0; k < module->offer_count; k++)
                known |= module->offers[k].capability == world->binds[i].capability;
            for (int k = 0; k < module->need_count; k++)
                known |= module->needs[k].capability == world->binds[i].capability;
        }
        outcome->problems[UNKNOWN_CAPABILITY] += !known;
    }
}

/* --- order ----------------------------------------------------------------------------------- */

static int tier_of(const struct module *module)
{
    int best = RT_TIER_TEST + 1;
    for (int i = 0; i < module->offer_count; i++)
        if ((int)module->offers[i].tier < best)
            best = (int)module->offers[i].tier;
    return best;
}

static int priority_of(const struct module *module)
{
    int best = -1;
    for (int i = 0; i < module->offer_count; i++)
        if (module->offers[i].priority > best)
            best = module->offers[i].priority;
    return best;
}

static bool comes_before(const struct world *world, int a, int b)
{
    const struct module *left = module_of(world, a), *right = module_of(world, b);
    if (tier_of(left) != tier_of(right))
        return tier_of(left) < tier_of(right);
    if (priority_of(left) != priority_of(right))
        return priority_of(left) > priority_of(right);
    return strcmp(world->units[a].name, world->units[b].name) < 0;
}

static bool is_ready(const struct world *world, const struct outcome *outcome, int unit,
                     const bool *placed)
{
    for (int i = 0; i < module_of(world, unit)->need_count; i++)
        for (int k = 0; k < outcome->bound[unit][i].count; k++)
            if (!placed[outcome->bound[unit][i].units[k]])
                return false;
    return true;
}

static void order(const struct world *world, struct outcome *outcome)
{
    bool placed[MOST_UNITS] = {false};
    int planned = 0;
    for (int unit = 0; unit < world->unit_count; unit++)
        planned += outcome->planned[unit];
    for (;;) {
        int next = UNKNOWN_UNIT;
        for (int unit = 0; unit < world->unit_count; unit++)
            if (outcome->planned[unit] && !placed[unit] && is_ready(world, outcome, unit, placed) &&
                (next == UNKNOWN_UNIT || comes_before(world, unit, next)))
                next = unit;
        if (next == UNKNOWN_UNIT)
            break;
        placed[next] = true;
        outcome->order[outcome->order_count++] = next;
    }
    outcome->cyclic = outcome->order_count < planned;
}

/* --- policy ---------------------------------------------------------------------------------- */

/* What a unit is in the plan for. */
struct service {
    bool test_tier, development_only, process_local;
};

static struct service service_of(const struct world *world, const struct outcome *outcome, int unit)
{
    struct service service = {.development_only = is_development_only(world, unit, NULL),
                              .process_local = module_of(world, unit)->process_local};
    for (int consumer = 0; consumer < world->unit_count; consumer++)
        for (int i = 0; i < module_of(world, consumer)->need_count; i++) {
            if (!is_among(&outcome->bound[consumer][i], unit))
                continue;
            const struct offer *offer =
                offer_of(world, unit, &module_of(world, consumer)->needs[i]);
            service.test_tier |= offer->tier == RT_TIER_TEST;
            service.process_local |= offer->process_local;
            service.development_only |= is_development_only(world, unit, offer);
        }
    return service;
}

static void judge_unit(const struct world *world, struct outcome *outcome, int unit)
{
    struct service service = {false, false, false};
    if (outcome->planned[unit])
        service = service_of(world, outcome, unit);
    if (service.process_local && world->workers > 1 && world->environment != RT_DEVELOPMENT)
        outcome->problems[PROCESS_LOCAL]++;
    if (!is_strict(world))
        return;
    if (service.test_tier)
        outcome->problems[TEST_TIER]++;
    else if (service.development_only)
        outcome->problems[world->acknowledged[unit] ? ACKNOWLEDGED : DEVELOPMENT_ONLY]++;
    if (world->acknowledged[unit] && (service.test_tier || !service.development_only))
        outcome->problems[ACKNOWLEDGES_NOTHING]++;
}

/* Is there a production provider that settings would bring? What they may also say does
 * not count. */
static bool has_alternative(const struct world *world, const struct need *need)
{
    for (int unit = 0; unit < world->unit_count; unit++) {
        const struct offer *offer = offer_of(world, unit, need);
        if (offer && offer->tier == RT_TIER_PRODUCTION && !world->units[unit].instance &&
            !module_of(world, unit)->development_only && !offer->development_only)
            return true;
    }
    return false;
}

static bool is_named(const struct world *world, const struct outcome *outcome, int unit)
{
    if (world->load_set && is_loaded(world, unit))
        return true;
    for (int consumer = 0; consumer < world->unit_count; consumer++)
        for (int i = 0; i < module_of(world, consumer)->need_count; i++) {
            struct question question = {.world = world,
                                        .consumer = consumer,
                                        .need = &module_of(world, consumer)->needs[i]};
            if (named(&question) && is_among(&outcome->bound[consumer][i], unit))
                return true;
        }
    return false;
}

/* One warning for each fallback and capability, however many rely on it. */
static void judge_fallback(const struct world *world, struct outcome *outcome, int unit)
{
    const struct module *module = module_of(world, unit);
    if (!is_strict(world) || !outcome->planned[unit] || world->units[unit].group ||
        is_named(world, outcome, unit))
        return;
    for (int o = 0; o < module->offer_count; o++) {
        const struct offer *offer = &module->offers[o];
        struct need need = {.capability = offer->capability, .major = offer->major};
        bool bound = false;
        for (int consumer = 0; consumer < world->unit_count; consumer++)
            for (int i = 0; i < module_of(world, consumer)->need_count; i++)
                bound |= is_among(&outcome->bound[consumer][i], unit) &&
                         offer_of(world, unit, &module_of(world, consumer)->needs[i]) == offer;
        if (bound && offer->tier == RT_TIER_FALLBACK && !is_development_only(world, unit, offer) &&
            has_alternative(world, &need))
            outcome->problems[FALLBACK_BY_OVERSIGHT]++;
    }
}

void model_compose(const struct world *world, struct outcome *outcome)
{
    *outcome = (struct outcome){.cyclic = false};
    plan(world, outcome);
    judge_names(world, outcome);
    judge_binds(world, outcome);
    order(world, outcome);
    for (int unit = 0; unit < world->unit_count; unit++) {
        judge_unit(world, outcome, unit);
        judge_fallback(world, outcome, unit);
    }
}
