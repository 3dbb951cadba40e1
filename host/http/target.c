#include "http/characters.h"
#include "http/parser.h"

#include <arpa/inet.h>
#include <string.h>

static int refuse(rt_http_head *head, const char *problem)
{
    head->problem = problem;
    return 400;
}

bool rt_http_same(rt_str text, const char *lower)
{
    uint64_t i = 0;
    for (; i < text.length && lower[i]; i++) {
        char differs = text.data[i] ^ lower[i];
        if (differs && (differs != 0x20 || lower[i] < 'a' || lower[i] > 'z'))
            return false;
    }
    return i == text.length && !lower[i];
}

bool rt_http_is_token(rt_str text)
{
    for (uint64_t i = 0; i < text.length; i++)
        if (!rt_is(text.data[i], RT_TOKEN_CHARACTER))
            return false;
    return text.length > 0;
}

bool rt_http_is_text(rt_str text)
{
    const char *end = text.data + text.length;
    return rt_skip_printing(text.data, end) == end;
}

/* Behind `[…]`, which holds an IPv6 address and nothing else; NULL if it does not. */
static const char *skip_address(const char *at, const char *end)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    const char *stop = memchr(at, ']', (size_t)(end - at));
    size_t length = stop ? (size_t)(stop - at) - 1 : 0;
    if (!length || length >= sizeof text || memchr(at, '\0', length + 1))
        return NULL;
    memcpy(text, at + 1, length);
    text[length] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1 ? stop + 1 : NULL;
}

/* Behind `[…]` or a name; NULL if there is none. */
static const char *skip_host_name(const char *at, const char *end)
{
    const char *start = at;
    if (at < end && *at == '[')
        return skip_address(at, end);
    while (at < end && rt_is(*at, RT_IDENTIFIER_CHARACTER))
        at++;
    return at > start ? at : NULL;
}

bool rt_http_host_valid(rt_str host)
{
    const char *end = host.data + host.length, *at = skip_host_name(host.data, end);
    if (!at || at == end)
        return at != NULL;
    if (*at != ':' || end - at > 6 || end - at < 2)
        return false;
    uint32_t port = 0;
    while (++at < end) {
        if (!rt_is(*at, RT_DIGIT_CHARACTER))
            return false;
        port = port * 10 + (uint32_t)(*at - '0');
    }
    return port <= 65535;
}

int64_t rt_http_decode(rt_str text, bool form, char *out)
{
    int64_t length = 0;
    for (uint64_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '+' && form)
            c = ' ';
        if (c == '%') {
            if (text.length - i < 3 || !rt_is(text.data[i + 1], RT_HEX_CHARACTER) ||
                !rt_is(text.data[i + 2], RT_HEX_CHARACTER))
                return -1;
            c = (char)(rt_hex_value(text.data[i + 1]) << 4 | rt_hex_value(text.data[i + 2]));
            if (!c)
                return -1;
            i += 2;
        }
        out[length++] = c;
    }
    return length;
}

static bool is_dots(rt_str segment)
{
    return (segment.length == 1 && segment.data[0] == '.') ||
           (segment.length == 2 && segment.data[0] == '.' && segment.data[1] == '.');
}

static int add_segment(rt_http_head *head, rt_str segment)
{
    if (is_dots(segment))
        return refuse(head, "the path has a `.` or `..` segment");
    if (head->segment_count < RT_HTTP_SEGMENTS)
        head->segments[head->segment_count++] = segment;
    else
        head->too_many_segments = true;
    return RT_HTTP_DONE;
}

/* `path` begins with `/`. Segments are decoded one by one, so that a `%2F` stays inside its own. */
static int split(rt_http_head *head, rt_str path)
{
    const char *at = path.data + 1, *end = path.data + path.length;
    char *out = head->decoded;
    for (;;) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        rt_str segment = {at, (uint64_t)((slash ? slash : end) - at)};
        if (head->is_decoded) {
            *out++ = '/';
            int64_t length = rt_http_decode(segment, false, out);
            if (length < 0)
                return refuse(head, "the path has a `%` that encodes no character");
            segment = (rt_str){out, (uint64_t)length};
            out += length;
        }
        int result = add_segment(head, segment);
        if (result != RT_HTTP_DONE)
            return result;
        if (!slash)
            break;
        at = slash + 1;
    }
    head->path = head->is_decoded ? (rt_str){head->decoded, (uint64_t)(out - head->decoded)} : path;
    return RT_HTTP_DONE;
}

static int judge_query(rt_http_head *head)
{
    for (uint64_t i = 0; i < head->query.length; i++)
        if (!rt_is(head->query.data[i], RT_QUERY_CHARACTER) && head->query.data[i] != '%')
            return refuse(head, "the query has a character that must be encoded");
    return RT_HTTP_DONE;
}

/* Path and query, of which `text` begins with `/`. */
static int parse_path(rt_http_head *head, rt_str text)
{
    uint64_t i = 0;
    for (; i < text.length && text.data[i] != '?'; i++) {
        if (rt_is(text.data[i], RT_PATH_CHARACTER))
            continue;
        if (text.data[i] != '%')
            return refuse(head, "the path has a character that must be encoded");
        head->is_decoded = true;
    }
    if (i < text.length)
        head->query = (rt_str){text.data + i + 1, text.length - i - 1};
    int result = judge_query(head);
    return result == RT_HTTP_DONE ? split(head, (rt_str){text.data, i}) : result;
}

/* `http://authority/path?query`: what proxies are sent, and every server must take. */
static int parse_absolute(rt_http_head *head)
{
    rt_str target = head->target;
    uint64_t scheme = 0;
    while (scheme < target.length && target.data[scheme] != ':')
        scheme++;
    rt_str name = {target.data, scheme};
    if ((!rt_http_same(name, "http") && !rt_http_same(name, "https")) ||
        target.length - scheme < 3 || memcmp(target.data + scheme, "://", 3))
        return refuse(head, "the request target is no path and no http URL");
    head->is_absolute = true;
    uint64_t start = scheme + 3, i = start;
    while (i < target.length && target.data[i] != '/' && target.data[i] != '?')
        i++;
    head->host = (rt_str){target.data + start, i - start};
    if (!rt_http_host_valid(head->host))
        return refuse(head, "the host of the request target is not valid");
    if (i < target.length && target.data[i] == '/')
        return parse_path(head, (rt_str){target.data + i, target.length - i});
    if (i < target.length)
        head->query = (rt_str){target.data + i + 1, target.length - i - 1};
    else if (head->method == RT_OPTIONS)
        head->asterisk = true;
    head->path = RT_STR("/");
    int result = judge_query(head);
    return result == RT_HTTP_DONE ? add_segment(head, (rt_str){head->path.data + 1, 0}) : result;
}

int rt_http_parse_target(rt_http_head *head)
{
    if (head->target.data[0] == '/')
        return parse_path(head, head->target);
    if (head->target.length == 1 && head->target.data[0] == '*' && head->method == RT_OPTIONS) {
        head->asterisk = true;
        head->path = head->target;
        return RT_HTTP_DONE;
    }
    return parse_absolute(head);
}
