/* rt/json.h — reading and writing JSON (RFC 8259)
 *
 * Reading is strict: invalid UTF-8, trailing bytes, duplicate keys, numbers beyond 64 bits and
 * nesting beyond 64 are refused with the place; a string with NUL in it is refused too, so that
 * `text` is always a C string. Writing escapes what must be; a misuse (a value where a key belongs)
 * is reported once, when the text is asked for.
 *
 * Ownership: values and writers live until the unit of work of `ctx` ends, which is not NULL.
 * Nothing here waits.
 *
 *     const rt_json_value *order;
 *     RT_TRY(rt_json_parse(ctx, request->body, &order));
 *     const char *sku = rt_json_string(rt_json_get(order, "sku"));
 *     if (!sku)
 *         return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`sku` must be a string");
 *
 *     rt_json *json = rt_json_new(ctx);
 *     rt_json_object(json);
 *     rt_json_key(json, "sku"), rt_json_put_string(json, sku);
 *     rt_json_end(json);
 *     return rt_respond_json(ctx, response, 201, json);
 */
#ifndef RT_JSON_H
#define RT_JSON_H

#include <rt/abi.h>
#include <rt/error.h>
#include <rt/host.h>
#include <stdbool.h>

enum rt_json_type {
    RT_JSON_NULL = 0,
    RT_JSON_BOOL = 1,
    RT_JSON_INT = 2,
    RT_JSON_REAL = 3,
    RT_JSON_STRING = 4,
    RT_JSON_ARRAY = 5,
    RT_JSON_OBJECT = 6,
};

typedef struct rt_json_value {
    uint32_t size;
    uint32_t type;                    /* rt_json_type */
    uint64_t count;                   /* members of an array or object; bytes of a string */
    const char *key;                  /* in an object; else NULL */
    const struct rt_json_value *next; /* the next member of the same array or object */
    union {
        int64_t integer; /* also bool */
        double real;
        const char *text; /* NUL-terminated */
        const struct rt_json_value *first;
    } value;
} rt_json_value;

/* 0, or -RT_EINVALID_ARGUMENT with the place in the message. */
static inline int rt_json_parse(rt_ctx *ctx, rt_str text, const rt_json_value **value)
{
    return rt_host_table->json_parse(ctx, text.data, text.length, value);
}

/* The member of an object; NULL if there is none, or `object` is none (NULL included). */
static inline const rt_json_value *rt_json_get(const rt_json_value *object, const char *key)
{
    if (!object || object->type != RT_JSON_OBJECT)
        return NULL;
    for (const rt_json_value *v = object->value.first; v; v = v->next)
        if (__builtin_strcmp(v->key, key) == 0)
            return v;
    return NULL;
}

/* The text of a string; NULL for anything else. */
static inline const char *rt_json_string(const rt_json_value *value)
{
    return value && value->type == RT_JSON_STRING ? value->value.text : NULL;
}

/* The integer of an int; `otherwise` for anything else. */
static inline int64_t rt_json_int(const rt_json_value *value, int64_t otherwise)
{
    return value && value->type == RT_JSON_INT ? value->value.integer : otherwise;
}

enum rt_json_event {
    RT_JSON_PUT_NULL = 0,
    RT_JSON_PUT_BOOL = 1,
    RT_JSON_PUT_INT = 2,
    RT_JSON_PUT_REAL = 3,
    RT_JSON_PUT_STRING = 4,
    RT_JSON_BEGIN_ARRAY = 5,
    RT_JSON_BEGIN_OBJECT = 6,
    RT_JSON_PUT_KEY = 7,
    RT_JSON_END = 8,
};

static inline rt_json *rt_json_new(rt_ctx *ctx)
{
    return rt_host_table->json_new(ctx);
}
static inline void rt_json_object(rt_json *json)
{
    rt_host_table->json_event(json, RT_JSON_BEGIN_OBJECT, NULL, 0);
}
static inline void rt_json_array(rt_json *json)
{
    rt_host_table->json_event(json, RT_JSON_BEGIN_ARRAY, NULL, 0);
}
/* Ends the innermost object or array. */
static inline void rt_json_end(rt_json *json)
{
    rt_host_table->json_event(json, RT_JSON_END, NULL, 0);
}
static inline void rt_json_key(rt_json *json, const char *key)
{
    rt_host_table->json_event(json, RT_JSON_PUT_KEY, key, __builtin_strlen(key));
}
/* NULL writes null. */
static inline void rt_json_put_string(rt_json *json, const char *text)
{
    rt_host_table->json_event(json, text ? RT_JSON_PUT_STRING : RT_JSON_PUT_NULL, text,
                              text ? __builtin_strlen(text) : 0);
}
static inline void rt_json_put_str(rt_json *json, rt_str text)
{
    rt_host_table->json_event(json, RT_JSON_PUT_STRING, text.data, text.length);
}
static inline void rt_json_put_int(rt_json *json, int64_t integer)
{
    rt_host_table->json_event(json, RT_JSON_PUT_INT, &integer, sizeof integer);
}
/* Infinities and NaN have no JSON: they write null. */
static inline void rt_json_put_real(rt_json *json, double real)
{
    rt_host_table->json_event(json, RT_JSON_PUT_REAL, &real, sizeof real);
}
static inline void rt_json_put_bool(rt_json *json, bool truth)
{
    int64_t integer = truth;
    rt_host_table->json_event(json, RT_JSON_PUT_BOOL, &integer, sizeof integer);
}
static inline void rt_json_put_null(rt_json *json)
{
    rt_host_table->json_event(json, RT_JSON_PUT_NULL, NULL, 0);
}

/* The text written; -RT_EFAILED_PRECONDITION if it is not one complete value. */
static inline int rt_json_text(rt_json *json, rt_str *text)
{
    return rt_host_table->json_text(json, text);
}

#endif
