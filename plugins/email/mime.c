#include "mime.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    FOLD = 78,
    QUOTED_LINE = 76,
    WORD_LIMIT = 900,
    BASE64_LINE_BYTES = 57,
    PARAMETER_PIECE = 65
};

/* --- text ------------------------------------------------------------------------------------ */

static bool reserve(rt_mail_text *text, size_t more)
{
    if (text->failed || text->capacity - text->length >= more)
        return !text->failed;
    size_t capacity = (text->length + more) * 3 / 2 + 4096;
    char *data = realloc(text->data, capacity);
    text->failed = !data;
    if (!data)
        return false;
    text->data = data;
    text->capacity = capacity;
    return true;
}

static void put(rt_mail_text *text, const char *bytes, size_t length)
{
    if (!reserve(text, length))
        return;
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    const char *end = memrchr(bytes, '\n', length);
    if (end)
        text->line = text->length - (size_t)(bytes + length - end - 1);
}

static void put_text(rt_mail_text *text, const char *string)
{
    put(text, string, strlen(string));
}

__attribute__((format(printf, 2, 3))) static void put_format(rt_mail_text *text, const char *format,
                                                             ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof line)
        text->failed = true;
    else
        put(text, line, (size_t)length);
}

static size_t column(const rt_mail_text *text)
{
    return text->length - text->line;
}

/* White space before a token of `length` columns: a line break too if the token does not fit. */
static void put_space(rt_mail_text *text, size_t length)
{
    put_text(text, column(text) + 1 + length > FOLD ? "\r\n " : " ");
}

/* --- encodings ------------------------------------------------------------------------------- */

static void put_base64(rt_mail_text *text, const unsigned char *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (!reserve(text, (length + 2) / 3 * 4))
        return;
    char *out = text->data + text->length;
    for (; length >= 3; bytes += 3, length -= 3) {
        *out++ = digits[bytes[0] >> 2];
        *out++ = digits[(bytes[0] & 3) << 4 | bytes[1] >> 4];
        *out++ = digits[(bytes[1] & 15) << 2 | bytes[2] >> 6];
        *out++ = digits[bytes[2] & 63];
    }
    if (length) {
        unsigned second = length == 2 ? bytes[1] : 0;
        *out++ = digits[bytes[0] >> 2];
        *out++ = digits[(bytes[0] & 3u) << 4 | second >> 4];
        *out++ = length == 2 ? digits[(second & 15) << 2] : '=';
        *out++ = '=';
    }
    text->length = (size_t)(out - text->data);
}

static void put_base64_body(rt_mail_text *text, const void *data, uint64_t length)
{
    const unsigned char *bytes = data;
    for (uint64_t at = 0; at < length; at += BASE64_LINE_BYTES) {
        uint64_t rest = length - at;
        put_base64(text, bytes + at, rest < BASE64_LINE_BYTES ? rest : BASE64_LINE_BYTES);
        put_text(text, "\r\n");
    }
}

/* One character of quoted-printable; `last`: a line break follows. */
static void put_quoted(rt_mail_text *text, unsigned char c, bool last)
{
    bool plain = c >= 0x21 && c <= 0x7e && c != '=';
    bool space = (c == ' ' || c == '\t') && !last;
    if (column(text) + (plain || space ? 1 : 3) > QUOTED_LINE - 1)
        put_text(text, "=\r\n");
    bool dot = c == '.' && column(text) == 0; /* some relays eat a leading one */
    if ((plain || space) && !dot)
        put(text, (const char *)&c, 1);
    else
        put_format(text, "=%02X", c);
}

/* Line ends of every kind but a lone CR become CRLF. The last line stays open. */
static void put_quoted_body(rt_mail_text *text, const char *body)
{
    for (const char *c = body; *c; c++) {
        bool pair = c[0] == '\r' && c[1] == '\n';
        c += pair;
        if (*c == '\n')
            put_text(text, "\r\n");
        else
            put_quoted(text, (unsigned char)*c,
                       !c[1] || c[1] == '\n' || (c[1] == '\r' && c[2] == '\n'));
    }
}

/* Encoded-words of at most 75 columns that split no character (RFC 2047 section 5). */
static void put_encoded_words(rt_mail_text *text, const char *string)
{
    enum { WRAPPER = 12 }; /* =?UTF-8?B? and ?= */
    for (size_t rest = strlen(string); rest && !text->failed;) {
        size_t room = column(text) + WRAPPER + 8 <= FOLD ? FOLD - column(text) - WRAPPER : 0;
        if (!room) {
            put_text(text, "\r\n ");
            continue;
        }
        size_t length = room / 4 * 3 < 45 ? room / 4 * 3 : 45;
        if (length > rest)
            length = rest;
        while (length < rest && ((unsigned char)string[length] & 0xc0) == 0x80)
            length--;
        put_text(text, "=?UTF-8?B?");
        put_base64(text, (const unsigned char *)string, length);
        put_text(text, "?=");
        string += length, rest -= length;
        if (rest)
            put_text(text, "\r\n ");
    }
}

/* Whether an unstructured header value may stand as it is. */
static bool stands_plain(const char *value)
{
    size_t length = strlen(value), word = 0;
    if (length && (value[0] == ' ' || value[length - 1] == ' '))
        return false;
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        word = *c == ' ' ? 0 : word + 1;
        if (*c < ' ' || *c >= 0x7f || word > WORD_LIMIT)
            return false;
    }
    return !strstr(value, "=?");
}

/* --- headers --------------------------------------------------------------------------------- */

static void put_unstructured(rt_mail_text *text, const char *name, const char *value)
{
    put_format(text, "%s: ", name);
    if (!stands_plain(value)) {
        put_encoded_words(text, value);
    } else {
        while (*value) {
            size_t spaces = strspn(value, " "), length = spaces + strcspn(value + spaces, " ");
            if (spaces && column(text) + length > FOLD)
                put_text(text, "\r\n");
            put(text, value, length);
            value += length;
        }
    }
    put_text(text, "\r\n");
}

static bool needs_encoding(const char *name)
{
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < ' ' || *c >= 0x7f)
            return true;
    return strlen(name) > FOLD - 8 || strstr(name, "=?");
}

static void put_quoted_string(rt_mail_text *text, const char *string)
{
    put_text(text, "\"");
    for (; *string; string++) {
        if (*string == '"' || *string == '\\')
            put_text(text, "\\");
        put(text, string, 1);
    }
    put_text(text, "\"");
}

static void put_mailbox(rt_mail_text *text, const rt_mailbox *mailbox)
{
    if (!mailbox->name) {
        put_space(text, strlen(mailbox->address) + 1);
        put_text(text, mailbox->address);
        return;
    }
    if (needs_encoding(mailbox->name)) {
        put_space(text, 24);
        put_encoded_words(text, mailbox->name);
    } else {
        put_space(text, strlen(mailbox->name) + 2);
        put_quoted_string(text, mailbox->name);
    }
    put_space(text, strlen(mailbox->address) + 3);
    put_format(text, "<%s>", mailbox->address);
}

static void put_mailboxes(rt_mail_text *text, const char *name, const rt_mailbox *list,
                          uint32_t count)
{
    if (!count)
        return;
    put_format(text, "%s:", name);
    for (uint32_t i = 0; i < count; i++) {
        put_mailbox(text, &list[i]);
        put_text(text, i + 1 < count ? "," : "\r\n");
    }
}

static void put_date(rt_mail_text *text, int64_t now)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(now / 1000000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    put_format(text, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[utc.tm_wday], utc.tm_mday,
               months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

/* --- parts ----------------------------------------------------------------------------------- */

static void put_text_part(rt_mail_text *text, const char *subtype, const char *body)
{
    put_format(text,
               "Content-Type: text/%s; charset=utf-8\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
               subtype);
    put_quoted_body(text, body);
}

/* The line break before a delimiter belongs to it, so that a part may end without one; the first
 * one's is the empty line after the header. */
static void put_delimiter(rt_mail_text *text, char kind, const char *boundary, const char *end)
{
    put_format(text, "\r\n--=_%c%s%s\r\n", kind, boundary, end);
}

static void put_multipart(rt_mail_text *text, const char *subtype, char kind, const char *boundary)
{
    put_format(text, "Content-Type: multipart/%s;\r\n boundary=\"=_%c%s\"\r\n", subtype, kind,
               boundary);
}

static void put_body(rt_mail_text *text, const rt_email *message, const char *boundary)
{
    if (!message->text || !message->html) {
        put_text_part(text, message->html ? "html" : "plain",
                      message->html ? message->html : message->text);
        return;
    }
    put_multipart(text, "alternative", 'a', boundary);
    put_delimiter(text, 'a', boundary, "");
    put_text_part(text, "plain", message->text);
    put_delimiter(text, 'a', boundary, "");
    put_text_part(text, "html", message->html);
    put_delimiter(text, 'a', boundary, "--");
}

/* A file name that is not plain ASCII, in pieces of RFC 2231. */
static void put_extended_filename(rt_mail_text *text, const char *name)
{
    for (unsigned piece = 0; *name; piece++) {
        size_t begin = text->length;
        put_format(text, ";\r\n filename*%u*=%s", piece, piece ? "" : "UTF-8''");
        for (; *name && text->length - begin < PARAMETER_PIECE && !text->failed; name++) {
            unsigned char c = (unsigned char)*name;
            bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                         (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '_';
            if (plain)
                put(text, name, 1);
            else
                put_format(text, "%%%02X", c);
        }
    }
}

static void put_attachment(rt_mail_text *text, const rt_email_attachment *attachment)
{
    const char *type = attachment->content_type;
    put_format(text, "Content-Type: %s\r\n", type ? type : "application/octet-stream");
    put_text(text, "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment");
    if (needs_encoding(attachment->filename) || strlen(attachment->filename) > 60) {
        put_extended_filename(text, attachment->filename);
    } else {
        put_text(text, ";\r\n filename=");
        put_quoted_string(text, attachment->filename);
    }
    put_text(text, "\r\n\r\n");
    put_base64_body(text, attachment->data, attachment->length);
}

static void put_content(rt_mail_text *text, const rt_email *message, const char *boundary)
{
    if (!message->attachment_count) {
        put_body(text, message, boundary);
        return;
    }
    put_multipart(text, "mixed", 'm', boundary);
    put_delimiter(text, 'm', boundary, "");
    put_body(text, message, boundary);
    for (uint32_t i = 0; i < message->attachment_count; i++) {
        put_delimiter(text, 'm', boundary, "");
        put_attachment(text, &message->attachments[i]);
    }
    put_delimiter(text, 'm', boundary, "--");
}

int rt_mail_format(rt_ctx *ctx, const rt_mail *mail, int64_t now, rt_mail_text *text)
{
    const rt_email *message = mail->message;
    put_date(text, now);
    put_mailboxes(text, "From", &mail->from, 1);
    put_mailboxes(text, "Reply-To", &mail->reply_to, mail->reply_to.address != NULL);
    put_mailboxes(text, "To", mail->to, message->to_count);
    put_mailboxes(text, "Cc", mail->cc, message->cc_count);
    if (!message->to_count && !message->cc_count)
        put_text(text, "To: undisclosed-recipients:;\r\n");
    put_unstructured(text, "Subject", message->subject ? message->subject : "");
    put_format(text, "Message-ID: <%s>\r\n", mail->id);
    for (uint32_t i = 0; i < message->header_count; i++)
        put_unstructured(text, message->headers[i].name, message->headers[i].value);
    put_text(text, "MIME-Version: 1.0\r\n");
    put_content(text, message, rt_mail_random(ctx, 12));
    if (column(text) > 0)
        put_text(text, "\r\n");
    if (text->failed)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory for a mail");
    return 0;
}
