#include "fiber/internal.h"

#include <stdatomic.h>
#include <stdlib.h>

struct rt_cancel {
    atomic_bool fired;
    rt_list queued; /* under rt_remote_lock: to be carried out on the loop */
    rt_list units;  /* the loop's: what it cancels */
};

static rt_list queue = {&queue, &queue};

rt_cancel *rt_host_cancel_new(void)
{
    rt_cancel *cancel = calloc(1, sizeof *cancel);
    if (cancel)
        rt_list_init(&cancel->units);
    return cancel;
}

void rt_cancel_attach(rt_cancel *cancel, rt_unit *unit)
{
    rt_list_append(&cancel->units, &unit->cancel_link);
    if (atomic_load(&cancel->fired))
        unit->cancelled = true;
}

static void cancel_units(rt_cancel *cancel)
{
    for (rt_list *link = cancel->units.next; link != &cancel->units; link = link->next)
        rt_unit_cancel(&RT_ENTRY(link, rt_unit, cancel_link)->context);
}

static void fire_from_afar(rt_cancel *cancel)
{
    pthread_mutex_lock(&rt_remote_lock);
    if (!atomic_exchange(&cancel->fired, true)) {
        rt_list_append(&queue, &cancel->queued);
        rt_remote_wake();
    }
    pthread_mutex_unlock(&rt_remote_lock);
}

/* Work that starts meanwhile sees `fired` and may end, and its owner free the handle, at once: from
 * another thread it is set under the lock that freeing takes, and nothing is touched after it. */
void rt_host_cancel_fire(rt_cancel *cancel)
{
    if (!rt_on_loop)
        fire_from_afar(cancel);
    else if (!atomic_exchange(&cancel->fired, true))
        cancel_units(cancel);
}

/* Cancelling runs no foreign code, so the lock can be kept: the handle cannot be
 * freed meanwhile. */
void rt_cancel_drain(void)
{
    pthread_mutex_lock(&rt_remote_lock);
    for (rt_list *first; (first = rt_list_take(&queue));)
        cancel_units(RT_ENTRY(first, rt_cancel, queued));
    pthread_mutex_unlock(&rt_remote_lock);
}

void rt_host_cancel_free(rt_cancel *cancel)
{
    if (!cancel)
        return;
    pthread_mutex_lock(&rt_remote_lock);
    rt_list_remove(&cancel->queued);
    pthread_mutex_unlock(&rt_remote_lock);
    if (!rt_list_empty(&cancel->units))
        rt_misuse("a cancellation handle was freed before its work has ended");
    free(cancel);
}
