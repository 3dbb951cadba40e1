/* The pool of metrics: slots that workers of all generations take in turn. */
#include "process/metric_pool.h"

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static rt_instrument counter = {.name = "test.done", .help = "Done"};
static rt_instrument gauge = {.name = "test.open", .help = "Open", .kind = RT_GAUGE};

/* A worker's life: a process that counts in a slot. */
static void live(int fd, uint32_t slot, uint64_t count, double open)
{
    pid_t pid = fork();
    if (pid == 0) {
        void *room = rt_metric_slot_map(fd, slot);
        rt_metrics_open(room, RT_METRIC_ROOM);
        rt_series_add(rt_series_of(&counter, NULL, 0), count);
        rt_series_set(rt_series_of(&gauge, NULL, 0), open);
        _exit(0);
    }
    int status;
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
}

static uint64_t counted(int fd)
{
    rt_metric_view *view = rt_metric_view_new();
    CU_ASSERT_EQUAL(rt_metric_pool_read(fd, view), 0);
    rt_metric_view_finish(view);
    const rt_metric_family *family = rt_metric_view_find(view, "test.done");
    uint64_t value = family ? *family->points[0]->values : 0;
    rt_metric_view_free(view);
    return value;
}

static double open_now(int fd)
{
    rt_metric_view *view = rt_metric_view_new();
    rt_metric_pool_read(fd, view);
    rt_metric_view_finish(view);
    const rt_metric_family *family = rt_metric_view_find(view, "test.open");
    double value = family ? rt_bits_real(*family->points[0]->values) : -1;
    rt_metric_view_free(view);
    return value;
}

static void what_was_counted_stays_when_workers_come_and_go(void)
{
    rt_metric_pool *pool = rt_metric_pool_of_host();
    CU_ASSERT_FATAL(pool->fd >= 0);
    CU_ASSERT_EQUAL(rt_metric_pool_take(pool, 1, 1), 1);
    CU_ASSERT_EQUAL(rt_metric_pool_take(pool, 1, 2), 2);
    live(pool->fd, 1, 5, 3);
    live(pool->fd, 2, 7, 4);
    CU_ASSERT_EQUAL(counted(pool->fd), 12);
    CU_ASSERT_EQUAL(open_now(pool->fd), 7);
    rt_metric_pool_give(pool, 1);
    CU_ASSERT_EQUAL(counted(pool->fd), 12);
    CU_ASSERT_EQUAL(open_now(pool->fd), 4);
    CU_ASSERT_EQUAL(rt_metric_pool_take(pool, 2, 1), 1); /* the next generation's */
    live(pool->fd, 1, 10, 1);
    CU_ASSERT_EQUAL(counted(pool->fd), 22);
    CU_ASSERT_EQUAL(open_now(pool->fd), 5);
    CU_ASSERT(rt_metric_pool_began(pool->fd) > 0);
}

static void another_rtd_takes_it_over_whole(void)
{
    rt_metric_pool *pool = rt_metric_pool_of_host();
    uint64_t before = counted(pool->fd);
    int fd = fcntl(pool->fd, F_DUPFD_CLOEXEC, 3);
    CU_ASSERT_EQUAL_FATAL(rt_metric_pool_adopt(fd), 0);
    rt_metric_pool_retake(pool, 2, 1, 2); /* who lives on */
    CU_ASSERT_EQUAL(counted(pool->fd), before);
    CU_ASSERT_EQUAL(rt_metric_pool_take(pool, 3, 1), 1);
    CU_ASSERT_EQUAL(rt_metric_pool_take(pool, 3, 2), 3);
    rt_metric_pool_give(pool, 1);
    rt_metric_pool_give(pool, 3);
}

static void what_is_no_pool_is_not_taken_over(void)
{
    int fd = memfd_create("none", MFD_CLOEXEC);
    CU_ASSERT_EQUAL(rt_metric_pool_adopt(fd), -EPROTO);
    CU_ASSERT_EQUAL(ftruncate(fd, 1 << 20), 0);
    CU_ASSERT_EQUAL(rt_metric_pool_adopt(fd), -EPROTO);
    CU_ASSERT_EQUAL(rt_metric_pool_adopt(-1), -EPROTO);
    close(fd);
}

static void nobody_makes_it_shorter(void)
{
    rt_metric_pool *pool = rt_metric_pool_of_host();
    CU_ASSERT_EQUAL(ftruncate(pool->fd, 4096), -1);
    CU_ASSERT_PTR_NULL(rt_metric_slot_map(pool->fd, RT_METRIC_SLOTS + 1));
}

/* By a plugin in a worker, which has the descriptor. */
static void an_index_that_was_scribbled_over_misleads_nobody_for_long(void)
{
    rt_metric_pool *pool = rt_metric_pool_of_host();
    uint64_t before = counted(pool->fd);
    uint32_t slot = rt_metric_pool_take(pool, 4, 1);
    memset((void *)pool->index, 0xff, 16384);
    CU_ASSERT(counted(pool->fd) >= before); /* all slots are looked at */
    rt_metric_pool_give(pool, slot);
    CU_ASSERT_EQUAL(counted(pool->fd), before);
    CU_ASSERT_EQUAL(rt_metric_pool_adopt(fcntl(pool->fd, F_DUPFD_CLOEXEC, 3)),
                    0); /* it is one again */
}

static void a_pool_without_a_free_slot_gives_none(void)
{
    rt_metric_pool *pool = rt_metric_pool_of_host();
    uint32_t last = 0;
    for (uint32_t slot; (slot = rt_metric_pool_take(pool, 5, 1)) != 0; last = slot)
        ;
    CU_ASSERT_EQUAL(last, RT_METRIC_SLOTS);
    rt_metric_pool_give(pool, 77);
    CU_ASSERT_EQUAL(rt_metric_pool_take(pool, 6, 1), 77);
}

RT_TEST_MAIN("metric pool",
             {"what was counted stays when workers come and go",
              what_was_counted_stays_when_workers_come_and_go},
             {"another rtd takes it over whole", another_rtd_takes_it_over_whole},
             {"what is no pool is not taken over", what_is_no_pool_is_not_taken_over},
             {"nobody makes it shorter", nobody_makes_it_shorter},
             {"an index that was scribbled over misleads nobody for long",
              an_index_that_was_scribbled_over_misleads_nobody_for_long},
             {"a pool without a free slot gives none", a_pool_without_a_free_slot_gives_none})
