/* What a switch between fibers, a yield through the loop and a whole unit of work cost
 *
 * Exits 1 when a switch takes 10 ns or more.
 */
#include "fiber/internal.h"

#include "least.h"

enum { TIMES = 100000 };
#define MOST 10.0

const rt_host *rt_host_table;

static rt_instance instance = {.magic = RT_INSTANCE_MAGIC, .size = sizeof instance, .name = "b"};

static double each(uint64_t before, double times)
{
    return (double)(uv_hrtime() - before) / times;
}

static int suspend_until_told(rt_ctx *ctx, void *argument)
{
    rt_unit *unit = (rt_unit *)ctx;
    for (const bool *stop = argument; !*stop;)
        rt_unit_suspend(unit);
    return 0;
}

/* The same two functions that a wait goes through: there and back are two switches. */
static double measure_switch(void *argument)
{
    bool stop = false;
    rt_unit_options options = {.instance = &instance, .name = "switch"};
    rt_unit *unit = (rt_unit *)rt_unit_start(&options, suspend_until_told, &stop);
    (void)argument;
    uint64_t before = uv_hrtime();
    for (int i = 0; i < TIMES; i++)
        rt_unit_resume(unit);
    double taken = each(before, 2.0 * TIMES);
    stop = true;
    rt_unit_resume(unit);
    return taken;
}

static int count_one(rt_ctx *ctx, void *argument)
{
    (void)ctx;
    ++*(int *)argument;
    return 0;
}

static double measure_unit(void *argument)
{
    rt_unit_options options = {.instance = &instance, .name = "unit"};
    uint64_t before = uv_hrtime();
    for (int i = 0; i < TIMES; i++)
        rt_unit_start(&options, count_one, argument);
    return each(before, TIMES);
}

static int yield_often(rt_ctx *ctx, void *argument)
{
    uint64_t before = uv_hrtime();
    for (int i = 0; i < TIMES; i++)
        rt_host_sleep(ctx, 0);
    *(double *)argument = each(before, TIMES);
    rt_loop_stop();
    return 0;
}

static double measure_yield(void *argument)
{
    double taken = 0;
    rt_unit_options options = {.instance = &instance, .name = "yield"};
    (void)argument;
    rt_unit_start(&options, yield_often, &taken);
    rt_loop_run();
    return taken;
}

int main(void)
{
    int units = 0;
    measurement all[] = {{"switch", measure_switch, NULL, 0},
                         {"yield", measure_yield, NULL, 0},
                         {"unit", measure_unit, &units, 0}};
    if (rt_loop_open(&(rt_loop_options){0}) != 0)
        return 1;
    least_of_all(all, sizeof all / sizeof all[0]);
    rt_loop_close();
    bool met = least_verdict("fiber switch", all[0].least, MOST);
    return met && units == LEAST_RUNS * TIMES ? 0 : 1;
}
