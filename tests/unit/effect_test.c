#include "fiber_kit.h"
#include "telemetry/effect.h"
#include "telemetry/log.h"

#include <stdlib.h>

/* The log, as the effects see it. */
static char logged[512];
static uint32_t logged_level;
static bool debug_is_on;

int rt_host_log_enabled(const rt_ctx *ctx, uint32_t level)
{
    (void)ctx;
    return debug_is_on || level >= RT_LOG_INFO;
}

void rt_host_log(rt_ctx *ctx, uint32_t level, const char *format, ...)
{
    va_list arguments;
    (void)ctx;
    logged_level = level;
    va_start(arguments, format);
    vsnprintf(logged, sizeof logged, format, arguments);
    va_end(arguments);
}

void rt_host_log_fields(rt_ctx *ctx, uint32_t level, const rt_field *fields, uint64_t count,
                        const char *message)
{
    rt_host_log(ctx, level, "%s", message);
    for (uint64_t i = 0; i < count; i++) {
        size_t length = strlen(logged);
        snprintf(logged + length, sizeof logged - length, " %s=%s", fields[i].name, fields[i].text);
    }
}

static const char *detail_of_provider;
static int result_of_provider, calls, prepared, result_of_prepare;

static int call_provider(rt_ctx *ctx)
{
    calls++;
    RT_TRY(rt_sleep(ctx, RT_MS(2)));
    return result_of_provider == 0 ? 0
                                   : rt_fail_with(ctx, &(rt_error){.size = sizeof(rt_error),
                                                                   .code = -result_of_provider,
                                                                   .message = "the server said no",
                                                                   .detail = detail_of_provider});
}

static int prepare(rt_ctx *ctx, void *argument)
{
    prepared++;
    CU_ASSERT_STRING_EQUAL((const char *)argument, "lazy");
    RT_TRY(rt_sleep(ctx, 0));
    return result_of_prepare;
}

/* What a wrapper of rt/capability.h does. */
static int call(rt_ctx *ctx, void *argument)
{
    static const rt_method method = {"email.send", 0, RT_WAITS};
    rt_binding binding = {.instance = &shop, .effects = argument};
    rt_effect_frame frame = {.size = sizeof frame, .method = &method, .binding = &binding};
    int result = rt_host_effect_begin(ctx, &frame);
    if (result < 0)
        return result;
    do
        result = call_provider(ctx);
    while (rt_host_effect_again(ctx, &frame, &result));
    CU_ASSERT_EQUAL(frame.attempt, 1);
    return result;
}

static int call_effect(struct rt_effects *effects)
{
    logged[0] = '\0';
    calls = prepared = 0;
    return run(call, effects).result;
}

static void a_success_is_logged_at_debug_with_its_time(void)
{
    struct rt_effects effects = {.log_success = true, .log_failure = true};
    result_of_provider = 0;
    debug_is_on = true;
    CU_ASSERT_EQUAL(call_effect(&effects), 0);
    CU_ASSERT_EQUAL(logged_level, RT_LOG_DEBUG);
    static const char start[] = "email.send completed in ";
    CU_ASSERT_EQUAL(strncmp(logged, start, sizeof start - 1), 0);
    char *end;
    CU_ASSERT_TRUE(strtod(logged + sizeof start - 1, &end) >= 2.0);
    CU_ASSERT_STRING_EQUAL(end, " ms");
}

static void a_failure_is_logged_at_error_with_code_and_message(void)
{
    struct rt_effects effects = {.log_success = true, .log_failure = true};
    result_of_provider = -RT_EUNAVAILABLE;
    debug_is_on = false;
    CU_ASSERT_EQUAL(call_effect(&effects), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(calls, 1);
    CU_ASSERT_EQUAL(logged_level, RT_LOG_ERROR);
    CU_ASSERT_EQUAL(strncmp(logged, "email.send failed after ", 24), 0);
    const char *fields = strstr(logged, " ms ");
    CU_ASSERT_PTR_NOT_NULL(fields);
    CU_ASSERT_STRING_EQUAL(fields ? fields : "", " ms code=UNAVAILABLE message=the server said no");

    detail_of_provider = "4.7.0 try later";
    CU_ASSERT_EQUAL(call_effect(&effects), -RT_EUNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, "message=the server said no detail=4.7.0 try later"));
    detail_of_provider = NULL;
}

static void nothing_is_logged_that_is_off(void)
{
    struct rt_effects none = {0}, successes = {.log_success = true};
    debug_is_on = true;
    result_of_provider = -RT_EUNAVAILABLE;
    call_effect(&none);
    CU_ASSERT_STRING_EQUAL(logged, "");
    debug_is_on = false;
    result_of_provider = 0;
    call_effect(&successes);
    CU_ASSERT_STRING_EQUAL(logged, "");
}

static void a_lazy_provider_is_prepared_first_and_its_failure_is_the_calls(void)
{
    struct rt_effects effects = {.prepare = prepare, .prepare_argument = "lazy"};
    result_of_provider = result_of_prepare = 0;
    CU_ASSERT_EQUAL(call_effect(&effects), 0);
    CU_ASSERT_EQUAL(prepared, 1);
    CU_ASSERT_EQUAL(calls, 1);
    result_of_prepare = -RT_EUNAVAILABLE;
    CU_ASSERT_EQUAL(call_effect(&effects), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(prepared, 1);
    CU_ASSERT_EQUAL(calls, 0);
}

static int call_unbound(rt_ctx *ctx, void *argument)
{
    static const rt_method method = {"email.send", 0, RT_WAITS};
    (void)argument;
    return rt_host_unimplemented(ctx, &method);
}

static void an_unbound_method_says_so(void)
{
    ending end = run(call_unbound, NULL);
    CU_ASSERT_EQUAL(end.result, -RT_EUNIMPLEMENTED);
    CU_ASSERT_STRING_EQUAL(end.error, "`email.send` is not bound or not offered by its provider");
}

RT_TEST_MAIN("effect",
             {"a success is logged at debug with its time",
              a_success_is_logged_at_debug_with_its_time},
             {"a failure is logged at error with code and message",
              a_failure_is_logged_at_error_with_code_and_message},
             {"nothing is logged that is off", nothing_is_logged_that_is_off},
             {"a lazy provider is prepared first, and its failure is the call's",
              a_lazy_provider_is_prepared_first_and_its_failure_is_the_calls},
             {"an unbound method says so", an_unbound_method_says_so})
