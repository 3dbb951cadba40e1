/* email_test.c — email-test: the double of email/1
 *
 * Records every call that is a sound mail, refused ones with their code; read through outbox/1.
 * Refuses recipients that begin with `reject` for good and those with `greylist` for now, and
 * whatever outbox.fail_next asks for.
 */
#include "message.h"
#include "outbox.h"

#include <stdlib.h>

RT_MODULE("email-test", "0.1.0", "Records mails for tests and fails on demand")
RT_PROVIDES(email, 1, test, 0)
RT_PROVIDES(outbox, 1, test, 0)
RT_OPTION(int, capacity, RT_DEFAULT(10000) RT_RANGE(1, 1000000), "Most calls kept; the oldest go")

struct double_state {
    rt_outbox *outbox;
    int32_t failure; /* an rt_code, for `failures` more calls */
    uint32_t failures;
};

static int open_double(rt_ctx *ctx)
{
    struct double_state *state = calloc(1, sizeof *state);
    if (!state || !(state->outbox = rt_outbox_open((uint32_t)RT_GET(ctx, capacity)))) {
        free(state);
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    }
    rt_set_state(ctx, state);
    return 0;
}

static int close_double(rt_ctx *ctx)
{
    struct double_state *state = rt_state(ctx);
    rt_outbox_close(state->outbox);
    free(state);
    rt_set_state(ctx, NULL);
    return 0;
}

static int outcome(rt_ctx *ctx, const rt_mail *mail)
{
    struct double_state *state = rt_state(ctx);
    if (!state->failures)
        return rt_mail_play_refusal(ctx, mail);
    state->failures--;
    return rt_fail(ctx, state->failure, "the test wants this mail to fail");
}

static int send_mail(rt_ctx *ctx, const rt_email *message, rt_email_result *result)
{
    struct double_state *state = rt_state(ctx);
    rt_mail mail;
    int code = rt_mail_prepare(ctx, message, result, "test@example.org", &mail);
    if (code == 0) {
        code = outcome(ctx, &mail);
        int kept = rt_outbox_record(ctx, state->outbox, mail.message, mail.id, code);
        code = code < 0 ? code : kept;
    }
    return rt_mail_settle(ctx, code, &mail, result);
}

static int send_batch(rt_ctx *ctx, const rt_email *messages, uint32_t count,
                      rt_email_result *results)
{
    return rt_mail_send_batch(ctx, send_mail, messages, count, results);
}

static int count_calls(rt_ctx *ctx, uint64_t *count)
{
    *count = rt_outbox_length(((struct double_state *)rt_state(ctx))->outbox);
    return 0;
}

static int get_call(rt_ctx *ctx, uint64_t index, rt_outbox_entry *entry)
{
    return rt_outbox_read(ctx, ((struct double_state *)rt_state(ctx))->outbox, index, entry);
}

static int clear_calls(rt_ctx *ctx)
{
    struct double_state *state = rt_state(ctx);
    rt_outbox_empty(state->outbox);
    state->failures = 0;
    return 0;
}

static int fail_next(rt_ctx *ctx, int32_t code, uint32_t calls)
{
    struct double_state *state = rt_state(ctx);
    if (code < RT_ECANCELED || code > RT_EUNAUTHENTICATED)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%d` is no error code", code);
    state->failure = code;
    state->failures = calls;
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = open_double, .stop = close_double));
    RT_TRY(rt_provide(registry, outbox, .count = count_calls, .get = get_call, .clear = clear_calls,
                      .fail_next = fail_next));
    return rt_provide(registry, email, .send = send_mail, .send_batch = send_batch);
}
