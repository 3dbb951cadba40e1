/* Descriptors, blocking calls, mutex, semaphore, channel */
#include "fiber_kit.h"

#include "fiber/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- descriptors ----------------------------------------------------------------------------- */

static void make_pair(int pair[2])
{
    CU_ASSERT_EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(const int pair[2])
{
    close(pair[0]);
    close(pair[1]);
}

static int write_later(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_sleep(ctx, RT_MS(2)));
    CU_ASSERT_EQUAL(write(*(int *)argument, "x", 1), 1);
    return 0;
}

static int wait_readable(rt_ctx *ctx, void *argument)
{
    int result = rt_wait_fd(ctx, *(int *)argument, RT_READABLE, 0);
    CU_ASSERT_EQUAL(result, RT_READABLE);
    return result < 0 ? result : 0;
}

static int read_across(rt_ctx *ctx, void *argument)
{
    int pair[2];
    (void)argument;
    make_pair(pair);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_READABLE | RT_WRITABLE, 0), RT_WRITABLE);
    rt_task *writer = rt_spawn(ctx, write_later, &pair[1]);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_READABLE, 0), RT_READABLE);
    int result = rt_join(ctx, writer);
    close_pair(pair);
    return result;
}

static void a_descriptor_wakes_for_what_it_is_ready_for(void)
{
    CU_ASSERT_EQUAL(run(read_across, NULL).result, 0);
}

/* A descriptor number that comes back is another file; with and without a copy of the old one. */
static int reuse_numbers(rt_ctx *ctx, void *argument)
{
    bool keep_copy = *(bool *)argument;
    int first[2], copies[50];
    make_pair(first);
    int number = first[0];
    for (int i = 0; i < 50; i++) {
        int pair[2] = {first[0], first[1]};
        CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_READABLE, rt_now() + RT_US(10)), -RT_EDEADLINE);
        CU_ASSERT_EQUAL(write(pair[1], "x", 1), 1);
        CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_READABLE, 0), RT_READABLE);
        copies[i] = keep_copy ? dup(pair[0]) : -1;
        close_pair(pair);
        make_pair(first);
        CU_ASSERT_EQUAL(first[0], number);
    }
    for (int i = 0; i < 50; i++)
        if (copies[i] >= 0)
            close(copies[i]);
    close_pair(first);
    return 0;
}

static void a_descriptor_may_be_closed_at_once_and_its_number_used_again(void)
{
    bool keep_copy = false;
    CU_ASSERT_EQUAL(run(reuse_numbers, &keep_copy).result, 0);
    keep_copy = true;
    CU_ASSERT_EQUAL(run(reuse_numbers, &keep_copy).result, 0);
}

static int cancelled_then_closed(rt_ctx *ctx, void *argument)
{
    int *pair = argument;
    RT_TRY(rt_wait_fd(ctx, pair[0], RT_READABLE, 0));
    return 0;
}

static int reuse_after_cancel(rt_ctx *ctx, void *argument)
{
    int pair[2], copy;
    (void)argument;
    make_pair(pair);
    int number = pair[0];
    rt_cancel *cancel = rt_cancel_new();
    rt_cancel_fire(cancel);
    rt_exit exit;
    rt_run_exit(ctx, &exit, cancelled_then_closed, pair, .cancel = cancel);
    rt_run_exit(ctx, &exit, cancelled_then_closed, pair, .deadline = rt_now() + RT_MS(2));
    CU_ASSERT_EQUAL(exit.kind, RT_EXIT_INTERRUPTION);
    copy = dup(pair[0]);
    CU_ASSERT_EQUAL(write(pair[1], "old", 3), 3);
    close_pair(pair);
    make_pair(pair);
    CU_ASSERT_EQUAL(pair[0], number);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_READABLE, rt_now() + RT_MS(5)), -RT_EDEADLINE);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_WRITABLE, 0), RT_WRITABLE);
    close_pair(pair);
    close(copy);
    rt_cancel_free(cancel);
    return 0;
}

static void an_interrupted_wait_leaves_nothing_behind_for_the_next_user_of_the_number(void)
{
    CU_ASSERT_EQUAL(run(reuse_after_cancel, NULL).result, 0);
}

static int fill(int fd)
{
    char block[4096] = {0};
    int total = 0;
    for (ssize_t sent; (sent = write(fd, block, sizeof block)) > 0;)
        total += (int)sent;
    CU_ASSERT_EQUAL(errno, EAGAIN);
    return total;
}

static int wait_writable(rt_ctx *ctx, void *argument)
{
    int result = rt_wait_fd(ctx, *(int *)argument, RT_WRITABLE, 0);
    CU_ASSERT_EQUAL(result, RT_WRITABLE);
    return result < 0 ? result : 0;
}

static int read_and_write_at_once(rt_ctx *ctx, void *argument)
{
    int pair[2];
    (void)argument;
    make_pair(pair);
    int left = fill(pair[0]);
    rt_task *reader = rt_spawn(ctx, wait_readable, &pair[0]);
    rt_task *writer = rt_spawn(ctx, wait_writable, &pair[0]);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_READABLE, 0), -RT_EFAILED_PRECONDITION);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_WRITABLE | RT_READABLE, 0),
                    -RT_EFAILED_PRECONDITION);
    CU_ASSERT_EQUAL(write(pair[1], "x", 1), 1);
    CU_ASSERT_EQUAL(rt_join(ctx, reader), 0);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_READABLE, 0), RT_READABLE);
    for (char block[4096]; left > 0;)
        left -= (int)read(pair[1], block, sizeof block);
    CU_ASSERT_EQUAL(rt_join(ctx, writer), 0);
    close_pair(pair);
    return 0;
}

static void a_reader_and_a_writer_share_a_descriptor_but_not_two_readers(void)
{
    CU_ASSERT_EQUAL(run(read_and_write_at_once, NULL).result, 0);
}

static int one_cancelled_one_stays(rt_ctx *ctx, void *argument)
{
    int pair[2];
    (void)argument;
    make_pair(pair);
    fill(pair[0]);
    rt_task *reader = rt_spawn(ctx, wait_readable, &pair[0]);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_WRITABLE, rt_now() + RT_MS(2)), -RT_EDEADLINE);
    close(pair[1]); /* hang-up */
    CU_ASSERT_EQUAL(rt_join(ctx, reader), 0);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, pair[0], RT_WRITABLE | RT_READABLE, 0),
                    RT_WRITABLE | RT_READABLE);
    close(pair[0]);
    return 0;
}

static void a_hang_up_wakes_and_an_interrupted_writer_leaves_the_reader_waiting(void)
{
    CU_ASSERT_EQUAL(run(one_cancelled_one_stays, NULL).result, 0);
}

static int wait_for_nonsense(rt_ctx *ctx, void *argument)
{
    (void)argument;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int limit = fcntl(file, F_DUPFD_CLOEXEC, 500);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, file, RT_READABLE, 0), RT_READABLE);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, limit, RT_WRITABLE, 0), RT_WRITABLE);
    close(file);
    close(limit);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, -1, RT_READABLE, 0), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, file, RT_READABLE, 0), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, 0, 0, 0), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_wait_fd(ctx, 0, 4, 0), -RT_EINVALID_ARGUMENT);
    return 0;
}

static void a_file_is_always_ready_and_nonsense_is_refused(void)
{
    CU_ASSERT_EQUAL(run(wait_for_nonsense, NULL).result, 0);
}

static int pass_bytes(rt_ctx *ctx, void *argument)
{
    int fd = *(int *)argument;
    char byte;
    for (int i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(rt_wait_fd(ctx, fd, RT_READABLE, 0), RT_READABLE);
        CU_ASSERT_EQUAL(read(fd, &byte, 1), 1);
        CU_ASSERT_EQUAL(write(fd, &byte, 1), 1);
    }
    return 0;
}

enum { PAIRS = 200 };

static int many_conversations(rt_ctx *ctx, void *argument)
{
    int(*pairs)[2] = argument;
    for (int i = 0; i < PAIRS; i++) {
        make_pair(pairs[i]);
        rt_spawn(ctx, pass_bytes, &pairs[i][0]);
        rt_spawn(ctx, pass_bytes, &pairs[i][1]);
        CU_ASSERT_EQUAL(write(pairs[i][0], "x", 1), 1);
    }
    return 0;
}

static void hundreds_of_descriptors_wait_together(void)
{
    static int pairs[PAIRS][2];
    CU_ASSERT_EQUAL(run(many_conversations, pairs).result, 0);
    for (int i = 0; i < PAIRS; i++)
        close_pair(pairs[i]);
}

/* --- functions that block -------------------------------------------------------------------- */

struct gate {
    uv_sem_t entered, leave;
    atomic_int runs;
    atomic_bool alone; /* no fiber is current in its thread */
};

static int run_gate(void *argument)
{
    struct gate *gate = argument;
    gate->alone = !rt_current();
    gate->runs++;
    uv_sem_post(&gate->entered);
    uv_sem_wait(&gate->leave);
    return 7;
}

static int enter_gate(rt_ctx *ctx, void *argument)
{
    int result = rt_blocking(ctx, run_gate, argument);
    CU_ASSERT_EQUAL(result, 7);
    CU_ASSERT_EQUAL(rt_sleep(ctx, 0), -RT_ECANCELED);
    return 0;
}

static int open_gate_after_cancel(rt_ctx *ctx, void *argument)
{
    struct gate *gate = argument;
    rt_unit_options options = {.instance = &shop, .name = "gate"};
    rt_ctx *inside = rt_unit_start(&options, enter_gate, gate);
    uv_sem_wait(&gate->entered);
    rt_unit_cancel(inside);
    RT_TRY(rt_sleep(ctx, RT_MS(5)));
    CU_ASSERT_EQUAL(rt_unit_count(), 2); /* still inside */
    uv_sem_post(&gate->leave);
    while (rt_unit_count() > 1)
        RT_TRY(rt_sleep(ctx, RT_MS(1)));
    return 0;
}

static void a_blocking_call_that_runs_is_awaited_and_its_result_is_kept(void)
{
    struct gate gate = {.runs = 0};
    uv_sem_init(&gate.entered, 0);
    uv_sem_init(&gate.leave, 0);
    CU_ASSERT_EQUAL(run(open_gate_after_cancel, &gate).result, 0);
    CU_ASSERT_EQUAL(gate.runs, 1);
    CU_ASSERT_TRUE(gate.alone);
    uv_sem_destroy(&gate.entered);
    uv_sem_destroy(&gate.leave);
}

static int block_all_threads(rt_ctx *ctx, void *argument)
{
    int result = rt_blocking(ctx, run_gate, argument);
    return result == 7 ? 0 : -RT_EINTERNAL;
}

static int never_run(void *argument)
{
    ++*(int *)argument;
    return 0;
}

static int queue_in_vain(rt_ctx *ctx, void *argument)
{
    return rt_blocking(ctx, never_run, argument);
}

static int cancel_while_queued(rt_ctx *ctx, void *argument)
{
    struct gate *gate = argument;
    int ran = 0;
    for (int i = 0; i < 4; i++)
        rt_spawn(ctx, block_all_threads, gate);
    for (int i = 0; i < 4; i++)
        uv_sem_wait(&gate->entered);
    CU_ASSERT_EQUAL(rt_run(ctx, queue_in_vain, &ran, .deadline = rt_now() + RT_MS(2)),
                    -RT_EDEADLINE);
    CU_ASSERT_EQUAL(rt_last_error(ctx)->code, RT_EDEADLINE);
    rt_unit_options options = {.instance = &shop, .name = "queued"};
    rt_unit_cancel(rt_unit_start(&options, queue_in_vain, &ran));
    while (rt_unit_count() > 5)
        RT_TRY(rt_sleep(ctx, RT_MS(1)));
    for (int i = 0; i < 4; i++)
        uv_sem_post(&gate->leave);
    CU_ASSERT_EQUAL(ran, 0);
    return 0;
}

static void a_blocking_call_interrupted_while_queued_never_starts(void)
{
    struct gate gate = {.runs = 0};
    uv_sem_init(&gate.entered, 0);
    uv_sem_init(&gate.leave, 0);
    CU_ASSERT_EQUAL(run(cancel_while_queued, &gate).result, 0);
    uv_sem_destroy(&gate.entered);
    uv_sem_destroy(&gate.leave);
}

/* --- mutex and semaphore --------------------------------------------------------------------- */

static rt_mutex *mutex;
static rt_semaphore *semaphore;
static char order[64];

static void note_order(const char *name)
{
    strncat(order, name, sizeof order - strlen(order) - 1);
}

static int lock_and_note(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_mutex_lock(ctx, mutex));
    note_order(argument);
    int result = rt_sleep(ctx, 0);
    rt_mutex_unlock(ctx, mutex);
    return result;
}

static int contend(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_EQUAL(rt_mutex_lock(ctx, mutex), 0);
    CU_ASSERT_EQUAL(rt_mutex_lock(ctx, mutex), -RT_EFAILED_PRECONDITION);
    rt_task *tasks[] = {rt_spawn(ctx, lock_and_note, "a"), rt_spawn(ctx, lock_and_note, "b"),
                        rt_spawn(ctx, lock_and_note, "c")};
    rt_mutex_unlock(ctx, mutex);
    CU_ASSERT_EQUAL(rt_mutex_lock(ctx, mutex), 0); /* behind the three */
    note_order("d");
    rt_mutex_unlock(ctx, mutex);
    for (int i = 0; i < 3; i++)
        RT_TRY(rt_join(ctx, tasks[i]));
    return 0;
}

static void a_mutex_serves_in_the_order_they_came(void)
{
    mutex = rt_mutex_new();
    order[0] = '\0';
    CU_ASSERT_EQUAL(run(contend, NULL).result, 0);
    CU_ASSERT_STRING_EQUAL(order, "abcd");
    rt_mutex_free(mutex);
}

static int lock_until_handed(rt_ctx *ctx, void *argument)
{
    int result = rt_mutex_lock(ctx, mutex);
    *(int *)argument = result;
    if (result == 0)
        rt_mutex_unlock(ctx, mutex);
    return result;
}

/* Cancelled before the lock was handed over, and after it was, before the waiter ran. */
static int hand_over_and_cancel(rt_ctx *ctx, void *argument)
{
    int before = 1, after = 1, last = 1;
    rt_unit_options options = {.instance = &shop, .name = "waiter"};
    (void)argument;
    RT_TRY(rt_mutex_lock(ctx, mutex));
    rt_unit_cancel(rt_unit_start(&options, lock_until_handed, &before));
    rt_ctx *handed = rt_unit_start(&options, lock_until_handed, &after);
    rt_unit_start(&options, lock_until_handed, &last);
    rt_mutex_unlock(ctx, mutex);
    rt_unit_cancel(handed);
    while (rt_unit_count() > 1)
        RT_TRY(rt_sleep(ctx, 0));
    CU_ASSERT_EQUAL(before, -RT_ECANCELED);
    CU_ASSERT_EQUAL(after, 0);
    CU_ASSERT_EQUAL(last, 0);
    RT_TRY(rt_mutex_lock(ctx, mutex));
    rt_mutex_unlock(ctx, mutex);
    return 0;
}

static void a_cancelled_waiter_leaves_and_a_lock_handed_over_is_not_lost(void)
{
    mutex = rt_mutex_new();
    CU_ASSERT_EQUAL(run(hand_over_and_cancel, NULL).result, 0);
    rt_mutex_free(mutex);
}

static int die_with_lock(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(rt_mutex_lock(ctx, mutex));
    rt_die(ctx, "holds it");
}

static int unlock_unlocked(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_mutex_unlock(ctx, mutex);
    return 0;
}

static int lock_after_death(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_EQUAL(rt_run(ctx, die_with_lock, NULL), -RT_EINTERNAL);
    CU_ASSERT_EQUAL(rt_mutex_lock(ctx, mutex), 0);
    CU_ASSERT_EQUAL(rt_run(ctx, unlock_unlocked, NULL), -RT_EINTERNAL);
    CU_ASSERT_EQUAL(rt_run(ctx, lock_and_note, "", .deadline = rt_now() + RT_MS(2)), -RT_EDEADLINE);
    rt_mutex_unlock(ctx, mutex);
    return 0;
}

static void a_unit_that_dies_lets_go_of_its_mutexes(void)
{
    mutex = rt_mutex_new();
    CU_ASSERT_EQUAL(run(lock_after_death, NULL).result, 0);
    rt_mutex_free(mutex);
}

static int inside, most_inside;

static int enter_semaphore(rt_ctx *ctx, void *argument)
{
    RT_TRY(rt_semaphore_acquire(ctx, semaphore));
    note_order(argument);
    inside++;
    most_inside = inside > most_inside ? inside : most_inside;
    int result = rt_sleep(ctx, RT_MS(1));
    inside--;
    rt_semaphore_release(semaphore);
    return result;
}

static int queue_at_semaphore(rt_ctx *ctx, void *argument)
{
    static char names[] = "a\0b\0c\0d\0e\0f";
    (void)argument;
    for (int i = 0; i < 6; i++)
        rt_spawn(ctx, enter_semaphore, &names[i * 2]);
    return 0;
}

static int wait_at_semaphore(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(rt_run(ctx, queue_at_semaphore, NULL));
    CU_ASSERT_EQUAL(rt_semaphore_acquire(ctx, semaphore), 0);
    CU_ASSERT_EQUAL(rt_semaphore_acquire(ctx, semaphore), 0);
    rt_exit exit;
    rt_run_exit(ctx, &exit, enter_semaphore, "x", .deadline = rt_now() + RT_MS(1));
    CU_ASSERT_EQUAL(exit.result, -RT_EDEADLINE);
    rt_semaphore_release(semaphore);
    CU_ASSERT_EQUAL(rt_semaphore_acquire(ctx, semaphore), 0);
    return 0;
}

static void a_semaphore_lets_so_many_in_first_come_first_served(void)
{
    semaphore = rt_semaphore_new(2);
    order[0] = '\0';
    most_inside = 0;
    CU_ASSERT_EQUAL(run(wait_at_semaphore, NULL).result, 0);
    CU_ASSERT_STRING_EQUAL(order, "abcdef");
    CU_ASSERT_EQUAL(most_inside, 2);
    rt_semaphore_free(semaphore);
}

/* --- channels -------------------------------------------------------------------------------- */

static int numbers[100];

static int send_numbers(rt_ctx *ctx, void *argument)
{
    rt_channel *channel = argument;
    for (int i = 0; i < 100; i++)
        RT_TRY(rt_channel_send(ctx, channel, i ? &numbers[i] : NULL));
    rt_channel_close(channel);
    CU_ASSERT_EQUAL(rt_channel_send(ctx, channel, NULL), -RT_EFAILED_PRECONDITION);
    return 0;
}

static int receive_numbers(rt_ctx *ctx, void *argument)
{
    rt_channel *channel = argument;
    void *item = &item;
    for (int i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(rt_channel_receive(ctx, channel, &item), 0);
        CU_ASSERT_PTR_EQUAL(item, i ? &numbers[i] : NULL);
    }
    CU_ASSERT_EQUAL(rt_channel_receive(ctx, channel, &item), -RT_EOUT_OF_RANGE);
    CU_ASSERT_EQUAL(rt_channel_receive(ctx, channel, &item), -RT_EOUT_OF_RANGE);
    return 0;
}

static int exchange_numbers(rt_ctx *ctx, void *argument)
{
    rt_task *task = rt_spawn(ctx, receive_numbers, argument);
    RT_TRY(send_numbers(ctx, argument));
    return rt_join(ctx, task);
}

static int exchange_numbers_sender_first(rt_ctx *ctx, void *argument)
{
    rt_task *task = rt_spawn(ctx, send_numbers, argument);
    RT_TRY(receive_numbers(ctx, argument));
    return rt_join(ctx, task);
}

static void a_channel_keeps_the_order_whatever_its_capacity(void)
{
    const uint32_t capacities[] = {0, 1, 3, 64, 1000};
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        rt_channel *channel = rt_channel_new(capacities[i]);
        CU_ASSERT_EQUAL(run(exchange_numbers, channel).result, 0);
        rt_channel_free(channel);
        channel = rt_channel_new(capacities[i]);
        CU_ASSERT_EQUAL(run(exchange_numbers_sender_first, channel).result, 0);
        rt_channel_free(channel);
    }
}

static int send_one(rt_ctx *ctx, void *argument)
{
    return rt_channel_send(ctx, argument, &numbers[1]);
}

static int receive_one(rt_ctx *ctx, void *argument)
{
    void *item;
    return rt_channel_receive(ctx, argument, &item);
}

static int fill_and_close(rt_ctx *ctx, void *argument)
{
    rt_channel *channel = argument;
    void *item;
    RT_TRY(rt_channel_send(ctx, channel, &numbers[0]));
    CU_ASSERT_EQUAL(rt_run(ctx, send_one, channel, .deadline = rt_now() + RT_MS(1)), -RT_EDEADLINE);
    rt_task *sender = rt_spawn(ctx, send_one, channel);
    rt_channel_close(channel);
    CU_ASSERT_EQUAL(rt_join(ctx, sender), -RT_EFAILED_PRECONDITION);
    CU_ASSERT_STRING_EQUAL(rt_last_error(ctx)->message, "the channel is closed");
    CU_ASSERT_EQUAL(rt_channel_receive(ctx, channel, &item), 0);
    CU_ASSERT_PTR_EQUAL(item, &numbers[0]);
    return rt_channel_receive(ctx, channel, &item);
}

static void closing_a_channel_fails_its_senders_and_drains_to_its_receivers(void)
{
    rt_channel *channel = rt_channel_new(1);
    ending end = run(fill_and_close, channel);
    CU_ASSERT_EQUAL(end.result, -RT_EOUT_OF_RANGE);
    rt_channel_free(channel);
}

static int close_under_receiver(rt_ctx *ctx, void *argument)
{
    rt_task *receiver = rt_spawn(ctx, receive_one, argument);
    rt_channel_close(argument);
    return rt_join(ctx, receiver);
}

static void closing_a_channel_wakes_its_receivers(void)
{
    rt_channel *channel = rt_channel_new(0);
    CU_ASSERT_EQUAL(run(close_under_receiver, channel).result, -RT_EOUT_OF_RANGE);
    rt_channel_free(channel);
}

RT_TEST_MAIN("fiber sync",
             {"a descriptor wakes for what it is ready for",
              a_descriptor_wakes_for_what_it_is_ready_for},
             {"a descriptor may be closed at once and its number used again",
              a_descriptor_may_be_closed_at_once_and_its_number_used_again},
             {"an interrupted wait leaves nothing behind for the next user of the number",
              an_interrupted_wait_leaves_nothing_behind_for_the_next_user_of_the_number},
             {"a reader and a writer share a descriptor but not two readers",
              a_reader_and_a_writer_share_a_descriptor_but_not_two_readers},
             {"a hang-up wakes, and an interrupted writer leaves the reader waiting",
              a_hang_up_wakes_and_an_interrupted_writer_leaves_the_reader_waiting},
             {"a file is always ready and nonsense is refused",
              a_file_is_always_ready_and_nonsense_is_refused},
             {"hundreds of descriptors wait together", hundreds_of_descriptors_wait_together},
             {"a blocking call that runs is awaited and its result is kept",
              a_blocking_call_that_runs_is_awaited_and_its_result_is_kept},
             {"a blocking call interrupted while queued never starts",
              a_blocking_call_interrupted_while_queued_never_starts},
             {"a mutex serves in the order they came", a_mutex_serves_in_the_order_they_came},
             {"a cancelled waiter leaves and a lock handed over is not lost",
              a_cancelled_waiter_leaves_and_a_lock_handed_over_is_not_lost},
             {"a unit that dies lets go of its mutexes", a_unit_that_dies_lets_go_of_its_mutexes},
             {"a semaphore lets so many in, first come, first served",
              a_semaphore_lets_so_many_in_first_come_first_served},
             {"a channel keeps the order whatever its capacity",
              a_channel_keeps_the_order_whatever_its_capacity},
             {"closing a channel fails its senders and drains to its receivers",
              closing_a_channel_fails_its_senders_and_drains_to_its_receivers},
             {"closing a channel wakes its receivers", closing_a_channel_wakes_its_receivers})
