/* websocket_frame.h — frames of RFC 6455 to messages and back, without any input or output
 *
 * Feed rt_ws_read with the peer's bytes as they come: it hands out whole messages, assembled and
 * unmasked, and control frames where they stand between fragments. Bytes are judged in their order,
 * so the same stream gives the same events however it was cut. What carries the bytes it does not
 * know; that a message is compressed it only reports.
 */
#ifndef RT_HTTP_WEBSOCKET_FRAME_H
#define RT_HTTP_WEBSOCKET_FRAME_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

enum rt_ws_opcode {
    RT_WS_CONTINUATION = 0,
    RT_WS_TEXT = 1,
    RT_WS_BINARY = 2,
    RT_WS_CLOSE = 8,
    RT_WS_PING = 9,
    RT_WS_PONG = 10,
};

/* RFC 6455 7.4.1 */
enum rt_ws_code {
    RT_WS_NORMAL = 1000,
    RT_WS_GOING_AWAY = 1001,
    RT_WS_PROTOCOL_ERROR = 1002,
    RT_WS_UNACCEPTABLE = 1003,
    RT_WS_NO_CODE = 1005, /* never sent: the peer's close had none */
    RT_WS_INVALID_DATA = 1007,
    RT_WS_TOO_LARGE = 1009,
    RT_WS_DEFECT = 1011,
};

#define RT_WS_CONTROL_LIMIT 125 /* bytes of a control frame */
#define RT_WS_HEAD_LIMIT 14     /* bytes of a frame's head */

/* Well-formedness of UTF-8 (RFC 3629) byte by byte; zeroed to begin. */
typedef struct rt_utf8 {
    uint8_t needed, least, most; /* of the next byte */
} rt_utf8;

/* False at the first byte that no well-formed text has there. */
bool rt_utf8_feed(rt_utf8 *state, const char *data, size_t length);
static inline bool rt_utf8_complete(const rt_utf8 *state)
{
    return state->needed == 0;
}

typedef struct rt_ws_reader {
    uint64_t limit;  /* bytes of a message as it arrives */
    bool compresses; /* RSV1 may mark a compressed message */

    rt_buffer message;
    uint8_t opcode;  /* of the message; 0: none has begun */
    bool compressed; /* the message */
    rt_utf8 text;

    uint8_t head[RT_WS_HEAD_LIMIT];
    uint8_t head_length;
    uint8_t frame; /* opcode of the frame whose payload is read */
    bool in_payload, final;
    uint64_t remaining;
    uint32_t phase; /* of the mask */
    uint8_t mask[4];

    char control[RT_WS_CONTROL_LIMIT];
    uint8_t control_length;
} rt_ws_reader;

/* What came of the bytes: 0, when all were taken and more are needed; an opcode, of `message` or of
 * `control`; or a code above 999 with which the connection must end. */
int rt_ws_read(rt_ws_reader *reader, const char **at, const char *end);
/* Makes room for the next message; after RT_WS_TEXT and RT_WS_BINARY. */
void rt_ws_next(rt_ws_reader *reader);
void rt_ws_reader_free(rt_ws_reader *reader);

/* Takes a close frame's payload apart: its code (RT_WS_NO_CODE if it has none), or the code with
 * which to answer a wrong one, negative. */
int rt_ws_close_code(const char *data, size_t length);

/* Writes the head of a frame that is not masked; its length. */
size_t rt_ws_head(char head[RT_WS_HEAD_LIMIT], uint8_t opcode, bool final, bool compressed,
                  uint64_t length);

#endif
