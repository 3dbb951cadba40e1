#include "telemetry/policy.h"

#include "fiber/list.h"
#include "telemetry/breaker.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "telemetry/span.h"

#include <rt/error.h>

/* Why a call was not tried. */
enum reason { BY_BREAKER, BY_BULKHEAD, REASONS };

struct rt_policy {
    const rt_plan_effect *effect;
    const char *name; /* "email.send" */
    rt_instance *instance;
    int64_t running, waiting; /* calls; `running` counts those that have been let in */
    rt_list queue;            /* of the waiting ones, the oldest first */
    rt_breaker breaker;
    bool counted;
    struct {
        rt_series *retries, *state, *rejected[REASONS];
    } series; /* found at the first call */
};

/* One call that a policy is about, from begin to its end. */
struct call {
    rt_open open; /* first: in the unit's ring while the provider has the call */
    rt_policy *policy;
    rt_list link;          /* in the policy's queue */
    rt_parking turn;       /* where it waits for that */
    uint64_t limit, outer; /* of this attempt, 0: none; and what was there before */
    uint32_t attempt;
    uint32_t ticket; /* of the breaker */
    struct call *next_idle;
};

static struct call *idle_calls;

static struct call *take_call(rt_policy *policy)
{
    struct call *call = idle_calls;
    if (call)
        idle_calls = call->next_idle;
    else
        call = rt_xmalloc(sizeof *call);
    *call = (struct call){.policy = policy, .turn.what = "its turn"};
    return call;
}

static void give_call(struct call *call)
{
    call->next_idle = idle_calls;
    idle_calls = call;
}

/* --- what is told ---------------------------------------------------------------------------- */

/* Up to the next millisecond. */
static double seconds(int64_t nanoseconds)
{
    return (double)((nanoseconds + 999999) / 1000000) / 1e3;
}

static rt_instrument retries = {.name = "effects.retries",
                                .unit = "{attempt}",
                                .help = "Attempts of calls of capabilities after the first",
                                .kind = RT_COUNTER};
static rt_instrument state = {.name = "effects.breaker.state",
                              .unit = "{state}",
                              .help = "Breaker of a capability's method: 0 closed, 1 half open, "
                                      "2 open; of several workers the most",
                              .kind = RT_GAUGE,
                              .aggregate = RT_MAX};
static rt_instrument rejected = {.name = "effects.rejected",
                                 .unit = "{operation}",
                                 .help = "Calls of capabilities that were not tried",
                                 .kind = RT_COUNTER};

static rt_series *series_of(const rt_policy *policy, rt_instrument *instrument, const char *reason)
{
    const char *provider = policy->instance->name;
    const rt_metric_label labels[] = {{"operation", {policy->name, strlen(policy->name)}},
                                      {"provider", {provider, strlen(provider)}},
                                      {"reason", {reason, strlen(reason)}}};
    return rt_series_of(instrument, labels, *reason ? 3 : 2);
}

static void find_series(rt_policy *policy)
{
    static const char *const reasons[] = {[BY_BREAKER] = "breaker", [BY_BULKHEAD] = "bulkhead"};
    const rt_plan_effect *effect = policy->effect;
    const bool applies[] = {rt_effect_has_breaker(effect), effect->concurrency != 0};
    if (!policy->counted)
        return;
    policy->counted = false; /* once */
    if (effect->retry.max_attempts > 1)
        policy->series.retries = series_of(policy, &retries, "");
    if (rt_effect_has_breaker(effect))
        policy->series.state = series_of(policy, &state, "");
    for (int i = 0; i < REASONS; i++)
        if (applies[i])
            policy->series.rejected[i] = series_of(policy, &rejected, reasons[i]);
}

static void count_one(rt_series *series)
{
    if (series)
        rt_series_add(series, 1);
}

static void note_state(const rt_policy *policy)
{
    if (policy->series.state)
        rt_series_set(policy->series.state, policy->breaker.state);
}

static void note_retry(rt_ctx *ctx, const struct call *call, uint64_t pause)
{
    const rt_field fields[] = {{"attempt", NULL, call->attempt + 1},
                               {"delay_ms", NULL, (int64_t)(pause / 1000000)}};
    count_one(call->policy->series.retries);
    rt_span_event(rt_span_current(ctx), "retry", fields, 2);
}

/* In the provider's name, whoever called it. */
static void log_breaker(rt_ctx *ctx, const rt_policy *policy, int result)
{
    const rt_field code = {"code", rt_code_name(result), 0};
    bool opened = policy->breaker.state == RT_BREAKER_OPEN;
    rt_instance *caller = ctx->instance;
    char text[200]; /* not in the arena: a service may fail for years */
    if (opened)
        snprintf(text, sizeof text, "the breaker of `%s` is open for %.9g s: too many calls fail",
                 policy->name, seconds(policy->effect->breaker.open_for));
    else
        snprintf(text, sizeof text, "the breaker of `%s` is closed", policy->name);
    ctx->instance = policy->instance;
    rt_host_log_fields(ctx, opened ? RT_LOG_WARN : RT_LOG_INFO, &code, opened, text);
    ctx->instance = caller;
}

/* --- the breaker ----------------------------------------------------------------------------- */

static int refuse(rt_ctx *ctx, const rt_policy *policy)
{
    uint64_t now = rt_host_now();
    count_one(policy->series.rejected[BY_BREAKER]);
    if (policy->breaker.state == RT_BREAKER_HALF_OPEN)
        return rt_host_fail(ctx, RT_EUNAVAILABLE,
                            "`%s` of `%s` is not tried: its breaker is open until a probe that "
                            "is under way has succeeded",
                            policy->name, policy->instance->name);
    uint64_t left = policy->breaker.until > now ? policy->breaker.until - now : 0;
    return rt_host_fail(ctx, RT_EUNAVAILABLE,
                        "`%s` of `%s` is not tried: its breaker is open for another %.9g s",
                        policy->name, policy->instance->name, seconds((int64_t)left));
}

static bool is_refusing(const rt_policy *policy)
{
    return rt_effect_has_breaker(policy->effect) &&
           rt_breaker_refuses(&policy->breaker, &policy->effect->breaker, rt_host_now());
}

static int pass_breaker(rt_ctx *ctx, struct call *call)
{
    rt_policy *policy = call->policy;
    if (!rt_effect_has_breaker(policy->effect))
        return 0;
    if (!rt_breaker_admit(&policy->breaker, &policy->effect->breaker, rt_host_now(), &call->ticket))
        return refuse(ctx, policy);
    note_state(policy);
    return 0;
}

static void tell_breaker(rt_ctx *ctx, struct call *call, rt_outcome outcome, int result)
{
    rt_policy *policy = call->policy;
    rt_breaker_state before = policy->breaker.state;
    if (!rt_effect_has_breaker(policy->effect))
        return;
    rt_breaker_settle(&policy->breaker, &policy->effect->breaker, rt_host_now(), call->ticket,
                      outcome);
    if (policy->breaker.state == before)
        return;
    note_state(policy);
    log_breaker(ctx, policy, result);
}

/* --- the bulkhead ---------------------------------------------------------------------------- */

static void leave(rt_policy *policy)
{
    rt_list *first = rt_list_take(&policy->queue);
    if (!first) {
        policy->running--;
        return;
    }
    policy->waiting--;
    rt_unpark(&RT_ENTRY(first, struct call, link)->turn, 0); /* the place is handed over */
}

static int turn_away(rt_ctx *ctx, const rt_policy *policy)
{
    count_one(policy->series.rejected[BY_BULKHEAD]);
    return rt_host_fail(ctx, RT_ERESOURCE_EXHAUSTED,
                        "`%s` of `%s` has %lld calls under way and %lld that wait: no more are "
                        "taken",
                        policy->name, policy->instance->name, (long long)policy->running,
                        (long long)policy->waiting);
}

static int wait_for_turn(rt_ctx *ctx, struct call *call)
{
    rt_policy *policy = call->policy;
    if (policy->waiting >= policy->effect->queue)
        return turn_away(ctx, policy);
    rt_list_append(&policy->queue, &call->link);
    policy->waiting++;
    int result = rt_park(ctx, &call->turn);
    if (result >= 0)
        return 0;
    rt_list_remove(&call->link);
    policy->waiting--;
    return result;
}

static int enter(rt_ctx *ctx, struct call *call)
{
    rt_policy *policy = call->policy;
    if (policy->effect->concurrency && policy->running >= policy->effect->concurrency)
        return wait_for_turn(ctx, call);
    policy->running++;
    return 0;
}

/* --- attempts -------------------------------------------------------------------------------- */

/* A limit that the caller's deadline precedes is none: what then fails is the caller's affair. */
static void begin_attempt(rt_ctx *ctx, struct call *call)
{
    int64_t timeout = call->policy->effect->timeout;
    uint64_t deadline = rt_host_deadline(ctx);
    call->limit = timeout ? rt_host_now() + (uint64_t)timeout : 0;
    if (deadline && deadline <= call->limit)
        call->limit = 0;
    if (call->limit)
        call->outer = rt_unit_limit(ctx, call->limit);
    call->attempt++;
}

/* True if it is the attempt's own limit that ended it; the error says so. */
static bool end_attempt(rt_ctx *ctx, struct call *call, int *result)
{
    const rt_policy *policy = call->policy;
    if (!call->limit)
        return false;
    rt_unit_limit(ctx, call->outer);
    if (*result != -RT_EDEADLINE || rt_host_now() < call->limit)
        return false;
    *result = rt_host_fail(ctx, RT_EDEADLINE, "`%s` of `%s` did not end within %.9g s",
                           policy->name, policy->instance->name, seconds(policy->effect->timeout));
    return true;
}

uint64_t rt_policy_pause(const rt_plan_retry *retry, uint32_t attempt, uint64_t random)
{
    double pause = (double)retry->delay, most = (double)retry->max_delay;
    for (uint32_t i = 1; i < attempt && pause < most; i++)
        pause *= retry->factor;
    if (pause > most)
        pause = most;
    double share = (double)(random >> 11) * 0x1p-53; /* of [0, 1) */
    if (retry->jitter == RT_JITTER_FULL)
        pause *= share;
    else if (retry->jitter == RT_JITTER_EQUAL)
        pause = pause / 2 + pause / 2 * share;
    return (uint64_t)pause;
}

/* An error of the context that is not of this code is an older one. */
static bool is_retryable(const rt_ctx *ctx, int result)
{
    const rt_error *error = rt_host_last_error(ctx);
    return error && error->code == -result ? error->retryable != 0 : rt_code_retryable(result) != 0;
}

static bool may_repeat(const rt_ctx *ctx, const struct call *call, const rt_effect_frame *frame,
                       int result)
{
    const uint32_t needed = RT_WAITS | RT_IDEMPOTENT;
    return result < 0 && call->attempt < call->policy->effect->retry.max_attempts &&
           (frame->method->flags & needed) == needed && is_retryable(ctx, result);
}

/* 1: it is to be tried again; 0: there is no time for that; -RT_E…: the wait was cut short. */
static int pause_between(rt_ctx *ctx, const struct call *call)
{
    const rt_plan_retry *retry = &call->policy->effect->retry;
    uint64_t pause = rt_policy_pause(retry, call->attempt, rt_random_id());
    uint64_t deadline = rt_host_deadline(ctx);
    if (deadline && rt_host_now() + pause >= deadline)
        return 0;
    note_retry(ctx, call, pause);
    RT_TRY(rt_host_sleep(ctx, pause));
    return 1;
}

/* --- the end of a call ----------------------------------------------------------------------- */

/* The codes of a backend that is ill; all others are answers of one that is well. */
static bool is_failure(int result)
{
    const uint32_t codes = 1u << RT_EUNKNOWN | 1u << RT_EDEADLINE | 1u << RT_ERESOURCE_EXHAUSTED |
                           1u << RT_EINTERNAL | 1u << RT_EUNAVAILABLE | 1u << RT_EDATA_LOSS;
    return result < -31 || (result < 0 && codes >> -result & 1);
}

static bool is_over(const rt_ctx *ctx)
{
    uint64_t deadline = rt_host_deadline(ctx);
    return deadline && rt_host_now() >= deadline;
}

static rt_outcome outcome_of(const rt_ctx *ctx, int result, bool timed_out)
{
    bool callers_affair =
        result == -RT_ECANCELED || (result == -RT_EDEADLINE && !timed_out && is_over(ctx));
    if (callers_affair)
        return RT_OUTCOME_NONE;
    return is_failure(result) ? RT_OUTCOME_FAILURE : RT_OUTCOME_SUCCESS;
}

static void end_call(rt_ctx *ctx, struct call *call, rt_outcome outcome, int result)
{
    tell_breaker(ctx, call, outcome, result);
    leave(call->policy);
    give_call(call);
}

/* The unit died in the provider. */
static void abandon(rt_ctx *ctx, rt_open *open)
{
    end_call(ctx, (struct call *)open, RT_OUTCOME_FAILURE, -RT_EINTERNAL);
}

/* --- around the provider --------------------------------------------------------------------- */

/* A call that cannot end well is not begun. */
static int check_caller(rt_ctx *ctx, const rt_policy *policy, const rt_method *method)
{
    if (!(method->flags & RT_WAITS))
        return 0;
    if (rt_host_cancelled(ctx))
        return rt_host_fail(ctx, RT_ECANCELED, "cancelled before `%s` began", policy->name);
    return is_over(ctx) ? rt_host_fail(ctx, RT_EDEADLINE,
                                       "the deadline had passed before `%s` began", policy->name)
                        : 0;
}

static int let_in(rt_ctx *ctx, struct call *call)
{
    rt_policy *policy = call->policy;
    if (is_refusing(policy)) /* it need not wait for that */
        return refuse(ctx, policy);
    RT_TRY(enter(ctx, call));
    int result = pass_breaker(ctx, call);
    if (result < 0)
        leave(policy);
    return result;
}

int rt_policy_begin(rt_ctx *ctx, rt_policy *policy, rt_effect_frame *frame)
{
    find_series(policy);
    RT_TRY(check_caller(ctx, policy, frame->method));
    struct call *call = take_call(policy);
    int result = let_in(ctx, call);
    if (result < 0) {
        give_call(call);
        return result;
    }
    call->open.abandon = abandon;
    rt_open_push(rt_trace_of(ctx), &call->open);
    begin_attempt(ctx, call);
    frame->scratch[RT_POLICY_SCRATCH] = (uintptr_t)call;
    return 0;
}

bool rt_policy_again(rt_ctx *ctx, rt_effect_frame *frame, int *result)
{
    struct call *call = (struct call *)(uintptr_t)frame->scratch[RT_POLICY_SCRATCH];
    if (!call)
        return false;
    bool timed_out = end_attempt(ctx, call, result);
    rt_outcome outcome = outcome_of(ctx, *result, timed_out);
    if (may_repeat(ctx, call, frame, *result)) {
        int go = pause_between(ctx, call);
        if (go > 0) {
            begin_attempt(ctx, call);
            return true;
        }
        if (go < 0) {
            *result = go;
            outcome = RT_OUTCOME_NONE;
        }
    }
    rt_open_pop(ctx, &call->open);
    frame->scratch[RT_POLICY_SCRATCH] = 0;
    end_call(ctx, call, outcome, *result);
    return false;
}

/* --- what there is --------------------------------------------------------------------------- */

static bool is_policy(const rt_plan_effect *effect)
{
    return effect->timeout || effect->concurrency || effect->retry.max_attempts > 1 ||
           rt_effect_has_breaker(effect);
}

static rt_policy *make_policy(rt_arena *arena, const char *capability, rt_instance *instance,
                              const rt_plan_effect *effect, bool counted)
{
    rt_policy *policy = RT_NEW(arena, rt_policy);
    policy->effect = effect;
    policy->name = rt_arena_format(arena, "%s.%s", capability, effect->method);
    policy->instance = instance;
    policy->counted = counted && effect->metrics;
    rt_list_init(&policy->queue);
    return policy;
}

rt_policies *rt_policies_new(rt_arena *arena, const char *capability, rt_instance *instance,
                             const rt_plan_effect *effects, size_t count, bool counted)
{
    rt_policies *policies = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!is_policy(&effects[i]))
            continue;
        if (!policies) {
            policies = RT_NEW(arena, rt_policies);
            policies->items = rt_arena_alloc(arena, count * sizeof *policies->items);
            policies->count = count;
        }
        policies->items[i] = make_policy(arena, capability, instance, &effects[i], counted);
    }
    return policies;
}

const char *rt_policies_refusing(const rt_policies *policies)
{
    for (size_t i = 0; policies && i < policies->count; i++) {
        const rt_policy *policy = policies->items[i];
        if (policy && policy->breaker.state == RT_BREAKER_OPEN && is_refusing(policy))
            return policy->name;
    }
    return NULL;
}
