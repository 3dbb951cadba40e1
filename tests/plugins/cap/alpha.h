/* alpha/1 of the tests: answers a number */
#ifndef RT_TEST_CAP_ALPHA_H
#define RT_TEST_CAP_ALPHA_H

#include <rt/capability.h>

#define RT_ALPHA_METHODS(M)                           \
    M(alpha, ask, RT_IDEMPOTENT, (int64_t *, answer)) \
    M(alpha, tell, RT_NO_FLAGS, (int64_t, number))
#define RT_METHODS_alpha RT_METHOD_NAMES(RT_ALPHA_METHODS)
RT_CAPABILITY(alpha, 1, RT_ALPHA_METHODS)

#endif
