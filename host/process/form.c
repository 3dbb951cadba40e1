/* What can be said of a method's form without a call. */
#include "process/form.h"

#include <string.h>

uint64_t rt_form_load(const void *at, uint32_t width)
{
    uint32_t small;
    uint64_t large;
    if (width == sizeof large) {
        memcpy(&large, at, sizeof large);
        return large;
    }
    memcpy(&small, at, sizeof small);
    return small;
}

void rt_form_store(void *at, uint32_t width, uint64_t number)
{
    uint32_t small = (uint32_t)number;
    if (width == sizeof number)
        memcpy(at, &number, sizeof number);
    else
        memcpy(at, &small, sizeof small);
}

static bool is_same_name(const char *left, const char *right)
{
    for (; *left && *right; left++, right++)
        if (*left != *right && !(*left == '_' && *right == '-') && !(*left == '-' && *right == '_'))
            return false;
    return *left == *right;
}

const rt_form_method *rt_form_find(const rt_form *form, const char *name)
{
    for (uint32_t i = 0; i < form->count; i++)
        if (is_same_name(form->methods[i].name, name))
            return &form->methods[i];
    return NULL;
}

/* --- arguments that count others ------------------------------------------------------------- */

static const rt_form_value *unsigned_named(const rt_form_method *method, const char *name)
{
    for (uint32_t i = 0; i < method->count; i++) {
        const rt_form_value *argument = &method->arguments[i];
        bool counts = argument->kind == RT_FORM_UINT32 || argument->kind == RT_FORM_UINT64;
        if (counts && strcmp(argument->name, name) == 0)
            return argument;
    }
    return NULL;
}

const rt_form_value *rt_form_counter(const rt_form_method *method, const rt_form_value *argument)
{
    switch (argument->kind & ~(uint32_t)RT_FORM_RESULT) {
    case RT_FORM_ONE:
    case RT_FORM_TEXTS:
        return unsigned_named(method, "count");
    case RT_FORM_BYTES:
        return unsigned_named(method, "length");
    default:
        return NULL;
    }
}

bool rt_form_is_counted(const rt_form_method *method, const rt_form_value *argument)
{
    for (uint32_t i = 0; i < method->count; i++) {
        const rt_form_value *other = &method->arguments[i];
        if (!(other->kind & RT_FORM_RESULT) && rt_form_counter(method, other) == argument)
            return true;
    }
    return false;
}

/* --- arguments ------------------------------------------------------------------------------- */

bool rt_form_is_given(const rt_form_method *method, const rt_form_value *argument)
{
    return !(argument->kind & RT_FORM_RESULT) && !rt_form_is_counted(method, argument);
}

bool rt_form_takes_any(const rt_form_method *method)
{
    for (uint32_t i = 0; i < method->count; i++)
        if (rt_form_is_given(method, &method->arguments[i]))
            return true;
    return false;
}

const rt_form_value *rt_form_obstacle(const rt_form_method *method)
{
    for (uint32_t i = 0; i < method->count; i++) {
        const rt_form_value *argument = &method->arguments[i];
        bool alone = argument->kind == RT_FORM_TEXTS || argument->kind == RT_FORM_BYTES;
        if (argument->kind == RT_FORM_NONE || (alone && !rt_form_counter(method, argument)))
            return argument;
    }
    return NULL;
}
