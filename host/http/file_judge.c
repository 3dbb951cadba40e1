/* file_judge.c — conditional requests and ranges (RFC 9110, sections 13 and 14) */
#include "http/file.h"
#include "http/parser.h"

#include "http/characters.h"

#include <string.h>

/* --- tags ------------------------------------------------------------------------------------ */

static rt_str skip(rt_str text, const char *characters)
{
    while (text.length && strchr(characters, text.data[0]))
        text = (rt_str){text.data + 1, text.length - 1};
    return text;
}

/* The next entity tag of a list, opaque part with quotes; false at its end or where it is wrong. */
static bool next_tag(rt_str *list, rt_str *tag, bool *weak)
{
    *list = skip(*list, " \t,");
    *weak = list->length > 1 && list->data[0] == 'W' && list->data[1] == '/';
    if (*weak)
        *list = (rt_str){list->data + 2, list->length - 2};
    if (list->length < 2 || list->data[0] != '"')
        return false;
    const char *close = memchr(list->data + 1, '"', list->length - 1);
    if (!close)
        return false;
    *tag = (rt_str){list->data, (uint64_t)(close + 1 - list->data)};
    *list = (rt_str){close + 1, list->length - tag->length};
    return true;
}

static bool is_tag(rt_str text, const char *tag)
{
    return text.length == strlen(tag) && !memcmp(text.data, tag, text.length);
}

/* Whether any field of the name lists our tag (or is `*`); ours is strong, so a weak one matches it
 * only where weak comparison is meant. */
static bool lists_tag(const rt_request *request, const char *name, const char *ours, bool weakly)
{
    for (uint64_t i = 0; i < request->header_count; i++) {
        rt_str list = request->headers[i].value, tag;
        bool weak;
        if (!rt_http_same(request->headers[i].name, name))
            continue;
        if (list.length == 1 && list.data[0] == '*')
            return true;
        while (next_tag(&list, &tag, &weak))
            if (is_tag(tag, ours) && (weakly || !weak))
                return true;
    }
    return false;
}

static rt_str field(const rt_request *request, const char *name)
{
    for (uint64_t i = 0; i < request->header_count; i++)
        if (rt_http_same(request->headers[i].name, name))
            return request->headers[i].value;
    return (rt_str){0};
}

/* --- conditions ------------------------------------------------------------------------------ */

static bool precondition_holds(const rt_request *request, const rt_file_facts *facts)
{
    if (field(request, "if-match").data)
        return lists_tag(request, "if-match", facts->tag, false);
    int64_t since = rt_http_time_read(field(request, "if-unmodified-since"));
    return since < 0 || facts->modified <= since;
}

static bool is_unchanged(const rt_request *request, const rt_file_facts *facts)
{
    if (field(request, "if-none-match").data)
        return lists_tag(request, "if-none-match", facts->tag, true);
    int64_t since = rt_http_time_read(field(request, "if-modified-since"));
    return since >= 0 && facts->modified <= since;
}

/* A date is a strong validator only if the file could not have changed within its second. */
static bool range_holds(const rt_request *request, const rt_file_facts *facts)
{
    rt_str condition = field(request, "if-range");
    if (!condition.data)
        return true;
    if (condition.length && condition.data[0] == '"')
        return is_tag(condition, facts->tag);
    return rt_http_time_read(condition) == facts->modified && facts->now > facts->modified;
}

/* --- ranges ---------------------------------------------------------------------------------- */

#define NUMBER_LIMIT (UINT64_MAX / 10 - 1)

/* The digits at the front; false if there are none. Beyond what any file has it stays there. */
static bool take_number(rt_str *text, uint64_t *number)
{
    const char *start = text->data;
    *number = 0;
    while (text->length && rt_is(text->data[0], RT_DIGIT_CHARACTER)) {
        if (*number < NUMBER_LIMIT)
            *number = *number * 10 + (uint64_t)(text->data[0] - '0');
        *text = (rt_str){text->data + 1, text->length - 1};
    }
    return text->data != start;
}

enum outcome { WRONG, UNSATISFIABLE, SATISFIABLE };

static enum outcome clip(rt_range *range, uint64_t first, uint64_t last, uint64_t size)
{
    if (first >= size)
        return UNSATISFIABLE;
    *range = (rt_range){first, (last < size ? last + 1 : size) - first};
    return SATISFIABLE;
}

/* `first-`, `first-last` or `-suffix`. */
static enum outcome take_range(rt_str *text, uint64_t size, rt_range *range)
{
    uint64_t first = 0, last = UINT64_MAX;
    bool has_first = take_number(text, &first);
    if (!text->length || text->data[0] != '-')
        return WRONG;
    *text = (rt_str){text->data + 1, text->length - 1};
    bool has_last = take_number(text, &last);
    if (!has_last)
        last = UINT64_MAX;
    if (!has_first && !has_last)
        return WRONG;
    if (has_first)
        return last < first ? WRONG : clip(range, first, last, size);
    return last ? clip(range, last < size ? size - last : 0, UINT64_MAX, size) : UNSATISFIABLE;
}

/* The satisfiable ones. WRONG: to be ignored, also if there are more than anyone needs. */
static enum outcome take_ranges(rt_str text, uint64_t size, rt_range *ranges, uint32_t *count)
{
    uint64_t bytes = 0;
    bool any = false;
    *count = 0;
    if (text.length < 6 || strncasecmp(text.data, "bytes=", 6))
        return WRONG;
    text = (rt_str){text.data + 6, text.length - 6};
    for (text = skip(text, " \t,"); text.length; text = skip(text, " \t,")) {
        rt_range range = {0};
        enum outcome outcome = take_range(&text, size, &range);
        rt_str rest = skip(text, " \t");
        if (outcome == WRONG || (rest.length && rest.data[0] != ','))
            return WRONG;
        any = true;
        if (outcome == UNSATISFIABLE)
            continue;
        bytes += range.length;
        if (*count == RT_RANGES || bytes > size)
            return WRONG;
        ranges[(*count)++] = range;
    }
    return *count ? SATISFIABLE : any ? UNSATISFIABLE : WRONG;
}

static uint32_t judge_range(const rt_request *request, const rt_file_facts *facts, rt_range *ranges,
                            uint32_t *count)
{
    rt_str text = field(request, "range");
    if (!text.data || request->method != RT_GET || !range_holds(request, facts))
        return 200;
    enum outcome outcome = take_ranges(text, facts->size, ranges, count);
    return outcome == SATISFIABLE ? 206 : outcome == UNSATISFIABLE ? 416 : 200;
}

uint32_t rt_file_judge(const rt_request *request, const rt_file_facts *facts,
                       rt_range ranges[RT_RANGES], uint32_t *count)
{
    bool reads = request->method == RT_GET || request->method == RT_HEAD;
    *count = 0;
    if (!precondition_holds(request, facts))
        return 412;
    if (field(request, "if-none-match").data || reads)
        if (is_unchanged(request, facts))
            return reads ? 304 : 412;
    return judge_range(request, facts, ranges, count);
}
