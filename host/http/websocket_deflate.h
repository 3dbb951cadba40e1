/* websocket_deflate.h — permessage-deflate (RFC 7692): agreeing on it, and messages through zlib
 *
 * Windows are 4 KiB where the client lets us choose, and zlib's memory is taken with the first
 * message that needs it: a socket that sends nothing compressed holds none.
 */
#ifndef RT_HTTP_WEBSOCKET_DEFLATE_H
#define RT_HTTP_WEBSOCKET_DEFLATE_H

#include "base/buffer.h"

#include <rt/abi.h>
#include <stdbool.h>

typedef struct rt_ws_deflate {
    struct z_stream_s *out, *in;  /* NULL until used */
    uint8_t out_bits, in_bits;    /* 0: was not agreed on */
    bool out_forgets, in_forgets; /* no context takeover */
} rt_ws_deflate;

/* Takes the first offer of a Sec-WebSocket-Extensions value that can be met, and writes the answer.
 * False: there is none. */
bool rt_ws_deflate_agree(rt_ws_deflate *agreed, rt_str offers, rt_buffer *answer);
/* The message compressed, behind what `out` holds. False: no memory. */
bool rt_ws_deflate_pack(rt_ws_deflate *agreed, const char *data, size_t length, rt_buffer *out);
/* The message as it was: 0, RT_WS_TOO_LARGE beyond the limit, RT_WS_INVALID_DATA. */
int rt_ws_deflate_unpack(rt_ws_deflate *agreed, const char *data, size_t length, size_t limit,
                         rt_buffer *out);
void rt_ws_deflate_free(rt_ws_deflate *agreed);

#endif
