/* internal.h — connections and the server, for the files of this folder
 *
 * A connection reads into the server's one read buffer; what a request leaves over is kept apart.
 * One request of a connection runs at a time, in a unit of work; its answer and those of the
 * requests pipelined behind it leave by one send. An idle connection holds this struct alone.
 */
#ifndef RT_HTTP_INTERNAL_H
#define RT_HTTP_INTERNAL_H

#include "base/buffer.h"
#include "fiber/fiber.h"
#include "http/http.h"
#include "http/parser.h"
#include "http/router.h"

#define RT_RESPONSE_MAGIC 0x70736572u

#define RT_READ_SIZE 65536u   /* of one recv */
#define RT_AHEAD_LIMIT 65536u /* bytes kept of requests behind the one that runs */
#define RT_BATCH_LIMIT 65536u /* bytes of answers before a send is due */
#define RT_SPARE_BUFFERS 16
#define RT_SPARE_CAPACITY 16384u

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

struct rt_response {
    uint32_t magic;
    uint32_t status; /* 0: not answered */
    rt_http_server *server;
    const char *content_type;
    uint64_t length; /* of the body, also when HEAD does without it */
    size_t body_at;  /* in `bytes`, behind room for the head */
    rt_buffer bytes;
    rt_buffer headers; /* whole lines */
    bool head_only;
};

/* Bytes that wait to be taken, in the read buffer or in what a connection had kept. */
typedef struct rt_window {
    const char *at;
    const char *end;
} rt_window;

typedef struct rt_connection {
    uv_poll_t poll;
    rt_http_server *server;
    struct rt_connection *previous, *next; /* of the server's */
    struct rt_connection *timeout_previous, *timeout_next;
    uint64_t expires; /* ms of uv_now */
    uint8_t timeout;  /* rt_timeout_class */
    int fd;
    int events;        /* that the poll handle watches */
    rt_http_scan scan; /* of `ahead` */
    rt_buffer ahead;   /* bytes not yet taken, or the head whose body is being read */
    rt_http_body body_reader;
    rt_buffer body;
    rt_buffer out;
    size_t sent;             /* of `out` */
    const rt_window *taking; /* while requests are taken: what is left of the bytes */
    uint64_t lingered;
    /* the request that runs */
    rt_ctx *ctx; /* once it waits */
    const rt_route *route;
    uint32_t refusal; /* the host's own answer instead of a handler's; or 0 */
    uint32_t allowed; /* methods, for 405 and OPTIONS */
    const char *problem;
    rt_response response;
    bool busy;         /* a unit of work runs */
    bool began;        /* the unit had its fiber */
    bool counted;      /* it counts as a request */
    bool reading_body; /* `ahead` is a head and `body` grows */
    bool fresh;        /* nothing was received */
    bool eof;          /* the peer sends no more */
    bool last;         /* closes after the answer that runs or is in `out` */
    bool linger;       /* the peer may be sending still: drain before closing */
    bool lingering;
    bool closed;
} rt_connection;

typedef struct rt_listener {
    uv_poll_t poll;
    rt_http_server *server;
    struct rt_listener *next;
    int fd;
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
    uint32_t connection_count;
    uint32_t running; /* requests */
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
    char date_line[40]; /* "Date: …\r\n" */
    rt_http_head head;  /* of the request being taken */
    char read_buffer[RT_READ_SIZE];
};

/* The request as the handler's functions see it, in the arena of its unit. */
typedef struct rt_full_request {
    rt_request request;
    const rt_route *route;
    rt_str *parameters;
} rt_full_request;

/* connection.c */
void rt_connection_accept(rt_http_server *server, int fd);
void rt_connection_close(rt_connection *connection);
bool rt_connection_is_idle(const rt_connection *connection);
/* Takes what can be read without waiting; closes if that is nothing. */
void rt_connection_finish_idle(rt_connection *connection);
/* The unit has ended and its answer is in `out`. */
void rt_connection_answered(rt_connection *connection);
/* Whether what was read behind the request that ran gets an answer without another byte. Takes the
 * place of the server's parsed head. */
bool rt_connection_holds_request(const rt_connection *connection);
/* The time limit of the connection's class has passed. */
void rt_connection_expired(rt_connection *connection);

/* exchange.c: both answer the server's parsed head by a unit of work, which has often ended when
 * they return. A refusal is the last answer of its connection. */
void rt_exchange_start(rt_connection *connection);
void rt_exchange_refuse(rt_connection *connection, uint32_t status, const char *problem);

/* request.c: a copy of the server's parsed head in the unit's arena */
rt_full_request *rt_request_build(rt_ctx *ctx, rt_connection *connection);

/* response.c */
void rt_response_begin(rt_response *response, rt_http_server *server, bool head_only);
void rt_response_discard(rt_response *response);
/* Writes the head before the body and moves or appends both to the connection's `out`. */
void rt_response_commit(rt_ctx *ctx, rt_connection *connection);
void rt_buffer_recycle(rt_http_server *server, rt_buffer *buffer);

/* problem.c: makes the answer an application/problem+json, whatever it was */
void rt_problem_answer(rt_ctx *ctx, rt_response *response, uint32_t status, const char *code,
                       const char *detail);
void rt_problem_of_exit(rt_ctx *ctx, rt_connection *connection, const rt_exit *exit);

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
