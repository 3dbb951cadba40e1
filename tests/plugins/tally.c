/* Counters and transfers over redis/1, for tests that take the server away meanwhile. What moved
 * stands in a list, so that anything half-done shows. */
#include <rt/cap/redis.h>
#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>

RT_MODULE("tally", "1.0.0", "Moves points between counters")
RT_SERVES(routes)
RT_REQUIRES(redis, 1)

static const char script[] = "redis.call('RPUSH', KEYS[1], ARGV[1])\n"
                             "redis.call('DECRBY', KEYS[2], ARGV[2])\n"
                             "return redis.call('INCRBY', KEYS[3], ARGV[2])";

/* Of one move: the list, its line there, the counters, the amount. */
struct move {
    rt_str moves, line, payer, payee, amount;
};

static rt_str text_of(const char *text)
{
    return (rt_str){text, strlen(text)};
}

static int say(rt_ctx *ctx, rt_response *response, const char *text)
{
    return rt_respond(ctx, response, 200, "text/plain", text_of(text));
}

static const char *word(rt_ctx *ctx, const rt_request *request, const char *name)
{
    rt_str value = rt_param(request, name);
    return rt_format(ctx, "%.*s", (int)value.length, value.data ? value.data : "");
}

static struct move read_move(rt_ctx *ctx, const rt_request *request)
{
    const char *payer = word(ctx, request, "payer"), *payee = word(ctx, request, "payee");
    const char *amount = word(ctx, request, "amount");
    return (struct move){.moves = RT_STR("tally:moves"),
                         .line = text_of(rt_format(ctx, "%s %s %s %s", word(ctx, request, "id"),
                                                   payer, payee, amount)),
                         .payer = text_of(rt_format(ctx, "tally:%s", payer)),
                         .payee = text_of(rt_format(ctx, "tally:%s", payee)),
                         .amount = text_of(amount)};
}

static int move_by_script(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct move move = read_move(ctx, request);
    const rt_redis_script it = {.size = sizeof it,
                                .key_count = 3,
                                .argument_count = 2,
                                .source = script,
                                .keys = (const rt_str[]){move.moves, move.payer, move.payee},
                                .arguments = (const rt_str[]){move.line, move.amount}};
    rt_redis_reply reply;
    RT_TRY(rt_redis_eval(ctx, redis, &it, &reply));
    return say(ctx, response, "moved");
}

static int move_by_transaction(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct move move = read_move(ctx, request);
    const rt_redis_arguments commands[] = {
        *RT_REDIS(RT_STR("RPUSH"), move.moves, move.line),
        *RT_REDIS(RT_STR("DECRBY"), move.payer, move.amount),
        *RT_REDIS(RT_STR("INCRBY"), move.payee, move.amount),
    };
    rt_redis_reply replies[3];
    RT_TRY(rt_redis_atomic(ctx, redis, commands, 3, replies));
    for (int i = 0; i < 3; i++)
        if (replies[i].type == RT_REDIS_ERROR)
            return rt_fail(ctx, RT_EINTERNAL, "%s", replies[i].text);
    return say(ctx, response, "moved");
}

static int read_counter(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const char *key = rt_format(ctx, "tally:%s", word(ctx, request, "id"));
    rt_redis_reply reply;
    RT_TRY(rt_redis_command(
        ctx, redis, RT_REDIS_WITH(RT_REDIS_IDEMPOTENT, RT_STR("GET"), text_of(key)), &reply));
    return say(ctx, response, reply.type == RT_REDIS_STRING ? reply.text : "none");
}

/* Waits on the server for an element of a list that nobody adds to. */
static int wait(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const char *seconds = word(ctx, request, "seconds");
    rt_redis_reply reply;
    RT_TRY(rt_redis_command(
        ctx, redis,
        RT_REDIS_WITH(RT_REDIS_BLOCKS, RT_STR("BLPOP"), RT_STR("tally:never"), text_of(seconds)),
        &reply));
    return say(ctx, response, "waited");
}

/* Asks nothing of the server. */
static int plain(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    return say(ctx, response, "plain");
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_POST, "/script/{id}/{payer}/{payee}/{amount}", move_by_script));
    RT_TRY(
        rt_route(registry, RT_POST, "/atomic/{id}/{payer}/{payee}/{amount}", move_by_transaction));
    RT_TRY(rt_route(registry, RT_GET, "/read/{id}", read_counter));
    RT_TRY(rt_route(registry, RT_GET, "/wait/{seconds}", wait));
    return rt_route(registry, RT_GET, "/plain", plain);
}
