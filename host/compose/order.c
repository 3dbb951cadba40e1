/* The order of start: dependencies first, ties by tier, priority and name; cycles are errors. */
#include "compose/internal.h"

#include <stdlib.h>
#include <string.h>

/* Production before fallback before test before modules that provide nothing. */
static int tier_rank(const rt_candidate *candidate)
{
    int rank = RT_TIER_TEST + 1;
    for (size_t i = 0; i < candidate->manifest->provides_count; i++)
        if ((int)candidate->manifest->provides[i].tier < rank)
            rank = (int)candidate->manifest->provides[i].tier;
    return rank;
}

static int32_t priority(const rt_candidate *candidate)
{
    int32_t highest = INT32_MIN;
    for (size_t i = 0; i < candidate->manifest->provides_count; i++)
        if (candidate->manifest->provides[i].priority > highest)
            highest = candidate->manifest->provides[i].priority;
    return highest;
}

static int before(const rt_candidate *a, const rt_candidate *b)
{
    int order = tier_rank(a) - tier_rank(b);
    if (order == 0)
        order = (priority(a) < priority(b)) - (priority(a) > priority(b));
    return order ? order : strcmp(a->name, b->name);
}

/* --- cycles ---------------------------------------------------------------------------------- */

enum { UNSEEN, OPEN, CLOSED };

struct walk {
    rt_composer *composer;
    rt_candidate **path;
    size_t depth;
    bool cyclic;
};

static void report_cycle(struct walk *walk, const rt_candidate *again)
{
    rt_buffer text = {0};
    size_t start = walk->depth;
    while (start && walk->path[start - 1] != again)
        start--;
    for (size_t i = start ? start - 1 : 0; i < walk->depth; i++)
        rt_buffer_format(&text, "`%s` → ", walk->path[i]->name);
    rt_buffer_format(&text, "`%s`", again->name);
    rt_diagnostic *diagnostic = RT_DIAGNOSE(walk->composer->diagnostics, CYCLE, NULL, text.data);
    rt_help(diagnostic, "bind one of them elsewhere with `use`, or make one requirement optional "
                        "and leave it unbound");
    rt_buffer_free(&text);
    walk->cyclic = true;
}

/* Recursion goes as deep as the longest chain of requirements, which the plan's size bounds. */
static void visit(struct walk *walk, rt_candidate *candidate)
{
    candidate->mark = OPEN;
    walk->path[walk->depth++] = candidate;
    for (size_t i = 0; i < candidate->manifest->requires_count; i++) {
        const rt_plan_binding *binding = &candidate->bindings[i];
        for (size_t k = 0; k < binding->provider_count; k++) {
            rt_candidate *provider = walk->composer->candidates[binding->providers[k]];
            if (provider->mark == OPEN)
                report_cycle(walk, provider);
            else if (provider->mark == UNSEEN)
                visit(walk, provider);
        }
    }
    walk->depth--;
    candidate->mark = CLOSED;
}

static bool has_cycle(rt_composer *composer)
{
    struct walk walk = {.composer = composer};
    walk.path = rt_arena_alloc(composer->arena, (composer->order_count + 1) * sizeof *walk.path);
    for (size_t i = 0; i < composer->order_count; i++)
        if (composer->order[i]->mark == UNSEEN)
            visit(&walk, composer->order[i]);
    return walk.cyclic;
}

/* --- sorting: repeatedly the first by `before` of those whose providers are placed ----------- */

struct heap {
    rt_candidate **items;
    size_t count;
};

static void exchange(struct heap *heap, size_t a, size_t b)
{
    rt_candidate *item = heap->items[a];
    heap->items[a] = heap->items[b];
    heap->items[b] = item;
}

static void heap_add(struct heap *heap, rt_candidate *candidate)
{
    size_t i = heap->count++;
    heap->items[i] = candidate;
    for (; i && before(heap->items[i], heap->items[(i - 1) / 2]) < 0; i = (i - 1) / 2)
        exchange(heap, i, (i - 1) / 2);
}

static rt_candidate *heap_take(struct heap *heap)
{
    rt_candidate *first = heap->items[0];
    heap->items[0] = heap->items[--heap->count];
    for (size_t i = 0, child; (child = 2 * i + 1) < heap->count; i = child) {
        if (child + 1 < heap->count && before(heap->items[child + 1], heap->items[child]) < 0)
            child++;
        if (before(heap->items[i], heap->items[child]) <= 0)
            break;
        exchange(heap, i, child);
    }
    return first;
}

struct edges {
    uint32_t *waiting;   /* by candidate: providers not yet placed */
    uint32_t *consumers; /* of all candidates, one after another */
    size_t *first;       /* by candidate: where its consumers start */
};

static void each_edge(rt_composer *composer, struct edges *edges,
                      void (*take)(struct edges *, uint32_t consumer, uint32_t provider))
{
    for (size_t i = 0; i < composer->order_count; i++) {
        const rt_candidate *consumer = composer->order[i];
        for (size_t r = 0; r < consumer->manifest->requires_count; r++)
            for (size_t k = 0; k < consumer->bindings[r].provider_count; k++)
                take(edges, consumer->index, consumer->bindings[r].providers[k]);
    }
}

static void count_edge(struct edges *edges, uint32_t consumer, uint32_t provider)
{
    edges->waiting[consumer]++;
    edges->first[provider + 1]++;
}

static void place_edge(struct edges *edges, uint32_t consumer, uint32_t provider)
{
    edges->consumers[--edges->first[provider + 1]] = consumer;
}

static struct edges collect_edges(rt_composer *composer)
{
    size_t count = composer->candidate_count;
    struct edges edges = {.waiting =
                              rt_arena_alloc(composer->arena, (count + 1) * sizeof(uint32_t)),
                          .first = rt_arena_alloc(composer->arena, (count + 2) * sizeof(size_t))};
    each_edge(composer, &edges, count_edge);
    for (size_t i = 1; i <= count; i++)
        edges.first[i] += edges.first[i - 1];
    edges.first[count + 1] = edges.first[count];
    edges.consumers = rt_arena_alloc(composer->arena, (edges.first[count] + 1) * sizeof(uint32_t));
    each_edge(composer, &edges, place_edge);
    return edges; /* now first[i + 1] is where the consumers of i start, first[i + 2] their end */
}

bool rt_order(rt_composer *composer)
{
    if (has_cycle(composer))
        return false;
    size_t count = composer->order_count, placed = 0;
    struct edges edges = collect_edges(composer);
    struct heap heap = {.items = rt_arena_alloc(composer->arena, (count + 1) * sizeof *heap.items)};
    for (size_t i = 0; i < count; i++)
        if (!edges.waiting[composer->order[i]->index])
            heap_add(&heap, composer->order[i]);
    rt_candidate **order = rt_arena_alloc(composer->arena, (count + 1) * sizeof *order);
    while (heap.count) {
        rt_candidate *candidate = heap_take(&heap);
        candidate->position = (uint32_t)placed;
        order[placed++] = candidate;
        for (size_t k = edges.first[candidate->index + 1]; k < edges.first[candidate->index + 2];
             k++)
            if (--edges.waiting[edges.consumers[k]] == 0)
                heap_add(&heap, composer->candidates[edges.consumers[k]]);
    }
    composer->order = order;
    return true;
}
