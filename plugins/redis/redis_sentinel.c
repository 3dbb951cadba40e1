/* Sentinel: each is asked in turn where the master is, and the master whether it is one. What one
 * Sentinel says may be old; while a failover is under way none may be right, and the caller tries
 * again later. */
#include "redis_link.h"

#include <string.h>

static int ask(rt_ctx *ctx, const rt_redis_settings *settings, rt_redis_link *sentinel,
               uint64_t deadline, rt_redis_replies *replies)
{
    rt_redis_bytes bytes = {0};
    if (!rt_redis_replies_begin(replies, 1) ||
        !rt_redis_put(&bytes, RT_REDIS(RT_STR("SENTINEL"), RT_STR("get-master-addr-by-name"),
                                       rt_string(settings->master))))
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    int result = rt_redis_exchange(ctx, sentinel, &bytes, replies, deadline);
    rt_redis_bytes_free(&bytes);
    if (result == -RT_EDEADLINE || result == -RT_ECANCELED)
        return rt_redis_connect_failed(ctx, sentinel, "no answer of the Sentinel at", result);
    if (result < 0)
        return rt_redis_unavailable(ctx, sentinel, "no answer of the Sentinel at",
                                    rt_format(ctx, "%s", sentinel->failure), NULL);
    return 0;
}

static bool is_text(const rt_redis_reply *reply)
{
    return reply->type == RT_REDIS_STRING && strlen(reply->text) == reply->length;
}

static int take_answer(rt_ctx *ctx, const rt_redis_settings *settings,
                       const rt_redis_link *sentinel, const rt_redis_reply *reply,
                       rt_redis_address *address)
{
    if (reply->type == RT_REDIS_NULL)
        return rt_redis_unavailable(ctx, sentinel,
                                    rt_format(ctx, "master `%s` is unknown to", settings->master),
                                    NULL, "check `sentinel.master`");
    if (reply->type == RT_REDIS_ERROR)
        return rt_redis_unavailable(ctx, sentinel, "refused by the Sentinel at",
                                    rt_format(ctx, "%s", reply->text),
                                    "check `sentinel.user` and `sentinel.password`");
    const rt_redis_reply *host = reply->elements;
    bool sound = reply->type == RT_REDIS_ARRAY && reply->length == 2 && is_text(&host[0]) &&
                 is_text(&host[1]) && !strchr(host[0].text, '[');
    const char *colon = sound && strchr(host[0].text, ':') ? "[]" : "";
    if (!sound || rt_redis_address_of_pair(rt_format(ctx, "%.1s%s%s:%s", colon, host[0].text,
                                                     colon[0] ? "]" : "", host[1].text),
                                           address))
        return rt_redis_unavailable(ctx, sentinel, "no address of a master came from", NULL, NULL);
    address->tls = settings->address.tls;
    return 0;
}

static int ask_where(rt_ctx *ctx, const rt_redis_settings *settings, const char *at,
                     uint64_t deadline, rt_redis_address *address)
{
    rt_redis_link *sentinel;
    rt_redis_replies replies = {0};
    rt_redis_target target = {.settings = settings,
                              .user = settings->sentinel_user,
                              .password = settings->sentinel_password,
                              .client_name = settings->client_name,
                              .is_sentinel = true};
    rt_redis_address_of_pair(at, &target.address);
    target.address.tls = settings->address.tls;
    RT_TRY(rt_redis_link_to(ctx, &target, deadline, &sentinel));
    int result = ask(ctx, settings, sentinel, deadline, &replies);
    if (result == 0)
        result = take_answer(ctx, settings, sentinel, &replies.at[0], address);
    rt_redis_replies_end(&replies);
    rt_redis_close(sentinel);
    return result;
}

static int open_by(rt_ctx *ctx, const rt_redis_settings *settings, const char *at,
                   uint64_t deadline, rt_redis_link **link)
{
    rt_redis_target target = {.settings = settings,
                              .user = settings->user,
                              .password = settings->password,
                              .client_name = settings->client_name,
                              .database = settings->database,
                              .must_be_master = true};
    RT_TRY(ask_where(ctx, settings, at, deadline, &target.address));
    return rt_redis_link_to(ctx, &target, deadline, link);
}

/* Each Sentinel gets its share of the time that is left. */
int rt_redis_find_master(rt_ctx *ctx, const rt_redis_settings *settings, uint64_t deadline,
                         rt_redis_link **link)
{
    uint32_t count = settings->sentinels->count;
    int result = -RT_EUNAVAILABLE;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t now = rt_now(), left = deadline > now ? deadline - now : 0;
        result = open_by(ctx, settings, settings->sentinels->value.members[i].value.text,
                         now + left / (count - i), link);
        if (result != -RT_EUNAVAILABLE)
            return result;
    }
    const rt_error *last = rt_last_error(ctx);
    return rt_fail_with(
        ctx, &(rt_error){.size = sizeof(rt_error),
                         .code = RT_EUNAVAILABLE,
                         .retryable = 1,
                         .message = rt_format(ctx, "no Sentinel of %u leads to master `%s`", count,
                                              settings->master),
                         .detail = last && last->detail
                                       ? rt_format(ctx, "%s: %s", last->message, last->detail)
                                   : last ? last->message
                                          : NULL,
                         .hint = last ? last->hint : NULL});
}
