/* http_stream.h — what the parser makes of a stream that arrives in pieces, as text to compare */
#ifndef RT_TEST_HTTP_STREAM_H
#define RT_TEST_HTTP_STREAM_H

#include "http/parser.h"

#include <string.h>

typedef struct http_stream {
    rt_http_head head;
    rt_http_scan scan;
    rt_http_body reader;
    rt_buffer pending; /* with the head while its body is read */
    rt_buffer body;
    rt_buffer transcript;
    size_t max_header;
    uint64_t max_body;
    bool reading_body;
    bool refused;
} http_stream;

static inline void stream_refuse(http_stream *stream, int status)
{
    rt_buffer_format(&stream->transcript, "!%d %u\n", status, stream->head.method);
    stream->refused = true;
}

static inline void stream_text(http_stream *stream, const char *name, rt_str text)
{
    rt_buffer_format(&stream->transcript, " %s=", name);
    rt_buffer_add(&stream->transcript, text.data, text.length);
}

static inline void stream_request(http_stream *stream)
{
    const rt_http_head *head = &stream->head;
    rt_buffer_format(&stream->transcript, "%u 1.%u%s", head->method, head->minor,
                     head->close ? " close" : "");
    stream_text(stream, "path", head->path);
    stream_text(stream, "query", head->query);
    stream_text(stream, "host", head->host);
    for (uint32_t i = 0; i < head->segment_count; i++)
        stream_text(stream, "s", head->segments[i]);
    for (uint32_t i = 0; i < head->header_count; i++) {
        stream_text(stream, "n", head->headers[i].name);
        stream_text(stream, "v", head->headers[i].value);
    }
    stream_text(stream, "body", (rt_str){stream->body.data, stream->body.length});
    rt_buffer_char(&stream->transcript, '\n');
    stream->body.length = 0;
}

static inline bool stream_read_body(http_stream *stream, const char **at, const char *end)
{
    int result = rt_http_body_read(&stream->reader, &stream->body, at, end);
    if (result > RT_HTTP_DONE)
        stream_refuse(stream, result);
    return result == RT_HTTP_DONE;
}

/* A head at `*at`, and its body as far as it is there. False: no complete request. */
static inline bool stream_read_head(http_stream *stream, const char **at, const char *end)
{
    int result = rt_http_parse_head(&stream->head, &stream->scan, *at, (size_t)(end - *at),
                                    stream->max_header);
    if (result == RT_HTTP_DONE)
        result = rt_http_body_begin(&stream->reader, &stream->head, stream->max_body);
    else if (result == RT_HTTP_MORE)
        return false;
    if (result > RT_HTTP_DONE) {
        stream_refuse(stream, result);
        return false;
    }
    const char *start = *at;
    *at += stream->head.length;
    if (result == RT_HTTP_DONE || stream_read_body(stream, at, end))
        return true;
    if (stream->refused)
        return false;
    rt_buffer kept = {0};
    rt_buffer_add(&kept, start, stream->head.length);
    rt_buffer_free(&stream->pending);
    stream->pending = kept;
    stream->reading_body = true;
    *at = end;
    return false;
}

static inline void stream_feed(http_stream *stream, const char *bytes, size_t length)
{
    const char *at = bytes, *end = bytes + length;
    if (stream->refused)
        return;
    if (stream->reading_body) {
        if (!stream_read_body(stream, &at, end))
            return;
        rt_http_scan scan = {0};
        stream->reading_body = false;
        if (rt_http_parse_head(&stream->head, &scan, stream->pending.data, stream->pending.length,
                               stream->max_header) != RT_HTTP_DONE)
            rt_buffer_text(&stream->transcript, "the second parse differs\n");
        stream_request(stream);
        stream->pending.length = 0;
    }
    rt_buffer all = {0};
    rt_buffer_add(&all, stream->pending.data, stream->pending.length);
    rt_buffer_add(&all, at, (size_t)(end - at));
    stream->pending.length = 0;
    at = all.data, end = all.data + all.length;
    while (at < end && stream_read_head(stream, &at, end))
        stream_request(stream);
    if (!stream->refused && !stream->reading_body)
        rt_buffer_add(&stream->pending, at, (size_t)(end - at));
    rt_buffer_free(&all);
}

static inline void stream_free(http_stream *stream)
{
    rt_buffer_free(&stream->pending);
    rt_buffer_free(&stream->body);
    rt_buffer_free(&stream->transcript);
}

#endif
