#include "harness.h"
#include "http_stream.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_HEADER 16384
#define MAX_BODY 1000

static http_stream stream;

static const char *read_all(const char *bytes, size_t length)
{
    stream_free(&stream);
    memset(&stream, 0, sizeof stream);
    stream.max_header = MAX_HEADER;
    stream.max_body = MAX_BODY;
    rt_buffer_text(&stream.transcript, "");
    stream_feed(&stream, bytes, length);
    return stream.transcript.data;
}

typedef struct refused {
    int status; /* 0: more bytes are awaited; 1: accepted */
    const char *bytes;
    size_t length;
} refused;

#define R(status_, text)               \
    {                                  \
        status_, text, sizeof text - 1 \
    }
#define GET(rest) "GET / HTTP/1.1\r\nHost: a\r\n" rest
#define POST(rest) "POST / HTTP/1.1\r\nHost: a\r\n" rest
#define CHUNKED(rest) POST("Transfer-Encoding: chunked\r\n\r\n" rest)
#define LINE(line) line "\r\nHost: a\r\n\r\n"
#define HOST(value) "GET / HTTP/1.1\r\nHost:" value "\r\n\r\n"

static const refused request_lines[] = {
    R(1, LINE("GET / HTTP/1.1")),
    R(1, LINE("\r\nGET / HTTP/1.1")),
    R(400, LINE("\r\n\r\nGET / HTTP/1.1")),
    R(400, LINE("\nGET / HTTP/1.1")),
    R(400, LINE(" GET / HTTP/1.1")),
    R(400, LINE("GET  / HTTP/1.1")),
    R(400, LINE("GET /  HTTP/1.1")),
    R(400, LINE("GET\t/ HTTP/1.1")),
    R(400, LINE("GET / HTTP/1.1 ")),
    R(400, LINE("GET /")),
    R(400, LINE("GET / ")),
    R(400, "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    R(400, "GET / HTTP/1.1\rHost: a\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\rHost: a\r\n\r\n"),
    R(400, LINE("GET / HTTP/1.1\0")),
    R(400, LINE("GE\0T / HTTP/1.1")),
    R(400, LINE("G(ET / HTTP/1.1")),
    R(400, LINE("G\xc3\x89T / HTTP/1.1")),
    R(501, LINE("get / HTTP/1.1")),
    R(501, LINE("BREW / HTTP/1.1")),
    R(501, LINE("TRACE / HTTP/1.1")),
    R(501, LINE("CONNECT a:443 HTTP/1.1")),
    R(501, LINE("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1")),
    R(505, LINE("GET / HTTP/2.0")),
    R(505, LINE("GET / HTTP/1.2")),
    R(505, LINE("GET / HTTP/0.9")),
    R(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    R(400, LINE("GET / HTTP/1")),
    R(400, LINE("GET / HTTP/11.1")),
    R(400, LINE("GET / HTTP/1.10")),
    R(400, LINE("GET / http/1.1")),
    R(400, LINE("GET / HTTP/1,1")),
    R(400, LINE("GET / ICAP/1.1")),
    R(400, "\x16\x03\x01\x02\x00\x01\x00"),
    R(0, "GET / HTTP/1.1"),
    R(0, "GE"),
    R(0, "\r"),
};

static const refused targets[] = {
    R(1, LINE("GET /a%20b?c=%zz HTTP/1.1")), /* a query is judged when it is read */
    R(1, LINE("GET /a?{x}|y HTTP/1.1")),
    R(1, LINE("OPTIONS * HTTP/1.1")),
    R(1, LINE("GET http://b/x HTTP/1.1")),
    R(1, LINE("GET HTTPS://b:8080?q HTTP/1.1")),
    R(1, LINE("GET /a/.../b HTTP/1.1")),
    R(1, LINE("GET //b HTTP/1.1")),
    R(400, LINE("GET * HTTP/1.1")),
    R(400, LINE("GET a HTTP/1.1")),
    R(400, LINE("GET a:443 HTTP/1.1")),
    R(400, LINE("GET ftp://a/ HTTP/1.1")),
    R(400, LINE("GET http:/a/ HTTP/1.1")),
    R(400, LINE("GET http:///x HTTP/1.1")),
    R(400, LINE("GET http://user@b/ HTTP/1.1")),
    R(400, LINE("GET http://b:99999/ HTTP/1.1")),
    R(400, LINE("GET /% HTTP/1.1")),
    R(400, LINE("GET /%4 HTTP/1.1")),
    R(400, LINE("GET /%g0 HTTP/1.1")),
    R(400, LINE("GET /%00 HTTP/1.1")),
    R(400, LINE("GET /a/../b HTTP/1.1")),
    R(400, LINE("GET /./b HTTP/1.1")),
    R(400, LINE("GET /a/.. HTTP/1.1")),
    R(400, LINE("GET /%2e%2E/b HTTP/1.1")),
    R(400, LINE("GET /.%2e HTTP/1.1")),
    R(400, LINE("GET /a\\b HTTP/1.1")),
    R(400, LINE("GET /a#b HTTP/1.1")),
    R(400, LINE("GET /a?b#c HTTP/1.1")),
    R(400, LINE("GET /<a> HTTP/1.1")),
    R(400, LINE("GET /a?<b> HTTP/1.1")),
    R(400, LINE("GET /\xc3\xa9 HTTP/1.1")),
    R(400, LINE("GET /a?\x7f HTTP/1.1")),
    R(400, LINE("GET /a\x01 HTTP/1.1")),
};

static const refused headers[] = {
    R(1, GET("\r\n")),
    R(1, GET("A:\r\n\r\n")),
    R(1, GET("A: b c\td \r\n\r\n")),
    R(1, GET("A: \xff\x80\r\n\r\n")),
    R(1, GET("A:b\r\nA:c\r\n\r\n")),
    R(400, GET("A : b\r\n\r\n")),
    R(400, GET("A\t: b\r\n\r\n")),
    R(400, GET(": b\r\n\r\n")),
    R(400, GET("A b\r\n\r\n")),
    R(400, GET("A\r\n\r\n")),
    R(400, GET(" A: b\r\n\r\n")),
    R(400, GET("A: b\r\n c\r\n\r\n")),
    R(400, GET("A: b\r\n\tc\r\n\r\n")),
    R(400, GET("A: b\n\r\n")),
    R(400, GET("A: b\rc\r\n\r\n")),
    R(400, GET("A: b\r\r\n\r\n")),
    R(400, GET("A: b\0c\r\n\r\n")),
    R(400, GET("A: b\x0b\r\n\r\n")),
    R(400, GET("A: b\x7f\r\n\r\n")),
    R(400, GET("A\0: b\r\n\r\n")),
    R(400, GET("\xc3\xa9: b\r\n\r\n")),
    R(400, GET("A(b): c\r\n\r\n")),
    R(400, GET("\n")),
    R(400, GET("A: b\r\n\n")),
    R(400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    R(400, "GET / HTTP/1.1\r\n\r\n"),
    R(1, "GET / HTTP/1.0\r\n\r\n"),
    R(400, GET("Host: a\r\n\r\n")),
    R(400, GET("host: b\r\n\r\n")),
    R(1, HOST("a:80")),
    R(1, HOST(" [::1]:80 ")),
    R(1, HOST(" a_b.example ")),
    R(400, HOST("")),
    R(400, HOST(" ")),
    R(400, HOST("a b")),
    R(400, HOST("a,b")),
    R(400, HOST("a/b")),
    R(400, HOST("a:")),
    R(400, HOST("a:b")),
    R(400, HOST("a:65536")),
    R(400, HOST(":80")),
    R(400, HOST("u@a")),
    R(400, HOST("[::1")),
    R(400, HOST("[]")),
    R(400, HOST("[.:.]")),
    R(400, HOST("[::1::]")),
    R(400, HOST("[1.2.3.4]")),
    R(400, HOST("[::1\0]")),
    R(1, HOST("[::ffff:1.2.3.4]:80")),
    R(400, HOST("a:80:80")),
    R(417, GET("Expect: 200-ok\r\n\r\n")),
    R(1, GET("Expect: 100-Continue\r\n\r\n")),
    R(1, "GET / HTTP/1.0\r\nExpect: tea\r\n\r\n"),
    R(0, GET("")),
    R(0, GET("A: b\r\n\r")),
};

static const refused framing[] = {
    R(1, POST("Content-Length: 3\r\n\r\nabc")),
    R(1, POST("Content-Length: 0\r\n\r\n")),
    R(1, POST("Content-Length: 003\r\n\r\nabc")),
    R(0, POST("Content-Length: 3\r\n\r\nab")),
    R(413, POST("Content-Length: 1001\r\n\r\n")),
    R(413, POST("Content-Length: 900000000000000000\r\n\r\n")),
    R(400, POST("Content-Length: 99999999999999999999999\r\n\r\n")),
    R(400, POST("Content-Length: 18446744073709551619\r\n\r\nabc")),
    R(400, POST("Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc")),
    R(400, POST("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc")),
    R(400, POST("Content-Length: 3, 3\r\n\r\nabc")),
    R(400, POST("Content-Length: +3\r\n\r\nabc")),
    R(400, POST("Content-Length: -3\r\n\r\nabc")),
    R(400, POST("Content-Length: 0x3\r\n\r\nabc")),
    R(400, POST("Content-Length: 3 3\r\n\r\nabc")),
    R(400, POST("Content-Length: 3;\r\n\r\nabc")),
    R(400, POST("Content-Length:\r\n\r\n")),
    R(400, POST("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding: gzip, ,chunked\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding: identity\r\n\r\n")),
    R(501, POST("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding:\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n")),
    R(400, POST("Transfer-Encoding: \x0b"
                "chunked\r\n\r\n")),
    R(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    R(1, POST("transfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n")),
};

static const refused chunks[] = {
    R(1, CHUNKED("3\r\nabc\r\n0\r\n\r\n")),
    R(1, CHUNKED("0A\r\n0123456789\r\n000\r\n\r\n")),
    R(1, CHUNKED("3;name=\"va;lue\"\r\nabc\r\n0;x\r\n\r\n")),
    R(1, CHUNKED("0\r\nX-Sum: 1\r\n\r\n")),
    R(0, CHUNKED("0\r\nX-Sum: 1\r\n")),
    R(0, CHUNKED("0\r\n\r")),
    R(400, CHUNKED("\r\n")),
    R(400, CHUNKED(" 3\r\nabc\r\n0\r\n\r\n")),
    R(400, CHUNKED("3 \r\nabc\r\n0\r\n\r\n")),
    R(400, CHUNKED("3 ;x\r\nabc\r\n0\r\n\r\n")),
    R(400, CHUNKED("0x3\r\nabc\r\n0\r\n\r\n")),
    R(400, CHUNKED("+3\r\nabc\r\n0\r\n\r\n")),
    R(400, CHUNKED("-1\r\n")),
    R(400, CHUNKED("g\r\n")),
    R(400, CHUNKED(";x\r\n")),
    R(400, CHUNKED("3\nabc\r\n0\r\n\r\n")),
    R(400, CHUNKED("3\r\nabc\n0\r\n\r\n")),
    R(400, CHUNKED("3\r\nabcd\r\n0\r\n\r\n")),
    R(400, CHUNKED("3\r\nabc0\r\n\r\n")),
    R(400, CHUNKED("3\rabc\r\n0\r\n\r\n")),
    R(400, CHUNKED("3;a\nb\r\nabc\r\n0\r\n\r\n")),
    R(400, CHUNKED("3;a\0b\r\nabc\r\n0\r\n\r\n")),
    R(400, CHUNKED("0\r\n\n")),
    R(400, CHUNKED("0\r\n X: 1\r\n\r\n")),
    R(400, CHUNKED("0\r\nX : 1\r\n\r\n")),
    R(400, CHUNKED("0\r\n: 1\r\n\r\n")),
    R(400, CHUNKED("0\r\nX\r\n\r\n")),
    R(400, CHUNKED("0\r\nX: 1\n\r\n")),
    R(413, CHUNKED("3e9\r\n")),
    R(413, CHUNKED("ffffffffffffff\r\n")),
    R(400, CHUNKED("10000000000000003\r\nabc\r\n0\r\n\r\n")),
    R(400, CHUNKED("0000000000000003\r\nabc\r\n0\r\n\r\n")),
};

static int status_of(const char *transcript)
{
    size_t length = strlen(transcript);
    if (!length)
        return 0;
    const char *last = transcript + length - 1;
    while (last > transcript && last[-1] != '\n')
        last--;
    return *last == '!' ? atoi(last + 1) : 1;
}

static void check_table(const refused *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int status = status_of(read_all(table[i].bytes, table[i].length));
        CU_ASSERT_EQUAL(status, table[i].status);
        if (status != table[i].status)
            printf("\n    %d instead of %d for `%s`\n", status, table[i].status, table[i].bytes);
    }
}

#define TABLE_TEST(table)                                   \
    static void table##_are_judged(void)                    \
    {                                                       \
        check_table(table, sizeof table / sizeof table[0]); \
    }
TABLE_TEST(request_lines)
TABLE_TEST(targets)
TABLE_TEST(headers)
TABLE_TEST(framing)
TABLE_TEST(chunks)

/* --- limits ---------------------------------------------------------------------------------- */

static int status_with(const char *before, size_t filler, const char *after)
{
    rt_buffer bytes = {0};
    rt_buffer_text(&bytes, before);
    for (size_t i = 0; i < filler; i++)
        rt_buffer_char(&bytes, 'x');
    rt_buffer_text(&bytes, after);
    int status = status_of(read_all(bytes.data, bytes.length));
    rt_buffer_free(&bytes);
    return status;
}

static void long_targets(void)
{
    CU_ASSERT_EQUAL(status_with("GET /", RT_HTTP_TARGET - 1, LINE(" HTTP/1.1")), 1);
    CU_ASSERT_EQUAL(status_with("GET /", RT_HTTP_TARGET, LINE(" HTTP/1.1")), 414);
    CU_ASSERT_EQUAL(status_with("GET /", RT_HTTP_TARGET, ""), 414);
    CU_ASSERT_EQUAL(status_with("GET /", 20000, ""), 414);
}

static void large_headers(void)
{
    CU_ASSERT_EQUAL(status_with(GET("A: "), MAX_HEADER - 32, "\r\n\r\n"), 1);
    CU_ASSERT_EQUAL(status_with(GET("A: "), MAX_HEADER - 31, "\r\n\r\n"), 431);
    CU_ASSERT_EQUAL(status_with(GET("A: "), MAX_HEADER, ""), 431);
    CU_ASSERT_EQUAL(status_with(GET(""), MAX_HEADER, ""), 431);
}

static int status_of_count(int count)
{
    rt_buffer bytes = {0};
    rt_buffer_text(&bytes, GET(""));
    for (int i = 1; i < count; i++)
        rt_buffer_text(&bytes, "A: b\r\n");
    rt_buffer_text(&bytes, "\r\n");
    int status = status_of(read_all(bytes.data, bytes.length));
    rt_buffer_free(&bytes);
    return status;
}

static void many_headers(void)
{
    CU_ASSERT_EQUAL(status_of_count(RT_HTTP_HEADERS), 1);
    CU_ASSERT_EQUAL(status_of_count(RT_HTTP_HEADERS + 1), 431);
}

static void long_chunk_lines(void)
{
    CU_ASSERT_EQUAL(status_with(CHUNKED("0;"), 4096, "\r\n\r\n"), 1);
    CU_ASSERT_EQUAL(status_with(CHUNKED("0;"), 4097, "\r\n\r\n"), 400);
    CU_ASSERT_EQUAL(status_with(CHUNKED("0\r\nA: "), 4092, "\r\n\r\n"), 1);
    CU_ASSERT_EQUAL(status_with(CHUNKED("0\r\nA: "), 5000, "\r\n\r\n"), 431);
}

static void large_chunked_bodies(void)
{
    CU_ASSERT_EQUAL(status_with(CHUNKED("3e8\r\n"), 1000, "\r\n0\r\n\r\n"), 1);
    CU_ASSERT_EQUAL(status_with(CHUNKED("3e7\r\n"), 999, "\r\n2\r\n"), 413);
}

/* --- what is understood ---------------------------------------------------------------------- */

static const char *text_of(rt_str text)
{
    static char copy[256];
    snprintf(copy, sizeof copy, "%.*s", (int)text.length, text.data);
    return copy;
}

static rt_http_head *parse(const char *bytes)
{
    rt_http_scan scan = {0};
    CU_ASSERT_EQUAL(rt_http_parse_head(&stream.head, &scan, bytes, strlen(bytes), MAX_HEADER),
                    RT_HTTP_DONE);
    return &stream.head;
}

static void parts_of_a_request(void)
{
    rt_http_head *head =
        parse("PATCH /a/b%20c?d=e&f HTTP/1.1\r\nHOST:  x:80\r\nAccept:\t*/* \r\n\r\n");
    CU_ASSERT_EQUAL(head->method, RT_PATCH);
    CU_ASSERT_EQUAL(head->minor, 1);
    CU_ASSERT_STRING_EQUAL(text_of(head->path), "/a/b c");
    CU_ASSERT_STRING_EQUAL(text_of(head->query), "d=e&f");
    CU_ASSERT_STRING_EQUAL(text_of(head->host), "x:80");
    CU_ASSERT_EQUAL(head->header_count, 2);
    CU_ASSERT_STRING_EQUAL(text_of(head->headers[1].name), "Accept");
    CU_ASSERT_STRING_EQUAL(text_of(head->headers[1].value), "*/*");
    CU_ASSERT_FALSE(head->close);
}

static void encoded_slash(void)
{
    rt_http_head *head = parse("GET /a%2Fb/c HTTP/1.1\r\nHost: x\r\n\r\n");
    CU_ASSERT_EQUAL(head->segment_count, 2);
    CU_ASSERT_STRING_EQUAL(text_of(head->segments[0]), "a/b");
    CU_ASSERT_STRING_EQUAL(text_of(head->segments[1]), "c");
}

static void absolute_target(void)
{
    rt_http_head *head = parse("GET http://right:81/p?q HTTP/1.1\r\nHost: wrong\r\n\r\n");
    CU_ASSERT_STRING_EQUAL(text_of(head->host), "right:81");
    CU_ASSERT_STRING_EQUAL(text_of(head->path), "/p");
    CU_ASSERT_STRING_EQUAL(text_of(head->query), "q");
    head = parse("GET http://right?q HTTP/1.1\r\nHost: wrong\r\n\r\n");
    CU_ASSERT_STRING_EQUAL(text_of(head->path), "/");
    head = parse("OPTIONS http://right HTTP/1.1\r\nHost: wrong\r\n\r\n");
    CU_ASSERT_TRUE(head->asterisk);
}

static void persistence(void)
{
    CU_ASSERT_TRUE(parse(GET("Connection: close\r\n\r\n"))->close);
    CU_ASSERT_TRUE(parse(GET("Connection: keep-alive, Close\r\n\r\n"))->close);
    CU_ASSERT_FALSE(parse(GET("Connection: closed\r\n\r\n"))->close);
    CU_ASSERT_TRUE(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->close);
}

static void correlation_ids(void)
{
    rt_http_head *head = parse(GET("X-Correlation-ID: a.B_9-\r\n\r\n"));
    CU_ASSERT_STRING_EQUAL(text_of(head->correlation), "a.B_9-");
    CU_ASSERT_EQUAL(parse(GET("X-Correlation-Id: a b\r\n\r\n"))->correlation.length, 0);
    CU_ASSERT_EQUAL(parse(GET("X-Correlation-Id:\r\n\r\n"))->correlation.length, 0);
    char bytes[400];
    for (int length = 128; length <= 129; length++) {
        snprintf(bytes, sizeof bytes, GET("X-Correlation-Id: %0*d\r\n\r\n"), length, 7);
        CU_ASSERT_EQUAL(parse(bytes)->correlation.length, length == 128 ? 128 : 0);
    }
}

/* --- cutting --------------------------------------------------------------------------------- */

static const char pipelined[] =
    "GET /one?a=b HTTP/1.1\r\nHost: a\r\nUser-Agent: something long enough\r\n\r\n"
    "POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello\r\n\r\nyo"
    "POST /%74hree HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: z\r\n\r\n"
    "\r\nHEAD http://b/four HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"
    "GET / HTTP/1.0\r\n\r\n"
    "GET /bad HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n";

static void every_cut(void)
{
    size_t length = sizeof pipelined - 1;
    rt_buffer whole = {0};
    rt_buffer_text(&whole, read_all(pipelined, length));
    CU_ASSERT_EQUAL(status_of(whole.data), 400);
    size_t requests = 0;
    for (const char *c = whole.data; (c = strstr(c, " path=")); c++)
        requests++;
    CU_ASSERT_EQUAL(requests, 5);
    for (size_t cut = 1; cut < length; cut++) {
        read_all(pipelined, cut);
        stream_feed(&stream, pipelined + cut, length - cut);
        CU_ASSERT_STRING_EQUAL(stream.transcript.data, whole.data);
    }
    read_all(pipelined, 0);
    for (size_t i = 0; i < length; i++)
        stream_feed(&stream, pipelined + i, 1);
    CU_ASSERT_STRING_EQUAL(stream.transcript.data, whole.data);
    rt_buffer_free(&whole);
}

static void every_malformed_cut(void)
{
    const struct {
        const refused *table;
        size_t count;
    } tables[] = {{request_lines, sizeof request_lines / sizeof *request_lines},
                  {targets, sizeof targets / sizeof *targets},
                  {headers, sizeof headers / sizeof *headers},
                  {framing, sizeof framing / sizeof *framing},
                  {chunks, sizeof chunks / sizeof *chunks}};
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            const refused *r = &tables[t].table[i];
            for (size_t cut = 1; cut < r->length; cut++) {
                read_all(r->bytes, cut);
                stream_feed(&stream, r->bytes + cut, r->length - cut);
                CU_ASSERT_EQUAL(status_of(stream.transcript.data), r->status);
            }
        }
    stream_free(&stream);
}

RT_TEST_MAIN("http_parser", {"malformed request lines are refused", request_lines_are_judged},
             {"targets other than plain paths and URLs are refused", targets_are_judged},
             {"malformed header lines and hosts are refused", headers_are_judged},
             {"every doubtful framing of a body is refused", framing_are_judged},
             {"malformed chunks and trailers are refused", chunks_are_judged},
             {"a target beyond 8 KiB is 414", long_targets},
             {"a header beyond its limit is 431", large_headers},
             {"the hundred-and-first header field is 431", many_headers},
             {"chunk extensions and trailers have limits", long_chunk_lines},
             {"a chunked body beyond its limit is 413", large_chunked_bodies},
             {"method, path, query, host and headers are found", parts_of_a_request},
             {"an encoded slash stays inside its segment", encoded_slash},
             {"the authority of an absolute target wins over Host", absolute_target},
             {"Connection: close and HTTP/1.0 end the connection", persistence},
             {"a correlation id is taken only if it is well formed", correlation_ids},
             {"a stream cut anywhere gives the same requests", every_cut},
             {"a malformed stream cut anywhere gives the same status", every_malformed_cut})
