/* What comes into an exporter from outside: messages of workers, whose plugins may have scribbled
 * over them, and answers of collectors. The first byte says which. Whatever a message holds, what
 * is made of it is well-formed protobuf of the depth that OTLP has. */
#include "export/exporter.h"
#include "export/protobuf.h"
#include "export/response.h"
#include "telemetry/outlet.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM ((size_t)1 << 20)

static void check_message(const char *at, const char *end, int levels)
{
    rt_pb_field field;
    int result;
    while ((result = rt_pb_next(&at, end, &field)) > 0)
        if (field.wire == RT_PB_BYTES && levels)
            check_message(field.bytes, field.bytes + field.length, levels - 1);
    if (result < 0)
        abort();
}

static void check_bundle(rt_bundle *bundle)
{
    rt_buffer resource = {0}, body = {0};
    rt_buffer_text(&resource, "");
    if (bundle->items) {
        rt_bundle_body(bundle, &resource, &body);
        /* request, of a resource, of a scope: below it strings lie beside messages */
        check_message(body.data, body.data + body.length, 1);
    }
    rt_bundle_empty(bundle);
    rt_buffer_free(&resource);
    rt_buffer_free(&body);
}

static void message(const char *bytes, size_t length)
{
    static rt_exporter exporter;
    rt_batch head = {.magic = RT_BATCH_MAGIC};
    char *whole = malloc(sizeof head + length);
    memcpy(whole, &head, sizeof head);
    memcpy(whole + sizeof head, bytes, length);
    exporter.room = ROOM;
    exporter.bundle_most = ROOM / 8;
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++)
        exporter.ways[i].is_open = true;
    rt_exporter_take(&exporter, whole, sizeof head + length, 1);
    rt_exporter_take(&exporter, bytes, length, 1);
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++)
        check_bundle(&exporter.ways[i].bundle);
    free(whole);
}

static void answer(const char *bytes, size_t length)
{
    rt_partial partial;
    int result = rt_response_read(bytes, length, &partial);
    if (result == 0 && partial.length &&
        (partial.message < bytes || partial.message + partial.length > bytes + length))
        abort();
    result = rt_response_reason(bytes, length, &partial);
    if (result == 0 && partial.length &&
        (partial.message < bytes || partial.message + partial.length > bytes + length))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(const char *, size_t) = {message, answer};
    if (!size)
        return 0;
    size_t length = size - 1;
    char *bytes = malloc(length + !length); /* of the exact size, so that reading past it is seen */
    memcpy(bytes, data + 1, length);
    kinds[data[0] % 2](bytes, length);
    free(bytes);
    return 0;
}
