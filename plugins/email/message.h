/* message.h — what every email provider does with a message before and after sending it
 *
 * Ownership: everything made here lives in the memory of the context. Nothing waits but
 * rt_mail_send_batch.
 *
 *     static int send_one(rt_ctx *ctx, const rt_email *message, rt_email_result *result)
 *     {
 *         rt_mail mail = {0};
 *         int code = rt_mail_prepare(ctx, message, result, NULL, &mail);
 *         if (code == 0)
 *             code = deliver(ctx, &mail);
 *         return rt_mail_settle(ctx, code, &mail, result);
 *     }
 */
#ifndef RT_EMAIL_MESSAGE_H
#define RT_EMAIL_MESSAGE_H

#include <rt/cap/email.h>
#include <rt/rt.h>

enum { RT_MAIL_RECIPIENTS = 500 }; /* most of one mail: to, cc and bcc together */

typedef struct rt_mailbox {
    const char *name; /* UTF-8, without quotes; NULL: none */
    const char *address;
} rt_mailbox;

/* A message that was found sound. */
typedef struct rt_mail {
    const rt_email *message; /* a copy in this plugin's size; what it points to is the caller's */
    const char *id;          /* the Message-ID without angle brackets */
    rt_mailbox from;
    rt_mailbox reply_to;     /* address NULL: none */
    const rt_mailbox *to;    /* message->to_count */
    const rt_mailbox *cc;    /* message->cc_count */
    const char **recipients; /* of the envelope: to, cc and bcc, each once */
    uint32_t recipient_count;
    const char *provider_message_id; /* the provider fills it in; or NULL */
} rt_mail;

/* Checks message and result and fills `mail`. `from` is the sender of messages that name none, or
 * NULL. -RT_EINVALID_ARGUMENT names the first fault; -RT_ECANCELED or -RT_EDEADLINE if it is too
 * late to begin, so that providers that never wait say so too. */
int rt_mail_prepare(rt_ctx *ctx, const rt_email *message, const rt_email_result *result,
                    const char *from, rt_mail *mail);

/* Parses `user@example.org` or `Name <user@example.org>`; `field` is named in errors. */
int rt_mail_parse_address(rt_ctx *ctx, const char *field, const char *text, rt_mailbox *mailbox);

/* Fills `result` (which may be NULL) from the code and the context's last error; returns `code`. */
int rt_mail_settle(rt_ctx *ctx, int code, const rt_mail *mail, rt_email_result *result);

/* send_batch for every provider: one after the other, results in order. Stops early only when the
 * work was cancelled or is out of time, with that code; what was not sent says so in its result. */
int rt_mail_send_batch(rt_ctx *ctx,
                       int (*send)(rt_ctx *ctx, const rt_email *message, rt_email_result *result),
                       const rt_email *messages, uint32_t count, rt_email_result *results);

/* The refusals that doubles play: `reject…@` for good, `greylist…@` for now; 0 for other mails. */
int rt_mail_play_refusal(rt_ctx *ctx, const rt_mail *mail);

/* Random hexadecimal digits in the memory of the context. */
const char *rt_mail_random(rt_ctx *ctx, uint32_t bytes);

#endif
