/* recorder.h — what every test double does: records calls, fails on demand, is replaced
 *
 * A double begins each of its methods with rt_recorder_begin and ends it with rt_recorder_end; the
 * methods of test-double/1 are the recorder's own (RT_RECORDER_METHODS for rt_provide).
 */
#ifndef PLUGINS_TESTING_RECORDER_H
#define PLUGINS_TESTING_RECORDER_H

#include <rt/cap/test_double.h>
#include <rt/rt.h>

typedef struct rt_recorder rt_recorder;

/* `methods` is the list of method names, ended by NULL, and lives as long as the recorder; `reset`
 * forgets what was put into the double. NULL: no memory. */
rt_recorder *rt_recorder_open(const char *const *methods, uint32_t capacity,
                              void (*reset)(rt_ctx *ctx));
void rt_recorder_close(rt_recorder *recorder);

/* 0: go on; -RT_E…: the test wants this call to fail, and it is recorded so. `*replacement` is the
 * function that is to answer in the method's place, or NULL. */
int rt_recorder_begin(rt_ctx *ctx, rt_recorder *recorder, const char *method, const char *arguments,
                      void **replacement);
/* Records how it ended; returns `result`. */
int rt_recorder_end(rt_ctx *ctx, rt_recorder *recorder, const char *method, const char *arguments,
                    int result);

#endif
