/* Checks of statements and their parameters; the span of a statement. */
#include "statement.h"

#include "sqlstate.h"

#include <rt/rt.h>

#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {
    [RT_SQL_NULL] = "null",  [RT_SQL_INT] = "int",     [RT_SQL_DOUBLE] = "double",
    [RT_SQL_TEXT] = "text",  [RT_SQL_BYTES] = "bytes", [RT_SQL_BOOL] = "bool",
    [RT_SQL_TIME] = "time",  [RT_SQL_UUID] = "uuid",   [RT_SQL_JSON] = "json",
    [RT_SQL_ARRAY] = "array"};

const char *rt_sql_type_name(uint32_t type)
{
    return type <= RT_SQL_ARRAY ? type_names[type] : "unknown";
}

/* --- checks ---------------------------------------------------------------------------------- */

/* Bytes of the character at `text` of at least one byte; 0: it is none, or NUL. */
static size_t character(const unsigned char *text, size_t left)
{
    unsigned char first = text[0];
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first == 0 || first > 0xf4 || length == 0 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (first == 0xe0 && text[1] < 0xa0) || (first == 0xf0 && text[1] < 0x90);
    bool outside = (first == 0xed && text[1] > 0x9f) || (first == 0xf4 && text[1] > 0x8f);
    return overlong || outside ? 0 : length;
}

static bool is_utf8(const char *text, uint64_t length)
{
    for (uint64_t at = 0; at < length;) {
        size_t step = character((const unsigned char *)text + at, length - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

static bool is_hexadecimal(char character_)
{
    return (character_ >= '0' && character_ <= '9') || (character_ >= 'a' && character_ <= 'f') ||
           (character_ >= 'A' && character_ <= 'F');
}

static bool is_uuid(const char *text, uint64_t length)
{
    for (uint64_t i = 0; length == 36 && i < length; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hexadecimal(text[i]))
            return false;
    }
    return length == 36;
}

static int refuse(rt_ctx *ctx, const rt_sql_statement *statement, const char *condition,
                  const char *message)
{
    return rt_sql_fail(ctx, &(rt_sql_failure){.condition = condition,
                                              .message = message,
                                              .statement = statement,
                                              .code = RT_EINVALID_ARGUMENT});
}

static int check_text(rt_ctx *ctx, const rt_sql_statement *statement, uint64_t number,
                      const rt_sql_value *value)
{
    unsigned long long shown = number;
    const char *text = value->value.text;
    if (!text)
        return refuse(ctx, statement, "NULL_VALUE_NOT_ALLOWED",
                      rt_format(ctx, "parameter $%llu is %s without a text", shown,
                                rt_sql_type_name(value->type)));
    if (!is_utf8(text, value->length))
        return refuse(ctx, statement, "CHARACTER_NOT_IN_REPERTOIRE",
                      rt_format(ctx, "parameter $%llu is no UTF-8, or has a NUL", shown));
    if (value->type == RT_SQL_UUID && !is_uuid(text, value->length))
        return refuse(ctx, statement, "INVALID_TEXT_REPRESENTATION",
                      rt_format(ctx, "parameter $%llu is no uuid", shown));
    return 0;
}

static int check_array(rt_ctx *ctx, const rt_sql_statement *statement, uint64_t number,
                       const rt_sql_value *array)
{
    if (array->of == RT_SQL_NULL || array->of >= RT_SQL_ARRAY ||
        (array->length && !array->value.elements))
        return refuse(ctx, statement, "DATATYPE_MISMATCH",
                      rt_format(ctx, "parameter $%llu is an array of `%s`",
                                (unsigned long long)number, rt_sql_type_name(array->of)));
    for (uint64_t i = 0; i < array->length; i++) {
        const rt_sql_value *element = &array->value.elements[i];
        if (element->type != array->of && element->type != RT_SQL_NULL)
            return refuse(ctx, statement, "DATATYPE_MISMATCH",
                          rt_format(ctx, "element %llu of parameter $%llu is `%s`, not `%s`",
                                    (unsigned long long)i + 1, (unsigned long long)number,
                                    rt_sql_type_name(element->type), rt_sql_type_name(array->of)));
        RT_TRY(rt_sql_check_value(ctx, statement, number, element));
    }
    return 0;
}

int rt_sql_check_value(rt_ctx *ctx, const rt_sql_statement *statement, uint64_t number,
                       const rt_sql_value *value)
{
    switch (value->type) {
    case RT_SQL_NULL:
    case RT_SQL_INT:
    case RT_SQL_DOUBLE:
    case RT_SQL_BOOL:
    case RT_SQL_TIME:
        return 0;
    case RT_SQL_TEXT:
    case RT_SQL_UUID:
    case RT_SQL_JSON:
        return check_text(ctx, statement, number, value);
    case RT_SQL_BYTES:
        if (value->value.bytes || value->length == 0)
            return 0;
        return refuse(
            ctx, statement, "NULL_VALUE_NOT_ALLOWED",
            rt_format(ctx, "parameter $%llu is bytes without any", (unsigned long long)number));
    case RT_SQL_ARRAY:
        return check_array(ctx, statement, number, value);
    default:
        return refuse(ctx, statement, "DATATYPE_MISMATCH",
                      rt_format(ctx, "parameter $%llu is of the unknown type %u",
                                (unsigned long long)number, value->type));
    }
}

int rt_sql_check_statement(rt_ctx *ctx, const rt_sql_statement *statement)
{
    if (!statement || !RT_HAS(statement, parameter_count) || !statement->text)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the statement has no `%s`",
                       statement && RT_HAS(statement, parameter_count) ? "text" : "size");
    if (!statement->text[0])
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the statement is empty");
    if (!is_utf8(statement->text, strlen(statement->text)))
        return refuse(ctx, NULL, "CHARACTER_NOT_IN_REPERTOIRE", "the statement is no UTF-8");
    if ((statement->flags & RT_SQL_SCRIPT) && statement->parameter_count)
        return refuse(ctx, statement, "UNDEFINED_PARAMETER", "a script takes no parameters");
    for (uint32_t i = 0; i < statement->parameter_count; i++)
        RT_TRY(rt_sql_check_value(ctx, statement, i + 1, &statement->parameters[i]));
    return 0;
}

/* --- what people and spans are told ---------------------------------------------------------- */

static bool has_length(uint32_t type)
{
    return type == RT_SQL_TEXT || type == RT_SQL_BYTES || type == RT_SQL_JSON ||
           type == RT_SQL_ARRAY;
}

const char *rt_sql_describe_parameters(rt_ctx *ctx, const rt_sql_statement *statement)
{
    uint32_t count = statement->parameter_count, most = count < 100 ? count : 100;
    uint64_t room = most * 32u + 8, used = 0;
    char *text = rt_alloc(ctx, room);
    for (uint32_t i = 0; i < most; i++) {
        const rt_sql_value *value = &statement->parameters[i];
        const char *name = rt_sql_type_name(value->type);
        used += (uint64_t)snprintf(text + used, room - used, "%s%s", i ? ", " : "", name);
        if (has_length(value->type))
            used += (uint64_t)snprintf(text + used, room - used, "(%llu)",
                                       (unsigned long long)value->length);
    }
    if (most < count)
        snprintf(text + used, room - used, ", …");
    return text;
}

static const char *own(rt_ctx *ctx, rt_str text)
{
    return text.length ? rt_format(ctx, "%.*s", (int)text.length, text.data) : NULL;
}

rt_span *rt_sql_open_span(rt_ctx *ctx, const rt_span_database *where,
                          const rt_sql_statement *statement)
{
    if (!rt_span_recorded(ctx))
        return NULL;
    rt_sql_summary summary = rt_sql_summarize(statement->text);
    rt_span_database call = *where;
    call.operation = own(ctx, summary.operation);
    call.collection = own(ctx, summary.collection);
    call.query = rt_sql_without_values(ctx, statement->text);
    const char *name = call.operation && call.collection
                           ? rt_format(ctx, "%s %s", call.operation, call.collection)
                       : call.operation ? call.operation
                                        : call.system;
    rt_span *span = rt_span_start(ctx, name, RT_SPAN_CLIENT);
    if (span)
        rt_span_describe_database(ctx, &call);
    return span;
}
