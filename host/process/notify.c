#include "process/notify.h"

#include "base/buffer.h"
#include "process/generation.h"
#include "telemetry/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MICROSECOND UINT64_C(1000)        /* ns */
#define MARGIN (UINT64_C(5) * 1000000000) /* ns, beyond the time that something may take */
#define SLACK (UINT64_C(1) * 1000000000)  /* ns, of MARGIN: less than this is not told */
#define FIRST_RETRY (UINT64_C(10) * 1000000)
#define LONGEST_RETRY (UINT64_C(1) * 1000000000)
#define UNSENT_MOST 16384

static struct {
    int fd; /* -1: nobody to tell */
    struct sockaddr_un address;
    socklen_t length;
    uint64_t interval; /* ns between two signs of life; 0: nobody waits for them */
    uint64_t next;
    bool silent;
    uint64_t extended; /* the `due` that was told last; 0: none of this state */
    rt_buffer unsent;  /* news that found no room, each ended by NUL */
    uint64_t retry_at, retry_delay;
} manager = {.fd = -1};

/* A path, or after `@` a name of the abstract kind, whose first byte is NUL. */
static bool read_address(const char *name)
{
    size_t length = strlen(name);
    if ((*name != '/' && *name != '@') || length < 2 || length >= sizeof manager.address.sun_path)
        return false;
    manager.address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(manager.address.sun_path, name, length);
    if (*name == '@')
        manager.address.sun_path[0] = '\0';
    manager.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return true;
}

static uint64_t number_in(const char *variable)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : 0;
}

/* At half the time that the manager would wait, as it advises. */
static void read_watchdog(void)
{
    uint64_t pid = number_in("WATCHDOG_PID");
    uint64_t limit = number_in("WATCHDOG_USEC");
    bool ours = limit && limit < UINT64_MAX / MICROSECOND && (!pid || pid == (uint64_t)getpid());
    manager.interval = ours ? limit * MICROSECOND / 2 : 0;
    manager.next = ours ? rt_monotonic() : 0;
}

void rt_notify_open(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    rt_notify_close();
    if (!name || !read_address(name))
        return;
    manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (manager.fd >= 0)
        read_watchdog();
}

void rt_notify_close(void)
{
    if (manager.fd >= 0)
        close(manager.fd);
    manager.fd = -1;
    manager.interval = manager.next = manager.extended = 0;
    rt_buffer_free(&manager.unsent);
}

/* --- sending --------------------------------------------------------------------------------- */

/* False if there is no room now; whoever is gone gets nothing. */
static bool send_one(const char *text)
{
    ssize_t sent;
    do
        sent = sendto(manager.fd, text, strlen(text), MSG_NOSIGNAL,
                      (const struct sockaddr *)&manager.address, manager.length);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

/* In the order it happened, as far as there is room. */
static void flush(uint64_t now)
{
    rt_buffer *unsent = &manager.unsent;
    size_t done = 0;
    while (done < unsent->length && send_one(unsent->data + done))
        done += strlen(unsent->data + done) + 1;
    bool all = done == unsent->length;
    uint64_t longer = done || !manager.retry_delay ? FIRST_RETRY : 2 * manager.retry_delay;
    manager.retry_delay = all ? 0 : longer < LONGEST_RETRY ? longer : LONGEST_RETRY;
    manager.retry_at = all ? 0 : now + manager.retry_delay;
    memmove(unsent->data, unsent->data + done, unsent->length - done);
    unsent->length -= done;
}

/* The status is one line of the datagram. A new state has limits of its own. */
static void tell_state(const char *state, const char *status)
{
    rt_buffer text = {0};
    if (manager.fd < 0)
        return;
    rt_buffer_format(&text, "%s\nSTATUS=%.*s", state, (int)strcspn(status, "\n"), status);
    if (manager.unsent.length + text.length > UNSENT_MOST)
        manager.unsent.length = 0; /* what was says less than what is */
    rt_buffer_add(&manager.unsent, text.data, text.length + 1);
    rt_buffer_free(&text);
    manager.extended = 0;
    flush(rt_monotonic());
}

/* --- news ------------------------------------------------------------------------------------ */

void rt_notify_ready(const char *status)
{
    tell_state("READY=1", status);
}

/* The time tells the manager which READY=1 ends this reload. */
void rt_notify_reloading(const char *status)
{
    rt_buffer state = {0};
    rt_buffer_format(&state, "RELOADING=1\nMONOTONIC_USEC=%ju",
                     (uintmax_t)(rt_monotonic() / MICROSECOND));
    tell_state(state.data, status);
    rt_buffer_free(&state);
}

void rt_notify_stopping(const char *status)
{
    tell_state("STOPPING=1", status);
}

void rt_notify_extend(uint64_t due, uint64_t now)
{
    rt_buffer state = {0};
    if (manager.fd < 0 || due <= now || (manager.extended && due <= manager.extended + SLACK))
        return;
    rt_buffer_format(&state, "EXTEND_TIMEOUT_USEC=%ju",
                     (uintmax_t)((due - now + MARGIN) / MICROSECOND));
    if (manager.unsent.length == 0 && send_one(state.data))
        manager.extended = due;
    rt_buffer_free(&state);
}

bool rt_notify_tick(uint64_t now)
{
    if (manager.retry_at && manager.retry_at <= now)
        flush(now);
    bool awaits = manager.interval && manager.next <= now;
    if (awaits)
        manager.next = now + manager.interval;
    return awaits;
}

void rt_notify_sign(bool well)
{
    if (well && manager.unsent.length == 0)
        send_one("WATCHDOG=1");
    if (!well && !manager.silent)
        rt_log_host(RT_LOG_WARN, "no worker goes on: the watchdog of the service manager hears "
                                 "nothing until one does");
    manager.silent = !well;
}

uint64_t rt_notify_due(void)
{
    uint64_t next = manager.interval ? manager.next : 0, retry = manager.retry_at;
    return retry && (!next || retry < next) ? retry : next;
}
