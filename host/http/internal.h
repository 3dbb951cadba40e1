/* internal.h — connections and the server, for the files of this folder
 *
 * A connection (connection.c) reads into the server's one read buffer and gives the bytes to its
 * protocol, which makes exchanges of them (exchange.h) and leaves in `out` what is to be sent. An
 * idle connection holds this struct alone.
 */
#ifndef RT_HTTP_INTERNAL_H
#define RT_HTTP_INTERNAL_H

#include "base/buffer.h"
#include "http/exchange.h"
#include "http/parser.h"
#include "http/transport.h"

#define RT_READ_SIZE 65536u   /* of one read */
#define RT_AHEAD_LIMIT 65536u /* bytes kept of requests behind the one that runs */
#define RT_BATCH_LIMIT 65536u /* bytes of answers before a send is due */
#define RT_SPARE_BUFFERS 16
#define RT_SPARE_CAPACITY 16384u
#define RT_HTTP2_STREAMS 100u /* `max_streams` unless it is set */

/* Why a connection has a time limit. A list is in order of expiry, for all its members wait as
 * long as each other. */
enum rt_timeout_class {
    RT_TIMEOUT_NONE,
    RT_TIMEOUT_IDLE,
    RT_TIMEOUT_HEADER,
    RT_TIMEOUT_BODY,
    RT_TIMEOUT_WRITE,
    RT_TIMEOUT_LINGER,
    RT_TIMEOUT_CLASSES,
};

/* Bytes that wait to be taken, in the read buffer or in what a connection had kept. */
typedef struct rt_window {
    const char *at;
    const char *end;
} rt_window;

/* What a connection speaks. */
typedef struct rt_protocol {
    /* Bytes came, in the server's read buffer. */
    void (*received)(rt_connection *connection, const char *data, size_t length);
    /* The peer sends no more; or NULL. */
    void (*finished)(rt_connection *connection);
    /* All of `out` has been sent. */
    void (*flushed)(rt_connection *connection);
    /* Whether it could do with more bytes of the peer. */
    bool (*reads)(const rt_connection *connection);
    /* Nothing of a request is here; asked when no exchange is active. */
    bool (*is_idle)(const rt_connection *connection);
    /* What the peer is waited for, while nothing is in `out`. */
    enum rt_timeout_class (*awaits)(const rt_connection *connection);
    /* The time limit of the connection's class has passed. */
    void (*expired)(rt_connection *connection);
    /* The server begins to drain: no request is taken but those that were sent already. */
    void (*drain)(rt_connection *connection);
    /* Cancels what runs; what does not run is closed by the server. */
    void (*interrupt)(rt_connection *connection);
    /* The connection is closed: abandons its exchanges. */
    void (*closed)(rt_connection *connection);
    /* Gives back what it holds, once no exchange is active; perhaps twice. */
    void (*release)(rt_connection *connection);
} rt_protocol;

/* HTTP/1.1: one request of a connection runs at a time; its answer and those of the requests
 * pipelined behind it leave by one send. */
typedef struct rt_http1 {
    rt_http_scan scan; /* of `ahead` */
    rt_buffer ahead;   /* bytes not yet taken, or the head whose body is being read */
    rt_http_body body_reader;
    rt_window *taking; /* while requests are taken: what is left of the bytes */
    rt_exchange exchange;
    bool reading_body;       /* of a request that does not run yet, whose head is in `ahead` */
    bool owes_continue;      /* the peer waits for 100 Continue */
    bool understands_chunks; /* it speaks HTTP/1.1 */
    bool tunnel;             /* the exchange has left HTTP: bytes go through as they are */
} rt_http1;

typedef struct rt_http2 rt_http2; /* http2.h */

struct rt_connection {
    uv_poll_t poll;
    rt_http_server *server;
    const rt_protocol *protocol;
    rt_connection *previous, *next; /* of the server's */
    rt_connection *timeout_previous, *timeout_next;
    uint64_t expires; /* ms of uv_now */
    rt_transport transport;
    rt_buffer *proxy;        /* what came of a PROXY header that is still awaited; else NULL */
    const char *tls_version; /* "TLSv1.3"; NULL: none */
    rt_ip peer;              /* by its socket, or by the PROXY header */
    char peer_text[RT_IP_TEXT];
    uint8_t peer_length; /* of the text */
    bool secure;         /* its client speaks TLS, to us or to who sent the PROXY header */
    uint8_t timeout;     /* rt_timeout_class */
    int events;          /* that the poll handle watches */
    rt_buffer out;
    size_t sent; /* of `out` */
    uint64_t lingered;
    uint32_t active; /* exchanges whose units run */
    bool fresh;      /* nothing was received */
    bool eof;        /* the peer sends no more */
    bool last;       /* closes after the answer that runs or is in `out` */
    bool linger;     /* the peer may be sending still: drain before closing */
    bool lingering;
    bool closed;
    uint8_t preface; /* bytes received of what HTTP/2 begins with; http1.c has not seen them */
    bool sniffs;     /* all that was received is the start of it */
    rt_http1 http1;
    rt_http2 *http2; /* NULL unless it is spoken */
};

typedef struct rt_listener {
    uv_poll_t poll;
    rt_http_server *server;
    struct rt_listener *next;
    int fd;
    uint32_t flags; /* rt_listen_flags */
    bool closing;
} rt_listener;

typedef struct rt_timeout_list {
    rt_connection *first, *last;
    uint64_t duration; /* ms */
} rt_timeout_list;

struct rt_http_server {
    rt_http_options options;
    rt_router *router;
    uv_loop_t *loop;
    uv_timer_t timer;
    rt_listener *listeners;
    rt_connection *connections;
    rt_features features;
    rt_live *first_live, *last_live; /* the one that spoke last is the last */
    uint32_t connection_count;
    uint32_t running;   /* requests */
    uint64_t uncounted; /* where they are counted when nobody wants to know */
    rt_timeout_list timeouts[RT_TIMEOUT_CLASSES];
    rt_buffer spares[RT_SPARE_BUFFERS];
    uint32_t spare_count;
    bool paused;               /* accepts nothing */
    bool short_of_descriptors; /* and has said so */
    bool draining;
    bool ends_idle; /* draining, and no successor serves */
    bool interrupted;
    bool timer_closing;
    bool timer_closed;
    bool free_when_closed;
    void (*drained)(void *argument);
    void *drained_argument;
    uint64_t date_second;
    char date_line[40];                     /* "Date: …\r\n" */
    struct rt_http2_library *http2_library; /* NULL before the first session */
    rt_http_head head;                      /* of the request being taken */
    char read_buffer[RT_READ_SIZE];
};

/* The request as the handler's functions see it, in the arena of its unit. */
typedef struct rt_full_request {
    rt_request request;
    const rt_route *route;
    rt_exchange *exchange;
    rt_str *parameters;
} rt_full_request;

/* connection.c */
void rt_connection_accept(const rt_listener *listener, int fd, const rt_ip *peer);
void rt_connection_close(rt_connection *connection);
void rt_connection_name(rt_connection *connection, const rt_ip *peer);
bool rt_connection_is_idle(const rt_connection *connection);
/* Takes what can be read without waiting; closes if that is nothing. */
void rt_connection_finish_idle(rt_connection *connection);
/* Sends what it can of `out`; may close. */
void rt_connection_flush(rt_connection *connection);
/* Says anew what to wait for. */
void rt_connection_watch(rt_connection *connection);
/* Ends a turn: sends what is there and says what to wait for next. */
void rt_connection_settle(rt_connection *connection);
/* An exchange's unit has ended. False: the connection is closed, and has been released if that was
 * the last one. */
bool rt_connection_left(rt_connection *connection);

/* proxy_read.c: the PROXY header. Once it has been taken `proxy` is NULL. 1, 0: more has to come,
 * or -errno. */
void rt_proxy_begin(rt_connection *connection);
int rt_proxy_read(rt_connection *connection);
void rt_proxy_free(rt_connection *connection);

/* http1.c */
extern const rt_protocol rt_http1_protocol;
/* Whether what was read behind the request that ran gets an answer without another byte. Takes the
 * place of the server's parsed head. */
bool rt_http1_holds_request(const rt_connection *connection);
/* The exchange has ended: goes on with what was read meanwhile. */
void rt_http1_answered(rt_connection *connection);

/* Answers what is no request of HTTP/1.1 all the same; the connection's last answer. */
void rt_http1_refuse(rt_connection *connection, uint32_t status, const char *problem);

/* http1_answer.c */
extern const rt_way rt_http1_way, rt_http10_way;

/* http2.c */
extern const rt_protocol rt_http2_protocol;
#define RT_HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
/* From now on the connection speaks HTTP/2. */
void rt_http2_begin(rt_connection *connection);
void rt_http2_close_library(rt_http_server *server);

/* request.c: a copy of the server's parsed head in the unit's arena */
rt_full_request *rt_request_build(rt_ctx *ctx, rt_exchange *exchange);

/* response.c */
void rt_response_begin(rt_response *response, rt_http_server *server, bool head_only);
void rt_response_discard(rt_response *response);
/* Whether the handler may answer so. */
int rt_response_check(rt_ctx *ctx, const rt_response *response, uint32_t status,
                      const char *content_type, uint64_t length);
/* Checks and takes status and type; the head may be written. */
int rt_response_open(rt_ctx *ctx, rt_response *response, uint32_t status, const char *content_type,
                     uint64_t length);
/* As rt_host_respond_begin, but never compressed: for pieces that do not go through
 * rt_host_respond_write, and for a body of known length. */
int rt_response_begin_plain(rt_ctx *ctx, rt_response *response, uint32_t status,
                            const char *content_type);
int rt_response_begin_sized(rt_ctx *ctx, rt_response *response, uint32_t status,
                            const char *content_type, uint64_t length);
/* Adds a line that handlers must not add themselves; `value` is text. */
void rt_response_add_line(rt_response *response, const char *name, const char *value);
/* Whether a response can still be answered; the reason is the context's error. */
int rt_response_check_open(rt_ctx *ctx, const rt_response *response);
bool rt_status_has_body(uint32_t status);
/* An empty buffer, with room if there is a spare one; and back again. */
rt_buffer rt_buffer_take(rt_http_server *server);
void rt_buffer_recycle(rt_http_server *server, rt_buffer *buffer);
/* The line `Date: …`, of this second. */
#define RT_DATE_LENGTH 37 /* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" */
const char *rt_date_line(rt_http_server *server);

/* problem.c: makes the answer an application/problem+json, whatever it was */
void rt_problem_answer(rt_ctx *ctx, rt_response *response, uint32_t status, const char *code,
                       const char *detail);
void rt_problem_of_exit(rt_ctx *ctx, rt_exchange *exchange, const rt_exit *exit);
/* Says in the log why the exchange failed, if that is the server's affair. */
void rt_problem_log(rt_ctx *ctx, const rt_exchange *exchange, const rt_exit *exit);

/* timeouts.c */
void rt_timeouts_open(rt_http_server *server);
void rt_timeout_set(rt_connection *connection, enum rt_timeout_class class);
void rt_timeouts_sweep(rt_http_server *server);
/* How often sweeping is needed, ms. */
uint64_t rt_timeouts_period(const rt_http_server *server);

/* server.c */
void rt_server_connection_gone(rt_http_server *server);
void rt_server_start_timer(rt_http_server *server);

#endif
