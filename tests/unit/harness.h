/* harness.h — a CUnit program whose exit status can be believed
 *
 *     RT_TEST_MAIN("arena", {"an arena hands out zeroed memory", zeroed}, …)
 */
#ifndef RT_TEST_HARNESS_H
#define RT_TEST_HARNESS_H

#include <CUnit/Basic.h>
#include <stdio.h>

typedef struct rt_test_case {
    const char *sentence;
    void (*run)(void);
} rt_test_case;

static inline int rt_test_run(const char *name, const rt_test_case *cases, size_t count)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 2;
    CU_pSuite suite = CU_add_suite(name, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        if (!suite || !CU_add_test(suite, cases[i].sentence, cases[i].run))
            return 2;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned ran = CU_get_number_of_tests_run(), failed = CU_get_number_of_tests_failed();
    unsigned broken = CU_get_number_of_suites_failed();
    CU_cleanup_registry();
    printf("%u passed, %u failed\n", ran - failed, failed + broken);
    return ran == count && count && !failed && !broken ? 0 : 1;
}

#define RT_TEST_MAIN(name, ...)                                          \
    int main(void)                                                       \
    {                                                                    \
        static const rt_test_case cases[] = {__VA_ARGS__};               \
        return rt_test_run(name, cases, sizeof cases / sizeof cases[0]); \
    }

#endif
