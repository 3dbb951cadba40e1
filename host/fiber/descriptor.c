/* Waiting for descriptors
 *
 * An epoll set of our own, watched by the loop, with one-shot registrations. libuv's poll handles
 * would cost three epoll_ctl calls a wait and must not outlive the descriptor; a one-shot
 * registration is dead once it fired, so that the caller may close the descriptor at once, and one
 * that a closed descriptor left behind belongs to another file and is never met again. */
#include "fiber/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 64

enum { READER, WRITER, DIRECTIONS };
static const struct {
    uint32_t public, epoll;
} directions[DIRECTIONS] = {{RT_READABLE, EPOLLIN}, {RT_WRITABLE, EPOLLOUT}};

struct fd_waiter {
    rt_waiter waiter;
    int fd;
};

typedef struct descriptor {
    struct fd_waiter *waiters[DIRECTIONS];
    bool registered; /* most likely: only epoll knows */
} descriptor;

static struct {
    int epoll;
    uv_poll_t poll;
    descriptor *table;
    size_t count;
} set = {.epoll = -1};

static void grow(size_t index)
{
    size_t count = set.count ? set.count : 64;
    while (count <= index)
        count *= 2;
    set.table = rt_xrealloc(set.table, count * sizeof *set.table);
    memset(set.table + set.count, 0, (count - set.count) * sizeof *set.table);
    set.count = count;
}

/* Makes room for a descriptor if there is one: a number that is none may be any size. */
static bool make_room(int fd)
{
    if ((size_t)fd < set.count)
        return true;
    if (fcntl(fd, F_GETFD) < 0)
        return false;
    grow((size_t)fd);
    return true;
}

static descriptor *find(int fd)
{
    return &set.table[fd];
}

/* 0 or -errno. The descriptor may have been closed since, or come back as another. */
static int arm(int fd)
{
    descriptor *entry = find(fd);
    struct epoll_event event = {.events = EPOLLONESHOT, .data.fd = fd};
    for (int i = 0; i < DIRECTIONS; i++)
        event.events |= entry->waiters[i] ? directions[i].epoll : 0;
    int operation = entry->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    int result = epoll_ctl(set.epoll, operation, fd, &event);
    if (result != 0 && errno == ENOENT)
        result = epoll_ctl(set.epoll, EPOLL_CTL_ADD, fd, &event);
    else if (result != 0 && errno == EEXIST)
        result = epoll_ctl(set.epoll, EPOLL_CTL_MOD, fd, &event);
    entry->registered = result == 0;
    return result == 0 ? 0 : -errno;
}

static bool has_waiter(const descriptor *entry)
{
    return entry->waiters[READER] || entry->waiters[WRITER];
}

static void forget(struct fd_waiter *waiter)
{
    descriptor *entry = find(waiter->fd);
    for (int i = 0; i < DIRECTIONS; i++)
        if (entry->waiters[i] == waiter)
            entry->waiters[i] = NULL;
}

/* Disarmed for good: with no events left epoll would still report a hang-up. */
static void interrupt(rt_waiter *waiter, int reason)
{
    struct fd_waiter *waiting = RT_ENTRY(waiter, struct fd_waiter, waiter);
    descriptor *entry = find(waiting->fd);
    forget(waiting);
    if (has_waiter(entry)) {
        arm(waiting->fd);
    } else {
        epoll_ctl(set.epoll, EPOLL_CTL_DEL, waiting->fd, NULL);
        entry->registered = false;
    }
    rt_wake(waiter, reason);
}

/* The events among those that a waiter waits for. An error or hang-up is both. */
static int matching(const descriptor *entry, const struct fd_waiter *waiter, uint32_t happened)
{
    int events = 0;
    if (happened & (EPOLLERR | EPOLLHUP))
        happened |= EPOLLIN | EPOLLOUT;
    for (int i = 0; i < DIRECTIONS; i++)
        if (entry->waiters[i] == waiter && happened & directions[i].epoll)
            events |= (int)directions[i].public;
    return events;
}

static void deliver(const struct epoll_event *event)
{
    descriptor *entry = find(event->data.fd);
    for (int i = 0; i < DIRECTIONS; i++) {
        struct fd_waiter *waiter = entry->waiters[i];
        int events = waiter ? matching(entry, waiter, event->events) : 0;
        if (!events)
            continue;
        forget(waiter);
        rt_wake(&waiter->waiter, events);
    }
    if (has_waiter(entry))
        arm(event->data.fd);
}

static void some_are_ready(uv_poll_t *poll, int status, int events)
{
    struct epoll_event ready[EVENTS_AT_ONCE];
    (void)poll, (void)status, (void)events;
    int count = epoll_wait(set.epoll, ready, EVENTS_AT_ONCE, 0);
    for (int i = 0; i < count; i++)
        deliver(&ready[i]);
}

static int refuse(rt_unit *unit, int fd, int error)
{
    return rt_host_fail(&unit->context,
                        error == EBADF ? RT_EINVALID_ARGUMENT : RT_ERESOURCE_EXHAUSTED,
                        "cannot wait for descriptor %d: %s", fd, strerror(error));
}

static int wait_armed(rt_unit *unit, struct fd_waiter *waiter, uint32_t events, uint64_t deadline)
{
    descriptor *entry = find(waiter->fd);
    for (int i = 0; i < DIRECTIONS; i++)
        if (events & directions[i].public && entry->waiters[i])
            return rt_host_fail(&unit->context, RT_EFAILED_PRECONDITION,
                                "another fiber waits for descriptor %d", waiter->fd);
    for (int i = 0; i < DIRECTIONS; i++)
        if (events & directions[i].public)
            entry->waiters[i] = waiter;
    int result = arm(waiter->fd);
    if (result == 0)
        return rt_wait(unit, &waiter->waiter, deadline, -RT_EDEADLINE);
    forget(waiter);
    if (result == -EPERM) /* a file or folder: always ready */
        return (int)events;
    return refuse(unit, waiter->fd, -result);
}

int rt_host_wait_fd(rt_ctx *ctx, int fd, uint32_t events, uint64_t deadline)
{
    rt_unit *unit = rt_unit_of(ctx);
    struct fd_waiter waiter = {
        .waiter = {.what = "descriptor", .number = fd, .interrupt = interrupt}, .fd = fd};
    RT_TRY(rt_wait_check(unit));
    if (fd < 0 || events == 0 || events & ~(RT_READABLE | RT_WRITABLE))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "cannot wait for events %u of descriptor %d",
                            events, fd);
    if (!make_room(fd))
        return refuse(unit, fd, EBADF);
    return wait_armed(unit, &waiter, events, deadline);
}

int rt_descriptors_open(void)
{
    set.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (set.epoll < 0)
        return -errno;
    int result = uv_poll_init(&rt_the_loop.uv, &set.poll, set.epoll);
    return result < 0 ? result : uv_poll_start(&set.poll, UV_READABLE, some_are_ready);
}

void rt_descriptors_close(void)
{
    uv_close((uv_handle_t *)&set.poll, NULL);
}

void rt_descriptors_free(void)
{
    if (set.epoll >= 0)
        close(set.epoll);
    free(set.table);
    memset(&set, 0, sizeof set);
    set.epoll = -1;
}
