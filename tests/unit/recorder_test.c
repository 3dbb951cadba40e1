/* What test doubles share: recording, failing on demand, replacing */
#include "fiber_kit.h"

#include "http/http.h"
#include "testing/recorder.h"

struct toy {
    rt_recorder *recorder;
    int resets;
    int pressed;
};

static const char *const toy_methods[] = {"press", "poke", NULL};

static void reset_toy(rt_ctx *ctx)
{
    struct toy *toy = rt_state(ctx);
    toy->resets++;
    toy->pressed = 0;
}

static int press_plainly(rt_ctx *ctx, int times)
{
    ((struct toy *)rt_state(ctx))->pressed += times;
    return times < 0 ? rt_fail(ctx, RT_EOUT_OF_RANGE, "that is pulling") : times;
}

static int press(rt_ctx *ctx, int times)
{
    return rt_recorded(ctx, "press", rt_format(ctx, "{\"times\":%d}", times), press_plainly, times);
}

static int poke_plainly(rt_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static int poke(rt_ctx *ctx)
{
    return rt_recorded(ctx, "poke", NULL, poke_plainly);
}

/* Runs `work` with a toy that keeps four calls. */
static struct toy play(rt_work work)
{
    struct toy toy = {.recorder = rt_recorder_open(toy_methods, 4, reset_toy)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(toy.recorder);
    shop.state = &toy;
    CU_ASSERT_EQUAL(run(work, &toy).result, 0);
    shop.state = NULL;
    rt_recorder_close(toy.recorder);
    return toy;
}

static bool call_is(rt_ctx *ctx, uint64_t index, const char *method, const char *arguments,
                    int32_t code)
{
    rt_double_call call = {.size = sizeof call};
    return rt_recorder_get(ctx, index, &call) == 0 && strcmp(call.method, method) == 0 &&
           strcmp(call.arguments, arguments) == 0 && call.code == code;
}

static uint64_t count_calls(rt_ctx *ctx)
{
    uint64_t count = 0;
    CU_ASSERT_EQUAL(rt_recorder_count(ctx, &count), 0);
    return count;
}

/* --- calls ----------------------------------------------------------------------------------- */

static int record_two(rt_ctx *ctx, void *argument)
{
    rt_double_call call = {.size = sizeof call}, small = {.size = 8};
    (void)argument;
    CU_ASSERT_EQUAL(count_calls(ctx), 0);
    CU_ASSERT_EQUAL(rt_recorder_get(ctx, 0, &call), -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(press(ctx, 3), 3);
    CU_ASSERT_EQUAL(press(ctx, -1), -RT_EOUT_OF_RANGE);
    CU_ASSERT_EQUAL(count_calls(ctx), 2);
    CU_ASSERT_TRUE(call_is(ctx, 0, "press", "{\"times\":-1}", -RT_EOUT_OF_RANGE));
    CU_ASSERT_TRUE(call_is(ctx, 1, "press", "{\"times\":3}", 3));
    CU_ASSERT_EQUAL(rt_recorder_get(ctx, 2, &call), -RT_ENOT_FOUND);
    CU_ASSERT_EQUAL(rt_recorder_get(ctx, 0, &small), -RT_EINVALID_ARGUMENT);
    return 0;
}

static void a_call_is_recorded_with_its_arguments_and_its_end(void)
{
    CU_ASSERT_EQUAL(play(record_two).pressed, 2);
}

static int record_many(rt_ctx *ctx, void *argument)
{
    (void)argument;
    for (int i = 0; i < 11; i++)
        press(ctx, i);
    CU_ASSERT_EQUAL(count_calls(ctx), 4);
    CU_ASSERT_TRUE(call_is(ctx, 0, "press", "{\"times\":10}", 10));
    CU_ASSERT_TRUE(call_is(ctx, 3, "press", "{\"times\":7}", 7));
    CU_ASSERT_EQUAL(rt_recorder_get(ctx, 4, &(rt_double_call){.size = sizeof(rt_double_call)}),
                    -RT_ENOT_FOUND);
    return 0;
}

static void the_oldest_calls_go(void)
{
    play(record_many);
}

static int outlive(rt_ctx *ctx, void *argument)
{
    rt_recorder *recorder = ((struct toy *)argument)->recorder;
    rt_recorder_call first, second;
    CU_ASSERT_EQUAL(rt_recorder_begin(ctx, recorder, "press", "{}", &first), 0);
    CU_ASSERT_EQUAL(rt_recorder_begin(ctx, recorder, "poke", "{}", &second), 0);
    CU_ASSERT_TRUE(call_is(ctx, 0, "poke", "{}", -RT_EUNKNOWN));
    rt_recorder_end(recorder, &first, 0);
    CU_ASSERT_TRUE(call_is(ctx, 1, "press", "{}", 0));
    for (int i = 0; i < 4; i++)
        poke(ctx);
    CU_ASSERT_EQUAL(rt_recorder_end(recorder, &second, -RT_EABORTED), -RT_EABORTED);
    for (uint64_t i = 0; i < 4; i++)
        CU_ASSERT_TRUE(call_is(ctx, i, "poke", "{}", 0));
    return 0;
}

static void calls_are_in_the_order_of_their_beginning_and_may_end_after_they_were_forgotten(void)
{
    play(outlive);
}

static int press_wrong_button(rt_ctx *ctx, void *argument)
{
    rt_recorder_call call;
    return rt_recorder_begin(ctx, ((struct toy *)argument)->recorder, "nap", "{}", &call);
}

static int see_defect(rt_ctx *ctx, void *argument)
{
    rt_exit exit;
    rt_run_exit(ctx, &exit, press_wrong_button, argument);
    CU_ASSERT_EQUAL(exit.kind, RT_EXIT_DEFECT);
    return 0;
}

static void a_double_that_records_what_it_does_not_have_is_a_defect(void)
{
    play(see_defect);
}

/* --- what the test wants --------------------------------------------------------------------- */

static int fail_some(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_EQUAL(rt_recorder_fail_next(ctx, "press", RT_EUNAVAILABLE, 2), 0);
    CU_ASSERT_EQUAL(poke(ctx), 0);
    CU_ASSERT_EQUAL(press(ctx, 1), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(rt_last_error(ctx)->code, RT_EUNAVAILABLE);
    CU_ASSERT_TRUE(call_is(ctx, 0, "press", "{\"times\":1}", -RT_EUNAVAILABLE));
    CU_ASSERT_EQUAL(press(ctx, 1), -RT_EUNAVAILABLE);
    CU_ASSERT_EQUAL(press(ctx, 1), 1);
    CU_ASSERT_EQUAL(rt_recorder_fail_next(ctx, "*", RT_EABORTED, 2), 0);
    CU_ASSERT_EQUAL(rt_recorder_fail_next(ctx, "poke", RT_EDATA_LOSS, 1), 0);
    CU_ASSERT_EQUAL(poke(ctx), -RT_EDATA_LOSS);
    CU_ASSERT_EQUAL(poke(ctx), -RT_EABORTED);
    CU_ASSERT_EQUAL(press(ctx, 1), -RT_EABORTED);
    CU_ASSERT_EQUAL(press(ctx, 1), 1);
    CU_ASSERT_EQUAL(rt_recorder_fail_next(ctx, "poke", RT_EDATA_LOSS, 5), 0);
    CU_ASSERT_EQUAL(rt_recorder_fail_next(ctx, "poke", RT_EDATA_LOSS, 0), 0);
    CU_ASSERT_EQUAL(poke(ctx), 0);
    return 0;
}

static void calls_fail_as_often_as_the_test_wants(void)
{
    CU_ASSERT_EQUAL(play(fail_some).pressed, 2);
}

static int ask_nonsense(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_EQUAL(rt_recorder_fail_next(ctx, "nap", RT_EABORTED, 1), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_recorder_fail_next(ctx, NULL, RT_EABORTED, 1), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_recorder_fail_next(ctx, "press", 0, 1), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_recorder_fail_next(ctx, "press", 17, 1), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_recorder_fail_next(ctx, "press", -RT_EABORTED, 1), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_recorder_replace(ctx, "*", poke), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_recorder_replace(ctx, "nap", poke), -RT_EINVALID_ARGUMENT);
    CU_ASSERT_EQUAL(press(ctx, 1), 1);
    return 0;
}

static void what_the_double_does_not_have_can_neither_fail_nor_be_replaced(void)
{
    play(ask_nonsense);
}

static int press_twice_as_hard(rt_ctx *ctx, int times)
{
    return press_plainly(ctx, 2 * times);
}

static int replace(rt_ctx *ctx, void *argument)
{
    (void)argument;
    CU_ASSERT_EQUAL(rt_recorder_replace(ctx, "press", press_twice_as_hard), 0);
    CU_ASSERT_EQUAL(press(ctx, 4), 8);
    CU_ASSERT_TRUE(call_is(ctx, 0, "press", "{\"times\":4}", 8));
    CU_ASSERT_EQUAL(poke(ctx), 0);
    CU_ASSERT_EQUAL(rt_recorder_fail_next(ctx, "press", RT_EABORTED, 1), 0);
    CU_ASSERT_EQUAL(press(ctx, 4), -RT_EABORTED);
    CU_ASSERT_EQUAL(rt_recorder_replace(ctx, "press", NULL), 0);
    CU_ASSERT_EQUAL(press(ctx, 4), 4);
    return 0;
}

static void a_replacement_answers_in_the_methods_place(void)
{
    CU_ASSERT_EQUAL(play(replace).pressed, 12);
}

static int reset(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_recorder_replace(ctx, "press", press_twice_as_hard);
    press(ctx, 4);
    rt_recorder_fail_next(ctx, "*", RT_EABORTED, 9);
    CU_ASSERT_EQUAL(rt_recorder_reset(ctx), 0);
    CU_ASSERT_EQUAL(count_calls(ctx), 0);
    CU_ASSERT_EQUAL(press(ctx, 1), 1);
    CU_ASSERT_EQUAL(count_calls(ctx), 1);
    CU_ASSERT_TRUE(call_is(ctx, 0, "press", "{\"times\":1}", 1));
    return 0;
}

static void reset_forgets_everything(void)
{
    struct toy toy = play(reset);
    CU_ASSERT_EQUAL(toy.resets, 1);
    CU_ASSERT_EQUAL(toy.pressed, 1);
}

/* --- bytes ----------------------------------------------------------------------------------- */

static int put_bytes(rt_ctx *ctx, void *argument)
{
    static const struct {
        rt_str bytes;
        const char *json;
    } rows[] = {
        {{"", 0}, "\"\""},
        {{"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 14},
         "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {{"a\"b", 3}, "\"a\\\"b\""},
        {{"\0", 1}, "\"base64:AA==\""},
        {{"a\xff", 2}, "\"base64:Yf8=\""},
        {{"\xed\xa0\x80", 3}, "\"base64:7aCA\""},
        {{"\xc0\x80", 2}, "\"base64:wIA=\""},
        {{"\xe2\x82", 2}, "\"base64:4oI=\""},
        {{"\xf4\x90\x80\x80", 4}, "\"base64:9JCAgA==\""},
    };
    (void)argument;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rt_json *json = rt_json_new(ctx);
        rt_str text;
        rt_recorder_put_bytes(ctx, json, rows[i].bytes);
        CU_ASSERT_EQUAL(rt_json_text(json, &text), 0);
        CU_ASSERT_EQUAL(text.length, strlen(rows[i].json));
        CU_ASSERT_EQUAL(strncmp(text.data, rows[i].json, text.length), 0);
    }
    return 0;
}

static void bytes_that_are_no_text_are_shown_in_base64(void)
{
    rt_host with_json = fiber_table;
    with_json.json_new = rt_host_json_new;
    with_json.json_event = rt_host_json_event;
    with_json.json_text = rt_host_json_text;
    rt_host_table = &with_json;
    CU_ASSERT_EQUAL(run(put_bytes, NULL).result, 0);
    rt_host_table = &fiber_table;
}

RT_TEST_MAIN(
    "recorder",
    {"a call is recorded with its arguments and how it ended",
     a_call_is_recorded_with_its_arguments_and_its_end},
    {"of more calls than there is room for the oldest go", the_oldest_calls_go},
    {"calls are in the order of their beginning, and may end after they were forgotten",
     calls_are_in_the_order_of_their_beginning_and_may_end_after_they_were_forgotten},
    {"a double that records a method it does not have is a defect",
     a_double_that_records_what_it_does_not_have_is_a_defect},
    {"calls fail as often as the test wants, of one method or of any",
     calls_fail_as_often_as_the_test_wants},
    {"what the double does not have can neither fail nor be replaced",
     what_the_double_does_not_have_can_neither_fail_nor_be_replaced},
    {"a replacement answers in the method's place", a_replacement_answers_in_the_methods_place},
    {"reset forgets calls, failures, replacements and the double's own", reset_forgets_everything},
    {"bytes that are no text are shown in base64", bytes_that_are_no_text_are_shown_in_base64}, )
