/* buffer.h — bytes that grow; always NUL-terminated once something was added */
#ifndef RT_BASE_BUFFER_H
#define RT_BASE_BUFFER_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rt_buffer {
    char *data;
    size_t length;
    size_t capacity;
} rt_buffer;

void rt_buffer_free(rt_buffer *buffer);
/* Makes room for `more` bytes beyond the length and one NUL. */
void rt_buffer_reserve(rt_buffer *buffer, size_t more);
void rt_buffer_add(rt_buffer *buffer, const void *bytes, size_t length);
void rt_buffer_text(rt_buffer *buffer, const char *text);
void rt_buffer_char(rt_buffer *buffer, char character);
void rt_buffer_number(rt_buffer *buffer, uint64_t number); /* in decimal */
void rt_buffer_format(rt_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void rt_buffer_vformat(rt_buffer *buffer, const char *format, va_list arguments);
/* As the inside of a JSON string: quotes, backslashes and controls (also U+0080 to U+009F) escaped,
 * invalid UTF-8 replaced by U+FFFD. */
void rt_buffer_json(rt_buffer *buffer, const char *text, size_t length);
/* A whole JSON string, quotes included; null for NULL. */
void rt_buffer_quote(rt_buffer *buffer, const char *text);

/* For people: control characters become `?` (a tab a space), so that no text moves the cursor or
 * the carets below it; invalid UTF-8 becomes U+FFFD. */
void rt_buffer_visible(rt_buffer *buffer, const char *text);

/* Length of the well-formed UTF-8 sequence at `bytes` (RFC 3629), 0 if it is none. */
size_t rt_utf8_sequence(const char *bytes, size_t length);

/* The whole file; 0 or -errno (EFBIG beyond `limit`). The buffer is the caller's even on error. */
int rt_buffer_read_file(rt_buffer *buffer, const char *path, size_t limit);

#endif
