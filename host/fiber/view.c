#include "fiber/view.h"

#include "fiber/internal.h"

#include <string.h>

#define PIECE 16

/* In pieces, so that a text near the end of its memory is had; cut at its end, so that nothing that
 * lies behind it is carried along. */
static void fetch_text(char *to, size_t size, const char *from, rt_fetch fetch)
{
    size_t length = 0;
    memset(to, 0, size);
    while (from && length + PIECE < size && fetch(to + length, from + length, PIECE) == PIECE &&
           !memchr(to + length, '\0', PIECE))
        length += PIECE;
    size_t end = strnlen(to, size - 1);
    memset(to + end, 0, size - end);
}

static void view_instance(rt_fiber_view *view, const rt_instance *from, rt_fetch fetch)
{
    rt_instance instance;
    if (fetch(&instance, from, sizeof instance) != sizeof instance)
        return;
    fetch_text(view->instance, sizeof view->instance, instance.name, fetch);
    fetch_text(view->module, sizeof view->module, instance.module, fetch);
}

static bool overflows(const rt_unit *unit, const void *address, rt_fetch fetch)
{
    rt_stack stack;
    return unit->stack && fetch(&stack, unit->stack, sizeof stack) == sizeof stack &&
           rt_stack_guards(&stack, address);
}

static void view_correlation(rt_fiber_view *view, const rt_unit *from, rt_fetch fetch)
{
    const char *text;
    if (fetch(&text, &from->correlation, sizeof text) == sizeof text)
        fetch_text(view->correlation, sizeof view->correlation, text, fetch);
}

void rt_fiber_view_take(rt_fiber_view *view, const void *address, rt_fetch fetch)
{
    union {
        rt_unit unit;
        char bytes[offsetof(rt_unit, arena)];
    } copy;
    const rt_unit *from = rt_current_unit ? rt_current_unit : rt_blocked_unit;
    *view = (rt_fiber_view){.on_fiber = from != NULL, .blocking = from && !rt_current_unit};
    if (!from || fetch(copy.bytes, from, sizeof copy.bytes) != sizeof copy.bytes)
        return;
    view->entry = copy.unit.entry;
    view->overflow = !view->blocking && overflows(&copy.unit, address, fetch);
    fetch_text(view->fiber, sizeof view->fiber, copy.unit.name, fetch);
    view_instance(view, copy.unit.context.instance, fetch);
    view_correlation(view, copy.unit.root, fetch);
}
