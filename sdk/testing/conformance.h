/* conformance.h — a suite that every provider of a capability has to pass
 *
 * A suite is a table of cases. Each runs as a unit of work of its own; the outcome is TAP, one line
 * a case, with what was expected and what came below each that failed. A case returns NULL when the
 * provider did right, or says what it did wrong.
 *
 * Ownership: texts live in the memory of the context. Waiting: running a suite waits.
 *
 *     static const char *accepts_text(rt_ctx *ctx, void *subject) { … return NULL; }
 *     static const rt_conformance_case cases[] = {{"a plain text is accepted", accepts_text}};
 *     rt_str tap = rt_conformance_run(ctx, cases, 1, subject);
 */
#ifndef RT_TESTING_CONFORMANCE_H
#define RT_TESTING_CONFORMANCE_H

#include <rt/rt.h>

typedef struct rt_conformance_case {
    const char *sentence;
    const char *(*run)(rt_ctx *ctx, void *subject);
} rt_conformance_case;

/* Runs all cases in order and returns the TAP. A case that fails stops none of the others. */
rt_str rt_conformance_run(rt_ctx *ctx, const rt_conformance_case *cases, uint32_t count,
                          void *subject);

/* NULL if `code` is `expected` (each 0 or -RT_E…), else a text with both and the last error. */
const char *rt_conformance_code(rt_ctx *ctx, const char *what, int code, int expected);

#endif
