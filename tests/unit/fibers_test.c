/* What the workers answer about their units of work, put together. */
#include "process/fibers.h"

#include "harness.h"

#include <string.h>

struct printed {
    rt_buffer out, err;
};

static struct printed print(const rt_fibers *fibers, uint32_t worker)
{
    struct printed printed = {0};
    rt_fibers_print(fibers, worker, &printed.out, &printed.err);
    return printed;
}

static void forget(struct printed *printed)
{
    rt_buffer_free(&printed->out);
    rt_buffer_free(&printed->err);
}

static void answers_are_put_together_as_they_come(void)
{
    rt_fibers fibers = {0};
    rt_fibers_begin(&fibers, 1000);
    rt_fibers_expect(&fibers, 3, 1, 41);
    rt_fibers_expect(&fibers, 3, 2, 42);
    CU_ASSERT_FALSE(rt_fibers_ready(&fibers, 0, 1000));
    rt_fibers_take(&fibers, 42, 1000, "GET /a\tshop\tsleep\t1.250\t900\t8192\t131072\n");
    CU_ASSERT_TRUE(rt_fibers_ready(&fibers, 2, 1000));
    CU_ASSERT_FALSE(rt_fibers_ready(&fibers, 1, 1000));
    rt_fibers_take(&fibers, 41, 1000, NULL);
    CU_ASSERT_TRUE(rt_fibers_ready(&fibers, 0, 1000));
    rt_fibers_take(&fibers, 41, 1000, "too\tlate\n");
    struct printed printed = print(&fibers, 0);
    const char *row = strchr(printed.out.data, '\n') + 1;
    CU_ASSERT_EQUAL(strncmp(printed.out.data, "gen worker work ", 16), 0);
    CU_ASSERT_EQUAL(strncmp(row, "3   2      GET /a ", 18), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(row, " 1.250       900      8192    131072\n"));
    CU_ASSERT_PTR_NULL(strstr(printed.out.data, "late"));
    CU_ASSERT_EQUAL(printed.err.length, 0);
    forget(&printed);
    rt_fibers_free(&fibers);
}

static void who_does_not_answer_in_time_is_named_with_what_holds_it(void)
{
    const uint64_t patience = UINT64_C(2) * 1000000000;
    rt_fibers fibers = {0};
    CU_ASSERT_FALSE(rt_fibers_ready(&fibers, 0, 1000)); /* nothing was asked */
    rt_fibers_begin(&fibers, 1000);
    rt_fibers_expect(&fibers, 1, 1, 41);
    rt_fibers_expect(&fibers, 1, 2, 42);
    rt_fibers_expect(&fibers, 1, 3, 43);
    rt_fibers_take(&fibers, 41, 1000, "one\tshop\truns");
    rt_fibers_lose(&fibers, 43);
    CU_ASSERT_FALSE(rt_fibers_ready(&fibers, 0, 1000 + patience - 1));
    CU_ASSERT_TRUE(rt_fibers_ready(&fibers, 0, 1000 + patience));
    rt_fibers_explain(&fibers, 42, "`GET /\033` holds it");
    rt_fibers_explain(&fibers, 41, "nothing");
    struct printed printed = print(&fibers, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(printed.out.data, "\n1   1      one "));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(printed.err.data, "worker 2 (pid 42, generation 1) does not answer: `GET /"));
    CU_ASSERT_PTR_NULL(strchr(printed.err.data, '\033'));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(printed.err.data, "\nworker 3 (pid 43, generation 1) ended meanwhile\n"));
    forget(&printed);
    printed = print(&fibers, 1);
    CU_ASSERT_EQUAL(printed.err.length, 0);
    forget(&printed);
    rt_fibers_free(&fibers);
}

static void the_answer_to_an_earlier_question_is_none(void)
{
    rt_fibers fibers = {0};
    rt_fibers_begin(&fibers, 1000);
    rt_fibers_expect(&fibers, 1, 1, 41);
    rt_fibers_begin(&fibers, 5000);
    rt_fibers_expect(&fibers, 1, 1, 41);
    rt_fibers_take(&fibers, 41, 1000, "late\tshop\truns");
    rt_fibers_take(&fibers, 77, 5000, "stranger\tshop\truns");
    CU_ASSERT_FALSE(rt_fibers_ready(&fibers, 0, 5000));
    rt_fibers_take(&fibers, 41, 5000, "a\033[2Jb\tshop\truns\t\n\n");
    CU_ASSERT_TRUE(rt_fibers_ready(&fibers, 0, 5000));
    struct printed printed = print(&fibers, 0);
    CU_ASSERT_PTR_NULL(strstr(printed.out.data, "late"));
    CU_ASSERT_PTR_NULL(strchr(printed.out.data, '\033'));
    forget(&printed);
    rt_fibers_free(&fibers);
}

RT_TEST_MAIN("fibers",
             {"answers are put together as they come", answers_are_put_together_as_they_come},
             {"who does not answer in time is named with what holds it",
              who_does_not_answer_in_time_is_named_with_what_holds_it},
             {"the answer to an earlier question is none",
              the_answer_to_an_earlier_question_is_none})
