#include "memory.h"

#include "verdict.h"

#include <rt/cap/clock.h>
#include <rt/metric.h>
#include <rt/rt.h>
#include <stdlib.h>
#include <sys/random.h>

RT_USES(clock)
RT_GAUGE(memory_keys, "redis.memory.keys", "{key}", "Keys of redis-memory")
RT_GAUGE(memory_used, "redis.memory.used", "By", "Memory of the keys and values of redis-memory")

/* A command that waits for another to change something; on its fiber's stack. */
struct waiter {
    struct waiter *next;
    const rt_str *arguments;
    uint32_t count;
    bool served;
    rt_output out;
    rt_semaphore *turn;
};

/* A script that waits for the fiber which has the stack for it. */
struct job {
    struct job *next;
    const rt_redis_script *script;
    bool done;
    rt_output out;
    rt_semaphore *turn;
};

struct rt_memory {
    rt_engine engine;
    rt_script_limits limits;
    rt_output out;          /* of commands that do not wait */
    struct waiter *waiters; /* in the order they came */
    struct job *jobs;       /* likewise */
    rt_semaphore *work;     /* for the fiber that runs scripts */
    uint64_t seen;          /* changes that the waiters have been told of */
};

static int set_time(rt_ctx *ctx, rt_memory *memory)
{
    int64_t now;
    RT_TRY(rt_clock_now(ctx, rt_clock, &now));
    rt_engine_set_time(&memory->engine, now);
    return 0;
}

/* --- waiters ---------------------------------------------------------------------------------- */

static bool serve_one(rt_memory *memory, struct waiter *waiter)
{
    waiter->served =
        rt_engine_run(&memory->engine, waiter->arguments, waiter->count,
                      RT_ENGINE_MAY_BLOCK | RT_ENGINE_AGAIN, &waiter->out) == RT_ENGINE_DONE;
    if (waiter->served)
        rt_semaphore_release(waiter->turn);
    return waiter->served;
}

/* What one of them gets may be what another waits for, as with BLMOVE. */
static void serve_waiters(rt_memory *memory)
{
    if (memory->seen == memory->engine.changes)
        return;
    for (struct waiter **place = &memory->waiters; *place;) {
        if (!serve_one(memory, *place)) {
            place = &(*place)->next;
            continue;
        }
        *place = (*place)->next;
        place = &memory->waiters;
    }
    memory->seen = memory->engine.changes;
}

static void leave_waiters(rt_memory *memory, const struct waiter *waiter)
{
    for (struct waiter **place = &memory->waiters; *place; place = &(*place)->next) {
        if (*place != waiter)
            continue;
        *place = waiter->next;
        return;
    }
}

static int wait_turn(rt_ctx *ctx, void *semaphore)
{
    return rt_semaphore_acquire(ctx, semaphore);
}

/* Waits for up to `milliseconds`, 0: for ever. 0 also when that time is over. */
static int wait_served(rt_ctx *ctx, struct waiter *waiter, int64_t milliseconds)
{
    uint64_t now = rt_now(), deadline = 0;
    if (milliseconds && (uint64_t)milliseconds < (UINT64_MAX - now) / 1000000)
        deadline = now + RT_MS(milliseconds);
    int code = rt_run(ctx, wait_turn, waiter->turn, .name = "redis.block", .deadline = deadline);
    bool own = deadline && (!rt_deadline(ctx) || deadline < rt_deadline(ctx));
    return waiter->served || (code == -RT_EDEADLINE && own) ? 0 : code;
}

static int block(rt_ctx *ctx, rt_memory *memory, const rt_redis_arguments *command,
                 rt_redis_reply *reply)
{
    rt_str *arguments = rt_alloc(ctx, command->count * sizeof *arguments);
    char *room = rt_alloc(ctx, (uint64_t)command->count * RT_ENGINE_ROOM);
    struct waiter waiter = {
        .arguments = arguments, .count = command->count, .turn = rt_semaphore_new(0)};
    if (!waiter.turn)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory to wait");
    memcpy(arguments, command->arguments, command->count * sizeof *arguments);
    rt_engine_settle_ids(&memory->engine, arguments, command->count, room);
    struct waiter **place = &memory->waiters;
    while (*place)
        place = &(*place)->next;
    *place = &waiter;
    int code = wait_served(ctx, &waiter, memory->engine.wait);
    leave_waiters(memory, &waiter);
    rt_semaphore_free(waiter.turn);
    *reply = (rt_redis_reply){0};
    if (waiter.served && waiter.out.failed)
        code = rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a reply");
    else if (waiter.served)
        rt_output_read(ctx, waiter.out.data, reply);
    rt_output_close(&waiter.out);
    return code;
}

/* --- commands --------------------------------------------------------------------------------- */

/* Others run, as they would while a server answers; then it is this call's turn. */
static int begin(rt_ctx *ctx, rt_memory *memory)
{
    RT_TRY(rt_sleep(ctx, 0));
    rt_output_reset(&memory->out);
    return set_time(ctx, memory);
}

static int read_replies(rt_ctx *ctx, const rt_output *out, uint32_t count, rt_redis_reply *replies)
{
    const char *at = out->data;
    if (out->failed)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a reply");
    for (uint32_t i = 0; i < count; i++)
        at = rt_output_read(ctx, at, &replies[i]);
    return 0;
}

/* An error reply to the whole call is the call's error. */
static int settle(rt_ctx *ctx, const char *subject, const rt_redis_reply *reply)
{
    if (reply->type != RT_REDIS_ERROR)
        return 0;
    return rt_redis_fail_reply(ctx, subject, reply->text, reply->length);
}

int rt_memory_command(rt_ctx *ctx, rt_memory *memory, const rt_redis_arguments *command,
                      rt_redis_reply *reply)
{
    RT_TRY(rt_redis_check_command(ctx, command, RT_REDIS_ALONE));
    RT_TRY(begin(ctx, memory));
    if (rt_engine_run(&memory->engine, command->arguments, command->count, RT_ENGINE_MAY_BLOCK,
                      &memory->out) == RT_ENGINE_BLOCKED) {
        RT_TRY(block(ctx, memory, command, reply));
    } else {
        RT_TRY(read_replies(ctx, &memory->out, 1, reply));
        serve_waiters(memory);
    }
    return settle(ctx, rt_redis_name(ctx, command), reply);
}

int rt_memory_pipeline(rt_ctx *ctx, rt_memory *memory, const rt_redis_arguments *commands,
                       uint32_t count, rt_redis_reply *replies)
{
    RT_TRY(rt_redis_check_commands(ctx, commands, count));
    if (!count)
        return 0;
    RT_TRY(begin(ctx, memory));
    for (uint32_t i = 0; i < count; i++) {
        rt_engine_run(&memory->engine, commands[i].arguments, commands[i].count, 0, &memory->out);
        serve_waiters(memory);
    }
    return read_replies(ctx, &memory->out, count, replies);
}

/* A server that is full refuses to queue what needs memory, and carries out nothing then. */
static int refuse_transaction(rt_ctx *ctx, const rt_memory *memory)
{
    rt_redis_reply reply;
    RT_TRY(read_replies(ctx, &memory->out, 1, &reply));
    return settle(ctx, "a command of the transaction", &reply);
}

int rt_memory_atomic(rt_ctx *ctx, rt_memory *memory, const rt_redis_arguments *commands,
                     uint32_t count, rt_redis_reply *replies)
{
    static const char aborted[] = "EXECABORT Transaction discarded because of previous errors.";
    RT_TRY(rt_redis_check_commands(ctx, commands, count));
    if (!count)
        return 0;
    RT_TRY(begin(ctx, memory));
    for (uint32_t i = 0; i < count; i++)
        if (!rt_engine_check(commands[i].arguments, commands[i].count, &memory->out))
            return rt_redis_fail_reply(ctx, "EXEC", aborted, sizeof aborted - 1);
    for (uint32_t i = 0; i < count; i++)
        if (!rt_engine_has_room(&memory->engine, commands[i].arguments[0], &memory->out))
            return refuse_transaction(ctx, memory);
    for (uint32_t i = 0; i < count; i++)
        rt_engine_run(&memory->engine, commands[i].arguments, commands[i].count, 0, &memory->out);
    serve_waiters(memory);
    return read_replies(ctx, &memory->out, count, replies);
}

/* --- scripts ---------------------------------------------------------------------------------- */

/* The fiber of this service has the stack that Lua needs; callers may have far less. */
static int run_scripts(rt_ctx *ctx, void *argument)
{
    rt_memory *memory = argument;
    for (;;) {
        RT_TRY(rt_semaphore_acquire(ctx, memory->work));
        struct job *job = memory->jobs;
        if (!job)
            continue;
        memory->jobs = job->next;
        rt_script_run(&memory->engine, job->script, &memory->limits, &job->out);
        job->done = true;
        rt_semaphore_release(job->turn);
        serve_waiters(memory);
    }
}

static void leave_jobs(rt_memory *memory, const struct job *job)
{
    for (struct job **place = &memory->jobs; *place; place = &(*place)->next) {
        if (*place != job)
            continue;
        *place = job->next;
        return;
    }
}

static int run_job(rt_ctx *ctx, rt_memory *memory, struct job *job, rt_redis_reply *reply)
{
    struct job **place = &memory->jobs;
    while (*place)
        place = &(*place)->next;
    *place = job;
    rt_semaphore_release(memory->work);
    int code = rt_semaphore_acquire(ctx, job->turn);
    leave_jobs(memory, job);
    if (job->done)
        code = read_replies(ctx, &job->out, 1, reply);
    return code;
}

int rt_memory_eval(rt_ctx *ctx, rt_memory *memory, const rt_redis_script *script,
                   rt_redis_reply *reply)
{
    rt_redis_script own = {.size = sizeof own};
    if (!script || !RT_HAS(script, arguments))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the script has no `size`");
    rt_struct_copy(&own, script);
    RT_TRY(rt_redis_check_script(ctx, &own));
    RT_TRY(begin(ctx, memory));
    struct job job = {.script = &own, .turn = rt_semaphore_new(0)};
    if (!job.turn)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory to run a script");
    int code = run_job(ctx, memory, &job, reply);
    rt_semaphore_free(job.turn);
    rt_output_close(&job.out);
    return code < 0 ? code : settle(ctx, "EVAL", reply);
}

/* --- life ------------------------------------------------------------------------------------- */

rt_memory *rt_memory_open(rt_ctx *ctx, const rt_memory_options *options)
{
    uint64_t seed = 0;
    rt_memory *memory = calloc(1, sizeof *memory);
    if (memory && !(memory->work = rt_semaphore_new(0))) {
        free(memory);
        memory = NULL;
    }
    if (!memory) {
        rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
        return NULL;
    }
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0)
        seed = rt_now();
    memory->limits = options->script;
    rt_engine_open(&memory->engine, options->max_memory, seed);
    if (rt_service(ctx, "scripts", run_scripts, memory) < 0) {
        rt_memory_close(memory);
        return NULL;
    }
    return memory;
}

void rt_memory_close(rt_memory *memory)
{
    rt_engine_close(&memory->engine);
    rt_output_close(&memory->out);
    rt_semaphore_free(memory->work);
    free(memory);
}

void rt_memory_flush(rt_memory *memory)
{
    rt_engine_flush(&memory->engine);
}

void rt_memory_tell(rt_ctx *ctx, const rt_memory *memory)
{
    rt_metric_set(ctx, &memory_keys, (double)memory->engine.keys.count);
    rt_metric_set(ctx, &memory_used, (double)memory->engine.heap.used);
}
