/* file.c — answering with a file: found without leaving its folder, read without blocking */
#include "http/file.h"

#include "http/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECE RT_STREAM_WINDOW
#define WHOLE_LIMIT 32768u /* a file up to here leaves with its head, by one send */

/* --- opening --------------------------------------------------------------------------------- */

struct opening {
    const char *folder; /* or NULL */
    const char *path;
    bool cached; /* only what needs no disk */
    int fd;
    int error;
};

/* O_NONBLOCK: a FIFO must not hold the loop. It is refused after. */
#define READING (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* For kernels and sandboxes without openat2: segment by segment, and no link is followed. */
static int walk(int folder, const char *path)
{
    char name[NAME_MAX + 1];
    int at = *path == '/' ? -1 : fcntl(folder, F_DUPFD_CLOEXEC, 0);
    errno = *path == '/' ? EXDEV : errno;
    for (size_t length; at >= 0 && *path; path += length + strspn(path + length, "/")) {
        length = strcspn(path, "/");
        bool last = !path[length], fits = length <= NAME_MAX;
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        int next = -1;
        errno = fits ? EXDEV : ENAMETOOLONG;
        if (fits && strcmp(name, ".."))
            next =
                openat(at, name, O_NOFOLLOW | (last ? READING : O_PATH | O_DIRECTORY | O_CLOEXEC));
        int error = errno;
        close(at);
        at = next;
        errno = error;
    }
    return at;
}

static int open_within(const struct opening *opening, struct open_how *how)
{
    int folder = open(opening->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    how->resolve |= RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    int fd = (int)syscall(SYS_openat2, folder, opening->path, how, sizeof *how);
    if (fd < 0 && errno == ENOSYS && !opening->cached)
        fd = walk(folder, opening->path);
    int error = errno;
    close(folder);
    errno = error;
    return fd;
}

static int open_anywhere(const struct opening *opening, struct open_how *how)
{
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, opening->path, how, sizeof *how);
    return fd < 0 && errno == ENOSYS && !opening->cached ? open(opening->path, READING) : fd;
}

static int open_file(void *argument)
{
    struct opening *opening = argument;
    struct open_how how = {.flags = READING, .resolve = opening->cached ? RESOLVE_CACHED : 0};
    opening->fd = opening->folder ? open_within(opening, &how) : open_anywhere(opening, &how);
    opening->error = opening->fd < 0 ? errno : 0;
    return 0;
}

static int fail_opening(rt_ctx *ctx, const struct opening *opening)
{
    static const int absent[] = {ENOENT, ENOTDIR, EXDEV, ELOOP, ENAMETOOLONG, ENXIO, EISDIR};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        if (opening->error == absent[i])
            return rt_host_fail(ctx, RT_ENOT_FOUND, "there is no such file");
    if (opening->error == EACCES || opening->error == EPERM)
        return rt_host_fail(ctx, RT_EPERMISSION_DENIED, "the file may not be read");
    return rt_host_fail(ctx, RT_EUNAVAILABLE, "cannot open `%s`: %s", opening->path,
                        strerror(opening->error));
}

static void close_file(rt_ctx *ctx, void *argument)
{
    (void)ctx;
    close((int)(intptr_t)argument);
}

/* Closed when the unit ends. */
static int open_regular(rt_ctx *ctx, struct opening *opening, struct stat *status)
{
    opening->cached = true;
    open_file(opening);
    if (opening->error == EAGAIN || opening->error == EINVAL || opening->error == ENOSYS) {
        opening->cached = false;
        RT_TRY(rt_host_blocking(ctx, open_file, opening));
    }
    if (opening->fd < 0)
        return fail_opening(ctx, opening);
    RT_TRY(rt_host_defer(ctx, close_file, (void *)(intptr_t)opening->fd));
    if (fstat(opening->fd, status) < 0 || !S_ISREG(status->st_mode))
        return rt_host_fail(ctx, RT_ENOT_FOUND, "there is no such file");
    return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

struct reading {
    int fd;
    char *into;
    size_t size;
    uint64_t offset;
    ssize_t got; /* or -errno */
};

static int read_file(void *argument)
{
    struct reading *reading = argument;
    do
        reading->got = pread(reading->fd, reading->into, reading->size, (off_t)reading->offset);
    while (reading->got < 0 && errno == EINTR);
    if (reading->got < 0)
        reading->got = -errno;
    return 0;
}

/* From memory if it is there, which the kernel tells without waiting; else in the pool. */
static int read_some(rt_ctx *ctx, struct reading *reading)
{
    struct iovec piece = {reading->into, reading->size};
    reading->got = preadv2(reading->fd, &piece, 1, (off_t)reading->offset, RWF_NOWAIT);
    if (reading->got <= 0)
        RT_TRY(rt_host_blocking(ctx, read_file, reading));
    if (reading->got < 0)
        return rt_host_fail(ctx, RT_EDATA_LOSS, "the file cannot be read: %s",
                            strerror((int)-reading->got));
    if (reading->got == 0)
        return rt_host_fail(ctx, RT_EUNAVAILABLE, "the file has shrunk while it was sent");
    return 0;
}

static int send_range(rt_ctx *ctx, rt_response *response, int fd, char *buffer, rt_range range)
{
    struct reading reading = {.fd = fd, .into = buffer, .offset = range.first};
    for (uint64_t rest = range.length; rest; rest -= (uint64_t)reading.got) {
        reading.size = rest < PIECE ? rest : PIECE;
        RT_TRY(read_some(ctx, &reading));
        RT_TRY(rt_host_respond_write(ctx, response, buffer, (uint64_t)reading.got));
        reading.offset += (uint64_t)reading.got;
    }
    return 0;
}

/* --- answers --------------------------------------------------------------------------------- */

typedef struct file_answer {
    const rt_request *request;
    rt_response *response;
    const char *type;
    int fd;
    rt_file_facts facts;
    rt_range ranges[RT_RANGES];
    uint32_t count;
} file_answer;

static int send_small(rt_ctx *ctx, const file_answer *answer, uint32_t status, rt_range range)
{
    char *buffer = rt_host_alloc(ctx, range.length + 1);
    struct reading reading = {.fd = answer->fd, .into = buffer, .offset = range.first};
    for (uint64_t rest = range.length; rest; rest -= (uint64_t)reading.got) {
        reading.size = rest;
        RT_TRY(read_some(ctx, &reading));
        reading.into += reading.got;
        reading.offset += (uint64_t)reading.got;
    }
    return rt_host_respond(ctx, answer->response, status, answer->type, buffer, range.length);
}

static int begin_long(rt_ctx *ctx, const file_answer *answer, uint32_t status, const char *type,
                      uint64_t length)
{
    RT_TRY(rt_response_begin_sized(ctx, answer->response, status, type, length));
    rt_exchange_lift_deadline(ctx, rt_exchange_of(answer->response));
    return 0;
}

static int send_one(rt_ctx *ctx, const file_answer *answer, uint32_t status, rt_range range)
{
    if (range.length <= WHOLE_LIMIT) /* for HEAD too: its length may be that of the coded body */
        return send_small(ctx, answer, status, range);
    RT_TRY(begin_long(ctx, answer, status, answer->type, range.length));
    if (answer->response->head_only)
        return 0;
    return send_range(ctx, answer->response, answer->fd, rt_host_alloc(ctx, PIECE), range);
}

static int add_content_range(rt_ctx *ctx, const file_answer *answer, rt_range range)
{
    return rt_host_response_header(ctx, answer->response, "Content-Range",
                                   rt_host_format(ctx, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                                                  range.first, range.first + range.length - 1,
                                                  answer->facts.size));
}

/* The lines before one range of several; the tag's characters make a boundary that no part of the
 * file holds except on purpose. */
static char *part_head(rt_ctx *ctx, const file_answer *answer, const char *boundary, uint32_t index)
{
    rt_range range = answer->ranges[index];
    return rt_host_format(ctx,
                          "%s--%s\r\nContent-Type: %s\r\n"
                          "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
                          index ? "\r\n" : "", boundary, answer->type, range.first,
                          range.first + range.length - 1, answer->facts.size);
}

static int send_parts(rt_ctx *ctx, const file_answer *answer)
{
    const char *boundary =
        rt_host_format(ctx, "part-%s-%016" PRIx64, rt_host_correlation_id(ctx), rt_host_now());
    const char *last = rt_host_format(ctx, "\r\n--%s--\r\n", boundary);
    const char *heads[RT_RANGES];
    uint64_t length = strlen(last);
    for (uint32_t i = 0; i < answer->count; i++) {
        heads[i] = part_head(ctx, answer, boundary, i);
        length += strlen(heads[i]) + answer->ranges[i].length;
    }
    const char *type = rt_host_format(ctx, "multipart/byteranges; boundary=\"%s\"", boundary);
    RT_TRY(begin_long(ctx, answer, 206, type, length));
    char *buffer = rt_host_alloc(ctx, PIECE);
    for (uint32_t i = 0; i < answer->count; i++) {
        RT_TRY(rt_host_respond_write(ctx, answer->response, heads[i], strlen(heads[i])));
        RT_TRY(send_range(ctx, answer->response, answer->fd, buffer, answer->ranges[i]));
    }
    return rt_host_respond_write(ctx, answer->response, last, strlen(last));
}

static int send_partial(rt_ctx *ctx, const file_answer *answer)
{
    if (answer->count > 1)
        return send_parts(ctx, answer);
    RT_TRY(add_content_range(ctx, answer, answer->ranges[0]));
    return send_one(ctx, answer, 206, answer->ranges[0]);
}

static const rt_refusal precondition_failed = {412, NULL};

static int send_by_status(rt_ctx *ctx, const file_answer *answer, uint32_t status)
{
    rt_exchange *exchange = rt_exchange_of(answer->response);
    switch (status) {
    case 206:
        return send_partial(ctx, answer);
    case 304:
        if (answer->facts.size <= WHOLE_LIMIT)
            rt_compress_unsent(exchange, answer->type, answer->facts.size);
        return rt_host_respond(ctx, answer->response, 304, NULL, NULL, 0);
    case 412:
        exchange->refused = &precondition_failed;
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "the file is not as the client has it");
    case 416:
        RT_TRY(
            rt_host_response_header(ctx, answer->response, "Content-Range",
                                    rt_host_format(ctx, "bytes */%" PRIu64, answer->facts.size)));
        return rt_host_respond(ctx, answer->response, 416, NULL, NULL, 0);
    default:
        return send_one(ctx, answer, 200, (rt_range){0, answer->facts.size});
    }
}

/* --- what a handler calls -------------------------------------------------------------------- */

/* What a folder holds but does not show: hidden files (`.git`, `.env`), but for RFC 8615's. */
static bool is_hidden(const char *path)
{
    static const char shown[] = ".well-known";
    for (const char *at = path; *at; at += strspn(at, "/")) {
        size_t length = strcspn(at, "/");
        if (*at == '.' && (length != sizeof shown - 1 || memcmp(at, shown, length)))
            return true;
        at += length;
    }
    return false;
}

/* The path within a folder as text; its index page where it names a folder. */
static const char *path_within(rt_ctx *ctx, rt_str path)
{
    bool folder = !path.length || path.data[path.length - 1] == '/';
    return rt_host_format(ctx, "%.*s%s", (int)path.length, path.length ? path.data : "",
                          folder ? "index.html" : "");
}

static int add_headers(rt_ctx *ctx, const file_answer *answer)
{
    char modified[RT_TIME_SIZE];
    rt_http_time_write(answer->facts.modified, modified);
    RT_TRY(rt_host_response_header(ctx, answer->response, "ETag", answer->facts.tag));
    RT_TRY(rt_host_response_header(ctx, answer->response, "Last-Modified", modified));
    return rt_host_response_header(ctx, answer->response, "Accept-Ranges", "bytes");
}

static void learn(rt_ctx *ctx, rt_file_facts *facts, const struct stat *status)
{
    uint64_t nanoseconds =
        (uint64_t)status->st_mtim.tv_sec * 1000000000u + (uint64_t)status->st_mtim.tv_nsec;
    facts->size = (uint64_t)status->st_size;
    facts->modified = status->st_mtim.tv_sec;
    facts->now = time(NULL);
    facts->tag = rt_host_format(ctx, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"",
                                (uint64_t)status->st_ino, facts->size, nanoseconds);
}

int rt_host_respond_file(rt_ctx *ctx, const rt_request *request, rt_response *response,
                         const char *folder, const char *name, uint64_t length,
                         const char *content_type)
{
    rt_str path = {name, length};
    struct opening opening = {.folder = folder};
    struct stat status;
    file_answer answer = {.request = request, .response = response};
    RT_TRY(rt_response_check_open(ctx, response));
    if (path.length && memchr(path.data, '\0', path.length))
        return rt_host_fail(ctx, RT_ENOT_FOUND, "there is no such file");
    opening.path =
        folder ? path_within(ctx, path) : rt_host_format(ctx, "%.*s", (int)path.length, path.data);
    if (folder && is_hidden(opening.path))
        return rt_host_fail(ctx, RT_ENOT_FOUND, "there is no such file");
    RT_TRY(open_regular(ctx, &opening, &status));
    answer.fd = opening.fd;
    answer.type = content_type ? content_type : rt_media_type(opening.path);
    learn(ctx, &answer.facts, &status);
    RT_TRY(add_headers(ctx, &answer));
    uint32_t judged = rt_file_judge(request, &answer.facts, answer.ranges, &answer.count);
    return send_by_status(ctx, &answer, judged);
}
