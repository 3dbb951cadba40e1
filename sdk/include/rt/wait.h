/* rt/wait.h — everything that waits
 *
 * Waiting suspends the calling fiber; the worker goes on with others. Each wait returns
 * -RT_ECANCELED when its unit of work is cancelled and -RT_EDEADLINE when its deadline passes, so
 * that unwinding is an ordinary return. errno is kept over a wait. Never wait while you hold a
 * pthread mutex: take an rt_mutex.
 *
 * Times: nanoseconds on the monotonic clock of rt_now; waits are exact to a millisecond, late
 * rather than early.
 *
 *     int ready = rt_wait_fd(ctx, fd, RT_READABLE, rt_now() + RT_MS(250));
 *     if (ready < 0)
 *         return ready;
 */
#ifndef RT_WAIT_H
#define RT_WAIT_H

#include <rt/abi.h>
#include <rt/host.h>

#define RT_US(n) ((uint64_t)(n)*1000u)
#define RT_MS(n) ((uint64_t)(n)*1000000u)
#define RT_S(n) ((uint64_t)(n)*1000000000u)

/* Monotonic time. */
static inline uint64_t rt_now(void)
{
    return rt_host_table->now();
}

#define RT_READABLE 1u
#define RT_WRITABLE 2u

/* Waits until a descriptor is ready and returns which of `events` it is ready for (also on error
 * or hang-up: the next read or write says which). One fiber a direction and descriptor: another is
 * -RT_EFAILED_PRECONDITION. The descriptor must be closed only while nobody waits for it. */
static inline int rt_wait_fd(rt_ctx *ctx, int fd, uint32_t events, uint64_t deadline)
{
    return rt_host_table->wait_fd(ctx, fd, events, deadline);
}

/* 0 after the time has passed. rt_sleep(ctx, 0) lets other fibers run. */
static inline int rt_sleep(rt_ctx *ctx, uint64_t nanoseconds)
{
    return rt_host_table->sleep(ctx, nanoseconds);
}

/* Runs a function that truly blocks on the thread pool and returns its result. Cancelled or timed
 * out while queued it never starts; once started, this returns only when it has ended. */
static inline int rt_blocking(rt_ctx *ctx, int (*function)(void *argument), void *argument)
{
    return rt_host_table->blocking(ctx, function, argument);
}

/* The rest is for fibers of one worker, served in the order they came; new and free may be called
 * anywhere, free only while nobody waits. new returns NULL when memory is out. */

/* Not recursive. Unlock only what this fiber locked. */
static inline rt_mutex *rt_mutex_new(void)
{
    return rt_host_table->mutex_new();
}
static inline void rt_mutex_free(rt_mutex *mutex)
{
    rt_host_table->mutex_free(mutex);
}
static inline int rt_mutex_lock(rt_ctx *ctx, rt_mutex *mutex)
{
    return rt_host_table->mutex_lock(ctx, mutex);
}
static inline void rt_mutex_unlock(rt_ctx *ctx, rt_mutex *mutex)
{
    rt_host_table->mutex_unlock(ctx, mutex);
}

static inline rt_semaphore *rt_semaphore_new(uint32_t count)
{
    return rt_host_table->semaphore_new(count);
}
static inline void rt_semaphore_free(rt_semaphore *semaphore)
{
    rt_host_table->semaphore_free(semaphore);
}
static inline int rt_semaphore_acquire(rt_ctx *ctx, rt_semaphore *semaphore)
{
    return rt_host_table->semaphore_acquire(ctx, semaphore);
}
static inline void rt_semaphore_release(rt_semaphore *semaphore)
{
    rt_host_table->semaphore_release(semaphore);
}

/* Capacity 0: send waits for its receiver. After close, send is -RT_EFAILED_PRECONDITION and
 * receive drains what is there, then answers -RT_EOUT_OF_RANGE. Items still queued at free belong
 * to the caller, who drains the channel first. */
static inline rt_channel *rt_channel_new(uint32_t capacity)
{
    return rt_host_table->channel_new(capacity);
}
static inline void rt_channel_free(rt_channel *channel)
{
    rt_host_table->channel_free(channel);
}
static inline int rt_channel_send(rt_ctx *ctx, rt_channel *channel, void *item)
{
    return rt_host_table->channel_send(ctx, channel, item);
}
static inline int rt_channel_receive(rt_ctx *ctx, rt_channel *channel, void **item)
{
    return rt_host_table->channel_receive(ctx, channel, item);
}
static inline void rt_channel_close(rt_channel *channel)
{
    rt_host_table->channel_close(channel);
}

#endif
