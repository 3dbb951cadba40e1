/* What units of work are there, what each waits for, and how much of its stack it has used */
#include "fiber/internal.h"

#include "base/buffer.h"

/* What is below it was in use when the fiber left; of one that runs nothing is known. */
static size_t used_now(const rt_unit *unit)
{
    const char *top = unit->stack->low + unit->stack->size;
    return unit == rt_current_unit ? 0 : (size_t)(top - (const char *)unit->here);
}

static void add_wait(rt_buffer *text, const rt_unit *unit)
{
    const rt_waiter *waiter = unit->waiter;
    if (!waiter)
        rt_buffer_text(text, unit == rt_current_unit ? "runs" : "ready");
    else if (waiter->number)
        rt_buffer_format(text, "%s %d", waiter->what, waiter->number);
    else
        rt_buffer_text(text, waiter->what ? waiter->what : "?");
}

static void add_unit(rt_buffer *text, const rt_unit *unit)
{
    const rt_instance *home = unit->home;
    uint64_t age = uv_now(&rt_the_loop.uv) - unit->began;
    rt_buffer_visible(text, unit->name ? unit->name : unit->parent ? "a task" : "?");
    rt_buffer_char(text, '\t');
    rt_buffer_visible(text, home && home->name ? home->name : "?");
    rt_buffer_char(text, '\t');
    add_wait(text, unit);
    rt_buffer_format(text, "\t%ju.%03u\t%zu\t%zu\t%zu\n", (uintmax_t)(age / 1000),
                     (unsigned)(age % 1000), used_now(unit), rt_stack_touched(unit->stack),
                     unit->stack->size);
}

/* Trees may be deeper than a stack has room for recursion. */
void rt_units_list(rt_buffer *text)
{
    rt_list *roots = &rt_the_loop.roots;
    for (rt_list *link = roots->next; link != roots; link = link->next) {
        rt_unit *root = RT_ENTRY(link, rt_unit, sibling);
        for (rt_unit *unit = root; unit; unit = rt_unit_next(unit, root, true))
            add_unit(text, unit);
    }
}

void rt_stacks_measure(uint64_t high[RT_STACK_ORDERS])
{
    rt_list *roots = &rt_the_loop.roots;
    rt_stack_measure_idle(high);
    for (rt_list *link = roots->next; link != roots; link = link->next) {
        rt_unit *root = RT_ENTRY(link, rt_unit, sibling);
        for (rt_unit *unit = root; unit; unit = rt_unit_next(unit, root, true)) {
            size_t touched = rt_stack_touched(unit->stack);
            uint64_t *place = &high[unit->stack->order];
            *place = touched > *place ? touched : *place;
        }
    }
}
