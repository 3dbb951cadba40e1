/* mime.h — a mail as the bytes of RFC 5322 and MIME (RFC 2045, 2047, 2231)
 *
 * Everything is 7-bit: texts are quoted-printable, attachments base64, names and subjects
 * encoded-words where they are not plain ASCII. Lines end in CRLF and are folded at 78; none is
 * longer than 998. The blind recipients stand nowhere. Nothing here waits.
 */
#ifndef RT_EMAIL_MIME_H
#define RT_EMAIL_MIME_H

#include "message.h"

#include <stddef.h>

/* Growing text on the heap; zero it first, free(text.data) at the end. */
typedef struct rt_mail_text {
    char *data;
    size_t length, capacity;
    size_t line; /* where the last line begins */
    bool failed; /* memory ran out; further writes do nothing */
} rt_mail_text;

/* Writes the mail; `now` is nanoseconds since 1970. -RT_ERESOURCE_EXHAUSTED without memory. */
int rt_mail_format(rt_ctx *ctx, const rt_mail *mail, int64_t now, rt_mail_text *text);

#endif
