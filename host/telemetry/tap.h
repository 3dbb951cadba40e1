/* tap.h — the newest records of this process, kept for developer tools
 *
 * In development alone, and only where a module of the plan inspects (rt/inspect.h): else it is
 * off, and costs one test. Bounded in records and in bytes; the oldest give way. What the modules
 * that inspect do is not kept, or to look would be something to look at.
 *
 * A record has a number, one more than that of the record before it; the first of a process is
 * taken from the clock, so that numbers of an earlier process are smaller. Any thread may put.
 */
#ifndef RT_TELEMETRY_TAP_H
#define RT_TELEMETRY_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rt_buffer;

#define RT_TAP_RECORDS 8192u
#define RT_TAP_BYTES (UINT64_C(16) << 20)

void rt_tap_open(void);
void rt_tap_close(void);
/* What an instance of this name does is not kept; before the loop runs. */
void rt_tap_hide(const char *instance);

extern bool rt_tap_opened;
static inline bool rt_tap_is_on(void)
{
    return __builtin_expect(rt_tap_opened, 0);
}
/* A packed record (record.h); it is copied. */
void rt_tap_put(const void *record, size_t size);

/* Appends the first record after number `*cursor` and makes that its number; false when there is
 * none. Those between that are gone already are added to `*missed`; a number that is none of this
 * process counts as 0. */
bool rt_tap_next(uint64_t *cursor, uint64_t *missed, struct rt_buffer *record);
/* How many are kept. */
size_t rt_tap_count(void);

#endif
