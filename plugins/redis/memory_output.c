#include "memory_output.h"

#include "verdict.h"

#include <math.h>
#include <rt/rt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEPT_CAPACITY = 1 << 20, HOLE = 10 };

void rt_output_close(rt_output *out)
{
    free(out->data);
    *out = (rt_output){0};
}

void rt_output_reset(rt_output *out)
{
    if (out->capacity > KEPT_CAPACITY)
        rt_output_close(out);
    out->length = 0;
    out->failed = false;
}

/* --- writing --------------------------------------------------------------------------------- */

static bool reserve(rt_output *out, uint64_t more)
{
    if (out->failed)
        return false;
    if (out->length + more <= out->capacity)
        return true;
    uint64_t capacity = out->capacity ? out->capacity : 256;
    while (capacity < out->length + more)
        capacity *= 2;
    char *data = realloc(out->data, capacity);
    out->failed = !data;
    if (!data)
        return false;
    out->data = data;
    out->capacity = capacity;
    return true;
}

static void put(rt_output *out, const char *data, uint64_t length)
{
    if (!length || !reserve(out, length))
        return;
    memcpy(out->data + out->length, data, length);
    out->length += length;
}

static void put_number(rt_output *out, char type, int64_t number)
{
    char line[32];
    put(out, line, (uint64_t)snprintf(line, sizeof line, "%c%lld\r\n", type, (long long)number));
}

void rt_out_string(rt_output *out, rt_str text)
{
    put_number(out, '$', (int64_t)text.length);
    put(out, text.data, text.length);
    put(out, "\r\n", 2);
}

void rt_out_integer(rt_output *out, int64_t integer)
{
    put_number(out, ':', integer);
}

void rt_out_double(rt_output *out, double number)
{
    char text[40];
    if (isinf(number))
        snprintf(text, sizeof text, "%s", number > 0 ? "inf" : "-inf");
    else
        snprintf(text, sizeof text, "%.17g", number);
    rt_out_string(out, rt_string(text));
}

/* A line end within would be one of the protocol. */
static void put_line(rt_output *out, char type, const char *text)
{
    put(out, &type, 1);
    for (size_t part; *text; text += part + (text[part] != '\0')) {
        part = strcspn(text, "\r\n");
        put(out, text, part);
        put(out, " ", text[part] != '\0');
    }
    put(out, "\r\n", 2);
}

void rt_out_status(rt_output *out, const char *status)
{
    put_line(out, '+', status);
}

void rt_out_null(rt_output *out)
{
    put(out, "$-1\r\n", 5);
}

void rt_out_array(rt_output *out, uint64_t count)
{
    put_number(out, '*', (int64_t)count);
}

void rt_out_error(rt_output *out, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put_line(out, '-', text);
}

void rt_out_append(rt_output *out, const rt_output *more)
{
    out->failed = out->failed || more->failed;
    put(out, more->data, more->length);
}

uint64_t rt_out_begin(rt_output *out)
{
    uint64_t begin = out->length;
    put(out, "*0000000000\r\n", HOLE + 3);
    return begin;
}

void rt_out_end(rt_output *out, uint64_t begin, uint64_t count)
{
    char digits[HOLE + 1];
    if (out->failed)
        return;
    snprintf(digits, sizeof digits, "%010llu", (unsigned long long)(count % 10000000000u));
    memcpy(out->data + begin + 1, digits, HOLE);
}

/* --- reading --------------------------------------------------------------------------------- */

static int64_t read_integer(const char *at)
{
    bool negative = *at == '-';
    uint64_t number = 0;
    for (at += negative; *at != '\r'; at++)
        number = number * 10 + (uint64_t)(*at - '0');
    return (int64_t)(negative ? 0 - number : number);
}

const char *rt_output_next(const char *at, rt_output_item *item)
{
    const char *end = rawmemchr(at, '\r');
    *item = (rt_output_item){.type = *at, .text = {at + 1, (uint64_t)(end - at - 1)}};
    if (*at == ':' || *at == '$' || *at == '*')
        item->integer = read_integer(at + 1);
    at = end + 2;
    if (item->type == '$' && item->integer >= 0) {
        item->text = (rt_str){at, (uint64_t)item->integer};
        at += item->integer + 2;
    }
    return at;
}

static const char *read_array(rt_ctx *ctx, const char *at, uint64_t count, rt_redis_reply *reply)
{
    rt_redis_reply *elements = rt_alloc(ctx, count * sizeof *elements);
    *reply = (rt_redis_reply){.type = RT_REDIS_ARRAY, .length = count, .elements = elements};
    for (uint64_t i = 0; i < count; i++)
        at = rt_output_read(ctx, at, &elements[i]);
    return at;
}

const char *rt_output_read(rt_ctx *ctx, const char *at, rt_redis_reply *reply)
{
    rt_output_item item;
    at = rt_output_next(at, &item);
    *reply = (rt_redis_reply){0};
    if (item.type == '*' && item.integer >= 0)
        return read_array(ctx, at, (uint64_t)item.integer, reply);
    if (item.type == ':') {
        reply->type = RT_REDIS_INTEGER;
        reply->integer = item.integer;
    } else if (item.integer >= 0) {
        reply->type = item.type == '$'   ? RT_REDIS_STRING
                      : item.type == '+' ? RT_REDIS_STATUS
                                         : RT_REDIS_ERROR;
        char *text = rt_alloc(ctx, item.text.length + 1);
        if (item.text.length)
            memcpy(text, item.text.data, item.text.length);
        reply->text = text;
        reply->length = item.text.length;
        if (item.type == '-')
            reply->code = rt_redis_code_of(text, item.text.length);
    }
    return at;
}
