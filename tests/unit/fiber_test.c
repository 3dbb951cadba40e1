/* Units of work, waits, deadlines, cancellation, stacks */
#include "fiber_kit.h"

#include <rt/log.h>

#include "base/buffer.h"
#include "fiber/internal.h"
#include "fiber/view.h"

#include <errno.h>
#include <fenv.h>
#include <openssl/err.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- start and end --------------------------------------------------------------------------- */

static int add_one(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_PTR_EQUAL(rt_current(), ctx);
    CU_ASSERT_PTR_EQUAL(ctx->instance, &shop);
    ++*(int *)argument;
    return 0;
}

static void a_unit_that_never_waits_ends_before_start_returns(void)
{
    int count = 0;
    ending end = {0};
    CU_ASSERT_EQUAL(rt_loop_open(&(rt_loop_options){0}), 0);
    rt_unit_options options = {
        .instance = &shop, .name = "quick", .done = note_end, .done_argument = &end};
    CU_ASSERT_PTR_NULL(rt_unit_start(&options, add_one, &count));
    CU_ASSERT_EQUAL(count, 1);
    CU_ASSERT_TRUE(end.seen);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_SUCCESS);
    CU_ASSERT_PTR_NULL(rt_current());
    CU_ASSERT_EQUAL(rt_unit_count(), 0);
    rt_loop_close();
}

static int start_inner(rt_ctx *ctx, void *argument)
{
    rt_unit_options options = {.instance = &shop, .name = "inner"};
    CU_ASSERT_PTR_NULL(rt_unit_start(&options, add_one, argument));
    CU_ASSERT_PTR_EQUAL(rt_current(), ctx);
    CU_ASSERT_EQUAL(*(int *)argument, 1);
    return rt_sleep(ctx, RT_MS(1));
}

static void a_fiber_starts_another_and_goes_on(void)
{
    int count = 0;
    CU_ASSERT_EQUAL(run(start_inner, &count).result, 0);
}

static int fail_plainly(rt_ctx *ctx, void *argument)
{
    (void)argument;
    return rt_fail(ctx, RT_ENOT_FOUND, "no order `%d`", 7);
}

static int fail_without_text(rt_ctx *ctx, void *argument)
{
    fail_plainly(ctx, argument);
    return -RT_EABORTED;
}

static void a_failure_keeps_its_error(void)
{
    ending end = run(fail_plainly, NULL);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_FAILURE);
    CU_ASSERT_EQUAL(end.result, -RT_ENOT_FOUND);
    CU_ASSERT_STRING_EQUAL(end.error, "no order `7`");
}

static void a_result_without_error_is_explained_by_its_code(void)
{
    ending end = run(fail_without_text, NULL);
    CU_ASSERT_EQUAL(end.result, -RT_EABORTED);
    CU_ASSERT_STRING_EQUAL(end.error, "lost a race with another operation");
}

static int fill_errors(rt_ctx *ctx, void *argument)
{
    (void)argument;
    char text[] = "first";
    rt_error cause = {.size = sizeof cause, .code = RT_EUNAVAILABLE, .message = text};
    rt_error error = {.size = sizeof error,
                      .code = RT_EUNAVAILABLE,
                      .message = "second",
                      .domain = "CONNECTION",
                      .cause = &cause};
    CU_ASSERT_EQUAL(rt_fail_with(ctx, &error), -RT_EUNAVAILABLE);
    text[0] = 'x';
    const rt_error *last = rt_last_error(ctx);
    CU_ASSERT_STRING_EQUAL(last->domain, "CONNECTION");
    CU_ASSERT_STRING_EQUAL(last->cause->message, "first");
    CU_ASSERT_PTR_NULL(last->cause->cause);
    error.cause = NULL;
    rt_fail_with(ctx, &error);
    CU_ASSERT_PTR_EQUAL(rt_last_error(ctx)->cause, last);
    error.code = RT_EINTERNAL;
    rt_fail_with(ctx, &error);
    CU_ASSERT_PTR_NULL(rt_last_error(ctx)->cause);
    error.size = offsetof(rt_error, cause); /* of an older module */
    error.cause = (const rt_error *)16;
    CU_ASSERT_EQUAL(rt_fail_with(ctx, &error), -RT_EINTERNAL);
    CU_ASSERT_EQUAL(rt_last_error(ctx)->size, sizeof(rt_error));
    CU_ASSERT_NOT_EQUAL(rt_fail(ctx, 0, "no code"), 0);
    return 0;
}

static void errors_are_copied_with_their_causes(void)
{
    CU_ASSERT_EQUAL(run(fill_errors, NULL).result, 0);
}

static int fail_with_fields(rt_ctx *ctx, void *argument)
{
    (void)argument;
    char name[] = "constraint", text[] = "orders_sku_key";
    rt_field fields[] = {{name, text, 0}, {NULL, "nameless", 0}, {"line", NULL, 7}};
    rt_error error = {.size = sizeof error,
                      .code = RT_EALREADY_EXISTS,
                      .message = "taken",
                      .fields = fields,
                      .field_count = 3};
    rt_fail_with(ctx, &error);
    name[0] = text[0] = 'x';
    const rt_error *last = rt_last_error(ctx);
    CU_ASSERT_STRING_EQUAL(rt_error_text(last, "constraint"), "orders_sku_key");
    CU_ASSERT_PTR_NULL(rt_error_text(last, "table"));
    CU_ASSERT_EQUAL_FATAL(last->field_count, 2);
    CU_ASSERT_EQUAL(last->fields[1].integer, 7);
    error.size = offsetof(rt_error, fields); /* of an older module */
    rt_fail_with(ctx, &error);
    CU_ASSERT_PTR_NULL(rt_error_text(rt_last_error(ctx), "constraint"));
    rt_error older = {.size = offsetof(rt_error, fields), .fields = fields, .field_count = 3};
    CU_ASSERT_PTR_NULL(rt_error_text(&older, "constraint"));
    return 0;
}

static void an_error_keeps_its_fields(void)
{
    CU_ASSERT_EQUAL(run(fail_with_fields, NULL).result, 0);
}

static int allocate_everything(rt_ctx *ctx, void *argument)
{
    (void)argument;
    char *small = rt_alloc(ctx, 100);
    CU_ASSERT_EQUAL((uintptr_t)small % 16, 0);
    CU_ASSERT_EQUAL(small[0] | small[99], 0);
    rt_alloc(ctx, UINT64_MAX / 2 - 64);
    return 0;
}

static void memory_that_is_not_there_is_a_defect(void)
{
    ending end = run(allocate_everything, NULL);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_DEFECT);
    CU_ASSERT_PTR_NOT_NULL(strstr(end.defect, "out of memory"));
}

/* --- correlation ----------------------------------------------------------------------------- */

static int look_at_correlation(rt_ctx *ctx, void *argument)
{
    char *id = argument;
    snprintf(id, 160, "%s", rt_correlation_id(ctx));
    CU_ASSERT_STRING_EQUAL(rt_correlation_id(ctx), id);
    return 0;
}

static int child_and_parent_agree(rt_ctx *ctx, void *argument)
{
    (void)argument;
    char own[160], childs[160];
    CU_ASSERT_PTR_NULL(rt_unit_of(ctx)->root->correlation);
    rt_join(ctx, rt_spawn(ctx, look_at_correlation, childs));
    look_at_correlation(ctx, own);
    CU_ASSERT_STRING_EQUAL(own, childs);
    CU_ASSERT_EQUAL(strlen(own), 32);
    CU_ASSERT_EQUAL(strspn(own, "0123456789abcdef"), 32);
    return 0;
}

static void a_correlation_id_is_made_once_and_shared_with_children(void)
{
    CU_ASSERT_EQUAL(run(child_and_parent_agree, NULL).result, 0);
}

static void a_correlation_id_that_came_is_kept_if_it_is_valid(void)
{
    char seen[160], longest[130], too_long[131];
    memset(longest, 'a', sizeof longest);
    longest[128] = '\0';
    memset(too_long, 'a', sizeof too_long);
    too_long[129] = '\0';
    const struct {
        const char *id;
        bool kept;
    } cases[] = {{"abc-1.2_X", true}, {longest, true}, {too_long, false},  {"", false},
                 {"a b", false},      {"a\n", false},  {"\xc3\xa4", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rt_unit_options options = {.correlation_id = cases[i].id};
        run_with(&(rt_loop_options){0}, options, look_at_correlation, seen);
        CU_ASSERT_EQUAL(strcmp(seen, cases[i].id) == 0, cases[i].kept);
    }
}

/* --- sleeping and deadlines ------------------------------------------------------------------ */

static int sleep_some(rt_ctx *ctx, void *argument)
{
    (void)argument;
    for (int i = 0; i < 20; i++) {
        uint64_t asked = RT_US(300) * (uint64_t)(i + 1), before = rt_now();
        CU_ASSERT_EQUAL(rt_sleep(ctx, asked), 0);
        CU_ASSERT_TRUE(rt_now() - before >= asked);
    }
    return 0;
}

static void a_sleep_is_never_early(void)
{
    CU_ASSERT_EQUAL(run(sleep_some, NULL).result, 0);
}

static int outlive_deadline(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_EQUAL(rt_set_deadline(ctx, rt_now() + RT_MS(5)), 0);
    uint64_t deadline = rt_deadline(ctx);
    rt_set_deadline(ctx, deadline + RT_S(9));
    CU_ASSERT_EQUAL(rt_deadline(ctx), deadline);
    int result = rt_sleep(ctx, RT_S(60));
    CU_ASSERT_TRUE(rt_now() >= deadline);
    CU_ASSERT_EQUAL(result, -RT_EDEADLINE);
    CU_ASSERT_EQUAL(rt_last_error(ctx)->code, RT_EDEADLINE);
    CU_ASSERT_EQUAL(rt_sleep(ctx, 0), -RT_EDEADLINE);
    CU_ASSERT_EQUAL(rt_sleep(ctx, UINT64_MAX), -RT_EDEADLINE);
    return result;
}

static void a_deadline_ends_every_wait(void)
{
    ending end = run(outlive_deadline, NULL);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_INTERRUPTION);
    CU_ASSERT_EQUAL(end.result, -RT_EDEADLINE);
}

static int time_out_of_own_accord(rt_ctx *ctx, void *argument)
{
    int *ends = argument;
    return rt_wait_fd(ctx, ends[0], RT_READABLE, rt_now() + RT_MS(2));
}

static void the_time_limit_of_one_wait_is_a_failure_not_an_interruption(void)
{
    int ends[2];
    CU_ASSERT_EQUAL(pipe(ends), 0);
    ending end = run(time_out_of_own_accord, ends);
    CU_ASSERT_EQUAL(end.result, -RT_EDEADLINE);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_FAILURE);
    close(ends[0]);
    close(ends[1]);
}

static int shorten(rt_ctx *ctx, void *argument)
{
    (void)ctx;
    return rt_set_deadline(argument, rt_now() + RT_MS(3));
}

static int be_shortened(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_unit_options options = {.instance = &shop, .name = "shortens"};
    rt_set_deadline(ctx, rt_now() + RT_S(50));
    CU_ASSERT_EQUAL(rt_host_post(&shop, shorten, ctx), 0);
    (void)options;
    return rt_sleep(ctx, RT_S(100));
}

static void a_deadline_moved_forward_reaches_a_wait_under_way(void)
{
    uint64_t before = uv_hrtime();
    CU_ASSERT_EQUAL(run(be_shortened, NULL).result, -RT_EDEADLINE);
    CU_ASSERT_TRUE(uv_hrtime() - before < RT_S(20));
}

struct order {
    char text[16];
    int length;
};

static int yield_thrice(rt_ctx *ctx, void *argument)
{
    struct order *order = argument;
    char name = (char)('a' + order->length);
    for (int i = 0; i < 3; i++) {
        order->text[order->length++] = name;
        CU_ASSERT_EQUAL(rt_sleep(ctx, 0), 0);
    }
    return 0;
}

static int yield_together(rt_ctx *ctx, void *argument)
{
    rt_spawn(ctx, yield_thrice, argument);
    rt_spawn(ctx, yield_thrice, argument);
    return 0;
}

static void a_sleep_of_nothing_lets_the_others_run_in_turn(void)
{
    struct order order = {0};
    run(yield_together, &order);
    CU_ASSERT_STRING_EQUAL(order.text, "ababab");
}

static int spin(rt_ctx *ctx, void *argument)
{
    const bool *stop = argument;
    while (!*stop)
        RT_TRY(rt_sleep(ctx, 0));
    return 0;
}

static int stop_after_sleep(rt_ctx *ctx, void *argument)
{
    rt_spawn(ctx, spin, argument);
    int result = rt_sleep(ctx, RT_MS(2));
    *(bool *)argument = true;
    return result;
}

static void fibers_that_only_yield_do_not_starve_timers(void)
{
    bool stop = false;
    CU_ASSERT_EQUAL(run(stop_after_sleep, &stop).result, 0);
}

/* --- cancellation ---------------------------------------------------------------------------- */

static int cancel_itself_twice(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_FALSE(rt_cancelled(ctx));
    rt_unit_cancel(ctx);
    rt_unit_cancel(ctx);
    CU_ASSERT_TRUE(rt_cancelled(ctx));
    CU_ASSERT_EQUAL(rt_sleep(ctx, RT_S(1)), -RT_ECANCELED);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, 0, RT_READABLE, 0), -RT_ECANCELED);
    CU_ASSERT_EQUAL(rt_last_error(ctx)->code, RT_ECANCELED);
    return -RT_ECANCELED;
}

static void a_cancelled_unit_waits_no_more(void)
{
    ending end = run(cancel_itself_twice, NULL);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_INTERRUPTION);
}

static int sleep_long(rt_ctx *ctx, void *argument)
{
    (void)argument;
    return rt_sleep(ctx, RT_S(100));
}

static int sleep_at_depth(rt_ctx *ctx, void *argument)
{
    int *depth = argument;
    if (--*depth == 0)
        return rt_sleep(ctx, RT_S(100));
    rt_spawn(ctx, sleep_long, NULL);
    rt_spawn(ctx, sleep_at_depth, depth);
    return 0;
}

static int cancel_tree(rt_ctx *ctx, void *argument)
{
    (void)ctx;
    rt_unit_options options = {
        .instance = &shop, .name = "tree", .done = note_end, .done_argument = argument};
    int depth = 40;
    rt_ctx *tree = rt_unit_start(&options, sleep_at_depth, &depth);
    CU_ASSERT_EQUAL(depth, 0);
    CU_ASSERT_EQUAL(rt_unit_count(), 80);
    rt_unit_cancel(tree);
    while (!((ending *)argument)->seen)
        RT_TRY(rt_sleep(ctx, 0));
    return 0;
}

static void cancelling_reaches_the_whole_tree_of_children(void)
{
    ending end = {0};
    run(cancel_tree, &end);
    CU_ASSERT_EQUAL(end.kind, RT_EXIT_INTERRUPTION);
}

/* --- waiting in the wrong place -------------------------------------------------------------- */

static int wait_as_outer(rt_ctx *ctx, void *argument)
{
    rt_ctx *outer = argument;
    CU_ASSERT_PTR_NOT_EQUAL(ctx, outer);
    CU_ASSERT_EQUAL(rt_sleep(outer, RT_MS(1)), -RT_EFAILED_PRECONDITION);
    CU_ASSERT_STRING_EQUAL(rt_last_error(outer)->message, "a context waits only in its own fiber");
    return 0;
}

static int lend_context(rt_ctx *ctx, void *argument)
{
    (void)argument;
    return rt_run(ctx, wait_as_outer, ctx);
}

static void a_context_waits_only_in_its_own_fiber(void)
{
    CU_ASSERT_EQUAL(run(lend_context, NULL).result, 0);
}

/* --- what a switch keeps --------------------------------------------------------------------- */

static int change_everything(rt_ctx *ctx, void *argument)
{
    (void)argument;
    for (int i = 0; i < 5; i++) {
        errno = E2BIG;
        fesetround(FE_UPWARD);
        RT_TRY(rt_sleep(ctx, 0));
        CU_ASSERT_EQUAL(errno, E2BIG);
        CU_ASSERT_EQUAL(fegetround(), FE_UPWARD);
    }
    return 0;
}

static int keep_everything(rt_ctx *ctx, void *argument)
{
    (void)argument;
    errno = ENOTTY;
    rt_task *task = rt_spawn(ctx, change_everything, NULL);
    CU_ASSERT_EQUAL(errno, ENOTTY);
    CU_ASSERT_EQUAL(fegetround(), FE_TONEAREST);
    for (int i = 0; i < 5; i++) {
        errno = ENOTTY;
        RT_TRY(rt_sleep(ctx, i ? 0 : RT_MS(1)));
        CU_ASSERT_EQUAL(errno, ENOTTY);
        CU_ASSERT_EQUAL(fegetround(), FE_TONEAREST);
    }
    errno = EDOM;
    int result = rt_join(ctx, task);
    CU_ASSERT_EQUAL(errno, EDOM);
    return result;
}

static void a_switch_keeps_errno_and_the_rounding_mode(void)
{
    CU_ASSERT_EQUAL(run(keep_everything, NULL).result, 0);
    CU_ASSERT_EQUAL(fegetround(), FE_TONEAREST);
}

static int leave_an_openssl_error(rt_ctx *ctx, void *argument)
{
    (void)argument;
    ERR_raise(ERR_LIB_USER, 1);
    int result = rt_sleep(ctx, 0);
    _exit(ERR_peek_error() && result == 0 ? 40 : 41);
}

/* The queue is the thread's, so an error left in it would be taken for another fiber's. */
static void waiting_with_openssl_errors_queued_is_caught_under_sanitizers(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        run(leave_an_openssl_error, NULL);
        _exit(42);
    }
    int status;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    if (RT_SANITIZED)
        CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
    else
        CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 40)
}

/* --- stacks ---------------------------------------------------------------------------------- */

static __attribute__((noinline)) int dig(volatile char *above, int depth)
{
    volatile char frame[4000];
    frame[0] = above ? above[0] : 1;
    frame[3999] = (char)depth;
    return depth == 0 ? frame[0] : dig(frame, depth - 1) + frame[3999];
}

static int overflow(rt_ctx *ctx, void *argument)
{
    (void)ctx, (void)argument;
    return dig(NULL, 1 << 20);
}

/* Reads beyond texts, as the handler's does. */
__attribute__((no_sanitize("address"))) static size_t plain_fetch(void *to, const void *from,
                                                                  size_t size)
{
    char *bytes = to;
    for (size_t i = 0; i < size; i++)
        bytes[i] = ((const volatile char *)from)[i];
    return size;
}

/* In the child: what a handler on another stack can say, in its exit status. */
static void on_overflow(int number, siginfo_t *info, void *machine)
{
    rt_fiber_view view;
    (void)number, (void)machine;
    rt_fiber_view_take(&view, info->si_addr, plain_fetch);
    _exit(view.on_fiber && view.overflow && !view.blocking && view.entry == 7 &&
                  strcmp(view.fiber, "GET /deep") == 0 && strcmp(view.instance, "shop") == 0
              ? 42
              : 1);
}

static _Noreturn void overflow_in_child(void)
{
    static char stack[65536];
    struct sigaction action = {.sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    sigaction(SIGSEGV, &action, NULL);
    run_with(&(rt_loop_options){0}, (rt_unit_options){.name = "GET /deep", .entry = 7}, overflow,
             NULL);
    _exit(0);
}

static void a_stack_overflow_meets_the_guard_and_has_a_name(void)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        overflow_in_child();
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_TRUE(WIFEXITED(status));
    CU_ASSERT_EQUAL(WEXITSTATUS(status), 42);
}

static rt_loop_marks marks;

static int look_at_marks(rt_ctx *ctx, void *argument)
{
    uint64_t before = marks.turns;
    CU_ASSERT_EQUAL(marks.running, 7);
    RT_TRY(rt_sleep(ctx, 0));
    CU_ASSERT_EQUAL(marks.running, 7);
    CU_ASSERT_EQUAL(marks.turns, before + 1);
    return *(int *)argument;
}

static int run_nested(rt_ctx *ctx, void *argument)
{
    int result = rt_run(ctx, look_at_marks, argument, .name = "inner");
    CU_ASSERT_EQUAL(marks.running, 7);
    return result;
}

static void what_runs_is_marked_and_unmarked_again(void)
{
    int result = 3;
    rt_unit_options options = {.name = "outer", .entry = 7};
    CU_ASSERT_EQUAL(
        run_with(&(rt_loop_options){.marks = &marks}, options, run_nested, &result).result, 3);
    CU_ASSERT_EQUAL(marks.running, 0);
}

static int wait_long(rt_ctx *ctx, void *argument)
{
    (void)argument;
    return rt_sleep(ctx, RT_S(3600));
}

static int list_units(rt_ctx *ctx, void *argument)
{
    rt_buffer *text = argument;
    uint64_t high[RT_STACK_ORDERS] = {0};
    dig(NULL, 4); /* some pages */
    rt_spawn(ctx, wait_long, NULL);
    RT_TRY(rt_sleep(ctx, RT_MS(20)));
    rt_units_list(text);
    rt_stacks_measure(high);
    CU_ASSERT_TRUE(high[3] >= 16384);
    CU_ASSERT_TRUE(high[3] <= (size_t)512 << 10);
    return -RT_ECANCELED; /* and so is the child */
}

static void what_each_unit_waits_for_is_listed(void)
{
    rt_buffer text = {0};
    unsigned age;
    size_t used, most, size;
    run_with(&(rt_loop_options){0}, (rt_unit_options){.name = "GET /list"}, list_units, &text);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text.data);
    CU_ASSERT_EQUAL(strncmp(text.data, "GET /list\tshop\truns\t0.", 22), 0);
    const char *child = strchr(text.data, '\n') + 1;
    const char *sleeps = strstr(child, "\tshop\tsleep\t0.");
    CU_ASSERT_PTR_NOT_NULL_FATAL(sleeps);
    CU_ASSERT_EQUAL(sscanf(sleeps, "\tshop\tsleep\t0.%u\t%zu\t%zu\t%zu", &age, &used, &most, &size),
                    4);
    CU_ASSERT_TRUE(age >= 20);
    CU_ASSERT_TRUE(used > 64 && used <= most && most <= size);
    rt_buffer_free(&text);
}

static int use_stack(rt_ctx *ctx, void *argument)
{
    (void)ctx, (void)argument;
    return dig(NULL, 400) > -1000000 ? 0 : -RT_EINTERNAL; /* 1.6 MB and more */
}

static void a_unit_gets_the_stack_it_asks_for(void)
{
    rt_unit_options options = {.stack_size = 4 << 20};
    CU_ASSERT_EQUAL(run_with(&(rt_loop_options){0}, options, use_stack, NULL).result, 0);
}

static int sleep_a_little(rt_ctx *ctx, void *argument)
{
    (void)argument;
    return rt_sleep(ctx, RT_MS(2));
}

static int crowd(rt_ctx *ctx, void *argument)
{
    int count = *(int *)argument;
    for (int i = 0; i < count; i++)
        rt_spawn(ctx, sleep_a_little, NULL);
    return 0;
}

static int crowd_then_look(rt_ctx *ctx, void *argument)
{
    CU_ASSERT_EQUAL(rt_run(ctx, crowd, argument), 0);
    CU_ASSERT_TRUE(rt_stack_idle_count() >= 1000);
    CU_ASSERT_TRUE(rt_stack_idle_count() <= 1024);
    CU_ASSERT_TRUE(rt_the_loop.idle_count <= 1024);
    rt_stack *first = rt_stack_take(1), *second = rt_stack_take(8 << 20);
    CU_ASSERT_TRUE(first->size < second->size);
    rt_stack_give(first);
    CU_ASSERT_PTR_EQUAL(rt_stack_take(1), first);
    rt_stack_give(first);
    rt_stack_give(second);
    return 0;
}

static void idle_stacks_and_units_are_pooled_up_to_a_bound(void)
{
    int count = 1500;
    CU_ASSERT_EQUAL(run(crowd_then_look, &count).result, 0);
    CU_ASSERT_EQUAL(rt_stack_idle_count(), 0);
}

static void stacks_end_where_their_memory_does(void)
{
    rt_stack *first = rt_stack_take(1), *second;
    size_t size = first->size;
    rt_stack_limit(3 * size);
    second = rt_stack_take(1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_PTR_NULL(rt_stack_take(2 * size));
    rt_stack_give(second);
    second = rt_stack_take(size * 2 / (RT_SANITIZED ? 4 : 1)); /* the idle one makes place */
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_EQUAL(second->size, 2 * size);
    CU_ASSERT_EQUAL(rt_stack_idle_count(), 0);
    CU_ASSERT_PTR_NULL(rt_stack_take(1));
    rt_stack_limit(0);
    rt_stack_give(first);
    rt_stack_give(second);
    rt_stack_free_idle();
}

RT_TEST_MAIN("fiber",
             {"a unit that never waits ends before start returns",
              a_unit_that_never_waits_ends_before_start_returns},
             {"a fiber starts another and goes on", a_fiber_starts_another_and_goes_on},
             {"stacks end where their memory does", stacks_end_where_their_memory_does},
             {"a failure keeps its error", a_failure_keeps_its_error},
             {"a result without error is explained by its code",
              a_result_without_error_is_explained_by_its_code},
             {"errors are copied with their causes", errors_are_copied_with_their_causes},
             {"an error keeps its fields", an_error_keeps_its_fields},
             {"memory that is not there is a defect", memory_that_is_not_there_is_a_defect},
             {"a correlation id is made once and shared with children",
              a_correlation_id_is_made_once_and_shared_with_children},
             {"a correlation id that came is kept if it is valid",
              a_correlation_id_that_came_is_kept_if_it_is_valid},
             {"a sleep is never early", a_sleep_is_never_early},
             {"a deadline ends every wait", a_deadline_ends_every_wait},
             {"the time limit of one wait is a failure, not an interruption",
              the_time_limit_of_one_wait_is_a_failure_not_an_interruption},
             {"a deadline moved forward reaches a wait under way",
              a_deadline_moved_forward_reaches_a_wait_under_way},
             {"a sleep of nothing lets the others run in turn",
              a_sleep_of_nothing_lets_the_others_run_in_turn},
             {"fibers that only yield do not starve timers",
              fibers_that_only_yield_do_not_starve_timers},
             {"a cancelled unit waits no more", a_cancelled_unit_waits_no_more},
             {"cancelling reaches the whole tree of children",
              cancelling_reaches_the_whole_tree_of_children},
             {"a context waits only in its own fiber", a_context_waits_only_in_its_own_fiber},
             {"a switch keeps errno and the rounding mode",
              a_switch_keeps_errno_and_the_rounding_mode},
             {"waiting with OpenSSL errors queued is caught under sanitizers",
              waiting_with_openssl_errors_queued_is_caught_under_sanitizers},
             {"a stack overflow meets the guard and has a name",
              a_stack_overflow_meets_the_guard_and_has_a_name},
             {"what each unit waits for is listed", what_each_unit_waits_for_is_listed},
             {"what runs is marked, and unmarked again", what_runs_is_marked_and_unmarked_again},
             {"a unit gets the stack it asks for", a_unit_gets_the_stack_it_asks_for},
             {"idle stacks and units are pooled up to a bound",
              idle_stacks_and_units_are_pooled_up_to_a_bound})
