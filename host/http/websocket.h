/* websocket.h — an open WebSocket, for the files that make and run it */
#ifndef RT_HTTP_WEBSOCKET_H
#define RT_HTTP_WEBSOCKET_H

#include "http/live.h"
#include "http/websocket_deflate.h"
#include "http/websocket_frame.h"

#include <rt/websocket.h>

#define RT_WEBSOCKET_MAGIC 0x736b6357u

struct rt_websocket {
    rt_live live; /* first */
    uint32_t magic;
    rt_ws_reader reader;
    rt_ws_deflate deflate;
    rt_buffer inflated;
    bool deflates;
    const char *subprotocol; /* in the arena of the handler */
    uint64_t limit;          /* bytes of a message */

    bool receiving;
    bool delivered;       /* the reader's message is the author's until the next receive */
    bool sent_close;      /* nothing is sent after it */
    uint32_t peer_code;   /* of its close; 0: it has not closed */
    uint32_t failed_code; /* it broke the protocol: what it was closed with */

    char pong[RT_WS_CONTROL_LIMIT]; /* owed, for the newest ping */
    uint8_t pong_length;
    bool owes_pong;
    uint32_t overdraft; /* pongs that were sent though the peer did not read */
    bool awaits_pong;   /* nothing has come since our ping */
};

/* Sends a control frame, which may stand between the fragments of a message. */
void rt_websocket_control(rt_websocket *socket, uint8_t opcode, const char *data, size_t length);
/* Sends a close frame unless one was sent. */
void rt_websocket_say_close(rt_websocket *socket, uint32_t code, const char *reason);
extern const rt_live_kind rt_websocket_kind;

#endif
