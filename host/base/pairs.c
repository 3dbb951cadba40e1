#include "base/pairs.h"

#include "base/buffer.h"

#include <stddef.h>
#include <string.h>

static int digit_of(char character)
{
    static const char digits[] = "0123456789abcdef";
    const char *at =
        character ? strchr(digits,
                           character >= 'A' && character <= 'F' ? character - 'A' + 'a' : character)
                  : NULL;
    return at ? (int)(at - digits) : -1;
}

static void trim(const char **text, size_t *length)
{
    while (*length && strchr(" \t", **text)) {
        ++*text;
        --*length;
    }
    while (*length && strchr(" \t", (*text)[*length - 1]))
        --*length;
}

static const char *decode(rt_buffer *out, const char *text, size_t length)
{
    out->length = 0;
    rt_buffer_reserve(out, length);
    for (size_t i = 0; i < length; i++) {
        int character = (unsigned char)text[i];
        if (character == '%') {
            int high = i + 2 < length ? digit_of(text[i + 1]) : -1;
            int low = high < 0 ? -1 : digit_of(text[i + 2]);
            if (low < 0)
                return "a `%` is not followed by two hexadecimal digits";
            character = high * 16 + low;
            i += 2;
        }
        if (character < ' ' || character == 0x7F)
            return "there is a control character";
        rt_buffer_char(out, (char)character);
    }
    out->data[out->length] = '\0';
    return NULL;
}

static const char *take_pair(rt_buffer *name, rt_buffer *value, const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length), *problem;
    if (!equals)
        return "a part has no `=`";
    const char *right = equals + 1;
    size_t left_length = (size_t)(equals - text), right_length = length - left_length - 1;
    trim(&text, &left_length);
    trim(&right, &right_length);
    if (!left_length)
        return "a part has no name";
    problem = decode(name, text, left_length);
    return problem ? problem : decode(value, right, right_length);
}

const char *rt_pairs_each(const char *text,
                          bool (*take)(void *user, const char *name, const char *value), void *user)
{
    rt_buffer name = {0}, value = {0};
    const char *problem = NULL;
    while (text && *text && !problem) {
        const char *part = text;
        size_t length = strcspn(text, ",");
        text += length + (text[length] == ',');
        trim(&part, &length);
        if (!length) /* a comma too many */
            continue;
        problem = take_pair(&name, &value, part, length);
        if (!problem && !take(user, name.data, value.data))
            problem = "one of its names cannot be used";
    }
    if (value.data)
        explicit_bzero(value.data, value.capacity);
    rt_buffer_free(&name);
    rt_buffer_free(&value);
    return problem;
}
