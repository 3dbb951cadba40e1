#include "base/buffer.h"
#include "http/http.h"

#include "fiber/fiber.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MAGIC 0x6e6f736au
#define DEPTH_LIMIT 64

/* What may come next. */
enum expects { A_VALUE, A_KEY, A_KEYED_VALUE, NOTHING };

struct rt_json {
    uint32_t magic;
    uint32_t depth;
    enum expects expects;
    const char *misuse; /* the first */
    rt_ctx *ctx;
    rt_buffer text;
    bool in_object[DEPTH_LIMIT + 1]; /* by depth */
    bool has_member[DEPTH_LIMIT + 1];
};

static void free_text(rt_ctx *ctx, void *argument)
{
    (void)ctx;
    rt_json *json = argument;
    json->magic = 0;
    rt_buffer_free(&json->text);
}

rt_json *rt_host_json_new(rt_ctx *ctx)
{
    rt_json *json = rt_host_alloc(ctx, sizeof *json);
    json->magic = JSON_MAGIC;
    json->ctx = ctx;
    json->expects = A_VALUE;
    rt_host_defer(ctx, free_text, json);
    return json;
}

static void misuse(rt_json *json, const char *what)
{
    if (!json->misuse)
        json->misuse = what;
}

static void separate(rt_json *json)
{
    if (json->has_member[json->depth])
        rt_buffer_char(&json->text, ',');
    json->has_member[json->depth] = true;
}

/* A value may stand here, and its comma is written. */
static bool value_begins(rt_json *json)
{
    if (json->misuse)
        return false;
    if (json->expects == A_KEY)
        misuse(json, "a value where a key belongs");
    else if (json->expects == NOTHING)
        misuse(json, "a second value at the top");
    else if (json->expects == A_VALUE)
        separate(json);
    return !json->misuse;
}

static void value_ended(rt_json *json)
{
    if (json->depth == 0)
        json->expects = NOTHING;
    else
        json->expects = json->in_object[json->depth] ? A_KEY : A_VALUE;
}

static void quote(rt_json *json, const char *text, uint64_t length)
{
    rt_buffer_char(&json->text, '"');
    rt_buffer_json(&json->text, text, length);
    rt_buffer_char(&json->text, '"');
}

/* The fewest digits that read back as the same number. */
static void write_real(rt_json *json, double real)
{
    char digits[40] = "null";
    for (int precision = 15; isfinite(real) && precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, real);
        if (strtod(digits, NULL) == real)
            break;
    }
    char *comma = strchr(digits, ','); /* some library set a locale */
    if (comma)
        *comma = '.';
    rt_buffer_text(&json->text, digits);
    if (strspn(digits, "-0123456789") == strlen(digits))
        rt_buffer_text(&json->text, ".0");
}

static void put(rt_json *json, uint32_t event, const void *value, uint64_t length)
{
    int64_t integer = 0;
    double real = 0;
    if (event == RT_JSON_PUT_BOOL || event == RT_JSON_PUT_INT)
        memcpy(&integer, value, sizeof integer);
    if (event == RT_JSON_PUT_REAL)
        memcpy(&real, value, sizeof real);
    if (event == RT_JSON_PUT_NULL)
        rt_buffer_text(&json->text, "null");
    else if (event == RT_JSON_PUT_BOOL)
        rt_buffer_text(&json->text, integer ? "true" : "false");
    else if (event == RT_JSON_PUT_INT)
        rt_buffer_format(&json->text, "%lld", (long long)integer);
    else if (event == RT_JSON_PUT_REAL)
        write_real(json, real);
    else
        quote(json, value, length);
    value_ended(json);
}

static void begin(rt_json *json, bool object)
{
    if (json->depth == DEPTH_LIMIT) {
        misuse(json, "nested deeper than 64");
        return;
    }
    rt_buffer_char(&json->text, object ? '{' : '[');
    json->depth++;
    json->in_object[json->depth] = object;
    json->has_member[json->depth] = false;
    value_ended(json);
}

static void end(rt_json *json)
{
    if (json->depth == 0)
        misuse(json, "an end without a begin");
    if (json->expects == A_KEYED_VALUE)
        misuse(json, "a key without its value");
    if (json->misuse)
        return;
    rt_buffer_char(&json->text, json->in_object[json->depth] ? '}' : ']');
    json->depth--;
    value_ended(json);
}

static void put_key(rt_json *json, const char *key, uint64_t length)
{
    if (json->expects != A_KEY) {
        misuse(json, "a key where none belongs");
        return;
    }
    separate(json);
    quote(json, key, length);
    rt_buffer_char(&json->text, ':');
    json->expects = A_KEYED_VALUE;
}

void rt_host_json_event(rt_json *json, uint32_t event, const void *value, uint64_t length)
{
    if (!json || json->magic != JSON_MAGIC || json->misuse)
        return;
    if (event == RT_JSON_END)
        end(json);
    else if (event == RT_JSON_PUT_KEY)
        put_key(json, value, length);
    else if (event > RT_JSON_END)
        misuse(json, "an event that is not known");
    else if (!value_begins(json))
        return;
    else if (event == RT_JSON_BEGIN_ARRAY || event == RT_JSON_BEGIN_OBJECT)
        begin(json, event == RT_JSON_BEGIN_OBJECT);
    else
        put(json, event, value, length);
}

int rt_host_json_text(rt_json *json, rt_str *text)
{
    *text = (rt_str){0};
    if (!json || json->magic != JSON_MAGIC)
        return -RT_EFAILED_PRECONDITION;
    if (!json->misuse && json->expects != NOTHING)
        misuse(json, json->text.length ? "an object or array without its end" : "nothing");
    if (json->misuse)
        return rt_host_fail(json->ctx, RT_EFAILED_PRECONDITION, "the JSON written is wrong: %s",
                            json->misuse);
    *text = (rt_str){json->text.data, json->text.length};
    return 0;
}
