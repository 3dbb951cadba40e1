/* source/1 of the tests: waits for an answer */
#ifndef RT_TEST_CAP_SOURCE_H
#define RT_TEST_CAP_SOURCE_H

#include <rt/capability.h>

#define RT_SOURCE_METHODS(M)                                        \
    M(source, fetch, RT_WAITS | RT_IDEMPOTENT, (int64_t *, answer)) \
    M(source, push, RT_WAITS, (int64_t, number))                    \
    M(source, peek, RT_IDEMPOTENT, (int64_t *, answer))
#define RT_METHODS_source RT_METHOD_NAMES(RT_SOURCE_METHODS)
RT_CAPABILITY(source, 1, RT_SOURCE_METHODS)

#endif
