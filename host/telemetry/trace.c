/* W3C Trace Context: `traceparent` and `tracestate`. */
#include "telemetry/span.h"

#include <string.h>

#define STATE_MOST 512 /* bytes that everybody has to pass on */
#define MEMBERS_MOST 32

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* So many lower-case digits. */
static bool read_number(const char *text, size_t digits, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        int one = digit(text[i]);
        if (one < 0)
            return false;
        *value = *value << 4 | (uint64_t)one;
    }
    return true;
}

void rt_hexadecimal(char text[17], uint64_t value)
{
    for (size_t i = 0; i < 16; i++)
        text[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    text[16] = '\0';
}

/* Later versions may add fields behind another dash; the first four stay what they are. */
static bool is_framed(rt_str text, uint64_t version)
{
    const char *at = text.data;
    if (at[2] != '-' || at[35] != '-' || at[52] != '-' || version == 0xff)
        return false;
    return text.length == RT_TRACEPARENT_LENGTH ||
           (version > 0 && at[RT_TRACEPARENT_LENGTH] == '-');
}

bool rt_traceparent_read(rt_trace *trace, rt_str text)
{
    uint64_t version, high, low, parent, flags;
    if (text.length < RT_TRACEPARENT_LENGTH || !read_number(text.data, 2, &version) ||
        !is_framed(text, version) || !read_number(text.data + 3, 16, &high) ||
        !read_number(text.data + 19, 16, &low) || !read_number(text.data + 36, 16, &parent) ||
        !read_number(text.data + 53, 2, &flags))
        return false;
    if (!(high | low) || !parent)
        return false;
    trace->high = high;
    trace->low = low;
    trace->parent = parent;
    trace->flags = (uint32_t)flags & RT_TRACE_SAMPLED;
    return true;
}

void rt_traceparent_write(char text[RT_TRACEPARENT_LENGTH + 1], rt_trace *trace)
{
    char high[17], low[17], span[17];
    if (!(trace->high | trace->low))
        rt_trace_begin(trace);
    if (!trace->parent) /* no span of ours is recorded, and 0 is no parent */
        trace->parent = rt_random_id();
    rt_hexadecimal(high, trace->high);
    rt_hexadecimal(low, trace->low);
    rt_hexadecimal(span, trace->parent);
    memcpy(text, "00-", 3);
    memcpy(text + 3, high, 16);
    memcpy(text + 19, low, 16);
    text[35] = '-';
    memcpy(text + 36, span, 16);
    memcpy(text + 52, trace->flags & RT_TRACE_SAMPLED ? "-01" : "-00", 4);
}

/* --- tracestate ------------------------------------------------------------------------------ */

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_key_character(char c)
{
    return is_lower(c) || (c >= '0' && c <= '9') || (c && strchr("_-*/@", c));
}

/* key=value, without white space around it. */
static bool is_member(const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    if (!equals || equals == text || equals - text > 256 || !is_key_character(text[0]))
        return false;
    for (const char *c = text; c < equals; c++)
        if (!is_key_character(*c))
            return false;
    size_t value = (size_t)(text + length - equals - 1);
    if (!value || value > 256)
        return false;
    for (const char *c = equals + 1; c < text + length; c++)
        if (*c < 0x20 || *c > 0x7e || *c == '=')
            return false;
    return true;
}

static rt_str trimmed(const char *text, size_t length)
{
    while (length && (*text == ' ' || *text == '\t'))
        text++, length--;
    while (length && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    return (rt_str){text, length};
}

rt_str rt_tracestate_judge(rt_str text)
{
    const char *at = text.data, *end = at + text.length;
    size_t count = 0, kept = 0;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        rt_str member = trimmed(at, (size_t)(stop - at));
        if (member.length && (!is_member(member.data, member.length) || ++count > MEMBERS_MOST))
            return (rt_str){0};
        if (stop - text.data <= STATE_MOST)
            kept = (size_t)(stop - text.data);
        at = stop + 1;
    }
    return trimmed(text.data, kept);
}
