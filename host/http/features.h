/* features.h — what the host adds to every exchange: who asks, CORS, security headers, compression,
 * the access log
 *
 * All of it is read from the settings once, into rt_features. Each exchange keeps in rt_marks what
 * its answer needs of the request, for the parsed head is gone by then. What is switched off costs
 * a test of a pointer.
 */
#ifndef RT_HTTP_FEATURES_H
#define RT_HTTP_FEATURES_H

#include "fiber/trace.h"
#include "http/coding.h"
#include "http/forwarded.h"
#include "http/http.h"
#include "http/router.h"

#include <rt/context.h>
#include <uv.h>

typedef struct rt_exchange rt_exchange;
typedef struct rt_cors rt_cors;
typedef struct rt_compression rt_compression;
typedef struct rt_access_log rt_access_log;
typedef struct rt_access_record rt_access_record;

typedef struct rt_features {
    rt_trust trust;
    rt_cors *cors;                /* NULL: off */
    rt_compression *compression;  /* NULL: off */
    rt_access_log *access;        /* NULL: off */
    struct rt_measures *measures; /* measure.h; NULL: off */
    rt_buffer security;           /* whole lines; empty: off */
    rt_buffer hsts;               /* a line; empty: off */
    bool marks;                   /* an exchange may own memory in its rt_marks */
    bool spans;                   /* requests are part of traces */
} rt_features;

typedef struct rt_marks {
    rt_origin origin;    /* its texts are good as long as the parsed head */
    rt_coding coding;    /* that the client likes best */
    rt_buffer cors;      /* lines for the answer */
    rt_encoder *encoder; /* of an answer that streams */
    rt_access_record *access;
    struct rt_span *span;    /* NULL: none is recorded */
    uint64_t began;          /* ns; only where somebody wants to know */
    uint64_t sent;           /* bytes of the body */
    uint64_t received;       /* likewise, of the request; this and what follows for measures */
    uint8_t method, version; /* of measure.c */
    bool secure;             /* origin.secure */
} rt_marks;

/* What an exchange came to; whoever counts or logs is told so. */
typedef struct rt_report {
    const rt_route *route; /* NULL: the host's own answer */
    uint32_t status;       /* 499: the client was gone first */
    uint64_t duration;     /* ns, from the head to the handler's end */
    uint64_t bytes;        /* of the answer's body */
} rt_report;

/* features.c */
int rt_features_open(rt_features *features, const rt_http_options *options, uv_loop_t *loop);
void rt_features_close(rt_features *features); /* what is logged by then is written */
/* Begins an exchange whose head is the server's, and finds its place in a trace. */
void rt_features_begin(rt_exchange *exchange, rt_trace *trace);
/* The header lines that every answer gets, once the handler's own are known. */
void rt_features_decorate(rt_exchange *exchange);
/* The exchange has ended; the one place that is told of each. */
void rt_features_end(rt_ctx *ctx, rt_exchange *exchange, const rt_exit *exit, uint32_t status);
void rt_marks_free(rt_marks *marks);
/* The value of a field of the parsed head; `lower` in lower case. */
rt_str rt_head_field(const rt_http_head *head, const char *lower);
/* The value of a field that the answer has; NULL data: none. */
rt_str rt_lines_field(const rt_buffer *lines, const char *lower);

/* cors.c */
rt_cors *rt_cors_open(const rt_setting *settings); /* NULL without origins */
void rt_cors_free(rt_cors *cors);
void rt_cors_begin(const rt_cors *cors, rt_marks *marks, const rt_http_head *head);
bool rt_cors_is_preflight(const rt_http_head *head);
/* Adds what only a preflight's answer has. */
void rt_cors_preflight(const rt_cors *cors, rt_marks *marks);
void rt_cors_decorate(const rt_cors *cors, const rt_marks *marks, rt_buffer *lines);

/* compress.c */
rt_compression *rt_compression_open(const rt_setting *settings); /* NULL without algorithms */
void rt_compression_free(rt_compression *compression);
void rt_compression_begin(const rt_compression *compression, rt_marks *marks,
                          const rt_http_head *head);
/* Codes a whole body if it is worth it; `body` and `length` then are of `coded`. May wait in a
 * handler, between the pieces of a large one. 0, or why the handler was interrupted. */
int rt_compress_whole(rt_ctx *ctx, rt_exchange *exchange, uint32_t status, const char *type,
                      const char **body, uint64_t *length, rt_buffer *coded);
/* Makes the head of a 304 that of the 200 it stands for, whose whole body would be so long. */
void rt_compress_unsent(rt_exchange *exchange, const char *type, uint64_t length);
/* Before a streamed answer's head is sent. */
void rt_compress_begin(rt_exchange *exchange, uint32_t status, const char *type);
/* Codes a piece, so that what was written so far can be decoded. */
int rt_compress_piece(rt_ctx *ctx, rt_exchange *exchange, const char *data, uint64_t length,
                      rt_encoder_step step, rt_buffer *coded);

/* access.c */
rt_access_log *rt_access_open(const rt_setting *settings, const char *format, const char *service,
                              int output,
                              uv_loop_t *loop); /* NULL if the file cannot be opened: errno */
/* The loop's handle is to be closed: from now on lines are written as they come. */
int rt_access_reopen(rt_access_log *log, int fd); /* NULL: none; 0 or -errno */
void rt_access_stop(rt_access_log *log);
void rt_access_close(rt_access_log *log);
void rt_access_begin(const rt_access_log *log, rt_exchange *exchange);
void rt_access_end(rt_access_log *log, rt_ctx *ctx, const rt_exchange *exchange,
                   const rt_report *report);
void rt_access_free(rt_access_record *record);

#endif
