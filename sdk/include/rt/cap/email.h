/* rt/cap/email.h — email/1: sending mail
 *
 * Ownership: the message stays the caller's and may be freed after the call; results point into
 * the memory of the context. Text is UTF-8. Waiting: send and send_batch wait.
 *
 * Addresses are `user@example.org` or `Name <user@example.org>`. Control characters in any address,
 * subject, header name or header value are refused (header injection). A mail has at most 500
 * recipients. `from` NULL takes the provider's setting of that name, where it has one.
 *
 * Errors, both as the returned code and in the result (status REJECTED, error_code, error_message):
 *   -RT_EINVALID_ARGUMENT    the message is wrong: no recipient, no body, a bad address or header
 *   -RT_EFAILED_PRECONDITION the server refused it for good (5xx of RFC 5321); not retryable
 *   -RT_EUNAVAILABLE         the server refused it for now (4xx) or cannot be reached; retryable
 *   -RT_EUNAUTHENTICATED     the server refused our credentials
 *   -RT_ERESOURCE_EXHAUSTED  no memory
 *   -RT_EDEADLINE, -RT_ECANCELED
 *
 *     rt_email_result sent = {.size = sizeof sent};
 *     RT_TRY(rt_email_send(ctx, email, &(rt_email){
 *         .size = sizeof(rt_email), .from = "Shop <shop@example.org>",
 *         .to = (const char *[]){"ann@example.org"}, .to_count = 1,
 *         .subject = "Your order", .text = "Thank you."}, &sent));
 */
#ifndef RT_CAP_EMAIL_H
#define RT_CAP_EMAIL_H

#include <rt/capability.h>

typedef struct rt_email_pair {
    const char *name;
    const char *value;
} rt_email_pair;

typedef struct rt_email_attachment {
    const char *filename;
    const char *content_type; /* NULL: application/octet-stream */
    const void *data;
    uint64_t length;
} rt_email_attachment;

typedef struct rt_email {
    uint32_t size; /* sizeof(rt_email) */
    uint32_t to_count, cc_count, bcc_count;
    uint32_t header_count, attachment_count, tag_count, metadata_count;
    const char *from;
    const char *const *to;
    const char *const *cc;
    const char *const *bcc; /* receives the mail, is named in no header */
    const char *reply_to;   /* or NULL */
    const char *subject;
    const char *html; /* html, text or both */
    const char *text;
    const rt_email_pair *headers; /* further header fields */
    const rt_email_attachment *attachments;
    const char *const *tags;       /* for providers that have them; else ignored */
    const rt_email_pair *metadata; /* likewise */
} rt_email;

enum rt_email_status {
    RT_EMAIL_ACCEPTED = 1,
    RT_EMAIL_QUEUED = 2,
    RT_EMAIL_REJECTED = 3,
};

typedef struct rt_email_result {
    uint32_t size;      /* sizeof(rt_email_result), set by the caller */
    uint32_t status;    /* rt_email_status */
    int32_t error_code; /* an rt_code, 0 when accepted or queued */
    uint32_t reserved;
    const char *id;                  /* ours: the Message-ID without angle brackets */
    const char *provider_message_id; /* the server's, or NULL */
    const char *error_message;       /* or NULL */
} rt_email_result;

#define RT_EMAIL_PAIR_FIELDS(F)   \
    F(rt_email_pair, VALUE, name) \
    F(rt_email_pair, VALUE, value)
#define RT_EMAIL_ATTACHMENT_FIELDS(F)           \
    F(rt_email_attachment, VALUE, filename)     \
    F(rt_email_attachment, VALUE, content_type) \
    F(rt_email_attachment, BYTES, data, length)
#define RT_EMAIL_FIELDS(F)                                                \
    F(rt_email, SIZE, size)                                               \
    F(rt_email, VALUE, from)                                              \
    F(rt_email, TEXTS, to, to_count)                                      \
    F(rt_email, TEXTS, cc, cc_count)                                      \
    F(rt_email, TEXTS, bcc, bcc_count)                                    \
    F(rt_email, VALUE, reply_to)                                          \
    F(rt_email, VALUE, subject)                                           \
    F(rt_email, VALUE, html)                                              \
    F(rt_email, VALUE, text)                                              \
    F(rt_email, MANY, headers, header_count, rt_email_pair)               \
    F(rt_email, MANY, attachments, attachment_count, rt_email_attachment) \
    F(rt_email, TEXTS, tags, tag_count)                                   \
    F(rt_email, MANY, metadata, metadata_count, rt_email_pair)
#define RT_EMAIL_RESULT_FIELDS(F)                         \
    F(rt_email_result, SIZE, size)                        \
    F(rt_email_result, NAMED, status, rt_email_statuses_) \
    F(rt_email_result, VALUE, error_code)                 \
    F(rt_email_result, VALUE, id)                         \
    F(rt_email_result, VALUE, provider_message_id)        \
    F(rt_email_result, VALUE, error_message)
RT_FORM_NAMES(rt_email_statuses_, {"accepted", RT_EMAIL_ACCEPTED}, {"queued", RT_EMAIL_QUEUED},
              {"rejected", RT_EMAIL_REJECTED})
RT_FORM(rt_email_pair, RT_EMAIL_PAIR_FIELDS)
RT_FORM(rt_email_attachment, RT_EMAIL_ATTACHMENT_FIELDS)
RT_FORM(rt_email, RT_EMAIL_FIELDS)
RT_FORM(rt_email_result, RT_EMAIL_RESULT_FIELDS)
#define RT_EMAIL_FORMS(F) F(rt_email) F(rt_email_result)
#define RT_FORMS_email ~, RT_EMAIL_FORMS

/* send: `result` may be NULL.
 * send_batch: `results` has one for each message, in the same order, all of the size that the first
 * says, as the messages are; 0 even if messages were rejected; -RT_EINVALID_ARGUMENT without
 * results. */
#define RT_EMAIL_METHODS(M)                                                            \
    M(email, send, RT_WAITS, (const rt_email *, message), (rt_email_result *, result)) \
    M(email, send_batch, RT_WAITS, (const rt_email *, messages), (uint32_t, count),    \
      (rt_email_result *, results))
#define RT_METHODS_email RT_METHOD_NAMES(RT_EMAIL_METHODS)

RT_CAPABILITY(email, 1, RT_EMAIL_METHODS)

#endif
