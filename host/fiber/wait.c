#include "fiber/internal.h"

uint64_t rt_host_now(void)
{
    return uv_hrtime();
}

/* --- the one way to wait --------------------------------------------------------------------- */

/* Without the limit of an attempt. */
static uint64_t own_deadline(rt_unit *unit)
{
    if (!unit->shielded)
        return unit->deadline;
    if (!unit->shield_deadline)
        unit->shield_deadline = uv_hrtime() + rt_the_loop.finalizer_timeout;
    return unit->shield_deadline;
}

uint64_t rt_effective_deadline(rt_unit *unit)
{
    return rt_sooner(own_deadline(unit), unit->limit);
}

int rt_wait_own(rt_unit *unit)
{
    if (unit == rt_current_unit)
        return 0;
    if (rt_on_loop) /* else the context belongs to another thread */
        rt_host_fail(&unit->context, RT_EFAILED_PRECONDITION,
                     "a context waits only in its own fiber");
    return -RT_EFAILED_PRECONDITION;
}

int rt_wait_check(rt_unit *unit)
{
    RT_TRY(rt_wait_own(unit));
    if (unit->cancelled && !unit->shielded) {
        unit->error = &rt_error_cancelled;
        return -RT_ECANCELED;
    }
    if (rt_deadline_passed(rt_effective_deadline(unit))) {
        unit->error = &rt_error_deadline;
        return -RT_EDEADLINE;
    }
    return 0;
}

static void time_is_out(uv_timer_t *timer)
{
    rt_unit *unit = RT_ENTRY(timer, rt_unit, timer);
    unit->timed = false;
    if (unit->waiter)
        unit->waiter->interrupt(unit->waiter, unit->on_time);
}

/* Up to the next millisecond. libuv counts from the loop's cached time, so the difference to it
 * gives the due time exactly, however old the cache is. */
static void set_timer(rt_unit *unit, uint64_t due, int on_time)
{
    uint64_t milliseconds = due / 1000000u + (due % 1000000u != 0);
    uint64_t now = uv_now(&rt_the_loop.uv);
    unit->on_time = on_time;
    unit->timed = true;
    uv_timer_start(&unit->timer, time_is_out, milliseconds > now ? milliseconds - now : 0, 0);
}

/* The deadline of a unit that waits has moved forward. */
static void rearm_timer(rt_unit *unit)
{
    uint64_t deadline = rt_effective_deadline(unit);
    uint64_t due = uv_timer_get_due_in(&unit->timer) + uv_now(&rt_the_loop.uv);
    if (unit->waiter && unit->waiter->interrupt && (!unit->timed || deadline / 1000000u < due))
        set_timer(unit, deadline, -RT_EDEADLINE);
}

int rt_wait(rt_unit *unit, rt_waiter *waiter, uint64_t until, int on_time)
{
    waiter->unit = unit;
    unit->waiter = waiter;
    if (waiter->interrupt) {
        uint64_t deadline = rt_effective_deadline(unit);
        if (until && (!deadline || until < deadline))
            set_timer(unit, until, on_time);
        else if (deadline)
            set_timer(unit, deadline, -RT_EDEADLINE);
    }
    rt_unit_suspend(unit);
    if (waiter->result == -RT_ECANCELED)
        unit->error = &rt_error_cancelled;
    if (waiter->result == -RT_EDEADLINE)
        unit->error = &rt_error_deadline;
    return waiter->result;
}

void rt_wake(rt_waiter *waiter, int result)
{
    rt_unit *unit = waiter->unit;
    waiter->result = result;
    unit->waiter = NULL;
    if (unit->timed) {
        uv_timer_stop(&unit->timer);
        unit->timed = false;
    }
    rt_loop_ready(unit);
}

void rt_waiter_leave(rt_waiter *waiter, int reason)
{
    rt_list_remove(&waiter->link);
    rt_wake(waiter, reason);
}

bool rt_wake_first(rt_list *queue, int result)
{
    rt_list *first = rt_list_take(queue);
    if (!first)
        return false;
    rt_wake(RT_ENTRY(first, rt_waiter, link), result);
    return true;
}

void rt_wake_all(rt_list *queue, int result)
{
    while (rt_wake_first(queue, result))
        continue;
}

/* --- parking --------------------------------------------------------------------------------- */

struct parked {
    rt_waiter waiter;
    rt_parking *parking;
};

static void leave_parking(rt_waiter *waiter, int reason)
{
    RT_ENTRY(waiter, struct parked, waiter)->parking->waiter = NULL;
    rt_wake(waiter, reason);
}

int rt_park(rt_ctx *ctx, rt_parking *parking)
{
    rt_unit *unit = rt_unit_of(ctx);
    struct parked parked = {
        .waiter = {.what = parking->what ? parking->what : "the peer", .interrupt = leave_parking},
        .parking = parking};
    RT_TRY(rt_wait_check(unit));
    if (parking->waiter)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "another fiber waits for this already");
    parking->waiter = &parked.waiter;
    return rt_wait(unit, &parked.waiter, 0, 0);
}

void rt_unpark(rt_parking *parking, int result)
{
    rt_waiter *waiter = parking->waiter;
    parking->waiter = NULL;
    if (waiter)
        rt_wake(waiter, result);
}

/* --- deadline -------------------------------------------------------------------------------- */

uint64_t rt_host_deadline(const rt_ctx *ctx)
{
    return rt_effective_deadline(rt_unit_of(ctx));
}

uint64_t rt_unit_limit(rt_ctx *ctx, uint64_t limit)
{
    rt_unit *unit = rt_unit_of(ctx);
    uint64_t former = unit->limit;
    unit->limit = limit;
    return former;
}

/* Nested work has its surroundings' deadline unless it chose its own, which stays. */
void rt_unit_lift_deadline(rt_ctx *ctx)
{
    rt_unit *unit = rt_unit_of(ctx);
    uint64_t lifted = unit->root->deadline;
    for (; unit; unit = unit->parent)
        if (unit->deadline == lifted)
            unit->deadline = 0;
}

/* True if it moved, so that those of the children are to follow. */
static bool move_deadline(rt_unit *unit, uint64_t deadline)
{
    uint64_t present = own_deadline(unit);
    if (present && present <= deadline)
        return false;
    *(unit->shielded ? &unit->shield_deadline : &unit->deadline) = deadline;
    rearm_timer(unit);
    return true;
}

int rt_host_set_deadline(rt_ctx *ctx, uint64_t deadline)
{
    rt_unit *top = rt_unit_of(ctx);
    for (rt_unit *unit = deadline ? top : NULL; unit;) {
        bool apart = unit != top && unit->shielded; /* finalizers have time of their own */
        unit = rt_unit_next(unit, top, !apart && move_deadline(unit, deadline));
    }
    return 0;
}

/* --- sleep ----------------------------------------------------------------------------------- */

int rt_host_sleep(rt_ctx *ctx, uint64_t nanoseconds)
{
    rt_unit *unit = rt_unit_of(ctx);
    rt_waiter waiter = {.what = "sleep", .interrupt = rt_wake};
    RT_TRY(rt_wait_check(unit));
    if (nanoseconds == 0) {
        rt_loop_ready(unit);
        rt_unit_suspend(unit);
        return 0;
    }
    uint64_t now = uv_hrtime();
    return rt_wait(unit, &waiter, now > UINT64_MAX - nanoseconds ? UINT64_MAX : now + nanoseconds,
                   0);
}

/* --- functions that block -------------------------------------------------------------------- */

struct blocking {
    rt_waiter waiter;
    uv_work_t request;
    rt_unit *unit; /* for the thread, which may run before the waiter has it */
    int (*function)(void *argument);
    void *argument;
    int result;
    int reason;                    /* it was cancelled while queued */
    uint64_t queued, began, ended; /* ns; only where somebody wants to know */
};

static rt_pool_load load; /* `active` is written by the threads */

rt_pool_load rt_pool_look(void)
{
    uint32_t active = __atomic_load_n(&load.active, __ATOMIC_RELAXED);
    return (rt_pool_load){active, load.queued > active ? load.queued - active : 0};
}

static void run_blocking(uv_work_t *request)
{
    struct blocking *call = RT_ENTRY(request, struct blocking, request);
    bool told = rt_the_loop.called;
    rt_blocked_unit = call->unit;
    __atomic_fetch_add(&load.active, 1, __ATOMIC_RELAXED);
    call->began = told ? uv_hrtime() : 0;
    call->result = call->function(call->argument);
    call->ended = told ? uv_hrtime() : 0;
    __atomic_fetch_sub(&load.active, 1, __ATOMIC_RELAXED);
    rt_blocked_unit = NULL;
}

static void blocking_ended(uv_work_t *request, int status)
{
    struct blocking *call = RT_ENTRY(request, struct blocking, request);
    load.queued--;
    if (call->ended)
        rt_the_loop.called(call->began - call->queued, call->ended - call->began);
    rt_wake(&call->waiter, status == UV_ECANCELED ? call->reason : 0);
}

/* Once the function runs it cannot be stopped, and what it uses may be the fiber's: wait on. */
static void interrupt_blocking(rt_waiter *waiter, int reason)
{
    struct blocking *call = RT_ENTRY(waiter, struct blocking, waiter);
    if (!call->reason && uv_cancel((uv_req_t *)&call->request) == 0)
        call->reason = reason;
}

int rt_host_blocking(rt_ctx *ctx, int (*function)(void *), void *argument)
{
    rt_unit *unit = rt_unit_of(ctx);
    struct blocking call = {.waiter = {.what = "a blocking call", .interrupt = interrupt_blocking},
                            .unit = unit,
                            .function = function,
                            .argument = argument};
    RT_TRY(rt_wait_check(unit));
    load.queued++;
    call.queued = rt_the_loop.called ? uv_hrtime() : 0;
    uv_queue_work(&rt_the_loop.uv, &call.request, run_blocking, blocking_ended);
    int interrupted = rt_wait(unit, &call.waiter, 0, 0);
    return interrupted ? interrupted : call.result;
}
