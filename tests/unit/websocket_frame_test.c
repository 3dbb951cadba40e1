/* What a peer may send, as data: bytes before masking, and what the reader makes of them. */
#include "harness.h"

#include "http/websocket_deflate.h"
#include "http/websocket_frame.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT 1000

/* --- cases ----------------------------------------------------------------------------------- */

/* A frame is first byte, then the payload; lengths and masks are added. `raw` frames are bytes as
 * they go. Expected: T… text, B… binary, P… ping, p… pong, C… close, or the code to end with. */
typedef struct frame {
    uint8_t first;
    const char *payload;
    uint16_t length; /* 0: of the text */
} frame;

typedef struct exchange {
    const char *name;
    frame frames[6];
    const char *events[6];
} exchange;

#define TEXT 0x81
#define BINARY 0x82
#define REST 0x00
#define LAST 0x80
#define BEGIN 0x01
#define PING 0x89
#define PONG 0x8a
#define CLOSE 0x88
#define SIXTY_FOUR "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONTROL_FULL SIXTY_FOUR "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abc"

static const exchange exchanges[] = {
    {"text", {{TEXT, "hello"}}, {"Thello"}},
    {"empty text", {{TEXT, ""}}, {"T"}},
    {"empty binary", {{BINARY, ""}}, {"B"}},
    {"length of two bytes", {{TEXT, CONTROL_FULL "d"}}, {"T" CONTROL_FULL "d"}},
    {"two messages", {{TEXT, "a"}, {BINARY, "b"}}, {"Ta", "Bb"}},
    {"fragments", {{BEGIN, "a"}, {REST, "b"}, {LAST, "c"}}, {"Tabc"}},
    {"empty fragments", {{BEGIN, ""}, {REST, ""}, {LAST, ""}}, {"T"}},
    {"ping between fragments", {{BEGIN, "a"}, {PING, "x"}, {LAST, "c"}}, {"Px", "Tac"}},
    {"pong unasked", {{PONG, "x"}, {TEXT, "a"}}, {"px", "Ta"}},
    {"ping without payload", {{PING, ""}}, {"P"}},
    {"ping of 125 bytes", {{PING, CONTROL_FULL}}, {"P" CONTROL_FULL}},
    {"ping of 126 bytes", {{PING, CONTROL_FULL "d"}}, {"1002"}},
    {"ping in fragments", {{0x09, "a"}}, {"1002"}},
    {"close in fragments", {{0x08, ""}}, {"1002"}},
    {"close without code", {{CLOSE, ""}}, {"C"}},
    {"close",
     {{CLOSE, "\x03\xe8"
              "bye"}},
     {"C\x03\xe8"
      "bye"}},
    {"close between fragments", {{BEGIN, "a"}, {CLOSE, "\x03\xe8"}}, {"C\x03\xe8"}},
    {"rest of nothing", {{LAST, "a"}}, {"1002"}},
    {"open rest of nothing", {{REST, "a"}}, {"1002"}},
    {"text within text", {{BEGIN, "a"}, {TEXT, "b"}}, {"1002"}},
    {"binary within text", {{BEGIN, "a"}, {0x02, "b"}}, {"1002"}},
    {"rest after the end", {{BEGIN, "a"}, {LAST, "b"}, {LAST, "c"}}, {"Tab", "1002"}},
    {"opcode 3", {{0x83, ""}}, {"1002"}},
    {"opcode 7", {{0x87, ""}}, {"1002"}},
    {"opcode 11", {{0x8b, ""}}, {"1002"}},
    {"opcode 15", {{0x8f, ""}}, {"1002"}},
    {"first reserved bit", {{0xc1, "a"}}, {"1002"}},
    {"second reserved bit", {{0xa1, "a"}}, {"1002"}},
    {"third reserved bit", {{0x91, "a"}}, {"1002"}},
    {"reserved bit of a ping", {{0xc9, "a"}}, {"1002"}},
    {"two-byte letter over fragments", {{BEGIN, "\xc3"}, {LAST, "\xa9"}}, {"T\xc3\xa9"}},
    {"four-byte letter over fragments",
     {{BEGIN, "\xf0"}, {REST, "\x9f\x98"}, {LAST, "\x80"}},
     {"T\xf0\x9f\x98\x80"}},
    {"text that ends in a letter", {{TEXT, "a\xc3"}}, {"1007"}},
    {"fragments that end in a letter", {{BEGIN, "a"}, {LAST, "\xe2\x82"}}, {"1007"}},
    {"lone following byte", {{TEXT, "\x80"}}, {"1007"}},
    {"overlong letter", {{TEXT, "\xc0\xaf"}}, {"1007"}},
    {"overlong three bytes", {{TEXT, "\xe0\x80\xaf"}}, {"1007"}},
    {"surrogate", {{TEXT, "\xed\xa0\x80"}}, {"1007"}},
    {"beyond Unicode", {{TEXT, "\xf4\x90\x80\x80"}}, {"1007"}},
    {"five-byte letter", {{TEXT, "\xf8\x88\x80\x80\x80"}}, {"1007"}},
    {"no letter at once, in a first fragment", {{BEGIN, "\xff"}}, {"1007"}},
    {"largest letter", {{TEXT, "\xf4\x8f\xbf\xbf"}}, {"T\xf4\x8f\xbf\xbf"}},
    {"NUL in text", {{TEXT, "a\0b", 3}}, {"Ta\0b"}},
    {"no UTF-8 in binary", {{BINARY, "\xff\xfe"}}, {"B\xff\xfe"}},
    {"bytes after a close are not looked at", {{CLOSE, ""}, {0xff, ""}}, {"C", "1002"}},
};

/* Whole frames as bytes, for what must be wrong in their heads. */
static const struct {
    const char *name;
    uint8_t bytes[16];
    size_t length;
    int event;
} heads[] = {
    {"no mask", {0x81, 0x01, 'a'}, 3, 1002},
    {"126 for a short length", {0x82, 0xfe, 0, 125, 0, 0, 0, 0}, 8, 1002},
    {"127 for a short length", {0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0}, 14, 1002},
    {"highest bit of a length", {0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}, 14, 1002},
    {"more than the limit", {0x82, 0xfe, 0x03, 0xe9, 0, 0, 0, 0}, 8, 1009},
    {"far more than the limit", {0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 14, 1009},
    {"mask of a wrong opcode", {0x83, 0x80}, 2, 1002}, /* before the mask has come */
};

/* --- running them ---------------------------------------------------------------------------- */

static void add_frame(rt_buffer *out, const frame *f)
{
    static const uint8_t mask[] = {0x37, 0xfa, 0x21, 0x3d};
    size_t length = f->length ? f->length : strlen(f->payload);
    char head[RT_WS_HEAD_LIMIT];
    size_t size = rt_ws_head(head, f->first & 15, f->first & 0x80, f->first & 0x40, length);
    head[0] = (char)f->first;
    head[1] = (char)(head[1] | 0x80);
    rt_buffer_add(out, head, size);
    rt_buffer_add(out, mask, sizeof mask);
    for (size_t i = 0; i < length; i++)
        rt_buffer_char(out, (char)(f->payload[i] ^ mask[i & 3]));
}

static void note_event(rt_buffer *log, rt_ws_reader *reader, int event)
{
    const char *letter = event == RT_WS_TEXT     ? "T"
                         : event == RT_WS_BINARY ? "B"
                         : event == RT_WS_PING   ? "P"
                         : event == RT_WS_PONG   ? "p"
                                                 : "C";
    if (event > 999) {
        rt_buffer_format(log, "%d", event);
    } else {
        rt_buffer_text(log, letter);
        if (event >= RT_WS_CLOSE)
            rt_buffer_add(log, reader->control, reader->control_length);
        else
            rt_buffer_add(log, reader->message.data, reader->message.length);
    }
    if (event == RT_WS_TEXT || event == RT_WS_BINARY)
        rt_ws_next(reader);
    rt_buffer_char(log, '|');
}

/* All events of the bytes, fed `step` at a time from heap blocks of their size. */
static void read_all(const char *data, size_t length, size_t step, rt_buffer *log)
{
    rt_ws_reader reader = {.limit = LIMIT};
    int event = 0;
    rt_buffer_text(log, "");
    for (size_t done = 0; done < length && event < 1000; done += step) {
        size_t size = length - done < step ? length - done : step;
        char *piece = malloc(size);
        memcpy(piece, data + done, size);
        const char *at = piece;
        while (event < 1000 && (event = rt_ws_read(&reader, &at, piece + size)) != 0)
            note_event(log, &reader, event);
        free(piece);
    }
    rt_ws_reader_free(&reader);
}

static void expect(const char *name, const char *data, size_t length, const rt_buffer *wanted)
{
    for (size_t step = 1; step <= length; step = step * 2 + 1) {
        rt_buffer log = {0};
        read_all(data, length, step, &log);
        bool same = log.length == wanted->length && !memcmp(log.data, wanted->data, log.length);
        if (!same)
            printf("\n    %s, %zu at a time: `%s` instead of `%s`\n", name, step, log.data,
                   wanted->data);
        CU_ASSERT_TRUE(same);
        rt_buffer_free(&log);
    }
}

static void run_exchanges(void)
{
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++) {
        const exchange *e = &exchanges[i];
        rt_buffer data = {0}, wanted = {0};
        for (size_t f = 0; f < 6 && e->frames[f].payload; f++)
            add_frame(&data, &e->frames[f]);
        for (size_t v = 0; v < 6 && e->events[v]; v++) {
            /* The one text with a NUL has the length of its frame. */
            size_t length = e->frames[0].length ? e->frames[0].length + 1u : strlen(e->events[v]);
            rt_buffer_add(&wanted, e->events[v], length);
            rt_buffer_char(&wanted, '|');
        }
        expect(e->name, data.data, data.length, &wanted);
        rt_buffer_free(&data);
        rt_buffer_free(&wanted);
    }
}

static void run_heads(void)
{
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        rt_buffer wanted = {0};
        rt_buffer_format(&wanted, "%d|", heads[i].event);
        expect(heads[i].name, (const char *)heads[i].bytes, heads[i].length, &wanted);
        rt_buffer_free(&wanted);
    }
}

static void run_limits(void)
{
    static const struct {
        size_t first, second;
        bool fits;
    } cases[] = {{LIMIT, 0, true}, {LIMIT / 2, LIMIT / 2, true}, {LIMIT, 1, false}};
    char *payload = malloc(LIMIT + 1);
    memset(payload, 'x', LIMIT + 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rt_buffer data = {0}, wanted = {0};
        add_frame(&data, &(frame){BEGIN, payload, (uint16_t)cases[i].first});
        if (cases[i].second)
            add_frame(&data, &(frame){LAST, payload, (uint16_t)cases[i].second});
        else
            add_frame(&data, &(frame){LAST, ""});
        rt_buffer_text(&wanted, cases[i].fits ? "T" : "1009");
        if (cases[i].fits)
            rt_buffer_add(&wanted, payload, LIMIT);
        rt_buffer_char(&wanted, '|');
        expect("limit", data.data, data.length, &wanted);
        rt_buffer_free(&data);
        rt_buffer_free(&wanted);
    }
    free(payload);
}

static void close_codes(void)
{
    static const struct {
        const char *payload;
        size_t length;
        int code;
    } cases[] = {
        {"", 0, 1005},           {"\x03", 1, -1002},         {"\x03\xe8", 2, 1000},
        {"\x03\xe8ok", 4, 1000}, {"\x03\xe8\xff", 3, -1007}, {"\x03\xe8\xc3", 3, -1007},
        {"\x00\x00", 2, -1002},                                                      /* 0 */
        {"\x03\xe7", 2, -1002},                                                      /* 999 */
        {"\x03\xec", 2, -1002},                                                      /* 1004 */
        {"\x03\xed", 2, -1002},                                                      /* 1005 */
        {"\x03\xee", 2, -1002},                                                      /* 1006 */
        {"\x03\xef", 2, 1007},   {"\x03\xf6", 2, 1014},      {"\x03\xf7", 2, -1002}, /* 1015 */
        {"\x07\xd0", 2, -1002},                                                      /* 2000 */
        {"\x0b\xb8", 2, 3000},   {"\x13\x87", 2, 4999},      {"\x13\x88", 2, -1002}, /* 5000 */
        {"\xff\xff", 2, -1002},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CU_ASSERT_EQUAL(rt_ws_close_code(cases[i].payload, cases[i].length), cases[i].code);
}

static void heads_written(void)
{
    static const struct {
        uint64_t length;
        size_t size;
        uint8_t bytes[10];
    } cases[] = {
        {0, 2, {0x82, 0}},
        {125, 2, {0x82, 125}},
        {126, 4, {0x82, 126, 0, 126}},
        {65535, 4, {0x82, 126, 0xff, 0xff}},
        {65536, 10, {0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
    };
    char head[RT_WS_HEAD_LIMIT];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(rt_ws_head(head, RT_WS_BINARY, true, false, cases[i].length),
                        cases[i].size);
        CU_ASSERT_EQUAL(memcmp(head, cases[i].bytes, cases[i].size), 0);
    }
    rt_ws_head(head, RT_WS_TEXT, false, true, 1);
    CU_ASSERT_EQUAL((uint8_t)head[0], 0x41);
}

/* --- compression ----------------------------------------------------------------------------- */

static void offers(void)
{
    static const struct {
        const char *offer, *answer; /* NULL: none can be met */
    } cases[] = {
        {"permessage-deflate", "permessage-deflate; server_max_window_bits=12"},
        {"permessage-deflate; client_max_window_bits",
         "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"},
        {"permessage-deflate;client_max_window_bits=9 ; server_max_window_bits=\"10\"",
         "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"},
        {"permessage-deflate; server_no_context_takeover; client_no_context_takeover",
         "permessage-deflate; server_max_window_bits=12; server_no_context_takeover; "
         "client_no_context_takeover"},
        {"x-other, permessage-deflate", "permessage-deflate; server_max_window_bits=12"},
        {"permessage-deflate; server_max_window_bits=8, permessage-deflate",
         "permessage-deflate; server_max_window_bits=12"},
        {"PerMessage-Deflate", "permessage-deflate; server_max_window_bits=12"},
        {"permessage-deflate; server_max_window_bits=8", NULL},
        {"permessage-deflate; server_max_window_bits", NULL},
        {"permessage-deflate; server_max_window_bits=16", NULL},
        {"permessage-deflate; server_max_window_bits=012", NULL},
        {"permessage-deflate; client_max_window_bits=7", NULL},
        {"permessage-deflate; client_max_window_bits=", NULL},
        {"permessage-deflate; server_no_context_takeover=1", NULL},
        {"permessage-deflate; client_max_window_bits; client_max_window_bits", NULL},
        {"permessage-deflate; x=1", NULL},
        {"permessage-deflate;", "permessage-deflate; server_max_window_bits=12"},
        {"permessage-deflate; ;", NULL},
        {"x-webkit-deflate-frame", NULL},
        {",,", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rt_ws_deflate agreed = {0};
        rt_buffer answer = {0};
        bool met =
            rt_ws_deflate_agree(&agreed, (rt_str){cases[i].offer, strlen(cases[i].offer)}, &answer);
        CU_ASSERT_EQUAL(met, cases[i].answer != NULL);
        if (met && cases[i].answer)
            CU_ASSERT_STRING_EQUAL(answer.data, cases[i].answer);
        rt_buffer_free(&answer);
    }
}

static void round_trips(void)
{
    static const char *const kinds[] = {
        "permessage-deflate", "permessage-deflate; client_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=9"};
    enum { SIZE = 100000 };
    char *data = malloc(SIZE);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        rt_ws_deflate agreed = {0};
        rt_buffer answer = {0};
        CU_ASSERT_TRUE(rt_ws_deflate_agree(&agreed, (rt_str){kinds[k], strlen(kinds[k])}, &answer));
        agreed.in_bits = 15; /* what it packs itself */
        agreed.in_forgets = agreed.out_forgets;
        for (size_t length = 64; length <= SIZE; length = length * 3 + k) {
            rt_buffer packed = {0}, unpacked = {0};
            for (size_t i = 0; i < length; i++)
                data[i] = (char)(i % 7 ? 'a' + i * i % 23 : (size_t)rand());
            CU_ASSERT_TRUE(rt_ws_deflate_pack(&agreed, data, length, &packed));
            CU_ASSERT_EQUAL(
                rt_ws_deflate_unpack(&agreed, packed.data, packed.length, length, &unpacked), 0);
            CU_ASSERT_EQUAL(unpacked.length, length);
            CU_ASSERT_EQUAL(memcmp(unpacked.data, data, length), 0);
            rt_buffer_free(&packed);
            rt_buffer_free(&unpacked);
        }
        rt_ws_deflate_free(&agreed);
        rt_buffer_free(&answer);
    }
    free(data);
}

/* Examples of RFC 7692, 7.2.3, and what must not pass. */
static void unpacks(void)
{
    static const struct {
        const char *name, *data;
        size_t length;
        const char *text; /* NULL: invalid */
    } cases[] = {
        {"compressed", "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello"},
        {"stored", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11, "Hello"},
        {"last block", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello"},
        {"two blocks", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13, "Hello"},
        {"empty", "\x00", 1, ""},
        {"no deflate", "\xff\xff\xff\xff", 4, NULL},
        {"distance too far", "\x02\x02\x00", 3, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rt_ws_deflate agreed = {.in_bits = 15, .out_bits = 12};
        rt_buffer out = {0};
        int code = rt_ws_deflate_unpack(&agreed, cases[i].data, cases[i].length, 5, &out);
        if (code != (cases[i].text ? 0 : RT_WS_INVALID_DATA))
            printf("\n    %s: %d\n", cases[i].name, code);
        CU_ASSERT_EQUAL(code, cases[i].text ? 0 : RT_WS_INVALID_DATA);
        if (code == 0 && cases[i].text) {
            CU_ASSERT_EQUAL(out.length, strlen(cases[i].text));
            CU_ASSERT_EQUAL(memcmp(out.data, cases[i].text, out.length), 0);
        }
        rt_buffer_free(&out);
        rt_ws_deflate_free(&agreed);
    }
}

static void bombs(void)
{
    enum { SIZE = 32 << 20 };
    rt_ws_deflate agreed = {.in_bits = 15, .out_bits = 15};
    rt_buffer packed = {0}, out = {0};
    char *zeros = calloc(1, SIZE);
    CU_ASSERT_TRUE(rt_ws_deflate_pack(&agreed, zeros, SIZE, &packed));
    CU_ASSERT_TRUE(packed.length < SIZE / 100);
    CU_ASSERT_EQUAL(rt_ws_deflate_unpack(&agreed, packed.data, packed.length, 1 << 20, &out),
                    RT_WS_TOO_LARGE);
    CU_ASSERT_TRUE(out.capacity <= 4 << 20); /* it was not made first */
    free(zeros);
    rt_buffer_free(&packed);
    rt_buffer_free(&out);
    rt_ws_deflate_free(&agreed);
}

RT_TEST_MAIN("websocket_frame", {"messages, fragments, control frames and UTF-8", run_exchanges},
             {"heads that are wrong", run_heads},
             {"a message may have the limit, assembled too, and no byte more", run_limits},
             {"close codes", close_codes}, {"heads as they are written", heads_written},
             {"offers of permessage-deflate", offers},
             {"what is packed unpacks to itself", round_trips},
             {"what others pack, and what nobody does", unpacks},
             {"a bomb is refused before it is made", bombs})
