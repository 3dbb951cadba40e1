/* zeta/1 of the tests: answers a number */
#ifndef RT_TEST_CAP_ZETA_H
#define RT_TEST_CAP_ZETA_H

#include <rt/capability.h>

#define RT_ZETA_METHODS(M)                           \
    M(zeta, ask, RT_IDEMPOTENT, (int64_t *, answer)) \
    M(zeta, tell, RT_NO_FLAGS, (int64_t, number))
#define RT_METHODS_zeta RT_METHOD_NAMES(RT_ZETA_METHODS)
RT_CAPABILITY(zeta, 1, RT_ZETA_METHODS)

#endif
