/* parser.h — bytes of a connection to requests (RFC 9112), without any input or output
 *
 * The parser judges bytes in their order, so a stream gives the same answers however it was cut
 * into reads. Nothing is copied: texts of a head point into the bytes that were parsed.
 */
#ifndef RT_HTTP_PARSER_H
#define RT_HTTP_PARSER_H

#include "base/buffer.h"

#include <rt/http.h>
#include <stdbool.h>

#define RT_HTTP_HEADERS 100      /* in one request; 431 beyond */
#define RT_HTTP_TARGET 8192      /* bytes; 414 beyond */
#define RT_HTTP_TRAILERS 4096u   /* bytes behind a body */
#define RT_CORRELATION_LIMIT 128 /* bytes of X-Correlation-Id */
#define RT_HTTP_SEGMENTS 32      /* of a path that a pattern could match */

/* What reading came to; every other value is the status to refuse the request with. */
enum { RT_HTTP_MORE = 0, RT_HTTP_DONE = 1 };

/* The lines of an incomplete head that need no second look; zeroed for a new request. */
typedef struct rt_http_scan {
    uint32_t offset; /* of the first incomplete line */
    uint32_t lines;
} rt_http_scan;

typedef struct rt_http_head {
    const char *start;
    uint32_t length; /* with the empty line */
    uint32_t
        method;     /* rt_http_method; 0: none that a route can have. Known of a refused head too */
    uint32_t minor; /* HTTP/1.minor */
    uint32_t header_count;
    rt_str method_name;
    rt_str target;
    rt_str path; /* decoded */
    rt_str query;
    rt_str host;         /* of an absolute target, else of Host */
    uint32_t host_field; /* which header is Host, from 1; 0: none */
    rt_str correlation;  /* of X-Correlation-Id if acceptable */
    uint64_t content_length;
    const char *problem; /* why it was refused */
    bool chunked;
    bool close;
    bool expects_continue;
    bool takes_trailers;    /* `TE: trailers` */
    bool asterisk;          /* OPTIONS * */
    bool is_absolute;       /* the target had the form http://host/path */
    bool is_decoded;        /* path and segments point into `decoded` */
    bool too_many_segments; /* for any pattern */
    uint32_t segment_count;
    rt_str segments[RT_HTTP_SEGMENTS]; /* decoded */
    rt_header headers[RT_HTTP_HEADERS];
    char decoded[RT_HTTP_TARGET + 1];
    /* A Host that was found valid, since the next request most often names the same; kept. */
    uint32_t known_host_length;
    char known_host[64];
} rt_http_head;

/* Parses a head. RT_HTTP_DONE, RT_HTTP_MORE or a status; `limit` in bytes. */
int rt_http_parse_head(rt_http_head *head, rt_http_scan *scan, const char *data, size_t length,
                       size_t limit);

/* Judges the target and sets path, query, segments and, for the absolute form, host. */
int rt_http_parse_target(rt_http_head *head);
/* `host[:port]` as it may stand in Host. */
bool rt_http_host_valid(rt_str host);
/* Decodes %XX (and `+` for forms) into `out`, of as many bytes; the length, or -1 for a bad one. */
int64_t rt_http_decode(rt_str text, bool form, char *out);

bool rt_http_is_token(rt_str text);
/* Without control characters; tabs are refused too. */
bool rt_http_is_text(rt_str text);
bool rt_http_same(rt_str text, const char *lower); /* without case; `lower` is in lower case */

/* Reading of one body. */
typedef struct rt_http_body {
    uint64_t remaining; /* of the content or the chunk */
    uint64_t limit;     /* of all chunks together */
    uint32_t digits;
    uint32_t extension_bytes; /* of all chunks */
    uint32_t trailer_bytes;
    rt_buffer *trailers; /* set after rt_http_body_begin: gets their lines; or NULL */
    uint8_t state;
} rt_http_body;

/* RT_HTTP_DONE: there is none; RT_HTTP_MORE: read it; or 413. */
int rt_http_body_begin(rt_http_body *body, const rt_http_head *head, uint64_t limit);
/* Moves content from `*at` to `out`. RT_HTTP_DONE leaves `*at` behind the body. */
int rt_http_body_read(rt_http_body *body, rt_buffer *out, const char **at, const char *end);

#endif
