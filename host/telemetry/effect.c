#include "telemetry/effect.h"

#include "fiber/fiber.h"
#include "telemetry/log.h"

#include <rt/error.h>
#include <stdio.h>

int rt_host_effect_begin(rt_ctx *ctx, rt_effect_frame *frame)
{
    const struct rt_effects *effects = frame->binding->effects;
    if (effects->prepare)
        RT_TRY(effects->prepare(ctx, effects->prepare_argument));
    frame->started = rt_host_now();
    return 0;
}

static double milliseconds_since(uint64_t started)
{
    return (double)(rt_host_now() - started) / 1e6;
}

/* The error of the context is the call's only if its code is; else it is an older one. */
static const rt_error *error_of(const rt_ctx *ctx, int result)
{
    const rt_error *error = rt_host_last_error(ctx);
    return error && error->code == -result ? error : NULL;
}

static void log_failure(rt_ctx *ctx, const rt_effect_frame *frame, int result)
{
    const rt_error *error = error_of(ctx, result);
    const rt_field fields[] = {{"code", rt_code_name(result), 0},
                               {"message", error && error->message ? error->message : "", 0},
                               {"detail", error ? error->detail : NULL, 0}};
    size_t count = sizeof fields / sizeof fields[0] - !(error && error->detail);
    char text[160]; /* not in the arena: a service may fail for years */
    snprintf(text, sizeof text, "%s failed after %.1f ms", frame->method->name,
             milliseconds_since(frame->started));
    rt_host_log_fields(ctx, RT_LOG_ERROR, fields, count, text);
}

int rt_host_effect_again(rt_ctx *ctx, rt_effect_frame *frame, int *result)
{
    const struct rt_effects *effects = frame->binding->effects;
    uint32_t index = frame->method->index;
    frame->attempt++;
    if (index < 64 && effects->quiet >> index & 1)
        return 0;
    if (*result < 0) {
        if (effects->log_failure && rt_host_log_enabled(ctx, RT_LOG_ERROR))
            log_failure(ctx, frame, *result);
    } else if (effects->log_success && rt_host_log_enabled(ctx, RT_LOG_DEBUG)) {
        rt_host_log(ctx, RT_LOG_DEBUG, "%s completed in %.1f ms", frame->method->name,
                    milliseconds_since(frame->started));
    }
    return 0;
}

int rt_host_unimplemented(rt_ctx *ctx, const rt_method *method)
{
    return rt_host_fail(ctx, RT_EUNIMPLEMENTED, "`%s` is not bound or not offered by its provider",
                        method->name);
}
