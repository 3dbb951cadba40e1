/* The results of a method as JSON. */
#include "process/form.h"

#include "fiber/fiber.h"
#include "http/http.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

struct writing {
    rt_ctx *ctx;
    rt_json *json;
    uint64_t bytes; /* of texts and bytes so far: no result is to fill the memory */
    int depth;
};

static int write_struct(struct writing *writing, const rt_form_struct *of, const char *base);

static void put(const struct writing *writing, uint32_t event, const void *value, uint64_t length)
{
    rt_host_json_event(writing->json, event, value, length);
}

static int too_much(const struct writing *writing)
{
    return rt_host_fail(writing->ctx, RT_ERESOURCE_EXHAUSTED,
                        "the result is larger than %" PRIu64 " bytes", RT_FORM_JSON_MOST);
}

static int take_room(struct writing *writing, uint64_t bytes)
{
    bool fits = bytes <= RT_FORM_JSON_MOST && writing->bytes + bytes <= RT_FORM_JSON_MOST;
    writing->bytes += bytes;
    return fits ? 0 : too_much(writing);
}

/* --- scalars --------------------------------------------------------------------------------- */

static const void *pointer_at(const void *at)
{
    const void *pointer;
    memcpy(&pointer, at, sizeof pointer);
    return pointer;
}

static int write_text(struct writing *writing, const char *text)
{
    uint64_t length = text ? strlen(text) : 0;
    RT_TRY(take_room(writing, length + 1));
    put(writing, text ? RT_JSON_PUT_STRING : RT_JSON_PUT_NULL, text, length);
    return 0;
}

/* JSON's integers have a sign and 63 bits here: what needs 64 stands in a string. */
static int write_unsigned(struct writing *writing, uint64_t number)
{
    char digits[24];
    int64_t integer = (int64_t)number;
    if (integer >= 0) {
        put(writing, RT_JSON_PUT_INT, &integer, sizeof integer);
        return 0;
    }
    snprintf(digits, sizeof digits, "%" PRIu64, number);
    return write_text(writing, digits);
}

static int write_signed(struct writing *writing, int64_t number)
{
    put(writing, RT_JSON_PUT_INT, &number, sizeof number);
    return 0;
}

static int write_named(struct writing *writing, const rt_form_name *names, int64_t number)
{
    for (const rt_form_name *name = names; name->name; name++)
        if (name->number == number)
            return write_text(writing, name->name);
    return write_signed(writing, number);
}

static int write_scalar(struct writing *writing, uint32_t kind, const rt_form_value *value,
                        const void *at)
{
    switch (kind) {
    case RT_FORM_INT32:
        return write_signed(writing, (int32_t)rt_form_load(at, 4));
    case RT_FORM_UINT32:
        return write_unsigned(writing, rt_form_load(at, 4));
    case RT_FORM_INT64:
        return write_signed(writing, (int64_t)rt_form_load(at, 8));
    case RT_FORM_UINT64:
        return write_unsigned(writing, rt_form_load(at, 8));
    case RT_FORM_DOUBLE:
        put(writing, RT_JSON_PUT_REAL, at, sizeof(double));
        return 0;
    case RT_FORM_TEXT:
        return write_text(writing, pointer_at(at));
    case RT_FORM_BOOL:
        put(writing, RT_JSON_PUT_BOOL, &(int64_t){rt_form_load(at, 4) != 0}, sizeof(int64_t));
        return 0;
    default:
        return write_named(writing, value->names, (int32_t)rt_form_load(at, 4));
    }
}

/* --- bytes, arrays, structs ------------------------------------------------------------------ */

static int write_bytes(struct writing *writing, const void *bytes, uint64_t length)
{
    RT_TRY(take_room(writing, length));
    if (!bytes) {
        put(writing, RT_JSON_PUT_NULL, NULL, 0);
        return 0;
    }
    char *text = rt_host_alloc(writing->ctx, (length + 2) / 3 * 4 + 1);
    int written = EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
    return write_text(writing, (text[written] = '\0', text));
}

static int write_texts(struct writing *writing, const char *const *texts, uint64_t count)
{
    put(writing, RT_JSON_BEGIN_ARRAY, NULL, 0);
    for (uint64_t i = 0; texts && i < count; i++)
        RT_TRY(write_text(writing, texts[i]));
    put(writing, RT_JSON_END, NULL, 0);
    return 0;
}

static int write_many(struct writing *writing, const rt_form_struct *of, const char *base,
                      uint64_t count)
{
    put(writing, RT_JSON_BEGIN_ARRAY, NULL, 0);
    for (uint64_t i = 0; base && i < count; i++)
        RT_TRY(write_struct(writing, of, base + i * of->bytes));
    put(writing, RT_JSON_END, NULL, 0);
    return 0;
}

static int write_field(struct writing *writing, const rt_form_value *field, const char *base)
{
    const char *at = base + field->offset;
    uint64_t count =
        field->count_width ? rt_form_load(base + field->count_offset, field->count_width) : 0;
    switch (field->kind) {
    case RT_FORM_TEXTS:
        return write_texts(writing, pointer_at(at), count);
    case RT_FORM_BYTES:
        return write_bytes(writing, pointer_at(at), count);
    case RT_FORM_ONE:
        return write_struct(writing, field->of, pointer_at(at));
    case RT_FORM_MANY:
        return write_many(writing, field->of, pointer_at(at), count);
    default:
        return write_scalar(writing, field->kind, field, at);
    }
}

static int write_struct(struct writing *writing, const rt_form_struct *of, const char *base)
{
    RT_TRY(take_room(writing, 2));
    if (!base) {
        put(writing, RT_JSON_PUT_NULL, NULL, 0);
        return 0;
    }
    if (++writing->depth > RT_FORM_DEPTH_MOST)
        return rt_host_fail(writing->ctx, RT_ERESOURCE_EXHAUSTED,
                            "the result is nested deeper than %d", RT_FORM_DEPTH_MOST);
    put(writing, RT_JSON_BEGIN_OBJECT, NULL, 0);
    for (uint32_t i = 0; i < of->count; i++) {
        const rt_form_value *field = &of->fields[i];
        if (field->kind == RT_FORM_SIZE)
            continue;
        put(writing, RT_JSON_PUT_KEY, field->name, strlen(field->name));
        RT_TRY(write_field(writing, field, base));
    }
    put(writing, RT_JSON_END, NULL, 0);
    writing->depth--;
    return 0;
}

/* --- results --------------------------------------------------------------------------------- */

static int write_result(struct writing *writing, const rt_form_method *method,
                        const rt_form_value *result, const char *base)
{
    const rt_form_value *counter = rt_form_counter(method, result);
    const void *at = pointer_at(base + result->offset);
    uint32_t kind = result->kind & ~(uint32_t)RT_FORM_RESULT;
    put(writing, RT_JSON_PUT_KEY, result->name, strlen(result->name));
    if (kind != RT_FORM_ONE)
        return write_scalar(writing, kind, result, at);
    if (!counter)
        return write_struct(writing, result->of, at);
    uint32_t width = counter->kind == RT_FORM_UINT64 ? 8 : 4;
    return write_many(writing, result->of, at, rt_form_load(base + counter->offset, width));
}

int rt_form_write(rt_ctx *ctx, const rt_form_method *method, const void *arguments, rt_str *text)
{
    struct writing writing = {.ctx = ctx, .json = rt_host_json_new(ctx)};
    put(&writing, RT_JSON_BEGIN_OBJECT, NULL, 0);
    for (uint32_t i = 0; i < method->count; i++)
        if (method->arguments[i].kind & RT_FORM_RESULT)
            RT_TRY(write_result(&writing, method, &method->arguments[i], arguments));
    put(&writing, RT_JSON_END, NULL, 0);
    RT_TRY(rt_host_json_text(writing.json, text));
    return text->length <= RT_FORM_JSON_MOST ? 0 : too_much(&writing);
}
