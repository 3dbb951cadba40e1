#include "http/websocket_deflate.h"

#include "http/field.h"
#include "http/parser.h"
#include "http/websocket_frame.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define OUR_BITS 12 /* of a window that we may choose */
#define LEVEL 3
#define MEMORY 5 /* zlib's: 16 KiB of hash beside the window */

/* --- agreeing -------------------------------------------------------------------------------- */

/* 8 to 15, perhaps in quotes; else 0. */
static uint8_t bits_of(rt_str value)
{
    if (value.length > 2 && value.data[0] == '"' && value.data[value.length - 1] == '"')
        value = (rt_str){value.data + 1, value.length - 2};
    if (value.length == 1 && (value.data[0] == '8' || value.data[0] == '9'))
        return (uint8_t)(value.data[0] - '0');
    if (value.length == 2 && value.data[0] == '1' && value.data[1] >= '0' && value.data[1] <= '5')
        return (uint8_t)(10 + value.data[1] - '0');
    return 0;
}

enum { SERVER_FORGETS = 1, CLIENT_FORGETS = 2, SERVER_BITS = 4, CLIENT_BITS = 8 };

struct offer {
    unsigned seen;
    uint8_t server_bits, client_bits; /* client: 0 if it named none */
};

static bool take_parameter(struct offer *offer, rt_str name, rt_str value, bool valued)
{
    static const struct {
        const char *name;
        unsigned which;
    } names[] = {{"server_no_context_takeover", SERVER_FORGETS},
                 {"client_no_context_takeover", CLIENT_FORGETS},
                 {"server_max_window_bits", SERVER_BITS},
                 {"client_max_window_bits", CLIENT_BITS}};
    size_t i = 0;
    while (i < 4 && !rt_http_same(name, names[i].name))
        i++;
    if (i == 4 || offer->seen & names[i].which)
        return false;
    offer->seen |= names[i].which;
    uint8_t bits = valued ? bits_of(value) : 0;
    if (names[i].which == SERVER_BITS)
        offer->server_bits = bits;
    if (names[i].which == CLIENT_BITS)
        offer->client_bits = bits;
    return names[i].which == SERVER_BITS   ? bits >= 9 /* zlib has no raw window of 8 */
           : names[i].which == CLIENT_BITS ? !valued || bits
                                           : !valued;
}

static bool read_offer(struct offer *offer, rt_str text)
{
    *offer = (struct offer){0};
    if (!rt_http_same(rt_field_next(&text, ';'), "permessage-deflate"))
        return false;
    while (text.length) {
        rt_str value = rt_field_next(&text, ';');
        bool valued = memchr(value.data, '=', value.length) != NULL;
        rt_str name = value.length ? rt_field_next(&value, '=') : value;
        if (!take_parameter(offer, name, value, valued))
            return false;
    }
    return true;
}

static uint8_t least(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

static void settle(rt_ws_deflate *agreed, const struct offer *offer, rt_buffer *answer)
{
    agreed->out_forgets = offer->seen & SERVER_FORGETS;
    agreed->in_forgets = offer->seen & CLIENT_FORGETS;
    agreed->out_bits = offer->seen & SERVER_BITS ? least(offer->server_bits, OUR_BITS) : OUR_BITS;
    agreed->in_bits = 15;
    if (offer->seen & CLIENT_BITS)
        agreed->in_bits = offer->client_bits ? least(offer->client_bits, OUR_BITS) : OUR_BITS;
    rt_buffer_format(answer, "permessage-deflate; server_max_window_bits=%d", agreed->out_bits);
    if (offer->seen & CLIENT_BITS)
        rt_buffer_format(answer, "; client_max_window_bits=%d", agreed->in_bits);
    if (agreed->out_forgets)
        rt_buffer_text(answer, "; server_no_context_takeover");
    if (agreed->in_forgets)
        rt_buffer_text(answer, "; client_no_context_takeover");
}

bool rt_ws_deflate_agree(rt_ws_deflate *agreed, rt_str offers, rt_buffer *answer)
{
    struct offer offer;
    while (offers.length)
        if (read_offer(&offer, rt_field_next(&offers, ','))) {
            settle(agreed, &offer, answer);
            return true;
        }
    return false;
}

/* --- messages -------------------------------------------------------------------------------- */

static bool open_out(rt_ws_deflate *agreed)
{
    if (agreed->out)
        return true;
    z_stream *stream = calloc(1, sizeof *stream);
    if (stream && deflateInit2(stream, LEVEL, Z_DEFLATED, -agreed->out_bits, MEMORY,
                               Z_DEFAULT_STRATEGY) != Z_OK) {
        free(stream);
        stream = NULL;
    }
    agreed->out = stream;
    return stream != NULL;
}

static bool open_in(rt_ws_deflate *agreed)
{
    if (agreed->in)
        return true;
    z_stream *stream = calloc(1, sizeof *stream);
    /* A window of 8 is written as one of 9 by zlib's own deflate. */
    int bits = agreed->in_bits < 9 ? 9 : agreed->in_bits;
    if (stream && inflateInit2(stream, -bits) != Z_OK) {
        free(stream);
        stream = NULL;
    }
    agreed->in = stream;
    return stream != NULL;
}

bool rt_ws_deflate_pack(rt_ws_deflate *agreed, const char *data, size_t length, rt_buffer *out)
{
    if (!open_out(agreed))
        return false;
    z_stream *stream = agreed->out;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)length;
    do {
        rt_buffer_reserve(out, length / 2 + 64);
        size_t room = out->capacity - out->length - 1;
        stream->next_out = (Bytef *)out->data + out->length;
        stream->avail_out = (uInt)room;
        deflate(stream, Z_SYNC_FLUSH);
        out->length += room - stream->avail_out;
    } while (stream->avail_out == 0);
    out->length -= 4; /* 00 00 ff ff, which every message ends in */
    if (agreed->out_forgets)
        deflateReset(stream);
    return true;
}

/* All of the input: 0 or the code to end with. Output beyond the limit is not even made. */
static int inflate_all(z_stream *stream, size_t limit, rt_buffer *out)
{
    for (;;) {
        size_t room = limit + 1 - out->length;
        if (room > 16384)
            room = 16384;
        rt_buffer_reserve(out, room);
        stream->next_out = (Bytef *)out->data + out->length;
        stream->avail_out = (uInt)room;
        int result = inflate(stream, Z_SYNC_FLUSH);
        out->length += room - stream->avail_out;
        if (out->length > limit)
            return RT_WS_TOO_LARGE;
        if (result == Z_STREAM_END)
            result = inflateReset(stream); /* a last block; others may follow */
        if (result != Z_OK && result != Z_BUF_ERROR)
            return RT_WS_INVALID_DATA;
        if (!stream->avail_in && stream->avail_out)
            return 0;
        if (result == Z_BUF_ERROR && stream->avail_out)
            return RT_WS_INVALID_DATA;
    }
}

int rt_ws_deflate_unpack(rt_ws_deflate *agreed, const char *data, size_t length, size_t limit,
                         rt_buffer *out)
{
    static const char tail[] = {0, 0, (char)0xff, (char)0xff};
    const struct {
        const char *data;
        size_t length;
    } parts[] = {{data, length}, {tail, sizeof tail}};
    if (!open_in(agreed))
        return RT_WS_DEFECT;
    int code = 0;
    for (size_t i = 0; i < 2 && code == 0; i++) {
        agreed->in->next_in = (Bytef *)(uintptr_t)parts[i].data;
        agreed->in->avail_in = (uInt)parts[i].length;
        if (parts[i].length)
            code = inflate_all(agreed->in, limit, out);
    }
    if (agreed->in_forgets)
        inflateReset(agreed->in);
    return code;
}

void rt_ws_deflate_free(rt_ws_deflate *agreed)
{
    if (agreed->out)
        deflateEnd(agreed->out);
    if (agreed->in)
        inflateEnd(agreed->in);
    free(agreed->out);
    free(agreed->in);
    agreed->out = agreed->in = NULL;
}
