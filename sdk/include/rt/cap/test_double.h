/* rt/cap/test_double.h — test-double/1: what a test does with a test double
 *
 * Provided by the modules of the tier `test` beside the capability that they double. Every call is
 * recorded; the newest are kept.
 *
 * Ownership: what get returns lives as long as the unit of work. Waiting: no method waits.
 * Errors: get past the last call is -RT_ENOT_FOUND; a method that the double does not have, and a
 * code that is no rt_code, are -RT_EINVALID_ARGUMENT.
 *
 *     RT_REQUIRES(test_double, 1)
 *     …
 *     RT_TRY(rt_test_double_fail_next(ctx, test_double, "get", RT_EUNAVAILABLE, 2));
 *     …
 *     rt_double_call call = {.size = sizeof call};
 *     RT_TRY(rt_test_double_get(ctx, test_double, 0, &call));
 *     assert_equal(call.method, "get");
 */
#ifndef RT_CAP_TEST_DOUBLE_H
#define RT_CAP_TEST_DOUBLE_H

#include <rt/capability.h>

/* One call. */
typedef struct rt_double_call {
    uint32_t size;         /* set by the caller */
    int32_t code;          /* what it answered: 0 or -RT_E… */
    const char *method;    /* "get" */
    const char *arguments; /* as JSON */
} rt_double_call;

#define RT_DOUBLE_CALL_FIELDS(F)     \
    F(rt_double_call, SIZE, size)    \
    F(rt_double_call, VALUE, code)   \
    F(rt_double_call, VALUE, method) \
    F(rt_double_call, VALUE, arguments)
RT_FORM(rt_double_call, RT_DOUBLE_CALL_FIELDS)
#define RT_DOUBLE_FORMS(F) F(rt_double_call)
#define RT_FORMS_test_double ~, RT_DOUBLE_FORMS

/* count      calls kept.
 * get        the call at `index`, the newest first.
 * fail_next  the next `calls` calls of a method ("*": of any) answer -code.
 * replace    a function of the method's own type answers in its place, as the double's instance;
 *            NULL: no longer.
 * reset      forgets calls, failures, replacements and all that was put into it. */
#define RT_TEST_DOUBLE_METHODS(M)                                                    \
    M(test_double, count, RT_IDEMPOTENT, (uint64_t *, count))                        \
    M(test_double, get, RT_IDEMPOTENT, (uint64_t, index), (rt_double_call *, call))  \
    M(test_double, fail_next, RT_NO_FLAGS, (const char *, method), (int32_t, code),  \
      (uint32_t, calls))                                                             \
    M(test_double, replace, RT_NO_FLAGS, (const char *, method), (void *, function)) \
    M(test_double, reset, RT_IDEMPOTENT)
#define RT_METHODS_test_double RT_METHOD_NAMES(RT_TEST_DOUBLE_METHODS)

RT_CAPABILITY(test_double, 1, RT_TEST_DOUBLE_METHODS)

#endif
