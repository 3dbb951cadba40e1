/* What happens at the same time: woken and cancelled, handed over and cancelled, ended and freed */
#include "fiber_kit.h"

#include "fiber/internal.h"

#include <limits.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* A unit that waits at something, and how the wait ended; 1: not yet. */
struct guest {
    rt_work wait;
    void *at, *item;
    int result;
};

static int wait_as_guest(rt_ctx *ctx, void *argument)
{
    struct guest *guest = argument;
    guest->result = guest->wait(ctx, guest);
    return guest->result;
}

static rt_ctx *invite(struct guest *guest)
{
    rt_unit_options options = {.instance = &shop, .name = "guest"};
    return rt_unit_start(&options, wait_as_guest, guest);
}

static int see_guests_off(rt_ctx *ctx)
{
    while (rt_unit_count() > 1)
        RT_TRY(rt_sleep(ctx, 0));
    return 0;
}

/* --- hand-over ------------------------------------------------------------------------------- */

static int acquire(rt_ctx *ctx, void *argument)
{
    return rt_semaphore_acquire(ctx, ((struct guest *)argument)->at);
}

static int receive(rt_ctx *ctx, void *argument)
{
    struct guest *guest = argument;
    return rt_channel_receive(ctx, guest->at, &guest->item);
}

static int send_itself(rt_ctx *ctx, void *argument)
{
    struct guest *guest = argument;
    return rt_channel_send(ctx, guest->at, guest);
}

/* The first is cancelled before the permit comes, the second after it was given, before it runs. */
static int release_and_cancel(rt_ctx *ctx, void *semaphore)
{
    struct guest guests[3];
    rt_ctx *contexts[3];
    for (int i = 0; i < 3; i++) {
        guests[i] = (struct guest){acquire, semaphore, NULL, 1};
        contexts[i] = invite(&guests[i]);
    }
    rt_unit_cancel(contexts[0]);
    rt_semaphore_release(semaphore);
    rt_unit_cancel(contexts[1]);
    rt_unit_cancel(contexts[2]);
    RT_TRY(see_guests_off(ctx));
    CU_ASSERT_EQUAL(guests[0].result, -RT_ECANCELED);
    CU_ASSERT_EQUAL(guests[1].result, 0);
    CU_ASSERT_EQUAL(guests[2].result, -RT_ECANCELED);
    CU_ASSERT_EQUAL(
        rt_run(ctx, acquire, &(struct guest){.at = semaphore}, .deadline = rt_now() + RT_MS(1)),
        -RT_EDEADLINE);
    rt_semaphore_release(semaphore);
    return rt_semaphore_acquire(ctx, semaphore);
}

static void a_permit_is_neither_lost_nor_doubled_when_its_taker_is_cancelled(void)
{
    rt_semaphore *semaphore = rt_semaphore_new(0);
    CU_ASSERT_EQUAL(run(release_and_cancel, semaphore).result, 0);
    rt_semaphore_free(semaphore);
}

static int send_and_cancel(rt_ctx *ctx, void *channel)
{
    struct guest left = {receive, channel, NULL, 1}, served = left;
    int item;
    rt_unit_cancel(invite(&left));
    rt_ctx *receiver = invite(&served);
    CU_ASSERT_EQUAL(rt_channel_send(ctx, channel, &item), 0);
    rt_unit_cancel(receiver);
    RT_TRY(see_guests_off(ctx));
    CU_ASSERT_EQUAL(left.result, -RT_ECANCELED);
    CU_ASSERT_EQUAL(served.result, 0);
    CU_ASSERT_PTR_EQUAL(served.item, &item);
    return 0;
}

static int receive_and_cancel(rt_ctx *ctx, void *channel)
{
    struct guest left = {send_itself, channel, NULL, 1}, taken = left, late = left;
    void *item = NULL;
    rt_unit_cancel(invite(&left));
    rt_ctx *sender = invite(&taken);
    rt_ctx *last = invite(&late);
    CU_ASSERT_EQUAL(rt_channel_receive(ctx, channel, &item), 0);
    CU_ASSERT_PTR_EQUAL(item, &taken);
    rt_unit_cancel(sender);
    rt_unit_cancel(last);
    RT_TRY(see_guests_off(ctx));
    CU_ASSERT_EQUAL(left.result, -RT_ECANCELED);
    CU_ASSERT_EQUAL(taken.result, 0);
    CU_ASSERT_EQUAL(late.result, -RT_ECANCELED);
    return rt_run(ctx, receive, &late, .deadline = rt_now() + RT_MS(1));
}

static void an_item_is_neither_lost_nor_doubled_when_an_end_is_cancelled(void)
{
    rt_channel *channel = rt_channel_new(0);
    CU_ASSERT_EQUAL(run(send_and_cancel, channel).result, 0);
    CU_ASSERT_EQUAL(run(receive_and_cancel, channel).result, -RT_EDEADLINE);
    rt_channel_free(channel);
}

static int close_and_free(rt_ctx *ctx, void *argument)
{
    struct guest sender = {send_itself, rt_channel_new(0), NULL, 1};
    struct guest receiver = {receive, rt_channel_new(0), NULL, 1};
    (void)argument;
    invite(&sender);
    invite(&receiver);
    rt_channel_close(sender.at);
    rt_channel_close(receiver.at);
    rt_channel_free(sender.at);
    rt_channel_free(receiver.at);
    RT_TRY(see_guests_off(ctx));
    CU_ASSERT_EQUAL(sender.result, -RT_EFAILED_PRECONDITION);
    CU_ASSERT_EQUAL(receiver.result, -RT_EOUT_OF_RANGE);
    return 0;
}

static void a_channel_may_be_freed_at_once_when_it_was_closed(void)
{
    CU_ASSERT_EQUAL(run(close_and_free, NULL).result, 0);
}

/* --- join ------------------------------------------------------------------------------------ */

static int sleep_a_moment(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(rt_sleep(ctx, RT_MS(2)));
    return 7;
}

struct joining {
    rt_task *task;
    int result;
};

static int join_it(rt_ctx *ctx, void *argument)
{
    struct joining *joining = argument;
    joining->result = rt_join(ctx, joining->task);
    return 0;
}

/* Whoever gives up joining leaves the task to the next; it is joined once all the same. */
static int join_twice(rt_ctx *ctx, void *argument)
{
    struct joining given_up = {rt_spawn(ctx, sleep_a_moment, NULL), 1}, second = given_up;
    rt_unit_options options = {.instance = &shop, .name = "joins"};
    (void)argument;
    rt_unit_cancel(rt_unit_start(&options, join_it, &given_up));
    rt_ctx *joiner = rt_unit_start(&options, join_it, &second);
    CU_ASSERT_EQUAL(rt_join(ctx, given_up.task), -RT_EFAILED_PRECONDITION);
    while (second.result == 1 && !rt_list_empty(&((rt_unit *)ctx)->children))
        RT_TRY(rt_sleep(ctx, 0));
    rt_unit_cancel(joiner); /* it was woken already, or has ended */
    RT_TRY(see_guests_off(ctx));
    CU_ASSERT_EQUAL(given_up.result, -RT_ECANCELED);
    CU_ASSERT_EQUAL(second.result, 7);
    CU_ASSERT_EQUAL(rt_join(ctx, given_up.task), -RT_EFAILED_PRECONDITION);
    return 0;
}

static void a_task_ends_once_for_one_of_those_who_join(void)
{
    CU_ASSERT_EQUAL(run(join_twice, NULL).result, 0);
}

/* --- deep trees ------------------------------------------------------------------------------ */

static int descend(rt_ctx *ctx, void *argument)
{
    int *left = argument;
    if ((*left)-- > 0)
        return rt_join(ctx, rt_spawn(ctx, descend, left));
    return rt_sleep(ctx, RT_S(1000));
}

static int hurry_the_deep(rt_ctx *ctx, void *argument)
{
    rt_task *task = rt_spawn(ctx, descend, argument);
    rt_set_deadline(ctx, rt_now() + RT_MS(1));
    return rt_join(ctx, task);
}

static void a_deadline_reaches_children_at_any_depth(void)
{
    int left = RT_TSAN ? 200 : 4000; /* its state of a fiber takes a millisecond and a megabyte */
    CU_ASSERT_EQUAL(run(hurry_the_deep, &left).kind, RT_EXIT_INTERRUPTION);
}

/* --- ends ------------------------------------------------------------------------------------ */

static int do_nothing(rt_ctx *ctx, void *argument)
{
    (void)ctx, (void)argument;
    return 0;
}

static int die(rt_ctx *ctx, void *argument)
{
    rt_die(ctx, "%s", (const char *)argument);
}

struct end_seen {
    rt_ctx *current;
    int run;
};

static void look_around(const rt_exit *exit, void *argument)
{
    struct end_seen *seen = argument;
    (void)exit;
    seen->current = rt_current();
    seen->run = rt_run(NULL, do_nothing, NULL, .instance = &shop);
}

static int run_with_on_exit(rt_ctx *ctx, void *argument)
{
    struct end_seen at_once = {ctx, 1}, later = {ctx, 1};
    (void)argument;
    RT_TRY(rt_run(ctx, do_nothing, NULL, .on_exit = look_around, .on_exit_argument = &at_once));
    rt_run(ctx, sleep_a_moment, NULL, .on_exit = look_around, .on_exit_argument = &later);
    CU_ASSERT_PTR_NULL(at_once.current);
    CU_ASSERT_PTR_NULL(later.current);
    CU_ASSERT_EQUAL(at_once.run, -RT_EFAILED_PRECONDITION);
    CU_ASSERT_EQUAL(later.run, -RT_EFAILED_PRECONDITION);
    CU_ASSERT_PTR_EQUAL(rt_current(), ctx);
    return 0;
}

static void on_exit_runs_on_the_loop_also_when_a_fiber_is_below_it(void)
{
    CU_ASSERT_EQUAL(run(run_with_on_exit, NULL).result, 0);
}

static const rt_instance *reported;

static void note_instance(rt_ctx *ctx, const char *name, const rt_exit *exit)
{
    (void)name, (void)exit;
    reported = ctx->instance;
}

static void finalize(rt_ctx *ctx, void *argument)
{
    (void)ctx, (void)argument;
}

static int die_as_another(rt_ctx *ctx, void *argument)
{
    ctx->instance = argument;
    rt_defer(ctx, finalize, NULL);
    rt_die(ctx, "in a provider");
}

static int serve_and_die(rt_ctx *ctx, void *argument)
{
    return rt_service(ctx, "poller", die_as_another, argument);
}

static void an_end_is_reported_for_the_instance_whose_work_it_was(void)
{
    rt_instance provider = shop;
    rt_loop_options loop = {.report = note_instance};
    reported = NULL;
    CU_ASSERT_EQUAL(run_with(&loop, (rt_unit_options){0}, serve_and_die, &provider).result, 0);
    CU_ASSERT_PTR_EQUAL(reported, &shop);
}

/* --- death ----------------------------------------------------------------------------------- */

static rt_mutex *mutex;
static char story[64];

static void unlock_after_a_while(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_EQUAL(rt_sleep(ctx, RT_MS(1)), 0);
    strcat(story, "unlocks ");
    rt_mutex_unlock(ctx, mutex);
    rt_join(ctx, rt_spawn(ctx, die, "a child of a finalizer"));
    rt_die(ctx, "a finalizer");
}

static int die_locked(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_mutex_lock(ctx, mutex));
    rt_defer(ctx, unlock_after_a_while, NULL);
    rt_spawn(ctx, sleep_a_moment, NULL);
    return die(ctx, argument);
}

static int lock_next(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_mutex_lock(ctx, mutex));
    strcat(story, argument);
    return 0;
}

static int wait_for_the_dead(rt_ctx *ctx, void *argument)
{
    rt_exit exit;
    rt_unit_options options = {.instance = &shop, .name = "next"};
    rt_mutex_lock(ctx, mutex);
    rt_unit_start(&options, lock_next, "locks");
    rt_mutex_unlock(ctx, mutex);
    rt_run_exit(ctx, &exit, die_locked, argument);
    CU_ASSERT_STRING_EQUAL(exit.defect, "holds a lock");
    CU_ASSERT_STRING_EQUAL(exit.finalizer_error->message, "a finalizer");
    return see_guests_off(ctx);
}

static void the_dead_keep_their_mutexes_for_their_finalizers(void)
{
    mutex = rt_mutex_new();
    story[0] = '\0';
    CU_ASSERT_EQUAL(run(wait_for_the_dead, "holds a lock").result, 0);
    CU_ASSERT_STRING_EQUAL(story, "locksunlocks ");
    rt_mutex_free(mutex);
}

/* --- descriptors ----------------------------------------------------------------------------- */

static int wait_for_strange_descriptors(rt_ctx *ctx, void *argument)
{
    const int *pair = argument;
    int closed = dup(pair[0]);
    close(closed);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, closed, RT_READABLE, 0), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, INT_MAX, RT_READABLE, 0), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(rt_last_error(ctx)->message,
                           "cannot wait for descriptor 2147483647: Bad file descriptor");
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_READABLE, 1), -RT_EDEADLINE);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_WRITABLE, 0), RT_WRITABLE);
    return 0;
}

static void a_descriptor_that_is_none_is_refused_whatever_its_number(void)
{
    int pair[2];
    CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CU_ASSERT_EQUAL(run(wait_for_strange_descriptors, pair).result, 0);
    close(pair[0]);
    close(pair[1]);
}

/* --- a blocking call and what it uses -------------------------------------------------------- */

struct slow {
    uv_sem_t entered, leave;
    bool left;
};

static int work_slowly(void *argument)
{
    struct slow *slow = argument;
    uv_sem_post(&slow->entered);
    uv_sem_wait(&slow->leave);
    slow->left = true;
    return 3;
}

static int block(rt_ctx *ctx, void *argument)
{
    struct slow slow = {.left = false}; /* on the fiber's stack */
    uv_sem_init(&slow.entered, 0);
    uv_sem_init(&slow.leave, 0);
    *(struct slow **)argument = &slow;
    int result = rt_blocking(ctx, work_slowly, &slow);
    CU_ASSERT_TRUE(slow.left);
    CU_ASSERT_EQUAL(rt_sleep(ctx, 0), -RT_ECANCELED);
    uv_sem_destroy(&slow.entered);
    uv_sem_destroy(&slow.leave);
    return result;
}

static int cancel_what_blocks(rt_ctx *ctx, void *argument)
{
    struct slow *slow = NULL;
    ending end = {0};
    rt_unit_options options = {.instance = &shop,
                               .name = "blocks",
                               .deadline = rt_now() + RT_MS(2),
                               .done = note_end,
                               .done_argument = &end};
    (void)argument;
    rt_ctx *blocked = rt_unit_start(&options, block, &slow);
    uv_sem_wait(&slow->entered);
    rt_unit_cancel(blocked);
    rt_unit_cancel(blocked);
    RT_TRY(rt_sleep(ctx, RT_MS(5))); /* its deadline passes as well */
    CU_ASSERT_FALSE(end.seen);
    uv_sem_post(&slow->leave);
    RT_TRY(see_guests_off(ctx));
    CU_ASSERT_EQUAL(end.result, 3);
    return 0;
}

static void what_a_blocking_call_uses_lives_until_it_has_ended(void)
{
    CU_ASSERT_EQUAL(run(cancel_what_blocks, NULL).result, 0);
}

/* --- stopping an instance -------------------------------------------------------------------- */

static rt_instance other = {
    .magic = RT_INSTANCE_MAGIC, .size = sizeof(rt_instance), .name = "other", .module = "other"};

static int bear_another(rt_ctx *ctx, void *argument)
{
    int *left = argument;
    int result = rt_sleep(ctx, RT_S(1000));
    if ((*left)-- > 0)
        rt_service(ctx, "heir", bear_another, argument);
    return result;
}

static int stop_those(rt_ctx *ctx, void *argument)
{
    (void)argument;
    return rt_units_stop(ctx, &other);
}

/* Two stop the same at once, from inside of it too; what it starts while it ends is awaited. */
static int stop_from_everywhere(rt_ctx *ctx, void *argument)
{
    ending end = {0};
    rt_unit_options service = {.instance = &other, .name = "first"};
    rt_unit_options stopper = {
        .instance = &shop, .name = "stops", .done = note_end, .done_argument = &end};
    rt_unit_start(&service, bear_another, argument);
    rt_unit_start(&stopper, stop_those, NULL);
    CU_ASSERT_EQUAL(rt_units_stop(ctx, &other), 0);
    CU_ASSERT_EQUAL(*(int *)argument, -1);
    RT_TRY(see_guests_off(ctx));
    CU_ASSERT_TRUE(end.seen);
    CU_ASSERT_EQUAL(end.result, 0);
    return rt_units_stop(ctx, ctx->instance); /* the caller's own does not wait for itself */
}

static void stopping_an_instance_awaits_what_it_starts_meanwhile(void)
{
    int left = 3;
    CU_ASSERT_EQUAL(run(stop_from_everywhere, &left).result, 0);
}

/* --- handles --------------------------------------------------------------------------------- */

static void *fire(void *cancel)
{
    rt_cancel_fire(cancel);
    return NULL;
}

static int sleep_long(rt_ctx *ctx, void *argument)
{
    (void)argument;
    return rt_sleep(ctx, RT_S(1000));
}

/* One thread fires; another waits for the work that this ends and frees the handle at once. */
static void *fire_and_free(void *argument)
{
    int *failures = argument;
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        rt_cancel *cancel = rt_cancel_new();
        *failures += pthread_create(&thread, NULL, fire, cancel) != 0;
        *failures +=
            rt_run(NULL, sleep_long, NULL, .instance = &shop, .cancel = cancel) != -RT_ECANCELED;
        rt_cancel_free(cancel);
        pthread_join(thread, NULL);
    }
    return rt_post(&shop, do_nothing, NULL) ? argument : NULL;
}

static int await_thread(void *thread)
{
    void *result;
    return pthread_join(*(pthread_t *)thread, &result) || result ? -RT_EINTERNAL : 0;
}

static int beside_a_thread(rt_ctx *ctx, void *argument)
{
    pthread_t thread;
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, fire_and_free, argument), 0);
    CU_ASSERT_EQUAL(rt_blocking(ctx, await_thread, &thread), 0);
    return see_guests_off(ctx);
}

static void a_handle_may_be_freed_by_who_sees_the_end_that_another_caused(void)
{
    int failures = 0;
    CU_ASSERT_EQUAL(run(beside_a_thread, &failures).result, 0);
    CU_ASSERT_EQUAL(failures, 0);
}

RT_TEST_MAIN("fiber race",
             {"a permit is neither lost nor doubled when its taker is cancelled",
              a_permit_is_neither_lost_nor_doubled_when_its_taker_is_cancelled},
             {"an item is neither lost nor doubled when an end is cancelled",
              an_item_is_neither_lost_nor_doubled_when_an_end_is_cancelled},
             {"a channel may be freed at once when it was closed",
              a_channel_may_be_freed_at_once_when_it_was_closed},
             {"a task ends once for one of those who join",
              a_task_ends_once_for_one_of_those_who_join},
             {"a deadline reaches children at any depth", a_deadline_reaches_children_at_any_depth},
             {"on_exit runs on the loop also when a fiber is below it",
              on_exit_runs_on_the_loop_also_when_a_fiber_is_below_it},
             {"an end is reported for the instance whose work it was",
              an_end_is_reported_for_the_instance_whose_work_it_was},
             {"the dead keep their mutexes for their finalizers",
              the_dead_keep_their_mutexes_for_their_finalizers},
             {"a descriptor that is none is refused whatever its number",
              a_descriptor_that_is_none_is_refused_whatever_its_number},
             {"what a blocking call uses lives until it has ended",
              what_a_blocking_call_uses_lives_until_it_has_ended},
             {"stopping an instance awaits what it starts meanwhile",
              stopping_an_instance_awaits_what_it_starts_meanwhile},
             {"a handle may be freed by who sees the end that another caused",
              a_handle_may_be_freed_by_who_sees_the_end_that_another_caused})
