/* Lines that repeat: what is written, what is held back, and that the sum is always told. */
#include "harness.h"

#include "base/redact.h"
#include "telemetry/log_record.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT = 3, PATIENCE = 30000 /* ms */ };

static char path[] = "/tmp/rt-repeat-test-XXXXXX";
static rt_buffer text;

static void open_log(uint32_t repeat)
{
    rt_log_options options = {.level = "info", .format = "json", .file = path, .repeat = repeat};
    CU_ASSERT_EQUAL(rt_log_open(&options), 0);
    CU_ASSERT_EQUAL(truncate(path, 0), 0);
}

static const char *lines(void)
{
    text.length = 0;
    CU_ASSERT_EQUAL(rt_buffer_read_file(&text, path, 64 << 20), 0);
    return text.data ? text.data : "";
}

struct count {
    unsigned long long written, held;
};

/* Of the lines with this text. A second may end at any moment, which tells a sum earlier and lets
 * as many lines through again, but adds up to the same. */
static struct count count_lines(const char *message)
{
    struct count count = {0};
    for (const char *line = lines(), *end; (end = strchr(line, '\n')); line = end + 1) {
        const char *found = strstr(line, message);
        const char *repeated = strstr(line, "\"repeated\":");
        if (!found || found > end)
            continue;
        if (repeated && repeated < end)
            count.held += strtoull(repeated + strlen("\"repeated\":"), NULL, 10);
        else
            count.written++;
    }
    return count;
}

static void a_flood_is_summed_up(void)
{
    open_log(LIMIT);
    for (int i = 0; i < 1000; i++)
        rt_log_host(RT_LOG_INFO, "attempt %d failed after %d.%d ms", i, i % 7, i % 10);
    rt_log_settle(true);
    struct count count = count_lines("attempt ");
    CU_ASSERT_EQUAL(count.written + count.held, 1000);
    CU_ASSERT_TRUE(count.written >= LIMIT && count.written <= 4 * LIMIT);
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "\"module\":\"rtd\",\"message\":\"attempt 3 failed"));
}

static void a_few_are_not(void)
{
    open_log(LIMIT);
    for (int i = 0; i < LIMIT; i++)
        rt_log_host(RT_LOG_INFO, "now and then");
    rt_log_settle(true);
    CU_ASSERT_EQUAL(count_lines("now and then").written, LIMIT);
    CU_ASSERT_EQUAL(count_lines("now and then").held, 0);
}

static void without_a_limit_every_line_is_written(void)
{
    open_log(0);
    for (int i = 0; i < 500; i++)
        rt_log_host(RT_LOG_INFO, "again");
    CU_ASSERT_EQUAL(count_lines("again").written, 500);
}

static void fatal_lines_are_never_held(void)
{
    open_log(LIMIT);
    for (int i = 0; i < 200; i++)
        rt_log_host(RT_LOG_FATAL, "the end");
    CU_ASSERT_EQUAL(count_lines("the end").written, 200);
}

static void other_lines_go_on_beside_a_flood(void)
{
    rt_log_record record = {.level = RT_LOG_WARN,
                            .module = "first",
                            .message = "a flood",
                            .time = {.tv_sec = time(NULL)}};
    open_log(LIMIT);
    for (int i = 0; i < 100; i++)
        rt_log_host(RT_LOG_WARN, "a flood");
    rt_log_host(RT_LOG_ERROR, "a flood");
    rt_log_host(RT_LOG_WARN, "a flood of another kind");
    CU_ASSERT_FALSE(rt_log_repeat_holds(&record));
    record.module = "second";
    CU_ASSERT_FALSE(rt_log_repeat_holds(&record));
    lines();
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "\"level\":\"error\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "of another kind"));
    rt_log_settle(true);
}

static void fields_do_not_make_lines_different(void)
{
    open_log(LIMIT);
    for (int i = 0; i < 100; i++) {
        const rt_field field = {"order", NULL, i};
        rt_host_log_fields(NULL, RT_LOG_INFO, &field, 1, "payment is late");
    }
    rt_log_settle(true);
    struct count count = count_lines("payment is late");
    CU_ASSERT_TRUE(count.written < 100);
    CU_ASSERT_EQUAL(count.written + count.held, 100);
}

/* Whoever has a loop waits for the descriptor. */
static void the_sum_comes_without_another_line(void)
{
    open_log(LIMIT);
    for (int i = 0; i < 50; i++)
        rt_log_host(RT_LOG_INFO, "and then silence");
    struct count count = count_lines("and then silence");
    struct pollfd ready = {rt_log_settles(), POLLIN, 0};
    while (count.written + count.held < 50 && poll(&ready, 1, PATIENCE) == 1) {
        rt_log_settle(false);
        count = count_lines("and then silence");
    }
    CU_ASSERT_EQUAL(count.written + count.held, 50);
    CU_ASSERT_EQUAL(poll(&ready, 1, 0), 0); /* and no more is to come */
}

static void the_next_line_brings_the_sum_of_the_second_before(void)
{
    struct timespec pause = {1, 100000000}; /* a second is what the limit is for */
    open_log(LIMIT);
    for (int i = 0; i < 50; i++)
        rt_log_host(RT_LOG_INFO, "once more");
    nanosleep(&pause, NULL);
    rt_log_host(RT_LOG_INFO, "once more");
    struct count count = count_lines("once more");
    CU_ASSERT_EQUAL(count.written + count.held, 51);
    rt_log_settle(true);
    CU_ASSERT_EQUAL(count_lines("once more").held, count.held);
}

static void opening_the_log_anew_tells_what_is_held(void)
{
    open_log(LIMIT);
    for (int i = 0; i < 50; i++)
        rt_log_host(RT_LOG_INFO, "before");
    rt_log_options options = {.level = "info", .format = "json", .file = path, .repeat = 9};
    CU_ASSERT_EQUAL(rt_log_open(&options), 0);
    struct count count = count_lines("before");
    CU_ASSERT_EQUAL(count.written + count.held, 50);
}

static void a_sum_holds_no_secret_and_no_half_of_one(void)
{
    char message[400];
    open_log(1);
    rt_redact_add("correct-horse");
    memset(message, 'x', sizeof message);
    strcpy(message + 250, "correct-horse"); /* over the end of what is kept */
    for (int i = 0; i < 20; i++)
        rt_log_host(RT_LOG_INFO, "%s", message);
    rt_log_settle(true);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines(), "repeated"));
    CU_ASSERT_PTR_NULL(strstr(text.data, "corr"));
    rt_redact_forget();
}

/* --- threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, TEXTS = 8, EACH = 4000 };

static void *flood(void *argument)
{
    (void)argument;
    for (int i = 0; i < EACH; i++)
        rt_log_host(RT_LOG_INFO, "thread text %c", 'a' + i % TEXTS);
    return NULL;
}

static void lines_of_several_threads_add_up(void)
{
    pthread_t threads[THREADS];
    open_log(LIMIT);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, flood, NULL);
    for (int i = 0; i < 200; i++)
        rt_log_settle(i % 2); /* sums are taken out while lines are counted */
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    rt_log_settle(true);
    struct count count = count_lines("thread text ");
    CU_ASSERT_EQUAL(count.written + count.held, THREADS * EACH);
}

static void another_limit_counts_anew(void)
{
    open_log(LIMIT);
    rt_log_host(RT_LOG_INFO, "once");
    open_log(0);
    rt_log_settle(true);
    CU_ASSERT_PTR_NULL(strstr(lines(), "repeated"));
}

static void finish(void)
{
    rt_log_open(&(rt_log_options){0});
    unlink(path);
    rt_buffer_free(&text);
}

__attribute__((constructor)) static void make_file(void)
{
    int fd = mkstemp(path);
    if (fd >= 0)
        close(fd);
}

RT_TEST_MAIN("log_repeat", {"a flood is summed up", a_flood_is_summed_up},
             {"a few are not", a_few_are_not},
             {"without a limit every line is written", without_a_limit_every_line_is_written},
             {"fatal lines are never held", fatal_lines_are_never_held},
             {"other lines go on beside a flood", other_lines_go_on_beside_a_flood},
             {"fields do not make lines different", fields_do_not_make_lines_different},
             {"the sum comes without another line", the_sum_comes_without_another_line},
             {"the next line brings the sum of the second before",
              the_next_line_brings_the_sum_of_the_second_before},
             {"opening the log anew tells what is held", opening_the_log_anew_tells_what_is_held},
             {"a sum holds no secret and no half of one", a_sum_holds_no_secret_and_no_half_of_one},
             {"lines of several threads add up", lines_of_several_threads_add_up},
             {"another limit counts anew", another_limit_counts_anew},
             {"the log goes back to standard error", finish})
