#include "fiber_kit.h"
#include "telemetry/effect.h"
#include "telemetry/log.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* The log: a file of ours, of which the last line is looked at. */
static int log_file = -1;
static char logged[1024];

static void log_from(const char *level)
{
    char path[32];
    if (log_file < 0)
        log_file = memfd_create("log", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", log_file);
    CU_ASSERT_EQUAL(rt_log_open(&(rt_log_options){.level = level, .file = path}), 0);
}

static void look_at_log(void)
{
    ssize_t length = pread(log_file, logged, sizeof logged - 1, 0);
    logged[length < 0 ? 0 : length] = '\0';
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

static rt_effect_operation operations[] = {{.logged = true}};
static struct rt_effects heard = {.operations = operations, .operation_count = 1};

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
    calls = prepared = 0;
    CU_ASSERT_EQUAL(ftruncate(log_file, 0), 0);
    int result = run(call, effects).result;
    look_at_log();
    return result;
}

static void a_success_is_logged_at_debug_with_its_time(void)
{
    result_of_provider = 0;
    log_from("debug");
    CU_ASSERT_EQUAL(call_effect(&heard), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, " DEBUG shop "));
    static const char start[] = " email.send completed in ";
    const char *said = strstr(logged, start);
    CU_ASSERT_PTR_NOT_NULL(said);
    char *end;
    CU_ASSERT_TRUE(strtod(said + sizeof start - 1, &end) >= 2.0);
    CU_ASSERT_EQUAL(strncmp(end, " ms ", 4), 0);
}

static void a_failure_is_logged_at_error_with_code_and_message(void)
{
    result_of_provider = -RT_EUNAVAILABLE;
    log_from("info");
    CU_ASSERT_EQUAL(call_effect(&heard), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(calls, 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, " ERROR shop "));
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, " email.send failed after "));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(logged, " ms code=UNAVAILABLE message=\"the server said no\" correlation="));

    detail_of_provider = "4.7.0 try later";
    CU_ASSERT_EQUAL(call_effect(&heard), -RT_EUNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(logged, "message=\"the server said no\" detail=\"4.7.0 try later\""));
    detail_of_provider = NULL;
}

static void nothing_is_logged_that_is_off(void)
{
    struct rt_effects none = {0};
    log_from("debug");
    result_of_provider = -RT_EUNAVAILABLE;
    call_effect(&none);
    CU_ASSERT_STRING_EQUAL(logged, "");
    log_from("info");
    result_of_provider = 0;
    call_effect(&heard);
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
