/* Values that go along with a context: few, so a list is looked through. */
#include "fiber/internal.h"

static rt_context_entry *find(rt_context_entry *from, const rt_context_entry *end, const void *key)
{
    while (from != end && from->key != key)
        from = from->older;
    return from == end ? NULL : from;
}

void *rt_host_context_value(const rt_ctx *ctx, const void *key)
{
    const rt_context_entry *entry = find(rt_unit_of(ctx)->values, NULL, key);
    return entry ? entry->value : NULL;
}

int rt_host_set_context_value(rt_ctx *ctx, const void *key, void *value)
{
    rt_unit *unit = rt_unit_of(ctx);
    rt_context_entry *entry = find(unit->values, unit->inherited, key);
    if (!entry) {
        entry = rt_host_alloc(ctx, sizeof *entry);
        *entry = (rt_context_entry){.older = unit->values, .key = key};
        unit->values = entry;
    }
    entry->value = value;
    return 0;
}
