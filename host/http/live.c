#include "http/live.h"

#include "http/internal.h"
#include "http/measure.h"

#include <stdlib.h>

/* --- the server's list, in the order in which they spoke ------------------------------------- */

static void join(rt_live *live)
{
    rt_http_server *server = live->server;
    live->spoke = uv_now(server->loop);
    live->next = NULL;
    live->previous = server->last_live;
    if (server->last_live)
        server->last_live->next = live;
    else
        server->first_live = live;
    server->last_live = live;
}

static void part(rt_live *live)
{
    rt_http_server *server = live->server;
    if (live->previous)
        live->previous->next = live->next;
    else
        server->first_live = live->next;
    if (live->next)
        live->next->previous = live->previous;
    else
        server->last_live = live->previous;
}

static void has_spoken(rt_live *live)
{
    part(live);
    join(live);
}

void rt_lives_sweep(rt_http_server *server)
{
    uint64_t now = uv_now(server->loop), interval = server->options.ping_interval / 1000000;
    while (server->first_live && server->first_live->spoke + interval <= now) {
        rt_live *live = server->first_live;
        has_spoken(live); /* also if it must be silent: each is asked once an interval */
        if (!live->exchange->gone)
            live->kind->quiet(live);
    }
}

static void end(rt_live *live)
{
    if (live->ending)
        return;
    live->ending = true;
    if (!live->exchange->gone)
        live->kind->drains(live);
    if (live->on_end)
        live->on_end(live->on_end_argument);
}

/* Nothing that this runs can end a unit, so the list loses no member; its order may change. */
void rt_lives_drain(rt_http_server *server)
{
    rt_live *stop = server->last_live;
    for (rt_live *live = server->first_live, *next; live; live = live == stop ? NULL : next) {
        next = live->next;
        end(live);
    }
}

/* --- life ------------------------------------------------------------------------------------ */

int rt_live_check(rt_ctx *ctx, const rt_exchange *exchange)
{
    if (exchange->connection->server->draining)
        return rt_host_fail(ctx, RT_EUNAVAILABLE, "the server drains: no stream begins");
    return 0;
}

int rt_live_open(rt_ctx *ctx, rt_live *live, const rt_live_kind *kind, rt_exchange *exchange)
{
    live->kind = kind;
    live->turn = rt_host_mutex_new();
    if (!live->turn) {
        kind->free(live);
        return rt_host_fail(ctx, RT_ERESOURCE_EXHAUSTED, "no memory for a stream");
    }
    live->exchange = exchange;
    live->server = exchange->connection->server;
    exchange->live = live;
    join(live);
    rt_measure_stream(live->server->features.measures, kind->name, true);
    rt_exchange_lift_deadline(ctx, exchange);
    return 0;
}

static void free_unused(rt_live *live)
{
    if (live->exchange || live->users)
        return;
    rt_host_mutex_free(live->turn);
    live->kind->free(live);
}

void rt_live_enter(rt_live *live)
{
    live->users++;
}

void rt_live_exit(rt_live *live)
{
    live->users--;
    free_unused(live);
}

bool rt_live_over(rt_ctx *ctx, rt_live *live, const rt_exit *exit)
{
    return live->kind->over(ctx, live, exit) && !live->broken;
}

void rt_live_leave(rt_exchange *exchange)
{
    rt_live *live = exchange->live;
    if (!live)
        return;
    exchange->live = NULL;
    live->exchange = NULL;
    rt_measure_stream(live->server->features.measures, live->kind->name, false);
    part(live);
    rt_exchange_sent(exchange);
    rt_exchange_received(exchange);
    free_unused(live);
}

/* --- sending --------------------------------------------------------------------------------- */

int rt_live_sendable(rt_ctx *ctx, const rt_live *live)
{
    if (!live->exchange || live->exchange->gone)
        return rt_host_fail(ctx, RT_ECANCELED, "the client is gone");
    if (live->broken)
        return rt_host_fail(ctx, RT_EABORTED, "a message before this one was left half sent");
    if (live->ending)
        return rt_host_fail(ctx, RT_EUNAVAILABLE, "the stream ends, for the server drains");
    return 0;
}

int rt_live_await_room(rt_ctx *ctx, rt_live *live)
{
    while (live->exchange && !live->exchange->gone && rt_live_is_full(live))
        RT_TRY(rt_park(ctx, &live->exchange->writing));
    if (!live->exchange || live->exchange->gone)
        return rt_host_fail(ctx, RT_ECANCELED, "the client is gone");
    return 0;
}

bool rt_live_is_full(const rt_live *live)
{
    return live->exchange->way->is_full(live->exchange);
}

void rt_live_write(rt_live *live, const char *data, size_t length)
{
    has_spoken(live);
    rt_exchange_write(live->exchange, data, length);
}

void rt_live_give_up(rt_live *live)
{
    live->broken = true;
    rt_exchange_abort(live->exchange);
}

/* --- what authors ask ------------------------------------------------------------------------ */

int rt_host_stream_ends(const rt_response *response)
{
    const rt_exchange *exchange =
        (const rt_exchange *)((const char *)response - offsetof(rt_exchange, response));
    if (exchange->live)
        return exchange->live->ending || exchange->gone;
    return exchange->gone || response->server->draining;
}

int rt_host_stream_on_end(rt_ctx *ctx, rt_response *response, void (*function)(void *argument),
                          void *argument)
{
    rt_live *live = response->magic == RT_RESPONSE_MAGIC ? rt_exchange_of(response)->live : NULL;
    if (!live)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION,
                            "the response is neither an event stream nor a WebSocket");
    live->on_end = function;
    live->on_end_argument = argument;
    if (live->ending && function)
        function(argument);
    return 0;
}
