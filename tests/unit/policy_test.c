/* What calls must bear: policies around a provider that does as it is told. */
#include "policy_kit.h"
#include "telemetry/outlet.h"
#include "telemetry/span.h"

#include <sys/socket.h>
#include <unistd.h>

/* --- pauses ---------------------------------------------------------------------------------- */

static void pauses_grow_by_the_factor_up_to_the_longest(void)
{
    const rt_plan_retry retry = {
        .delay = 100, .max_delay = 1000, .factor = 3, .jitter = RT_JITTER_NONE};
    const uint64_t wanted[] = {100, 300, 900, 1000, 1000};
    for (uint32_t i = 0; i < 5; i++)
        CU_ASSERT_EQUAL(rt_policy_pause(&retry, i + 1, 12345), wanted[i]);
    CU_ASSERT_EQUAL(rt_policy_pause(&retry, 1000000, 12345), 1000);
}

static void jitter_keeps_pauses_between_its_bounds(void)
{
    rt_plan_retry retry = {.delay = 1000, .max_delay = 8000, .factor = 2};
    uint64_t least[2] = {UINT64_MAX, UINT64_MAX}, most[2] = {0, 0};
    for (uint64_t i = 0; i < 4096; i++) {
        uint64_t random = i * UINT64_C(0x9e3779b97f4a7c15);
        for (int jitter = RT_JITTER_FULL; jitter <= RT_JITTER_EQUAL; jitter++) {
            retry.jitter = (rt_jitter)jitter;
            uint64_t pause = rt_policy_pause(&retry, 3, random);
            least[jitter] = pause < least[jitter] ? pause : least[jitter];
            most[jitter] = pause > most[jitter] ? pause : most[jitter];
        }
    }
    CU_ASSERT_TRUE(least[RT_JITTER_FULL] < 40 && most[RT_JITTER_FULL] > 3960);
    CU_ASSERT_TRUE(most[RT_JITTER_FULL] <= 4000 && most[RT_JITTER_EQUAL] <= 4000);
    CU_ASSERT_TRUE(least[RT_JITTER_EQUAL] >= 2000 && least[RT_JITTER_EQUAL] < 2020);
    retry.jitter = RT_JITTER_FULL;
    CU_ASSERT_EQUAL(rt_policy_pause(&retry, 3, 0), 0);
    CU_ASSERT_EQUAL(rt_policy_pause(&retry, 3, UINT64_MAX), 3999);
}

/* --- attempts -------------------------------------------------------------------------------- */

static void what_may_succeed_later_is_tried_again_up_to_the_limit(void)
{
    CU_ASSERT_EQUAL(run_made(call, &(rt_plan_effect){.retry = three}, "us").result, 0);
    CU_ASSERT_EQUAL(made.calls, 2);
    ending end = run_made(call, &(rt_plan_effect){.retry = three}, "u");
    CU_ASSERT_EQUAL(end.result, -RT_EUNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(end.error, "the server is away");
    CU_ASSERT_EQUAL(made.calls, 3);
}

static int call_unsafe(rt_ctx *ctx, void *argument)
{
    made.method.flags = RT_WAITS;
    return call(ctx, argument);
}

static void what_must_not_be_repeated_is_not(void)
{
    CU_ASSERT_EQUAL(run_made(call_unsafe, &(rt_plan_effect){.retry = three}, "us").result,
                    -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(made.calls, 1);
    CU_ASSERT_EQUAL(run_made(call, &(rt_plan_effect){.retry = three}, "ns").result, -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(made.calls, 1);
    CU_ASSERT_EQUAL(run_made(call, &(rt_plan_effect){.retry = three}, "ps").result,
                    -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(made.calls, 1);
}

static int call_within_half_a_minute(rt_ctx *ctx, void *argument)
{
    rt_set_deadline(ctx, rt_now() + RT_S(30));
    return call(ctx, argument);
}

static void a_pause_beyond_the_deadline_is_not_begun(void)
{
    const rt_plan_effect effect = {.retry = {.max_attempts = 3,
                                             .delay = LONG,
                                             .max_delay = LONG,
                                             .factor = 1,
                                             .jitter = RT_JITTER_NONE}};
    ending end = run_made(call_within_half_a_minute, &effect, "u");
    CU_ASSERT_EQUAL(end.result, -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(made.calls, 1);
}

static int call_hanging_twice(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EDEADLINE);
    CU_ASSERT_STRING_EQUAL(rt_last_error(ctx)->message,
                           "`email.send` of `smtp` did not end within 0.005 s");
    CU_ASSERT_EQUAL(rt_last_error(ctx)->retryable, 1);
    CU_ASSERT_EQUAL(rt_deadline(ctx), 0);
    CU_ASSERT_TRUE(made.deadline != 0);
    CU_ASSERT_EQUAL(rt_sleep(ctx, RT_MS(1)), 0);
    return call(ctx, argument);
}

static void a_limit_ends_the_attempt_and_not_the_unit(void)
{
    ending end = run_made(call_hanging_twice, &(rt_plan_effect){.timeout = (int64_t)RT_MS(5)}, "h");
    CU_ASSERT_EQUAL(end.result, -RT_EDEADLINE);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_FAILURE);
    CU_ASSERT_EQUAL(made.calls, 2);
}

static void each_attempt_has_a_limit_of_its_own(void)
{
    const rt_plan_effect effect = {.timeout = (int64_t)RT_MS(5), .retry = three};
    CU_ASSERT_EQUAL(run_made(call, &effect, "hhs").result, 0);
    CU_ASSERT_EQUAL(made.calls, 3);
    CU_ASSERT_EQUAL(run_made(call, &effect, "hhh").result, -RT_EDEADLINE);
    CU_ASSERT_EQUAL(made.calls, 3);
}

static int call_inside_of_a_limit(rt_ctx *ctx, void *argument)
{
    uint64_t outer = rt_now() + RT_S(20);
    rt_unit_limit(ctx, outer);
    CU_ASSERT_EQUAL(call(ctx, argument), 0);
    CU_ASSERT_TRUE(made.deadline < outer);
    CU_ASSERT_EQUAL(rt_deadline(ctx), outer);
    rt_unit_limit(ctx, outer - RT_S(15)); /* sooner than the call's own would be */
    CU_ASSERT_EQUAL(call(ctx, argument), 0);
    CU_ASSERT_EQUAL(made.deadline, outer - RT_S(15));
    CU_ASSERT_EQUAL(rt_unit_limit(ctx, 0), outer - RT_S(15));
    return 0;
}

static void limits_are_nested(void)
{
    run_made(call_inside_of_a_limit, &(rt_plan_effect){.timeout = (int64_t)RT_S(10)}, "s");
    CU_ASSERT_EQUAL(made.calls, 2);
}

static int spawn_inside_of_a_limit(rt_ctx *ctx, void *argument)
{
    rt_unit_limit(ctx, rt_now() + RT_MS(5));
    rt_task *task = rt_spawn(ctx, hang, argument);
    rt_unit_limit(ctx, 0);
    return rt_join(ctx, task);
}

static void what_starts_inside_of_a_limit_ends_with_it(void)
{
    CU_ASSERT_EQUAL(run(spawn_inside_of_a_limit, NULL).result, -RT_EDEADLINE);
}

/* --- the caller's own affairs ---------------------------------------------------------------- */

static const rt_plan_breaker touchy = {.failures = 1, .open_for = LONG, .probes = 1};

static int call_with_little_time(rt_ctx *ctx, void *argument)
{
    rt_set_deadline(ctx, rt_now() + RT_MS(5));
    return call(ctx, argument);
}

static int run_impatient_and_call(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(rt_run(ctx, call_with_little_time, argument), -RT_EDEADLINE);
    CU_ASSERT_EQUAL(call(ctx, argument), 0);
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EDEADLINE); /* one that the backend took */
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    return 0;
}

static void the_callers_deadline_does_not_trip_the_breaker(void)
{
    const rt_plan_effect effect = {.timeout = (int64_t)RT_S(60), .breaker = touchy};
    run_made(run_impatient_and_call, &effect, "hsd");
    CU_ASSERT_EQUAL(made.calls, 3);
}

static int fail_now(rt_ctx *ctx, void *argument)
{
    (void)argument;
    return rt_fail(ctx, RT_EABORTED, "given up");
}

/* A failing sibling cancels the one that calls. */
static int call_and_give_up(rt_ctx *ctx, void *argument)
{
    rt_spawn(ctx, call, argument);
    CU_ASSERT_EQUAL(made.calls, 1);
    rt_spawn(ctx, fail_now, argument);
    return 0;
}

static int give_up_and_call(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(rt_run(ctx, call_and_give_up, argument), -RT_EABORTED);
    return call(ctx, argument);
}

static void cancellation_does_not_trip_the_breaker_and_frees_the_place(void)
{
    const rt_plan_effect effect = {.concurrency = 1, .breaker = touchy};
    CU_ASSERT_EQUAL(run_made(give_up_and_call, &effect, "hs").result, 0);
    CU_ASSERT_EQUAL(made.calls, 2);
}

static void cancellation_ends_a_pause_and_frees_the_place(void)
{
    rt_plan_effect effect = {.concurrency = 1, .retry = three};
    effect.retry.delay = effect.retry.max_delay = LONG;
    CU_ASSERT_EQUAL(run_made(give_up_and_call, &effect, "us").result, 0);
    CU_ASSERT_EQUAL(made.calls, 2);
}

/* --- the bulkhead ---------------------------------------------------------------------------- */

static const rt_plan_effect narrow = {.concurrency = 1, .queue = 1};

static int crowd(rt_ctx *ctx, void *argument)
{
    made.gate = rt_semaphore_new(0);
    rt_task *first = rt_spawn(ctx, call, argument);
    rt_task *second = rt_spawn(ctx, call, argument);
    CU_ASSERT_EQUAL(made.calls, 1);
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_ERESOURCE_EXHAUSTED);
    CU_ASSERT_STRING_EQUAL(rt_last_error(ctx)->message,
                           "`email.send` of `smtp` has 1 calls under way and 1 that wait: no more "
                           "are taken");
    CU_ASSERT_EQUAL(rt_last_error(ctx)->retryable, 1);
    rt_semaphore_release(made.gate);
    CU_ASSERT_EQUAL(rt_join(ctx, first), 0);
    rt_semaphore_release(made.gate);
    CU_ASSERT_EQUAL(rt_join(ctx, second), 0);
    CU_ASSERT_EQUAL(call(ctx, argument), 0);
    rt_semaphore_free(made.gate);
    return 0;
}

static void a_full_bulkhead_lets_some_wait_and_refuses_the_rest(void)
{
    run_made(crowd, &narrow, "ggs");
    CU_ASSERT_EQUAL(made.calls, 3);
    CU_ASSERT_EQUAL(made.most, 1);
}

/* Waits for its turn, and is cancelled. */
static int wait_and_give_up(rt_ctx *ctx, void *argument)
{
    rt_spawn(ctx, call, argument);
    rt_spawn(ctx, fail_now, argument);
    return 0;
}

static int hold_and_let_wait(rt_ctx *ctx, void *argument)
{
    made.gate = rt_semaphore_new(0);
    rt_task *first = rt_spawn(ctx, call, argument);
    CU_ASSERT_EQUAL(rt_run(ctx, wait_and_give_up, argument), -RT_EABORTED);
    rt_task *second = rt_spawn(ctx, call, argument); /* into the place that is free again */
    rt_semaphore_release(made.gate);
    CU_ASSERT_EQUAL(rt_join(ctx, first), 0);
    CU_ASSERT_EQUAL(rt_join(ctx, second), 0);
    rt_semaphore_free(made.gate);
    return 0;
}

static void who_is_cancelled_while_waiting_gives_the_place_back(void)
{
    CU_ASSERT_EQUAL(run_made(hold_and_let_wait, &narrow, "gs").result, 0);
    CU_ASSERT_EQUAL(made.calls, 2);
}

static int hold_and_run_late(rt_ctx *ctx, void *argument)
{
    made.gate = rt_semaphore_new(0);
    rt_task *first = rt_spawn(ctx, call, argument);
    CU_ASSERT_EQUAL(rt_run(ctx, call_with_little_time, argument), -RT_EDEADLINE);
    rt_semaphore_release(made.gate);
    CU_ASSERT_EQUAL(rt_join(ctx, first), 0);
    CU_ASSERT_EQUAL(call(ctx, argument), 0);
    rt_semaphore_free(made.gate);
    return 0;
}

static void who_waits_does_so_until_the_deadline(void)
{
    CU_ASSERT_EQUAL(run_made(hold_and_run_late, &narrow, "gs").result, 0);
    CU_ASSERT_EQUAL(made.calls, 2);
}

/* --- order ----------------------------------------------------------------------------------- */

static int call_three_times(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(made.calls, 3);
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(made.calls, 6);
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(rt_last_error(ctx)->message, "its breaker is open for another"));
    return 0;
}

static void the_breaker_is_told_of_calls_and_not_of_attempts(void)
{
    rt_plan_effect effect = {.retry = three, .breaker = touchy};
    effect.breaker.failures = 2;
    run_made(call_three_times, &effect, "u");
    CU_ASSERT_EQUAL(made.calls, 6);
}

static int call_and_see_who_waits(rt_ctx *ctx, void *argument)
{
    rt_spawn(ctx, call, argument); /* pauses until it is cancelled */
    CU_ASSERT_EQUAL(made.calls, 1);
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_ERESOURCE_EXHAUSTED);
    return fail_now(ctx, argument);
}

static void a_place_is_kept_during_pauses(void)
{
    rt_plan_effect effect = {.concurrency = 1, .retry = three};
    effect.retry.delay = effect.retry.max_delay = LONG;
    CU_ASSERT_EQUAL(run_made(call_and_see_who_waits, &effect, "u").result, -RT_EABORTED);
    CU_ASSERT_EQUAL(made.calls, 1);
}

static int fail_behind_gate(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    return 0;
}

static int refused_in_turn(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(rt_last_error(ctx)->message, "its breaker is open"));
    return 0;
}

/* The first fails when the gate opens; the second waits in the bulkhead meanwhile. */
static int let_one_break(rt_ctx *ctx, void *argument)
{
    made.gate = rt_semaphore_new(0);
    rt_task *first = rt_spawn(ctx, fail_behind_gate, argument);
    rt_task *second = rt_spawn(ctx, refused_in_turn, argument);
    CU_ASSERT_EQUAL(made.calls, 1);
    rt_semaphore_release(made.gate);
    CU_ASSERT_EQUAL(rt_join(ctx, first), 0);
    CU_ASSERT_EQUAL(rt_join(ctx, second), 0);
    CU_ASSERT_EQUAL(made.calls, 1);
    rt_semaphore_free(made.gate);
    made.script = "s"; /* whose place is free again once the breaker lets it through */
    rt_set_deadline(ctx, rt_now() + RT_S(30));
    while (call(ctx, argument) == -RT_EUNAVAILABLE)
        RT_TRY(rt_sleep(ctx, RT_MS(5)));
    return call(ctx, argument);
}

static int fail_the_waiting(rt_ctx *ctx, void *argument)
{
    made.script = "u";
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(made.calls, 1);
    made.script = "s";
    CU_ASSERT_EQUAL(call(ctx, argument), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(made.calls, 1); /* refused at once, though there was room */
    return 0;
}

static void an_open_breaker_refuses_without_calling(void)
{
    const rt_plan_effect effect = {.concurrency = 1, .queue = 1, .breaker = touchy};
    run_made(fail_the_waiting, &effect, "u");
    CU_ASSERT_EQUAL(made.calls, 1);
}

static void who_waited_passes_the_breaker_when_it_is_its_turn(void)
{
    rt_plan_effect effect = {.concurrency = 1, .queue = 1, .breaker = touchy};
    effect.breaker.open_for = (int64_t)RT_MS(500);
    CU_ASSERT_EQUAL(run_made(let_one_break, &effect, "b").result, 0);
    CU_ASSERT_EQUAL(made.calls, 3);
}

/* --- the end of a unit in the middle --------------------------------------------------------- */

static int die_and_call(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(rt_run(ctx, call, argument), -RT_EINTERNAL);
    return call(ctx, argument);
}

static void who_dies_frees_the_place_and_counts_as_a_failure(void)
{
    const rt_plan_effect effect = {.timeout = LONG, .concurrency = 1};
    CU_ASSERT_EQUAL(run_made(die_and_call, &effect, "xs").result, 0);
    CU_ASSERT_EQUAL(made.calls, 2);
    const rt_plan_effect counting = {.concurrency = 1, .breaker = touchy};
    CU_ASSERT_EQUAL(run_made(die_and_call, &counting, "xs").result, -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(made.calls, 1);
}

static bool finalizer_slept;

static void sleep_in_finalizer(rt_ctx *ctx, void *argument)
{
    (void)argument;
    finalizer_slept = rt_sleep(ctx, RT_MS(5)) == 0;
}

static int defer_and_die(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_defer(ctx, sleep_in_finalizer, NULL));
    return call(ctx, argument);
}

static void the_limit_of_an_attempt_ends_with_the_unit(void)
{
    const rt_plan_effect effect = {.timeout = 1000};
    ending end = run_made(defer_and_die, &effect, "x");
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_DEFECT);
    CU_ASSERT_TRUE(finalizer_slept);
    CU_ASSERT_STRING_EQUAL(end.finalizer_error, "");
}

/* --- what is told ---------------------------------------------------------------------------- */

static int see_retry(rt_ctx *ctx, void *argument)
{
    made.operation.traced = true;
    rt_span *span = rt_span_open(ctx, "outer", RT_SPAN_INTERNAL, rt_now());
    CU_ASSERT_EQUAL(call(ctx, argument), 0);
    rt_span_close(ctx, span, rt_now(), 0);
    return 0;
}

static void each_further_attempt_is_an_event_of_the_span(void)
{
    static char received[8192];
    static _Alignas(16) char room[128 << 10];
    int ends[2];
    CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    rt_outlet_open(&(rt_outlet_options){
        .socket = ends[0], .room = room, .size = sizeof room, .worker = 1, .spans = true});
    rt_spans_configure(&(rt_span_options){.traces = true, .sampling = 1});
    run_made(see_retry, &(rt_plan_effect){.retry = three}, "uus");
    ssize_t length = recv(ends[1], received, sizeof received, MSG_DONTWAIT);
    CU_ASSERT_TRUE(length > 0);
    int events = 0;
    for (char *at = received, *end = received + (length > 0 ? length : 0);
         (at = memmem(at, (size_t)(end - at), "retry", 5)); at++)
        events++;
    CU_ASSERT_EQUAL(events, 2);
    CU_ASSERT_PTR_NOT_NULL(memmem(received, (size_t)length, "delay_ms", 8));
    rt_outlet_open(&(rt_outlet_options){.socket = -1});
    rt_spans_configure(&(rt_span_options){0});
    close(ends[0]);
    close(ends[1]);
}

static void methods_without_settings_have_no_policy(void)
{
    const rt_plan_effect none = {.method = "send", .log = true, .retry = {.max_attempts = 1}};
    rt_arena arena;
    rt_arena_init(&arena);
    CU_ASSERT_PTR_NULL(rt_policies_new(&arena, "email", &smtp, &none, 1, true));
    CU_ASSERT_PTR_NULL(rt_policies_refusing(NULL));
    rt_arena_free(&arena);
}

#define TEST(function, sentence) \
    {                            \
        sentence, function       \
    }

RT_TEST_MAIN(
    "policy",
    TEST(pauses_grow_by_the_factor_up_to_the_longest,
         "pauses grow by the factor up to the longest"),
    TEST(jitter_keeps_pauses_between_its_bounds, "jitter keeps pauses between its bounds"),
    TEST(what_may_succeed_later_is_tried_again_up_to_the_limit,
         "what may succeed later is tried again, up to the limit"),
    TEST(what_must_not_be_repeated_is_not, "what must not be repeated is not"),
    TEST(a_pause_beyond_the_deadline_is_not_begun, "a pause beyond the deadline is not begun"),
    TEST(a_limit_ends_the_attempt_and_not_the_unit, "a limit ends the attempt and not the unit"),
    TEST(each_attempt_has_a_limit_of_its_own, "each attempt has a limit of its own"),
    TEST(limits_are_nested, "limits are nested"),
    TEST(what_starts_inside_of_a_limit_ends_with_it, "what starts inside of a limit ends with it"),
    TEST(the_callers_deadline_does_not_trip_the_breaker,
         "the caller's deadline does not trip the breaker"),
    TEST(cancellation_does_not_trip_the_breaker_and_frees_the_place,
         "cancellation does not trip the breaker, and frees the place"),
    TEST(cancellation_ends_a_pause_and_frees_the_place,
         "cancellation ends a pause, and frees the place"),
    TEST(a_full_bulkhead_lets_some_wait_and_refuses_the_rest,
         "a full bulkhead lets some wait and refuses the rest"),
    TEST(who_is_cancelled_while_waiting_gives_the_place_back,
         "who is cancelled while waiting gives the place back"),
    TEST(who_waits_does_so_until_the_deadline, "who waits does so until the deadline"),
    TEST(the_breaker_is_told_of_calls_and_not_of_attempts,
         "the breaker is told of calls, and not of attempts"),
    TEST(a_place_is_kept_during_pauses, "a place is kept during pauses"),
    TEST(an_open_breaker_refuses_without_calling, "an open breaker refuses without calling"),
    TEST(who_waited_passes_the_breaker_when_it_is_its_turn,
         "who waited passes the breaker when it is its turn"),
    TEST(who_dies_frees_the_place_and_counts_as_a_failure,
         "who dies frees the place, and counts as a failure"),
    TEST(the_limit_of_an_attempt_ends_with_the_unit, "the limit of an attempt ends with the unit"),
    TEST(each_further_attempt_is_an_event_of_the_span,
         "each further attempt is an event of the span"),
    TEST(methods_without_settings_have_no_policy, "methods without settings have no policy"))
