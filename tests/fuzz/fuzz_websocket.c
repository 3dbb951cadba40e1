/* A stream of frames gives the same events in one piece, cut in two, and byte by byte; what claims
 * to be compressed is unpacked within its limit; no offer of compression is too strange. The first
 * byte says where the stream is cut, the second which rules hold. */
#include "http/websocket_deflate.h"
#include "http/websocket_frame.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 300u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct stream {
    rt_ws_reader reader;
    rt_ws_deflate deflate;
    rt_buffer log;
    int end;
} stream;

static void note_message(stream *s)
{
    rt_ws_reader *reader = &s->reader;
    rt_buffer unpacked = {0};
    if (reader->message.length > reader->limit)
        abort();
    rt_buffer_add(&s->log, reader->message.data, reader->message.length);
    if (reader->compressed) {
        s->end = rt_ws_deflate_unpack(&s->deflate, reader->message.data, reader->message.length,
                                      LIMIT, &unpacked);
        if (s->end == 0 && unpacked.length > LIMIT)
            abort();
        rt_buffer_add(&s->log, unpacked.data, unpacked.length);
    }
    rt_buffer_free(&unpacked);
    rt_ws_next(reader);
}

static void note_event(stream *s, int event)
{
    rt_buffer_format(&s->log, "%d:", event);
    if (event > 999)
        s->end = event;
    else if (event >= RT_WS_CLOSE)
        rt_buffer_add(&s->log, s->reader.control, s->reader.control_length);
    else
        note_message(s);
    if (event == RT_WS_CLOSE)
        rt_buffer_format(&s->log, "%d",
                         rt_ws_close_code(s->reader.control, s->reader.control_length));
}

static void feed(stream *s, const uint8_t *data, size_t length)
{
    /* A heap block of the exact size, so that reading past its end is seen. */
    char *piece = malloc(length + !length);
    const char *at = piece;
    int event;
    if (length)
        memcpy(piece, data, length);
    while (!s->end && (event = rt_ws_read(&s->reader, &at, piece + length)) != 0)
        note_event(s, event);
    free(piece);
}

static void agree(const uint8_t *data, size_t size)
{
    rt_ws_deflate agreed = {0};
    rt_buffer answer = {0};
    if (rt_ws_deflate_agree(&agreed, (rt_str){(const char *)data, size}, &answer) &&
        (agreed.out_bits < 9 || agreed.out_bits > 15 || agreed.in_bits < 8 || agreed.in_bits > 15))
        abort();
    rt_buffer_free(&answer);
}

static void check_same(const stream *a, const stream *b)
{
    if (a->end != b->end || a->log.length != b->log.length ||
        memcmp(a->log.data, b->log.data, a->log.length))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    stream streams[3];
    if (size < 3)
        return 0;
    size_t length = size - 2, cut = data[0] % length;
    agree(data + 2, length);
    memset(streams, 0, sizeof streams);
    for (int i = 0; i < 3; i++) {
        streams[i].reader.limit = LIMIT;
        streams[i].reader.compresses = data[1] & 1;
        streams[i].deflate = (rt_ws_deflate){
            .in_bits = 9 + (data[1] >> 1) % 7, .out_bits = 12, .in_forgets = data[1] & 128};
        rt_buffer_text(&streams[i].log, "");
    }
    data += 2;
    feed(&streams[0], data, length);
    feed(&streams[1], data, cut);
    feed(&streams[1], data + cut, length - cut);
    for (size_t i = 0; i < length; i++)
        feed(&streams[2], data + i, 1);
    check_same(&streams[0], &streams[1]);
    check_same(&streams[0], &streams[2]);
    for (int i = 0; i < 3; i++) {
        rt_ws_reader_free(&streams[i].reader);
        rt_ws_deflate_free(&streams[i].deflate);
        rt_buffer_free(&streams[i].log);
    }
    return 0;
}
