#include "conformance.h"

#include <string.h>

struct trial {
    const rt_conformance_case *test;
    void *subject;
    rt_ctx *outer; /* what the case says must outlive its own context */
    const char *complaint;
};

/* A case that hangs fails alone; one that works takes less, instrumented and on a busy machine. */
static const uint64_t case_limit = RT_S(60);

static int try_case(rt_ctx *ctx, void *argument)
{
    struct trial *trial = argument;
    const char *complaint = trial->test->run(ctx, trial->subject);
    if (complaint)
        trial->complaint = rt_format(trial->outer, "%s", complaint);
    return 0;
}

static const char *run_case(rt_ctx *ctx, const rt_conformance_case *test, void *subject)
{
    struct trial trial = {.test = test, .subject = subject, .outer = ctx};
    rt_exit exit = {.size = sizeof exit};
    rt_run_exit(ctx, &exit, try_case, &trial, .name = "conformance.case",
                .deadline = rt_now() + case_limit);
    if (exit.kind == RT_EXIT_SUCCESS)
        return trial.complaint;
    return rt_format(ctx, "the case ended with %s: %s", rt_code_name(exit.result),
                     exit.defect                         ? exit.defect
                     : exit.error && exit.error->message ? exit.error->message
                                                         : "");
}

rt_str rt_conformance_run(rt_ctx *ctx, const rt_conformance_case *cases, uint32_t count,
                          void *subject)
{
    const char *tap = rt_format(ctx, "1..%u\n", count);
    for (uint32_t i = 0; i < count; i++) {
        const char *complaint = run_case(ctx, &cases[i], subject);
        tap = rt_format(ctx, "%s%sok %u - %s\n%s%s%s", tap, complaint ? "not " : "", i + 1,
                        cases[i].sentence, complaint ? "# " : "", complaint ? complaint : "",
                        complaint ? "\n" : "");
    }
    return (rt_str){tap, strlen(tap)};
}

const char *rt_conformance_code(rt_ctx *ctx, const char *what, int code, int expected)
{
    const rt_error *error = rt_last_error(ctx);
    bool described = code < 0 && error && error->code == -code;
    if (code == expected)
        return NULL;
    return rt_format(
        ctx, "%s: expected %s, got %s%s%s%s%s", what, rt_code_name(expected), rt_code_name(code),
        described ? ": " : "", described && error->message ? error->message : "",
        described && error->detail ? "; " : "", described && error->detail ? error->detail : "");
}
