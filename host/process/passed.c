#include "process/passed.h"

#include "telemetry/log.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST 3 /* SD_LISTEN_FDS_START */
#define MOST 256

static struct passed {
    int fd; /* -1: of no use */
    bool taken;
    struct sockaddr_storage address;
    socklen_t length;
} sockets[MOST];
static int count;

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, option, &value, &length) == 0 ? value : -1;
}

static void accept_socket(int fd)
{
    struct passed *passed = &sockets[count++];
    *passed = (struct passed){.fd = fd, .length = sizeof passed->address};
    bool listens = option_of(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
                   option_of(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (listens && getsockname(fd, (struct sockaddr *)&passed->address, &passed->length) == 0)
        return;
    rt_log_host(RT_LOG_WARN,
                "descriptor %d, which the service manager passed, is no listening "
                "stream socket: it is not used",
                fd);
    passed->fd = -1;
}

/* The descriptors are close-on-exec from now on: a program that takes this one's place must not
 * look for them. */
static void forget_variables(void)
{
    static const char *const names[] = {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
}

void rt_passed_open(void)
{
    const char *pid = getenv("LISTEN_PID"), *passed = getenv("LISTEN_FDS");
    long wanted = passed ? strtol(passed, NULL, 10) : 0;
    if (!pid || strtol(pid, NULL, 10) != (long)getpid() || count)
        return;
    for (int i = 0; i < wanted && i < MOST; i++)
        accept_socket(FIRST + i);
    forget_variables();
}

static bool is_any(const struct in6_addr *address)
{
    return memcmp(address, &in6addr_any, sizeof *address) == 0;
}

/* Scope and flow of an IPv6 address are the kernel's business. */
static bool is_same(const struct passed *passed, const struct sockaddr *address, socklen_t length)
{
    const struct sockaddr_in *in = (const void *)address, *own = (const void *)&passed->address;
    const struct sockaddr_in6 *in6 = (const void *)address, *own6 = (const void *)&passed->address;
    if (passed->fd < 0 || passed->address.ss_family != address->sa_family)
        return false;
    if (address->sa_family == AF_INET)
        return in->sin_port == own->sin_port && in->sin_addr.s_addr == own->sin_addr.s_addr;
    if (address->sa_family == AF_INET6)
        return in6->sin6_port == own6->sin6_port &&
               memcmp(&in6->sin6_addr, &own6->sin6_addr, sizeof in6->sin6_addr) == 0;
    return length == passed->length && memcmp(address, &passed->address, length) == 0;
}

static bool covers(const struct passed *passed, const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const void *)address;
    const struct sockaddr_in6 *own = (const void *)&passed->address;
    return passed->fd >= 0 && address->sa_family == AF_INET && in->sin_addr.s_addr == INADDR_ANY &&
           own->sin6_family == AF_INET6 && own->sin6_port == in->sin_port &&
           is_any(&own->sin6_addr) && option_of(passed->fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
}

bool rt_passed_covers(const struct sockaddr *address)
{
    for (int i = 0; i < count; i++)
        if (covers(&sockets[i], address))
            return true;
    return false;
}

int rt_passed_take(const struct sockaddr *address, socklen_t length)
{
    for (int i = 0; i < count; i++) {
        if (!is_same(&sockets[i], address, length))
            continue;
        int copy = fcntl(sockets[i].fd, F_DUPFD_CLOEXEC, FIRST);
        if (copy >= 0)
            fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK);
        sockets[i].taken = copy >= 0;
        return copy;
    }
    return -1;
}

static void describe(const struct passed *passed, char *text, size_t size)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const struct sockaddr_un *local = (const void *)&passed->address;
    const struct sockaddr *address = (const void *)&passed->address;
    if (local->sun_family == AF_UNIX)
        snprintf(text, size, "%s%s", *local->sun_path ? "" : "@",
                 local->sun_path + !*local->sun_path);
    else if (getnameinfo(address, passed->length, host, sizeof host, port, sizeof port,
                         NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(text, size, local->sun_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    else
        snprintf(text, size, "descriptor %d", passed->fd);
}

void rt_passed_report(void)
{
    char text[NI_MAXHOST + NI_MAXSERV];
    for (int i = 0; i < count; i++) {
        if (sockets[i].fd < 0 || sockets[i].taken)
            continue;
        describe(&sockets[i], text, sizeof text);
        rt_log_host(RT_LOG_WARN,
                    "the service manager passed a socket for `%s`, which no setting names: it is "
                    "not served",
                    text);
    }
}
