/* What other threads may do: post, run, run asynchronously, cancel; and the end of the runtime */
#include "fiber_kit.h"

#include "fiber/internal.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* CUnit's assertions are for one thread: the others note what they saw. */

static int serve_until_told(rt_ctx *ctx, void *argument)
{
    const bool *stop = argument;
    while (!*stop)
        RT_TRY(rt_sleep(ctx, RT_MS(1)));
    return 0;
}

/* Runs `thread_main` beside a loop that turns until the thread has posted stop_serving, and all
 * that it sent before has ended. */
static bool stop;

static int serve_to_the_end(rt_ctx *ctx, void *argument)
{
    (void)argument;
    while (!stop || rt_unit_count() > 1)
        RT_TRY(rt_sleep(ctx, RT_MS(1)));
    return 0;
}

static int stop_serving(rt_ctx *ctx, void *argument)
{
    (void)ctx, (void)argument;
    stop = true;
    return 0;
}

static void beside_a_loop(void *(*thread_main)(void *), void *argument)
{
    pthread_t thread;
    ending end = {0};
    rt_unit_options options = {
        .instance = &shop, .name = "serves", .done = note_end_and_stop, .done_argument = &end};
    stop = false;
    CU_ASSERT_EQUAL(rt_loop_open(&(rt_loop_options){0}), 0);
    rt_unit_start(&options, serve_to_the_end, NULL);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, thread_main, argument), 0);
    rt_loop_run();
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(end.result, 0);
    rt_loop_close();
}

/* --- post ------------------------------------------------------------------------------------ */

static int posted;

static int count_post(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(rt_sleep(ctx, 0));
    posted++;
    return 0;
}

static void *post_many(void *argument)
{
    int *failures = argument;
    for (int i = 0; i < 500; i++)
        *failures += rt_post(&shop, count_post, NULL) != 0;
    *failures += rt_run(NULL, stop_serving, NULL, .instance = &shop) != 0;
    return NULL;
}

static void every_post_from_another_thread_runs_once(void)
{
    int failures = 0;
    posted = 0;
    beside_a_loop(post_many, &failures);
    CU_ASSERT_EQUAL(failures, 0);
    CU_ASSERT_EQUAL(posted, 500);
}

static char reported[128];

static void report(rt_ctx *ctx, const char *name, const rt_exit *exit)
{
    (void)ctx;
    snprintf(reported, sizeof reported, "%s: %s", name, exit->defect);
}

static int die_now(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_die(ctx, "no good");
}

static int post_death(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(rt_post(&shop, die_now, NULL));
    CU_ASSERT_EQUAL(rt_post(NULL, die_now, NULL), -RT_EINVALID_ARGUMENT);
    return rt_sleep(ctx, RT_MS(2));
}

static void a_post_that_fails_is_reported(void)
{
    rt_loop_options loop = {.report = report};
    CU_ASSERT_EQUAL(run_with(&loop, (rt_unit_options){0}, post_death, NULL).result, 0);
    CU_ASSERT_STRING_EQUAL(reported, "runtime.post: no good");
}

/* --- rt_run on a foreign thread -------------------------------------------------------------- */

static int wait_and_fail(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_sleep(ctx, RT_MS(2)));
    return rt_fail(ctx, RT_ENOT_FOUND, "no `%s`", (const char *)argument);
}

struct foreign_exits {
    bool no_context;
    int run, nowhere;
    ending failure, defect, interruption;
};

static void *run_from_outside(void *argument)
{
    struct foreign_exits *seen = argument;
    rt_exit exit;
    seen->no_context = !rt_current();
    seen->run = rt_run(NULL, wait_and_fail, "order", .instance = &shop);
    seen->nowhere = rt_run(NULL, wait_and_fail, "order");
    rt_run_exit(NULL, &exit, wait_and_fail, "order", .instance = &shop);
    note_exit(&seen->failure, &exit);
    rt_run_exit(NULL, &exit, die_now, NULL, .instance = &shop);
    note_exit(&seen->defect, &exit);
    rt_run_exit(NULL, &exit, serve_until_told, &(bool){false}, .instance = &shop,
                .deadline = rt_now() + RT_MS(3));
    note_exit(&seen->interruption, &exit);
    rt_run(NULL, stop_serving, NULL, .instance = &shop);
    return NULL;
}

static void a_foreign_thread_runs_work_and_waits_for_its_exit(void)
{
    struct foreign_exits seen = {0};
    beside_a_loop(run_from_outside, &seen);
    CU_ASSERT_TRUE(seen.no_context);
    CU_ASSERT_EQUAL(seen.run, -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(seen.nowhere, -RT_EINVALID_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(seen.failure.error, "no `order`");
    CU_ASSERT_EQUAL(seen.defect.kind, RT_EXIT_DEFECT);
    CU_ASSERT_STRING_EQUAL(seen.defect.defect, "no good");
    CU_ASSERT_EQUAL(seen.interruption.kind, RT_EXIT_INTERRUPTION);
}

/* --- rt_run_async ---------------------------------------------------------------------------- */

static void note_on_exit(const rt_exit *exit, void *argument)
{
    note_exit(argument, exit);
}

struct async {
    int started, completions;
    ending end;
};

static void *run_async(void *argument)
{
    struct async *seen = argument;
    int fd = eventfd(0, EFD_CLOEXEC);
    char name[] = "import";
    seen->started =
        rt_run_async(wait_and_fail, "file", .instance = &shop, .name = name, .completion_fd = fd,
                     .on_exit = note_on_exit, .on_exit_argument = &seen->end);
    memset(name, '#', sizeof name);
    uint64_t count = 0;
    if (read(fd, &count, sizeof count) == sizeof count)
        seen->completions = (int)count;
    close(fd);
    rt_run(NULL, stop_serving, NULL, .instance = &shop);
    return NULL;
}

static void asynchronous_work_completes_by_callback_and_descriptor(void)
{
    struct async seen = {0};
    beside_a_loop(run_async, &seen);
    CU_ASSERT_EQUAL(seen.started, 0);
    CU_ASSERT_EQUAL(seen.completions, 1);
    CU_ASSERT_STRING_EQUAL(seen.end.error, "no `file`");
}

/* --- cancellation from other threads --------------------------------------------------------- */

struct cancelling {
    int failures;
    ending end;
};

static void *fire_from_outside(void *argument)
{
    struct cancelling *seen = argument;
    for (int i = 0; i < 100; i++) {
        int fd = eventfd(0, EFD_CLOEXEC);
        rt_cancel *cancel = rt_cancel_new();
        seen->failures +=
            rt_run_async(serve_until_told, &(bool){false}, .instance = &shop, .cancel = cancel,
                         .completion_fd = fd, .on_exit = note_on_exit,
                         .on_exit_argument = &seen->end) != 0;
        rt_cancel_fire(cancel);
        rt_cancel_fire(cancel);
        uint64_t count;
        seen->failures += read(fd, &count, sizeof count) != sizeof count;
        rt_cancel_free(cancel);
        close(fd);
    }
    rt_run(NULL, stop_serving, NULL, .instance = &shop);
    return NULL;
}

static void a_handle_fired_by_another_thread_cancels_and_may_be_freed_after_the_end(void)
{
    struct cancelling seen = {0};
    beside_a_loop(fire_from_outside, &seen);
    CU_ASSERT_EQUAL(seen.failures, 0);
    CU_ASSERT_EQUAL(seen.end.kind, RT_EXIT_INTERRUPTION);
}

static void a_handle_works_without_a_loop(void)
{
    rt_cancel *cancel = rt_cancel_new();
    rt_cancel_fire(cancel);
    rt_cancel_free(cancel);
    rt_cancel_free(NULL);
    CU_ASSERT_EQUAL(rt_post(&shop, count_post, NULL), -RT_EUNAVAILABLE);
}

static void *use_everything(void *argument)
{
    int *failures = argument;
    for (int i = 0; i < 60; i++) {
        rt_cancel *cancel = i % 3 ? rt_cancel_new() : NULL;
        *failures += rt_post(&shop, count_post, NULL) != 0;
        if (i % 3 == 2)
            rt_cancel_fire(cancel);
        int result = rt_run(NULL, wait_and_fail, "x", .instance = &shop, .cancel = cancel);
        *failures += result != (i % 3 == 2 ? -RT_ECANCELED : -RT_ENOT_FOUND);
        rt_cancel_free(cancel);
    }
    return NULL;
}

static void *use_from_four_threads(void *argument)
{
    int *failures = argument;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, use_everything, &failures[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    rt_run(NULL, stop_serving, NULL, .instance = &shop);
    return NULL;
}

static void four_threads_use_the_loop_at_once(void)
{
    int failures[4] = {0};
    posted = 0;
    beside_a_loop(use_from_four_threads, failures);
    CU_ASSERT_EQUAL(failures[0] + failures[1] + failures[2] + failures[3], 0);
    CU_ASSERT_EQUAL(posted, 240);
}

/* --- the end --------------------------------------------------------------------------------- */

static int refuse_and_see(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_post(&shop, count_post, NULL));
    rt_loop_refuse();
    CU_ASSERT_EQUAL(rt_post(&shop, count_post, NULL), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(rt_run_async(count_post, NULL, .instance = &shop), -RT_EUNAVAILABLE);
    (void)argument;
    return rt_sleep(ctx, RT_MS(2));
}

static void after_refuse_nothing_is_accepted_but_what_came_before_runs(void)
{
    posted = 0;
    CU_ASSERT_EQUAL(run(refuse_and_see, NULL).result, 0);
    CU_ASSERT_EQUAL(posted, 1);
}

static void work_that_never_started_completes_when_the_loop_closes(void)
{
    ending end = {0};
    posted = 0;
    CU_ASSERT_EQUAL(rt_loop_open(&(rt_loop_options){0}), 0);
    CU_ASSERT_EQUAL(rt_post(&shop, count_post, NULL), 0);
    CU_ASSERT_EQUAL(rt_run_async(count_post, NULL, .instance = &shop, .on_exit = note_on_exit,
                                 .on_exit_argument = &end),
                    0);
    CU_ASSERT_EQUAL(rt_run(NULL, count_post, NULL, .instance = &shop), -RT_EFAILED_PRECONDITION);
    rt_loop_close();
    CU_ASSERT_EQUAL(end.result, -RT_EUNAVAILABLE);
    CU_ASSERT_STRING_EQUAL(end.error, "the runtime is stopping");
    CU_ASSERT_EQUAL(posted, 0);
}

/* --- misuse ---------------------------------------------------------------------------------- */

static void die_outside(void)
{
    rt_host_die(NULL, "nowhere");
}

static void close_with_units(void)
{
    bool never = false;
    rt_unit_options options = {.instance = &shop, .name = "lives"};
    rt_loop_open(&(rt_loop_options){0});
    rt_unit_start(&options, serve_until_told, &never);
    rt_loop_close();
}

static int keep_context(rt_ctx *ctx, void *argument)
{
    *(rt_ctx **)argument = ctx;
    return 0;
}

static void use_ended_context(void)
{
    rt_ctx *ctx = NULL;
    rt_unit_options options = {.instance = &shop, .name = "ended"};
    rt_loop_open(&(rt_loop_options){0});
    rt_unit_start(&options, keep_context, &ctx);
    rt_alloc(ctx, 1);
}

static void misuse_aborts_with_a_message(void)
{
    const struct {
        void (*misuse)(void);
        const char *message;
    } cases[] = {
        {die_outside, "rt: `rt_die` was called outside of a fiber\n"},
        {close_with_units, "rt: the loop was closed while units of work live\n"},
        {use_ended_context, "rt: a function was given a context that is none, or has ended\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int ends[2], status;
        char said[256] = "";
        CU_ASSERT_EQUAL(pipe(ends), 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            dup2(ends[1], STDERR_FILENO);
            cases[i].misuse();
            _exit(0);
        }
        close(ends[1]);
        CU_ASSERT_TRUE(read(ends[0], said, sizeof said - 1) > 0);
        close(ends[0]);
        CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
        CU_ASSERT_TRUE(WIFSIGNALED(status));
        CU_ASSERT_STRING_EQUAL(said, cases[i].message);
    }
}

RT_TEST_MAIN("fiber remote", {"misuse aborts with a message", misuse_aborts_with_a_message},
             {"every post from another thread runs once", every_post_from_another_thread_runs_once},
             {"a post that fails is reported", a_post_that_fails_is_reported},
             {"a foreign thread runs work and waits for its exit",
              a_foreign_thread_runs_work_and_waits_for_its_exit},
             {"asynchronous work completes by callback and descriptor",
              asynchronous_work_completes_by_callback_and_descriptor},
             {"a handle fired by another thread cancels and may be freed after the end",
              a_handle_fired_by_another_thread_cancels_and_may_be_freed_after_the_end},
             {"a handle works without a loop", a_handle_works_without_a_loop},
             {"four threads use the loop at once", four_threads_use_the_loop_at_once},
             {"after refuse nothing is accepted but what came before runs",
              after_refuse_nothing_is_accepted_but_what_came_before_runs},
             {"work that never started completes when the loop closes",
              work_that_never_started_completes_when_the_loop_closes})
