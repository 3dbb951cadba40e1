/* puppet/1 of the tests: does what rtctl call asks for */
#ifndef RT_TEST_CAP_PUPPET_H
#define RT_TEST_CAP_PUPPET_H

#include <rt/capability.h>

#define RT_PUPPET_METHODS(M)                                                        \
    M(puppet, say, RT_IDEMPOTENT, (const char *, text), (const char **, text_said), \
      (const char **, who), (int32_t *, pid))                                       \
    M(puppet, wait, RT_WAITS, (const char *, gate))                                 \
    M(puppet, stay, RT_WAITS, (const char *, gate))                                 \
    M(puppet, hold, RT_NO_FLAGS, (const char *, gate))                              \
    M(puppet, crash, RT_NO_FLAGS)                                                   \
    M(puppet, die, RT_NO_FLAGS)                                                     \
    M(puppet, fail, RT_NO_FLAGS, (int32_t, code))                                   \
    M(puppet, fill, RT_NO_FLAGS, (uint32_t, bytes), (const char **, text))          \
    M(puppet, left_out, RT_NO_FLAGS)
#define RT_METHODS_puppet RT_METHOD_NAMES(RT_PUPPET_METHODS)
RT_CAPABILITY(puppet, 1, RT_PUPPET_METHODS)

#endif
