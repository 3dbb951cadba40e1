#include "telemetry/metric_view.h"

#include <stdio.h>
#include <stdlib.h>

#define TABLE_LEAST 1024u
#define ADDED_LABELS 96u /* bytes of `rt.worker` and `rt.generation` */

/* What one room adds. */
struct adding {
    rt_metric_view *view;
    const rt_metric_source *source;
    char added[ADDED_LABELS];
    size_t added_length;
};

rt_metric_view *rt_metric_view_new(void)
{
    rt_metric_view *view = rt_xcalloc(1, sizeof *view);
    rt_arena_init(&view->arena);
    view->table_size = TABLE_LEAST;
    view->table = rt_xcalloc(view->table_size, sizeof(void *));
    return view;
}

void rt_metric_view_free(rt_metric_view *view)
{
    for (rt_metric_family *family = view->first; family; family = family->next)
        free(family->points);
    rt_arena_free(&view->arena);
    free(view->table);
    free(view->copy);
    free(view);
}

/* --- families -------------------------------------------------------------------------------- */

static bool is_same(rt_str one, rt_str other)
{
    return one.length == other.length &&
           (!one.length || memcmp(one.data, other.data, one.length) == 0);
}

static rt_str keep(rt_metric_view *view, rt_str text)
{
    return (rt_str){rt_arena_copy_n(&view->arena, text.data, text.length), text.length};
}

static rt_metric_family *new_family(rt_metric_view *view, const rt_room_instrument *found)
{
    rt_metric_family *family = RT_NEW(&view->arena, rt_metric_family);
    size_t bytes = found->bound_count * sizeof(double);
    double *bounds = rt_arena_alloc(&view->arena, bytes + sizeof(double));
    memcpy(bounds, found->bounds, bytes);
    *family = (rt_metric_family){.name = keep(view, found->name),
                                 .unit = keep(view, found->unit),
                                 .help = keep(view, found->help),
                                 .kind = found->kind,
                                 .aggregate = found->aggregate,
                                 .bounds = bounds,
                                 .bound_count = found->bound_count,
                                 .next = view->first};
    view->family_count++;
    return view->first = family;
}

/* Where rooms disagree about what a name is, there are two of it. */
static void add_instrument(void *argument, rt_room_instrument *found)
{
    struct adding *adding = argument;
    rt_metric_family *family = adding->view->first;
    while (family && !(family->kind == found->kind && is_same(family->name, found->name)))
        family = family->next;
    if (!family)
        family = new_family(adding->view, found);
    found->owner = family;
}

/* --- points ---------------------------------------------------------------------------------- */

static uint64_t hash_of(const rt_metric_family *family, rt_str labels)
{
    uint64_t hash = (uint64_t)(uintptr_t)family * UINT64_C(0x9e3779b97f4a7c15), word;
    for (; labels.length >= sizeof word; labels.data += sizeof word, labels.length -= sizeof word) {
        memcpy(&word, labels.data, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    for (uint64_t i = 0; i < labels.length; i++)
        hash = (hash ^ (unsigned char)labels.data[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

static rt_metric_point **place_of(const rt_metric_view *view, const rt_metric_family *family,
                                  uint64_t hash, rt_str labels)
{
    size_t mask = view->table_size - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        const rt_metric_point *point = view->table[i];
        if (!point ||
            (point->hash == hash && point->family == family && is_same(point->labels, labels)))
            return &view->table[i];
    }
}

static void grow(rt_metric_view *view)
{
    rt_metric_point **old = view->table;
    size_t size = view->table_size;
    view->table_size *= 2;
    view->table = rt_xcalloc(view->table_size, sizeof(void *));
    for (size_t i = 0; i < size; i++)
        if (old[i])
            *place_of(view, old[i]->family, old[i]->hash, old[i]->labels) = old[i];
    free(old);
}

static void append(rt_metric_family *family, rt_metric_point *point)
{
    size_t count = family->point_count;
    if ((count & (count - 1)) == 0) /* as many as there was room for */
        family->points = rt_xrealloc(family->points, (count ? 2 * count : 1) * sizeof(void *));
    family->points[family->point_count++] = point;
}

/* Its values are zero, a gauge's no number. */
static rt_metric_point *point_of(rt_metric_view *view, rt_metric_family *family, rt_str labels)
{
    uint64_t hash = hash_of(family, labels);
    rt_metric_point **place = place_of(view, family, hash, labels);
    if (*place)
        return *place;
    if (2 * (view->point_count + 1) > view->table_size) {
        grow(view);
        place = place_of(view, family, hash, labels);
    }
    rt_metric_point *point = RT_NEW(&view->arena, rt_metric_point);
    uint32_t count = rt_value_count(family->kind, family->bound_count);
    uint64_t *values = rt_arena_alloc(&view->arena, count * sizeof *values);
    if (family->kind == RT_GAUGE)
        *values = rt_real_bits(__builtin_nan(""));
    *point = (rt_metric_point){family, hash, keep(view, labels), values};
    view->point_count++;
    append(family, point);
    return *place = point;
}

/* --- values ---------------------------------------------------------------------------------- */

static void add_real(uint64_t *value, uint64_t bits)
{
    double more = rt_bits_real(bits);
    if (more >= -__DBL_MAX__ && more <= __DBL_MAX__)
        *value = rt_real_bits(rt_bits_real(*value) + more);
}

/* An older configuration may have had other bounds: a bucket then counts where its upper bound
 * does, which loses nothing and never goes back. */
static void add_buckets(const rt_metric_point *point, const rt_room_instrument *from,
                        const uint64_t *buckets)
{
    const rt_metric_family *family = point->family;
    uint32_t into = 0;
    for (uint32_t i = 0; i <= from->bound_count; i++) {
        while (into < family->bound_count &&
               (i == from->bound_count || from->bounds[i] > family->bounds[into]))
            into++;
        point->values[1 + into] += buckets[i];
    }
}

static void add_gauge(const rt_metric_point *point, double value)
{
    double present = rt_bits_real(*point->values);
    if (__builtin_isnan(present) || point->family->aggregate == RT_EACH)
        present = value;
    else if (point->family->aggregate == RT_MAX)
        present = value > present ? value : present;
    else
        present += value;
    *point->values = rt_real_bits(present);
}

static void add_values(const rt_metric_point *point, const rt_room_instrument *from,
                       const uint64_t *values)
{
    switch (from->kind) {
    case RT_COUNTER:
        *point->values += *values;
        break;
    case RT_GAUGE:
        add_gauge(point, rt_bits_real(*values));
        break;
    case RT_HISTOGRAM:
        add_buckets(point, from, values + 1);
        __attribute__((fallthrough));
    default:
        add_real(point->values, *values);
    }
}

static void add_series(void *argument, const rt_room_instrument *from, const rt_room_series *series)
{
    const struct adding *adding = argument;
    rt_metric_family *family = from->owner;
    char labels[RT_LABELS_ROOM + ADDED_LABELS];
    rt_str all = series->labels;
    bool is_gauge = from->kind == RT_GAUGE;
    if (is_gauge && (!adding->source->alive || __builtin_isnan(rt_bits_real(*series->values))))
        return;
    if (is_gauge && family->aggregate == RT_EACH) {
        memcpy(labels, all.data, all.length);
        memcpy(labels + all.length, adding->added, adding->added_length);
        all = (rt_str){labels, all.length + adding->added_length};
    }
    add_values(point_of(adding->view, family, all), from, series->values);
}

/* --- all together ---------------------------------------------------------------------------- */

static size_t describe(char *to, const rt_metric_source *source)
{
    char generation[16], worker[16];
    snprintf(generation, sizeof generation, "%u", source->generation);
    snprintf(worker, sizeof worker, "%u", source->worker);
    const char *who = source->worker ? worker : "supervisor";
    const rt_metric_label labels[] = {{"rt.generation", {generation, strlen(generation)}},
                                      {"rt.worker", {who, strlen(who)}}};
    return rt_labels_pack(to, source->worker ? labels : labels + 1, source->worker ? 2 : 1);
}

void rt_metric_view_add(rt_metric_view *view, const void *room, size_t size,
                        const rt_metric_source *source)
{
    struct adding adding = {.view = view, .source = source};
    char added[RT_LABELS_ROOM];
    adding.added_length = describe(added, source);
    memcpy(adding.added, added, adding.added_length);
    if (view->copy_size < size) {
        free(view->copy);
        view->copy = rt_xmalloc(size);
        view->copy_size = size;
    }
    rt_room_visitor visitor = {add_instrument, add_series, &adding};
    rt_room_walk(view->copy, rt_room_copy(view->copy, room, size), &visitor);
}

static int by_text(rt_str one, rt_str other)
{
    size_t least = one.length < other.length ? one.length : other.length;
    int order = least ? memcmp(one.data, other.data, least) : 0;
    return order ? order : (one.length > other.length) - (one.length < other.length);
}

static int by_name(const void *one, const void *other)
{
    const rt_metric_family *a = *(rt_metric_family *const *)one;
    const rt_metric_family *b = *(rt_metric_family *const *)other;
    int order = by_text(a->name, b->name);
    return order ? order : (a->kind > b->kind) - (a->kind < b->kind);
}

static int by_labels(const void *one, const void *other)
{
    return by_text((*(rt_metric_point *const *)one)->labels,
                   (*(rt_metric_point *const *)other)->labels);
}

void rt_metric_view_finish(rt_metric_view *view)
{
    size_t count = 0;
    view->families = rt_arena_alloc(&view->arena, (view->family_count + 1) * sizeof(void *));
    for (rt_metric_family *family = view->first; family; family = family->next) {
        if (!family->point_count)
            continue;
        qsort(family->points, family->point_count, sizeof(void *), by_labels);
        view->families[count++] = family;
    }
    qsort(view->families, count, sizeof(void *), by_name);
    view->family_count = count;
}

const rt_metric_family *rt_metric_view_find(const rt_metric_view *view, const char *name)
{
    for (size_t i = 0; i < view->family_count; i++)
        if (is_same(view->families[i]->name, (rt_str){name, strlen(name)}))
            return view->families[i];
    return NULL;
}

uint64_t rt_metric_point_count(const rt_metric_point *point)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i <= point->family->bound_count; i++)
        count += point->values[1 + i];
    return count;
}
