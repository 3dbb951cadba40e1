#include "message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

/* Fields that the message's own members or the provider write. */
static const char *const reserved_headers[] = {
    "bcc",
    "cc",
    "content-disposition",
    "content-id",
    "content-transfer-encoding",
    "content-type",
    "date",
    "from",
    "message-id",
    "mime-version",
    "received",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
};

enum { ADDRESS_LIMIT = 254, LOCAL_LIMIT = 64, LABEL_LIMIT = 63, NAME_LIMIT = 255 };

/* --- characters ------------------------------------------------------------------------------ */

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static bool is_alphanumeric(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_atom_text(unsigned char c)
{
    return is_alphanumeric(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Bytes of the UTF-8 sequence at `text`; 0 if it is none (RFC 3629: shortest form,
 * no surrogates). */
static size_t sequence_length(const unsigned char *text)
{
    static const struct {
        unsigned char first_least, first_most, second_least, second_most, length;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (text[0] < forms[i].first_least || text[0] > forms[i].first_most)
            continue;
        if (forms[i].length > 1 &&
            (text[1] < forms[i].second_least || text[1] > forms[i].second_most))
            return 0;
        for (size_t at = 2; at < forms[i].length; at++)
            if ((text[at] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

static int check_utf8(rt_ctx *ctx, const char *field, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t length = sequence_length(at);
        if (!length)
            return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%s` is not valid UTF-8 at byte %zu", field,
                           (size_t)(at - (const unsigned char *)text));
        at += length;
    }
    return 0;
}

/* What goes into a header line: no line break can end it and begin another. */
static int check_line(rt_ctx *ctx, const char *field, const char *text)
{
    for (const char *at = text; *at; at++)
        if (is_control((unsigned char)*at) && *at != '\t')
            return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%s` has a control character (0x%02x)",
                           field, (unsigned char)*at);
    return check_utf8(ctx, field, text);
}

const char *rt_mail_random(rt_ctx *ctx, uint32_t bytes)
{
    unsigned char random[32];
    char *text = rt_alloc(ctx, 2 * (uint64_t)bytes + 1);
    if (bytes > sizeof random || getrandom(random, bytes, 0) != (ssize_t)bytes)
        rt_die(ctx, "the system gave no random bytes");
    for (uint32_t i = 0; i < bytes; i++) {
        text[2 * i] = "0123456789abcdef"[random[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
    }
    return text;
}

/* --- addresses ------------------------------------------------------------------------------- */

/* A dot-atom of RFC 5322; quoted local parts are allowed there, and used by nobody
 * but attackers. */
static bool is_local_part(const char *text, size_t length)
{
    if (length == 0 || length > LOCAL_LIMIT || text[0] == '.' || text[length - 1] == '.')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_atom_text((unsigned char)text[i]) && (text[i] != '.' || text[i - 1] == '.'))
            return false;
    return true;
}

static bool is_domain(const char *text)
{
    for (size_t label; *text; text += label + (text[label] == '.' && text[label + 1])) {
        label = strcspn(text, ".");
        if (label == 0 || label > LABEL_LIMIT || text[0] == '-' || text[label - 1] == '-')
            return false;
        for (size_t i = 0; i < label; i++)
            if (!is_alphanumeric((unsigned char)text[i]) && text[i] != '-')
                return false;
        if (text[label] == '.' && !text[label + 1])
            return false;
        if (!text[label])
            return true;
    }
    return false;
}

static int check_address(rt_ctx *ctx, const char *field, const char *address)
{
    const char *at = strrchr(address, '@');
    if (at && strlen(address) <= ADDRESS_LIMIT && is_local_part(address, (size_t)(at - address)) &&
        is_domain(at + 1))
        return 0;
    for (const char *c = address; *c; c++)
        if ((unsigned char)*c >= 0x80)
            return rt_fail_with(
                ctx, &(rt_error){.size = sizeof(rt_error),
                                 .code = RT_EINVALID_ARGUMENT,
                                 .message =
                                     rt_format(ctx, "`%s` is not an address: `%s`", field, address),
                                 .hint = "write an international domain in its `xn--` form"});
    return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%s` is not an address: `%s`", field, address);
}

/* The display name between `begin` and `end`, trimmed and without its quotes. Without quotes it has
 * none of the characters that could hide a second address. */
static int parse_name(rt_ctx *ctx, const char *field, const char *begin, const char *end,
                      const char **parsed)
{
    while (begin < end && (*begin == ' ' || *begin == '\t'))
        begin++;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    bool quoted = end - begin >= 2 && *begin == '"' && end[-1] == '"';
    if (quoted)
        begin++, end--;
    if (begin == end)
        return 0;
    char *name = rt_alloc(ctx, (uint64_t)(end - begin) + 1), *out = name;
    for (; begin < end; begin++) {
        bool escaped = quoted && *begin == '\\' && ++begin < end;
        if (begin == end || (!escaped && strchr(quoted ? "\"" : "<>\",;@\\", *begin)))
            return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the name in `%s` has to be quoted", field);
        *out++ = *begin;
    }
    *parsed = name;
    return 0;
}

int rt_mail_parse_address(rt_ctx *ctx, const char *field, const char *text, rt_mailbox *mailbox)
{
    if (!text || !*text)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%s` is empty", field);
    RT_TRY(check_line(ctx, field, text));
    const char *open = strrchr(text, '<');
    size_t length = strnlen(text, ADDRESS_LIMIT + 2 * NAME_LIMIT + 8);
    if (text[length])
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%s` is longer than %zu bytes", field, length);
    *mailbox = (rt_mailbox){.address = text};
    if (open && text[length - 1] == '>') {
        RT_TRY(parse_name(ctx, field, text, open, &mailbox->name));
        mailbox->address =
            rt_format(ctx, "%.*s", (int)(length - 1 - (size_t)(open + 1 - text)), open + 1);
    }
    if (mailbox->name && strlen(mailbox->name) > NAME_LIMIT)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the name in `%s` is longer than %d bytes", field,
                       NAME_LIMIT);
    return check_address(ctx, field, mailbox->address);
}

static int parse_list(rt_ctx *ctx, const char *field, const char *const *texts, uint32_t count,
                      const rt_mailbox **list)
{
    rt_mailbox *parsed = rt_alloc(ctx, count * sizeof *parsed);
    if (count && !texts)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%s` counts %u addresses and has none", field,
                       count);
    for (uint32_t i = 0; i < count; i++)
        RT_TRY(rt_mail_parse_address(ctx, field, texts[i], &parsed[i]));
    *list = parsed;
    return 0;
}

static void add_recipients(rt_mail *mail, const rt_mailbox *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = 0;
        while (at < mail->recipient_count && strcasecmp(mail->recipients[at], list[i].address) != 0)
            at++;
        mail->recipients[at] = list[i].address;
        mail->recipient_count += at == mail->recipient_count;
    }
}

static int check_people(rt_ctx *ctx, const char *from, rt_mail *mail)
{
    const rt_email *message = mail->message;
    const rt_mailbox *bcc;
    uint64_t count = (uint64_t)message->to_count + message->cc_count + message->bcc_count;
    if (count == 0)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the mail has no recipient");
    if (count > RT_MAIL_RECIPIENTS)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the mail has more than %d recipients",
                       RT_MAIL_RECIPIENTS);
    RT_TRY(rt_mail_parse_address(ctx, "from", message->from ? message->from : from, &mail->from));
    if (message->reply_to)
        RT_TRY(rt_mail_parse_address(ctx, "reply_to", message->reply_to, &mail->reply_to));
    RT_TRY(parse_list(ctx, "to", message->to, message->to_count, &mail->to));
    RT_TRY(parse_list(ctx, "cc", message->cc, message->cc_count, &mail->cc));
    RT_TRY(parse_list(ctx, "bcc", message->bcc, message->bcc_count, &bcc));
    mail->recipients = rt_alloc(ctx, count * sizeof *mail->recipients);
    add_recipients(mail, mail->to, message->to_count);
    add_recipients(mail, mail->cc, message->cc_count);
    add_recipients(mail, bcc, message->bcc_count);
    return 0;
}

/* --- headers, bodies, attachments ------------------------------------------------------------ */

static int check_header(rt_ctx *ctx, const rt_email_pair *header)
{
    if (!header->name || !header->name[0] || !header->value)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "a header has no name or no value");
    for (const unsigned char *c = (const unsigned char *)header->name; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == ':')
            return rt_fail(ctx, RT_EINVALID_ARGUMENT, "a header name has the byte 0x%02x", *c);
    if (strlen(header->name) > 76)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "header name `%s` is longer than 76 bytes",
                       header->name);
    for (size_t i = 0; i < sizeof reserved_headers / sizeof reserved_headers[0]; i++)
        if (strcasecmp(header->name, reserved_headers[i]) == 0)
            return rt_fail(ctx, RT_EINVALID_ARGUMENT, "header `%s` cannot be set as a further one",
                           header->name);
    return check_line(ctx, header->name, header->value);
}

/* type/subtype with parameters, printable; multipart and message may not be base64 (RFC 2045). */
static bool is_content_type(const char *text)
{
    const char *slash = strchr(text, '/');
    if (!slash || slash == text || !is_alphanumeric((unsigned char)slash[1]) ||
        strlen(text) > NAME_LIMIT || strncasecmp(text, "multipart/", 10) == 0 ||
        strncasecmp(text, "message/", 8) == 0)
        return false;
    for (const char *c = text; c < slash; c++)
        if (!is_atom_text((unsigned char)*c))
            return false;
    for (const char *c = slash + 1; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c >= 0x7f)
            return false;
    return true;
}

static int check_attachment(rt_ctx *ctx, const rt_email_attachment *attachment)
{
    const char *name = attachment->filename;
    if (!name || !name[0] || strlen(name) > NAME_LIMIT)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT,
                       "an attachment's `filename` is empty or longer than %d bytes", NAME_LIMIT);
    RT_TRY(check_line(ctx, "filename", name));
    if (strchr(name, '\t'))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`filename` has a control character (0x09)");
    if (attachment->content_type && !is_content_type(attachment->content_type))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "attachment `%s` has a wrong `content_type`",
                       name);
    if (attachment->length && !attachment->data)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "attachment `%s` has a length and no data", name);
    return 0;
}

static int check_content(rt_ctx *ctx, const rt_email *message)
{
    if (!message->text && !message->html)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the mail has neither `text` nor `html`");
    RT_TRY(check_line(ctx, "subject", message->subject ? message->subject : ""));
    RT_TRY(check_utf8(ctx, "text", message->text ? message->text : ""));
    RT_TRY(check_utf8(ctx, "html", message->html ? message->html : ""));
    if ((message->header_count && !message->headers) ||
        (message->attachment_count && !message->attachments))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT,
                       "the mail counts headers or attachments that it does not have");
    for (uint32_t i = 0; i < message->header_count; i++)
        RT_TRY(check_header(ctx, &message->headers[i]));
    for (uint32_t i = 0; i < message->attachment_count; i++)
        RT_TRY(check_attachment(ctx, &message->attachments[i]));
    return 0;
}

int rt_mail_prepare(rt_ctx *ctx, const rt_email *message, const rt_email_result *result,
                    const char *from, rt_mail *mail)
{
    *mail = (rt_mail){0};
    if (rt_cancelled(ctx))
        return rt_fail(ctx, RT_ECANCELED, "cancelled before the mail was sent");
    if (rt_deadline(ctx) && rt_deadline(ctx) <= rt_now())
        return rt_fail(ctx, RT_EDEADLINE, "out of time before the mail was sent");
    if (!message || !RT_HAS(message, metadata))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the mail has no `size`");
    if (result && !RT_HAS(result, error_message))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the result has no `size`");
    rt_email *ours = rt_alloc(ctx, sizeof *ours);
    ours->size = sizeof *ours;
    rt_struct_copy(ours, message);
    mail->message = ours;
    RT_TRY(check_people(ctx, from, mail));
    RT_TRY(check_content(ctx, ours));
    mail->id =
        rt_format(ctx, "%s@%s", rt_mail_random(ctx, 16), strrchr(mail->from.address, '@') + 1);
    return 0;
}

/* --- results --------------------------------------------------------------------------------- */

int rt_mail_settle(rt_ctx *ctx, int code, const rt_mail *mail, rt_email_result *result)
{
    if (!result || !RT_HAS(result, error_message))
        return code;
    const rt_error *error = code < 0 ? rt_last_error(ctx) : NULL;
    bool described = error && error->code == -code;
    rt_email_result ours = {
        .size = sizeof ours,
        .status = code < 0 ? RT_EMAIL_REJECTED : RT_EMAIL_ACCEPTED,
        .error_code = -code,
        .id = mail->id,
        .provider_message_id = code < 0 ? NULL : mail->provider_message_id,
        .error_message = code == 0   ? NULL
                         : described ? error->message
                                     : rt_code_name(code),
    };
    rt_struct_copy(result, &ours);
    return code;
}

int rt_mail_send_batch(rt_ctx *ctx,
                       int (*send)(rt_ctx *ctx, const rt_email *message, rt_email_result *result),
                       const rt_email *messages, uint32_t count, rt_email_result *results)
{
    int last = 0;
    if (count &&
        (!messages || !results || !RT_HAS(messages, metadata) || !RT_HAS(results, error_message)))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the mails or the results have no `size`");
    for (uint32_t i = 0; i < count; i++) {
        last = send(ctx, messages, results);
        messages = (const rt_email *)((const char *)messages + messages->size);
        results = (rt_email_result *)((char *)results + results->size);
    }
    return rt_cancelled(ctx) ? -RT_ECANCELED
           : last == -RT_EDEADLINE && rt_deadline(ctx) && rt_deadline(ctx) <= rt_now()
               ? -RT_EDEADLINE
               : 0;
}

int rt_mail_play_refusal(rt_ctx *ctx, const rt_mail *mail)
{
    static const struct {
        const char *prefix;
        int code;
        const char *domain, *detail;
    } refusals[] = {
        {"reject", RT_EFAILED_PRECONDITION, "550", "5.1.1 no such user"},
        {"greylist", RT_EUNAVAILABLE, "451", "4.2.0 try later"},
    };
    for (uint32_t at = 0; at < mail->recipient_count; at++)
        for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
            if (strncmp(mail->recipients[at], refusals[i].prefix, strlen(refusals[i].prefix)) == 0)
                return rt_fail_with(
                    ctx, &(rt_error){.size = sizeof(rt_error),
                                     .code = refusals[i].code,
                                     .retryable = (uint32_t)rt_code_retryable(refusals[i].code),
                                     .domain = refusals[i].domain,
                                     .message = rt_format(ctx, "recipient `%s` was refused",
                                                          mail->recipients[at]),
                                     .detail = refusals[i].detail});
    return 0;
}
