/* Compilers put the notes of one file in orders of their own, and their order means nothing: what
 * people and the plan see is in the order of names. */
#include "manifest/parts.h"

#include <stdlib.h>
#include <string.h>

static int options_by_name(const void *a, const void *b)
{
    return strcmp(((const rt_option_spec *)a)->name, ((const rt_option_spec *)b)->name);
}

static int provides_by_capability(const void *a, const void *b)
{
    const rt_provides *left = a, *right = b;
    int order = strcmp(left->capability, right->capability);
    return order ? order : (left->major > right->major) - (left->major < right->major);
}

static int requires_by_capability(const void *a, const void *b)
{
    return strcmp(((const rt_requires *)a)->capability, ((const rt_requires *)b)->capability);
}

static int events_by_topic(const void *a, const void *b)
{
    const rt_event *left = a, *right = b;
    int order = strcmp(left->topic, right->topic);
    return order ? order : (left->version > right->version) - (left->version < right->version);
}

static int conditions_by_path(const void *a, const void *b)
{
    const rt_manifest_condition *left = a, *right = b;
    int order = strcmp(left->path, right->path);
    order = order ? order : strcmp(left->equals, right->equals);
    return order ? order : left->process_local - right->process_local;
}

void rt_manifest_sort(rt_manifest *manifest)
{
    const struct {
        void *items;
        size_t count, size;
        int (*order)(const void *, const void *);
    } lists[] = {
        {manifest->options, manifest->option_count, sizeof(rt_option_spec), options_by_name},
        {manifest->provides, manifest->provides_count, sizeof(rt_provides), provides_by_capability},
        {manifest->requires, manifest->requires_count, sizeof(rt_requires), requires_by_capability},
        {manifest->publishes, manifest->publishes_count, sizeof(rt_event), events_by_topic},
        {manifest->handles, manifest->handles_count, sizeof(rt_event), events_by_topic},
        {manifest->conditions, manifest->condition_count, sizeof(rt_manifest_condition),
         conditions_by_path},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (lists[i].count > 1)
            qsort(lists[i].items, lists[i].count, lists[i].size, lists[i].order);
}
