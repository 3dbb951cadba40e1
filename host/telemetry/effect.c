#include "telemetry/effect.h"

#include "fiber/fiber.h"
#include "telemetry/clock.h"
#include "telemetry/log.h"
#include "telemetry/metric.h"
#include "telemetry/span.h"

#include <rt/error.h>
#include <stdio.h>

#define FIELDS_MOST 12u /* of a line about a failure */

/* Seconds; calls take microseconds where they wait for nobody. */
static const double bounds[] = {0.00001, 0.0001, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1,
                                0.25,    0.5,    1,     2.5,   5,    10,    30};

static rt_instrument succeeded = {.name = "effects.succeeded",
                                  .unit = "{operation}",
                                  .help = "Calls of capabilities that succeeded",
                                  .kind = RT_COUNTER};
static rt_instrument failed = {.name = "effects.failed",
                               .unit = "{operation}",
                               .help = "Calls of capabilities that failed",
                               .kind = RT_COUNTER};
static rt_instrument duration = {.name = "effects.duration",
                                 .unit = "s",
                                 .help = "Time that calls of capabilities took",
                                 .kind = RT_HISTOGRAM,
                                 .bounds = bounds,
                                 .bound_count = sizeof bounds / sizeof bounds[0]};

/* The frame's scratch; the policy has its own word of it. */
enum { SPAN };
_Static_assert((int)SPAN != (int)RT_POLICY_SCRATCH, "two owners of one word");

static rt_effect_operation *operation_of(const rt_effect_frame *frame)
{
    const struct rt_effects *effects = frame->binding->effects;
    static rt_effect_operation
        beyond; /* of a method that the plan does not know: nothing is done */
    uint32_t index = frame->method->index;
    return index < effects->operation_count ? &effects->operations[index] : &beyond;
}

/* --- counting -------------------------------------------------------------------------------- */

static rt_metric_label label(const char *name, const char *value)
{
    return (rt_metric_label){name, {value, strlen(value)}};
}

static void count(rt_effect_operation *operation, const char *name, int result, uint64_t taken)
{
    const rt_metric_label labels[] = {label("operation", name),
                                      label("error.type", result < 0 ? rt_code_name(result) : "")};
    if (!operation->duration) {
        operation->name = name;
        operation->succeeded = rt_series_of(&succeeded, labels, 1);
        operation->duration = rt_series_of(&duration, labels, 1);
    }
    rt_series_add(result < 0 ? rt_series_of(&failed, labels, 2) : operation->succeeded, 1);
    rt_series_observe(operation->duration, (double)taken / 1e9);
}

bool rt_operation_counted(const rt_effect_operation *operation, rt_operation_counts *counts)
{
    const rt_series *taken = operation->duration;
    if (!taken)
        return false;
    *counts = (rt_operation_counts){.succeeded = *operation->succeeded->values,
                                    .seconds = rt_bits_real(*taken->values)};
    for (uint32_t i = 0; i <= taken->bound_count; i++)
        counts->failed += taken->values[1 + i];
    counts->failed -= counts->succeeded;
    return true;
}

/* --- logging --------------------------------------------------------------------------------- */

/* The error of the context is the call's only if its code is; else it is an older one. */
static const rt_error *error_of(const rt_ctx *ctx, int result)
{
    const rt_error *error = rt_host_last_error(ctx);
    return error && error->code == -result ? error : NULL;
}

/* What there is of code, message, domain, detail and the error's own fields. */
static size_t fields_of(const rt_error *error, int result, rt_field fields[static FIELDS_MOST])
{
    size_t count = 0;
    fields[count++] = (rt_field){"code", rt_code_name(result), 0};
    fields[count++] = (rt_field){"message", error && error->message ? error->message : "", 0};
    if (error && error->domain)
        fields[count++] = (rt_field){"domain", error->domain, 0};
    if (error && error->detail)
        fields[count++] = (rt_field){"detail", error->detail, 0};
    for (uint64_t i = 0; error && i < error->field_count && count < FIELDS_MOST; i++)
        fields[count++] = error->fields[i];
    return count;
}

static void log_failure(rt_ctx *ctx, const char *name, int result, double milliseconds)
{
    rt_field fields[FIELDS_MOST];
    size_t count = fields_of(error_of(ctx, result), result, fields);
    char text[160]; /* not in the arena: a service may fail for years */
    snprintf(text, sizeof text, "%s failed after %.1f ms", name, milliseconds);
    rt_host_log_fields(ctx, RT_LOG_ERROR, fields, count, text);
}

static void tell(rt_ctx *ctx, const char *name, int result, uint64_t taken)
{
    double milliseconds = (double)taken / 1e6;
    if (result >= 0 && rt_host_log_enabled(ctx, RT_LOG_DEBUG))
        rt_host_log(ctx, RT_LOG_DEBUG, "%s completed in %.1f ms", name, milliseconds);
    else if (result < 0 && rt_host_log_enabled(ctx, RT_LOG_ERROR))
        log_failure(ctx, name, result, milliseconds);
}

/* --- around the provider --------------------------------------------------------------------- */

static void open_span(rt_ctx *ctx, rt_effect_frame *frame)
{
    rt_span *span = rt_span_open(ctx, frame->method->name, RT_SPAN_INTERNAL, frame->started);
    frame->scratch[SPAN] = (uintptr_t)span;
    if (span)
        span->instance = frame->binding->instance;
}

static void conclude(rt_ctx *ctx, const rt_effect_frame *frame, rt_effect_operation *operation,
                     int result)
{
    uint64_t now = rt_clock_now(), taken = now - frame->started;
    const char *name = frame->method->name;
    if (operation->counted)
        count(operation, name, result, taken);
    if (operation->logged)
        tell(ctx, name, result, taken); /* inside of the span */
    if (frame->scratch[SPAN])
        rt_span_close(ctx, (rt_span *)(uintptr_t)frame->scratch[SPAN], now, result);
}

int rt_host_effect_begin(rt_ctx *ctx, rt_effect_frame *frame)
{
    const struct rt_effects *effects = frame->binding->effects;
    rt_effect_operation *operation = operation_of(frame);
    if (effects->prepare)
        RT_TRY(effects->prepare(ctx, effects->prepare_argument));
    frame->started = rt_clock_now();
    frame->scratch[SPAN] = 0;
    if (operation->traced)
        open_span(ctx, frame);
    if (!operation->policy)
        return 0;
    int result = rt_policy_begin(ctx, operation->policy, frame);
    if (result < 0)
        conclude(ctx, frame, operation, result);
    return result;
}

int rt_host_effect_again(rt_ctx *ctx, rt_effect_frame *frame, int *result)
{
    rt_effect_operation *operation = operation_of(frame);
    frame->attempt++;
    if (operation->policy && rt_policy_again(ctx, frame, result))
        return 1;
    conclude(ctx, frame, operation, *result);
    return 0;
}

int rt_host_unimplemented(rt_ctx *ctx, const rt_method *method)
{
    return rt_host_fail(ctx, RT_EUNIMPLEMENTED, "`%s` is not bound or not offered by its provider",
                        method->name);
}
