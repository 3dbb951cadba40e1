/* characters.h — the character classes of HTTP and URIs, one table */
#ifndef RT_HTTP_CHARACTERS_H
#define RT_HTTP_CHARACTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    RT_TOKEN_CHARACTER = 1,       /* RFC 9110 tchar */
    RT_TEXT_CHARACTER = 2,        /* of a field's value: no controls but tab */
    RT_VISIBLE_CHARACTER = 4,     /* ASCII that prints, without space */
    RT_PATH_CHARACTER = 8,        /* RFC 3986 pchar and `/`, without `%` */
    RT_QUERY_CHARACTER = 16,      /* visible, without `%`, `"`, `#`, `<`, `>` */
    RT_IDENTIFIER_CHARACTER = 32, /* letters, digits, `.`, `_`, `-` */
    RT_DIGIT_CHARACTER = 64,
    RT_HEX_CHARACTER = 128,
};

extern const uint8_t rt_characters[256];

static inline bool rt_is(char character, int which)
{
    return rt_characters[(unsigned char)character] & which;
}

/* The value of a hexadecimal digit. */
static inline unsigned rt_hex_value(char digit)
{
    unsigned value = (unsigned char)digit;
    return (value & 15) + (value >> 6) * 9;
}

/* The first control character, or the end; eight bytes at a time. */
static inline const char *rt_skip_printing(const char *at, const char *end)
{
    const uint64_t ones = ~(uint64_t)0 / 255, highs = ones * 128;
    for (uint64_t word; end - at >= 8; at += 8) {
        memcpy(&word, at, 8);
        uint64_t deletes = word ^ ones * 0x7f;
        if ((((word - ones * 0x20) & ~word) | ((deletes - ones) & ~deletes)) & highs)
            break;
    }
    while (at < end && (unsigned char)*at >= 0x20 && *at != 0x7f)
        at++;
    return at;
}

#endif
