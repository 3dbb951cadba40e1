#include "process/message.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_LIMIT ((uint64_t)256 << 20)

const char *const rt_phase_names[RT_PHASE_COUNT] = {
    "beginning",   "loading",  "registering",
    "configuring", "starting", "asking for the health of",
    "serving",     "stopping", "migrating the database of"};

void rt_buffer_wipe(rt_buffer *buffer)
{
    if (buffer->data)
        explicit_bzero(buffer->data, buffer->capacity);
    rt_buffer_free(buffer);
}

/* A frame is its length and as many bytes; the length is known only behind them. */
static size_t begin_frame(rt_buffer *buffer)
{
    rt_pack_u64(buffer, 0);
    return buffer->length;
}

static void end_frame(rt_buffer *buffer, size_t start)
{
    uint64_t length = buffer->length - start;
    memcpy(buffer->data + start - sizeof length, &length, sizeof length);
}

void rt_message_pack(rt_buffer *buffer, const rt_message *message)
{
    size_t start = begin_frame(buffer);
    rt_pack_u64(buffer, message->kind);
    rt_pack_u64(buffer, message->number);
    rt_pack_text(buffer, message->module);
    rt_pack_text(buffer, message->text);
    end_frame(buffer, start);
}

static void pack_tickets(rt_buffer *buffer, const rt_ticket_secret *tickets)
{
    rt_pack_u64(buffer, tickets->epoch);
    for (int i = 0; i < 4; i++)
        rt_pack_u64(buffer, tickets->chain[i]);
}

static void unpack_tickets(rt_unpack *unpack, rt_ticket_secret *tickets)
{
    tickets->epoch = rt_unpack_u64(unpack);
    for (int i = 0; i < 4; i++)
        tickets->chain[i] = rt_unpack_u64(unpack);
}

void rt_setup_pack(rt_buffer *buffer, const rt_setup *setup)
{
    size_t start = begin_frame(buffer);
    rt_pack_u64(buffer, RT_TELL_SETUP);
    rt_pack_u64(buffer, setup->sockets.count);
    for (size_t i = 0; i < setup->sockets.count; i++) {
        rt_pack_u64(buffer, (uint64_t)setup->sockets.items[i].fd);
        rt_pack_u64(buffer, setup->sockets.items[i].flags);
    }
    rt_pack_u64(buffer, (uint64_t)setup->board);
    rt_pack_u64(buffer, (uint64_t)setup->crash);
    rt_pack_u64(buffer, (uint64_t)setup->records);
    rt_pack_u64(buffer, setup->generation);
    rt_pack_u64(buffer, (uint64_t)setup->metrics);
    rt_pack_u64(buffer, setup->metric_slot);
    rt_pack_u64(buffer, setup->number);
    rt_pack_u64(buffer, setup->skip_count);
    for (size_t i = 0; i < setup->skip_count; i++)
        rt_pack_text(buffer, setup->skip[i]);
    pack_tickets(buffer, &setup->tickets);
    rt_plan_pack(buffer, setup->plan);
    end_frame(buffer, start);
}

int rt_message_send(int fd, const rt_message *message)
{
    rt_buffer frame = {0};
    int result = 0;
    rt_message_pack(&frame, message);
    for (size_t sent = 0; sent < frame.length && !result;) {
        ssize_t got = send(fd, frame.data + sent, frame.length - sent, MSG_NOSIGNAL);
        if (got >= 0)
            sent += (size_t)got;
        else if (errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (errno != EINTR)
            result = -errno;
    }
    rt_buffer_free(&frame);
    return result;
}

/* Growing would leave copies of secrets behind in freed memory, so growth is done here. */
static void make_room(rt_buffer *bytes, size_t more)
{
    if (bytes->length + more < bytes->capacity)
        return;
    rt_buffer larger = {0};
    rt_buffer_reserve(&larger, bytes->length + more);
    rt_buffer_add(&larger, bytes->data, bytes->length);
    rt_buffer_wipe(bytes);
    *bytes = larger;
}

ssize_t rt_inbox_fill(rt_inbox *inbox, int fd)
{
    ssize_t got;
    make_room(&inbox->bytes, 65536);
    char *end = inbox->bytes.data + inbox->bytes.length;
    do
        got = inbox->parcel ? rt_parcel_receive(fd, end, 65536, inbox->parcel)
                            : recv(fd, end, 65536, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    inbox->bytes.length += (size_t)got;
    return got;
}

/* The next whole frame, which stays in the inbox until more is read. */
static int take_frame(rt_inbox *inbox, const char **frame, uint64_t *length)
{
    const char *next = inbox->bytes.data + inbox->taken;
    size_t available = inbox->bytes.length - inbox->taken;
    if (available < sizeof *length)
        return 0;
    memcpy(length, next, sizeof *length);
    if (*length > FRAME_LIMIT)
        return -EPROTO;
    if (available - sizeof *length < *length)
        return 0;
    *frame = next + sizeof *length;
    inbox->taken += sizeof *length + *length;
    return 1;
}

static void drop_taken(rt_inbox *inbox)
{
    if (inbox->taken != inbox->bytes.length)
        return;
    inbox->taken = 0;
    inbox->bytes.length = 0;
}

int rt_inbox_take(rt_inbox *inbox, rt_arena *arena, rt_message *message)
{
    const char *frame = NULL;
    uint64_t length = 0;
    int result = take_frame(inbox, &frame, &length);
    if (result <= 0)
        return result;
    rt_unpack unpack = {.next = frame, .end = frame + length, .arena = arena};
    uint64_t kind = rt_unpack_u64(&unpack);
    *message = (rt_message){.kind = (uint32_t)kind, .number = rt_unpack_u64(&unpack)};
    message->module = rt_unpack_text(&unpack);
    message->text = rt_unpack_text(&unpack);
    drop_taken(inbox);
    return unpack.failed || kind >= RT_TELL_COUNT || unpack.next != unpack.end ? -EPROTO : 1;
}

void rt_inbox_free(rt_inbox *inbox)
{
    rt_buffer_wipe(&inbox->bytes);
    inbox->taken = 0;
}

static rt_setup *unpack_setup(rt_arena *arena, const char *frame, uint64_t length)
{
    rt_unpack unpack = {.next = frame, .end = frame + length, .arena = arena};
    rt_setup *setup = RT_NEW(arena, rt_setup);
    bool known = rt_unpack_u64(&unpack) == RT_TELL_SETUP;
    uint32_t count = rt_unpack_count(&unpack);
    setup->sockets.items = rt_arena_alloc(arena, count * sizeof *setup->sockets.items);
    setup->sockets.count = count;
    for (uint32_t i = 0; i < count; i++) {
        setup->sockets.items[i].fd = (int)rt_unpack_u64(&unpack);
        setup->sockets.items[i].flags = (uint32_t)rt_unpack_u64(&unpack);
    }
    setup->board = (int)rt_unpack_u64(&unpack);
    setup->crash = (int)rt_unpack_u64(&unpack);
    setup->records = (int)rt_unpack_u64(&unpack);
    setup->generation = (uint32_t)rt_unpack_u64(&unpack);
    setup->metrics = (int)rt_unpack_u64(&unpack);
    setup->metric_slot = (uint32_t)rt_unpack_u64(&unpack);
    setup->number = (uint32_t)rt_unpack_u64(&unpack);
    setup->skip_count = count = rt_unpack_count(&unpack);
    setup->skip = rt_arena_alloc(arena, count * sizeof *setup->skip);
    for (uint32_t i = 0; i < count; i++)
        if (!(setup->skip[i] = rt_unpack_text(&unpack)))
            unpack.failed = true;
    unpack_tickets(&unpack, &setup->tickets);
    if (unpack.failed || !known)
        return NULL;
    setup->plan = rt_plan_unpack(arena, unpack.next, (size_t)(unpack.end - unpack.next));
    return setup->plan ? setup : NULL;
}

rt_setup *rt_setup_receive(rt_inbox *inbox, rt_arena *arena, int fd)
{
    const char *frame = NULL;
    uint64_t length = 0;
    int result;
    while ((result = take_frame(inbox, &frame, &length)) == 0)
        if (rt_inbox_fill(inbox, fd) <= 0)
            return NULL;
    if (result < 0)
        return NULL;
    rt_setup *setup = unpack_setup(arena, frame, length);
    explicit_bzero((char *)frame, length);
    drop_taken(inbox);
    return setup;
}
