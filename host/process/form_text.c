/* What a method takes and returns, for people. */
#include "process/form.h"

#include <string.h>

#define KIND(value_) ((value_)->kind & ~(uint32_t)RT_FORM_RESULT)
#define SHOWN_MOST 6 /* structs within structs */

static const struct {
    const char *one, *many, *sample;
} words[] = {
    [RT_FORM_NONE] = {"no JSON form", "", "null"},
    [RT_FORM_INT32] = {"integer of 32 bits", "", "0"},
    [RT_FORM_UINT32] = {"integer of 32 bits, not negative", "", "0"},
    [RT_FORM_INT64] = {"integer", "", "0"},
    [RT_FORM_UINT64] = {"integer, not negative", "", "0"},
    [RT_FORM_DOUBLE] = {"number", "", "0.0"},
    [RT_FORM_TEXT] = {"string or null", "", "\"text\""},
    [RT_FORM_BOOL] = {"true or false", "", "false"},
    [RT_FORM_NAMED] = {"", "", ""},
    [RT_FORM_TEXTS] = {"array of strings", "array of strings", "[\"text\"]"},
    [RT_FORM_BYTES] = {"base64 in a string, or null", "base64 in a string, or null", "\"AAEC\""},
    [RT_FORM_ONE] = {"object", "array of objects", ""},
    [RT_FORM_MANY] = {"array of objects", "array of objects", ""},
};

/* --- in words -------------------------------------------------------------------------------- */

static void add_names(rt_buffer *out, const rt_form_name *names)
{
    rt_buffer_text(out, "one of ");
    for (const rt_form_name *name = names; name->name; name++)
        rt_buffer_format(out, "%s\"%s\"", name == names ? "" : ", ", name->name);
}

static void add_fields(rt_buffer *out, const rt_form_struct *of, int depth);

static void add_value(rt_buffer *out, const rt_form_value *value, bool many, int depth)
{
    uint32_t kind = KIND(value);
    rt_buffer_format(out, "%*s%-*s ", 2 * depth, "", 24 - 2 * depth, value->name);
    if (kind == RT_FORM_NAMED)
        add_names(out, value->names);
    else
        rt_buffer_text(out, many ? words[kind].many : words[kind].one);
    if (kind == RT_FORM_NONE && value->type)
        rt_buffer_format(out, " (%s)", value->type);
    rt_buffer_char(out, '\n');
    if (value->of && depth < SHOWN_MOST)
        add_fields(out, value->of, depth + 1);
}

static void add_fields(rt_buffer *out, const rt_form_struct *of, int depth)
{
    for (uint32_t i = 0; i < of->count; i++)
        if (of->fields[i].kind != RT_FORM_SIZE)
            add_value(out, &of->fields[i], of->fields[i].kind == RT_FORM_MANY, depth);
}

static void add_arguments(rt_buffer *out, const rt_form_method *method, bool results,
                          const char *title)
{
    bool any = false;
    for (uint32_t i = 0; i < method->count; i++) {
        const rt_form_value *argument = &method->arguments[i];
        bool shown = results ? argument->kind & RT_FORM_RESULT : rt_form_is_given(method, argument);
        if (!shown)
            continue;
        if (!any)
            rt_buffer_format(out, "%s\n", title);
        any = true;
        add_value(out, argument, rt_form_counter(method, argument), 1);
    }
    if (!any)
        rt_buffer_format(out, "%s nothing\n", title);
}

void rt_form_explain(const rt_form_method *method, rt_buffer *out)
{
    add_arguments(out, method, false, "takes");
    add_arguments(out, method, true, "returns");
}

static void add_list(rt_buffer *out, const rt_form_method *method, bool results)
{
    const char *between = "";
    for (uint32_t i = 0; i < method->count; i++) {
        const rt_form_value *argument = &method->arguments[i];
        bool shown = results ? argument->kind & RT_FORM_RESULT : rt_form_is_given(method, argument);
        if (!shown)
            continue;
        rt_buffer_format(out, "%s%s", between, argument->name);
        between = ", ";
    }
}

void rt_form_summary(const rt_form_method *method, rt_buffer *out)
{
    rt_buffer results = {0};
    rt_buffer_format(out, "%s(", method->name);
    add_list(out, method, false);
    rt_buffer_char(out, ')');
    add_list(&results, method, true);
    if (results.length)
        rt_buffer_format(out, " -> %s", results.data);
    rt_buffer_free(&results);
}

/* --- as JSON --------------------------------------------------------------------------------- */

static void add_sample(rt_buffer *out, const rt_form_value *value, bool many, int depth);

static void add_object(rt_buffer *out, const rt_form_struct *of, int depth)
{
    const char *between = "";
    rt_buffer_char(out, '{');
    for (uint32_t i = 0; i < of->count && depth < SHOWN_MOST; i++) {
        const rt_form_value *field = &of->fields[i];
        if (field->kind == RT_FORM_SIZE)
            continue;
        rt_buffer_format(out, "%s\"%s\": ", between, field->name);
        add_sample(out, field, field->kind == RT_FORM_MANY, depth);
        between = ", ";
    }
    rt_buffer_char(out, '}');
}

static void add_sample(rt_buffer *out, const rt_form_value *value, bool many, int depth)
{
    uint32_t kind = KIND(value);
    if (kind == RT_FORM_NAMED) {
        rt_buffer_format(out, "\"%s\"", value->names->name ? value->names->name : "");
    } else if (value->of) {
        rt_buffer_text(out, many ? "[" : "");
        add_object(out, value->of, depth + 1);
        rt_buffer_text(out, many ? "]" : "");
    } else {
        rt_buffer_text(out, words[kind].sample);
    }
}

void rt_form_example(const rt_form_method *method, rt_buffer *out)
{
    const char *between = "";
    rt_buffer_char(out, '{');
    for (uint32_t i = 0; i < method->count; i++) {
        const rt_form_value *argument = &method->arguments[i];
        if (!rt_form_is_given(method, argument))
            continue;
        rt_buffer_format(out, "%s\"%s\": ", between, argument->name);
        add_sample(out, argument, rt_form_counter(method, argument), 0);
        between = ", ";
    }
    rt_buffer_char(out, '}');
}
