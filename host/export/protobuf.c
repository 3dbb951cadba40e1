#include "export/protobuf.h"

#include <errno.h>
#include <string.h>

#define VARINT_MOST 10
#define REPLACEMENT "\xEF\xBF\xBD"

static size_t put_varint(char *at, uint64_t value)
{
    size_t length = 0;
    for (; value >= 0x80; value >>= 7)
        at[length++] = (char)(value | 0x80);
    at[length++] = (char)value;
    return length;
}

static void add_varint(rt_buffer *out, uint64_t value)
{
    char bytes[VARINT_MOST];
    rt_buffer_add(out, bytes, put_varint(bytes, value));
}

static void add_tag(rt_buffer *out, uint32_t field, enum rt_pb_wire wire)
{
    add_varint(out, (uint64_t)field << 3 | wire);
}

void rt_pb_varint(rt_buffer *out, uint32_t field, uint64_t value)
{
    add_tag(out, field, RT_PB_VARINT);
    add_varint(out, value);
}

/* Little-endian, as all machines are that this is built for. */
void rt_pb_fixed32(rt_buffer *out, uint32_t field, uint32_t value)
{
    add_tag(out, field, RT_PB_FIXED32);
    rt_buffer_add(out, &value, sizeof value);
}

void rt_pb_fixed64(rt_buffer *out, uint32_t field, uint64_t value)
{
    add_tag(out, field, RT_PB_FIXED64);
    rt_buffer_add(out, &value, sizeof value);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fixed-width fields are little-endian");

void rt_pb_double(rt_buffer *out, uint32_t field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    rt_pb_fixed64(out, field, bits);
}

void rt_pb_head(rt_buffer *out, uint32_t field, size_t length)
{
    add_tag(out, field, RT_PB_BYTES);
    add_varint(out, length);
}

void rt_pb_bytes(rt_buffer *out, uint32_t field, const void *bytes, size_t length)
{
    rt_pb_head(out, field, length);
    rt_buffer_add(out, bytes, length);
}

/* --- texts ----------------------------------------------------------------------------------- */

static size_t sound_prefix(const char *text, size_t length)
{
    size_t at = 0, step;
    while (at < length &&
           (step = (unsigned char)text[at] < 0x80 ? 1 : rt_utf8_sequence(text + at, length - at)))
        at += step;
    return at;
}

static void add_mended(rt_buffer *out, uint32_t field, const char *text, size_t length)
{
    size_t start = rt_pb_open(out, field);
    while (length) {
        size_t sound = sound_prefix(text, length);
        rt_buffer_add(out, text, sound);
        if (sound < length)
            rt_buffer_add(out, REPLACEMENT, sizeof REPLACEMENT - 1);
        sound += sound < length;
        text += sound;
        length -= sound;
    }
    rt_pb_close(out, start);
}

/* A receiver refuses the whole request for one byte that is no UTF-8. */
void rt_pb_string(rt_buffer *out, uint32_t field, const char *text, size_t length)
{
    if (sound_prefix(text, length) == length)
        rt_pb_bytes(out, field, text, length);
    else
        add_mended(out, field, text, length);
}

void rt_pb_text(rt_buffer *out, uint32_t field, const char *text)
{
    if (text)
        rt_pb_string(out, field, text, strlen(text));
}

/* --- messages in messages -------------------------------------------------------------------- */

/* One byte for the length is enough for most; else the message moves. */
size_t rt_pb_open(rt_buffer *out, uint32_t field)
{
    add_tag(out, field, RT_PB_BYTES);
    rt_buffer_char(out, 0);
    return out->length;
}

void rt_pb_close(rt_buffer *out, size_t start)
{
    char length[VARINT_MOST];
    size_t size = out->length - start, width = put_varint(length, size);
    if (width > 1) {
        rt_buffer_reserve(out, width - 1);
        memmove(out->data + start + width - 1, out->data + start, size + 1);
        out->length += width - 1;
    }
    memcpy(out->data + start - 1, length, width);
}

/* --- reading --------------------------------------------------------------------------------- */

static int take_varint(const char **at, const char *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 7 * VARINT_MOST; shift += 7) {
        if (*at == end)
            return -EPROTO;
        uint64_t byte = (unsigned char)*(*at)++;
        *value |= (byte & 0x7F) << shift;
        if (byte < 0x80)
            return 0;
    }
    return -EPROTO;
}

static int take_fixed(const char **at, const char *end, uint64_t *value, size_t size)
{
    if ((size_t)(end - *at) < size)
        return -EPROTO;
    *value = 0;
    memcpy(value, *at, size);
    *at += size;
    return 0;
}

static int take_bytes(const char **at, const char *end, rt_pb_field *field)
{
    if (take_varint(at, end, &field->value) < 0 || field->value > (uint64_t)(end - *at))
        return -EPROTO;
    field->bytes = *at;
    field->length = (size_t)field->value;
    *at += field->length;
    return 0;
}

static int take_value(const char **at, const char *end, rt_pb_field *field)
{
    switch (field->wire) {
    case RT_PB_VARINT:
        return take_varint(at, end, &field->value);
    case RT_PB_FIXED64:
        return take_fixed(at, end, &field->value, sizeof(uint64_t));
    case RT_PB_FIXED32:
        return take_fixed(at, end, &field->value, sizeof(uint32_t));
    case RT_PB_BYTES:
        return take_bytes(at, end, field);
    }
    return -EPROTO;
}

int rt_pb_next(const char **at, const char *end, rt_pb_field *field)
{
    uint64_t tag;
    if (*at == end)
        return 0;
    if (take_varint(at, end, &tag) < 0 || tag >> 3 == 0 || tag >> 32)
        return -EPROTO;
    *field = (rt_pb_field){.number = (uint32_t)(tag >> 3), .wire = (enum rt_pb_wire)(tag & 7)};
    return take_value(at, end, field) < 0 ? -EPROTO : 1;
}
