/* live.h — streams that live until one side ends them: event streams and WebSockets
 *
 * The handler opens one, and from then on any unit may send on it. So it lies on the heap and
 * counts its users: when the handler has ended, those who wait to send are woken, learn that it is
 * over, and the last one frees it. It knows nothing of what carries it: it has an rt_exchange.
 */
#ifndef RT_HTTP_LIVE_H
#define RT_HTTP_LIVE_H

#include "http/exchange.h"

typedef struct rt_live_kind {
    const char *name; /* as metrics have it */
    /* Nothing was sent for `ping_interval`: a sign of life is due. */
    void (*quiet)(rt_live *live);
    /* Draining has begun. */
    void (*drains)(rt_live *live);
    /* The unit has ended and the peer is there: last words. True: the body is whole. */
    bool (*over)(rt_ctx *ctx, rt_live *live, const rt_exit *exit);
    void (*free)(rt_live *live);
} rt_live_kind;

struct rt_live {
    const rt_live_kind *kind;
    rt_exchange *exchange; /* NULL: it is over */
    rt_http_server *server;
    rt_live *previous, *next; /* of the server's */
    uint64_t spoke;           /* ms of uv_now */
    rt_mutex *turn;           /* whose message is being sent */
    uint32_t users;           /* calls under way */
    bool ending;              /* the server drains: no more is sent */
    bool broken;              /* a message was left half sent */
    void (*on_end)(void *argument);
    void *on_end_argument;
};

/* Makes the exchange's stream of `live`, a heap block. `live` is freed when this fails too. */
int rt_live_open(rt_ctx *ctx, rt_live *live, const rt_live_kind *kind, rt_exchange *exchange);
/* -RT_EUNAVAILABLE if the server drains, when a new stream would only end again. */
int rt_live_check(rt_ctx *ctx, const rt_exchange *exchange);
/* As of the end of the unit. */
bool rt_live_over(rt_ctx *ctx, rt_live *live, const rt_exit *exit);
void rt_live_leave(rt_exchange *exchange);

/* Around every call of an author, for others may end it while the call waits. */
void rt_live_enter(rt_live *live);
void rt_live_exit(rt_live *live);
/* 0 if sending makes sense, else why not. */
int rt_live_sendable(rt_ctx *ctx, const rt_live *live);
/* Waits until all that was sent is on its way; the caller has the turn. */
int rt_live_await_room(rt_ctx *ctx, rt_live *live);
/* Sends a piece of at most RT_STREAM_WINDOW bytes. */
void rt_live_write(rt_live *live, const char *data, size_t length);
bool rt_live_is_full(const rt_live *live);
/* Cancels the handler, whose peer does not answer any more. */
void rt_live_give_up(rt_live *live);

/* The server's: signs of life that are due, and the drain. */
void rt_lives_sweep(rt_http_server *server);
void rt_lives_drain(rt_http_server *server);

#endif
