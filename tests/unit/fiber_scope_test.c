/* Children, finalizers, defects, nested work, services */
#include "fiber_kit.h"

#include "fiber/internal.h"

#include <errno.h>

/* A text that grows, to see what happened in which order. */
static char story[256];

static void tell(const char *what)
{
    if (strlen(story) + strlen(what) + 2 < sizeof story) {
        strcat(story, story[0] ? " " : "");
        strcat(story, what);
    }
}

static ending run_story(rt_work work, void *argument)
{
    story[0] = '\0';
    return run(work, argument);
}

static void tell_as_finalizer(rt_ctx *ctx, void *argument)
{
    (void)ctx;
    tell(argument);
}

static int succeed(rt_ctx *ctx, void *argument)
{
    (void)ctx, (void)argument;
    return 0;
}

static int fail_not_found(rt_ctx *ctx, void *argument)
{
    (void)argument;
    tell("fails");
    return rt_fail(ctx, RT_ENOT_FOUND, "nothing there");
}

static int sleep_long(rt_ctx *ctx, void *argument)
{
    (void)argument;
    int result = rt_sleep(ctx, RT_S(100));
    if (result == -RT_ECANCELED)
        tell("cancelled");
    return result;
}

static int sleep_then_succeed(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_sleep(ctx, RT_MS(3)));
    tell(argument);
    return 0;
}

static int die_now(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_die(ctx, "broken invariant %d", 3);
}

/* --- children -------------------------------------------------------------------------------- */

static int leave_children_behind(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_defer(ctx, tell_as_finalizer, "finalizer");
    rt_spawn(ctx, sleep_then_succeed, "one");
    rt_spawn(ctx, sleep_then_succeed, "two");
    tell("body");
    return 0;
}

static void a_unit_ends_after_its_children_and_then_runs_finalizers(void)
{
    ending end = run_story(leave_children_behind, NULL);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_SUCCESS);
    CU_ASSERT_STRING_EQUAL(story, "body one two finalizer");
}

static int sleep_then_fail(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_sleep(ctx, RT_MS(2)));
    return fail_not_found(ctx, argument);
}

static int one_of_three_fails(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_spawn(ctx, sleep_long, NULL);
    rt_spawn(ctx, sleep_then_fail, NULL);
    rt_spawn(ctx, sleep_long, NULL);
    return 0;
}

static void the_first_failing_child_cancels_its_siblings_and_fails_the_unit(void)
{
    ending end = run_story(one_of_three_fails, NULL);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_FAILURE);
    CU_ASSERT_EQUAL(end.result, -RT_ENOT_FOUND);
    CU_ASSERT_STRING_EQUAL(end.error, "nothing there");
    CU_ASSERT_STRING_EQUAL(story, "fails cancelled cancelled");
}

static int join_the_innocent(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_task *left = rt_spawn(ctx, sleep_long, NULL);
    rt_task *right = rt_spawn(ctx, sleep_then_fail, NULL);
    RT_TRY(rt_join(ctx, left));
    return rt_join(ctx, right);
}

static void the_failure_that_cancelled_the_siblings_is_the_one_reported(void)
{
    ending end = run_story(join_the_innocent, NULL);
    CU_ASSERT_EQUAL(end.result, -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_FAILURE);
}

static int spawn_after_failure(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_EQUAL(rt_join(ctx, rt_spawn(ctx, fail_not_found, NULL)), -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(rt_join(ctx, rt_spawn(ctx, sleep_long, NULL)), -RT_ECANCELED);
    CU_ASSERT_EQUAL(rt_run(ctx, sleep_then_succeed, "nested"), 0);
    CU_ASSERT_EQUAL(rt_sleep(ctx, RT_MS(1)), 0);
    return 0;
}

static void children_spawned_after_a_failure_start_cancelled_and_the_body_goes_on(void)
{
    ending end = run_story(spawn_after_failure, NULL);
    CU_ASSERT_EQUAL(end.result, -RT_ENOT_FOUND);
    CU_ASSERT_STRING_EQUAL(story, "fails cancelled nested");
}

static int fail_with_children(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_spawn(ctx, sleep_long, NULL);
    return rt_fail(ctx, RT_EABORTED, "body failed");
}

static void a_failing_body_cancels_its_children(void)
{
    ending end = run_story(fail_with_children, NULL);
    CU_ASSERT_STRING_EQUAL(end.error, "body failed");
    CU_ASSERT_STRING_EQUAL(story, "cancelled");
}

static int join_twice(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_task *task = rt_spawn(ctx, succeed, NULL);
    CU_ASSERT_EQUAL(rt_join(ctx, task), 0);
    CU_ASSERT_EQUAL(rt_join(ctx, task), -RT_EFAILED_PRECONDITION);
    return 0;
}

static void a_task_is_joined_once(void)
{
    CU_ASSERT_EQUAL(run(join_twice, NULL).result, 0);
}

static int see_error_of_child(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_EQUAL(rt_join(ctx, rt_spawn(ctx, die_now, NULL)), -RT_EINTERNAL);
    CU_ASSERT_STRING_EQUAL(rt_last_error(ctx)->message, "broken invariant 3");
    return 0;
}

static void the_death_of_a_child_is_an_error_of_its_parent(void)
{
    ending end = run(see_error_of_child, NULL);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_FAILURE);
    CU_ASSERT_EQUAL(end.result, -RT_EINTERNAL);
}

static int see_deadline(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(rt_deadline(ctx), *(uint64_t *)argument);
    return 0;
}

static int lend_deadline(rt_ctx *ctx, void *argument)
{
    (void)argument;
    uint64_t deadline = rt_now() + RT_S(10), sooner = deadline - RT_S(1);
    rt_set_deadline(ctx, deadline);
    CU_ASSERT_EQUAL(rt_join(ctx, rt_spawn(ctx, see_deadline, &deadline)), 0);
    CU_ASSERT_EQUAL(rt_run(ctx, see_deadline, &deadline), 0);
    CU_ASSERT_EQUAL(rt_run(ctx, see_deadline, &sooner, .deadline = sooner), 0);
    CU_ASSERT_EQUAL(rt_run(ctx, see_deadline, &deadline, .deadline = deadline + RT_S(5)), 0);
    CU_ASSERT_EQUAL(rt_deadline(ctx), deadline);
    return 0;
}

static void children_and_nested_work_inherit_the_deadline(void)
{
    CU_ASSERT_EQUAL(run(lend_deadline, NULL).result, 0);
}

static int join_with_little_time(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_task *task = rt_spawn(ctx, sleep_long, NULL);
    rt_set_deadline(ctx, rt_now() + RT_MS(3));
    return rt_join(ctx, task);
}

static void a_deadline_ends_a_join_and_the_child(void)
{
    ending end = run(join_with_little_time, NULL);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_INTERRUPTION);
    CU_ASSERT_EQUAL(end.result, -RT_EDEADLINE);
}

static int fill_stack(rt_ctx *ctx, void *argument)
{
    int *left = argument;
    if ((*left)-- > 0)
        return rt_join(ctx, rt_spawn(ctx, fill_stack, left));
    return rt_sleep(ctx, RT_MS(1));
}

static void children_may_have_children_to_any_depth(void)
{
    int left = 500;
    CU_ASSERT_EQUAL(run(fill_stack, &left).result, 0);
}

/* --- finalizers ------------------------------------------------------------------------------ */

enum way { SUCCEEDS, FAILS, DIES, IS_CANCELLED };

static int end_in_some_way(rt_ctx *ctx, void *argument)
{
    rt_defer(ctx, tell_as_finalizer, "first");
    rt_defer(ctx, tell_as_finalizer, "second");
    switch (*(enum way *)argument) {
    case FAILS:
        return rt_fail(ctx, RT_EABORTED, "lost");
    case DIES:
        rt_die(ctx, "dead");
    case IS_CANCELLED:
        rt_unit_cancel(ctx);
        return rt_sleep(ctx, RT_S(1));
    default:
        return 0;
    }
}

static void finalizers_run_in_reverse_on_every_kind_of_exit(void)
{
    const uint32_t kinds[] = {[SUCCEEDS] = RT_EXIT_SUCCESS,
                              [FAILS] = RT_EXIT_FAILURE,
                              [DIES] = RT_EXIT_DEFECT,
                              [IS_CANCELLED] = RT_EXIT_INTERRUPTION};
    for (enum way way = SUCCEEDS; way <= IS_CANCELLED; way++) {
        ending end = run_story(end_in_some_way, &way);
        CU_ASSERT_EQUAL(end.kind, kinds[way]);
        CU_ASSERT_STRING_EQUAL(story, "second first");
        CU_ASSERT_STRING_EQUAL(end.finalizer_error, "");
    }
}

static void wait_in_finalizer(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_FALSE(rt_cancelled(ctx));
    CU_ASSERT_TRUE(rt_deadline(ctx) > rt_now() + RT_S(3));
    CU_ASSERT_EQUAL(rt_sleep(ctx, RT_MS(2)), 0);
    rt_unit_cancel(ctx);
    CU_ASSERT_EQUAL(rt_run(ctx, sleep_then_succeed, "nested"), 0);
    CU_ASSERT_EQUAL(rt_join(ctx, rt_spawn(ctx, sleep_then_succeed, "child")), 0);
    tell(argument);
}

static int be_cancelled_and_late(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_set_deadline(ctx, rt_now() + RT_MS(1));
    rt_defer(ctx, wait_in_finalizer, "released");
    int result = rt_sleep(ctx, RT_S(1));
    rt_unit_cancel(ctx);
    return result;
}

static void finalizers_are_shielded_and_may_wait(void)
{
    ending end = run_story(be_cancelled_and_late, NULL);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_INTERRUPTION);
    CU_ASSERT_STRING_EQUAL(story, "nested child released");
    CU_ASSERT_STRING_EQUAL(end.finalizer_error, "");
}

static void sleep_too_long(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(rt_sleep(ctx, RT_S(100)), -RT_EDEADLINE);
    tell(argument);
}

static void sleep_shortly(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(rt_sleep(ctx, RT_MS(1)), 0);
    tell(argument);
}

static int defer_late_and_short(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_defer(ctx, sleep_shortly, "in time");
    rt_defer(ctx, sleep_too_long, "late");
    return rt_fail(ctx, RT_EABORTED, "body");
}

static void each_finalizer_has_a_deadline_of_its_own(void)
{
    rt_loop_options loop = {.finalizer_timeout = RT_MS(40)};
    story[0] = '\0';
    ending end = run_with(&loop, (rt_unit_options){0}, defer_late_and_short, NULL);
    CU_ASSERT_STRING_EQUAL(story, "late in time");
    CU_ASSERT_STRING_EQUAL(end.error, "body");
    CU_ASSERT_STRING_EQUAL(end.finalizer_error, "a finalizer ran out of time");
}

static void die_in_finalizer(rt_ctx *ctx, void *argument)
{
    rt_spawn(ctx, sleep_long, NULL);
    rt_die(ctx, "died in %s", (char *)argument);
}

static int defer_deaths(rt_ctx *ctx, void *argument)
{
    rt_defer(ctx, tell_as_finalizer, "last");
    rt_defer(ctx, die_in_finalizer, "one");
    rt_defer(ctx, tell_as_finalizer, "middle");
    rt_defer(ctx, die_in_finalizer, "two");
    return end_in_some_way(ctx, argument);
}

static void a_finalizer_that_dies_stops_no_other_and_is_kept(void)
{
    const enum way ways[] = {SUCCEEDS, DIES};
    for (int i = 0; i < 2; i++) {
        ending end = run_story(defer_deaths, (void *)&ways[i]);
        CU_ASSERT_EQUAL(end.kind, i ? RT_EXIT_DEFECT : RT_EXIT_SUCCESS);
        CU_ASSERT_STRING_EQUAL(story, "second first cancelled middle cancelled last");
        CU_ASSERT_STRING_EQUAL(end.finalizer_error, "died in one");
        CU_ASSERT_STRING_EQUAL(end.finalizer_cause, "died in two");
        CU_ASSERT_STRING_EQUAL(end.defect, i ? "dead" : "");
    }
}

static rt_instance provider = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .name = "provider"};

static void see_instance(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_PTR_EQUAL(ctx->instance, argument);
    tell("seen");
}

static int defer_as_provider(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_defer(ctx, see_instance, &shop);
    ctx->instance = &provider; /* as a wrapper does */
    rt_defer(ctx, see_instance, &provider);
    rt_die(ctx, "in the provider");
}

static void a_finalizer_runs_as_the_instance_that_registered_it(void)
{
    run_story(defer_as_provider, NULL);
    CU_ASSERT_STRING_EQUAL(story, "seen seen");
}

static void defer_again(rt_ctx *ctx, void *argument)
{
    tell("outer");
    rt_defer(ctx, tell_as_finalizer, argument);
}

static int defer_nested(rt_ctx *ctx, void *argument)
{
    rt_defer(ctx, tell_as_finalizer, "last");
    rt_defer(ctx, defer_again, argument);
    return 0;
}

static void a_finalizer_may_register_another(void)
{
    run_story(defer_nested, "inner");
    CU_ASSERT_STRING_EQUAL(story, "outer inner last");
}

/* --- defects --------------------------------------------------------------------------------- */

static __attribute__((noinline)) int die_deep(rt_ctx *ctx, volatile char *above, int depth)
{
    volatile char frame[1000];
    frame[0] = above ? above[0] : 0;
    if (depth > 0)
        return die_deep(ctx, frame, depth - 1) + frame[0];
    if (frame[0] == 0)
        rt_die(ctx, "deep");
    return 0;
}

static int see_parents_stack(rt_ctx *ctx, void *argument)
{
    volatile int *number = argument;
    rt_sleep(ctx, RT_S(100));
    CU_ASSERT_EQUAL(*number, 42);
    *number = 43;
    return 0;
}

static void use_much_stack(rt_ctx *ctx, void *argument)
{
    volatile char frame[7000];
    memset((char *)frame, 1, sizeof frame);
    CU_ASSERT_EQUAL(rt_sleep(ctx, RT_MS(1)), 0);
    CU_ASSERT_EQUAL(frame[6999], 1);
    tell(argument);
}

static int die_at_the_brink(rt_ctx *ctx, void *argument)
{
    int number = 42;
    (void)argument;
    rt_spawn(ctx, see_parents_stack, &number);
    rt_defer(ctx, use_much_stack, "done");
    return die_deep(ctx, NULL, 90); /* some 100 of 128 KiB */
}

static void rt_die_deep_in_the_stack_leaves_room_for_finalizers(void)
{
    for (int i = 0; i < 5; i++) {
        ending end = run_story(die_at_the_brink, NULL);
        CU_ASSERT_EQUAL(end.kind, RT_EXIT_DEFECT);
        CU_ASSERT_STRING_EQUAL(end.defect, "deep");
        CU_ASSERT_STRING_EQUAL(end.error, "deep");
        CU_ASSERT_EQUAL(end.result, -RT_EINTERNAL);
        CU_ASSERT_STRING_EQUAL(story, "done");
    }
}

static int die_a_hundred_times(rt_ctx *ctx, void *argument)
{
    (void)argument;
    for (int i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(rt_run(ctx, die_at_the_brink, NULL), -RT_EINTERNAL);
        CU_ASSERT_EQUAL(rt_run(ctx, sleep_then_succeed, ""), 0);
    }
    CU_ASSERT_TRUE(rt_stack_idle_count() < 8);
    return 0;
}

static void the_stacks_of_the_dead_are_used_again(void)
{
    CU_ASSERT_EQUAL(run_story(die_a_hundred_times, NULL).result, 0);
}

/* --- nested work ----------------------------------------------------------------------------- */

static int contain_death(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_exit exit;
    rt_run_exit(ctx, &exit, die_now, NULL);
    CU_ASSERT_EQUAL(exit.size, sizeof exit);
    CU_ASSERT_EQUAL(exit.kind, RT_EXIT_DEFECT);
    CU_ASSERT_STRING_EQUAL(exit.defect, "broken invariant 3");
    CU_ASSERT_EQUAL(rt_run(ctx, die_now, NULL), -RT_EINTERNAL);
    CU_ASSERT_STRING_EQUAL(rt_last_error(ctx)->message, "broken invariant 3");
    return rt_sleep(ctx, RT_MS(1));
}

static void a_death_in_nested_work_ends_that_alone(void)
{
    CU_ASSERT_EQUAL(run(contain_death, NULL).kind, RT_EXIT_SUCCESS);
}

static int scoped_failure(rt_ctx *ctx, void *argument)
{
    rt_defer(ctx, tell_as_finalizer, "inner finalizer");
    rt_defer(ctx, die_in_finalizer, "here");
    RT_TRY(rt_sleep(ctx, RT_MS(1)));
    return fail_not_found(ctx, argument);
}

static int run_scoped(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_exit exit;
    rt_defer(ctx, tell_as_finalizer, "outer finalizer");
    rt_run_exit(ctx, &exit, scoped_failure, NULL);
    tell("after");
    CU_ASSERT_EQUAL(exit.kind, RT_EXIT_FAILURE);
    CU_ASSERT_STRING_EQUAL(exit.error->message, "nothing there");
    CU_ASSERT_STRING_EQUAL(exit.finalizer_error->message, "died in here");
    return 0;
}

static void nested_work_has_its_own_finalizers_and_its_exit_keeps_all_causes(void)
{
    CU_ASSERT_EQUAL(run_story(run_scoped, NULL).result, 0);
    CU_ASSERT_STRING_EQUAL(story, "fails cancelled inner finalizer after outer finalizer");
}

static int run_with_time_and_handle(rt_ctx *ctx, void *argument)
{
    ending *end = argument;
    rt_exit exit;
    rt_cancel *cancel = rt_cancel_new();
    rt_run_exit(ctx, &exit, sleep_long, NULL, .deadline = rt_now() + RT_MS(2));
    CU_ASSERT_EQUAL(exit.kind, RT_EXIT_INTERRUPTION);
    CU_ASSERT_EQUAL(exit.result, -RT_EDEADLINE);
    rt_cancel_fire(cancel);
    rt_cancel_fire(cancel);
    rt_run_exit(ctx, &exit, sleep_long, NULL, .cancel = cancel);
    CU_ASSERT_EQUAL(exit.kind, RT_EXIT_INTERRUPTION);
    CU_ASSERT_EQUAL(exit.result, -RT_ECANCELED);
    CU_ASSERT_FALSE(rt_cancelled(ctx));
    rt_cancel_free(cancel);
    note_exit(end, &exit);
    return rt_sleep(ctx, RT_MS(1));
}

static void nested_work_has_its_own_deadline_and_cancellation(void)
{
    ending end = {0};
    CU_ASSERT_EQUAL(run(run_with_time_and_handle, &end).kind, RT_EXIT_SUCCESS);
    CU_ASSERT_TRUE(end.seen);
}

static void note_exit_only(const rt_exit *exit, void *argument)
{
    note_exit(argument, exit);
}

static int run_as_provider(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(rt_run(ctx, defer_as_provider, NULL, .instance = &shop,
                           .on_exit = note_exit_only, .on_exit_argument = argument),
                    -RT_EINTERNAL);
    CU_ASSERT_PTR_EQUAL(ctx->instance, &shop);
    CU_ASSERT_EQUAL(rt_run(NULL, succeed, NULL, .instance = &shop), 0);
    return 0;
}

static void nested_work_tells_its_on_exit(void)
{
    ending end = {0};
    CU_ASSERT_EQUAL(run(run_as_provider, &end).result, 0);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_DEFECT);
}

static int cancel_later(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_sleep(ctx, RT_MS(2)));
    rt_unit_cancel(argument);
    return 0;
}

static int be_cancelled_while_nested(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_EQUAL(rt_host_post(&shop, cancel_later, ctx), 0);
    CU_ASSERT_EQUAL(rt_run(ctx, sleep_long, NULL), -RT_ECANCELED);
    CU_ASSERT_TRUE(rt_cancelled(ctx));
    return -RT_ECANCELED;
}

static const char first_key, second_key;

static int look_at_values(rt_ctx *ctx, void *argument)
{
    const char *expected = argument;
    CU_ASSERT_PTR_EQUAL(rt_context_value(ctx, &first_key), expected);
    rt_set_context_value(ctx, &first_key, "mine");
    rt_set_context_value(ctx, &second_key, "my second");
    CU_ASSERT_STRING_EQUAL(rt_context_value(ctx, &first_key), "mine");
    return 0;
}

static int look_later(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_sleep(ctx, RT_MS(1)));
    CU_ASSERT_PTR_EQUAL(rt_context_value(ctx, &first_key), *(void **)argument);
    return 0;
}

static int pass_values_on(rt_ctx *ctx, void *argument)
{
    (void)argument;
    char outer[] = "outer", changed[] = "changed";
    void *nothing = NULL, *seen = changed;
    CU_ASSERT_PTR_NULL(rt_context_value(ctx, &first_key));
    rt_task *before = rt_spawn(ctx, look_later, &nothing);
    RT_TRY(rt_set_context_value(ctx, &first_key, outer));
    rt_task *after = rt_spawn(ctx, look_later, &seen);
    RT_TRY(rt_run(ctx, look_at_values, outer));
    CU_ASSERT_PTR_EQUAL(rt_context_value(ctx, &first_key), outer);
    CU_ASSERT_PTR_NULL(rt_context_value(ctx, &second_key));
    RT_TRY(rt_set_context_value(ctx, &first_key, changed));
    RT_TRY(rt_join(ctx, before));
    RT_TRY(rt_join(ctx, after));
    RT_TRY(rt_set_context_value(ctx, &first_key, NULL));
    CU_ASSERT_PTR_NULL(rt_context_value(ctx, &first_key));
    return 0;
}

static void values_go_along_to_what_is_started_later(void)
{
    CU_ASSERT_EQUAL(run(pass_values_on, NULL).result, 0);
    CU_ASSERT_EQUAL(run(pass_values_on, NULL).result, 0); /* a unit used again has none */
}

static void cancelling_the_outer_reaches_nested_work(void)
{
    CU_ASSERT_EQUAL(run_story(be_cancelled_while_nested, NULL).kind, RT_EXIT_INTERRUPTION);
    CU_ASSERT_STRING_EQUAL(story, "cancelled");
}

/* --- services -------------------------------------------------------------------------------- */

static char reported[128];

static void report(rt_ctx *ctx, const char *name, const rt_exit *exit)
{
    CU_ASSERT_STRING_EQUAL(rt_unit_of(ctx)->name, name);
    snprintf(reported, sizeof reported, "%s: %s", name, exit->error->message);
}

static int serve(rt_ctx *ctx, void *argument)
{
    int result = rt_sleep(ctx, RT_S(1000));
    CU_ASSERT_PTR_NULL(strstr(rt_unit_of(ctx)->name, "#"));
    tell(argument);
    return result;
}

static int start_services(rt_ctx *ctx, void *argument)
{
    (void)argument;
    char name[] = "poller";
    rt_set_deadline(ctx, rt_now() + RT_S(5));
    rt_service(ctx, name, serve, "stopped");
    rt_service(ctx, "second", serve, "stopped");
    memset(name, '#', sizeof name - 1);
    ctx->instance = &provider;
    rt_service(ctx, "third", serve, "provider");
    ctx->instance = &shop;
    rt_service(ctx, "broken", fail_not_found, NULL);
    return 0;
}

static int start_and_stop_services(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_run(ctx, start_services, argument));
    CU_ASSERT_EQUAL(rt_unit_count(), 4);
    CU_ASSERT_EQUAL(rt_units_stop(ctx, &shop), 0);
    CU_ASSERT_EQUAL(rt_unit_count(), 2);
    CU_ASSERT_STRING_EQUAL(story, "fails stopped stopped");
    CU_ASSERT_EQUAL(rt_units_stop(ctx, &provider), 0);
    CU_ASSERT_EQUAL(rt_units_stop(ctx, &provider), 0);
    return 0;
}

static void services_outlive_their_start_and_stop_by_instance(void)
{
    story[0] = reported[0] = '\0';
    rt_loop_options loop = {.report = report};
    CU_ASSERT_EQUAL(run_with(&loop, (rt_unit_options){0}, start_and_stop_services, NULL).result, 0);
    CU_ASSERT_STRING_EQUAL(story, "fails stopped stopped provider");
    CU_ASSERT_STRING_EQUAL(reported, "broken: nothing there");
}

static void ignore_cancellation(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_sleep(ctx, RT_MS(30));
}

static int serve_stubbornly(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_defer(ctx, ignore_cancellation, NULL);
    return rt_sleep(ctx, RT_S(1000));
}

static int stop_stubborn_service(rt_ctx *ctx, void *argument)
{
    rt_service(ctx, "stubborn", serve_stubbornly, argument);
    rt_set_deadline(ctx, rt_now() + RT_MS(3));
    return rt_units_stop(ctx, &shop);
}

static int stop_in_vain(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(rt_run(ctx, stop_stubborn_service, argument), -RT_EDEADLINE);
    CU_ASSERT_EQUAL(rt_unit_count(), 2);
    while (rt_unit_count() > 1)
        RT_TRY(rt_sleep(ctx, RT_MS(1)));
    return 0;
}

static void stopping_services_ends_at_the_deadline(void)
{
    CU_ASSERT_EQUAL(run(stop_in_vain, NULL).result, 0);
}

static int stop_posted_work(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(rt_post(&shop, serve, "posted"), 0);
    CU_ASSERT_EQUAL(rt_post(&provider, serve, "elsewhere"), 0);
    CU_ASSERT_EQUAL(rt_unit_count(), 1);
    rt_loop_refuse();
    CU_ASSERT_EQUAL(rt_unit_count(), 3);
    CU_ASSERT_EQUAL(rt_post(&shop, serve, "late"), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(rt_units_stop(ctx, &shop), 0);
    CU_ASSERT_STRING_EQUAL(story, "posted");
    tell(argument);
    return rt_units_stop(ctx, &provider);
}

static void posted_work_starts_and_ends_before_its_instance_stops(void)
{
    story[0] = '\0';
    CU_ASSERT_EQUAL(run(stop_posted_work, "then").result, 0);
    CU_ASSERT_STRING_EQUAL(story, "posted then elsewhere");
}

RT_TEST_MAIN("fiber scope",
             {"a unit ends after its children and then runs finalizers",
              a_unit_ends_after_its_children_and_then_runs_finalizers},
             {"the first failing child cancels its siblings and fails the unit",
              the_first_failing_child_cancels_its_siblings_and_fails_the_unit},
             {"the failure that cancelled the siblings is the one reported",
              the_failure_that_cancelled_the_siblings_is_the_one_reported},
             {"children spawned after a failure start cancelled and the body goes on",
              children_spawned_after_a_failure_start_cancelled_and_the_body_goes_on},
             {"a failing body cancels its children", a_failing_body_cancels_its_children},
             {"a task is joined once", a_task_is_joined_once},
             {"the death of a child is an error of its parent",
              the_death_of_a_child_is_an_error_of_its_parent},
             {"children and nested work inherit the deadline",
              children_and_nested_work_inherit_the_deadline},
             {"a deadline ends a join and the child", a_deadline_ends_a_join_and_the_child},
             {"children may have children to any depth", children_may_have_children_to_any_depth},
             {"finalizers run in reverse on every kind of exit",
              finalizers_run_in_reverse_on_every_kind_of_exit},
             {"finalizers are shielded and may wait", finalizers_are_shielded_and_may_wait},
             {"each finalizer has a deadline of its own", each_finalizer_has_a_deadline_of_its_own},
             {"a finalizer that dies stops no other and is kept",
              a_finalizer_that_dies_stops_no_other_and_is_kept},
             {"a finalizer runs as the instance that registered it",
              a_finalizer_runs_as_the_instance_that_registered_it},
             {"a finalizer may register another", a_finalizer_may_register_another},
             {"rt_die deep in the stack leaves room for finalizers",
              rt_die_deep_in_the_stack_leaves_room_for_finalizers},
             {"the stacks of the dead are used again", the_stacks_of_the_dead_are_used_again},
             {"a death in nested work ends that alone", a_death_in_nested_work_ends_that_alone},
             {"nested work has its own finalizers and its exit keeps all causes",
              nested_work_has_its_own_finalizers_and_its_exit_keeps_all_causes},
             {"nested work has its own deadline and cancellation",
              nested_work_has_its_own_deadline_and_cancellation},
             {"nested work tells its on_exit", nested_work_tells_its_on_exit},
             {"values go along to what is started later", values_go_along_to_what_is_started_later},
             {"cancelling the outer reaches nested work", cancelling_the_outer_reaches_nested_work},
             {"services outlive their start and stop by instance",
              services_outlive_their_start_and_stop_by_instance},
             {"stopping services ends at the deadline", stopping_services_ends_at_the_deadline},
             {"posted work starts and ends before its instance stops",
              posted_work_starts_and_ends_before_its_instance_stops})
