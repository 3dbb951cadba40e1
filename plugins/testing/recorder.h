/* recorder.h — what every test double does: records calls, fails on demand, is replaced
 *
 * The state of a double (rt_set_state) begins with its recorder; the methods of test-double/1 are
 * the recorder's own, and each method of the double is one rt_recorded:
 *
 *     struct double_state {
 *         rt_recorder *recorder; // first
 *         …
 *     };
 *
 *     static int get(rt_ctx *ctx, const char *key, rt_str *value)
 *     {
 *         return rt_recorded(ctx, "get", rt_format(ctx, …), get_plainly, key, value);
 *     }
 *
 *     RT_PROVIDES(test_double, 1, test, 0)
 *     …
 *     RT_TRY(rt_provide(registry, test_double, RT_RECORDER_METHODS));
 *
 * Calls are in the order in which they began. One that has not ended, or that ended as a defect,
 * has the code -RT_EUNKNOWN.
 *
 * Ownership: texts are copied. Waiting: nothing here waits.
 */
#ifndef PLUGINS_TESTING_RECORDER_H
#define PLUGINS_TESTING_RECORDER_H

#include <rt/cap/test_double.h>
#include <rt/rt.h>

typedef struct rt_recorder rt_recorder;

/* A call between its begin and its end. */
typedef struct rt_recorder_call {
    uint64_t number;
    void *replacement; /* the function that is to answer in the method's place, or NULL */
} rt_recorder_call;

/* `methods` is the list of method names, ended by NULL, and lives as long as the recorder; `reset`
 * (or NULL) forgets what was put into the double. The last `capacity` calls are kept, at least 1.
 * NULL: no memory. */
rt_recorder *rt_recorder_open(const char *const *methods, uint32_t capacity,
                              void (*reset)(rt_ctx *ctx));
/* NULL is taken too. */
void rt_recorder_close(rt_recorder *recorder);

/* 0: go on, then rt_recorder_end; -RT_E…: the test wants this call to fail, and it is recorded
 * so. `method` is one of the recorder's, `arguments` is JSON. */
int rt_recorder_begin(rt_ctx *ctx, rt_recorder *recorder, const char *method, const char *arguments,
                      rt_recorder_call *call);
/* Records how it ended; returns `result`. */
int rt_recorder_end(rt_recorder *recorder, const rt_recorder_call *call, int result);

/* One method of a double: begins, lets `function_` or what replaces it answer, ends. */
#define rt_recorded(ctx_, method_, arguments_, function_, ...)                                \
    __extension__({                                                                           \
        rt_recorder *const rt_recorder_ = rt_recorder_of(ctx_);                               \
        rt_recorder_call rt_call_;                                                            \
        int rt_code_ = rt_recorder_begin(ctx_, rt_recorder_, method_, arguments_, &rt_call_); \
        if (rt_code_ == 0) {                                                                  \
            __typeof__(&function_) rt_function_ = &function_;                                 \
            if (rt_call_.replacement)                                                         \
                rt_function_ = (__typeof__(rt_function_))rt_call_.replacement;                \
            rt_code_ =                                                                        \
                rt_recorder_end(rt_recorder_, &rt_call_, rt_function_(ctx_, ##__VA_ARGS__));  \
        }                                                                                     \
        rt_code_;                                                                             \
    })

/* The recorder of the double that runs in `ctx`. */
static inline rt_recorder *rt_recorder_of(const rt_ctx *ctx)
{
    return *(rt_recorder **)rt_state(ctx);
}

/* Bytes as a JSON string: text as it is; what is no UTF-8, or has a NUL, as "base64:…". */
void rt_recorder_put_bytes(rt_ctx *ctx, rt_json *json, rt_str bytes);

/* --- the methods of test-double/1, for rt_provide -------------------------------------------- */

#define RT_RECORDER_METHODS                                                                 \
    .count = rt_recorder_count, .get = rt_recorder_get, .fail_next = rt_recorder_fail_next, \
    .replace = rt_recorder_replace, .reset = rt_recorder_reset

int rt_recorder_count(rt_ctx *ctx, uint64_t *count);
int rt_recorder_get(rt_ctx *ctx, uint64_t index, rt_double_call *call);
int rt_recorder_fail_next(rt_ctx *ctx, const char *method, int32_t code, uint32_t calls);
int rt_recorder_replace(rt_ctx *ctx, const char *method, void *function);
int rt_recorder_reset(rt_ctx *ctx);

#endif
