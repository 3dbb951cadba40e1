/* The one C++ file: simdjson's parser, with neither exceptions nor RTTI. */
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <algorithm>
#include <cstring>

extern "C" {
#include "http/json_read.h"
}

namespace dom = simdjson::dom;

namespace
{

/* Beyond this the parser's buffers are given back after use. */
const size_t kept_capacity = 1 << 20;

struct reader {
    rt_arena *arena;
    const char *wrong;
};

char *copy(reader &r, std::string_view text)
{
    if (std::memchr(text.data(), 0, text.size()))
        r.wrong = "a string holds NUL";
    return rt_arena_copy_n(r.arena, text.data(), text.size());
}

bool before(const char *a, const char *b)
{
    return std::strcmp(a, b) < 0;
}

/* Sorted, so that a hostile object of many keys costs no square. */
void refuse_duplicates(reader &r, const rt_json_value *object)
{
    if (object->count < 2 || r.wrong)
        return;
    auto **keys =
        static_cast<const char **>(rt_arena_alloc(r.arena, object->count * sizeof(const char *)));
    size_t count = 0;
    for (const rt_json_value *v = object->value.first; v; v = v->next)
        keys[count++] = v->key;
    std::sort(keys, keys + count, before);
    for (size_t i = 1; i < count; i++)
        if (!std::strcmp(keys[i - 1], keys[i]))
            r.wrong = rt_arena_format(r.arena, "the key `%.64s` appears twice", keys[i]);
}

rt_json_value *build(reader &r, dom::element element, unsigned depth);

/* Appends a member; false once something is wrong. */
bool append(reader &r, rt_json_value *parent, rt_json_value **&tail, const char *key,
            dom::element element, unsigned depth)
{
    rt_json_value *member = build(r, element, depth);
    member->key = key;
    *tail = member;
    tail = const_cast<rt_json_value **>(&member->next);
    parent->count++;
    return !r.wrong;
}

void build_array(reader &r, rt_json_value *value, dom::array array, unsigned depth)
{
    value->type = RT_JSON_ARRAY;
    auto **tail = const_cast<rt_json_value **>(&value->value.first);
    for (dom::element element : array)
        if (!append(r, value, tail, nullptr, element, depth))
            return;
}

void build_object(reader &r, rt_json_value *value, dom::object object, unsigned depth)
{
    value->type = RT_JSON_OBJECT;
    auto **tail = const_cast<rt_json_value **>(&value->value.first);
    for (dom::key_value_pair field : object)
        if (!append(r, value, tail, copy(r, field.key), field.value, depth))
            return;
    refuse_duplicates(r, value);
}

void build_string(reader &r, rt_json_value *value, std::string_view text)
{
    value->type = RT_JSON_STRING;
    value->count = text.size();
    value->value.text = copy(r, text);
}

void build_scalar(reader &r, rt_json_value *value, dom::element element)
{
    switch (element.type()) {
    case dom::element_type::INT64:
        value->type = RT_JSON_INT;
        value->value.integer = element.get_int64().value_unsafe();
        break;
    case dom::element_type::UINT64:
        r.wrong = "an integer needs more than 63 bits and a sign";
        break;
    case dom::element_type::DOUBLE:
        value->type = RT_JSON_REAL;
        value->value.real = element.get_double().value_unsafe();
        break;
    case dom::element_type::BOOL:
        value->type = RT_JSON_BOOL;
        value->value.integer = element.get_bool().value_unsafe();
        break;
    case dom::element_type::STRING:
        build_string(r, value, element.get_string().value_unsafe());
        break;
    default:
        value->type = RT_JSON_NULL;
        break;
    }
}

rt_json_value *build(reader &r, dom::element element, unsigned depth)
{
    auto *value = RT_NEW(r.arena, rt_json_value);
    value->size = sizeof *value;
    bool array = element.is_array(), object = element.is_object();
    if ((array || object) && depth == RT_JSON_DEPTH)
        r.wrong = "nested deeper than 64";
    else if (array)
        build_array(r, value, element.get_array().value_unsafe(), depth + 1);
    else if (object)
        build_object(r, value, element.get_object().value_unsafe(), depth + 1);
    else
        build_scalar(r, value, element);
    return value;
}

const char *describe(simdjson::error_code code)
{
    switch (code) {
    case simdjson::EMPTY:
        return "there is no value";
    case simdjson::DEPTH_ERROR:
        return "nested deeper than 64";
    case simdjson::NUMBER_ERROR:
    case simdjson::NUMBER_OUT_OF_RANGE:
        return "a number is malformed or out of range";
    case simdjson::STRING_ERROR:
        return "a string has an invalid escape";
    case simdjson::UNESCAPED_CHARS:
        return "a string has an unescaped control character";
    case simdjson::UNCLOSED_STRING:
        return "a string does not end";
    case simdjson::UTF8_ERROR:
        return "it is not valid UTF-8";
    case simdjson::CAPACITY:
    case simdjson::MEMALLOC:
        return "it is too large";
    default:
        return "it is malformed";
    }
}

dom::parser *the_parser()
{
    static dom::parser *parser;
    if (parser && parser->capacity() > kept_capacity) {
        delete parser;
        parser = nullptr;
    }
    if (!parser)
        parser = new (std::nothrow) dom::parser;
    return parser;
}

} // namespace

extern "C" const char *rt_json_read(rt_arena *arena, const char *text, size_t length,
                                    const rt_json_value **value)
{
    *value = nullptr;
    dom::parser *parser = the_parser();
    if (!parser)
        return "it is too large";
    dom::element root;
    simdjson::error_code code = parser->parse(text, length).get(root);
    if (code)
        return describe(code);
    reader r = {arena, nullptr};
    rt_json_value *tree = build(r, root, 0);
    if (!r.wrong)
        *value = tree;
    return r.wrong;
}
