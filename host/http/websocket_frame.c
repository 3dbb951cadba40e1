#include "http/websocket_frame.h"

#include <string.h>

#define FINAL 0x80
#define COMPRESSED 0x40 /* RSV1 (RFC 7692) */
#define RESERVED 0x30
#define MASKED 0x80

/* --- UTF-8 ----------------------------------------------------------------------------------- */

/* The lead bytes that are not refused, with what may follow them (RFC 3629, section 4). */
static bool begin_sequence(rt_utf8 *state, uint8_t byte)
{
    static const struct {
        uint8_t first, last, needed, least, most;
    } leads[] = {
        {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf}, {0xe1, 0xec, 2, 0x80, 0xbf},
        {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf},
        {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
    };
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (byte >= leads[i].first && byte <= leads[i].last) {
            *state = (rt_utf8){leads[i].needed, leads[i].least, leads[i].most};
            return true;
        }
    return false;
}

bool rt_utf8_feed(rt_utf8 *state, const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)data[i];
        if (state->needed) {
            if (byte < state->least || byte > state->most)
                return false;
            *state = (rt_utf8){(uint8_t)(state->needed - 1), 0x80, 0xbf};
        } else if (byte >= 0x80 && !begin_sequence(state, byte)) {
            return false;
        }
    }
    return true;
}

/* --- a frame's head -------------------------------------------------------------------------- */

static bool is_control(uint8_t opcode)
{
    return opcode >= RT_WS_CLOSE;
}

/* What the first two bytes tell; 0 or the code to end with. */
static int judge_start(const rt_ws_reader *reader)
{
    uint8_t first = reader->head[0], opcode = first & 15, length = reader->head[1] & 127;
    bool known = opcode <= RT_WS_BINARY || (is_control(opcode) && opcode <= RT_WS_PONG);
    bool begins = opcode == RT_WS_TEXT || opcode == RT_WS_BINARY;
    if (first & RESERVED || !known || !(reader->head[1] & MASKED))
        return RT_WS_PROTOCOL_ERROR;
    if (first & COMPRESSED && (!reader->compresses || !begins))
        return RT_WS_PROTOCOL_ERROR;
    if (is_control(opcode) && (!(first & FINAL) || length > RT_WS_CONTROL_LIMIT))
        return RT_WS_PROTOCOL_ERROR;
    if (!is_control(opcode) && begins == (reader->opcode != 0))
        return RT_WS_PROTOCOL_ERROR; /* a message within one, or the rest of none */
    return 0;
}

static size_t head_size(const rt_ws_reader *reader)
{
    uint8_t length = reader->head[1] & 127;
    return length == 127 ? 14 : length == 126 ? 8 : 6;
}

/* False: the number is not written in its shortest form, or has its highest bit set. */
static bool read_length(rt_ws_reader *reader)
{
    uint8_t length = reader->head[1] & 127;
    reader->remaining = length;
    if (length < 126)
        return true;
    size_t bytes = length == 127 ? 8 : 2;
    reader->remaining = 0;
    for (size_t i = 0; i < bytes; i++)
        reader->remaining = reader->remaining << 8 | reader->head[2 + i];
    return bytes == 2 ? reader->remaining > 125
                      : reader->remaining > 65535 && !(reader->remaining >> 63);
}

static int begin_payload(rt_ws_reader *reader)
{
    uint8_t opcode = reader->head[0] & 15;
    if (!read_length(reader))
        return RT_WS_PROTOCOL_ERROR;
    if (!is_control(opcode) && reader->remaining > reader->limit - reader->message.length)
        return RT_WS_TOO_LARGE;
    memcpy(reader->mask, reader->head + head_size(reader) - 4, 4);
    reader->frame = opcode;
    reader->final = reader->head[0] & FINAL;
    reader->phase = reader->head_length = reader->control_length = 0;
    reader->in_payload = true;
    if (opcode == RT_WS_TEXT || opcode == RT_WS_BINARY) {
        reader->opcode = opcode;
        reader->compressed = reader->head[0] & COMPRESSED;
        reader->text = (rt_utf8){0};
    }
    return 0;
}

/* Takes bytes of the head, of which the first two are judged as soon as they are there. */
static int read_head(rt_ws_reader *reader, const char **at, const char *end)
{
    while (*at < end) {
        reader->head[reader->head_length++] = (uint8_t) * (*at)++;
        if (reader->head_length == 2) {
            int code = judge_start(reader);
            if (code)
                return code;
        }
        if (reader->head_length >= 2 && reader->head_length == head_size(reader))
            return begin_payload(reader);
    }
    return 0;
}

/* --- its payload ----------------------------------------------------------------------------- */

static void unmask(rt_ws_reader *reader, char *data, size_t length)
{
    uint8_t mask[8];
    uint64_t wide;
    size_t i = 0;
    for (size_t j = 0; j < sizeof mask; j++)
        mask[j] = reader->mask[(reader->phase + j) & 3];
    memcpy(&wide, mask, sizeof wide);
    for (uint64_t word; i + sizeof word <= length; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        word ^= wide;
        memcpy(data + i, &word, sizeof word);
    }
    for (; i < length; i++)
        data[i] ^= (char)mask[i & 7];
    reader->phase = (uint32_t)((reader->phase + length) & 3);
}

static int take_content(rt_ws_reader *reader, const char *data, size_t length)
{
    rt_buffer_add(&reader->message, data, length);
    char *added = reader->message.data + reader->message.length - length;
    unmask(reader, added, length);
    bool judged = reader->opcode == RT_WS_TEXT && !reader->compressed;
    return judged && !rt_utf8_feed(&reader->text, added, length) ? RT_WS_INVALID_DATA : 0;
}

static void take_control(rt_ws_reader *reader, const char *data, size_t length)
{
    memcpy(reader->control + reader->control_length, data, length);
    unmask(reader, reader->control + reader->control_length, length);
    reader->control_length = (uint8_t)(reader->control_length + length);
}

static int end_frame(rt_ws_reader *reader)
{
    reader->in_payload = false;
    if (is_control(reader->frame))
        return reader->frame;
    if (!reader->final)
        return 0;
    return rt_utf8_complete(&reader->text) ? reader->opcode : RT_WS_INVALID_DATA;
}

static int read_payload(rt_ws_reader *reader, const char **at, const char *end)
{
    uint64_t here = (uint64_t)(end - *at);
    size_t length = here < reader->remaining ? here : reader->remaining;
    int code = 0;
    if (is_control(reader->frame))
        take_control(reader, *at, length);
    else if (length)
        code = take_content(reader, *at, length);
    *at += length;
    reader->remaining -= length;
    if (code)
        return code;
    return reader->remaining ? 0 : end_frame(reader);
}

int rt_ws_read(rt_ws_reader *reader, const char **at, const char *end)
{
    int result = 0;
    while (result == 0 && (*at < end || (reader->in_payload && !reader->remaining)))
        result = reader->in_payload ? read_payload(reader, at, end) : read_head(reader, at, end);
    return result;
}

void rt_ws_next(rt_ws_reader *reader)
{
    reader->opcode = 0;
    reader->compressed = false;
    reader->message.length = 0;
    if (reader->message.capacity > 65536)
        rt_buffer_free(&reader->message);
}

void rt_ws_reader_free(rt_ws_reader *reader)
{
    rt_buffer_free(&reader->message);
}

/* --- close, and what is sent ----------------------------------------------------------------- */

static bool may_be_sent(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

int rt_ws_close_code(const char *data, size_t length)
{
    rt_utf8 reason = {0};
    if (length == 0)
        return RT_WS_NO_CODE;
    if (length == 1)
        return -RT_WS_PROTOCOL_ERROR;
    int code = (uint8_t)data[0] << 8 | (uint8_t)data[1];
    if (!may_be_sent(code))
        return -RT_WS_PROTOCOL_ERROR;
    if (!rt_utf8_feed(&reason, data + 2, length - 2) || !rt_utf8_complete(&reason))
        return -RT_WS_INVALID_DATA;
    return code;
}

size_t rt_ws_head(char head[RT_WS_HEAD_LIMIT], uint8_t opcode, bool final, bool compressed,
                  uint64_t length)
{
    size_t bytes = length > 65535 ? 8 : length > 125 ? 2 : 0;
    head[0] = (char)((final ? FINAL : 0) | (compressed ? COMPRESSED : 0) | opcode);
    head[1] = (char)(bytes == 8 ? 127 : bytes == 2 ? 126 : length);
    for (size_t i = 0; i < bytes; i++)
        head[2 + i] = (char)(length >> 8 * (bytes - 1 - i));
    return 2 + bytes;
}
