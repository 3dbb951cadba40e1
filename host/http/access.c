/* access.c — the access log: a line for each exchange
 *
 * Lines are collected and written once a turn of the loop. A reader that does not keep up costs
 * lines, never time: every descriptor is written without waiting.
 */
#include "http/features.h"

#include "base/redact.h"
#include "http/access_line.h"
#include "http/internal.h"
#include "telemetry/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of lines that nobody takes; what comes beyond is lost, and counted. */
#define PENDING_LIMIT (1u << 20)
#define LAST_TRIES 100
#define LAST_WAIT 10 /* ms */

struct rt_access_log {
    uv_idle_t idle; /* on while lines wait, so that the loop does not sleep over them */
    int fd;
    bool whole; /* a file: takes any length at once */
    bool is_socket;
    bool may_block; /* the descriptor is somebody else's too: ask before each write */
    bool stopped, closed;
    bool with_query;
    rt_access_writer *write;
    rt_access_style style;
    rt_buffer pending;
    uint64_t lost;
};

/* --- the descriptor -------------------------------------------------------------------------- */

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

/* The log's own descriptor, opened once more: non-blocking is a property of the opening, and other
 * processes write to this one. */
static int open_log_again(void)
{
    char path[32];
    struct stat status;
    int fd = -1, present = rt_log_descriptor();
    if (fstat(present, &status) < 0)
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", present);
    if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))
        fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    return fd < 0 ? fcntl(present, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : fd;
}

int rt_http_access_output(const rt_setting *access_log)
{
    const rt_setting *file = access_log ? rt_setting_member(access_log, "file") : NULL;
    return file ? open_file(file->value.text) : open_log_again();
}

static bool use_output(rt_access_log *log, int fd)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return false;
    log->fd = fd;
    log->whole = S_ISREG(status.st_mode);
    log->is_socket = S_ISSOCK(status.st_mode);
    log->may_block = !log->whole && !log->is_socket && !(fcntl(fd, F_GETFL) & O_NONBLOCK);
    return true;
}

/* --- writing --------------------------------------------------------------------------------- */

static ssize_t write_some(const rt_access_log *log, const char *data, size_t length)
{
    ssize_t written;
    if (log->is_socket)
        written = send(log->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    else if (log->may_block && poll(&(struct pollfd){log->fd, POLLOUT, 0}, 1, 0) != 1)
        return -EAGAIN;
    else
        written = write(log->fd, data, length);
    return written < 0 ? -errno : written;
}

/* As many whole lines as may be written at once without being mixed with those of others. */
static size_t next_piece(const rt_access_log *log, const char *data, size_t length)
{
    if (log->whole || length <= PIPE_BUF)
        return length;
    size_t end = PIPE_BUF;
    while (end && data[end - 1] != '\n')
        end--;
    if (end)
        return end;
    while (data[end++] != '\n')
        ;
    return end;
}

static uint64_t count_lines(const char *data, size_t length)
{
    uint64_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += data[i] == '\n';
    return count;
}

static void tell_loss(rt_access_log *log)
{
    uint64_t lost = log->lost;
    log->lost = 0;
    rt_log_host(RT_LOG_WARN, "%llu line%s of the access log could not be written",
                (unsigned long long)lost, lost == 1 ? "" : "s");
}

static void flush(rt_access_log *log)
{
    rt_buffer *pending = &log->pending;
    size_t sent = 0;
    ssize_t written = 0;
    while (sent < pending->length) {
        const char *data = pending->data + sent;
        written = write_some(log, data, next_piece(log, data, pending->length - sent));
        if (written == -EINTR)
            continue;
        if (written < 0)
            break;
        sent += (size_t)written;
    }
    if (written < 0 && written != -EAGAIN) {
        log->lost += count_lines(pending->data + sent, pending->length - sent);
        sent = pending->length;
    } else if (written >= 0 && log->lost) {
        tell_loss(log);
    }
    if (sent)
        memmove(pending->data, pending->data + sent, pending->length - sent);
    pending->length -= sent;
}

/* What could not be written now is tried again with the next line. */
static void on_idle(uv_idle_t *idle)
{
    flush(idle->data);
    uv_idle_stop(idle);
}

/* --- life ------------------------------------------------------------------------------------ */

rt_access_log *rt_access_open(const rt_setting *settings, const char *format, const char *service,
                              int output, uv_loop_t *loop)
{
    const rt_setting *query = settings ? rt_setting_member(settings, "query") : NULL;
    rt_access_log *log = rt_xcalloc(1, sizeof *log);
    log->style.service = service;
    log->style.pid = (int)getpid();
    log->with_query = !query || query->value.integer;
    log->write = rt_access_writer_named(format);
    if (!log->write || !use_output(log, output ? output : rt_http_access_output(settings))) {
        int error = errno;
        free(log);
        errno = error;
        return NULL;
    }
    uv_idle_init(loop, &log->idle);
    log->idle.data = log;
    return log;
}

/* In one step and under the old number, so that nobody else's line is lost. */
int rt_access_reopen(rt_access_log *log, int fd)
{
    if (!log)
        return 0;
    flush(log);
    if (dup3(fd, log->fd, O_CLOEXEC) < 0)
        return -errno;
    use_output(log, log->fd);
    return 0;
}

static void on_idle_closed(uv_handle_t *handle)
{
    rt_access_log *log = handle->data;
    log->stopped = true;
    if (log->closed)
        rt_access_close(log);
}

void rt_access_stop(rt_access_log *log)
{
    if (!log || uv_is_closing((uv_handle_t *)&log->idle))
        return;
    flush(log);
    uv_close((uv_handle_t *)&log->idle, on_idle_closed);
}

/* Nothing is served any more, so a slow reader gets a moment for the rest. */
static void flush_last(rt_access_log *log)
{
    for (int i = 0; i < LAST_TRIES && log->pending.length; i++) {
        poll(&(struct pollfd){log->fd, POLLOUT, 0}, 1, LAST_WAIT);
        flush(log);
    }
    log->lost += count_lines(log->pending.data, log->pending.length);
    if (log->lost)
        tell_loss(log);
}

void rt_access_close(rt_access_log *log)
{
    if (!log)
        return;
    log->closed = true;
    rt_access_stop(log);
    if (!log->stopped)
        return;
    flush_last(log);
    close(log->fd);
    rt_buffer_free(&log->pending);
    free(log);
}

/* --- one exchange ---------------------------------------------------------------------------- */

static rt_str without_query(const rt_access_log *log, rt_str target)
{
    const char *mark =
        log->with_query || !target.length ? NULL : memchr(target.data, '?', target.length);
    if (mark)
        target.length = (uint64_t)(mark - target.data);
    return target;
}

/* What is known of the request, copied: the head is gone when the line is written. */
void rt_access_begin(const rt_access_log *log, rt_exchange *exchange)
{
    const rt_connection *connection = exchange->connection;
    const rt_http_head *head = &connection->server->head;
    const rt_str parts[RT_ACCESS_TEXTS] = {
        [RT_ACCESS_METHOD] = head->method_name,
        [RT_ACCESS_TARGET] = without_query(log, head->target),
        [RT_ACCESS_REFERER] = without_query(log, rt_head_field(head, "referer")),
        [RT_ACCESS_AGENT] = rt_head_field(head, "user-agent"),
    };
    size_t length = 0;
    for (int i = 0; i < RT_ACCESS_TEXTS; i++)
        length += parts[i].length;
    rt_access_record *record = rt_xmalloc(sizeof *record + length);
    char *at = record->text;
    for (int i = 0; i < RT_ACCESS_TEXTS; i++) {
        record->parts[i] = (rt_str){at, parts[i].length};
        if (parts[i].length)
            at = (char *)memcpy(at, parts[i].data, parts[i].length) + parts[i].length;
    }
    record->protocol = exchange->way->protocol ? exchange->way->protocol
                       : head->minor           ? "HTTP/1.1"
                                               : "HTTP/1.0";
    record->tls = connection->tls_version;
    if (!rt_ip_text(&exchange->marks.origin.ip, record->peer))
        memcpy(record->peer, "unix:", sizeof "unix:");
    exchange->marks.access = record;
}

void rt_access_end(rt_access_log *log, rt_ctx *ctx, const rt_exchange *exchange,
                   const rt_report *report)
{
    const rt_access_record *record = exchange->marks.access;
    if (!record)
        return;
    if (log->pending.length > PENDING_LIMIT) {
        log->lost++;
        return;
    }
    size_t before = log->pending.length;
    log->style.correlation = rt_host_correlation_id(ctx);
    log->style.trace = rt_trace_of(ctx);
    log->write(&log->pending, &log->style, record, report);
    rt_redact_from(&log->pending, before);
    if (uv_is_closing((uv_handle_t *)&log->idle))
        flush(log);
    else
        uv_idle_start(&log->idle, on_idle);
}

void rt_access_free(rt_access_record *record)
{
    free(record);
}
