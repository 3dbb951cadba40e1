#include "http/characters.h"
#include "http/parser.h"

#define SIZE_DIGITS 15        /* hexadecimal: far beyond any limit, and no overflow */
#define EXTENSION_LIMIT 4096u /* bytes, of all chunks together */

enum state {
    CONTENT, /* Content-Length */
    SIZE,
    EXTENSION,
    SIZE_LINE_FEED,
    DATA,
    DATA_RETURN,
    DATA_LINE_FEED,
    TRAILER_START,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LINE_FEED,
    LAST_LINE_FEED,
};

int rt_http_body_begin(rt_http_body *body, const rt_http_head *head, uint64_t limit)
{
    *body = (rt_http_body){.limit = limit, .state = head->chunked ? SIZE : CONTENT};
    if (head->chunked)
        return RT_HTTP_MORE;
    body->remaining = head->content_length;
    if (body->remaining > limit)
        return 413;
    return body->remaining ? RT_HTTP_MORE : RT_HTTP_DONE;
}

static int size_ended(rt_http_body *body)
{
    if (body->digits == 0)
        return 400;
    body->digits = 0;
    return body->remaining > body->limit ? 413 : RT_HTTP_MORE;
}

static int at_size(rt_http_body *body, char c)
{
    if (rt_is(c, RT_HEX_CHARACTER)) {
        if (body->digits++ == SIZE_DIGITS)
            return 400;
        body->remaining = body->remaining << 4 | rt_hex_value(c);
        return RT_HTTP_MORE;
    }
    if (c != '\r' && c != ';')
        return 400;
    body->state = c == ';' ? EXTENSION : SIZE_LINE_FEED;
    return size_ended(body);
}

static int at_extension(rt_http_body *body, char c)
{
    if (c == '\r')
        body->state = SIZE_LINE_FEED;
    else if (!rt_is(c, RT_TEXT_CHARACTER) || ++body->extension_bytes > EXTENSION_LIMIT)
        return 400;
    return RT_HTTP_MORE;
}

static int at_size_line_feed(rt_http_body *body, char c)
{
    body->state = body->remaining ? DATA : TRAILER_START;
    return c == '\n' ? RT_HTTP_MORE : 400;
}

static int at_data_return(rt_http_body *body, char c)
{
    body->state = DATA_LINE_FEED;
    return c == '\r' ? RT_HTTP_MORE : 400;
}

static int at_data_line_feed(rt_http_body *body, char c)
{
    body->state = SIZE;
    return c == '\n' ? RT_HTTP_MORE : 400;
}

static void keep_trailer(const rt_http_body *body, char c)
{
    if (body->trailers)
        rt_buffer_char(body->trailers, c);
}

static int at_trailer_name(rt_http_body *body, char c)
{
    keep_trailer(body, c);
    if (++body->trailer_bytes > RT_HTTP_TRAILERS)
        return 431;
    if (c == ':' && body->state == TRAILER_NAME)
        body->state = TRAILER_VALUE;
    else if (rt_is(c, RT_TOKEN_CHARACTER))
        body->state = TRAILER_NAME;
    else
        return 400;
    return RT_HTTP_MORE;
}

static int at_trailer_start(rt_http_body *body, char c)
{
    if (c != '\r')
        return at_trailer_name(body, c);
    body->state = LAST_LINE_FEED;
    return RT_HTTP_MORE;
}

static int at_trailer_value(rt_http_body *body, char c)
{
    keep_trailer(body, c);
    if (++body->trailer_bytes > RT_HTTP_TRAILERS)
        return 431;
    if (c == '\r')
        body->state = TRAILER_LINE_FEED;
    else if (!rt_is(c, RT_TEXT_CHARACTER))
        return 400;
    return RT_HTTP_MORE;
}

static int at_trailer_line_feed(rt_http_body *body, char c)
{
    keep_trailer(body, c);
    body->state = TRAILER_START;
    return c == '\n' ? RT_HTTP_MORE : 400;
}

static int at_last_line_feed(rt_http_body *body, char c)
{
    (void)body;
    return c == '\n' ? RT_HTTP_DONE : 400;
}

static int (*const steps[])(rt_http_body *, char) = {
    [SIZE] = at_size,
    [EXTENSION] = at_extension,
    [SIZE_LINE_FEED] = at_size_line_feed,
    [DATA_RETURN] = at_data_return,
    [DATA_LINE_FEED] = at_data_line_feed,
    [TRAILER_START] = at_trailer_start,
    [TRAILER_NAME] = at_trailer_name,
    [TRAILER_VALUE] = at_trailer_value,
    [TRAILER_LINE_FEED] = at_trailer_line_feed,
    [LAST_LINE_FEED] = at_last_line_feed,
};

static int move_content(rt_http_body *body, rt_buffer *out, const char **at, const char *end)
{
    uint64_t here = (uint64_t)(end - *at);
    uint64_t taken = here < body->remaining ? here : body->remaining;
    rt_buffer_add(out, *at, taken);
    *at += taken;
    body->remaining -= taken;
    body->limit -= taken;
    if (body->remaining)
        return RT_HTTP_MORE;
    if (body->state == CONTENT)
        return RT_HTTP_DONE;
    body->state = DATA_RETURN;
    return RT_HTTP_MORE;
}

int rt_http_body_read(rt_http_body *body, rt_buffer *out, const char **at, const char *end)
{
    int result = RT_HTTP_MORE;
    while (result == RT_HTTP_MORE && *at < end) {
        if (body->state == CONTENT || body->state == DATA)
            result = move_content(body, out, at, end);
        else
            result = steps[body->state](body, *(*at)++);
    }
    return result;
}
