#include "process/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024

/* "host:port" or "[host]:port"; false if there is no port. */
static bool split(rt_arena *arena, const char *address, const char **host, const char **port)
{
    const char *colon = strrchr(address, ':');
    if (!colon || !colon[1])
        return false;
    size_t length = (size_t)(colon - address);
    if (length >= 2 && address[0] == '[' && colon[-1] == ']')
        address++, length -= 2;
    *host = rt_arena_copy_n(arena, address, length);
    *port = colon + 1;
    if (length == 0 || strcmp(*host, "*") == 0)
        *host = NULL;
    return true;
}

static int open_socket(const struct addrinfo *info)
{
    int one = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static const char *url_of(rt_arena *arena, int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0 ||
        getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return "http://?";
    bool brackets = address.ss_family == AF_INET6;
    return rt_arena_format(arena, brackets ? "http://[%s]:%s" : "http://%s:%s", host, port);
}

/* A family that the machine lacks (no IPv6) is passed over as long as another one works. */
static int open_each(rt_sockets *sockets, rt_arena *arena, const struct addrinfo *list)
{
    size_t before = sockets->count;
    int missing = -EADDRNOTAVAIL;
    for (const struct addrinfo *info = list; info; info = info->ai_next) {
        int fd = open_socket(info);
        if (fd == -EAFNOSUPPORT || (fd == -EADDRNOTAVAIL && list->ai_next)) {
            missing = fd;
            continue;
        }
        if (fd < 0)
            return fd;
        rt_push(arena, sockets->items, sockets->count) =
            (rt_socket){.fd = fd, .url = url_of(arena, fd)};
    }
    return sockets->count > before ? 0 : missing;
}

int rt_listen(rt_sockets *sockets, rt_arena *arena, const char *address, const char **error)
{
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    const char *host, *port;
    *error = "it is not `host:port`";
    if (!split(arena, address, &host, &port))
        return -1;
    int code = getaddrinfo(host, port, &wanted, &list);
    if (code != 0) {
        *error = gai_strerror(code);
        return -1;
    }
    int result = open_each(sockets, arena, list);
    freeaddrinfo(list);
    *error = result < 0 ? rt_arena_copy(arena, strerror(-result)) : NULL;
    return result < 0 ? -1 : 0;
}

void rt_sockets_close(rt_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        close(sockets->items[i].fd);
    sockets->count = 0;
}
