/* eta/1 of the tests: answers a number */
#ifndef RT_TEST_CAP_ETA_H
#define RT_TEST_CAP_ETA_H

#include <rt/capability.h>

#define RT_ETA_METHODS(M)                           \
    M(eta, ask, RT_IDEMPOTENT, (int64_t *, answer)) \
    M(eta, tell, RT_NO_FLAGS, (int64_t, number))
#define RT_METHODS_eta RT_METHOD_NAMES(RT_ETA_METHODS)
RT_CAPABILITY(eta, 1, RT_ETA_METHODS)

#endif
