/* A provider that does what test_call.py asks of it; with OLD, as one that was built before methods
 * said what JSON they take, with ODD, as one that says nonsense of them. */
#include "cap/puppet.h"
#include <rt/rt.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef OLD
#undef RT_ABI_MINOR
#define RT_ABI_MINOR 1
#endif

RT_MODULE(NAME, "1.0.0", "Does what a test asks for")
RT_PROVIDES(puppet, 1, fallback, 0)
RT_OPTION(secret, password, , "What no output may show")

static bool is_open(const char *gate)
{
    return gate && access(gate, F_OK) == 0;
}

static int say(rt_ctx *ctx, const char *text, const char **said, const char **who, int32_t *pid)
{
    *said = text && strcmp(text, "password") == 0 ? RT_GET(ctx, password) : text;
    *who = ctx->instance->name;
    *pid = (int32_t)getpid();
    return 0;
}

static int wait_for(rt_ctx *ctx, const char *gate)
{
    rt_log(ctx, RT_LOG_INFO, "waiting for the gate");
    while (!is_open(gate))
        RT_TRY(rt_sleep(ctx, RT_MS(10)));
    return 0;
}

/* Its end tells whether it was cancelled. */
static int stay(rt_ctx *ctx, const char *gate)
{
    int code = wait_for(ctx, gate);
    rt_log(ctx, RT_LOG_INFO, "the wait ended: %s", rt_code_name(code));
    return code;
}

static int hold(rt_ctx *ctx, const char *gate)
{
    rt_log(ctx, RT_LOG_INFO, "holding the loop");
    while (!is_open(gate))
        usleep(10000);
    return 0;
}

static int crash(rt_ctx *ctx)
{
    (void)ctx;
    abort();
}

static int die(rt_ctx *ctx)
{
    rt_die(ctx, "the strings are cut");
    return 0;
}

static int fail(rt_ctx *ctx, int32_t code)
{
    static const rt_error cause = {
        .size = sizeof cause, .code = RT_EINTERNAL, .message = "the head fell off"};
    return rt_fail_with(ctx, &(rt_error){.size = sizeof(rt_error),
                                         .code = code,
                                         .domain = "PUPPET_BROKEN",
                                         .message = "the puppet \033[31mbroke",
                                         .detail = "at the neck",
                                         .hint = "glue it",
                                         .cause = &cause});
}

static int fill(rt_ctx *ctx, uint32_t bytes, const char **text)
{
    char *filled = rt_alloc(ctx, (uint64_t)bytes + 1);
    memset(filled, 'x', bytes);
    *text = filled;
    return 0;
}

#define METHODS                                                                           \
    .say = say, .wait = wait_for, .stay = stay, .hold = hold, .crash = crash, .die = die, \
    .fail = fail, .fill = fill

RT_REGISTER(registry)
{
#ifdef OLD
    static const struct rt_puppet_table table = {.size = sizeof table, METHODS};
    return rt_host_table->provide(registry, "puppet", 1, &table);
#elif defined(ODD)
    static const struct rt_puppet_table table = {.size = sizeof table, METHODS};
    static const rt_form form = {.size = sizeof form, .count = 1};
    return rt_host_table->provide_form(registry, "puppet", 1, &table, &form);
#else
    return rt_provide(registry, puppet, METHODS);
#endif
}
