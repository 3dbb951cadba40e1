/* The parsers behind listeners, proxies and content codings: pure functions on hostile texts. */
#include "harness.h"

#include "base/ip.h"
#include "config/listener.h"
#include "http/coding.h"
#include "http/forwarded.h"
#include "http/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define TEXT(text_) ((rt_str){text_, sizeof(text_) - 1})

/* --- addresses and networks ------------------------------------------------------------------ */

static bool holds(const char *network, const char *address)
{
    rt_network parsed;
    rt_ip ip;
    CU_ASSERT_PTR_NULL(rt_network_parse(&parsed, network));
    CU_ASSERT_TRUE(rt_ip_parse(&ip, address, strlen(address)));
    return rt_network_holds(&parsed, &ip);
}

static void test_networks(void)
{
    static const struct {
        const char *network, *address;
        bool held;
    } cases[] = {
        {"10.0.0.0/8", "10.255.0.1", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/9", "10.127.1.1", true},
        {"10.0.0.0/9", "10.128.0.0", false},
        {"0.0.0.0/0", "1.2.3.4", true},
        {"0.0.0.0/0", "::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "::ffff:1.2.3.4", false},
        {"127.0.0.1", "::ffff:127.0.0.1", true},
        {"::ffff:10.0.0.0/104", "10.9.9.9", true},
        {"::ffff:10.0.0.0/104", "11.9.9.9", false},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
        {"1.2.3.4/32", "1.2.3.5", false},
        {"::1/128", "::1", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (holds(cases[i].network, cases[i].address) != cases[i].held)
            printf("\n    %s and %s\n", cases[i].network, cases[i].address);
        CU_ASSERT_EQUAL(holds(cases[i].network, cases[i].address), cases[i].held);
    }
    CU_ASSERT_FALSE(holds("127.0.0.1", "127.0.0.2"));
}

static void test_bad_networks(void)
{
    static const char *const bad[] = {"",
                                      "/",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/8x",
                                      "10.0.0.1/8",
                                      "10.0.0",
                                      "010.0.0.0/8",
                                      "::/129",
                                      "::1/64",
                                      "host",
                                      "unix",
                                      "unix:/a",
                                      "::ffff:10.0.0.0/95",
                                      "1.2.3.4/999",
                                      "[::1]",
                                      " 10.0.0.0/8",
                                      "fe80::1%eth0"};
    rt_network network;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!rt_network_parse(&network, bad[i]))
            printf("\n    `%s` was taken\n", bad[i]);
        CU_ASSERT_PTR_NOT_NULL(rt_network_parse(&network, bad[i]));
    }
}

static void test_peers_of_unix_sockets(void)
{
    rt_network network;
    rt_ip none = {0}, some = rt_ip_of_bytes("\1\2\3\4", 4);
    CU_ASSERT_PTR_NULL(rt_network_parse(&network, "unix:"));
    CU_ASSERT_TRUE(rt_network_holds(&network, &none));
    CU_ASSERT_FALSE(rt_network_holds(&network, &some));
    CU_ASSERT_PTR_NULL(rt_network_parse(&network, "0.0.0.0/0"));
    CU_ASSERT_FALSE(rt_network_holds(&network, &none));
}

static void test_addresses_as_text(void)
{
    static const char *const same[] = {"0.0.0.0", "255.255.255.255", "10.20.100.9",
                                       "::1",     "2001:db8::1",     "1:2:3:4:5:6:7:8"};
    char text[RT_IP_TEXT];
    rt_ip ip;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        CU_ASSERT_TRUE(rt_ip_parse(&ip, same[i], strlen(same[i])));
        CU_ASSERT_EQUAL(rt_ip_text(&ip, text), strlen(same[i]));
        CU_ASSERT_STRING_EQUAL(text, same[i]);
    }
    CU_ASSERT_TRUE(rt_ip_parse(&ip, "::ffff:1.2.3.4", 14));
    rt_ip_text(&ip, text);
    CU_ASSERT_STRING_EQUAL(text, "1.2.3.4");
    CU_ASSERT_FALSE(rt_ip_parse(&ip, "1.2.3.4\0x", 9));
    CU_ASSERT_EQUAL(rt_ip_text(&(rt_ip){0}, text), 0);
}

/* --- PROXY headers --------------------------------------------------------------------------- */

/* In one piece, and cut anywhere: all that comes before the end asks for more. */
static int parse_proxy(rt_proxy *proxy, const char *data, size_t length)
{
    char *copy = malloc(length + !length); /* so that reading past the end is seen */
    memcpy(copy, data, length);
    int result = rt_proxy_parse(proxy, copy, length);
    free(copy);
    return result;
}

static void check_proxy(const char *data, size_t length)
{
    rt_proxy proxy;
    CU_ASSERT_EQUAL(parse_proxy(&proxy, data, length), RT_HTTP_DONE);
    CU_ASSERT_EQUAL(proxy.length, length);
    for (size_t cut = 0; cut < length; cut++) {
        rt_proxy part;
        CU_ASSERT_EQUAL(parse_proxy(&part, data, cut), RT_HTTP_MORE);
    }
}

static void test_proxy_headers_in_pieces(void)
{
    static const char line[] = "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n";
    static const char bytes[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\1\2\3\4\5\6\7\10\0\1\0\2";
    check_proxy(line, sizeof line - 1);
    check_proxy("PROXY UNKNOWN\r\n", 15);
    check_proxy(bytes, sizeof bytes - 1);
}

static void test_a_proxy_line_has_a_longest_length(void)
{
    char text[200];
    rt_proxy proxy;
    memset(text, 'a', sizeof text);
    memcpy(text, "PROXY UNKNOWN ", 14);
    CU_ASSERT_EQUAL(parse_proxy(&proxy, text, 106), RT_HTTP_MORE);
    CU_ASSERT_EQUAL(parse_proxy(&proxy, text, 107), -1);
    memcpy(text + 105, "\r\n", 2);
    CU_ASSERT_EQUAL(parse_proxy(&proxy, text, 200), RT_HTTP_DONE);
    CU_ASSERT_EQUAL(proxy.length, 107);
}

/* --- Forwarded ------------------------------------------------------------------------------- */

static void test_forwarded_takes_any_bytes(void)
{
    static const char characters[] = "for=\"\\[]:,; _1.a\t";
    rt_network everything[2];
    rt_trust trust = {everything, 2};
    static rt_http_head head;
    char value[64];
    rt_network_parse(&everything[0], "0.0.0.0/0");
    rt_network_parse(&everything[1], "::/0");
    srand(7);
    for (int round = 0; round < 200000; round++) {
        size_t length = (size_t)rand() % sizeof value;
        for (size_t i = 0; i < length; i++)
            value[i] = characters[(size_t)rand() % (sizeof characters - 1)];
        char *copy = malloc(length + !length);
        memcpy(copy, value, length);
        head.header_count = 1;
        head.headers[0] =
            (rt_header){round & 1 ? TEXT("Forwarded") : TEXT("X-Forwarded-For"), {copy, length}};
        rt_origin origin = {.ip = rt_ip_of_bytes("\x7f\0\0\1", 4)};
        rt_forwarded_judge(&origin, &head, &trust);
        CU_ASSERT_TRUE_FATAL(origin.ip.version == 4 || origin.ip.version == 6);
        free(copy);
    }
}

/* --- codings --------------------------------------------------------------------------------- */

static rt_coding choose(const char *field)
{
    static const rt_coding offered[] = {RT_CODING_BROTLI, RT_CODING_GZIP};
    rt_acceptance acceptance;
    rt_acceptance_begin(&acceptance);
    rt_acceptance_read(&acceptance, (rt_str){field, strlen(field)});
    return rt_acceptance_choose(&acceptance, offered, 2);
}

static void test_qualities(void)
{
    CU_ASSERT_EQUAL(choose("gzip;q=1.000"), RT_CODING_GZIP);
    CU_ASSERT_EQUAL(choose("gzip;q=1."), RT_CODING_GZIP);
    CU_ASSERT_EQUAL(choose("gzip;q=1.001"), RT_CODING_IDENTITY);
    CU_ASSERT_EQUAL(choose("gzip;q=0.0001"), RT_CODING_IDENTITY);
    CU_ASSERT_EQUAL(choose("gzip;q=-1"), RT_CODING_IDENTITY);
    CU_ASSERT_EQUAL(choose("gzip;q=10"), RT_CODING_IDENTITY);
    CU_ASSERT_EQUAL(choose("gzip;Q=0.2,br;Q=0.3"), RT_CODING_BROTLI);
    CU_ASSERT_EQUAL(choose("*;q=0.3, br;q=0.2"), RT_CODING_GZIP);
    CU_ASSERT_EQUAL(choose("br;q=0, *"), RT_CODING_GZIP);
    CU_ASSERT_EQUAL(choose("identity;q=1, *;q=0.999"), RT_CODING_IDENTITY);
}

static void test_what_gzip_makes_is_decoded_piece_by_piece(void)
{
    char text[2048], back[sizeof text];
    rt_buffer coded = {0};
    z_stream stream = {0};
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i * i % 23);
    rt_encoder *encoder = rt_encoder_new(RT_CODING_GZIP, 1, 0);
    CU_ASSERT_TRUE(rt_encoder_feed(encoder, text, 1000, RT_ENCODER_GO_ON, &coded));
    CU_ASSERT_TRUE(rt_encoder_feed(encoder, text + 1000, 1000, RT_ENCODER_FLUSH, &coded));
    inflateInit2(&stream, 31);
    stream.next_in = (Bytef *)coded.data;
    stream.avail_in = (uInt)coded.length;
    stream.next_out = (Bytef *)back;
    stream.avail_out = sizeof back;
    CU_ASSERT_EQUAL(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
    CU_ASSERT_EQUAL(stream.total_out, 2000);
    CU_ASSERT_EQUAL(memcmp(text, back, 2000), 0);
    inflateEnd(&stream);
    rt_encoder_free(encoder);
    rt_buffer_free(&coded);
}

/* --- listeners ------------------------------------------------------------------------------- */

static void test_listeners(void)
{
    rt_listener_spec spec;
    CU_ASSERT_PTR_NULL(rt_listener_parse(&spec, "[::1]:443  proxy_protocol tls "));
    CU_ASSERT_STRING_EQUAL(spec.address, "[::1]:443");
    CU_ASSERT_TRUE(spec.tls && spec.proxy_protocol && !spec.path);
    CU_ASSERT_PTR_NULL(rt_listener_parse(&spec, "unix:/a mode=644"));
    CU_ASSERT_STRING_EQUAL(spec.path, "/a");
    CU_ASSERT_EQUAL(spec.mode, 0644);
    CU_ASSERT_TRUE(!spec.tls && !spec.proxy_protocol);
    CU_ASSERT_PTR_NOT_NULL(rt_listener_parse(&spec, ""));
    CU_ASSERT_PTR_NOT_NULL(rt_listener_parse(&spec, " 127.0.0.1:80"));
    CU_ASSERT_PTR_NOT_NULL(rt_listener_parse(&spec, "127.0.0.1:80\ttls"));
    CU_ASSERT_PTR_NULL(rt_listener_check_plain("127.0.0.1:80"));
    CU_ASSERT_PTR_NULL(rt_listener_check_plain("unix:/a mode=644"));
    CU_ASSERT_PTR_NOT_NULL(rt_listener_check_plain("127.0.0.1:80 tls"));
    CU_ASSERT_PTR_NOT_NULL(rt_listener_check_plain("unix:/a proxy_protocol"));
    CU_ASSERT_PTR_NOT_NULL(rt_listener_check_plain("127.0.0.1"));
}

RT_TEST_MAIN("features", {"a network holds the addresses of its prefix", test_networks},
             {"a network that is none is refused", test_bad_networks},
             {"peers of unix sockets are a network of their own", test_peers_of_unix_sockets},
             {"an address comes out as it went in", test_addresses_as_text},
             {"a PROXY header is the same in any pieces", test_proxy_headers_in_pieces},
             {"a PROXY line has 107 bytes at most", test_a_proxy_line_has_a_longest_length},
             {"Forwarded takes any bytes", test_forwarded_takes_any_bytes},
             {"qualities order codings", test_qualities},
             {"what gzip makes is decoded piece by piece",
              test_what_gzip_makes_is_decoded_piece_by_piece},
             {"a listener is an address and words", test_listeners})
