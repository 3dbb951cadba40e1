#include "http/parser.h"

#include "http/characters.h"

#include <string.h>

#define METHOD_LIMIT 32

enum { END_OF_HEAD = 2 }; /* beside RT_HTTP_MORE and RT_HTTP_DONE */

static int refuse(rt_http_head *head, int status, const char *problem)
{
    head->problem = problem;
    return status;
}

/* The first byte that cannot be in a value: a control other than tab, or the end. */
static const char *skip_text(const char *at, const char *end)
{
    at = rt_skip_printing(at, end);
    while (at < end && *at == '\t')
        at = rt_skip_printing(at + 1, end);
    return at;
}

static const char *skip_token(const char *at, const char *end)
{
    while (at < end && rt_is(*at, RT_TOKEN_CHARACTER))
        at++;
    return at;
}

/* Passes CR LF at `*at`. */
static int line_end(rt_http_head *head, const char **at, const char *end)
{
    if (*at == end)
        return RT_HTTP_MORE;
    if (**at != '\r')
        return refuse(head, 400, "a line has a forbidden character or does not end in CR LF");
    if (*at + 1 == end)
        return RT_HTTP_MORE;
    if ((*at)[1] != '\n')
        return refuse(head, 400, "a carriage return without a line feed");
    *at += 2;
    return RT_HTTP_DONE;
}

static int parse_method(rt_http_head *head, const char **at, const char *end)
{
    const char *start = *at, *stop = skip_token(start, end);
    if (stop - start > METHOD_LIMIT)
        return refuse(head, 501, "the method is not known");
    if (stop == end)
        return RT_HTTP_MORE;
    if (stop == start || *stop != ' ')
        return refuse(head, 400, "the method is no token");
    head->method_name = (rt_str){start, (uint64_t)(stop - start)};
    *at = stop + 1;
    return RT_HTTP_DONE;
}

static int find_target(rt_http_head *head, const char **at, const char *end)
{
    const char *start = *at, *stop = start;
    while (stop < end && rt_is(*stop, RT_VISIBLE_CHARACTER))
        stop++;
    if (stop - start > RT_HTTP_TARGET)
        return refuse(head, 414, "the request target is too long");
    if (stop == end)
        return RT_HTTP_MORE;
    if (stop == start || *stop != ' ')
        return refuse(head, 400, "the request line is not `method target version`");
    head->target = (rt_str){start, (uint64_t)(stop - start)};
    *at = stop + 1;
    return RT_HTTP_DONE;
}

static int parse_version(rt_http_head *head, const char **at, const char *end)
{
    static const char form[] = "HTTP/#.#";
    const char *version = *at;
    if (end - version >= 8 && memcmp(version, "HTTP/1.1", 8) == 0) { /* as most have it */
        head->minor = 1;
        *at = version + 8;
        return line_end(head, at, end);
    }
    for (size_t i = 0; form[i]; i++) {
        if (version + i == end)
            return RT_HTTP_MORE;
        if (form[i] == '#' ? !rt_is(version[i], RT_DIGIT_CHARACTER) : version[i] != form[i])
            return refuse(head, 400, "the version is not `HTTP/1.1`");
    }
    if (version[5] != '1' || version[7] > '1')
        return refuse(head, 505, "the version is not `HTTP/1.1`");
    head->minor = (uint32_t)(version[7] - '0');
    *at = version + sizeof form - 1;
    return line_end(head, at, end);
}

/* One empty line before a request is ignored (RFC 9112, 2.2). */
static int skip_empty_line(const char **at, const char *end)
{
    if (*at < end && **at == '\r') {
        if (*at + 1 == end)
            return RT_HTTP_MORE;
        if ((*at)[1] == '\n')
            *at += 2;
    }
    return RT_HTTP_DONE;
}

static int request_line(rt_http_head *head, const char **at, const char *end)
{
    static int (*const parts[])(rt_http_head *, const char **,
                                const char *) = {parse_method, find_target, parse_version};
    int result = skip_empty_line(at, end);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && result == RT_HTTP_DONE; i++)
        result = parts[i](head, at, end);
    return result;
}

static rt_str trim(const char *start, const char *end)
{
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (rt_str){start, (uint64_t)(end - start)};
}

static int header_line(rt_http_head *head, uint32_t number, const char **at, const char *end)
{
    const char *name = *at;
    if (name < end && *name == '\r') {
        int result = line_end(head, at, end);
        return result == RT_HTTP_DONE ? END_OF_HEAD : result;
    }
    if (name < end && number >= RT_HTTP_HEADERS)
        return refuse(head, 431, "too many header fields");
    const char *colon = skip_token(name, end);
    if (colon == end)
        return RT_HTTP_MORE;
    if (colon == name || *colon != ':')
        return refuse(head, 400, "a header line does not begin with `name:`");
    const char *stop = skip_text(colon + 1, end);
    *at = stop;
    int result = line_end(head, at, end);
    if (result != RT_HTTP_DONE)
        return result;
    head->headers[number] = (rt_header){{name, (uint64_t)(colon - name)}, trim(colon + 1, stop)};
    return RT_HTTP_DONE;
}

static int walk(rt_http_head *head, rt_http_scan *scan, const char *data, const char *end)
{
    const char *at = data + scan->offset;
    int result = RT_HTTP_DONE;
    if (scan->lines == 0)
        result = request_line(head, &at, end);
    else
        result = header_line(head, scan->lines - 1, &at, end);
    while (result == RT_HTTP_DONE) {
        scan->offset = (uint32_t)(at - data);
        result = header_line(head, scan->lines++, &at, end);
    }
    if (result == END_OF_HEAD) {
        head->start = data;
        head->length = (uint32_t)(at - data);
        head->header_count = scan->lines - 1;
    }
    return result;
}

/* --- what the fields mean -------------------------------------------------------------------- */

static uint32_t method_number(rt_str name)
{
    static const struct {
        uint32_t number, length;
        const char *name;
    } methods[] = {
#define METHOD(number_, name_) {number_, sizeof #name_ - 1, #name_},
        RT_HTTP_METHODS(METHOD)
#undef METHOD
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].length == name.length && !memcmp(methods[i].name, name.data, name.length))
            return methods[i].number;
    return 0;
}

/* What is known of the framing while fields are judged one after the other. */
typedef struct fields {
    uint32_t number; /* of the one that is judged, from 1 */
    bool content_length, transfer_encoding;
} fields;

static bool is_valid_host(rt_http_head *head, rt_str value)
{
    if (value.length && value.length == head->known_host_length &&
        memcmp(value.data, head->known_host, value.length) == 0)
        return true;
    if (!rt_http_host_valid(value))
        return false;
    if (value.length <= sizeof head->known_host) {
        memcpy(head->known_host, value.data, value.length);
        head->known_host_length = (uint32_t)value.length;
    }
    return true;
}

static int judge_host(rt_http_head *head, fields *seen, rt_str value)
{
    if (head->host_field)
        return refuse(head, 400, "more than one Host");
    if (!is_valid_host(head, value))
        return refuse(head, 400, "Host is not `host` or `host:port`");
    head->host_field = seen->number;
    if (!head->is_absolute)
        head->host = value;
    return RT_HTTP_DONE;
}

static int judge_content_length(rt_http_head *head, fields *seen, rt_str value)
{
    if (seen->content_length)
        return refuse(head, 400, "more than one Content-Length");
    seen->content_length = true;
    uint64_t length = 0;
    for (uint64_t i = 0; i < value.length; i++) {
        if (!rt_is(value.data[i], RT_DIGIT_CHARACTER) || length > (UINT64_MAX >> 1) / 10 - 1)
            return refuse(head, 400, "Content-Length is not one number");
        length = length * 10 + (uint64_t)(value.data[i] - '0');
    }
    if (!value.length)
        return refuse(head, 400, "Content-Length is not one number");
    head->content_length = length;
    return RT_HTTP_DONE;
}

static bool is_listed(rt_str list, const char *lower)
{
    const char *at = list.data, *end = list.data + list.length;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        if (rt_http_same(trim(at, stop), lower))
            return true;
        at = stop + 1;
    }
    return false;
}

/* RFC 9112, 6.3: without `chunked` at the end, and with it twice (7.1), nobody knows where the body
 * ends, which is 400 and not the 501 of a coding that is not known. */
static int refuse_coding(rt_http_head *head, rt_str value)
{
    const char *end = value.data + value.length, *last = end;
    while (last > value.data && last[-1] != ',')
        last--;
    rt_str others = {value.data, (uint64_t)(last - value.data)}; /* with the comma */
    if (!rt_http_same(trim(last, end), "chunked") || is_listed(others, "chunked"))
        return refuse(head, 400, "a Transfer-Encoding that does not end in one `chunked`");
    if (is_listed(others, ""))
        return refuse(head, 400, "a Transfer-Encoding with an empty coding");
    return refuse(head, 501, "a Transfer-Encoding other than `chunked`");
}

static int judge_transfer_encoding(rt_http_head *head, fields *seen, rt_str value)
{
    if (seen->transfer_encoding)
        return refuse(head, 400, "more than one Transfer-Encoding");
    if (head->minor == 0)
        return refuse(head, 400, "Transfer-Encoding in HTTP/1.0");
    seen->transfer_encoding = true;
    head->chunked = rt_http_same(value, "chunked");
    return head->chunked ? RT_HTTP_DONE : refuse_coding(head, value);
}

static int judge_connection(rt_http_head *head, fields *seen, rt_str value)
{
    (void)seen;
    head->close |= is_listed(value, "close");
    return RT_HTTP_DONE;
}

static int judge_te(rt_http_head *head, fields *seen, rt_str value)
{
    (void)seen;
    const char *at = value.data, *end = value.data + value.length;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        if (rt_http_same(trim(at, stop), "trailers"))
            head->takes_trailers = head->minor > 0;
        at = stop + 1;
    }
    return RT_HTTP_DONE;
}

static int judge_expect(rt_http_head *head, fields *seen, rt_str value)
{
    (void)seen;
    if (head->minor == 0)
        return RT_HTTP_DONE;
    if (!rt_http_same(value, "100-continue"))
        return refuse(head, 417, "an expectation other than `100-continue`");
    head->expects_continue = true;
    return RT_HTTP_DONE;
}

static int judge_correlation(rt_http_head *head, fields *seen, rt_str value)
{
    (void)seen;
    if (head->correlation.data || !value.length || value.length > RT_CORRELATION_LIMIT)
        return RT_HTTP_DONE;
    for (uint64_t i = 0; i < value.length; i++)
        if (!rt_is(value.data[i], RT_IDENTIFIER_CHARACTER))
            return RT_HTTP_DONE;
    head->correlation = value;
    return RT_HTTP_DONE;
}

static const struct {
    const char *name;
    uint64_t length;
    int (*judge)(rt_http_head *head, fields *seen, rt_str value);
} judged_fields[] = {
#define FIELD(name_, judge_)            \
    {                                   \
        name_, sizeof name_ - 1, judge_ \
    }
    FIELD("host", judge_host),
    FIELD("connection", judge_connection),
    FIELD("content-length", judge_content_length),
    FIELD("transfer-encoding", judge_transfer_encoding),
    FIELD("expect", judge_expect),
    FIELD("te", judge_te),
    FIELD("x-correlation-id", judge_correlation),
#undef FIELD
};

/* One bit for each length that a judged field has, so that most others cost one test. */
#define LENGTHS \
    ((1u << 2) | (1u << 4) | (1u << 10) | (1u << 14) | (1u << 17) | (1u << 6) | (1u << 16))

static int judge_field(rt_http_head *head, fields *seen)
{
    const rt_header *header = &head->headers[seen->number - 1];
    if (header->name.length > 31 || !(LENGTHS >> header->name.length & 1))
        return RT_HTTP_DONE;
    for (size_t i = 0; i < sizeof judged_fields / sizeof judged_fields[0]; i++)
        if (judged_fields[i].length == header->name.length &&
            judged_fields[i].name[0] == (header->name.data[0] | 0x20) &&
            rt_http_same(header->name, judged_fields[i].name))
            return judged_fields[i].judge(head, seen, header->value);
    return RT_HTTP_DONE;
}

static int judge(rt_http_head *head)
{
    fields seen = {0};
    int result = head->method ? rt_http_parse_target(head) : RT_HTTP_DONE;
    while (result == RT_HTTP_DONE && seen.number++ < head->header_count)
        result = judge_field(head, &seen);
    if (result != RT_HTTP_DONE)
        return result;
    if (!head->host_field && head->minor)
        return refuse(head, 400, "Host is missing");
    if (seen.content_length && seen.transfer_encoding)
        return refuse(head, 400, "Content-Length beside Transfer-Encoding");
    if (!head->method)
        return refuse(head, 501, "the method is not known");
    return RT_HTTP_DONE;
}

static void clear(rt_http_head *head)
{
    memset(head, 0, offsetof(rt_http_head, segments));
}

int rt_http_parse_head(rt_http_head *head, rt_http_scan *scan, const char *data, size_t length,
                       size_t limit)
{
    const char *end = data + (length < limit ? length : limit);
    bool resumed = scan->lines > 0;
    clear(head);
    int result = walk(head, scan, data, end);
    if (resumed && (result != RT_HTTP_MORE || length >= limit)) {
        *scan = (rt_http_scan){0};
        result = walk(head, scan, data, end);
    }
    head->method = method_number(head->method_name); /* of a refused head too */
    if (result == RT_HTTP_MORE && length >= limit)
        result = scan->lines ? refuse(head, 431, "the header is too large")
                             : refuse(head, 414, "the request line is too long");
    if (result != END_OF_HEAD)
        return result;
    *scan = (rt_http_scan){0};
    head->close = head->minor == 0;
    return judge(head);
}
