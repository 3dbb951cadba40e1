/* Mutex and semaphore: first come, first served. What is released is handed to the first waiter
 * before it runs, so that nobody overtakes it, and a cancellation that comes later finds it no
 * longer waiting: nothing is lost. */
#include "fiber/internal.h"

#include <stdlib.h>

/* --- mutex ----------------------------------------------------------------------------------- */

struct rt_mutex {
    rt_list held; /* in its owner's list */
    rt_list waiters;
    rt_unit *owner;
};

rt_mutex *rt_host_mutex_new(void)
{
    rt_mutex *mutex = calloc(1, sizeof *mutex);
    if (mutex)
        rt_list_init(&mutex->waiters);
    return mutex;
}

void rt_host_mutex_free(rt_mutex *mutex)
{
    if (!mutex)
        return;
    if (!rt_list_empty(&mutex->waiters))
        rt_misuse("a mutex was freed while a fiber waits for it");
    rt_list_remove(&mutex->held);
    free(mutex);
}

static void give_mutex(rt_mutex *mutex, rt_unit *owner)
{
    mutex->owner = owner;
    rt_list_append(&owner->held, &mutex->held);
}

static void pass_mutex(rt_mutex *mutex)
{
    rt_list_remove(&mutex->held);
    mutex->owner = NULL;
    rt_list *first = rt_list_take(&mutex->waiters);
    if (!first)
        return;
    rt_waiter *waiter = RT_ENTRY(first, rt_waiter, link);
    give_mutex(mutex, waiter->unit);
    rt_wake(waiter, 0);
}

int rt_host_mutex_lock(rt_ctx *ctx, rt_mutex *mutex)
{
    rt_unit *unit = rt_unit_of(ctx);
    RT_TRY(rt_wait_check(unit));
    if (mutex->owner == unit)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "the fiber holds the mutex already");
    if (!mutex->owner) {
        give_mutex(mutex, unit);
        return 0;
    }
    rt_waiter waiter = {.what = "mutex", .interrupt = rt_waiter_leave};
    rt_list_append(&mutex->waiters, &waiter.link);
    return rt_wait(unit, &waiter, 0, 0);
}

void rt_host_mutex_unlock(rt_ctx *ctx, rt_mutex *mutex)
{
    if (mutex->owner != rt_unit_of(ctx))
        rt_host_die(ctx, "a fiber unlocked a mutex that it does not hold");
    pass_mutex(mutex);
}

/* A unit that died may hold some; waiting for ever would punish the wrong ones. */
void rt_mutexes_release(rt_unit *unit)
{
    while (!rt_list_empty(&unit->held))
        pass_mutex(RT_ENTRY(unit->held.next, rt_mutex, held));
}

/* --- semaphore ------------------------------------------------------------------------------- */

struct rt_semaphore {
    rt_list waiters;
    uint32_t count;
};

rt_semaphore *rt_host_semaphore_new(uint32_t count)
{
    rt_semaphore *semaphore = malloc(sizeof *semaphore);
    if (!semaphore)
        return NULL;
    rt_list_init(&semaphore->waiters);
    semaphore->count = count;
    return semaphore;
}

void rt_host_semaphore_free(rt_semaphore *semaphore)
{
    if (semaphore && !rt_list_empty(&semaphore->waiters))
        rt_misuse("a semaphore was freed while a fiber waits for it");
    free(semaphore);
}

int rt_host_semaphore_acquire(rt_ctx *ctx, rt_semaphore *semaphore)
{
    rt_unit *unit = rt_unit_of(ctx);
    RT_TRY(rt_wait_check(unit));
    if (semaphore->count > 0) {
        semaphore->count--;
        return 0;
    }
    rt_waiter waiter = {.what = "semaphore", .interrupt = rt_waiter_leave};
    rt_list_append(&semaphore->waiters, &waiter.link);
    return rt_wait(unit, &waiter, 0, 0);
}

void rt_host_semaphore_release(rt_semaphore *semaphore)
{
    if (!rt_wake_first(&semaphore->waiters, 0))
        semaphore->count++;
}
