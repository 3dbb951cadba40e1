/* websocket.c — receiving, sending and closing on an open WebSocket */
#include "http/websocket.h"

#include "http/internal.h"

#include <stdlib.h>
#include <string.h>

#define KEPT 16384u       /* bytes of an inflated message's buffer */
#define WORTH_PACKING 64u /* bytes; shorter ones grow more often than not */
#define OVERDRAFT 16u     /* pongs for a peer that does not read */

/* --- control frames -------------------------------------------------------------------------- */

void rt_websocket_control(rt_websocket *socket, uint8_t opcode, const char *data, size_t length)
{
    char frame[RT_WS_HEAD_LIMIT + RT_WS_CONTROL_LIMIT];
    size_t head = rt_ws_head(frame, opcode, true, false, length);
    if (length)
        memcpy(frame + head, data, length);
    rt_live_write(&socket->live, frame, head + length);
}

void rt_websocket_say_close(rt_websocket *socket, uint32_t code, const char *reason)
{
    char payload[RT_WS_CONTROL_LIMIT] = {(char)(code >> 8), (char)code};
    size_t length = strnlen(reason, sizeof payload - 2);
    if (socket->sent_close)
        return;
    socket->sent_close = true;
    memcpy(payload + 2, reason, length);
    rt_websocket_control(socket, RT_WS_CLOSE, payload, code == RT_WS_NO_CODE ? 0 : 2 + length);
}

/* A peer that pings without reading gets a few answers, then one for its newest ping alone. */
static void pay_pong(rt_websocket *socket)
{
    if (!socket->owes_pong || socket->sent_close)
        return;
    bool full = rt_live_is_full(&socket->live);
    if (full && socket->overdraft >= OVERDRAFT)
        return;
    socket->overdraft = full ? socket->overdraft + 1 : 0;
    socket->owes_pong = false;
    rt_websocket_control(socket, RT_WS_PONG, socket->pong, socket->pong_length);
}

static void take_ping(rt_websocket *socket)
{
    socket->pong_length = socket->reader.control_length;
    memcpy(socket->pong, socket->reader.control, socket->pong_length);
    socket->owes_pong = true;
    pay_pong(socket);
}

static void take_close(rt_websocket *socket)
{
    const rt_ws_reader *reader = &socket->reader;
    int code = rt_ws_close_code(reader->control, reader->control_length);
    socket->peer_code = code < 0 ? (uint32_t)-code : (uint32_t)code;
    rt_websocket_say_close(socket, socket->peer_code, "");
    if (code < 0)
        socket->failed_code = socket->peer_code;
}

/* --- receiving ------------------------------------------------------------------------------- */

static int fail(rt_ctx *ctx, const rt_websocket *socket)
{
    static const struct {
        uint32_t code;
        const char *message;
    } meanings[] = {{RT_WS_PROTOCOL_ERROR, "the client broke the WebSocket protocol"},
                    {RT_WS_INVALID_DATA, "the client sent a message that is malformed"},
                    {RT_WS_TOO_LARGE, "the client sent a message that is too large"}};
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].code == socket->failed_code)
            return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "%s", meanings[i].message);
    return rt_host_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no memory for a message");
}

/* 0, or the code to close with; `data` is then the message. */
static uint32_t unpack(rt_websocket *socket, rt_str *data)
{
    rt_ws_reader *reader = &socket->reader;
    *data = (rt_str){reader->message.data, reader->message.length};
    if (!reader->compressed)
        return data->length > socket->limit ? RT_WS_TOO_LARGE : 0;
    socket->inflated.length = 0;
    int code = rt_ws_deflate_unpack(&socket->deflate, data->data, data->length, socket->limit,
                                    &socket->inflated);
    *data = (rt_str){socket->inflated.data, socket->inflated.length};
    rt_utf8 text = {0};
    if (code == 0 && reader->opcode == RT_WS_TEXT &&
        !(rt_utf8_feed(&text, data->data, data->length) && rt_utf8_complete(&text)))
        code = RT_WS_INVALID_DATA;
    return (uint32_t)code;
}

/* What the reader came to: 1: the author gets it; 0: go on; negative: the end. */
static int deal_with(rt_ctx *ctx, rt_websocket *socket, int event, rt_websocket_message *message)
{
    if (event == RT_WS_PING)
        take_ping(socket);
    else if (event == RT_WS_CLOSE)
        take_close(socket);
    else if (event == RT_WS_TEXT || event == RT_WS_BINARY) {
        message->type = (uint32_t)event;
        socket->failed_code = unpack(socket, &message->data);
        socket->delivered = true;
    } else if (event != RT_WS_PONG)
        socket->failed_code = (uint32_t)event;
    if (socket->failed_code) {
        rt_websocket_say_close(socket, socket->failed_code, "");
        return fail(ctx, socket);
    }
    return socket->delivered;
}

static int receivable(rt_ctx *ctx, const rt_websocket *socket)
{
    if (!socket->live.exchange || socket->live.exchange->gone)
        return rt_host_fail(ctx, RT_ECANCELED, "the client is gone");
    if (socket->failed_code)
        return fail(ctx, socket);
    if (socket->live.ending)
        return rt_host_fail(ctx, RT_EUNAVAILABLE, "the socket ends, for the server drains");
    if (socket->live.broken)
        return rt_host_fail(ctx, RT_EABORTED, "a message was left half sent");
    if (socket->sent_close && !socket->peer_code)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "the socket was closed");
    return 0;
}

/* Parks until more of the peer's bytes may be there. After it all may be over, the exchange too. */
static int await_bytes(rt_ctx *ctx, rt_exchange *exchange)
{
    if (exchange->body.length)
        return 0;
    if (!exchange->body_open)
        return rt_host_fail(ctx, RT_ECANCELED, "the client is gone");
    rt_exchange_want(exchange);
    return exchange->gone ? 0 : rt_park(ctx, &exchange->reading);
}

static int read_event(rt_websocket *socket)
{
    rt_exchange *exchange = socket->live.exchange;
    rt_str here = rt_exchange_look(exchange);
    const char *at = here.data;
    int event = rt_ws_read(&socket->reader, &at, here.length ? at + here.length : at);
    if (here.length) {
        rt_exchange_skip(exchange, (uint64_t)(at - here.data));
        socket->awaits_pong = false;
    }
    return event;
}

/* As the SDK's; the caller has entered. */
static int receive(rt_ctx *ctx, rt_websocket *socket, rt_websocket_message *message)
{
    for (;;) {
        RT_TRY(receivable(ctx, socket));
        if (socket->peer_code) {
            message->close_code = socket->peer_code;
            return 0;
        }
        int event = read_event(socket);
        int result = event ? deal_with(ctx, socket, event, message)
                           : await_bytes(ctx, socket->live.exchange);
        if (result)
            return result;
    }
}

static void release_message(rt_websocket *socket)
{
    if (!socket->delivered)
        return;
    socket->delivered = false;
    rt_ws_next(&socket->reader);
    if (socket->inflated.capacity > KEPT)
        rt_buffer_free(&socket->inflated);
}

static int check(rt_ctx *ctx, const rt_websocket *socket)
{
    if (!socket || socket->magic != RT_WEBSOCKET_MAGIC)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "the socket is none, or is over");
    return 0;
}

int rt_host_websocket_receive(rt_ctx *ctx, rt_websocket *socket, rt_websocket_message *message)
{
    rt_websocket_message full = {.size = sizeof full};
    RT_TRY(check(ctx, socket));
    if (socket->receiving)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "another fiber receives already");
    socket->receiving = true;
    rt_live_enter(&socket->live);
    release_message(socket);
    int result = receive(ctx, socket, &full);
    socket->receiving = false;
    rt_live_exit(&socket->live);
    rt_struct_copy(message, &full);
    return result;
}

/* --- sending --------------------------------------------------------------------------------- */

static int sendable(rt_ctx *ctx, const rt_websocket *socket)
{
    RT_TRY(rt_live_sendable(ctx, &socket->live));
    if (socket->sent_close)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "the socket was closed");
    return 0;
}

/* One frame of a message, which fits the window whole. */
static void write_frame(rt_websocket *socket, uint8_t opcode, bool final, bool packed, rt_str piece)
{
    rt_buffer frame = {0};
    rt_buffer_reserve(&frame, RT_WS_HEAD_LIMIT + piece.length);
    frame.length = rt_ws_head(frame.data, opcode, final, packed, piece.length);
    rt_buffer_add(&frame, piece.data, piece.length);
    rt_live_write(&socket->live, frame.data, frame.length);
    rt_buffer_free(&frame);
}

/* Large messages go in fragments, so that each piece on its way is a frame and others may stand
 * between. */
static int send_frames(rt_ctx *ctx, rt_websocket *socket, uint8_t opcode, bool packed, rt_str data)
{
    const uint64_t most = RT_STREAM_WINDOW - RT_WS_HEAD_LIMIT;
    uint64_t done = 0;
    do {
        uint64_t length = data.length - done < most ? data.length - done : most;
        int result = rt_live_await_room(ctx, &socket->live);
        if (result == 0)
            result = sendable(ctx, socket);
        if (result < 0) {
            socket->live.broken |= done > 0;
            return result;
        }
        pay_pong(socket);
        write_frame(socket, done ? RT_WS_CONTINUATION : opcode, done + length == data.length,
                    packed && !done, (rt_str){length ? data.data + done : "", length});
        done += length;
    } while (done < data.length);
    return 0;
}

static int send_in_turn(rt_ctx *ctx, rt_websocket *socket, uint8_t opcode, rt_str data)
{
    rt_buffer packed = {0};
    int result = sendable(ctx, socket);
    if (result < 0)
        return result;
    /* Packed messages must leave in the order in which they were packed. */
    bool packs = socket->deflates && data.length >= WORTH_PACKING;
    if (packs) {
        RT_TRY(rt_live_await_room(ctx, &socket->live));
        RT_TRY(sendable(ctx, socket));
        packs = rt_ws_deflate_pack(&socket->deflate, data.data, data.length, &packed);
    }
    if (packs)
        data = (rt_str){packed.data, packed.length};
    result = send_frames(ctx, socket, opcode, packs, data);
    rt_buffer_free(&packed);
    return result;
}

static int send_message(rt_ctx *ctx, rt_websocket *socket, uint8_t opcode, rt_str data)
{
    RT_TRY(sendable(ctx, socket));
    RT_TRY(rt_host_mutex_lock(ctx, socket->live.turn));
    int result = send_in_turn(ctx, socket, opcode, data);
    rt_host_mutex_unlock(ctx, socket->live.turn);
    return result;
}

int rt_host_websocket_send(rt_ctx *ctx, rt_websocket *socket, uint32_t type, const char *data,
                           uint64_t length)
{
    rt_utf8 text = {0};
    RT_TRY(check(ctx, socket));
    if (type != RT_WS_TEXT && type != RT_WS_BINARY)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "a message is text or binary");
    if (type == RT_WS_TEXT && !(rt_utf8_feed(&text, data, length) && rt_utf8_complete(&text)))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the text is no valid UTF-8");
    rt_live_enter(&socket->live);
    int result = send_message(ctx, socket, (uint8_t)type, (rt_str){data, length});
    rt_live_exit(&socket->live);
    return result;
}

int rt_host_websocket_close(rt_ctx *ctx, rt_websocket *socket, uint32_t code, const char *reason)
{
    char payload[2] = {(char)(code >> 8), (char)code};
    RT_TRY(check(ctx, socket));
    RT_TRY(rt_live_sendable(ctx, &socket->live));
    if (code > 4999 || code == 1002 || rt_ws_close_code(payload, 2) != (int)code)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "%u is no code to close with", code);
    rt_utf8 text = {0};
    size_t length = reason ? strlen(reason) : 0;
    if (length > RT_WS_CONTROL_LIMIT - 2 || !rt_utf8_feed(&text, reason, length) ||
        !rt_utf8_complete(&text))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT,
                            "the reason is longer than 123 bytes, or no valid UTF-8");
    rt_websocket_say_close(socket, code, reason ? reason : "");
    return 0;
}

const char *rt_host_websocket_subprotocol(const rt_websocket *socket)
{
    return socket->subprotocol;
}

/* --- as a live stream ------------------------------------------------------------------------ */

static rt_websocket *socket_of(rt_live *live)
{
    return (rt_websocket *)live;
}

static void quiet(rt_live *live)
{
    rt_websocket *socket = socket_of(live);
    if (socket->awaits_pong) {
        rt_live_give_up(live);
        return;
    }
    pay_pong(socket);
    if (socket->sent_close || rt_live_is_full(live))
        return;
    socket->awaits_pong = socket->receiving; /* only who receives sees a pong */
    rt_websocket_control(socket, RT_WS_PING, "", 0);
}

static void drains(rt_live *live)
{
    rt_websocket_say_close(socket_of(live), RT_WS_GOING_AWAY, "");
    if (live->exchange)
        rt_exchange_received(live->exchange); /* who receives is to hear of it */
}

static bool over(rt_ctx *ctx, rt_live *live, const rt_exit *exit)
{
    rt_websocket *socket = socket_of(live);
    bool failed = exit->kind == RT_EXIT_DEFECT ||
                  (exit->kind == RT_EXIT_FAILURE && !live->ending && !socket->failed_code);
    bool interrupted = exit->kind == RT_EXIT_INTERRUPTION;
    if (failed)
        rt_problem_log(ctx, live->exchange, exit);
    if (!live->broken)
        rt_websocket_say_close(socket,
                               failed        ? RT_WS_DEFECT
                               : interrupted ? RT_WS_GOING_AWAY
                                             : RT_WS_NORMAL,
                               "");
    return true;
}

static void free_socket(rt_live *live)
{
    rt_websocket *socket = socket_of(live);
    socket->magic = 0;
    rt_ws_reader_free(&socket->reader);
    rt_ws_deflate_free(&socket->deflate);
    rt_buffer_free(&socket->inflated);
    free(socket);
}

const rt_live_kind rt_websocket_kind = {"websocket", quiet, drains, over, free_socket};
