/* JSON into the arguments of a method. */
#include "process/form.h"

#include "base/suggest.h"
#include "fiber/fiber.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MOST 64 /* bytes of a member's name that are repeated */

/* Where in the JSON: `message.to[2]`. */
struct place {
    const struct place *outer;
    const char *name; /* NULL: an element */
    uint64_t index;
};

struct reading {
    rt_ctx *ctx;
    const struct place *place;
    const rt_form_value *value;
    const rt_json_value *json;
    char *base; /* of the struct that the value is a field of */
};

typedef int (*read_function)(const struct reading *reading);

static int read_fields(rt_ctx *ctx, const struct place *place, const rt_form_struct *of,
                       const rt_json_value *json, char *base);

/* --- complaints ------------------------------------------------------------------------------ */

static void print_place(rt_buffer *text, const struct place *place)
{
    if (place->outer)
        print_place(text, place->outer);
    if (place->name)
        rt_buffer_format(text, "%s%.*s", place->outer ? "." : "", NAME_MOST, place->name);
    else
        rt_buffer_format(text, "[%" PRIu64 "]", place->index);
}

__attribute__((format(printf, 3, 4))) static int wrong(rt_ctx *ctx, const struct place *place,
                                                       const char *format, ...)
{
    rt_buffer text = {0};
    va_list arguments;
    rt_buffer_char(&text, '`');
    print_place(&text, place);
    rt_buffer_text(&text, "` ");
    va_start(arguments, format);
    rt_buffer_vformat(&text, format, arguments);
    va_end(arguments);
    int code = rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "%s", text.data);
    rt_buffer_free(&text);
    return code;
}

static const char *const type_names[] = {
    [RT_JSON_NULL] = "null",       [RT_JSON_BOOL] = "true or false", [RT_JSON_INT] = "an integer",
    [RT_JSON_REAL] = "a number",   [RT_JSON_STRING] = "a string",    [RT_JSON_ARRAY] = "an array",
    [RT_JSON_OBJECT] = "an object"};

static int wrong_type(const struct reading *reading, const char *wanted)
{
    return wrong(reading->ctx, reading->place, "must be %s, not %s", wanted,
                 type_names[reading->json->type]);
}

static void hint(rt_buffer *text, const rt_suggestion *suggestion)
{
    if (suggestion->nearest)
        rt_buffer_format(text, "; did you mean `%s`?", suggestion->nearest);
}

/* --- scalars --------------------------------------------------------------------------------- */

static void *slot(const struct reading *reading)
{
    return reading->base + reading->value->offset;
}

static const struct {
    int64_t least;
    uint64_t most;
    uint32_t width;
} ranges[] = {
    [RT_FORM_INT32] = {INT32_MIN, INT32_MAX, 4},
    [RT_FORM_UINT32] = {0, UINT32_MAX, 4},
    [RT_FORM_INT64] = {INT64_MIN, INT64_MAX, 8},
    [RT_FORM_UINT64] = {0, UINT64_MAX, 8},
};

/* JSON's integers have a sign and 63 bits here: what needs 64 stands in a string. */
static bool read_digits(const rt_json_value *json, uint64_t *number)
{
    const char *text = rt_json_string(json);
    char *end;
    if (!text || !*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 20)
        return false;
    unsigned __int128 wide = 0;
    for (const char *digit = text; *digit; digit++)
        wide = wide * 10 + (unsigned)(*digit - '0');
    *number = strtoull(text, &end, 10);
    return wide == *number;
}

static int read_integer(const struct reading *reading)
{
    uint32_t kind = reading->value->kind;
    const rt_json_value *json = reading->json;
    uint64_t number;
    if (kind == RT_FORM_UINT64 && read_digits(json, &number)) {
        rt_form_store(slot(reading), 8, number);
        return 0;
    }
    if (json->type != RT_JSON_INT)
        return wrong_type(reading, "an integer");
    int64_t integer = json->value.integer;
    if (integer < ranges[kind].least || (integer > 0 && (uint64_t)integer > ranges[kind].most))
        return wrong(reading->ctx, reading->place, "must be from %" PRId64 " to %" PRIu64,
                     ranges[kind].least, ranges[kind].most);
    rt_form_store(slot(reading), ranges[kind].width, (uint64_t)integer);
    return 0;
}

static int read_double(const struct reading *reading)
{
    const rt_json_value *json = reading->json;
    if (json->type != RT_JSON_INT && json->type != RT_JSON_REAL)
        return wrong_type(reading, "a number");
    double real = json->type == RT_JSON_INT ? (double)json->value.integer : json->value.real;
    memcpy(slot(reading), &real, sizeof real);
    return 0;
}

static int read_bool(const struct reading *reading)
{
    if (reading->json->type != RT_JSON_BOOL)
        return wrong_type(reading, "true or false");
    rt_form_store(slot(reading), 4, (uint64_t)reading->json->value.integer);
    return 0;
}

static int unknown_name(const struct reading *reading, const char *text)
{
    rt_suggestion suggestion;
    rt_buffer names = {0};
    rt_suggest_begin(&suggestion, text);
    for (const rt_form_name *name = reading->value->names; name->name; name++) {
        rt_buffer_format(&names, "%s`%s`", name == reading->value->names ? "" : ", ", name->name);
        rt_suggest(&suggestion, name->name);
    }
    hint(&names, &suggestion);
    int code =
        wrong(reading->ctx, reading->place, "is one of %s", names.data ? names.data : "none");
    rt_buffer_free(&names);
    return code;
}

static int read_named(const struct reading *reading)
{
    const char *text = rt_json_string(reading->json);
    if (!text)
        return wrong_type(reading, "a string");
    for (const rt_form_name *name = reading->value->names; name->name; name++)
        if (strcmp(name->name, text) == 0) {
            rt_form_store(slot(reading), 4, (uint64_t)name->number);
            return 0;
        }
    return unknown_name(reading, text);
}

static int read_text(const struct reading *reading)
{
    const char *text = rt_json_string(reading->json);
    if (!text && reading->json->type != RT_JSON_NULL)
        return wrong_type(reading, "a string or null");
    memcpy(slot(reading), &text, sizeof text);
    return 0;
}

/* --- bytes ----------------------------------------------------------------------------------- */

static int digit_of(char character)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = character ? strchr(digits, character) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* Strictly RFC 4648, section 4, its padding and the zero bits before that included. False if it is
 * none. */
static bool decode(const char *text, uint64_t length, unsigned char *bytes, uint64_t *count)
{
    uint64_t digits = length;
    uint32_t group = 0;
    *count = 0;
    while (digits && length - digits < 2 && text[digits - 1] == '=')
        digits--;
    for (uint64_t i = 0; i < digits; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0)
            return false;
        group = group << 6 | (uint32_t)digit;
        if (i % 4)
            bytes[(*count)++] = (unsigned char)(group >> (6 - i % 4 * 2));
    }
    uint32_t left = digits % 4 == 2 ? group & 15 : digits % 4 == 3 ? group & 3 : 0;
    return length % 4 == 0 && digits % 4 != 1 && !left;
}

static int read_base64(const struct reading *reading, void **bytes, uint64_t *count)
{
    const rt_json_value *json = reading->json;
    const char *text = rt_json_string(json);
    *bytes = NULL;
    *count = 0;
    if (json->type == RT_JSON_NULL)
        return 0;
    if (!text)
        return wrong_type(reading, "base64 in a string, or null");
    *bytes = rt_host_alloc(reading->ctx, json->count / 4 * 3 + 3);
    if (!decode(text, json->count, *bytes, count))
        return wrong(reading->ctx, reading->place, "is not base64");
    return 0;
}

/* --- arrays and structs ---------------------------------------------------------------------- */

static void fill_sizes(const rt_form_struct *of, char *base)
{
    for (uint32_t i = 0; i < of->count; i++)
        if (of->fields[i].kind == RT_FORM_SIZE)
            rt_form_store(base + of->fields[i].offset, 4, of->bytes);
}

static int check_array(const struct reading *reading, const char *wanted)
{
    const rt_json_value *json = reading->json;
    if (json->type != RT_JSON_ARRAY && json->type != RT_JSON_NULL)
        return wrong_type(reading, wanted);
    if (json->type == RT_JSON_ARRAY && json->count > RT_FORM_ITEMS_MOST)
        return wrong(reading->ctx, reading->place, "has %" PRIu64 " elements, more than %u",
                     json->count, RT_FORM_ITEMS_MOST);
    return 0;
}

static int read_texts(const struct reading *reading, void **array, uint64_t *count)
{
    uint64_t at = 0;
    RT_TRY(check_array(reading, "an array of strings, or null"));
    bool none = reading->json->type == RT_JSON_NULL;
    *count = none ? 0 : reading->json->count;
    const char **texts = *count ? rt_host_alloc(reading->ctx, *count * sizeof *texts) : NULL;
    for (const rt_json_value *v = none ? NULL : reading->json->value.first; v; v = v->next, at++) {
        struct place place = {.outer = reading->place, .index = at};
        struct reading element = {.ctx = reading->ctx, .place = &place, .json = v};
        if (!(texts[at] = rt_json_string(v)))
            return wrong_type(&element, "a string");
    }
    *array = texts;
    return 0;
}

static int read_one(const struct reading *reading, void **one)
{
    const rt_form_struct *of = reading->value->of;
    *one = NULL;
    if (reading->json->type == RT_JSON_NULL)
        return 0;
    if (reading->json->type != RT_JSON_OBJECT)
        return wrong_type(reading, "an object, or null");
    *one = rt_host_alloc(reading->ctx, of->bytes);
    return read_fields(reading->ctx, reading->place, of, reading->json, *one);
}

static int read_many(const struct reading *reading, void **array, uint64_t *count)
{
    const rt_form_struct *of = reading->value->of;
    uint64_t at = 0;
    RT_TRY(check_array(reading, "an array of objects, or null"));
    bool none = reading->json->type == RT_JSON_NULL;
    *count = none ? 0 : reading->json->count;
    *array = *count ? rt_host_alloc(reading->ctx, *count * of->bytes) : NULL;
    for (const rt_json_value *v = none ? NULL : reading->json->value.first; v; v = v->next, at++) {
        struct place place = {.outer = reading->place, .index = at};
        struct reading element = {.ctx = reading->ctx, .place = &place, .json = v};
        if (v->type != RT_JSON_OBJECT)
            return wrong_type(&element, "an object");
        RT_TRY(read_fields(reading->ctx, &place, of, v, (char *)*array + at * of->bytes));
    }
    return 0;
}

/* What has a length: texts, bytes, structs. */
static int collect(const struct reading *reading, void **array, uint64_t *count)
{
    switch (reading->value->kind) {
    case RT_FORM_TEXTS:
        return read_texts(reading, array, count);
    case RT_FORM_BYTES:
        return read_base64(reading, array, count);
    default:
        return read_many(reading, array, count);
    }
}

static int read_counted_field(const struct reading *reading)
{
    const rt_form_value *value = reading->value;
    void *array = NULL;
    uint64_t count = 0;
    RT_TRY(collect(reading, &array, &count));
    memcpy(slot(reading), &array, sizeof array);
    rt_form_store(reading->base + value->count_offset, value->count_width, count);
    return 0;
}

static int read_one_field(const struct reading *reading)
{
    void *one;
    RT_TRY(read_one(reading, &one));
    memcpy(slot(reading), &one, sizeof one);
    return 0;
}

static const read_function readers[] = {
    [RT_FORM_INT32] = read_integer,       [RT_FORM_UINT32] = read_integer,
    [RT_FORM_INT64] = read_integer,       [RT_FORM_UINT64] = read_integer,
    [RT_FORM_DOUBLE] = read_double,       [RT_FORM_TEXT] = read_text,
    [RT_FORM_BOOL] = read_bool,           [RT_FORM_NAMED] = read_named,
    [RT_FORM_TEXTS] = read_counted_field, [RT_FORM_BYTES] = read_counted_field,
    [RT_FORM_ONE] = read_one_field,       [RT_FORM_MANY] = read_counted_field,
};

static int read_value(const struct reading *reading)
{
    uint32_t kind = reading->value->kind;
    read_function read = kind < sizeof readers / sizeof readers[0] ? readers[kind] : NULL;
    if (!read)
        return wrong(reading->ctx, reading->place, "has no JSON form");
    return read(reading);
}

/* --- members --------------------------------------------------------------------------------- */

static const rt_form_value *field_named(const rt_form_struct *of, const char *name)
{
    for (uint32_t i = 0; i < of->count; i++)
        if (of->fields[i].kind != RT_FORM_SIZE && strcmp(of->fields[i].name, name) == 0)
            return &of->fields[i];
    return NULL;
}

static int unknown_member(rt_ctx *ctx, const struct place *place, const rt_suggestion *suggestion)
{
    rt_buffer text = {0};
    rt_buffer_text(&text, "is not known");
    hint(&text, suggestion);
    int code = wrong(ctx, place, "%s", text.data);
    rt_buffer_free(&text);
    return code;
}

static int unknown_field(rt_ctx *ctx, const struct place *place, const rt_form_struct *of)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, place->name);
    for (uint32_t i = 0; i < of->count; i++)
        if (of->fields[i].kind != RT_FORM_SIZE)
            rt_suggest(&suggestion, of->fields[i].name);
    return unknown_member(ctx, place, &suggestion);
}

static int read_fields(rt_ctx *ctx, const struct place *place, const rt_form_struct *of,
                       const rt_json_value *json, char *base)
{
    fill_sizes(of, base);
    for (const rt_json_value *v = json->value.first; v; v = v->next) {
        struct place inner = {.outer = place, .name = v->key};
        const rt_form_value *field = field_named(of, v->key);
        if (!field)
            return unknown_field(ctx, &inner, of);
        RT_TRY(read_value(&(struct reading){ctx, &inner, field, v, base}));
    }
    return 0;
}

/* --- arguments ------------------------------------------------------------------------------- */

/* Unlike a field's, its length is another argument, which several may share. */
static int read_counted(const struct reading *reading, const rt_form_value *counter, bool *counted)
{
    bool shared = reading->value->kind != RT_FORM_BYTES;
    uint32_t width = ranges[counter->kind].width;
    char *place = reading->base + counter->offset;
    void *array = NULL;
    uint64_t count = 0;
    RT_TRY(collect(reading, &array, &count));
    if (shared && *counted && rt_form_load(place, width) != count)
        return wrong(reading->ctx, reading->place, "has %" PRIu64 " elements, and another %" PRIu64,
                     count, rt_form_load(place, width));
    *counted |= shared;
    rt_form_store(place, width, count);
    memcpy(slot(reading), &array, sizeof array);
    return 0;
}

static int unknown_argument(rt_ctx *ctx, const rt_form_method *method, const struct place *place)
{
    rt_suggestion suggestion;
    rt_suggest_begin(&suggestion, place->name);
    for (uint32_t i = 0; i < method->count; i++) {
        const rt_form_value *argument = &method->arguments[i];
        if (rt_form_is_given(method, argument))
            rt_suggest(&suggestion, argument->name);
        else if (strcmp(argument->name, place->name) == 0)
            return wrong(ctx, place, "is not given: it %s",
                         argument->kind & RT_FORM_RESULT ? "comes back" : "is counted");
    }
    return unknown_member(ctx, place, &suggestion);
}

static bool takes(const rt_form_method *method, const char *name)
{
    for (uint32_t i = 0; i < method->count; i++)
        if (rt_form_is_given(method, &method->arguments[i]) &&
            strcmp(method->arguments[i].name, name) == 0)
            return true;
    return false;
}

static int refuse_unknown(rt_ctx *ctx, const rt_form_method *method, const rt_json_value *json)
{
    for (const rt_json_value *v = json->value.first; v; v = v->next)
        if (!takes(method, v->key))
            return unknown_argument(ctx, method, &(struct place){.name = v->key});
    return 0;
}

static int read_argument(rt_ctx *ctx, const rt_form_method *method, const rt_form_value *argument,
                         const rt_json_value *json, char *base, bool *counted)
{
    struct place place = {.name = argument->name};
    const rt_json_value *given = rt_json_get(json, argument->name);
    if (!given)
        return wrong(ctx, &place, "is missing");
    struct reading reading = {ctx, &place, argument, given, base};
    const rt_form_value *counter = rt_form_counter(method, argument);
    if (counter)
        return read_counted(&reading, counter, counted);
    if (argument->kind == RT_FORM_ONE && given->type == RT_JSON_NULL)
        return wrong_type(&reading, "an object");
    return read_value(&reading);
}

/* Room for what comes back, as many as were given. */
static int make_room(rt_ctx *ctx, const rt_form_method *method, const rt_form_value *argument,
                     char *base)
{
    const rt_form_value *counter = rt_form_counter(method, argument);
    const rt_form_struct *of = argument->of;
    struct place place = {.name = counter ? counter->name : NULL};
    uint64_t count =
        counter ? rt_form_load(base + counter->offset, ranges[counter->kind].width) : 1;
    if (count > RT_FORM_ITEMS_MOST)
        return wrong(ctx, &place, "is more than %u", RT_FORM_ITEMS_MOST);
    char *room = rt_host_alloc(ctx, of ? count * of->bytes + 1 : sizeof(uint64_t));
    for (uint64_t i = 0; of && i < count; i++)
        fill_sizes(of, room + i * of->bytes);
    memcpy(base + argument->offset, &room, sizeof room);
    return 0;
}

int rt_form_read(rt_ctx *ctx, const rt_form_method *method, const rt_json_value *json,
                 void **arguments)
{
    static const rt_json_value nothing = {.size = sizeof nothing, .type = RT_JSON_OBJECT};
    char *base = *arguments = rt_host_alloc(ctx, method->bytes);
    bool counted = false;
    if (!json)
        json = &nothing;
    if (json->type != RT_JSON_OBJECT)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT,
                            "the arguments must be in an object, not in %s",
                            type_names[json->type]);
    RT_TRY(refuse_unknown(ctx, method, json));
    for (uint32_t i = 0; i < method->count; i++)
        if (rt_form_is_given(method, &method->arguments[i]))
            RT_TRY(read_argument(ctx, method, &method->arguments[i], json, base, &counted));
    for (uint32_t i = 0; i < method->count; i++)
        if (method->arguments[i].kind & RT_FORM_RESULT)
            RT_TRY(make_room(ctx, method, &method->arguments[i], base));
    return 0;
}
