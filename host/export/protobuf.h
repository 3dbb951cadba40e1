/* protobuf.h — writes protobuf's wire format, field by field
 *
 * A field is its number and a value; a message within a message is opened and closed. Fields whose
 * value is protobuf's default are left out by those who call, where that means the same.
 *
 *     size_t span = rt_pb_open(out, RT_OTLP_SCOPE_SPANS_SPANS);
 *     rt_pb_text(out, RT_OTLP_SPAN_NAME, name);
 *     rt_pb_close(out, span);
 */
#ifndef RT_EXPORT_PROTOBUF_H
#define RT_EXPORT_PROTOBUF_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

void rt_pb_varint(rt_buffer *out, uint32_t field, uint64_t value);
void rt_pb_fixed32(rt_buffer *out, uint32_t field, uint32_t value);
void rt_pb_fixed64(rt_buffer *out, uint32_t field, uint64_t value);
void rt_pb_double(rt_buffer *out, uint32_t field, double value);
void rt_pb_bytes(rt_buffer *out, uint32_t field, const void *bytes, size_t length);
/* A string, which must be UTF-8: what is not becomes U+FFFD. */
void rt_pb_string(rt_buffer *out, uint32_t field, const char *text, size_t length);
void rt_pb_text(rt_buffer *out, uint32_t field, const char *text); /* nothing for NULL */

/* `open` gives what `close` wants. */
size_t rt_pb_open(rt_buffer *out, uint32_t field);
void rt_pb_close(rt_buffer *out, size_t start);

/* The head alone of bytes that follow. */
void rt_pb_head(rt_buffer *out, uint32_t field, size_t length);

/* --- reading --- */

enum rt_pb_wire { RT_PB_VARINT, RT_PB_FIXED64, RT_PB_BYTES, RT_PB_FIXED32 = 5 };

typedef struct rt_pb_field {
    uint32_t number;
    enum rt_pb_wire wire;
    uint64_t value;    /* of numbers */
    const char *bytes; /* of RT_PB_BYTES */
    size_t length;
} rt_pb_field;

/* The next field at `*at`, which moves on: 1; 0 at the end; -EPROTO for what is no message. Reads
 * nothing at or beyond `end`. */
int rt_pb_next(const char **at, const char *end, rt_pb_field *field);

#endif
