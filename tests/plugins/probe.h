/* probe/1: which instance answers; a capability as a third party would declare it */
#ifndef PROBE_H
#define PROBE_H

#include <rt/capability.h>

#define PROBE_METHODS(M)                                   \
    M(probe, label, RT_IDEMPOTENT, (const char **, label)) \
    M(probe, fail, RT_NO_FLAGS, (const char *, reason))
#define RT_METHODS_probe RT_METHOD_NAMES(PROBE_METHODS)
RT_CAPABILITY(probe, 1, PROBE_METHODS)

#endif
