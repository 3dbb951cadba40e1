/* Slices: whether two modules keep one of a name in the same database. */
#include "compose/internal.h"

#include <string.h>

/* The instance that serves its sql/1, by candidate index; -1: none, which is an error already. */
static int64_t database_of(const rt_candidate *candidate)
{
    for (size_t i = 0; i < candidate->manifest->requires_count; i++) {
        const rt_plan_binding *binding = &candidate->bindings[i];
        if (strcmp(candidate->manifest->requires[i].capability, "sql") == 0)
            return binding->provider_count ? (int64_t)binding->providers[0] : -1;
    }
    return -1;
}

/* Two instances of one module have the same migrations, so they may share them. */
static bool collide(const rt_candidate *left, const rt_candidate *right)
{
    return left->manifest != right->manifest && left->manifest->slice && right->manifest->slice &&
           strcmp(left->manifest->slice, right->manifest->slice) == 0 &&
           database_of(left) == database_of(right);
}

void rt_slices_judge(rt_composer *composer)
{
    for (size_t i = 0; i < composer->order_count; i++) {
        const rt_candidate *candidate = composer->order[i];
        int64_t database = candidate->manifest->slice ? database_of(candidate) : -1;
        for (size_t k = 0; database >= 0 && k < i; k++) {
            const rt_candidate *other = composer->order[k];
            if (!collide(other, candidate))
                continue;
            rt_diagnostic *diagnostic = RT_DIAGNOSE(
                composer->diagnostics, SLICE_TWICE, PLACE_OF(candidate), other->name,
                candidate->name, candidate->manifest->slice, composer->candidates[database]->name);
            rt_help(diagnostic, "`%s: { use: { sql = \"…\"; }; };` binds it to another database",
                    candidate->name);
        }
    }
}
