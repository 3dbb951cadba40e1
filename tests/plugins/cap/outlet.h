/* outlet/1 of the tests: binds all its providers */
#ifndef RT_TEST_CAP_OUTLET_H
#define RT_TEST_CAP_OUTLET_H

#include <rt/capability.h>

#define RT_OUTLET_METHODS(M) M(outlet, send, RT_WAITS, (const char *, text))
#define RT_METHODS_outlet RT_METHOD_NAMES(RT_OUTLET_METHODS) RT_MANY
RT_CAPABILITY_MANY(outlet, 1, RT_OUTLET_METHODS)

#endif
