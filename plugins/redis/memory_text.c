/* What texts mean: numbers, patterns */
#include "memory_engine.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Exactly what an integer is written as: no sign but `-`, no zero before other digits. */
bool rt_text_integer(rt_str text, int64_t *integer)
{
    bool negative = text.length && text.data[0] == '-';
    uint64_t value = 0, limit = (uint64_t)INT64_MAX + negative;
    if (text.length <= negative || text.length > 20 ||
        (text.data[negative] == '0' && text.length > 1))
        return false;
    for (uint64_t i = negative; i < text.length; i++) {
        unsigned digit = (unsigned char)text.data[i] - '0';
        if (digit > 9 || value > (limit - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *integer = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool rt_text_float(rt_str text, double *number)
{
    char copy[256], *end;
    if (!text.length || text.length >= sizeof copy || isspace((unsigned char)text.data[0]))
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    errno = 0;
    *number = strtod(copy, &end);
    bool overflow = errno == ERANGE && (*number == HUGE_VAL || *number == -HUGE_VAL);
    return end == copy + text.length && !isnan(*number) && !overflow;
}

bool rt_text_bound(rt_str text, double *number)
{
    char copy[256] = "", *end;
    if (text.length >= sizeof copy)
        return false;
    if (text.length)
        memcpy(copy, text.data, text.length);
    *number = strtod(copy, &end);
    return end[0] == '\0' && !isnan(*number);
}

bool rt_text_long_float(rt_str text, long double *number)
{
    char copy[256], *end;
    if (!text.length || text.length >= sizeof copy || isspace((unsigned char)text.data[0]))
        return false;
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    errno = 0;
    *number = strtold(copy, &end);
    bool overflow = errno == ERANGE && (isinf(*number) || *number == 0);
    return end == copy + text.length && !isnan(*number) && !overflow;
}

bool rt_text_of_float(long double number, char text[RT_FLOAT_TEXT])
{
    if (isnan(number) || isinf(number))
        return false;
    int length = snprintf(text, RT_FLOAT_TEXT, "%.17Lf", number);
    while (length > 1 && text[length - 1] == '0')
        text[--length] = '\0';
    if (length > 1 && text[length - 1] == '.')
        text[--length] = '\0';
    if (strcmp(text, "-0") == 0)
        strcpy(text, "0");
    return true;
}

/* --- patterns --------------------------------------------------------------------------------- */

/* Whether `c` is in the class whose first character is at `*at`; leaves `*at` behind it. */
static bool in_class(rt_str pattern, uint64_t *at, unsigned char c)
{
    bool negated = *at < pattern.length && pattern.data[*at] == '^', found = false;
    *at += negated;
    for (; *at < pattern.length && pattern.data[*at] != ']'; ++*at) {
        const unsigned char *p = (const unsigned char *)pattern.data + *at;
        uint64_t left = pattern.length - *at;
        if (p[0] == '\\' && left >= 2) {
            found = found || p[1] == c;
            ++*at;
        } else if (left >= 3 && p[1] == '-') {
            unsigned char low = p[0] < p[2] ? p[0] : p[2], high = p[0] < p[2] ? p[2] : p[0];
            found = found || (c >= low && c <= high);
            *at += 2;
        } else
            found = found || p[0] == c;
    }
    ++*at;
    return found != negated;
}

/* One character of the text against one element of the pattern, which is none of `*`. */
static bool match_one(rt_str pattern, uint64_t *at, unsigned char c)
{
    unsigned char element = (unsigned char)pattern.data[(*at)++];
    if (element == '?')
        return true;
    if (element == '[')
        return in_class(pattern, at, c);
    if (element == '\\' && *at < pattern.length)
        element = (unsigned char)pattern.data[(*at)++];
    return element == c;
}

/* Goes back to the last `*` alone, so that no pattern takes more than length times length. */
bool rt_text_matches(rt_str pattern, rt_str text)
{
    uint64_t at = 0, i = 0, star = UINT64_MAX, resume = 0;
    while (i < text.length) {
        if (at < pattern.length && pattern.data[at] == '*') {
            star = ++at;
            resume = i;
        } else if (at < pattern.length && match_one(pattern, &at, (unsigned char)text.data[i])) {
            i++;
        } else if (star != UINT64_MAX) {
            at = star;
            i = ++resume;
        } else
            return false;
    }
    while (at < pattern.length && pattern.data[at] == '*')
        at++;
    return at >= pattern.length;
}
