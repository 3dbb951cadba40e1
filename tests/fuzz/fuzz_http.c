/* A stream of bytes gives the same requests in one piece, cut in two, and byte by byte. The first
 * two bytes say where it is cut. */
#include "../unit/http_stream.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static http_stream streams[3];

static void begin(http_stream *stream)
{
    stream_free(stream);
    memset(stream, 0, sizeof *stream);
    stream->max_header = 2048; /* also a hundred and one fields stay below it */
    stream->max_body = 256;
    rt_buffer_text(&stream->transcript, "");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    /* A heap block of the exact size, so that reading past its end is seen. */
    size_t length = size - 2, cut = length ? (data[0] | data[1] << 8) % length : 0;
    char *bytes = malloc(length + !length);
    memcpy(bytes, data + 2, length);
    for (int i = 0; i < 3; i++)
        begin(&streams[i]);
    stream_feed(&streams[0], bytes, length);
    stream_feed(&streams[1], bytes, cut);
    stream_feed(&streams[1], bytes + cut, length - cut);
    for (size_t i = 0; i < length; i++)
        stream_feed(&streams[2], bytes + i, 1);
    free(bytes);
    for (int i = 1; i < 3; i++)
        if (streams[i].transcript.length != streams[0].transcript.length ||
            memcmp(streams[i].transcript.data, streams[0].transcript.data,
                   streams[0].transcript.length))
            abort();
    return 0;
}
