/* Who may look at the host, and what it is told. */
#include "fiber_kit.h"

#include "process/inspect.h"
#include "telemetry/record.h"
#include "telemetry/tap.h"

#include <stdlib.h>

static rt_plan_instance planned[] = {{.name = "tools", .module = "tools", .inspects = true},
                                     {.name = "shop", .module = "shop"}};
static rt_plan plan = {.environment = RT_DEVELOPMENT,
                       .documents = {"{\"plan\":1}", "[]"},
                       .instances = planned,
                       .instance_count = 2};
static rt_running running[2];
static rt_runtime runtime = {.plan = &plan, .instances = running};
static rt_health_watch health;

static void open_for(rt_environment environment)
{
    plan.environment = environment;
    for (size_t i = 0; i < 2; i++) {
        running[i].plan = &planned[i];
        running[i].runtime = &runtime;
        running[i].instance.name = planned[i].name;
    }
    rt_inspect_open(&runtime, &health);
}

static void put_log(const char *name, size_t padding)
{
    rt_buffer text = {0};
    rt_buffer_text(&text, name);
    while (text.length < padding)
        rt_buffer_char(&text, '.');
    rt_record_parts parts = {.head = {.kind = RT_RECORD_LOG},
                             .texts = {[RT_TEXT_NAME] = {text.data, text.length}}};
    size_t size = rt_record_size(&parts);
    void *record = calloc(1, size);
    rt_record_write(record, &parts, size);
    rt_tap_put(record, size);
    free(record);
    rt_buffer_free(&text);
}

/* --- documents ------------------------------------------------------------------------------- */

static int ask_as_both(rt_ctx *ctx, void *argument)
{
    rt_str text;
    const int *expected = argument;
    for (size_t i = 0; i < 2; i++) {
        ctx->instance = &running[i].instance;
        CU_ASSERT_EQUAL(rt_host_inspect(ctx, "plan", &text), expected[i]);
        CU_ASSERT_EQUAL(rt_host_observe(ctx, &(rt_observation){.size = sizeof(rt_observation)}),
                        expected[i]);
    }
    return 0;
}

static void only_who_inspects_in_development_is_told(void)
{
    const int some[] = {0, -RT_EPERMISSION_DENIED};
    const int none[] = {-RT_EPERMISSION_DENIED, -RT_EPERMISSION_DENIED};
    for (int environment = 0; environment < RT_ENVIRONMENT_COUNT; environment++) {
        open_for((rt_environment)environment);
        CU_ASSERT_EQUAL(rt_tap_is_on(), environment == RT_DEVELOPMENT);
        run(ask_as_both, (void *)(environment == RT_DEVELOPMENT ? some : none));
        rt_inspect_close();
        CU_ASSERT_FALSE(rt_tap_is_on());
    }
    run(ask_as_both, (void *)none); /* nothing is shown any more */
}

static int ask_documents(rt_ctx *ctx, void *argument)
{
    rt_str text;
    (void)argument;
    ctx->instance = &running[0].instance;
    CU_ASSERT_EQUAL(rt_host_inspect(ctx, "plan", &text), 0);
    CU_ASSERT_STRING_EQUAL(text.data, "{\"plan\":1}");
    CU_ASSERT_EQUAL(text.length, 10);
    CU_ASSERT_EQUAL(rt_host_inspect(ctx, "diagnostics", &text), 0);
    CU_ASSERT_STRING_EQUAL(text.data, "null"); /* the plan of another rtd has none */
    CU_ASSERT_EQUAL(rt_host_inspect(ctx, "health", &text), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text.data, "{\"module\":\"shop\",\"condition\":\"unknown\""));
    CU_ASSERT_EQUAL(rt_host_inspect(ctx, "nonsense", &text), -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(rt_host_inspect(ctx, NULL, &text), -RT_ENOT_FOUND);
    return 0;
}

static void documents_are_found_by_name(void)
{
    open_for(RT_DEVELOPMENT);
    run(ask_documents, NULL);
    rt_inspect_close();
}

/* --- records --------------------------------------------------------------------------------- */

static int observe_some(rt_ctx *ctx, void *argument)
{
    char text[400];
    rt_observation seen = {.size = sizeof seen, .text = text, .room = sizeof text};
    (void)argument;
    ctx->instance = &running[0].instance;
    CU_ASSERT_EQUAL(rt_host_observe(ctx, &seen), 0);
    CU_ASSERT_EQUAL(seen.length, 0); /* without a time to wait it does not */
    put_log("one", 0);
    put_log("two", 200);
    put_log("three", 200);
    put_log("four", 4000);
    put_log("five", 0);
    CU_ASSERT_EQUAL(rt_host_observe(ctx, &seen), 0);
    CU_ASSERT_PTR_NOT_NULL(memmem(text, seen.length, "\"one\"", 5));
    CU_ASSERT_PTR_NULL(memmem(text, seen.length, "three", 5));
    CU_ASSERT_EQUAL(text[seen.length - 1], '\n');
    CU_ASSERT_EQUAL(rt_host_observe(ctx, &seen), 0);
    CU_ASSERT_PTR_NOT_NULL(memmem(text, seen.length, "three", 5));
    CU_ASSERT_PTR_NOT_NULL(memmem(text, seen.length, "five", 4));
    CU_ASSERT_EQUAL(seen.missed, 1); /* that never fits */
    CU_ASSERT_EQUAL(rt_host_observe(ctx, &seen), 0);
    CU_ASSERT_EQUAL(seen.length + seen.missed, 0);
    return 0;
}

static void records_are_given_in_whole_lines(void)
{
    open_for(RT_DEVELOPMENT);
    run(observe_some, NULL);
    rt_inspect_close();
}

static int put_later(rt_ctx *ctx, void *argument)
{
    (void)argument;
    RT_TRY(rt_host_sleep(ctx, RT_MS(1)));
    put_log("late", 0);
    return 0;
}

static int wait_for_one(rt_ctx *ctx, void *timeout)
{
    char text[400];
    rt_observation seen = {
        .size = sizeof seen, .text = text, .room = sizeof text, .timeout = *(uint64_t *)timeout};
    rt_task *task = rt_host_spawn(ctx, put_later, NULL);
    ctx->instance = &running[0].instance;
    CU_ASSERT_EQUAL(rt_host_observe(ctx, &seen), 0);
    CU_ASSERT_PTR_NOT_NULL(memmem(text, seen.length, "late", 4));
    ctx->instance = &shop;
    return rt_host_join(ctx, task);
}

static void who_waits_is_told_of_the_next(void)
{
    uint64_t timeouts[] = {RT_S(60), UINT64_MAX};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        open_for(RT_DEVELOPMENT);
        CU_ASSERT_EQUAL(run(wait_for_one, &timeouts[i]).result, 0);
        rt_inspect_close();
    }
}

static int observe_without_size(rt_ctx *ctx, void *argument)
{
    (void)argument;
    ctx->instance = &running[0].instance;
    CU_ASSERT_EQUAL(rt_host_observe(ctx, NULL), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_host_observe(ctx, &(rt_observation){.size = 8}), -RT_EINVALID_ARGUMENT);
    return 0;
}

static void an_observation_without_its_size_is_refused(void)
{
    open_for(RT_DEVELOPMENT);
    run(observe_without_size, NULL);
    rt_inspect_close();
}

RT_TEST_MAIN("inspect",
             {"only who inspects in development is told", only_who_inspects_in_development_is_told},
             {"documents are found by name", documents_are_found_by_name},
             {"records are given in whole lines", records_are_given_in_whole_lines},
             {"who waits is told of the next record", who_waits_is_told_of_the_next},
             {"an observation without its size is refused",
              an_observation_without_its_size_is_refused})
