/* alpha/2 of the tests: the next, incompatible version of alpha/1 */
#ifndef RT_TEST_CAP_ALPHA_2_H
#define RT_TEST_CAP_ALPHA_2_H

#include <rt/capability.h>

#define RT_ALPHA_METHODS(M) M(alpha, ask, RT_IDEMPOTENT, (const char **, answer))
#define RT_METHODS_alpha RT_METHOD_NAMES(RT_ALPHA_METHODS)
RT_CAPABILITY(alpha, 2, RT_ALPHA_METHODS)

#endif
