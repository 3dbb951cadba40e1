/* Spans as an exporter gets them: opened in units of work, packed, and sent into a socket. */
#include "base/redact.h"
#include "fiber_kit.h"
#include "span_kit.h"
#include "telemetry/clock.h"
#include "telemetry/tap.h"

static void work_of(rt_work work, void *argument)
{
    run_with(&(rt_loop_options){.span = rt_span_of_work}, (rt_unit_options){0}, work, argument);
    receive();
}

/* --- spans of units of work ------------------------------------------------------------------ */

static int nest(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_span *outer = rt_host_span_start(ctx, "outer", RT_SPAN_CLIENT);
    rt_span *inner = rt_host_span_start(ctx, "inner", RT_SPAN_INTERNAL);
    rt_host_span_add(ctx, NULL, (rt_field[]){{"sku", "tea", 0}, {"lines", NULL, 3}}, 2);
    rt_host_span_add(ctx, "cache miss", (rt_field[]){{"key", "k1", 0}}, 1);
    rt_host_span_finish(ctx, inner, 0);
    int result = rt_host_fail(ctx, RT_EUNAVAILABLE, "the shop is shut");
    rt_host_span_finish(ctx, outer, result);
    return 0;
}

static void spans_nest_and_say_how_they_ended(void)
{
    listen_to_spans(1);
    work_of(nest, NULL);
    CU_ASSERT_EQUAL(got.count, 2);
    CU_ASSERT_EQUAL(got.batch.worker, 3);
    CU_ASSERT_EQUAL(got.batch.pid, (uint32_t)getpid());
    const rt_record_view *outer = named("outer"), *inner = named("inner");
    CU_ASSERT_EQUAL(inner->head.parent, outer->head.span);
    CU_ASSERT_EQUAL(outer->head.parent, 0);
    CU_ASSERT_TRUE(inner->head.high == outer->head.high && inner->head.low == outer->head.low);
    CU_ASSERT_TRUE(inner->head.time >= outer->head.time);
    CU_ASSERT_TRUE(inner->head.duration <= outer->head.duration);
    CU_ASSERT_EQUAL(outer->head.level, RT_SPAN_CLIENT);
    CU_ASSERT_EQUAL(inner->head.status, RT_STATUS_OK);
    CU_ASSERT_TRUE(has_text(inner, "sku", "tea"));
    CU_ASSERT_TRUE(has_number(inner, "lines", 3));
    CU_ASSERT_TRUE(has_text(inner, "key", "k1"));
    CU_ASSERT_TRUE(is_text(inner->texts[RT_TEXT_MODULE], "shop"));
    CU_ASSERT_EQUAL(outer->head.status, RT_STATUS_ERROR);
    CU_ASSERT_TRUE(is_text(outer->texts[RT_TEXT_ERROR], "the shop is shut"));
    CU_ASSERT_TRUE(has_text(outer, "error.type", "UNAVAILABLE"));
    CU_ASSERT_TRUE(has_text(outer, "exception.message", "the shop is shut"));
    stop_listening();
}

static int forget_then_die(rt_ctx *ctx, void *argument)
{
    rt_host_span_start(ctx, "forgotten", RT_SPAN_INTERNAL);
    rt_host_span_start(ctx, "within", RT_SPAN_INTERNAL);
    if (argument)
        rt_host_die(ctx, "%s", (const char *)argument);
    return 0;
}

static void what_is_left_open_ends_with_its_unit(void)
{
    listen_to_spans(1);
    work_of(forget_then_die, NULL);
    CU_ASSERT_EQUAL(got.count, 2);
    CU_ASSERT_EQUAL(named("within")->head.parent, named("forgotten")->head.span);
    CU_ASSERT_EQUAL(named("forgotten")->head.status, RT_STATUS_UNSET);
    work_of(forget_then_die, "out of tea");
    CU_ASSERT_EQUAL(got.count, 2);
    CU_ASSERT_EQUAL(named("within")->head.status, RT_STATUS_ERROR);
    CU_ASSERT_TRUE(has_text(named("within"), "error.type", "defect"));
    CU_ASSERT_TRUE(is_text(named("forgotten")->texts[RT_TEXT_ERROR], "out of tea"));
    stop_listening();
}

static int forget_within(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_span *outer = rt_span_open(ctx, "email.send", RT_SPAN_INTERNAL, rt_clock_now());
    rt_host_span_start(ctx, "forgotten", RT_SPAN_INTERNAL);
    rt_host_span_start(ctx, "within", RT_SPAN_INTERNAL);
    rt_span_close(ctx, outer, rt_clock_now(), 0);
    CU_ASSERT_PTR_NULL(rt_trace_of(ctx)->open);
    CU_ASSERT_EQUAL(rt_trace_of(ctx)->parent, 0);
    rt_host_span_finish(ctx, rt_host_span_start(ctx, "later", RT_SPAN_INTERNAL), 0);
    return 0;
}

static void what_a_provider_forgets_ends_with_its_call(void)
{
    listen_to_spans(1);
    work_of(forget_within, NULL);
    CU_ASSERT_EQUAL(got.count, 4);
    CU_ASSERT_EQUAL(named("forgotten")->head.parent, named("email.send")->head.span);
    CU_ASSERT_EQUAL(named("within")->head.parent, named("forgotten")->head.span);
    CU_ASSERT_EQUAL(named("later")->head.parent, 0);
    stop_listening();
}

static uint64_t parent_at_the_end;

static void look_at_parent(rt_ctx *ctx, rt_open *open)
{
    (void)open;
    parent_at_the_end = rt_trace_of(ctx)->parent;
}

static int die_within(rt_ctx *ctx, void *argument)
{
    static rt_open outermost = {.abandon = look_at_parent};
    rt_trace_of(ctx)->parent = 7;
    rt_open_push(rt_trace_of(ctx), &outermost);
    return forget_then_die(ctx, argument);
}

/* What is logged of a unit's end is said of the request then, not of a call that is over. */
static void after_a_death_nothing_is_inside_of_what_was_open(void)
{
    listen_to_spans(1);
    work_of(die_within, "out of tea");
    CU_ASSERT_EQUAL(parent_at_the_end, 7);
    stop_listening();
}

static int start_by_passing_name(rt_ctx *ctx, void *argument)
{
    char name[16] = "brew";
    (void)argument;
    rt_span *span = rt_host_span_start(ctx, name, RT_SPAN_INTERNAL);
    memset(name, 'x', sizeof name - 1);
    rt_host_span_finish(ctx, span, 0);
    return 0;
}

static void a_name_is_copied_and_told_from_the_beginning(void)
{
    uint64_t cursor = 0, missed = 0;
    rt_buffer record = {0};
    rt_record_view view;
    listen_to_spans(1);
    rt_tap_open();
    work_of(start_by_passing_name, NULL);
    CU_ASSERT_TRUE_FATAL(rt_tap_next(&cursor, &missed, &record));
    CU_ASSERT_TRUE_FATAL(rt_record_read(&view, record.data, record.length));
    CU_ASSERT_EQUAL(view.head.kind, RT_RECORD_BEGIN);
    CU_ASSERT_TRUE(is_text(view.texts[RT_TEXT_NAME], "brew"));
    CU_ASSERT_TRUE(is_text(named("brew")->texts[RT_TEXT_NAME], "brew"));
    rt_buffer_free(&record);
    rt_tap_close();
    stop_listening();
}

static int child(rt_ctx *ctx, void *argument)
{
    rt_span *span = rt_host_span_start(ctx, argument, RT_SPAN_INTERNAL);
    int result = rt_sleep(ctx, RT_MS(1));
    rt_host_span_finish(ctx, span, result);
    return result;
}

static int spawn_two(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_span *span = rt_host_span_start(ctx, "parent", RT_SPAN_INTERNAL);
    rt_task *one = rt_host_spawn(ctx, child, "one"), *two = rt_host_spawn(ctx, child, "two");
    int first = rt_host_join(ctx, one), second = rt_host_join(ctx, two);
    rt_host_span_finish(ctx, span, first < 0 ? first : second);
    return 0;
}

static void children_are_inside_of_the_span_they_were_started_in(void)
{
    listen_to_spans(1);
    work_of(spawn_two, NULL);
    CU_ASSERT_EQUAL(got.count, 3);
    CU_ASSERT_EQUAL(named("one")->head.parent, named("parent")->head.span);
    CU_ASSERT_EQUAL(named("two")->head.parent, named("parent")->head.span);
    CU_ASSERT_NOT_EQUAL(named("one")->head.span, named("two")->head.span);
    stop_listening();
}

static int finish_in_disorder(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_span *outer = rt_host_span_start(ctx, "outer", 99);
    rt_span *inner = rt_host_span_start(ctx, "inner", RT_SPAN_INTERNAL);
    rt_host_span_finish(ctx, outer, 0);
    rt_host_span_finish(ctx, inner, 0);
    rt_host_span_finish(ctx, outer, 0);
    rt_host_span_finish(ctx, (rt_span *)(uintptr_t)0xdead, 0);
    return 0;
}

static void ending_a_span_twice_or_in_disorder_is_harmless(void)
{
    listen_to_spans(1);
    work_of(finish_in_disorder, NULL);
    CU_ASSERT_EQUAL(got.count, 2);
    CU_ASSERT_EQUAL(named("inner")->head.parent, named("outer")->head.span);
    CU_ASSERT_EQUAL(named("outer")->head.level, RT_SPAN_INTERNAL);
    stop_listening();
}

static int nothing(rt_ctx *ctx, void *argument)
{
    (void)argument;
    return rt_host_fail(ctx, RT_ENOT_FOUND, "no tea");
}

static int run_named(rt_ctx *ctx, void *argument)
{
    rt_exit exit = {.size = sizeof exit};
    (void)argument;
    rt_host_run(ctx, &(rt_run_options){.size = sizeof(rt_run_options), .name = "brew"}, nothing,
                NULL);
    rt_host_run_exit(ctx, &(rt_run_options){.size = sizeof(rt_run_options)}, nothing, NULL, &exit);
    return 0;
}

static void work_that_is_run_has_a_span_of_its_name(void)
{
    listen_to_spans(1);
    work_of(run_named, NULL);
    CU_ASSERT_EQUAL(got.count, 2);
    CU_ASSERT_EQUAL(named("brew")->head.status, RT_STATUS_ERROR);
    CU_ASSERT_TRUE(has_text(named("brew"), "error.type", "NOT_FOUND"));
    CU_ASSERT_TRUE(is_text(named("runtime.run_exit")->texts[RT_TEXT_ERROR], "no tea"));
    stop_listening();
}

/* --- what authors say ------------------------------------------------------------------------ */

static int describe_calls(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_span *span = rt_span_start(ctx, "GET", RT_SPAN_CLIENT);
    rt_span_describe_http(
        ctx, &(rt_span_http){
                 .method = "GET", .url = "https://tea.example/kinds", .port = 443, .status = 404});
    rt_span_finish(ctx, span, 0);
    span = rt_span_start(ctx, "SELECT kinds", RT_SPAN_CLIENT);
    rt_span_describe_database(ctx, &(rt_span_database){.system = "postgresql",
                                                       .operation = "SELECT",
                                                       .collection = "kinds",
                                                       .query = "SELECT name FROM kinds"});
    rt_span_finish(ctx, span, 0);
    span = rt_span_start(ctx, "send orders", RT_SPAN_PRODUCER);
    rt_span_describe_message(
        ctx, &(rt_span_message){.system = "redis", .operation = "send", .destination = "orders"});
    return rt_span_finish(ctx, span, 0);
}

static void calls_of_others_are_described_by_the_conventions(void)
{
    rt_host table = fiber_table;
    rt_span_note note;
    table.span_start = rt_host_span_start;
    table.span_finish = rt_host_span_finish;
    table.span_add = rt_host_span_add;
    rt_host_table = &table;
    listen_to_spans(1);
    work_of(describe_calls, NULL);
    const rt_record_view *http = named("GET"), *query = named("SELECT kinds");
    CU_ASSERT_TRUE(has_text(http, "http.request.method", "GET"));
    CU_ASSERT_TRUE(has_text(http, "url.full", "https://tea.example/kinds"));
    CU_ASSERT_TRUE(has_number(http, "server.port", 443));
    CU_ASSERT_TRUE(has_number(http, "http.response.status_code", 404));
    CU_ASSERT_FALSE(find_note(http, "server.address", &note)); /* it was not told */
    CU_ASSERT_TRUE(has_text(query, "db.system", "postgresql"));
    CU_ASSERT_TRUE(has_text(query, "db.operation.name", "SELECT"));
    CU_ASSERT_TRUE(has_text(query, "db.collection.name", "kinds"));
    CU_ASSERT_TRUE(has_text(query, "db.query.text", "SELECT name FROM kinds"));
    CU_ASSERT_FALSE(find_note(query, "server.port", &note));
    CU_ASSERT_TRUE(has_text(named("send orders"), "messaging.system", "redis"));
    CU_ASSERT_TRUE(has_text(named("send orders"), "messaging.operation.type", "send"));
    CU_ASSERT_TRUE(has_text(named("send orders"), "messaging.destination.name", "orders"));
    stop_listening();
    rt_host_table = &fiber_table;
}

static int tell_secrets(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_trace_of(ctx)->state = "vendor=swordfish-1";
    rt_span *span = rt_host_span_start(ctx, "fish swordfish-1", RT_SPAN_INTERNAL);
    rt_host_span_add(ctx, NULL, (rt_field[]){{"password", "swordfish-1", 0}}, 1);
    rt_host_span_add(ctx, "tried", (rt_field[]){{"password", "swordfish-1", 0}}, 1);
    rt_host_span_finish(ctx, span, rt_host_fail(ctx, RT_EUNAVAILABLE, "no swordfish-1 here"));
    return 0;
}

static void no_part_of_a_span_holds_a_secret(void)
{
    rt_redact_add("swordfish-1");
    listen_to_spans(1);
    work_of(tell_secrets, NULL);
    CU_ASSERT_EQUAL(got.count, 1);
    CU_ASSERT_PTR_NULL(memmem(got.bytes, got.length, "swordfish-1", 11));
    CU_ASSERT_TRUE(has_text(named("fish ***"), "password", "***"));
    CU_ASSERT_TRUE(is_text(named("fish ***")->texts[RT_TEXT_STATE], "vendor=***"));
    CU_ASSERT_TRUE(is_text(named("fish ***")->texts[RT_TEXT_ERROR], "no *** here"));
    stop_listening();
    rt_redact_forget();
}

/* --- limits ---------------------------------------------------------------------------------- */

static int add_many(rt_ctx *ctx, void *argument)
{
    (void)argument;
    static char large[RT_RECORD_TEXT + 100];
    memset(large, 'x', sizeof large - 1);
    rt_span *span = rt_host_span_start(ctx, "many", RT_SPAN_INTERNAL);
    rt_host_span_add(ctx, NULL, (rt_field[]){{"large", large, 0}}, 1);
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "number %d", i);
        rt_host_span_add(ctx, NULL, (rt_field[]){{name, NULL, i}}, 1);
    }
    rt_host_span_finish(ctx, span, 0);
    return 0;
}

static void attributes_beyond_the_limits_are_counted_and_left_out(void)
{
    rt_span_note note;
    listen_to_spans(1);
    work_of(add_many, NULL);
    CU_ASSERT_EQUAL(got.count, 1);
    const rt_record_view *many = named("many");
    CU_ASSERT_EQUAL(many->head.note_count, RT_SPAN_NOTES);
    CU_ASSERT_EQUAL(many->head.dropped, 201 - RT_SPAN_NOTES + 1); /* the correlation id, too */
    CU_ASSERT_TRUE(find_note(many, "large", &note));
    CU_ASSERT_EQUAL(note.text.length, RT_RECORD_TEXT);
    stop_listening();
}

static int add_largest(rt_ctx *ctx, void *argument)
{
    static char large[RT_RECORD_TEXT + 100];
    memset(large, 'x', sizeof large - 1);
    const rt_field fields[] = {{"a", large, 0}, {"b", large, 0}, {"c", large, 0}};
    rt_span *span = rt_host_span_start(ctx, large, RT_SPAN_INTERNAL);
    rt_host_span_add(ctx, argument, fields, 3);
    rt_host_span_finish(ctx, span, rt_host_fail(ctx, RT_EUNAVAILABLE, "%s", large));
    return 0;
}

/* The span itself arrives, and says that it failed. */
static void a_span_is_never_too_large_to_be_sent(void)
{
    rt_span_note note;
    static char event[] = "event";
    for (int with_event = 0; with_event < 2; with_event++) {
        listen_to_spans(1);
        work_of(add_largest, with_event ? event : NULL);
        CU_ASSERT_EQUAL(got.count, 1);
        CU_ASSERT_EQUAL(got.batch.dropped[0], 0);
        CU_ASSERT_EQUAL(got.views[0].head.status, RT_STATUS_ERROR);
        CU_ASSERT_TRUE(find_note(&got.views[0], "a", &note));
        CU_ASSERT_FALSE(find_note(&got.views[0], "b", &note));
        CU_ASSERT_TRUE(has_text(&got.views[0], "error.type", "UNAVAILABLE"));
        CU_ASSERT_EQUAL(got.views[0].head.dropped, 3); /* b, c, the exception's message */
        stop_listening();
    }
}

static int count_notes(const rt_record_view *view, const char *name)
{
    rt_record_view copy = *view;
    rt_span_note note;
    int count = 0;
    while (rt_record_next(&copy, &note))
        count += is_text(note.name, name);
    return count;
}

static int add_again(rt_ctx *ctx, void *argument)
{
    (void)argument;
    rt_span *span = rt_host_span_start(ctx, "again", RT_SPAN_INTERNAL);
    rt_host_span_add(ctx, NULL, (rt_field[]){{"kind", "a longer text", 0}, {"n", NULL, 1}}, 2);
    rt_host_span_add(ctx, "event", (rt_field[]){{"kind", "of the event", 0}}, 1);
    rt_host_span_add(ctx, NULL, (rt_field[]){{"kind", "b", 0}, {"n", "two", 0}}, 2);
    rt_host_span_add(ctx, NULL, (rt_field[]){{"error.type", "mine", 0}, {NULL, NULL, 3}}, 2);
    rt_host_span_finish(ctx, span, -RT_ENOT_FOUND);
    return 0;
}

static void of_attributes_with_one_name_the_last_counts(void)
{
    listen_to_spans(1);
    work_of(add_again, NULL);
    const rt_record_view *again = named("again");
    CU_ASSERT_EQUAL(count_notes(again, "kind"), 2); /* and that of the event */
    CU_ASSERT_TRUE(has_text(again, "kind", "of the event"));
    CU_ASSERT_EQUAL(count_notes(again, "n"), 1);
    CU_ASSERT_TRUE(has_text(again, "n", "two"));
    CU_ASSERT_EQUAL(count_notes(again, "error.type"), 1);
    CU_ASSERT_TRUE(has_text(again, "error.type", "NOT_FOUND"));
    CU_ASSERT_EQUAL(again->head.dropped, 0);
    stop_listening();
}

static int make_spans(rt_ctx *ctx, void *argument)
{
    for (int i = 0; i < *(int *)argument; i++)
        rt_host_span_finish(ctx, rt_host_span_start(ctx, "one of many", RT_SPAN_INTERNAL), 0);
    return 0;
}

static void a_reader_that_does_not_keep_up_costs_spans_and_no_time(void)
{
    int count = 20000, one = 1;
    uint64_t arrived = 0;
    char byte;
    listen_to_spans(1);
    run(make_spans, &count);
    while (recv(ends[1], &byte, 1, MSG_DONTWAIT) > 0)
        arrived++;
    CU_ASSERT_TRUE(arrived > 0 && arrived < (uint64_t)count);
    work_of(make_spans, &one);
    CU_ASSERT_EQUAL(got.count, 1);
    CU_ASSERT_EQUAL(arrived + got.batch.dropped[0], (uint64_t)count);
    stop_listening();
}

static int try_sampling(rt_ctx *ctx, void *argument)
{
    rt_span *span = rt_host_span_start(ctx, "perhaps", RT_SPAN_INTERNAL);
    *(int *)argument += span != NULL;
    rt_host_span_finish(ctx, span, 0);
    return 0;
}

static void a_share_of_the_traces_is_recorded(void)
{
    int recorded = 0;
    listen_to_spans(0.25);
    CU_ASSERT_EQUAL(rt_loop_open(&(rt_loop_options){0}), 0);
    rt_unit_options options = {.instance = &shop, .name = "test"};
    for (int i = 0; i < 4000; i++)
        rt_unit_start(&options, try_sampling, &recorded);
    rt_loop_close();
    CU_ASSERT_TRUE(recorded > 800 && recorded < 1200); /* six standard deviations and more */
    stop_listening();
    listen_to_spans(0);
    recorded = 0;
    run(try_sampling, &recorded);
    CU_ASSERT_EQUAL(recorded, 0);
    stop_listening();
    rt_spans_configure(&(rt_span_options){.traces = true, .sampling = 1});
}

static int continue_trace(rt_ctx *ctx, void *argument)
{
    char text[RT_TRACEPARENT_SIZE];
    *rt_trace_of(ctx) = *(rt_trace *)argument;
    rt_span *span = rt_host_span_start(ctx, "continued", RT_SPAN_SERVER);
    CU_ASSERT_PTR_NOT_NULL(rt_host_traceparent(ctx, text));
    CU_ASSERT_EQUAL(strncmp(text, "00-0af7651916cd43dd8448eb211c80319c-", 36), 0);
    CU_ASSERT_STRING_EQUAL(text + 52, span ? "-01" : "-00");
    rt_host_span_finish(ctx, span, 0);
    rt_host_traceparent(ctx, text);
    CU_ASSERT_EQUAL(strncmp(text + 36, "b7ad6b7169203331", 16), 0);
    return 0;
}

static void the_caller_decides_about_a_trace_that_comes_in(void)
{
    rt_trace trace = {.state = "vendor=1"};
    CU_ASSERT_TRUE(rt_traceparent_read(
        &trace, RT_STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")));
    listen_to_spans(0);
    work_of(continue_trace, &trace);
    CU_ASSERT_EQUAL(got.count, 1);
    CU_ASSERT_EQUAL(named("continued")->head.parent, 0xb7ad6b7169203331);
    CU_ASSERT_TRUE(is_text(named("continued")->texts[RT_TEXT_STATE], "vendor=1"));
    stop_listening();
    listen_to_spans(1);
    trace.flags = 0;
    work_of(continue_trace, &trace);
    CU_ASSERT_EQUAL(got.count, 0);
    stop_listening();
}

/* --- texts of other processes ---------------------------------------------------------------- */

static void traceparents_are_read_as_the_specification_says(void)
{
    static const struct {
        const char *text;
        bool taken;
    } cases[] = {
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff", true},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", true},
        {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", false},
        {"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", false},
        {"00-00000000000000000000000000000000-b7ad6b7169203331-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false},
        {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x", false},
        {"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rt_trace trace = {0};
        bool taken = rt_traceparent_read(&trace, (rt_str){cases[i].text, strlen(cases[i].text)});
        if (taken != cases[i].taken)
            printf("\n    %s\n", cases[i].text);
        CU_ASSERT_EQUAL(taken, cases[i].taken);
        CU_ASSERT_EQUAL(trace.high, taken ? 0x0af7651916cd43dd : 0);
        CU_ASSERT_EQUAL(trace.low, taken ? 0x8448eb211c80319c : 0);
    }
}

static void a_traceparent_comes_back_as_it_was_read(void)
{
    static const char text[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    char written[RT_TRACEPARENT_LENGTH + 1];
    rt_trace trace = {0};
    CU_ASSERT_TRUE(rt_traceparent_read(&trace, (rt_str){text, strlen(text)}));
    rt_traceparent_write(written, &trace);
    CU_ASSERT_STRING_EQUAL(written, text);
}

static bool keeps(const char *text, const char *kept)
{
    rt_str judged = rt_tracestate_judge((rt_str){text, strlen(text)});
    return is_text(judged, kept);
}

static void a_tracestate_that_is_damaged_is_dropped(void)
{
    CU_ASSERT_TRUE(keeps("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
                         "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"));
    CU_ASSERT_TRUE(keeps(" a=1 , b=2 ", "a=1 , b=2"));
    CU_ASSERT_TRUE(keeps("fw529a3039@dt=1", "fw529a3039@dt=1"));
    CU_ASSERT_TRUE(keeps("a=1,,b=2", "a=1,,b=2"));
    CU_ASSERT_TRUE(keeps("a", ""));
    CU_ASSERT_TRUE(keeps("a=", ""));
    CU_ASSERT_TRUE(keeps("A=1", ""));
    CU_ASSERT_TRUE(keeps("a=1=2", ""));
    CU_ASSERT_TRUE(keeps("a=\x01", ""));
    CU_ASSERT_TRUE(keeps("", ""));
    char many[256] = "";
    for (int i = 0; i < 33; i++)
        strcat(many, i ? ",k=1" : "k=1");
    CU_ASSERT_TRUE(keeps(many, ""));
}

/* Whatever the bytes are, nothing beyond them is read. */
static void damaged_records_are_refused(void)
{
    listen_to_spans(1);
    work_of(nest, NULL);
    size_t size = got.views[0].head.size;
    char *record = got.bytes + sizeof(rt_batch);
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            rt_record_view view;
            rt_span_note note;
            char *copy = memcpy(malloc(size), record, size);
            copy[at] = (char)(copy[at] ^ 1 << bit);
            if (rt_record_read(&view, copy, size))
                while (rt_record_next(&view, &note))
                    CU_ASSERT_TRUE_FATAL(note.name.data + note.name.length <= copy + size);
            free(copy);
        }
    }
    for (size_t length = 0; length < size; length++) {
        rt_record_view view;
        char *copy = memcpy(malloc(length + 1), record, length);
        CU_ASSERT_FALSE(rt_record_read(&view, copy, length));
        free(copy);
    }
    stop_listening();
}

static void what_a_process_left_is_sent_by_another(void)
{
    int count = 3;
    listen_to_spans(1);
    rt_loop_open(&(rt_loop_options){0});
    rt_outlet_attach();
    rt_unit_start(&(rt_unit_options){.instance = &shop, .name = "test"}, make_spans, &count);
    receive();
    CU_ASSERT_EQUAL(got.count, 0); /* 100 ms have not passed, or it would be no test */
    rt_outlet_rescue(room, sizeof room, ends[0]);
    receive();
    CU_ASSERT_EQUAL(got.count, 3);
    memset(room, 0xff, sizeof room);
    rt_outlet_rescue(room, sizeof room, ends[0]);
    receive();
    CU_ASSERT_EQUAL(got.count, 0);
    stop_listening();
    rt_outlet_detach();
    uv_run(rt_loop_uv(), UV_RUN_NOWAIT);
    rt_loop_close();
}

static int scribble_and_make(rt_ctx *ctx, void *argument)
{
    make_spans(ctx, argument);
    memset(room, 0xff, sizeof(uint64_t)); /* how much is used, as the supervisor reads it */
    return make_spans(ctx, argument);
}

static void a_process_does_not_follow_what_others_write_into_its_room(void)
{
    int count = 3;
    listen_to_spans(1);
    rt_loop_open(&(rt_loop_options){0});
    rt_outlet_attach();
    rt_unit_start(&(rt_unit_options){.instance = &shop, .name = "test"}, scribble_and_make, &count);
    rt_outlet_detach();
    receive();
    CU_ASSERT_EQUAL(got.count, 6);
    stop_listening();
    uv_run(rt_loop_uv(), UV_RUN_NOWAIT);
    rt_loop_close();
}

RT_TEST_MAIN(
    "span", {"spans nest and say how they ended", spans_nest_and_say_how_they_ended},
    {"what is left open ends with its unit", what_is_left_open_ends_with_its_unit},
    {"what a provider forgets ends with its call", what_a_provider_forgets_ends_with_its_call},
    {"after a death nothing is inside of what was open",
     after_a_death_nothing_is_inside_of_what_was_open},
    {"a name is copied, and told from the beginning", a_name_is_copied_and_told_from_the_beginning},
    {"children are inside of the span they were started in",
     children_are_inside_of_the_span_they_were_started_in},
    {"ending a span twice or in disorder is harmless",
     ending_a_span_twice_or_in_disorder_is_harmless},
    {"work that is run has a span of its name", work_that_is_run_has_a_span_of_its_name},
    {"calls of others are described by the conventions",
     calls_of_others_are_described_by_the_conventions},
    {"no part of a span holds a secret", no_part_of_a_span_holds_a_secret},
    {"attributes beyond the limits are counted and left out",
     attributes_beyond_the_limits_are_counted_and_left_out},
    {"a span is never too large to be sent", a_span_is_never_too_large_to_be_sent},
    {"of attributes with one name the last counts", of_attributes_with_one_name_the_last_counts},
    {"a reader that does not keep up costs spans and no time",
     a_reader_that_does_not_keep_up_costs_spans_and_no_time},
    {"a share of the traces is recorded", a_share_of_the_traces_is_recorded},
    {"the caller decides about a trace that comes in",
     the_caller_decides_about_a_trace_that_comes_in},
    {"traceparents are read as the specification says",
     traceparents_are_read_as_the_specification_says},
    {"a traceparent comes back as it was read", a_traceparent_comes_back_as_it_was_read},
    {"a tracestate that is damaged is dropped", a_tracestate_that_is_damaged_is_dropped},
    {"damaged records are refused", damaged_records_are_refused},
    {"what a process left is sent by another", what_a_process_left_is_sent_by_another},
    {"a process does not follow what others write into its room",
     a_process_does_not_follow_what_others_write_into_its_room})
