/* email_memory.c — email-memory: keeps mails instead of sending them, for development
 *
 * Recipients that begin with `reject` are refused for good and those with `greylist` for now, so
 * that a developer sees the unhappy paths too. What was kept is read through outbox/1.
 */
#include "message.h"
#include "outbox.h"

RT_MODULE("email-memory", "0.1.0", "Keeps mails in memory instead of sending them",
          RT_DEVELOPMENT_ONLY RT_PROCESS_LOCAL)
RT_PROVIDES(email, 1, fallback, 0)
RT_PROVIDES(outbox, 1, fallback, 0)
RT_OPTION(int, capacity, RT_DEFAULT(100) RT_RANGE(1, 100000), "Most mails kept; the oldest go")
RT_OPTION(string, from, RT_RANGE(3, 512), "Sender of mails that name none")

static int open_memory(rt_ctx *ctx)
{
    rt_outbox *outbox = rt_outbox_open((uint32_t)RT_GET(ctx, capacity));
    if (!outbox)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    rt_set_state(ctx, outbox);
    return 0;
}

static int close_memory(rt_ctx *ctx)
{
    rt_outbox_close(rt_state(ctx));
    rt_set_state(ctx, NULL);
    return 0;
}

static int capture(rt_ctx *ctx, const rt_mail *mail)
{
    RT_TRY(rt_mail_play_refusal(ctx, mail));
    RT_TRY(rt_outbox_record(ctx, rt_state(ctx), mail->message, mail->id, 0));
    rt_log(ctx, RT_LOG_INFO, "captured mail to %s%s: %s", mail->recipients[0],
           mail->recipient_count > 1 ? " and others" : "",
           mail->message->subject ? mail->message->subject : "(no subject)");
    return 0;
}

static int send_mail(rt_ctx *ctx, const rt_email *message, rt_email_result *result)
{
    rt_mail mail;
    int code = rt_mail_prepare(ctx, message, result, RT_GET(ctx, from), &mail);
    if (code == 0)
        code = capture(ctx, &mail);
    return rt_mail_settle(ctx, code, &mail, result);
}

static int send_batch(rt_ctx *ctx, const rt_email *messages, uint32_t count,
                      rt_email_result *results)
{
    return rt_mail_send_batch(ctx, send_mail, messages, count, results);
}

static int count_kept(rt_ctx *ctx, uint64_t *count)
{
    *count = rt_outbox_length(rt_state(ctx));
    return 0;
}

static int get_kept(rt_ctx *ctx, uint64_t index, rt_outbox_entry *entry)
{
    return rt_outbox_read(ctx, rt_state(ctx), index, entry);
}

static int clear_kept(rt_ctx *ctx)
{
    rt_outbox_empty(rt_state(ctx));
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = open_memory, .stop = close_memory));
    RT_TRY(rt_provide(registry, outbox, .count = count_kept, .get = get_kept, .clear = clear_kept));
    return rt_provide(registry, email, .send = send_mail, .send_batch = send_batch);
}
