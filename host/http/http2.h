/* http2.h — one connection that speaks HTTP/2 (RFC 9113), for http2*.c
 *
 * libnghttp2 reads and writes the frames; the requests become the server's parsed head by way of
 * the text that HTTP/1.1 would have sent, so that one parser judges both protocols. Each stream has
 * an exchange of its own, and many run at once.
 *
 * Memory: a stream stays until its unit has ended and nghttp2 has closed it. Nothing is sent and no
 * session is freed while nghttp2 calls us (`receiving`).
 */
#ifndef RT_HTTP_HTTP2_H
#define RT_HTTP_HTTP2_H

#include "http/http2_budget.h"
#include "http/internal.h"

#include <nghttp2/nghttp2.h>

#define RT_HTTP2_BODIES_LEAST 4u    /* bodies of `max_body` that a connection may hold unfinished */
#define RT_HTTP2_HEAD_EXCESS 4u     /* times `max_header` a header block may decode to */
#define RT_HTTP2_CONTINUATIONS 32u  /* frames of one header block */
#define RT_HTTP2_NAMED_AGAIN 16000u /* ms */

typedef struct rt_http2_stream rt_http2_stream;

struct rt_http2_stream {
    rt_exchange exchange; /* first, so that one is the other */
    rt_http2_stream *previous, *next;
    uint64_t since;  /* ms of uv_now: the last progress of what is waited for */
    uint64_t limit;  /* of the request's body */
    uint64_t got;    /* of it, in all */
    rt_buffer head;  /* text of a request whose body comes before its unit */
    rt_buffer out;   /* of the answer's body what nghttp2 has not taken */
    size_t sent;     /* of `out` */
    size_t returned; /* of a streamed body: bytes whose window the peer has back */
    int32_t id;
    bool reading;     /* its body is being read before the unit starts */
    bool remote_open; /* the peer may send more of the body */
    bool owes_continue;
    bool answering; /* nghttp2 has the head, and takes the body from `out` */
    bool deferred;  /* it found nothing there, and looks again when told */
    bool finished;  /* nothing more comes into `out` */
    bool over;      /* nghttp2 has closed the stream */
};

/* What is known of the header block that is being received. */
typedef struct rt_http2_block {
    rt_buffer text;           /* as HTTP/1.1 would have sent it */
    rt_buffer cookies;        /* all in one, as RFC 9113, 8.2.3 asks */
    nghttp2_rcbuf *pseudo[4]; /* by rt_http2_pseudo, until the first other field */
    uint64_t decoded;         /* bytes */
    uint32_t frames, fields;
    const char *problem;
    uint32_t status; /* of the refusal that `problem` is the reason for */
    uint32_t method; /* that is known of a refused head too */
    bool begun;      /* it is not clear */
    bool open;       /* more of it is to come */
    bool trailers;
    bool lined; /* the request line is written */
} rt_http2_block;

/* What the sessions of a server share. */
typedef struct rt_http2_library {
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
    rt_buffer lines;    /* of what the fields are made */
    nghttp2_nv *common; /* fields that most answers have */
    size_t common_count;
} rt_http2_library;

struct rt_http2 {
    nghttp2_session *session;
    rt_http2_stream *streams;
    uint32_t stream_count;
    uint64_t filled; /* ms: when frames were last made, all before them having been sent */
    uint64_t named;  /* ms: when an id was last left in the table of fields, for its name */
    uint64_t held;   /* bytes of bodies whose units have not started */
    rt_http2_block block;
    rt_http2_budget budget;
    uint32_t verdict; /* the error code that ends the connection, when a callback found it */
    bool receiving;
    bool noticed; /* the peer was told that the end is near */
    bool parted;  /* and which stream is the last */
    bool ended;   /* nghttp2 is not to be asked any more */
};

/* http2.c */
/* Makes frames of what there is to send, as far as the peer takes them. */
void rt_http2_pull(rt_connection *connection);
/* The same, and says anew what to wait for; for what happens outside of the loop's own turn. */
void rt_http2_push(rt_connection *connection);
void rt_http2_notice_sent(rt_connection *connection);
/* The peer has seen what was sent before the PING. */
void rt_http2_ping_answered(rt_connection *connection);
rt_http2_stream *rt_http2_stream_new(rt_connection *connection, int32_t id);
void rt_http2_stream_free(rt_http2_stream *stream);
void rt_http2_reset(rt_http2_stream *stream, uint32_t code);

/* http2_request.c */
void rt_http2_set_receiving(nghttp2_session_callbacks *callbacks);
/* The body of a stream that was `reading` does not come: refuses its request. */
void rt_http2_refuse_body(rt_http2_stream *stream, uint32_t status, const char *problem);
void rt_http2_block_clear(rt_http2_block *block);

/* http2_answer.c */
extern const rt_way rt_http2_way;
void rt_http2_set_sending(nghttp2_session_callbacks *callbacks);
/* Makes fields of the lines that the server's answers have in common. */
void rt_http2_learn_common(rt_http2_library *library, const rt_buffer *lines);
void rt_http2_send_continue(rt_http2_stream *stream);

static inline rt_http2 *rt_http2_of(const rt_http2_stream *stream)
{
    return stream->exchange.connection->http2;
}

#endif
