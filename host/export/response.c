#include "export/response.h"

#include "export/otlp_fields.h"
#include "export/protobuf.h"

#include <errno.h>

static int read_partial(const char *bytes, size_t length, rt_partial *partial)
{
    const char *at = bytes, *end = bytes + length;
    rt_pb_field field;
    int result;
    while ((result = rt_pb_next(&at, end, &field)) > 0) {
        if (field.number == RT_OTLP_PARTIAL_REJECTED && field.wire == RT_PB_VARINT)
            partial->rejected = (int64_t)field.value > 0 ? field.value : 0;
        if (field.number == RT_OTLP_PARTIAL_MESSAGE && field.wire == RT_PB_BYTES) {
            partial->message = field.bytes;
            partial->length = field.length;
        }
    }
    return result;
}

int rt_response_read(const char *bytes, size_t length, rt_partial *partial)
{
    const char *at = bytes, *end = bytes + length;
    rt_pb_field field;
    int result;
    *partial = (rt_partial){0};
    while ((result = rt_pb_next(&at, end, &field)) > 0)
        if (field.number == RT_OTLP_RESPONSE_PARTIAL && field.wire == RT_PB_BYTES &&
            read_partial(field.bytes, field.length, partial) < 0)
            return -EPROTO;
    return result;
}

int rt_response_reason(const char *bytes, size_t length, rt_partial *reason)
{
    const char *at = bytes, *end = bytes + length;
    rt_pb_field field;
    int result;
    *reason = (rt_partial){0};
    while ((result = rt_pb_next(&at, end, &field)) > 0)
        if (field.number == RT_OTLP_STATUS_REASON && field.wire == RT_PB_BYTES) {
            reason->message = field.bytes;
            reason->length = field.length;
        }
    return result < 0 ? result : 0;
}
