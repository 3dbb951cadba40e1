/* simdjson says what is wrong but not where. This walks refused text a second time, by RFC 8259's
 * grammar, and runs for nothing else. */
#include "http/json_read.h"

#include <stdbool.h>
#include <string.h>

typedef struct walk {
    const char *at;
    const char *end;
    unsigned depth;
} walk;

static bool value(walk *w);

static void space(walk *w)
{
    while (w->at < w->end && memchr(" \t\n\r", *w->at, 4))
        w->at++;
}

static bool take(walk *w, char character)
{
    if (w->at == w->end || *w->at != character)
        return false;
    w->at++;
    return true;
}

static bool word(walk *w, const char *text)
{
    for (; *text; text++)
        if (!take(w, *text))
            return false;
    return true;
}

static bool digits(walk *w)
{
    const char *start = w->at;
    while (w->at < w->end && *w->at >= '0' && *w->at <= '9')
        w->at++;
    return w->at > start;
}

static bool number(walk *w)
{
    take(w, '-');
    if (!take(w, '0') && !digits(w))
        return false;
    if (take(w, '.') && !digits(w))
        return false;
    if (w->at < w->end && (*w->at == 'e' || *w->at == 'E')) {
        w->at++;
        if (!take(w, '+'))
            take(w, '-');
        return digits(w);
    }
    return true;
}

/* Four digits that encode no NUL; surrogates are left to the message. */
static bool unicode(walk *w)
{
    const char *start = w->at;
    for (int i = 0; i < 4; i++) {
        if (w->at == w->end || !memchr("0123456789abcdefABCDEF", *w->at, 22))
            return false;
        w->at++;
    }
    if (memcmp(start, "0000", 4))
        return true;
    w->at = start;
    return false;
}

static bool escape(walk *w)
{
    if (take(w, 'u'))
        return unicode(w);
    if (w->at == w->end || !memchr("\"\\/bfnrt", *w->at, 8))
        return false;
    w->at++;
    return true;
}

/* Whether one character of UTF-8 stands here: what JSON's writer would keep as it is. */
static bool character(walk *w)
{
    static const unsigned char firsts[] = {0x80, 0xc2, 0xe0, 0xf0, 0xf5};
    unsigned char first = (unsigned char)*w->at;
    size_t size = 0;
    while (size < 5 && first >= firsts[size])
        size++;
    if (size == 1 || size == 5 || first < 0x20)
        return false;
    size += size == 0;
    for (size_t i = 1; i < size; i++)
        if (w->end - w->at <= (long)i || ((unsigned char)w->at[i] & 0xc0) != 0x80)
            return false;
    unsigned char second = size > 1 ? (unsigned char)w->at[1] : 0;
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
        (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
        return false;
    w->at += size;
    return true;
}

static bool string(walk *w)
{
    if (!take(w, '"'))
        return false;
    while (w->at < w->end && *w->at != '"')
        if (take(w, '\\') ? !escape(w) : !character(w))
            return false;
    return take(w, '"');
}

static bool member(walk *w, bool keyed)
{
    if (keyed) {
        space(w);
        if (!string(w))
            return false;
        space(w);
        if (!take(w, ':'))
            return false;
    }
    return value(w);
}

static bool members(walk *w, char last)
{
    if (w->depth++ == RT_JSON_DEPTH)
        return false;
    space(w);
    if (!take(w, last)) {
        do {
            if (!member(w, last == '}'))
                return false;
        } while (take(w, ','));
        if (!take(w, last))
            return false;
    }
    w->depth--;
    return true;
}

static bool scalar(walk *w)
{
    switch (*w->at) {
    case '"':
        return string(w);
    case 't':
        return word(w, "true");
    case 'f':
        return word(w, "false");
    case 'n':
        return word(w, "null");
    default:
        return number(w);
    }
}

static bool value(walk *w)
{
    space(w);
    if (w->at == w->end)
        return false;
    bool good = take(w, '[') ? members(w, ']') : take(w, '{') ? members(w, '}') : scalar(w);
    if (good)
        space(w);
    return good;
}

int64_t rt_json_wrong_byte(const char *text, size_t length)
{
    walk w = {text, text + length, 0};
    bool good = value(&w) && w.at == w.end;
    return good ? -1 : w.at - text;
}
