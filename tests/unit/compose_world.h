/* compose_world.h — a deployment as plain numbers, and what must come of it
 *
 * world_make invents one, model_compose says what SPEC section 3 makes of it, in the most naive way
 * there is, and compose_reference_test.c asks the host the same.
 */
#ifndef RT_TEST_COMPOSE_WORLD_H
#define RT_TEST_COMPOSE_WORLD_H

#include "manifest/manifest.h"

#include <stdint.h>

#define CAPABILITIES 5
#define MOST_MODULES 8
#define MOST_UNITS 11 /* modules and instances */
#define MOST_OFFERS 2
#define MOST_NEEDS 3
#define MOST_NAMES 3
#define UNKNOWN_UNIT (-1)

struct offer {
    int capability;
    uint32_t major;
    rt_tier tier;
    int priority;
    bool development_only, process_local;
};

struct need {
    int capability;
    uint32_t major;
    bool optional;
};

/* The module is development-only while its option `mode` is ":memory:", which a group always says
 * or denies. */
enum condition { UNCONDITIONAL, CONDITIONAL, CONDITIONAL_BY_DEFAULT };

struct module {
    char name[8];
    struct offer offers[MOST_OFFERS];
    int offer_count;
    struct need needs[MOST_NEEDS];
    int need_count;
    bool serves, development_only, process_local;
    uint32_t enabled_in;
    enum condition condition;
};

/* One entry of `use` or `bind`. */
struct choice {
    int capability;
    bool list;
    int names[MOST_NAMES]; /* units, or UNKNOWN_UNIT */
    int count;
};

/* A module under its own name (the first units, by module) or an instance. */
struct unit {
    char name[8];
    int module;
    bool instance, group, disabled;
    bool memory; /* its group says `mode = ":memory:"` */
    struct choice uses[2];
    int use_count;
};

struct world {
    rt_environment environment;
    int workers;
    bool many[CAPABILITIES];
    struct module modules[MOST_MODULES];
    int module_count;
    struct unit units[MOST_UNITS];
    int unit_count;
    struct choice binds[2];
    int bind_count;
    bool load_set;
    int loads[MOST_NAMES];
    int load_count;
    bool acknowledged[MOST_UNITS];
};

enum problem {
    NO_PROVIDER,
    OTHER_VERSION,
    OPTIONAL_UNBOUND,
    AMBIGUOUS,
    BAD_NAME, /* unknown, of another capability, or disabled */
    LIST_FOR_ONE,
    NAMED_TWICE,
    UNKNOWN_ROOT,
    UNKNOWN_CAPABILITY,
    USE_NOT_REQUIRED,
    PROCESS_LOCAL,
    DEVELOPMENT_ONLY,
    TEST_TIER,
    ACKNOWLEDGED,
    ACKNOWLEDGES_NOTHING,
    FALLBACK_BY_OVERSIGHT,
    PROBLEM_COUNT
};

struct bound {
    int units[MOST_UNITS];
    int count;
};

struct outcome {
    bool planned[MOST_UNITS], root[MOST_UNITS];
    struct bound bound[MOST_UNITS][MOST_NEEDS];
    int problems[PROBLEM_COUNT];
    bool left_out; /* somebody development-only, of an optional requirement or a set */
    bool cyclic;
    int order[MOST_UNITS]; /* unless cyclic */
    int order_count;
};

uint32_t random_below(uint64_t *state, uint32_t limit);
void world_make(struct world *world, uint64_t seed);
void model_compose(const struct world *world, struct outcome *outcome);

#endif
