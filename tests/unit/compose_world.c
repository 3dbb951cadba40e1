/* Random deployments, dense enough that most have something to decide. */
#include "compose_world.h"

#include <stdio.h>
#include <string.h>

/* splitmix64 */
uint32_t random_below(uint64_t *state, uint32_t limit)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32) % limit;
}

static bool chance(uint64_t *state, uint32_t percent)
{
    return random_below(state, 100) < percent;
}

static bool offers(const struct module *module, int capability, uint32_t major)
{
    for (int i = 0; i < module->offer_count; i++)
        if (module->offers[i].capability == capability && module->offers[i].major == major)
            return true;
    return false;
}

static void make_offers(struct module *module, uint64_t *state)
{
    int count = (int)random_below(state, MOST_OFFERS + 1);
    for (int i = 0; i < count; i++) {
        struct offer offer = {.capability = (int)random_below(state, CAPABILITIES),
                              .major = chance(state, 8) ? 2 : 1,
                              .tier = (rt_tier)random_below(state, 3),
                              .priority = 10 * (int)random_below(state, 3),
                              .development_only = chance(state, 15),
                              .process_local = chance(state, 10)};
        if (!offers(module, offer.capability, offer.major))
            module->offers[module->offer_count++] = offer;
    }
}

static void make_needs(struct module *module, uint32_t optional, uint64_t *state)
{
    int first = (int)random_below(state, CAPABILITIES);
    int count = (int)random_below(state, MOST_NEEDS + 1);
    for (int i = 0; i < count; i++)
        module->needs[module->need_count++] =
            (struct need){.capability = (first + i) % CAPABILITIES,
                          .major = chance(state, 10) ? 2 : 1,
                          .optional = chance(state, optional)};
}

static void make_module(struct world *world, uint32_t optional, uint64_t *state)
{
    int index = world->module_count++;
    struct module *module = &world->modules[index];
    snprintf(module->name, sizeof module->name, "%c%d", 'a' + (int)random_below(state, 6), index);
    make_offers(module, state);
    make_needs(module, optional, state);
    module->serves = chance(state, 35);
    module->enabled_in = chance(state, 10) ? 1 + random_below(state, 14) : 0;
    module->development_only = chance(state, 8);
    module->process_local = chance(state, 8);
    module->condition = chance(state, 15) ? (enum condition)(1 + random_below(state, 2)) : 0;
}

/* Any unit, mostly one that offers the capability. */
static int make_name(const struct world *world, int capability, uint64_t *state)
{
    if (chance(state, 8))
        return UNKNOWN_UNIT;
    int name = (int)random_below(state, (uint32_t)world->unit_count);
    for (int i = 0; i < world->unit_count && chance(state, 98); i++) {
        int other = (name + i) % world->unit_count;
        if (offers(&world->modules[world->units[other].module], capability, 1))
            return other;
    }
    return name;
}

static struct choice make_choice(const struct world *world, int capability, uint64_t *state)
{
    struct choice choice = {.capability = capability};
    choice.list = world->many[capability] ? chance(state, 70) : chance(state, 8);
    choice.count = choice.list ? (int)random_below(state, MOST_NAMES + 1) : 1;
    for (int i = 0; i < choice.count; i++)
        choice.names[i] = make_name(world, capability, state);
    return choice;
}

static void make_unit(struct world *world, int module, bool instance, uint64_t *state)
{
    int index = world->unit_count++;
    struct unit *unit = &world->units[index];
    unit->module = module;
    unit->instance = instance;
    unit->group = instance || chance(state, 55);
    unit->disabled = unit->group && chance(state, 10);
    unit->memory = unit->group && world->modules[module].condition && chance(state, 50);
    if (instance)
        snprintf(unit->name, sizeof unit->name, "%c%d", 'a' + (int)random_below(state, 6), index);
    else
        memcpy(unit->name, world->modules[module].name, sizeof unit->name);
}

static void make_uses(struct world *world, struct unit *unit, uint64_t *state)
{
    const struct module *module = &world->modules[unit->module];
    if (!unit->group || !chance(state, 35))
        return;
    int first = (int)random_below(state, CAPABILITIES);
    if (module->need_count && chance(state, 92))
        first = module->needs[random_below(state, (uint32_t)module->need_count)].capability;
    unit->uses[unit->use_count++] = make_choice(world, first, state);
    if (chance(state, 5))
        unit->uses[unit->use_count++] = make_choice(world, (first + 1) % CAPABILITIES, state);
}

static void make_names(struct world *world, uint64_t *state)
{
    int first = (int)random_below(state, CAPABILITIES);
    for (int i = 0; i < world->unit_count; i++)
        make_uses(world, &world->units[i], state);
    world->bind_count = chance(state, 40) ? 1 + (int)random_below(state, 2) : 0;
    for (int i = 0; i < world->bind_count; i++)
        world->binds[i] = make_choice(world, (first + i) % CAPABILITIES, state);
    world->load_set = chance(state, 25);
    world->load_count = world->load_set ? (int)random_below(state, MOST_NAMES + 1) : 0;
    for (int i = 0; i < world->load_count; i++)
        world->loads[i] =
            chance(state, 5) ? UNKNOWN_UNIT : (int)random_below(state, (uint32_t)world->unit_count);
    for (int i = 0; i < world->unit_count; i++)
        world->acknowledged[i] = chance(state, 12);
}

void world_make(struct world *world, uint64_t seed)
{
    uint64_t state = seed;
    *world = (struct world){.environment = (rt_environment)random_below(&state, 4)};
    world->workers = 1 + (int)random_below(&state, 3);
    for (int i = 0; i < CAPABILITIES; i++)
        world->many[i] = chance(&state, 40);
    uint32_t optional = chance(&state, 50) ? 20 : 75; /* percent: some shall be without errors */
    for (int count = 2 + (int)random_below(&state, MOST_MODULES - 1); count; count--)
        make_module(world, optional, &state);
    for (int i = 0; i < world->module_count; i++)
        make_unit(world, i, false, &state);
    for (uint32_t count = random_below(&state, MOST_UNITS - MOST_MODULES + 1); count; count--)
        make_unit(world, (int)random_below(&state, (uint32_t)world->module_count), true, &state);
    make_names(world, &state);
}
