/* Numbers: what is one, what libconfig would change, and what people mean who write another. */
#include "config/lex.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t count_digits(const char *text, int (*is_digit)(int))
{
    size_t count = 0;
    while (is_digit((unsigned char)text[count]))
        count++;
    return count;
}

static bool is_suffix(const char *text)
{
    return !*text || strcmp(text, "L") == 0 || strcmp(text, "LL") == 0;
}

static bool is_hexadecimal(const char *text)
{
    if (text[0] != '0' || (text[1] != 'x' && text[1] != 'X'))
        return false;
    size_t digits = count_digits(text + 2, isxdigit);
    return digits && is_suffix(text + 2 + digits);
}

static bool is_decimal(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t digits = count_digits(text, isdigit);
    return digits && is_suffix(text + digits);
}

static bool is_float(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t whole = count_digits(text, isdigit), fraction = 0;
    text += whole;
    bool point = *text == '.';
    if (point)
        text += 1 + (fraction = count_digits(text + 1, isdigit));
    bool exponent = *text == 'e' || *text == 'E';
    if (exponent) {
        text += 1 + (text[1] == '-' || text[1] == '+');
        size_t digits = count_digits(text, isdigit);
        if (!digits)
            return false;
        text += digits;
    }
    return whole + fraction && (point || exponent) && !*text;
}

/* --- integers -------------------------------------------------------------------------------- */

static void report_too_big(rt_reader *reader, rt_token *token, const char *text, bool fits_64)
{
    const char *shown = rt_excerpt_value(reader, text, strlen(text));
    rt_diagnostic *problem =
        RT_PROBLEM(reader, CONFIG_INTEGER_RANGE, &token->place, shown, fits_64 ? 32 : 64);
    if (fits_64)
        rt_help(problem, "add `L` for an integer of 64 bits: `%sL`", shown);
    else if (text[0] == '0')
        rt_help(problem, "the largest is 0x7FFFFFFFFFFFFFFFL");
    else if (text[0] == '-')
        rt_help(problem, "the smallest is -9223372036854775808L");
    else
        rt_help(problem, "the largest is 9223372036854775807L");
    token->kind = RT_TOKEN_BAD;
}

static void take_integer(rt_reader *reader, rt_token *token, const char *text, int base)
{
    errno = 0;
    int64_t value = strtoll(text, NULL, base);
    bool fits_64 = errno == 0;
    token->is_long = strchr(text, 'L') != NULL;
    token->value.integer = value;
    token->kind = RT_TOKEN_INT;
    if (!fits_64 || (!token->is_long && (value < INT32_MIN || value > INT32_MAX)))
        report_too_big(reader, token, text, fits_64);
}

static bool has_leading_zero(const char *text)
{
    text += *text == '-' || *text == '+';
    return text[0] == '0' && isdigit((unsigned char)text[1]);
}

/* What the digits would be if they were octal; 0 if they are not. */
static unsigned long long as_octal(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long value = isdigit((unsigned char)*text) ? strtoull(text, &end, 8) : 0;
    return value && !*end && value <= INT32_MAX ? value : 0;
}

static void report_leading_zero(rt_reader *reader, rt_token *token, const char *text)
{
    const char *digits = text + (*text == '-' || *text == '+');
    while (digits[0] == '0' && isdigit((unsigned char)digits[1]))
        digits++;
    const char *sign = *text == '-' ? "-" : "",
               *plain = rt_excerpt_value(reader, digits, strlen(digits));
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_LEADING_ZERO, &token->place,
                                        rt_excerpt_value(reader, text, strlen(text)));
    unsigned long long octal = as_octal(text);
    if (octal > 7 && !reader->is_secret)
        rt_help(problem, "write `%s`, or `0x%llX` if octal was meant", plain, octal);
    else
        rt_help(problem, "write `%s%s`", sign, plain);
    token->kind = RT_TOKEN_BAD;
}

/* --- floats ---------------------------------------------------------------------------------- */

static bool is_nought(const char *text)
{
    size_t mantissa = strcspn(text, "eE");
    return strcspn(text, "123456789") >= mantissa;
}

static void take_float(rt_reader *reader, rt_token *token, const char *text)
{
    double value = strtod(text, NULL);
    const char *fault = isinf(value) ? "large" : value == 0 && !is_nought(text) ? "small" : NULL;
    token->kind = RT_TOKEN_FLOAT;
    token->value.real = value;
    if (!fault)
        return;
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_FLOAT_RANGE, &token->place,
                                        rt_excerpt_value(reader, text, strlen(text)), fault);
    if (isinf(value))
        rt_help(problem, "the largest is about 1.8e308");
    else
        rt_help(problem, "the smallest is about 4.9e-324; write `0.0` for zero");
    token->kind = RT_TOKEN_BAD;
}

bool rt_lex_number(rt_reader *reader, rt_token *token)
{
    const char *text = rt_arena_copy_n(reader->arena, token->raw, token->raw_length);
    bool decimal = is_decimal(text);
    if (is_hexadecimal(text))
        take_integer(reader, token, text, 16);
    else if (!decimal && !is_float(text))
        return false;
    else if (has_leading_zero(text))
        report_leading_zero(reader, token, text);
    else if (decimal)
        take_integer(reader, token, text, 10);
    else
        take_float(reader, token, text);
    return true;
}

/* --- what is no number ----------------------------------------------------------------------- */

static bool is_signed_hexadecimal(const char *text)
{
    return (*text == '-' || *text == '+') && is_hexadecimal(text + 1);
}

static bool has_small_suffix(const char *text)
{
    size_t length = strlen(text);
    return length > 1 && (is_decimal(text) || strspn(text, "-+0123456789") + 1 == length) &&
           text[length - 1] == 'l';
}

static bool has_separators(const char *text)
{
    return strchr(text, '_') && strspn(text, "-+0123456789_L") == strlen(text);
}

static bool lacks_digits(const char *text)
{
    size_t length = strlen(text);
    char last = text[length - 1];
    return strspn(text, "-+.eExX0123456789") == length && strchr("eExX+-", last);
}

void rt_report_not_a_number(rt_reader *reader, const rt_token *token)
{
    static const struct {
        bool (*matches)(const char *text);
        const char *help;
    } hints[] = {
        {is_signed_hexadecimal, "a hexadecimal number takes no sign: write it in decimal"},
        {has_small_suffix, "the suffix is a capital `L`"},
        {has_separators, "write the digits without `_`"},
        {lacks_digits, "digits are missing at its end"},
    };
    const char *text = rt_arena_copy_n(reader->arena, token->raw, token->raw_length);
    const char *shown = rt_excerpt_value(reader, text, token->raw_length);
    rt_diagnostic *problem = RT_PROBLEM(reader, CONFIG_NUMBER, &token->place, shown);
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        if (!hints[i].matches(text))
            continue;
        rt_help(problem, "%s", hints[i].help);
        return;
    }
    rt_help(problem, "text stands in quotes: `\"%s\"`", shown);
}
