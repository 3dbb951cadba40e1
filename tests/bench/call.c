/* What the wrapper of a capability method adds to a bare call through the provider's table
 *
 * Twice: calls that follow each other, which the processor overlaps, and calls each of which needs
 * the result of the last. The wrapper is inlined here as in any module; telemetry is off, so the
 * binding has no effects. Exits 1 when the wrapper adds more than 5 ns.
 */
#include "call.h"

#include "fiber/fiber.h"
#include "least.h"

enum { TIMES = 1000000 };
#define MOST_ADDED 5.0

static const rt_host table = {.size = sizeof table, .fail = rt_host_fail};
const rt_host *rt_host_table = &table;

RT_REQUIRES(probe, 1)

static rt_instance provider = {.magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance)};
static rt_binding binding = {.instance = &provider, .count = 1};
static rt_instance caller = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .bindings = &binding};
static bool wrong;

static double each(uint64_t before, int result)
{
    double taken = (double)(rt_host_now() - before) / TIMES;
    wrong = wrong || result != TIMES;
    return taken;
}

static double bare_apart(void *ctx)
{
    const struct rt_probe_table *methods = binding.table;
    int result = 0;
    uint64_t before = rt_host_now();
    for (int i = 0; i < TIMES; i++) {
        __asm__ volatile("" : "+r"(methods)); /* its pointer is loaded each time */
        result = methods->next(ctx, i);
        if (result < 0)
            break;
    }
    return each(before, result);
}

static double wrapped_apart(void *ctx)
{
    int result = 0;
    uint64_t before = rt_host_now();
    for (int i = 0; i < TIMES; i++) {
        result = rt_probe_next(ctx, probe, i);
        if (result < 0)
            break;
    }
    return each(before, result);
}

static double bare_chained(void *ctx)
{
    const struct rt_probe_table *methods = binding.table;
    int result = 0;
    uint64_t before = rt_host_now();
    for (int i = 0; i < TIMES && result >= 0; i++) {
        __asm__ volatile("" : "+r"(methods));
        result = methods->next(ctx, result);
    }
    return each(before, result);
}

static double wrapped_chained(void *ctx)
{
    int result = 0;
    uint64_t before = rt_host_now();
    for (int i = 0; i < TIMES && result >= 0; i++)
        result = rt_probe_next(ctx, probe, result);
    return each(before, result);
}

static int measure(rt_ctx *ctx, void *argument)
{
    measurement all[] = {{"bare call", bare_apart, ctx, 0},
                         {"wrapped call", wrapped_apart, ctx, 0},
                         {"bare call, chained", bare_chained, ctx, 0},
                         {"wrapped call, chained", wrapped_chained, ctx, 0}};
    least_of_all(all, sizeof all / sizeof all[0]);
    double apart = all[1].least - all[0].least, chained = all[3].least - all[2].least;
    *(bool *)argument =
        least_verdict("added by the wrapper", apart > chained ? apart : chained, MOST_ADDED);
    return 0;
}

int main(void)
{
    bool met = false;
    rt_unit_options options = {.instance = &caller, .name = "call"};
    binding.table = probe_table();
    if (rt_loop_open(&(rt_loop_options){0}) != 0)
        return 1;
    rt_unit_start(&options, measure, &met);
    rt_loop_close();
    return met && !wrong ? 0 : 1;
}
