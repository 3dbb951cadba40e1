#include "http/internal.h"

#define LINGER_MS 2000u
#define LONGEST_PERIOD 250u

static uint64_t milliseconds(uint64_t nanoseconds)
{
    return (nanoseconds + 999999) / 1000000;
}

void rt_timeouts_open(rt_http_server *server)
{
    const rt_http_options *options = &server->options;
    const uint64_t durations[RT_TIMEOUT_CLASSES] = {
        [RT_TIMEOUT_IDLE] = milliseconds(options->idle_timeout),
        [RT_TIMEOUT_HEADER] = milliseconds(options->header_timeout),
        [RT_TIMEOUT_BODY] = milliseconds(options->request_timeout),
        [RT_TIMEOUT_WRITE] = milliseconds(options->idle_timeout),
        [RT_TIMEOUT_LINGER] = LINGER_MS,
    };
    for (int i = 0; i < RT_TIMEOUT_CLASSES; i++)
        server->timeouts[i].duration = durations[i];
}

uint64_t rt_timeouts_period(const rt_http_server *server)
{
    uint64_t period = LONGEST_PERIOD;
    for (int i = RT_TIMEOUT_NONE + 1; i < RT_TIMEOUT_CLASSES; i++)
        if (server->timeouts[i].duration / 4 < period)
            period = server->timeouts[i].duration / 4;
    uint64_t ping = server->options.ping_interval / 1000000 / 4;
    if (ping < period)
        period = ping;
    return period ? period : 1;
}

static void leave(rt_connection *connection)
{
    rt_timeout_list *list = &connection->server->timeouts[connection->timeout];
    if (connection->timeout_previous)
        connection->timeout_previous->timeout_next = connection->timeout_next;
    else
        list->first = connection->timeout_next;
    if (connection->timeout_next)
        connection->timeout_next->timeout_previous = connection->timeout_previous;
    else
        list->last = connection->timeout_previous;
}

void rt_timeout_set(rt_connection *connection, enum rt_timeout_class class)
{
    rt_http_server *server = connection->server;
    if (connection->timeout != RT_TIMEOUT_NONE)
        leave(connection);
    connection->timeout = (uint8_t) class;
    if (class == RT_TIMEOUT_NONE)
        return;
    rt_timeout_list *list = &server->timeouts[class];
    connection->expires = uv_now(server->loop) + list->duration;
    connection->timeout_next = NULL;
    connection->timeout_previous = list->last;
    if (list->last)
        list->last->timeout_next = connection;
    else
        list->first = connection;
    list->last = connection;
}

void rt_timeouts_sweep(rt_http_server *server)
{
    uint64_t now = uv_now(server->loop);
    for (int i = RT_TIMEOUT_NONE + 1; i < RT_TIMEOUT_CLASSES; i++)
        while (server->timeouts[i].first && server->timeouts[i].first->expires <= now) {
            rt_connection *connection = server->timeouts[i].first;
            rt_timeout_set(connection, RT_TIMEOUT_NONE);
            connection->protocol->expired(connection);
        }
}
