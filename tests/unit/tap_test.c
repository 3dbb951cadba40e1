/* The newest records of a process, and how one reads as JSON. */
#include "harness.h"

#include "base/buffer.h"
#include "telemetry/record.h"
#include "telemetry/record_json.h"
#include "telemetry/tap.h"

#include <pthread.h>
#include <rt/log.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define EACH 500

struct sample {
    enum rt_record_kind kind;
    const char *name, *module;
    uint64_t trace, parent;
    size_t padding; /* bytes of an attribute */
};

static rt_str text_of(const char *text)
{
    return (rt_str){text, text ? strlen(text) : 0};
}

static void put(const struct sample *sample)
{
    rt_buffer notes = {0};
    char *padding = calloc(1, sample->padding + 1);
    memset(padding, 'x', sample->padding);
    if (sample->padding)
        rt_notes_add(&notes, &(rt_span_note){.type = RT_NOTE_TEXT,
                                             .name = RT_STR("padding"),
                                             .text = {padding, sample->padding}});
    rt_record_parts parts = {
        .head = {.kind = (uint16_t)sample->kind, .low = sample->trace, .parent = sample->parent},
        .texts =
            {[RT_TEXT_NAME] = text_of(sample->name), [RT_TEXT_MODULE] = text_of(sample->module)},
        .notes = {notes.data, notes.length}};
    size_t size = rt_record_size(&parts);
    void *record = calloc(1, size);
    rt_record_write(record, &parts, size);
    rt_tap_put(record, size);
    free(record);
    free(padding);
    rt_buffer_free(&notes);
}

static void put_named(const char *name)
{
    put(&(struct sample){.kind = RT_RECORD_LOG, .name = name});
}

/* The name of the next record after the cursor; "" if there is none. Good until the next call. */
static const char *next(uint64_t *cursor, uint64_t *missed)
{
    static char name[64];
    rt_buffer bytes = {0};
    rt_record_view view;
    *name = '\0';
    if (rt_tap_next(cursor, missed, &bytes) && rt_record_read(&view, bytes.data, bytes.length))
        snprintf(name, sizeof name, "%.*s", (int)view.texts[RT_TEXT_NAME].length,
                 view.texts[RT_TEXT_NAME].data);
    rt_buffer_free(&bytes);
    return name;
}

static void off_until_opened(void)
{
    CU_ASSERT_FALSE(rt_tap_is_on());
    put_named("lost");
    rt_tap_open();
    CU_ASSERT_TRUE(rt_tap_is_on());
    CU_ASSERT_EQUAL(rt_tap_count(), 0);
    rt_tap_close();
    CU_ASSERT_FALSE(rt_tap_is_on());
}

static void records_come_in_their_order(void)
{
    uint64_t cursor = 0, missed = 0, first;
    rt_tap_open();
    put_named("one");
    put_named("two");
    CU_ASSERT_STRING_EQUAL(next(&cursor, &missed), "one");
    first = cursor;
    CU_ASSERT_STRING_EQUAL(next(&cursor, &missed), "two");
    CU_ASSERT_EQUAL(cursor, first + 1);
    CU_ASSERT_STRING_EQUAL(next(&cursor, &missed), "");
    put_named("three");
    CU_ASSERT_STRING_EQUAL(next(&cursor, &missed), "three");
    CU_ASSERT_STRING_EQUAL(next(&first, &missed), "two");
    CU_ASSERT_EQUAL(missed, 0);
    rt_tap_close();
}

static void a_number_of_another_process_begins_anew(void)
{
    uint64_t cursor, missed = 0, other[] = {0, 1, 0};
    rt_tap_open();
    put_named("one");
    other[2] = UINT64_MAX;
    for (size_t i = 0; i < 3; i++) {
        cursor = other[i];
        CU_ASSERT_STRING_EQUAL(next(&cursor, &missed), "one");
    }
    CU_ASSERT_EQUAL(missed, 0);
    rt_tap_close();
}

static void the_oldest_give_way_to_new_ones(void)
{
    uint64_t cursor = 0, missed = 0, first = 0;
    char name[16];
    rt_tap_open();
    put_named("first");
    next(&first, &missed);
    for (unsigned i = 0; i < RT_TAP_RECORDS + 5; i++) {
        snprintf(name, sizeof name, "%u", i);
        put_named(name);
    }
    CU_ASSERT_EQUAL(rt_tap_count(), RT_TAP_RECORDS);
    CU_ASSERT_STRING_EQUAL(next(&cursor, &missed), "5");
    CU_ASSERT_EQUAL(missed, 0); /* who begins misses nothing */
    CU_ASSERT_STRING_EQUAL(next(&first, &missed), "5");
    CU_ASSERT_EQUAL(missed, 5);
    rt_tap_close();
}

static void large_records_take_the_room_of_many(void)
{
    rt_tap_open();
    for (unsigned i = 0; i < 2 * RT_TAP_BYTES / RT_RECORD_TEXT; i++)
        put(&(struct sample){.kind = RT_RECORD_LOG, .name = "large", .padding = RT_RECORD_TEXT});
    CU_ASSERT(rt_tap_count() <= RT_TAP_BYTES / RT_RECORD_TEXT);
    CU_ASSERT(rt_tap_count() > RT_TAP_BYTES / RT_RECORD_TEXT / 2);
    rt_tap_close();
}

static void what_is_damaged_is_not_kept(void)
{
    char bytes[sizeof(rt_record)] = {0};
    rt_tap_open();
    rt_tap_put(bytes, sizeof bytes);
    rt_tap_put(bytes, 3);
    CU_ASSERT_EQUAL(rt_tap_count(), 0);
    rt_tap_close();
}

static void who_looks_is_not_seen(void)
{
    const struct sample samples[] = {
        {RT_RECORD_BEGIN, "GET /_dev", "tools", 7, 0, 0},   /* its own trace */
        {RT_RECORD_BEGIN, "outbox.count", "mail", 7, 1, 0}, /* what others do in it */
        {RT_RECORD_LOG, "counted", "mail", 7, 0, 0},
        {RT_RECORD_BEGIN, "tools.part", "tools", 8, 1, 0}, /* inside of somebody's trace */
        {RT_RECORD_LOG, "line", "tools", 0, 0, 0},
        {RT_RECORD_BEGIN, "GET /orders", "shop", 8, 0, 0},
        {RT_RECORD_LOG, "ordered", "shop", 8, 0, 0},
    };
    uint64_t cursor = 0, missed = 0;
    rt_tap_open();
    rt_tap_hide("tools");
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        put(&samples[i]);
    CU_ASSERT_STRING_EQUAL(next(&cursor, &missed), "GET /orders");
    CU_ASSERT_STRING_EQUAL(next(&cursor, &missed), "ordered");
    CU_ASSERT_STRING_EQUAL(next(&cursor, &missed), "");
    rt_tap_close();
}

static void *put_many(void *argument)
{
    (void)argument;
    for (int i = 0; i < EACH; i++)
        put_named("line");
    return NULL;
}

static void any_thread_may_put(void)
{
    pthread_t threads[THREADS];
    uint64_t cursor = 0, missed = 0;
    size_t seen = 0;
    rt_tap_open();
    for (int i = 0; i < THREADS; i++)
        CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, put_many, NULL), 0);
    while (seen < THREADS * EACH && missed == 0)
        seen += *next(&cursor, &missed) != '\0';
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CU_ASSERT_EQUAL(seen, THREADS * EACH);
    rt_tap_close();
}

/* --- JSON ------------------------------------------------------------------------------------ */

/* Freed by the caller. */
static char *json_of(const rt_record_parts *parts)
{
    rt_buffer out = {0};
    size_t size = rt_record_size(parts);
    void *record = calloc(1, size);
    rt_record_write(record, parts, size);
    CU_ASSERT_TRUE(rt_record_json(&out, record, size));
    free(record);
    return out.data;
}

static void expect(const rt_record_parts *parts, const char *expected)
{
    char *json = json_of(parts);
    CU_ASSERT_STRING_EQUAL(json, expected);
    if (json && strcmp(json, expected) != 0)
        printf("%s\n", json);
    free(json);
}

static void a_span_reads_as_one_object(void)
{
    rt_buffer notes = {0};
    const rt_span_note all[] = {
        {.type = RT_NOTE_TEXT, .name = RT_STR("a\"b"), .text = RT_STR("line\n\xff")},
        {.type = RT_NOTE_EVENT, .name = RT_STR("exception"), .attributes = 1, .integer = 5000},
        {.type = RT_NOTE_INTEGER, .name = RT_STR("inner"), .integer = -3},
        {.type = RT_NOTE_BOOL, .name = RT_STR("yes"), .integer = 1},
        {.type = RT_NOTE_REAL, .name = RT_STR("half"), .real = 0.5},
        {.type = RT_NOTE_REAL, .name = RT_STR("none"), .real = __builtin_inf()},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        rt_notes_add(&notes, &all[i]);
    expect(&(rt_record_parts){.head = {.kind = RT_RECORD_SPAN,
                                       .level = 2,
                                       .status = RT_STATUS_ERROR,
                                       .high = 1,
                                       .low = 2,
                                       .span = 3,
                                       .parent = 4,
                                       .time = 7000,
                                       .duration = 12345,
                                       .note_count = 6,
                                       .dropped = 9},
                              .texts = {[RT_TEXT_NAME] = RT_STR("GET /"),
                                        [RT_TEXT_MODULE] = RT_STR("shop"),
                                        [RT_TEXT_ERROR] = RT_STR("broken")},
                              .notes = {notes.data, notes.length}},
           "{\"kind\":\"span\",\"time\":7,\"trace\":\"00000000000000010000000000000002\","
           "\"span\":\"0000000000000003\",\"parent\":\"0000000000000004\",\"span_kind\":\"server\","
           "\"status\":\"error\",\"duration\":12345,\"name\":\"GET /\",\"module\":\"shop\","
           "\"error\":\"broken\",\"dropped\":9,\"attributes\":{\"a\\\"b\":\"line\\n\xef\xbf\xbd\","
           "\"yes\":true,\"half\":0.5,\"none\":null},\"events\":[{\"name\":\"exception\","
           "\"time\":5,\"attributes\":{\"inner\":-3}}]}");
    rt_buffer_free(&notes);
}

static void a_log_line_outside_of_a_trace_has_none(void)
{
    expect(
        &(rt_record_parts){
            .head = {.kind = RT_RECORD_LOG, .level = RT_LOG_WARN, .time = 1000},
            .texts = {[RT_TEXT_NAME] = RT_STR("late"), [RT_TEXT_MODULE] = RT_STR("rtd")}},
        "{\"kind\":\"log\",\"time\":1,\"level\":\"warn\",\"name\":\"late\",\"module\":\"rtd\","
        "\"attributes\":{}}");
}

static void numbers_beyond_the_tables_read_as_unknown(void)
{
    expect(&(rt_record_parts){.head = {.kind = 77, .level = 99, .status = 99}},
           "{\"kind\":\"unknown\",\"time\":0,\"span_kind\":\"unknown\",\"attributes\":{}}");
    rt_buffer out = {0};
    CU_ASSERT_FALSE(rt_record_json(&out, "no record", 9));
    CU_ASSERT_EQUAL(out.length, 0);
    rt_buffer_free(&out);
}

RT_TEST_MAIN("tap", {"a tap is off until it is opened", off_until_opened},
             {"records come in their order", records_come_in_their_order},
             {"a number of another process begins anew", a_number_of_another_process_begins_anew},
             {"the oldest give way to new ones", the_oldest_give_way_to_new_ones},
             {"large records take the room of many", large_records_take_the_room_of_many},
             {"what is damaged is not kept", what_is_damaged_is_not_kept},
             {"who looks is not seen", who_looks_is_not_seen},
             {"any thread may put records", any_thread_may_put},
             {"a span reads as one object", a_span_reads_as_one_object},
             {"a log line outside of a trace has none", a_log_line_outside_of_a_trace_has_none},
             {"numbers beyond the tables read as unknown",
              numbers_beyond_the_tables_read_as_unknown})
