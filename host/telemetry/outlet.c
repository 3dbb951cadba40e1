#include "telemetry/outlet.h"

#include "fiber/fiber.h"
#include "telemetry/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SENT_AT 32768u     /* bytes collected */
#define SENT_AFTER 100     /* ms */
#define MESSAGE_MOST 65536 /* bytes of records in a message, or a single larger one */

/* The room: written by its process, read by the supervisor once that has ended. What its process
 * relies on it keeps to itself: others may have scribbled over the room. */
struct room {
    uint64_t used; /* bytes of whole records behind this head; outlet.used, for the supervisor */
    rt_batch batch;
    char records[];
};

static struct {
    struct room *room; /* NULL: each record is sent at once */
    size_t size;       /* of its records */
    size_t used;
    int socket;
    bool spans, logs;
    bool has_timer;
    bool timed;   /* the timer is set */
    bool blocked; /* until then: the socket was full */
    rt_batch batch;
    uv_timer_t timer;
} outlet = {.socket = -1};

/* Of a thread that has no room: the record that is being made. */
static _Thread_local void *single;

/* --- sending --------------------------------------------------------------------------------- */

/* Whether it left; false: there is no room for it now. */
static bool send_records(int socket, const rt_batch *batch, const void *records, size_t length)
{
    struct iovec parts[] = {{(void *)batch, sizeof *batch}, {(void *)records, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent;
    do
        sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

/* Bytes of whole records that fit in a message; 0: damaged. */
static size_t piece_of(const char *records, size_t length)
{
    size_t piece = 0;
    while (piece < length) {
        rt_record_view view;
        if (!rt_record_read(&view, records + piece, length - piece))
            break;
        if (piece && piece + view.head.size > MESSAGE_MOST)
            break;
        piece += view.head.size;
    }
    return piece;
}

/* Bytes that left, or that nobody could read. */
static size_t send_room(int socket, const rt_batch *batch, const char *records, size_t length)
{
    size_t sent = 0;
    while (sent < length) {
        size_t piece = piece_of(records + sent, length - sent);
        if (!piece)
            return length;
        if (!send_records(socket, batch, records + sent, piece))
            break;
        sent += piece;
    }
    return sent;
}

static void set_used(size_t used)
{
    outlet.used = used;
    __atomic_store_n(&outlet.room->used, used, __ATOMIC_RELEASE);
}

void rt_outlet_flush(void)
{
    struct room *room = outlet.room;
    size_t used = outlet.used;
    if (!used)
        return;
    int kept = errno;
    size_t sent = send_room(outlet.socket, &room->batch, room->records, used);
    outlet.blocked = sent < used;
    memmove(room->records, room->records + sent, used - sent);
    set_used(used - sent);
    errno = kept;
}

/* --- the loop's timer ------------------------------------------------------------------------ */

static void on_time(uv_timer_t *timer)
{
    rt_outlet_flush();
    outlet.timed = outlet.used > 0;
    if (outlet.timed)
        uv_timer_start(timer, on_time, SENT_AFTER, 0);
}

void rt_outlet_attach(void)
{
    if (!outlet.room)
        return;
    uv_timer_init(rt_loop_uv(), &outlet.timer);
    uv_unref((uv_handle_t *)&outlet.timer);
    outlet.has_timer = true;
}

void rt_outlet_detach(void)
{
    rt_outlet_flush();
    if (outlet.has_timer)
        uv_close((uv_handle_t *)&outlet.timer, NULL);
    outlet.has_timer = outlet.timed = false;
}

/* --- taking ---------------------------------------------------------------------------------- */

void rt_outlet_open(const rt_outlet_options *options)
{
    outlet.socket = options->socket;
    outlet.spans = options->spans && options->socket >= 0;
    outlet.logs = options->logs && options->socket >= 0;
    outlet.room = options->size > sizeof(struct room) ? options->room : NULL;
    outlet.size = outlet.room ? options->size - sizeof(struct room) : 0;
    outlet.batch = (rt_batch){.magic = RT_BATCH_MAGIC,
                              .pid = (uint32_t)getpid(),
                              .worker = options->worker,
                              .generation = options->generation};
    outlet.used = 0;
    if (!outlet.room)
        return;
    set_used(0);
    outlet.room->batch = outlet.batch;
}

bool rt_outlet_takes(uint32_t kind)
{
    return kind == RT_RECORD_SPAN ? outlet.spans : kind == RT_RECORD_LOG && outlet.logs;
}

static bool is_shared_by_us(void)
{
    return outlet.has_timer && rt_loop_is_here();
}

void *rt_outlet_take(size_t size)
{
    if (!is_shared_by_us())
        return single = malloc(size);
    if (outlet.used + size > outlet.size && !outlet.blocked)
        rt_outlet_flush();
    return outlet.used + size > outlet.size ? NULL : outlet.room->records + outlet.used;
}

static rt_batch *batch_now(void)
{
    return outlet.room ? &outlet.room->batch : &outlet.batch;
}

static void send_single(size_t size)
{
    const rt_record *record = single;
    if (!send_records(outlet.socket, batch_now(), record, size))
        rt_outlet_dropped(record->kind);
    free(single);
    single = NULL;
}

void rt_outlet_taken(size_t size)
{
    if (!is_shared_by_us()) {
        send_single(size);
        return;
    }
    set_used(outlet.used + size);
    if (outlet.used >= SENT_AT && !outlet.blocked)
        rt_outlet_flush();
    if (outlet.timed || !outlet.used)
        return;
    outlet.timed = true;
    uv_timer_start(&outlet.timer, on_time, SENT_AFTER, 0);
}

void rt_outlet_dropped(uint32_t kind)
{
    __atomic_fetch_add(&batch_now()->dropped[kind == RT_RECORD_LOG], 1, __ATOMIC_RELAXED);
}

/* --- in the supervisor ----------------------------------------------------------------------- */

void rt_outlet_rescue(void *memory, size_t size, int socket)
{
    struct room *room = memory;
    size_t used = __atomic_load_n(&room->used, __ATOMIC_ACQUIRE);
    rt_batch batch = room->batch;
    batch.magic = RT_BATCH_MAGIC;
    if (size > sizeof *room && used <= size - sizeof *room)
        send_room(socket, &batch, room->records, used);
    room->used = 0;
}
