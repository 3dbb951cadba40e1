#include "process/control.h"

#include "process/generation.h"
#include "telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define BACKLOG 128
#define PATIENCE (10 * SECOND) /* for a request to come, and for a reply to be taken */

void rt_control_init(rt_control *control)
{
    *control = (rt_control){.listener = -1};
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++)
        control->clients[i].fd = -1;
}

/* --- the socket ------------------------------------------------------------------------------ */

static bool set_address(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) > RT_CONTROL_PATH)
        return false;
    strcpy(address->sun_path, path);
    return true;
}

/* One that refuses has lost its rtd; anything else in the place is not ours to remove. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = probe >= 0 &&
                   connect(probe, (const struct sockaddr *)address, sizeof *address) < 0 &&
                   errno == ECONNREFUSED;
    if (probe >= 0)
        close(probe);
    return refused;
}

/* Two that start at once must not take each other's new socket for a leftover. Whoever holds the
 * lock for long hurts nobody but themselves. */
static int lock_folder(rt_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder = slash ? rt_arena_copy_n(arena, path, (size_t)(slash - path) + 1) : ".";
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; fd >= 0 && i < 100 && flock(fd, LOCK_EX | LOCK_NB) < 0; i++)
        usleep(1000);
    return fd;
}

static int bind_private(int fd, const struct sockaddr_un *address)
{
    mode_t mask = umask(0177);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address);
    umask(mask);
    return result;
}

static const char *listen_at(int fd, const struct sockaddr_un *address, rt_arena *arena)
{
    int result = bind_private(fd, address);
    if (result < 0 && errno == EADDRINUSE) {
        if (!is_stale(address))
            return "another rtd, or something else, is there";
        unlink(address->sun_path);
        result = bind_private(fd, address);
    }
    if (result < 0 || listen(fd, BACKLOG) < 0)
        return rt_arena_copy(arena, strerror(errno));
    return NULL;
}

bool rt_control_open(rt_control *control, rt_arena *arena, const char *path, const char **error)
{
    struct sockaddr_un address;
    struct stat status;
    *error = "its path is too long";
    if (!set_address(&address, path))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int lock = lock_folder(arena, path);
    *error = fd < 0 ? "no socket can be made" : listen_at(fd, &address, arena);
    if (lock >= 0)
        close(lock);
    if (*error) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    control->listener = fd;
    strcpy(control->path, path);
    if (stat(path, &status) == 0) {
        control->device = status.st_dev;
        control->inode = status.st_ino;
    }
    return true;
}

/* --- replies --------------------------------------------------------------------------------- */

void rt_client_lines(rt_client *client, const char *word, const char *text)
{
    for (const char *line = text; line && *line;) {
        size_t length = strcspn(line, "\n");
        rt_buffer_format(&client->out, "%s ", word);
        rt_buffer_add(&client->out, line, length);
        rt_buffer_char(&client->out, '\n');
        line += length + (line[length] == '\n');
    }
}

static void add_line(rt_client *client, const char *word, const char *format, va_list arguments)
{
    rt_buffer text = {0};
    rt_buffer_vformat(&text, format, arguments);
    rt_client_lines(client, word, text.data);
    rt_buffer_free(&text);
}

void rt_client_out(rt_client *client, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_line(client, "out", format, arguments);
    va_end(arguments);
}

void rt_client_err(rt_client *client, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_line(client, "err", format, arguments);
    va_end(arguments);
}

void rt_client_exit(rt_client *client, int status)
{
    rt_buffer_format(&client->out, "exit %d\n", status);
    client->answered = true;
    client->waits = RT_WAITS_NOT;
    client->due = rt_monotonic() + PATIENCE;
}

void rt_client_expect(rt_client *client, size_t bytes)
{
    client->body_bytes = bytes;
    rt_buffer_reserve(&client->body, bytes);
    client->due = bytes ? rt_monotonic() + PATIENCE : 0;
}

void rt_control_finish(rt_control *control, enum rt_control_wait what, uint64_t ticket,
                       const char *word, const char *text, int status)
{
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        rt_client *client = &control->clients[i];
        if (client->fd < 0 || client->waits != what || client->ticket > ticket)
            continue;
        rt_client_lines(client, word, text);
        rt_client_exit(client, status);
    }
}

/* --- clients --------------------------------------------------------------------------------- */

static void wipe(rt_buffer *buffer)
{
    if (buffer->data)
        explicit_bzero(buffer->data, buffer->capacity);
    rt_buffer_free(buffer);
}

static void drop(rt_client *client)
{
    close(client->fd);
    wipe(&client->out);
    wipe(&client->body);
    free(client->request);
    *client = (rt_client){.fd = -1};
}

static void send_more(rt_client *client)
{
    size_t left = client->out.length - client->sent;
    ssize_t sent = left ? send(client->fd, client->out.data + client->sent, left, MSG_NOSIGNAL) : 0;
    if (sent > 0)
        client->sent += (size_t)sent;
    bool hopeless = sent < 0 && errno != EAGAIN && errno != EINTR;
    if (hopeless || (client->answered && client->sent == client->out.length))
        drop(client);
}

static void refuse(rt_client *client, const char *reason)
{
    client->asked = true;
    rt_client_err(client, "rtd: %s", reason);
    rt_client_exit(client, EX_USAGE);
}

static void ask(rt_control *control, rt_client *client)
{
    char *words[RT_CONTROL_WORDS + 1], *rest = NULL;
    int count = 0;
    client->asked = true;
    client->due = 0;
    for (char *word = strtok_r(client->line, " \r", &rest); word && count <= RT_CONTROL_WORDS;
         word = strtok_r(NULL, " \r", &rest))
        words[count++] = word;
    if (!count || count > RT_CONTROL_WORDS)
        refuse(client, "a request is a line of 1 to 16 words");
    else
        control->ask(control->owner, client, count, words);
}

static bool is_text(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)bytes[i] < ' ' && bytes[i] != '\r')
            return false;
    return true;
}

static void take_body(rt_client *client, const char *bytes, size_t length)
{
    size_t wanted = client->body_bytes - client->body.length;
    rt_buffer_add(&client->body, bytes, length < wanted ? length : wanted);
    if (client->body.length == client->body_bytes)
        client->due = 0;
}

static void receive_body(rt_client *client)
{
    char bytes[4096];
    size_t wanted = client->body_bytes - client->body.length;
    ssize_t got = recv(client->fd, bytes, wanted < sizeof bytes ? wanted : sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        drop(client);
    else
        take_body(client, bytes, (size_t)got);
    explicit_bzero(bytes, sizeof bytes);
}

static bool is_incomplete(const rt_client *client)
{
    return !client->answered && client->body.length < client->body_bytes;
}

static void receive(rt_control *control, rt_client *client)
{
    size_t room = sizeof client->line - client->length;
    ssize_t got = recv(client->fd, client->line + client->length, room, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 || client->asked) { /* one request a connection */
        drop(client);
        return;
    }
    client->length += (size_t)got;
    char *end = memchr(client->line, '\n', client->length);
    if (!end && client->length == sizeof client->line) {
        refuse(client, "the request is too long");
    } else if (end && !is_text(client->line, (size_t)(end - client->line))) {
        refuse(client, "the request is no text");
    } else if (end) {
        *end = '\0';
        ask(control, client);
        if (is_incomplete(client))
            take_body(client, end + 1, (size_t)(client->line + client->length - end - 1));
    }
}

static void hear(rt_control *control, rt_client *client)
{
    if (is_incomplete(client))
        receive_body(client);
    else
        receive(control, client);
}

/* A free one, or that of whoever has been silent for longest. */
static rt_client *make_place(rt_control *control)
{
    rt_client *silent = NULL;
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        rt_client *client = &control->clients[i];
        if (client->fd < 0)
            return client;
        bool speaks = !client->asked || is_incomplete(client);
        if (speaks && (!silent || client->due < silent->due))
            silent = client;
    }
    if (silent)
        drop(silent);
    return silent;
}

static bool is_allowed(int fd, uid_t *uid)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return false;
    *uid = peer.uid;
    return peer.uid == 0 || peer.uid == geteuid();
}

/* False: nobody is left who waits. */
static bool accept_client(rt_control *control)
{
    int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        control->paused = rt_monotonic() + SECOND; /* out of descriptors, most likely */
    if (fd < 0)
        return false;
    uid_t uid = 0;
    rt_client *client = is_allowed(fd, &uid) ? make_place(control) : NULL;
    if (!client) {
        close(fd);
        return true;
    }
    client->fd = fd;
    client->uid = uid;
    client->due = rt_monotonic() + PATIENCE;
    return true;
}

/* --- turning --------------------------------------------------------------------------------- */

void rt_control_poll(const rt_control *control, struct pollfd *polls)
{
    polls[0] = (struct pollfd){.fd = control->paused ? -1 : control->listener, .events = POLLIN};
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        const rt_client *client = &control->clients[i];
        bool full = client->out.length > client->sent;
        polls[i + 1] =
            (struct pollfd){.fd = client->fd, .events = full ? POLLIN | POLLOUT : POLLIN};
    }
}

void rt_control_handle(rt_control *control, const struct pollfd *polls)
{
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        rt_client *client = &control->clients[i];
        if (client->fd < 0 || client->fd != polls[i + 1].fd)
            continue;
        if (polls[i + 1].revents & (POLLIN | POLLHUP | POLLERR))
            hear(control, client);
        if (client->fd >= 0 && client->out.length)
            send_more(client);
    }
    for (int i = 0; polls[0].revents & POLLIN && i < RT_CONTROL_CLIENTS / 2; i++)
        if (!accept_client(control))
            break;
}

void rt_control_flush(rt_control *control)
{
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++)
        if (control->clients[i].fd >= 0 && control->clients[i].answered)
            send_more(&control->clients[i]);
}

void rt_control_tick(rt_control *control, uint64_t now)
{
    if (control->paused && control->paused <= now)
        control->paused = 0;
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        rt_client *client = &control->clients[i];
        if (client->fd >= 0 && client->due && client->due <= now)
            drop(client);
    }
}

uint64_t rt_control_due(const rt_control *control)
{
    uint64_t soonest = control->paused;
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        const rt_client *client = &control->clients[i];
        if (client->fd >= 0 && client->due && (!soonest || client->due < soonest))
            soonest = client->due;
    }
    return soonest;
}

void rt_control_close(rt_control *control)
{
    struct stat status;
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        rt_client *client = &control->clients[i];
        if (client->fd >= 0 && client->out.length)
            send_more(client);
        if (client->fd >= 0)
            drop(client);
    }
    if (control->listener < 0)
        return;
    if (lstat(control->path, &status) == 0 && status.st_dev == control->device &&
        status.st_ino == control->inode)
        unlink(control->path);
    close(control->listener);
    control->listener = -1;
}
