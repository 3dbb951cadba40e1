/* rt/websocket.h — WebSocket (RFC 6455), messages compressed where the client can (RFC 7692)
 *
 * A GET handler accepts, then receives and sends until one side closes. The socket has no deadline
 * unless its route has a timeout of its own; the client's going cancels the handler. Pings are
 * answered by the host, which also sends them after `http.ping_interval` of its own silence and
 * gives up a client that answers none. When the handler returns 0 the host closes with 1000 (unless
 * it was closed already), with 1011 when it fails or dies. When the server drains, the host closes
 * with 1001: receive and send answer -RT_EUNAVAILABLE, rt_stream_ends says so, and what
 * rt_stream_on_end was given is called.
 *
 * Ownership: a message lives until the next receive. The socket lives until the handler returns:
 * others that send on it (rt_spawn, rt_post) must know that (rt_defer); a call that waits then
 * returns -RT_ECANCELED.
 * Waiting: one fiber may receive while any number send. A send waits while the client does not
 * read; messages of several senders go one after the other.
 *
 *     static int echo(rt_ctx *ctx, const rt_request *request, rt_response *response)
 *     {
 *         rt_websocket *socket;
 *         rt_websocket_message message;
 *         int result;
 *         RT_TRY(rt_websocket_accept(ctx, request, response, &socket));
 *         while ((result = rt_websocket_receive(ctx, socket, &message)) > 0)
 *             RT_TRY(rt_websocket_send(ctx, socket, message.type, message.data));
 *         return result;
 *     }
 */
#ifndef RT_WEBSOCKET_H
#define RT_WEBSOCKET_H

#include <rt/http.h>

enum rt_websocket_type {
    RT_WEBSOCKET_TEXT = 1, /* valid UTF-8 */
    RT_WEBSOCKET_BINARY = 2,
};

/* Zero means the default. */
typedef struct rt_websocket_options {
    uint32_t size;
    uint32_t uncompressed; /* 1: no permessage-deflate */
    uint64_t max_message;  /* bytes, compressed or not; 1009 beyond; `http.max_message` */
    const char
        *subprotocols; /* "chat.v2, chat.v1": the first that the client offers too is taken */
    /* Who may open it from a page: "https://a.example, https://b.example", or "*" for any. NULL:
     * pages of the host that was asked. A client that sends no Origin is no browser and may. */
    const char *origins;
} rt_websocket_options;

typedef struct rt_websocket_message {
    uint32_t size;
    uint32_t type; /* rt_websocket_type */
    rt_str data;
    uint32_t close_code; /* after 0: what the client closed with; 1005: it did not say */
    uint32_t reserved;
} rt_websocket_message;

/* Accepts: rt_websocket_accept(ctx, request, response, &socket, .subprotocols = "chat"). An error,
 * returned from the handler, becomes what RFC 6455 4.2 and RFC 9110 want: 426 where no WebSocket
 * of version 13 was asked for, 400 for a malformed handshake or another HTTP than 1.1, 403 for a
 * foreign origin, 503 while the server drains. Headers added before are sent. */
#define rt_websocket_accept(ctx_, request_, response_, socket_, ...) \
    rt_host_table->websocket_accept(                                 \
        ctx_, request_, response_,                                   \
        &(rt_websocket_options){.size = sizeof(rt_websocket_options), __VA_ARGS__}, socket_)

/* 1: a whole message. 0: the client closed in order. -RT_ECANCELED: it is gone without a word;
 * -RT_EUNAVAILABLE: the server drains; -RT_EFAILED_PRECONDITION: this side has closed, or another
 * fiber receives; -RT_EINVALID_ARGUMENT: it broke the protocol (the host has closed with 1002,
 * 1007 or 1009). */
static inline int rt_websocket_receive(rt_ctx *ctx, rt_websocket *socket,
                                       rt_websocket_message *message)
{
    message->size = sizeof *message;
    return rt_host_table->websocket_receive(ctx, socket, message);
}

/* Sends a message; text that is no UTF-8 is -RT_EINVALID_ARGUMENT. -RT_EFAILED_PRECONDITION: this
 * side has closed, or the client has; the rest as for receiving. A message that was cancelled half
 * sent is the last: -RT_EABORTED from then on. */
static inline int rt_websocket_send(rt_ctx *ctx, rt_websocket *socket, uint32_t type, rt_str data)
{
    return rt_host_table->websocket_send(ctx, socket, type, data.data, data.length);
}

/* Says that no more is sent, and why: 1000, 1001, 1003, 1007 to 1014, 3000 to 4999 and at most 123
 * bytes. Does not wait; then return from the handler. */
static inline int rt_websocket_close(rt_ctx *ctx, rt_websocket *socket, uint32_t code,
                                     const char *reason)
{
    return rt_host_table->websocket_close(ctx, socket, code, reason);
}

/* The subprotocol that was agreed on; NULL if none was. */
static inline const char *rt_websocket_subprotocol(const rt_websocket *socket)
{
    return rt_host_table->websocket_subprotocol(socket);
}

#endif
