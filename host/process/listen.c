#include "process/listen.h"

#include "config/listener.h"
#include "http/http.h"
#include "process/passed.h"
#include "telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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
    int one = 1, passed = rt_passed_take(info->ai_addr, info->ai_addrlen);
    if (passed >= 0)
        return passed;
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

static void add_socket(rt_sockets *sockets, rt_arena *arena, int fd, const char *url, uint64_t file)
{
    rt_push(arena, sockets->items, sockets->count) =
        (rt_socket){.fd = fd, .url = url, .file = file};
}

/* A family that the machine lacks (no IPv6) is passed over as long as another one works. */
static int open_each(rt_sockets *sockets, rt_arena *arena, const struct addrinfo *list)
{
    size_t before = sockets->count;
    int missing = -EADDRNOTAVAIL;
    for (const struct addrinfo *info = list; info; info = info->ai_next) {
        if (rt_passed_covers(info->ai_addr))
            continue;
        int fd = open_socket(info);
        if (fd == -EAFNOSUPPORT || (fd == -EADDRNOTAVAIL && list->ai_next)) {
            missing = fd;
            continue;
        }
        if (fd < 0)
            return fd;
        add_socket(sockets, arena, fd, url_of(arena, fd), 0);
    }
    return sockets->count > before ? 0 : missing;
}

static int open_internet(rt_sockets *sockets, rt_arena *arena, const char *address,
                         const char **error)
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

/* --- unix sockets ---------------------------------------------------------------------------- */

static uint64_t file_at(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

/* Whether a server answers at the address; what a dead one left refuses. */
static bool is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 &&
                   (errno == ECONNREFUSED || errno == ENOENT);
    if (fd >= 0)
        close(fd);
    return !refused;
}

/* Frees the path for a new socket. NULL, or why that cannot be. */
static const char *clear_path(rt_arena *arena, const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) < 0)
        return errno == ENOENT ? NULL : rt_arena_copy(arena, strerror(errno));
    if (!S_ISSOCK(status.st_mode))
        return "a file that is no socket is there";
    if (is_alive(address))
        return "another server listens there";
    return unlink(address->sun_path) < 0 ? rt_arena_copy(arena, strerror(errno)) : NULL;
}

/* The file has its mode from the first moment on. */
static int bind_with_mode(int fd, const struct sockaddr_un *address, uint32_t mode)
{
    mode_t before = umask(~mode & 0777);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address);
    umask(before);
    return result;
}

static int open_unix(rt_sockets *sockets, rt_arena *arena, const rt_listener_spec *spec,
                     const char **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, spec->path, strlen(spec->path) + 1);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(spec->path) + 1);
    int passed = rt_passed_take((const struct sockaddr *)&address, length);
    if (passed >= 0) { /* whose file is the service manager's */
        add_socket(sockets, arena, passed, rt_arena_copy(arena, spec->address), 0);
        return 0;
    }
    *error = clear_path(arena, &address);
    if (*error)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind_with_mode(fd, &address, spec->mode) == 0 && listen(fd, BACKLOG) == 0) {
        add_socket(sockets, arena, fd, rt_arena_copy(arena, spec->address), file_at(spec->path));
        return 0;
    }
    *error = rt_arena_copy(arena, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* --- both ------------------------------------------------------------------------------------ */

uint32_t rt_listen_flags(const char *address)
{
    rt_listener_spec spec;
    if (rt_listener_parse(&spec, address))
        return 0;
    return (spec.tls ? RT_LISTEN_TLS : 0u) | (spec.proxy_protocol ? RT_LISTEN_PROXY : 0u);
}

int rt_listen(rt_sockets *sockets, rt_arena *arena, const char *address, const char **error)
{
    rt_listener_spec spec;
    size_t before = sockets->count;
    *error = rt_listener_parse(&spec, address);
    if (*error)
        return -1;
    int result = spec.path ? open_unix(sockets, arena, &spec, error)
                           : open_internet(sockets, arena, spec.address, error);
    for (size_t i = before; i < sockets->count; i++)
        sockets->items[i].flags = rt_listen_flags(address);
    return result;
}

/* By a descriptor, so that nobody can put another file into the place between look and change. */
void rt_listen_set_mode(const rt_sockets *sockets, const char *address)
{
    rt_listener_spec spec;
    struct stat status;
    char name[64];
    if (rt_listener_parse(&spec, address) || !spec.path || !sockets->count ||
        !sockets->items[0].file)
        return;
    int fd = open(spec.path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    bool ours = fd >= 0 && fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
                status.st_ino == sockets->items[0].file;
    if (ours && chmod(name, spec.mode) < 0)
        rt_log_host(RT_LOG_WARN, "cannot give `%s` the mode %04o: %s", spec.path, spec.mode,
                    strerror(errno));
    if (fd >= 0)
        close(fd);
}

void rt_sockets_close(rt_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        const rt_socket *item = &sockets->items[i];
        const char *path = item->file ? item->url + strlen("unix:") : NULL;
        if (path && file_at(path) == item->file)
            unlink(path);
        close(item->fd);
    }
    sockets->count = 0;
}
