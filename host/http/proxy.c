#include "http/proxy.h"

#include "http/parser.h"

#include <string.h>

#define MALFORMED -1

/* --- version 1: a line ----------------------------------------------------------------------- */

#define LINE_LIMIT 107 /* bytes with CR LF */

/* Cuts the word before the next space off the front; false if there is none. */
static bool cut_word(rt_str *line, rt_str *word)
{
    const char *space = memchr(line->data, ' ', line->length);
    uint64_t length = space ? (uint64_t)(space - line->data) : line->length;
    *word = (rt_str){line->data, length};
    line->data += length + (space != NULL);
    line->length -= length + (space != NULL);
    return length > 0;
}

static bool is_port(rt_str word)
{
    unsigned value = 0;
    if (word.length > 5 || (word.length > 1 && word.data[0] == '0'))
        return false;
    for (uint64_t i = 0; i < word.length; i++) {
        if (word.data[i] < '0' || word.data[i] > '9')
            return false;
        value = value * 10 + (unsigned)(word.data[i] - '0');
    }
    return value <= 65535;
}

static bool is_of_family(rt_str word, bool six)
{
    return (memchr(word.data, ':', word.length) != NULL) == six;
}

static int take_addresses(rt_proxy *proxy, rt_str line, bool six)
{
    rt_str source, destination, ports[2];
    rt_ip ignored;
    bool four_words = cut_word(&line, &source) && cut_word(&line, &destination) &&
                      cut_word(&line, &ports[0]) && cut_word(&line, &ports[1]);
    bool good = four_words && !line.length && is_of_family(source, six) &&
                is_of_family(destination, six) && is_port(ports[0]) && is_port(ports[1]) &&
                ports[1].data[ports[1].length] == '\r' &&
                rt_ip_parse(&proxy->source, source.data, source.length) &&
                rt_ip_parse(&ignored, destination.data, destination.length);
    proxy->is_known = good;
    return good ? RT_HTTP_DONE : MALFORMED;
}

static bool starts_with(rt_str text, const char *start)
{
    size_t length = strlen(start);
    return text.length >= length && memcmp(text.data, start, length) == 0;
}

static int parse_line(rt_proxy *proxy, rt_str line)
{
    static const struct {
        const char *start;
        bool six;
    } families[] = {{"PROXY TCP4 ", false}, {"PROXY TCP6 ", true}};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        size_t length = strlen(families[i].start);
        if (starts_with(line, families[i].start))
            return take_addresses(proxy, (rt_str){line.data + length, line.length - length},
                                  families[i].six);
    }
    bool unknown =
        starts_with(line, "PROXY UNKNOWN") && (line.length == 13 || line.data[13] == ' ');
    return unknown ? RT_HTTP_DONE : MALFORMED;
}

static int parse_first(rt_proxy *proxy, const char *data, size_t length)
{
    static const char start[] = "PROXY ";
    size_t common = length < sizeof start - 1 ? length : sizeof start - 1;
    size_t seen = length < LINE_LIMIT ? length : LINE_LIMIT;
    if (memcmp(data, start, common) != 0)
        return MALFORMED;
    const char *end = memchr(data, '\n', seen);
    if (!end)
        return seen == LINE_LIMIT ? MALFORMED : RT_HTTP_MORE;
    if (end[-1] != '\r')
        return MALFORMED;
    proxy->length = (size_t)(end - data) + 1;
    return parse_line(proxy, (rt_str){data, proxy->length - 2});
}

/* --- version 2: bytes ------------------------------------------------------------------------ */

enum { HEAD = 16, TLV_HEAD = 3, TLV_TLS = 0x20, CLIENT_USES_TLS = 1 };
enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* What is behind the addresses: type, length and value again and again. */
static int take_extras(rt_proxy *proxy, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        if (end - at < TLV_HEAD)
            return MALFORMED;
        size_t length = (size_t)(at[1] << 8 | at[2]);
        if ((size_t)(end - at - TLV_HEAD) < length)
            return MALFORMED;
        if (at[0] == TLV_TLS && length > 0)
            proxy->secure = at[TLV_HEAD] & CLIENT_USES_TLS;
        at += TLV_HEAD + length;
    }
    return RT_HTTP_DONE;
}

static int take_content(rt_proxy *proxy, uint8_t family, const uint8_t *at, const uint8_t *end)
{
    static const struct {
        uint8_t family, address; /* bytes of one address */
        uint8_t both;            /* bytes of addresses and ports */
    } families[] = {{0x00, 0, 0}, {0x11, 4, 12}, {0x21, 16, 36}, {0x31, 0, 216}};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        if (families[i].family != family)
            continue;
        if (end - at < families[i].both)
            return MALFORMED;
        proxy->is_known = families[i].address > 0;
        if (proxy->is_known)
            proxy->source = rt_ip_of_bytes(at, families[i].address);
        /* Of an unspecified family nothing is known, not even where extras would begin. */
        return family ? take_extras(proxy, at + families[i].both, end) : RT_HTTP_DONE;
    }
    return MALFORMED;
}

static int parse_second(rt_proxy *proxy, const char *data, size_t length)
{
    const uint8_t *bytes = (const uint8_t *)data;
    size_t common = length < sizeof signature ? length : sizeof signature;
    if (memcmp(data, signature, common) != 0)
        return MALFORMED;
    if (length > 12 && bytes[12] != COMMAND_LOCAL && bytes[12] != COMMAND_PROXY)
        return MALFORMED;
    if (length < HEAD)
        return RT_HTTP_MORE;
    proxy->length = HEAD + (size_t)(bytes[14] << 8 | bytes[15]);
    if (proxy->length > RT_PROXY_LIMIT)
        return MALFORMED;
    if (length < proxy->length)
        return RT_HTTP_MORE;
    if (bytes[12] == COMMAND_LOCAL)
        return RT_HTTP_DONE;
    return take_content(proxy, bytes[13], bytes + HEAD, bytes + proxy->length);
}

int rt_proxy_parse(rt_proxy *proxy, const char *data, size_t length)
{
    *proxy = (rt_proxy){0};
    if (!length)
        return RT_HTTP_MORE;
    int result =
        data[0] == 'P' ? parse_first(proxy, data, length) : parse_second(proxy, data, length);
    if (result != RT_HTTP_DONE)
        proxy->is_known = proxy->secure = false;
    return result;
}
