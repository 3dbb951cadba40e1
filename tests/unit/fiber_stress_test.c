/* Thousands of units that do everything at random and are cancelled at random; the seed is fixed,
 * and what must hold in the end does not depend on the order of events. */
#include "fiber_kit.h"

#include "fiber/internal.h"

#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS = 30, AT_ONCE = 100, CHANNEL = 4, PERMITS = 3 };
enum { SEEDS = RT_TSAN ? 2 : 8 }; /* it makes a fiber slowly */

static struct {
    uint64_t state;
    rt_mutex *mutex;
    rt_semaphore *semaphore;
    rt_channel *channel;
    int pair[2];
    int locked, permits, deferred, finalized, sent, received, overlaps, ended, unknown;
    uint32_t kinds[4];
    rt_ctx *alive[AT_ONCE];
} world;

static uint32_t pick(uint32_t below)
{
    world.state = world.state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(world.state >> 33) % below;
}

static void finalize(rt_ctx *ctx, void *argument)
{
    (void)argument;
    world.finalized++;
    if (pick(4) == 0)
        CU_ASSERT_EQUAL(rt_sleep(ctx, 0), 0);
    if (pick(20) == 0)
        rt_die(ctx, "in a finalizer");
}

static int use_mutex(rt_ctx *ctx)
{
    RT_TRY(rt_mutex_lock(ctx, world.mutex));
    world.overlaps += world.locked++ != 0;
    int result = rt_sleep(ctx, pick(2) ? 0 : RT_US(200));
    world.locked--;
    rt_mutex_unlock(ctx, world.mutex);
    return result;
}

static int use_semaphore(rt_ctx *ctx)
{
    RT_TRY(rt_semaphore_acquire(ctx, world.semaphore));
    world.overlaps += world.permits++ >= PERMITS;
    int result = rt_sleep(ctx, 0);
    world.permits--;
    rt_semaphore_release(world.semaphore);
    return result;
}

static int use_channel(rt_ctx *ctx)
{
    void *item;
    if (pick(2)) {
        RT_TRY(rt_channel_send(ctx, world.channel, &world));
        world.sent++;
        return 0;
    }
    RT_TRY(rt_channel_receive(ctx, world.channel, &item));
    world.received++;
    return item == &world ? 0 : -RT_EDATA_LOSS;
}

static int return_it(void *argument)
{
    return *(int *)argument;
}

static int use_pool(rt_ctx *ctx)
{
    int number = 5;
    int result = rt_blocking(ctx, return_it, &number);
    return result == 5 ? 0 : result;
}

static int use_descriptor(rt_ctx *ctx)
{
    int result = rt_wait_fd(ctx, world.pair[pick(2)], RT_READABLE, rt_now() + RT_US(500));
    return result == -RT_EFAILED_PRECONDITION ? 0 : result;
}

static int act(rt_ctx *ctx, void *argument);

static int use_children(rt_ctx *ctx)
{
    rt_task *task = rt_spawn(ctx, act, NULL);
    rt_spawn(ctx, act, NULL);
    return pick(2) ? rt_join(ctx, task) : 0;
}

static int use_nested(rt_ctx *ctx)
{
    rt_exit exit;
    rt_run_exit(ctx, &exit, act, NULL, .deadline = pick(2) ? rt_now() + RT_MS(1) : 0);
    return exit.result == -RT_EDATA_LOSS ? exit.result : 0;
}

static int be_done(rt_ctx *ctx)
{
    if (pick(3) == 0)
        rt_die(ctx, "by choice");
    return pick(2) ? 0 : rt_fail(ctx, RT_EABORTED, "by choice");
}

static int (*const acts[])(rt_ctx *ctx) = {use_mutex,    use_semaphore, use_channel,
                                           use_pool,     use_channel,   use_descriptor,
                                           use_children, use_nested,    be_done};

static int act(rt_ctx *ctx, void *argument)
{
    (void)argument;
    for (uint32_t i = pick(6); i > 0; i--) {
        if (pick(3) == 0) {
            rt_defer(ctx, finalize, NULL);
            world.deferred++;
        }
        RT_TRY(acts[pick(sizeof acts / sizeof acts[0])](ctx));
    }
    return 0;
}

static void one_ended(rt_ctx *ctx, const rt_exit *exit, void *argument)
{
    rt_ctx **place = argument;
    (void)ctx;
    *place = NULL;
    world.ended++;
    world.kinds[exit->kind & 3]++;
    world.unknown += exit->result == -RT_EDATA_LOSS;
    CU_ASSERT_TRUE((exit->result < 0) == (exit->error != NULL));
}

static void start_one(rt_ctx **place)
{
    rt_unit_options options = {.instance = &shop,
                               .name = "act",
                               .done = one_ended,
                               .done_argument = place,
                               .deadline = pick(3) ? 0 : rt_now() + RT_US(100) * pick(50)};
    *place = (rt_ctx *)place; /* taken, should it end at once */
    rt_ctx *ctx = rt_unit_start(&options, act, NULL);
    if (ctx)
        *place = ctx;
}

static int run_round(rt_ctx *ctx)
{
    for (int i = 0; i < AT_ONCE; i++)
        if (!world.alive[i])
            start_one(&world.alive[i]);
    for (int i = 0; i < AT_ONCE; i++)
        if (world.alive[i] && pick(4) == 0)
            rt_unit_cancel(world.alive[i]);
    return rt_sleep(ctx, pick(2) ? 0 : RT_MS(1));
}

static int run_rounds(rt_ctx *ctx, void *argument)
{
    (void)argument;
    for (int round = 0; round < ROUNDS; round++)
        RT_TRY(run_round(ctx));
    while (rt_unit_count() > 1) {
        for (int i = 0; i < AT_ONCE; i++)
            if (world.alive[i])
                rt_unit_cancel(world.alive[i]);
        RT_TRY(rt_sleep(ctx, RT_MS(1)));
    }
    for (int i = 0; i < PERMITS; i++)
        RT_TRY(rt_semaphore_acquire(ctx, world.semaphore));
    return rt_mutex_lock(ctx, world.mutex);
}

static void run_world(uint64_t seed)
{
    memset(&world, 0, sizeof world);
    world.state = seed;
    world.mutex = rt_mutex_new();
    world.semaphore = rt_semaphore_new(PERMITS);
    world.channel = rt_channel_new(CHANNEL);
    CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, world.pair), 0);
    CU_ASSERT_EQUAL(run(run_rounds, NULL).result, 0);
    CU_ASSERT_TRUE(world.ended > ROUNDS);
    CU_ASSERT_EQUAL(world.overlaps, 0);
    CU_ASSERT_EQUAL(world.finalized, world.deferred);
    CU_ASSERT_TRUE(world.sent - world.received >= 0 && world.sent - world.received <= CHANNEL);
    CU_ASSERT_EQUAL(world.unknown, 0);
    for (int kind = RT_EXIT_SUCCESS; kind <= RT_EXIT_INTERRUPTION; kind++)
        CU_ASSERT_TRUE(world.kinds[kind] > 0);
    close(world.pair[0]);
    close(world.pair[1]);
    rt_mutex_free(world.mutex);
    rt_semaphore_free(world.semaphore);
    rt_channel_free(world.channel);
}

static void thousands_of_random_units_lose_nothing(void)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_world(seed);
}

RT_TEST_MAIN("fiber stress",
             {"thousands of random units lose nothing", thousands_of_random_units_lose_nothing})
