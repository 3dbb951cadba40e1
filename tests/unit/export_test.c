/* What the exporter writes, read by a reader of its own: the messages' fields by number and wire
 * type, as protoc --decode_raw would show them. What the fields mean to a collector is asked of
 * OpenTelemetry's classes by scenario/test_export.py. */
#include "harness.h"

#include "base/pairs.h"
#include "export/exporter.h"
#include "export/otlp.h"
#include "export/protobuf.h"
#include "export/response.h"
#include "telemetry/outlet.h"

#include <errno.h>
#include <rt/log.h>
#include <stdlib.h>
#include <string.h>

/* --- a reader -------------------------------------------------------------------------------- */

/* "1:"name" 2{3=7}": strings where they are printable, else messages, else bytes as <n>. */
static size_t read_varint(const unsigned char *at, size_t left, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < left && i < 10; i++) {
        *value |= (uint64_t)(at[i] & 0x7F) << (7 * i);
        if (!(at[i] & 0x80))
            return i + 1;
    }
    return 0;
}

static bool is_text(const unsigned char *at, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (at[i] < ' ' || at[i] == 0x7F)
            return false;
    return length != 0;
}

static bool show(rt_buffer *out, const unsigned char *at, size_t left);

static void show_bytes(rt_buffer *out, const unsigned char *at, size_t length)
{
    rt_buffer inner = {0};
    if (is_text(at, length)) {
        rt_buffer_char(out, '"');
        rt_buffer_add(out, at, length);
        rt_buffer_char(out, '"');
    } else if (length && show(&inner, at, length)) {
        rt_buffer_format(out, "{%s}", inner.data);
    } else {
        rt_buffer_format(out, "<%zu>", length);
    }
    rt_buffer_free(&inner);
}

static bool show(rt_buffer *out, const unsigned char *at, size_t left)
{
    const char *between = "";
    while (left) {
        uint64_t tag, value = 0;
        size_t used = read_varint(at, left, &tag), size = (tag & 7) == 5 ? 4 : 8;
        if (!used || !(tag >> 3))
            return false;
        at += used, left -= used;
        bool varies = (tag & 7) == 0 || (tag & 7) == 2;
        used = varies ? read_varint(at, left, &value) : size;
        if (!used || used > left || (!varies && (tag & 7) != 1 && (tag & 7) != 5))
            return false;
        if (!varies)
            memcpy(&value, at, size);
        at += used, left -= used;
        rt_buffer_format(out, "%s%ju", between, (uintmax_t)(tag >> 3));
        between = " ";
        if ((tag & 7) == 2) {
            if (value > left)
                return false;
            show_bytes(out, at, (size_t)value);
            at += value, left -= (size_t)value;
        } else {
            rt_buffer_format(out, "%s%ju",
                             (tag & 7) == 0   ? "="
                             : (tag & 7) == 1 ? "#"
                                              : "~",
                             (uintmax_t)value);
        }
    }
    return true;
}

static void expect(const rt_buffer *bytes, const char *text)
{
    rt_buffer shown = {0};
    bool sound = show(&shown, (const unsigned char *)bytes->data, bytes->length);
    CU_ASSERT_TRUE(sound);
    if (!shown.data || strcmp(shown.data, text) != 0)
        printf("\n  is     %s\n  wanted %s\n", shown.data ? shown.data : "", text);
    CU_ASSERT_TRUE(shown.data && strcmp(shown.data, text) == 0);
    rt_buffer_free(&shown);
}

/* --- the writer ------------------------------------------------------------------------------ */

static void numbers_have_their_width(void)
{
    rt_buffer out = {0};
    rt_pb_varint(&out, 1, 0);
    rt_pb_varint(&out, 2, 127);
    rt_pb_varint(&out, 3, 128);
    rt_pb_varint(&out, 16, UINT64_MAX);
    rt_pb_fixed32(&out, 5, 0xFFFFFFFF);
    rt_pb_fixed64(&out, 6, 1);
    expect(&out, "1=0 2=127 3=128 16=18446744073709551615 5~4294967295 6#1");
    static const unsigned char first[] = {0x08, 0x00, 0x10, 0x7F, 0x18, 0x80, 0x01, 0x80, 0x01};
    CU_ASSERT_EQUAL(memcmp(out.data, first, sizeof first), 0);
    rt_buffer_free(&out);
}

static void messages_of_any_size_are_closed(void)
{
    static const size_t sizes[] = {0,   1,     125,   126,   127,   128,
                                   129, 16382, 16383, 16384, 70000, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        rt_buffer out = {0};
        char *bytes = calloc(1, sizes[i] + 1);
        memset(bytes, 'x', sizes[i]);
        size_t outer = rt_pb_open(&out, 1), inner = rt_pb_open(&out, 2);
        rt_buffer_add(&out, bytes, sizes[i]);
        rt_pb_close(&out, inner);
        rt_pb_close(&out, outer);
        const char *at = out.data, *end = at + out.length;
        rt_pb_field field = {0};
        CU_ASSERT_EQUAL(rt_pb_next(&at, end, &field), 1);
        CU_ASSERT_PTR_EQUAL(at, end);
        at = field.bytes;
        CU_ASSERT_EQUAL(rt_pb_next(&at, end, &field), 1);
        CU_ASSERT_EQUAL(field.number, 2);
        CU_ASSERT_EQUAL(field.length, sizes[i]);
        CU_ASSERT_EQUAL(memcmp(field.bytes, bytes, sizes[i]), 0);
        free(bytes);
        rt_buffer_free(&out);
    }
}

static void texts_that_are_no_utf_8_are_mended(void)
{
    rt_buffer out = {0};
    rt_pb_string(&out, 1, "caf\xC3\xA9 \xFF\xFEx\xC3", 10);
    expect(&out, "1\"caf\xC3\xA9 \xEF\xBF\xBD\xEF\xBF\xBDx\xEF\xBF\xBD\"");
    rt_buffer_free(&out);
}

/* --- records --------------------------------------------------------------------------------- */

static rt_str text_of(const char *text)
{
    return (rt_str){text, strlen(text)};
}

/* Writes the record and gives a view of it, in bytes of the exact size. */
static char *record_of(const rt_record_parts *parts, rt_record_view *view)
{
    size_t size = rt_record_size(parts);
    char *bytes = aligned_alloc(8, size);
    rt_record_write(bytes, parts, size);
    CU_ASSERT_TRUE(rt_record_read(view, bytes, size));
    return bytes;
}

static void add_notes(rt_buffer *notes)
{
    const rt_span_note all[] = {
        {.type = RT_NOTE_TEXT, .name = text_of("t"), .text = text_of("v")},
        {.type = RT_NOTE_INTEGER, .name = text_of("i"), .integer = -1},
        {.type = RT_NOTE_REAL, .name = text_of("r"), .real = 0.5},
        {.type = RT_NOTE_EVENT, .name = text_of("e"), .integer = 77, .attributes = 1},
        {.type = RT_NOTE_TEXT, .name = text_of("of-e"), .text = text_of("w")},
        {.type = RT_NOTE_BOOL, .name = text_of("b"), .integer = 1},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        rt_notes_add((struct rt_buffer *)notes, &all[i]);
}

static void a_span_has_all_of_its_record(void)
{
    rt_buffer notes = {0}, out = {0};
    rt_record_view view;
    add_notes(&notes);
    rt_record_parts parts = {.head = {.kind = RT_RECORD_SPAN,
                                      .level = 2,
                                      .status = RT_STATUS_ERROR,
                                      .high = 0x6162636465666768,
                                      .low = 0x696a6b6c6d6e6f70,
                                      .span = 0x4142434445464748,
                                      .parent = 0x5152535455565758,
                                      .time = 1000,
                                      .duration = 24,
                                      .flags = 0x101,
                                      .note_count = 6,
                                      .dropped = 3},
                             .texts = {text_of("GET /"), text_of("shop"), text_of("1.0"),
                                       text_of("gone"), text_of("a=b")},
                             .notes = {notes.data, notes.length}};
    char *bytes = record_of(&parts, &view);
    rt_otlp_span(&out, &view);
    expect(&out, "2{1\"abcdefghijklmnop\" 2\"ABCDEFGH\" 4\"QRSTUVWX\" 6=2 7#1000 10=3 16~1 8#1024 "
                 "5\"GET /\" 3\"a=b\" 9{1\"t\" 2{1\"v\"}} 9{1\"i\" 2{3=18446744073709551615}} "
                 "9{1\"r\" 2{4#4602678819172646912}} 11{1#77 2\"e\" 3{1\"of-e\" 2{1\"w\"}}} "
                 "9{1\"b\" 2{2=1}} 15{2\"gone\" 3=2}}");
    free(bytes);
    rt_buffer_free(&notes);
    rt_buffer_free(&out);
}

static void a_log_line_has_severity_body_and_place(void)
{
    rt_buffer out = {0};
    rt_record_view view;
    rt_record_parts parts = {.head = {.kind = RT_RECORD_LOG,
                                      .level = RT_LOG_WARN,
                                      .high = 0x6162636465666768,
                                      .low = 0x696a6b6c6d6e6f70,
                                      .span = 0x4142434445464748,
                                      .time = 5,
                                      .flags = 1},
                             .texts = {text_of("it is late"), text_of("shop")}};
    char *bytes = record_of(&parts, &view);
    rt_otlp_log(&out, &view);
    expect(&out, "2{1#5 11#5 8~1 9\"abcdefghijklmnop\" 10\"ABCDEFGH\" 2=13 3\"WARN\" "
                 "5{1\"it is late\"}}");
    free(bytes);
    out.length = 0;
    parts.head = (rt_record){.kind = RT_RECORD_LOG, .level = 77};
    parts.texts[RT_TEXT_NAME] = text_of("");
    bytes = record_of(&parts, &view);
    rt_otlp_log(&out, &view);
    expect(&out, "2{1#0 11#0 8~0 5{1<0>}}");
    free(bytes);
    rt_buffer_free(&out);
}

/* --- metrics --------------------------------------------------------------------------------- */

static const double bounds[] = {1, 2};

static void write_metrics(rt_buffer *out)
{
    static rt_instrument counter = {.name = "c", .unit = "{x}", .help = "C", .kind = RT_COUNTER};
    static rt_instrument gauge = {.name = "g", .kind = RT_GAUGE};
    static rt_instrument histogram = {
        .name = "h", .unit = "s", .kind = RT_HISTOGRAM, .bounds = bounds, .bound_count = 2};
    void *room = calloc(1, RT_METRIC_ROOM);
    rt_metric_view *view = rt_metric_view_new();
    rt_metrics_open(room, RT_METRIC_ROOM);
    rt_series_add(rt_series_of(&counter, &(rt_metric_label){"k", text_of("v")}, 1), 7);
    rt_series_set(rt_series_of(&gauge, NULL, 0), 0.5);
    rt_series_observe(rt_series_of(&histogram, NULL, 0), 1.5);
    rt_series_observe(rt_series_of(&histogram, NULL, 0), 3);
    rt_metric_view_add(view, room, RT_METRIC_ROOM, &(rt_metric_source){.alive = true});
    rt_metric_view_finish(view);
    for (const char *name = "c\0g\0h\0"; *name; name += 2)
        rt_otlp_family(out, rt_metric_view_find(view, name), 0, &(rt_metric_times){10, 20});
    rt_metric_view_free(view);
    rt_metrics_close();
    free(room);
}

static void metrics_are_sums_gauges_and_histograms(void)
{
    rt_buffer out = {0};
    write_metrics(&out);
    expect(&out, "2{1\"c\" 2\"C\" 3\"{x}\" 7{1{2#10 3#20 6#7 7{1\"k\" 2{1\"v\"}}} 2=2 3=1}} "
                 "2{1\"g\" 5{1{3#20 4#4602678819172646912}}} "
                 "2{1\"h\" 3\"s\" 9{1{2#10 3#20 4#2 5#4616752568008179712 6<24> 7<16>} 2=2}}");
    rt_buffer_free(&out);
}

/* --- bundles --------------------------------------------------------------------------------- */

static void a_bundle_groups_items_by_scope(void)
{
    rt_bundle bundle = {0};
    rt_buffer resource = {0}, body = {0};
    rt_pb_text(&resource, 1, "R");
    rt_pb_text(rt_bundle_items(&bundle, "a", "1"), 2, "one");
    rt_pb_text(rt_bundle_items(&bundle, "b", ""), 2, "two");
    rt_pb_text(rt_bundle_items(&bundle, "a", "1"), 2, "three");
    rt_bundle_added(&bundle, 3, 42);
    rt_bundle_body(&bundle, &resource, &body);
    expect(&body, "1{1{1\"R\"} 2{1{1\"a\" 2\"1\"} 2\"one\" 2\"three\"} 2{1{1\"b\"} 2\"two\"} "
                  "3\"https://opentelemetry.io/schemas/1.27.0\"}");
    CU_ASSERT_EQUAL(bundle.items, 3);
    CU_ASSERT_EQUAL(bundle.began, 42);
    CU_ASSERT_TRUE(rt_bundle_held(&bundle) >= rt_bundle_size(&bundle));
    rt_bundle_empty(&bundle);
    CU_ASSERT_EQUAL(rt_bundle_size(&bundle), 0);
    rt_buffer_free(&resource);
    rt_buffer_free(&body);
}

/* --- taking ---------------------------------------------------------------------------------- */

/* A message of an outlet with so many spans. */
static void make_message(rt_buffer *message, size_t spans, uint64_t id)
{
    rt_batch head = {.magic = RT_BATCH_MAGIC, .pid = 1};
    rt_record_parts parts = {
        .head = {.kind = RT_RECORD_SPAN, .level = 1, .high = id, .low = id, .span = id},
        .texts = {text_of("work"), text_of("m"), text_of("1")}};
    char bytes[512] __attribute__((aligned(8)));
    message->length = 0;
    rt_buffer_add(message, &head, sizeof head);
    for (size_t i = 0; i < spans; i++) {
        size_t size = rt_record_size(&parts);
        rt_record_write(bytes, &parts, size);
        rt_buffer_add(message, bytes, size);
    }
}

static rt_exporter *closed_exporter(size_t room)
{
    rt_exporter *exporter = calloc(1, sizeof *exporter);
    exporter->room = room;
    exporter->bundle_most = room / 8;
    exporter->ways[RT_SIGNAL_TRACES].is_open = true;
    exporter->ways[RT_SIGNAL_TRACES].batch = 512;
    exporter->ways[RT_SIGNAL_TRACES].delay = 1000;
    exporter->ways[RT_SIGNAL_TRACES].sender.options.signal = "traces";
    exporter->ways[RT_SIGNAL_TRACES].sender.shown = "http://nowhere";
    return exporter;
}

static void what_is_no_message_is_refused_and_half_a_record_is_not_read(void)
{
    rt_exporter *exporter = closed_exporter(1 << 20);
    rt_export_way *way = &exporter->ways[RT_SIGNAL_TRACES];
    rt_buffer message = {0};
    make_message(&message, 2, 1);
    for (size_t length = 0; length < message.length; length++) {
        char *cut = malloc(length + !length);
        memcpy(cut, message.data, length);
        bool whole = length == (message.length + sizeof(rt_batch)) / 2; /* one record of the two */
        CU_ASSERT_EQUAL(rt_exporter_take(exporter, cut, length, 1), whole);
        free(cut);
        rt_bundle_empty(&way->bundle);
    }
    CU_ASSERT_TRUE(rt_exporter_take(exporter, message.data, message.length, 1));
    CU_ASSERT_EQUAL(way->bundle.items, 2);
    message.data[0] ^= 1;
    CU_ASSERT_FALSE(rt_exporter_take(exporter, message.data, message.length, 1));
    rt_bundle_empty(&way->bundle);
    rt_buffer_free(&message);
    free(exporter);
}

static void a_span_without_an_id_would_spoil_its_request_and_is_left_out(void)
{
    rt_exporter *exporter = closed_exporter(1 << 20);
    rt_buffer message = {0};
    make_message(&message, 3, 0);
    CU_ASSERT_TRUE(rt_exporter_take(exporter, message.data, message.length, 1));
    CU_ASSERT_EQUAL(exporter->ways[RT_SIGNAL_TRACES].bundle.items, 0);
    rt_buffer_free(&message);
    free(exporter);
}

static void what_is_held_stays_below_its_limit_and_the_rest_is_counted(void)
{
    rt_exporter *exporter = closed_exporter(1 << 20);
    rt_export_way *way = &exporter->ways[RT_SIGNAL_TRACES];
    rt_buffer message = {0};
    size_t sent = 0;
    make_message(&message, 100, 7);
    for (int i = 0; i < 1000; i++, sent += 100) {
        rt_exporter_take(exporter, message.data, message.length, 1);
        CU_ASSERT_TRUE(rt_exporter_held(exporter) <= 1 << 20);
    }
    CU_ASSERT_TRUE(way->bundle.items > 1000);
    CU_ASSERT_TRUE(way->sender.counts[RT_SENT_DROPPED] > 1000);
    CU_ASSERT_EQUAL(way->bundle.items + way->sender.counts[RT_SENT_DROPPED], sent);
    rt_bundle_empty(&way->bundle);
    rt_buffer_free(&message);
    free(exporter);
}

enum { MANY_SERIES = 1900 };

static rt_metric_view *view_of_many(void *memory)
{
    static rt_instrument counter = {.name = "many", .kind = RT_COUNTER};
    rt_metric_view *view = rt_metric_view_new();
    rt_metrics_open(memory, RT_METRIC_ROOM);
    for (int i = 0; i < MANY_SERIES; i++) {
        char value[64];
        snprintf(value, sizeof value, "a value that takes some room %d", i);
        rt_series_add(rt_series_of(&counter, &(rt_metric_label){"k", text_of(value)}, 1), 1);
    }
    rt_metric_view_add(view, memory, RT_METRIC_ROOM, &(rt_metric_source){.alive = true});
    rt_metric_view_finish(view);
    return view;
}

static void a_metric_of_many_series_is_no_exception(void)
{
    enum { PART = RT_METRIC_POINTS * 160 }; /* bytes, of as many points as are written at once */
    rt_exporter *exporter = closed_exporter(64 << 10);
    rt_export_way *way = &exporter->ways[RT_SIGNAL_METRICS];
    void *memory = calloc(1, RT_METRIC_ROOM);
    rt_metric_view *view = view_of_many(memory);
    size_t points = 0;
    for (size_t i = 0; i < view->family_count; i++)
        points += view->families[i]->point_count;
    CU_ASSERT_TRUE(points >= MANY_SERIES);
    way->is_open = true;
    way->sender.options.signal = "metrics";
    way->sender.shown = "http://nowhere";
    for (size_t i = 1; i < 4; i++) {
        rt_exporter_metrics(exporter, view, &(rt_metric_times){10, 20});
        CU_ASSERT_TRUE(rt_exporter_held(exporter) <= exporter->room + 2 * PART);
        CU_ASSERT_TRUE(way->sender.waiting > 0 && way->sender.waiting < MANY_SERIES);
        CU_ASSERT_EQUAL(way->sender.waiting + way->sender.counts[RT_SENT_DROPPED], i * points);
    }
    rt_sender_give_up(&way->sender, 0);
    rt_metric_view_free(view);
    rt_metrics_close();
    free(memory);
    free(exporter);
}

/* --- answers --------------------------------------------------------------------------------- */

static void a_partial_success_is_read_and_garbage_is_not(void)
{
    rt_partial partial;
    CU_ASSERT_EQUAL(rt_response_read("", 0, &partial), 0);
    CU_ASSERT_EQUAL(partial.rejected, 0);
    CU_ASSERT_EQUAL(rt_response_read("\x0a\x07\x08\x05\x12\x03"
                                     "bad",
                                     9, &partial),
                    0);
    CU_ASSERT_EQUAL(partial.rejected, 5);
    CU_ASSERT_TRUE(partial.length == 3 && memcmp(partial.message, "bad", 3) == 0);
    CU_ASSERT_EQUAL(rt_response_read("\x0a\x7f", 2, &partial), -EPROTO);
    CU_ASSERT_EQUAL(rt_response_read("<html>", 6, &partial), -EPROTO);
    static const char negative[] = "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    CU_ASSERT_EQUAL(rt_response_read(negative, sizeof negative - 1, &partial), 0);
    CU_ASSERT_EQUAL(partial.rejected, 0);
    CU_ASSERT_EQUAL(rt_response_reason("\x08\x03\x12\x04"
                                       "full",
                                       8, &partial),
                    0);
    CU_ASSERT_TRUE(partial.length == 4 && memcmp(partial.message, "full", 4) == 0);
}

/* --- pairs ----------------------------------------------------------------------------------- */

static bool take_pair(void *user, const char *name, const char *value)
{
    rt_buffer_format(user, "[%s|%s]", name, value);
    return true;
}

static void lists_of_pairs_are_decoded(void)
{
    static const struct {
        const char *text, *shown, *problem;
    } cases[] = {
        {NULL, "", NULL},
        {"", "", NULL},
        {"a=b", "[a|b]", NULL},
        {" a = b , c=d=e ,", "[a|b][c|d=e]", NULL},
        {"a=", "[a|]", NULL},
        {"a=%2C%20%e4%B8%ad", "[a|, \xe4\xb8\xad]", NULL},
        {"a=b%", "", "a `%` is not followed by two hexadecimal digits"},
        {"a=%4", "", "a `%` is not followed by two hexadecimal digits"},
        {"a=%zz", "", "a `%` is not followed by two hexadecimal digits"},
        {"a", "", "a part has no `=`"},
        {"=b", "", "a part has no name"},
        {"a=1,b=%0A", "[a|1]", "there is a control character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rt_buffer shown = {0};
        rt_buffer_text(&shown, "");
        const char *problem = rt_pairs_each(cases[i].text, take_pair, &shown);
        CU_ASSERT_STRING_EQUAL(problem ? problem : "", cases[i].problem ? cases[i].problem : "");
        CU_ASSERT_STRING_EQUAL(shown.data, cases[i].shown);
        rt_buffer_free(&shown);
    }
}

RT_TEST_MAIN("export", {"numbers have their width", numbers_have_their_width},
             {"messages of any size are closed", messages_of_any_size_are_closed},
             {"texts that are no UTF-8 are mended", texts_that_are_no_utf_8_are_mended},
             {"a span has all of its record", a_span_has_all_of_its_record},
             {"a log line has severity, body and place", a_log_line_has_severity_body_and_place},
             {"metrics are sums, gauges and histograms", metrics_are_sums_gauges_and_histograms},
             {"a bundle groups items by scope", a_bundle_groups_items_by_scope},
             {"what is no message is refused, and half a record is not read",
              what_is_no_message_is_refused_and_half_a_record_is_not_read},
             {"a span without an id would spoil its request, and is left out",
              a_span_without_an_id_would_spoil_its_request_and_is_left_out},
             {"what is held stays below its limit, and the rest is counted",
              what_is_held_stays_below_its_limit_and_the_rest_is_counted},
             {"a metric of many series is no exception", a_metric_of_many_series_is_no_exception},
             {"a partial success is read, and garbage is not",
              a_partial_success_is_read_and_garbage_is_not},
             {"lists of pairs are decoded", lists_of_pairs_are_decoded})
