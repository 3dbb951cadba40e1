#include "base/buffer.h"

#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void rt_buffer_free(rt_buffer *buffer)
{
    free(buffer->data);
    *buffer = (rt_buffer){0};
}

void rt_buffer_reserve(rt_buffer *buffer, size_t more)
{
    size_t needed = buffer->length + more + 1;
    if (needed <= buffer->capacity)
        return;
    size_t capacity = buffer->capacity ? buffer->capacity : 128;
    while (capacity < needed)
        capacity *= 2;
    buffer->data = rt_xrealloc(buffer->data, capacity);
    buffer->capacity = capacity;
}

void rt_buffer_add(rt_buffer *buffer, const void *bytes, size_t length)
{
    rt_buffer_reserve(buffer, length);
    if (length)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void rt_buffer_text(rt_buffer *buffer, const char *text)
{
    rt_buffer_add(buffer, text, strlen(text));
}

void rt_buffer_number(rt_buffer *buffer, uint64_t number)
{
    char digits[20], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    rt_buffer_add(buffer, at, (size_t)(digits + sizeof digits - at));
}

void rt_buffer_char(rt_buffer *buffer, char character)
{
    rt_buffer_add(buffer, &character, 1);
}

void rt_buffer_vformat(rt_buffer *buffer, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length > 0) {
        rt_buffer_reserve(buffer, (size_t)length);
        vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
}

void rt_buffer_format(rt_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    rt_buffer_vformat(buffer, format, arguments);
    va_end(arguments);
}

size_t rt_utf8_sequence(const char *bytes, size_t length)
{
    const unsigned char *text = (const unsigned char *)bytes;
    static const struct {
        unsigned char first, last, low, high, size;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; length && i < sizeof forms / sizeof forms[0]; i++) {
        if (text[0] < forms[i].first || text[0] > forms[i].last)
            continue;
        if (forms[i].size > length)
            return 0;
        for (size_t k = 1; k < forms[i].size; k++) {
            unsigned char low = k == 1 ? forms[i].low : 0x80, high = k == 1 ? forms[i].high : 0xbf;
            if (text[k] < low || text[k] > high)
                return 0;
        }
        return forms[i].size;
    }
    return 0;
}

/* U+0080 to U+009F, of a well-formed sequence. */
static bool is_high_control(const char *sequence)
{
    return (unsigned char)sequence[0] == 0xc2 && (unsigned char)sequence[1] < 0xa0;
}

static void json_character(rt_buffer *buffer, unsigned char character)
{
    static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (const char *form = short_forms; *form; form += 2) {
        if ((unsigned char)form[0] == character) {
            rt_buffer_char(buffer, '\\');
            rt_buffer_char(buffer, form[1]);
            return;
        }
    }
    if (character < 0x20 || character == 0x7f)
        rt_buffer_format(buffer, "\\u%04x", character);
    else
        rt_buffer_char(buffer, (char)character);
}

/* Bytes that stand for themselves. */
static size_t plain_run(const char *text, size_t length)
{
    size_t run = 0;
    while (run < length && text[run] >= 0x20 && text[run] < 0x7f && text[run] != '"' &&
           text[run] != '\\')
        run++;
    return run;
}

void rt_buffer_json(rt_buffer *buffer, const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t run = plain_run(text + i, length - i);
        if (run) {
            rt_buffer_add(buffer, text + i, run);
            i += run;
            continue;
        }
        size_t size = rt_utf8_sequence(text + i, length - i);
        if (size == 1)
            json_character(buffer, (unsigned char)text[i]);
        else if (size == 2 && is_high_control(text + i))
            rt_buffer_format(buffer, "\\u%04x", (unsigned char)text[i + 1]);
        else
            rt_buffer_add(buffer, size ? text + i : "\xef\xbf\xbd", size ? size : 3);
        i += size ? size : 1;
    }
}

void rt_buffer_quote(rt_buffer *buffer, const char *text)
{
    if (!text) {
        rt_buffer_text(buffer, "null");
        return;
    }
    rt_buffer_char(buffer, '"');
    rt_buffer_json(buffer, text, strlen(text));
    rt_buffer_char(buffer, '"');
}

void rt_buffer_visible(rt_buffer *buffer, const char *text)
{
    for (size_t size, left = strlen(text); left; text += size, left -= size) {
        unsigned char c = (unsigned char)text[0];
        size = rt_utf8_sequence(text, left);
        if (size == 0)
            rt_buffer_text(buffer, "\xef\xbf\xbd");
        else if (c < 0x20 || c == 0x7f || is_high_control(text))
            rt_buffer_char(buffer, c == '\t' ? ' ' : '?');
        else
            rt_buffer_add(buffer, text, size);
        size += size == 0;
    }
}

static int read_all(rt_buffer *buffer, int fd, size_t limit)
{
    for (;;) {
        rt_buffer_reserve(buffer, 65536);
        ssize_t got = read(fd, buffer->data + buffer->length, 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        buffer->length += (size_t)got;
        buffer->data[buffer->length] = '\0';
        if (buffer->length > limit)
            return -EFBIG;
        if (got == 0)
            return 0;
    }
}

int rt_buffer_read_file(rt_buffer *buffer, const char *path, size_t limit)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    struct stat status;
    int result = fstat(fd, &status) < 0 ? -errno : 0;
    if (!result && S_ISDIR(status.st_mode))
        result = -EISDIR;
    else if (!result && !S_ISREG(status.st_mode))
        result = -EINVAL;
    if (!result)
        result = read_all(buffer, fd, limit);
    close(fd);
    return result;
}
