/* policy_kit.h — a provider that does as it is told, and calls of it as a wrapper makes them */
#ifndef RT_TEST_POLICY_KIT_H
#define RT_TEST_POLICY_KIT_H

#include "fiber_kit.h"
#include "telemetry/effect.h"

#define LONG INT64_C(3600000000000) /* an hour: what waits for it is ended by something else */

static rt_instance smtp = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .name = "smtp", .module = "smtp"};

static struct {
    rt_plan_effect effect;
    rt_arena arena;
    rt_policies *policies;
    rt_effect_operation operation;
    struct rt_effects effects;
    rt_binding binding;
    rt_method method;
    /* What the provider does: the letters say of one call after the other, the last one for good:
     * u UNAVAILABLE, n NOT_FOUND, p UNAVAILABLE that is not to be repeated, h hangs,
     * d its own DEADLINE_EXCEEDED, x dies, g waits for the gate, b does and is UNAVAILABLE then;
     * everything else succeeds. */
    const char *script;
    int calls, under_way, most;
    uint64_t deadline; /* it saw */
    rt_semaphore *gate;
} made;

static int hang(rt_ctx *ctx, void *argument)
{
    (void)argument;
    return rt_sleep(ctx, (uint64_t)LONG);
}

static int obey(rt_ctx *ctx, char letter)
{
    switch (letter) {
    case 'u':
        return rt_fail(ctx, RT_EUNAVAILABLE, "the server is away");
    case 'n':
        return rt_fail(ctx, RT_ENOT_FOUND, "no such mailbox");
    case 'p':
        return rt_fail_with(ctx, &(rt_error){.size = sizeof(rt_error),
                                             .code = RT_EUNAVAILABLE,
                                             .message = "gone for good"});
    case 'h':
        return hang(ctx, NULL);
    case 'd':
        return rt_fail(ctx, RT_EDEADLINE, "the server took too long");
    case 'x':
        rt_die(ctx, "an invariant is broken");
    case 'g':
        return rt_semaphore_acquire(ctx, made.gate);
    case 'b':
        RT_TRY(rt_semaphore_acquire(ctx, made.gate));
        return rt_fail(ctx, RT_EUNAVAILABLE, "the server went away");
    default:
        return 0;
    }
}

static int provide(rt_ctx *ctx)
{
    char letter = *made.script;
    if (letter && made.script[1])
        made.script++;
    made.calls++;
    made.deadline = rt_deadline(ctx);
    made.under_way++;
    if (made.under_way > made.most)
        made.most = made.under_way;
    int result = obey(ctx, letter);
    made.under_way--;
    return result;
}

/* What a wrapper of rt/capability.h does. */
static int call(rt_ctx *ctx, void *argument)
{
    rt_effect_frame frame = {
        .size = sizeof frame, .method = &made.method, .binding = &made.binding};
    const rt_open *open = rt_trace_of(ctx)->open;
    (void)argument;
    int result = rt_host_effect_begin(ctx, &frame);
    while (result >= 0) {
        result = provide(ctx);
        if (!rt_host_effect_again(ctx, &frame, &result))
            break;
        result = 0;
    }
    CU_ASSERT_PTR_EQUAL(rt_trace_of(ctx)->open, open);
    return result;
}

static void make(const rt_plan_effect *effect, const char *script)
{
    rt_arena_init(&made.arena);
    made.effect = *effect;
    made.effect.method = "send";
    if (!made.effect.retry.max_attempts)
        made.effect.retry.max_attempts = 1;
    made.policies = rt_policies_new(&made.arena, "email", &smtp, &made.effect, 1, true);
    CU_ASSERT_PTR_NOT_NULL(made.policies);
    made.operation = (rt_effect_operation){.policy = made.policies->items[0]};
    made.effects = (struct rt_effects){.operations = &made.operation, .operation_count = 1};
    made.binding = (rt_binding){.instance = &smtp, .effects = &made.effects};
    made.method = (rt_method){"email.send", 0, RT_WAITS | RT_IDEMPOTENT};
    made.script = script;
    made.calls = made.under_way = made.most = 0;
    made.deadline = 0;
}

static void unmake(void)
{
    rt_arena_free(&made.arena);
}

__attribute__((unused)) static ending run_made(rt_work work, const rt_plan_effect *effect,
                                               const char *script)
{
    make(effect, script);
    ending end = run(work, NULL);
    unmake();
    return end;
}

__attribute__((unused)) static const rt_plan_retry three = {
    .max_attempts = 3, .delay = 1000, .max_delay = 1000, .factor = 1, .jitter = RT_JITTER_NONE};

#endif
