/* beta/1 of the tests: answers a number */
#ifndef RT_TEST_CAP_BETA_H
#define RT_TEST_CAP_BETA_H

#include <rt/capability.h>

#define RT_BETA_METHODS(M)                           \
    M(beta, ask, RT_IDEMPOTENT, (int64_t *, answer)) \
    M(beta, tell, RT_NO_FLAGS, (int64_t, number))
#define RT_METHODS_beta RT_METHOD_NAMES(RT_BETA_METHODS)
RT_CAPABILITY(beta, 1, RT_BETA_METHODS)

#endif
