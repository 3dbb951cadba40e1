/* rt/cap/clock.h — clock/1: what time it is
 *
 * Times: nanoseconds. `now` counts from 1970-01-01T00:00:00Z without leap seconds (POSIX time);
 * `monotonic` from an unspecified start and never goes back.
 * Waiting: no method waits. Errors: `set` and `advance` exist on the test double alone, elsewhere
 * they answer -RT_EUNIMPLEMENTED; `advance` by a negative time is -RT_EINVALID_ARGUMENT.
 * A call is cheap: require it raw. The handle is called `rt_clock`, since <time.h> has a `clock`.
 *
 *     RT_REQUIRES(clock, 1, RT_RAW)
 *     …
 *     int64_t now;
 *     RT_TRY(rt_clock_now(ctx, rt_clock, &now));
 */
#ifndef RT_CAP_CLOCK_H
#define RT_CAP_CLOCK_H

#include <rt/capability.h>

#define RT_CLOCK_METHODS(M)                                      \
    M(clock, now, RT_IDEMPOTENT, (int64_t *, nanoseconds))       \
    M(clock, monotonic, RT_IDEMPOTENT, (int64_t *, nanoseconds)) \
    M(clock, set, RT_IDEMPOTENT, (int64_t, nanoseconds))         \
    M(clock, advance, RT_NO_FLAGS, (int64_t, nanoseconds))
#define RT_METHODS_clock RT_METHOD_NAMES(RT_CLOCK_METHODS)
#define RT_HANDLE_NAME_clock ~, rt_clock

RT_CAPABILITY(clock, 1, RT_CLOCK_METHODS)

#endif
