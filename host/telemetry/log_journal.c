/* The journal's native protocol: a datagram of fields, `NAME=value` or, where the value has more
 * than one line, the name, eight bytes of length and the value. What is too large for a datagram
 * goes as a sealed memory file. */
#include "base/redact.h"
#include "telemetry/log_record.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSTEM_SOCKET "/run/systemd/journal/socket"
#define PATIENCE 50 /* ms, for a journal that does not keep up */
#define NAME_MOST 64

bool rt_journal_is_at(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(fd, &status) == 0 &&
           status.st_dev == device && status.st_ino == inode;
}

int rt_journal_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    path = path ? path : SYSTEM_SOCKET;
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

/* --- fields ---------------------------------------------------------------------------------- */

/* Redacted here, because what follows counts its bytes. */
static void add(rt_buffer *out, const char *name, const char *text)
{
    rt_buffer value = {0};
    rt_buffer_text(&value, text);
    rt_redact(&value);
    rt_buffer_text(out, name);
    if (!strchr(value.data, '\n')) {
        rt_buffer_char(out, '=');
    } else {
        unsigned char length[8];
        for (int i = 0; i < 8; i++)
            length[i] = (unsigned char)((uint64_t)value.length >> 8 * i);
        rt_buffer_char(out, '\n');
        rt_buffer_add(out, length, sizeof length);
    }
    rt_buffer_add(out, value.data, value.length);
    rt_buffer_char(out, '\n');
    rt_buffer_free(&value);
}

static bool is_ours(const char *name)
{
    static const char *const prefixes[] = {"RT_", "SYSLOG_", "CODE_", "OBJECT_", "COREDUMP_"};
    static const char *const names[] = {"MESSAGE", "MESSAGE_ID", "PRIORITY", "ERRNO",
                                        "TID",     "TRACE_ID",   "SPAN_ID",  "CORRELATION_ID"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Upper case, digits and `_`, and not `_` first; a name that has a meaning already, or none, gets
 * `FIELD_` before it. */
static void make_name(char made[NAME_MOST + 1], const char *name)
{
    char plain[NAME_MOST + 1];
    size_t length = 0;
    for (; *name && length < NAME_MOST; name++) {
        unsigned char c = (unsigned char)*name;
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        plain[length++] = (char)(letter ? c & ~0x20u : c >= '0' && c <= '9' ? c : '_');
    }
    plain[length] = '\0';
    bool odd = !length || plain[0] == '_' || (plain[0] >= '0' && plain[0] <= '9');
    snprintf(made, NAME_MOST + 1, "%s%.*s", odd || is_ours(plain) ? "FIELD_" : "", NAME_MOST - 6,
             plain);
}

static void add_fields(rt_buffer *out, const rt_log_record *record)
{
    for (uint64_t i = 0; i < record->field_count; i++) {
        const rt_field *field = &record->fields[i];
        char name[NAME_MOST + 1], number[24];
        make_name(name, field->name);
        snprintf(number, sizeof number, "%lld", (long long)field->integer);
        add(out, name, field->text ? field->text : number);
    }
}

static void add_trace(rt_buffer *out, const rt_log_record *record)
{
    char trace[RT_LOG_TRACE_ID], span[RT_LOG_SPAN_ID];
    if (!record->trace_high && !record->trace_low)
        return;
    rt_log_trace_id(record, trace);
    add(out, "TRACE_ID", trace);
    rt_log_span_id(record, span);
    if (record->span)
        add(out, "SPAN_ID", span);
}

static void make(rt_buffer *out, const rt_log_style *style, const rt_log_record *record)
{
    static const char *const priorities[RT_LOG_LEVEL_COUNT] = {
        [RT_LOG_TRACE] = "7", [RT_LOG_DEBUG] = "7", [RT_LOG_INFO] = "6",
        [RT_LOG_WARN] = "4",  [RT_LOG_ERROR] = "3", [RT_LOG_FATAL] = "2",
    };
    add(out, "MESSAGE", record->message);
    add(out, "PRIORITY", priorities[record->level]);
    add(out, "SYSLOG_IDENTIFIER", *style->service ? style->service : RT_LOG_HOST);
    add(out, "RT_LEVEL", rt_log_level_names[record->level]);
    add(out, "RT_MODULE", record->module);
    add_trace(out, record);
    if (record->correlation)
        add(out, "CORRELATION_ID", record->correlation);
    add_fields(out, record);
}

/* --- sending --------------------------------------------------------------------------------- */

/* Waits a moment for room, but not again and again while there is none. */
static int send_message(int fd, const struct msghdr *message)
{
    static bool stuck;
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    ssize_t sent = sendmsg(fd, message, flags);
    bool full = sent < 0 && (errno == EAGAIN || errno == ENOBUFS);
    if (full && !__atomic_load_n(&stuck, __ATOMIC_RELAXED)) {
        poll(&(struct pollfd){fd, POLLOUT, 0}, 1, PATIENCE);
        sent = sendmsg(fd, message, flags);
    }
    __atomic_store_n(&stuck, sent < 0, __ATOMIC_RELAXED);
    return sent < 0 ? -errno : 0;
}

static int send_descriptor(int fd, int passed)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), &passed, sizeof passed);
    return send_message(
        fd, &(struct msghdr){.msg_control = &control, .msg_controllen = sizeof control.bytes});
}

/* The journal takes only what nobody can change any more. */
static int send_as_file(int fd, const rt_buffer *bytes)
{
    int file = memfd_create("rt-log", MFD_CLOEXEC | MFD_ALLOW_SEALING), result = 0;
    if (file < 0)
        return -errno;
    for (size_t sent = 0; sent < bytes->length && !result;) {
        ssize_t wrote = write(file, bytes->data + sent, bytes->length - sent);
        if (wrote < 0)
            result = -errno;
        else
            sent += (size_t)wrote;
    }
    if (!result &&
        fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        result = -errno;
    if (!result)
        result = send_descriptor(fd, file);
    close(file);
    return result;
}

int rt_journal_send(int fd, const rt_log_style *style, const rt_log_record *record)
{
    rt_buffer bytes = {0};
    make(&bytes, style, record);
    struct iovec piece = {bytes.data, bytes.length};
    int result = send_message(fd, &(struct msghdr){.msg_iov = &piece, .msg_iovlen = 1});
    if (result == -EMSGSIZE)
        result = send_as_file(fd, &bytes);
    rt_buffer_free(&bytes);
    return result;
}
