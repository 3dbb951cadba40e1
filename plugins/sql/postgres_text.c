/* Values as the server reads and writes them in text: where a type has no binary form of ours, and
 * where one column of a result has none, for then all come as text. */
#include "postgres_types.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char rt_pg_state_out_of_range[] = "22003", rt_pg_state_mismatch[] = "42804",
           rt_pg_state_bad_text[] = "22P02", rt_pg_state_bad_time[] = "22008",
           rt_pg_state_bad_binary[] = "22P03", rt_pg_state_too_long[] = "54000";

#define MICROSECONDS INT64_C(1000000)
#define SECONDS_A_DAY INT64_C(86400)
#define DAYS_AN_ERA INT64_C(146097) /* 400 years */

/* --- the calendar ---------------------------------------------------------------------------- */

struct date {
    int64_t year; /* astronomical: 0 is 1 BC */
    int month, day;
};

/* Days since 1970-01-01, in the Gregorian calendar extended both ways. The year begins in March
 * here, so that the day that comes and goes is its last. */
static int64_t days_of(struct date date)
{
    int64_t year = date.year - (date.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400, in_era = year - era * 400;
    int64_t in_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
    return era * DAYS_AN_ERA + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static struct date date_of(int64_t days)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - (DAYS_AN_ERA - 1)) / DAYS_AN_ERA;
    int64_t in_era = days - era * DAYS_AN_ERA;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;
    return (struct date){
        .year = year + era * 400 + (month >= 10),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(in_year - (153 * month + 2) / 5 + 1),
    };
}

/* --- writing --------------------------------------------------------------------------------- */

static char *format_time(rt_pg_memory *memory, int64_t time)
{
    char *text = rt_pg_memory_take(memory, 64);
    if (time == INT64_MAX || time == INT64_MIN)
        return strcpy(text, time > 0 ? "infinity" : "-infinity");
    int64_t seconds = time / MICROSECONDS - (time % MICROSECONDS < 0);
    int64_t days = seconds / SECONDS_A_DAY - (seconds % SECONDS_A_DAY < 0);
    int in_day = (int)(seconds - days * SECONDS_A_DAY);
    struct date date = date_of(days);
    snprintf(text, 64, "%04lld-%02d-%02d %02d:%02d:%02d.%06d+00%s",
             (long long)(date.year > 0 ? date.year : 1 - date.year), date.month, date.day,
             in_day / 3600, in_day / 60 % 60, in_day % 60, (int)(time - seconds * MICROSECONDS),
             date.year > 0 ? "" : " BC");
    return text;
}

static char *format_real(rt_pg_memory *memory, double real)
{
    char *text = rt_pg_memory_take(memory, 32);
    if (isnan(real))
        return strcpy(text, "NaN");
    if (isinf(real))
        return strcpy(text, real > 0 ? "Infinity" : "-Infinity");
    snprintf(text, 32, "%.17g", real);
    return text;
}

static char *format_bytes(rt_pg_memory *memory, const rt_sql_value *value)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = value->value.bytes;
    char *text = rt_pg_memory_take(memory, 2 * value->length + 3), *at = text;
    *at++ = '\\';
    *at++ = 'x';
    for (uint64_t i = 0; i < value->length; i++) {
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    *at = '\0';
    return text;
}

static char *format_integer(rt_pg_memory *memory, int64_t integer)
{
    char *text = rt_pg_memory_take(memory, 24);
    snprintf(text, 24, "%lld", (long long)integer);
    return text;
}

const char *rt_pg_encode_text(rt_pg_memory *memory, const rt_sql_value *value, size_t *length)
{
    const char *text = NULL;
    *length = 0;
    switch (value->type) {
    case RT_SQL_TEXT:
    case RT_SQL_UUID:
    case RT_SQL_JSON:
        *length = value->length;
        return rt_pg_memory_copy(memory, value->value.text, value->length);
    case RT_SQL_ARRAY:
        return rt_pg_array_text(memory, value, length);
    case RT_SQL_INT:
        text = format_integer(memory, value->value.integer);
        break;
    case RT_SQL_DOUBLE:
        text = format_real(memory, value->value.real);
        break;
    case RT_SQL_BOOL:
        text = value->value.integer ? "true" : "false";
        break;
    case RT_SQL_TIME:
        text = format_time(memory, value->value.integer);
        break;
    case RT_SQL_BYTES:
        text = format_bytes(memory, value);
        break;
    }
    *length = text ? strlen(text) : 0;
    return text;
}

/* --- reading --------------------------------------------------------------------------------- */

/* A number of digits at `*at`, which moves behind it; -1: there is none. */
static int64_t take_number(const char **at)
{
    int64_t number = 0;
    const char *start = *at;
    for (; **at >= '0' && **at <= '9' && *at - start < 9; (*at)++)
        number = number * 10 + (**at - '0');
    return *at == start ? -1 : number;
}

static int take_character(const char **at, char expected)
{
    if (**at != expected)
        return 0;
    (*at)++;
    return 1;
}

static int64_t take_fraction(const char **at)
{
    int64_t fraction = 0, unit = MICROSECONDS;
    if (!take_character(at, '.'))
        return 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        unit /= 10;
        fraction += (**at - '0') * unit;
    }
    return fraction;
}

/* "hh", "hh:mm" or "hh:mm:ss" in seconds; -1: it is none. */
static int64_t take_clock(const char **at)
{
    int64_t seconds = 0, unit = 3600, part;
    for (; unit; unit /= 60) {
        if ((part = take_number(at)) < 0)
            return -1;
        seconds += part * unit;
        if (unit == 1 || !take_character(at, ':'))
            break;
    }
    return seconds;
}

static int take_date(const char **at, struct date *date)
{
    int64_t month, day;
    if ((date->year = take_number(at)) < 0 || !take_character(at, '-') ||
        (month = take_number(at)) < 1 || month > 12 || !take_character(at, '-') ||
        (day = take_number(at)) < 1 || day > 31)
        return 0;
    date->month = (int)month;
    date->day = (int)day;
    return 1;
}

static const char *decode_time(const char *at, rt_sql_value *value)
{
    struct date date;
    if (strcmp(at, "infinity") == 0 || strcmp(at, "-infinity") == 0)
        return *value = rt_sql_time(*at == '-' ? INT64_MIN : INT64_MAX), NULL;
    if (!take_date(&at, &date) || !take_character(&at, ' '))
        return RT_PG_BAD_TEXT;
    int64_t clock = take_clock(&at), fraction = take_fraction(&at), offset = 0, sign = 0, time;
    if (clock < 0)
        return RT_PG_BAD_TEXT;
    if (*at == '+' || *at == '-') {
        sign = *at++ == '+' ? -1 : 1;
        offset = take_clock(&at);
    }
    if (strcmp(at, " BC") == 0)
        date.year = 1 - date.year;
    else if (*at || offset < 0)
        return RT_PG_BAD_TEXT;
    int64_t seconds = days_of(date) * SECONDS_A_DAY + clock + sign * offset;
    if (__builtin_mul_overflow(seconds, MICROSECONDS, &time) ||
        __builtin_add_overflow(time, fraction, &time))
        return RT_PG_BAD_TIME;
    return *value = rt_sql_time(time), NULL;
}

static const char *decode_integer(const char *text, rt_sql_value *value)
{
    char *end;
    errno = 0;
    long long integer = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return RT_PG_BAD_TEXT;
    return *value = rt_sql_int(integer), NULL;
}

static const char *decode_real(const char *text, rt_sql_value *value)
{
    char *end;
    double real = strtod(text, &end);
    if (end == text || *end)
        return RT_PG_BAD_TEXT;
    return *value = rt_sql_double(real), NULL;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *decode_bytes(rt_pg_memory *memory, const char *text, int length,
                                rt_sql_value *value)
{
    if (length < 2 || length % 2 || text[0] != '\\' || text[1] != 'x')
        return RT_PG_BAD_TEXT;
    size_t count = (size_t)length / 2 - 1;
    char *bytes = rt_pg_memory_take(memory, count + 1);
    for (size_t i = 0; i < count; i++) {
        int high = hex(text[2 + 2 * i]), low = hex(text[3 + 2 * i]);
        if (high < 0 || low < 0)
            return RT_PG_BAD_TEXT;
        bytes[i] = (char)(high << 4 | low);
    }
    bytes[count] = '\0';
    return *value = rt_sql_bytes(bytes, count), NULL;
}

const char *rt_pg_decode_text(rt_pg_memory *memory, const rt_pg_type *type, const char *bytes,
                              int length, rt_sql_value *value)
{
    switch (type->type) {
    case RT_SQL_INT:
        return decode_integer(bytes, value);
    case RT_SQL_DOUBLE:
        return decode_real(bytes, value);
    case RT_SQL_BOOL:
        return *value = rt_sql_bool(bytes[0] == 't'), NULL;
    case RT_SQL_TIME:
        return decode_time(bytes, value);
    case RT_SQL_BYTES:
        return decode_bytes(memory, bytes, length, value);
    case RT_SQL_ARRAY:
        return rt_pg_decode_array_text(memory, type, bytes, value);
    default:
        *value = rt_sql_text_of(type->type, rt_pg_memory_copy(memory, bytes, (size_t)length),
                                (uint64_t)length);
        return NULL;
    }
}
