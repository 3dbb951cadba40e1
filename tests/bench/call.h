/* call.h — a capability of one method, to measure what its wrapper adds to a call
 *
 * The method does next to nothing and touches no memory: a sum kept in memory would take as long
 * as the wrapper and hide it, for the processor does both at once.
 */
#ifndef RT_BENCH_CALL_H
#define RT_BENCH_CALL_H

#include <rt/capability.h>

#define RT_PROBE_METHODS(M) M(probe, next, RT_NO_FLAGS, (int, number))
#define RT_METHODS_probe RT_METHOD_NAMES(RT_PROBE_METHODS)

RT_CAPABILITY(probe, 1, RT_PROBE_METHODS)

/* In a shared object of its own, as a provider is; found by name, which a module would hide. */
__attribute__((visibility("default"))) const struct rt_probe_table *probe_table(void);

#endif
