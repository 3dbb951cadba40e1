/* exchange.h — one request and its answer, whatever protocol carries them
 *
 * The protocol (http1.c, http2.c) has parsed a head into the server's `head` and starts the
 * exchange, which runs the route's handler as a unit of work, often to its end before it returns.
 * What the handler answers goes out through the protocol's rt_way.
 *
 * Memory: an exchange lies in its protocol's structures and stays until `ended` was called. When
 * its peer is gone the protocol calls rt_exchange_abandon, and still waits for `ended`.
 */
#ifndef RT_HTTP_EXCHANGE_H
#define RT_HTTP_EXCHANGE_H

#include "base/buffer.h"
#include "fiber/fiber.h"
#include "http/features.h"
#include "http/http.h"
#include "http/router.h"

#define RT_RESPONSE_MAGIC 0x70736572u

/* Bytes of a streamed body, either way, that are kept before its sender has to wait. */
#define RT_STREAM_WINDOW 65536u

typedef struct rt_connection rt_connection;
typedef struct rt_live rt_live;

/* A status that no error code stands for, with header lines of its own. */
typedef struct rt_refusal {
    uint32_t status;
    const char *headers;
} rt_refusal;

struct rt_response {
    uint32_t magic;
    uint32_t status; /* 0: not answered */
    rt_http_server *server;
    const char *content_type;
    size_t type_length;
    uint64_t length; /* of the body, also when HEAD does without it */
    size_t body_at;  /* in `bytes`, behind room for the head */
    rt_buffer bytes;
    rt_str common;      /* whole lines that every answer has, or none */
    rt_buffer headers;  /* whole lines */
    rt_buffer trailers; /* whole lines; of a streamed body */
    uint64_t written;   /* bytes of a streamed body */
    bool head_only;
    bool streamed;       /* the head has gone out, and the body follows in pieces */
    bool sized;          /* it is streamed, and `length` is known */
    bool takes_trailers; /* the client does (`TE: trailers`) */
};

/* How a protocol sends; all but `answer` and `ended` are for streams. */
typedef struct rt_way {
    const char *protocol; /* as the access log names it; NULL: HTTP/1.x, by the head */
    /* The unit has ended: sends what was answered, whole. */
    void (*answer)(rt_ctx *ctx, rt_exchange *exchange);
    /* Sends the head; the body follows. */
    void (*begin)(rt_ctx *ctx, rt_exchange *exchange);
    /* Takes a piece of the body, at most RT_STREAM_WINDOW bytes; it is sent as soon as possible. */
    void (*write)(rt_exchange *exchange, const char *data, size_t length);
    /* So much waits to be sent that the handler must wait, in `writing`, for the protocol. */
    bool (*is_full)(const rt_exchange *exchange);
    /* The body is over. Not `whole`: the handler failed, and the peer must see that it is cut. */
    void (*finish)(rt_exchange *exchange, bool whole);
    /* The handler awaits the request's body (first: send 100 Continue if that is asked for), or has
     * taken bytes out of `body`, so that there is room for more. */
    void (*read)(rt_exchange *exchange);
    /* The last call: the unit is gone, and the exchange may go. */
    void (*ended)(rt_exchange *exchange);
    /* Leaves HTTP for `protocol`: sends 101 with response.headers. From then on `body` gets the
     * peer's bytes as they come, `write` sends bytes as they are, and `finish` ends the byte
     * stream. NULL: this carrier has no such thing. */
    void (*upgrade)(rt_ctx *ctx, rt_exchange *exchange, const char *protocol);
} rt_way;

struct rt_exchange {
    rt_connection *connection;
    const rt_way *way;
    rt_ctx *ctx; /* once the unit waits */
    const rt_route *route;
    const char *problem;
    uint32_t refusal; /* the host's own answer instead of a handler's; or 0 */
    uint32_t allowed; /* methods, for 405 and OPTIONS */
    rt_response response;
    rt_marks marks;
    rt_buffer body;   /* of the request; of a streamed one what the handler has not begun to take */
    rt_buffer taking; /* of a streamed body: what it takes, */
    size_t taken;     /* from here on */
    rt_buffer trailers;          /* of the request: whole lines */
    rt_live *live;               /* an event stream or a WebSocket; or NULL */
    const rt_refusal *refused;   /* what a failure of the handler is answered by; or NULL */
    rt_parking reading, writing; /* the handler, while it waits for the peer */
    uint32_t body_status;        /* of a streamed body that went wrong: 400, 408, 413; else 0 */
    bool body_open;              /* it streams, and more may come */
    bool awaits;                 /* the handler waits for more of it */
    bool busy;                   /* a unit of work runs */
    bool began;                  /* the unit had its fiber */
    bool counted;                /* it counts as a request */
    bool gone;                   /* nobody is there to be answered */
};

/* Both answer the server's parsed head. */
void rt_exchange_start(rt_exchange *exchange);
void rt_exchange_refuse(rt_exchange *exchange, uint32_t status, const char *problem);
/* Whether the route takes its body in pieces: the exchange is then started before it is complete,
 * with `body_open`. */
bool rt_exchange_streams(const rt_exchange *exchange);
/* More of a streamed body is in `body`, it is complete (`body_open` cleared), or it failed. */
void rt_exchange_received(rt_exchange *exchange);
/* There is room for more of the answer. */
void rt_exchange_sent(rt_exchange *exchange);
/* Sends a piece of a streamed answer, and counts it. */
void rt_exchange_write(rt_exchange *exchange, const char *data, size_t length);
/* The request's body, without the checks that handlers need. -RT_ECANCELED: the peer is gone. */
int rt_exchange_read(rt_ctx *ctx, rt_exchange *exchange, void *into, uint64_t size, uint64_t *got);
/* What is there of it, until the next call; takes so many bytes of that; says that more is awaited.
 */
rt_str rt_exchange_look(rt_exchange *exchange);
void rt_exchange_skip(rt_exchange *exchange, uint64_t length);
void rt_exchange_want(rt_exchange *exchange);
/* Takes away the deadline that the handler has by default: what it does now has other limits. */
void rt_exchange_lift_deadline(rt_ctx *ctx, const rt_exchange *exchange);
/* The peer is gone: cancels what runs. */
void rt_exchange_abandon(rt_exchange *exchange);
/* Cancels the handler alone. */
void rt_exchange_abort(const rt_exchange *exchange);
/* Gives back its buffers. */
void rt_exchange_free(rt_exchange *exchange);

static inline rt_exchange *rt_exchange_of(rt_response *response)
{
    return (rt_exchange *)((char *)response - offsetof(rt_exchange, response));
}

#endif
