/* field.h — lists in the values of fields (RFC 9110, 5.6.1) */
#ifndef RT_HTTP_FIELD_H
#define RT_HTTP_FIELD_H

#include <rt/abi.h>
#include <string.h>

/* Without the space and tabs around it. */
static inline rt_str rt_field_trim(rt_str text)
{
    while (text.length && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = (rt_str){text.data + 1, text.length - 1};
    while (text.length && (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == '\t'))
        text.length--;
    return text;
}

/* Cuts the trimmed text before the next separator off the front of `rest`, which is not empty. */
static inline rt_str rt_field_next(rt_str *rest, char separator)
{
    const char *found = (const char *)memchr(rest->data, separator, rest->length);
    uint64_t length = found ? (uint64_t)(found - rest->data) : rest->length;
    rt_str first = {rest->data, length};
    rest->data += length + (found != NULL);
    rest->length -= length + (found != NULL);
    return rt_field_trim(first);
}

#endif
