#include "fiber/internal.h"

#include <stdlib.h>

struct rt_channel {
    rt_list senders, receivers; /* one of them is empty */
    uint32_t capacity, count, first;
    bool closed;
    void *items[]; /* a ring */
};

struct exchange {
    rt_waiter waiter;
    void *item;
};

rt_channel *rt_host_channel_new(uint32_t capacity)
{
    rt_channel *channel = malloc(sizeof *channel + (size_t)capacity * sizeof channel->items[0]);
    if (!channel)
        return NULL;
    *channel = (rt_channel){.capacity = capacity};
    rt_list_init(&channel->senders);
    rt_list_init(&channel->receivers);
    return channel;
}

void rt_host_channel_free(rt_channel *channel)
{
    if (channel && !(rt_list_empty(&channel->senders) && rt_list_empty(&channel->receivers)))
        rt_misuse("a channel was freed while a fiber waits for it");
    free(channel);
}

/* Takes the first of those that wait at one end and wakes it; its item stays valid until
 * it runs. */
static struct exchange *serve_first(rt_list *queue)
{
    rt_list *first = rt_list_take(queue);
    if (!first)
        return NULL;
    struct exchange *exchange = RT_ENTRY(first, struct exchange, waiter.link);
    rt_wake(&exchange->waiter, 0);
    return exchange;
}

static int exchange_later(rt_unit *unit, rt_list *queue, struct exchange *exchange)
{
    exchange->waiter.interrupt = rt_waiter_leave;
    exchange->waiter.what = "channel";
    rt_list_append(queue, &exchange->waiter.link);
    return rt_wait(unit, &exchange->waiter, 0, 0);
}

static void put(rt_channel *channel, void *item)
{
    uint64_t place = (uint64_t)channel->first + channel->count++;
    channel->items[place % channel->capacity] = item;
}

static void *get(rt_channel *channel)
{
    void *item = channel->items[channel->first];
    channel->first = (channel->first + 1) % channel->capacity;
    channel->count--;
    return item;
}

static int fail_closed(rt_ctx *ctx, int code)
{
    return rt_host_fail(ctx, code, "the channel is closed");
}

int rt_host_channel_send(rt_ctx *ctx, rt_channel *channel, void *item)
{
    rt_unit *unit = rt_unit_of(ctx);
    RT_TRY(rt_wait_check(unit));
    if (channel->closed)
        return fail_closed(ctx, RT_EFAILED_PRECONDITION);
    struct exchange *receiver = serve_first(&channel->receivers);
    if (receiver) {
        receiver->item = item;
        return 0;
    }
    if (channel->count < channel->capacity) {
        put(channel, item);
        return 0;
    }
    struct exchange exchange = {.item = item};
    int result = exchange_later(unit, &channel->senders, &exchange);
    return result == -RT_EFAILED_PRECONDITION ? fail_closed(ctx, -result) : result;
}

int rt_host_channel_receive(rt_ctx *ctx, rt_channel *channel, void **item)
{
    rt_unit *unit = rt_unit_of(ctx);
    RT_TRY(rt_wait_check(unit));
    struct exchange exchange = {0};
    int result = 0;
    if (channel->count > 0) {
        *item = get(channel);
        struct exchange *sender = serve_first(&channel->senders);
        if (sender)
            put(channel, sender->item);
        return 0;
    }
    struct exchange *sender = serve_first(&channel->senders);
    if (sender)
        exchange.item = sender->item;
    else if (channel->closed)
        result = -RT_EOUT_OF_RANGE;
    else
        result = exchange_later(unit, &channel->receivers, &exchange);
    if (result == 0)
        *item = exchange.item;
    return result == -RT_EOUT_OF_RANGE ? fail_closed(ctx, -result) : result;
}

void rt_host_channel_close(rt_channel *channel)
{
    channel->closed = true;
    rt_wake_all(&channel->senders, -RT_EFAILED_PRECONDITION);
    rt_wake_all(&channel->receivers, -RT_EOUT_OF_RANGE);
}
