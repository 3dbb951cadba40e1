/* conformance_email.c — conformance-email: runs the suite on whatever email/1 is bound
 *
 *     GET  /conformance/email        the suite, as TAP
 *     POST /conformance/email/send   one mail: {"to","from","subject","text","html","bytes"}, all
 * of them optional; its result as JSON
 */
#include <email_conformance.h>
#include <rt/cap/outbox.h>
#include <string.h>

RT_MODULE("conformance-email", "0.1.0", "Runs the conformance suite of email/1",
          RT_DEVELOPMENT_ONLY)
RT_SERVES(routes)
RT_REQUIRES(email, 1)
RT_OPTIONAL(outbox, 1)

static int count_taken(rt_ctx *ctx, uint64_t *count)
{
    uint64_t calls;
    *count = 0;
    RT_TRY(rt_outbox_count(ctx, outbox, &calls));
    for (uint64_t i = 0; i < calls; i++) {
        rt_outbox_entry entry = {.size = sizeof entry};
        RT_TRY(rt_outbox_get(ctx, outbox, i, &entry));
        *count += entry.code == 0;
    }
    return 0;
}

/* An outbox says something about this provider only if it is the same instance. */
static bool outbox_is_of_email(const rt_ctx *ctx)
{
    return rt_bound(ctx, outbox) && ctx->instance->bindings[outbox->slot.index].instance ==
                                        ctx->instance->bindings[email->slot.index].instance;
}

static int run_suite(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    rt_email_conformance subject = {.email = email};
    if (outbox_is_of_email(ctx)) {
        RT_TRY(rt_outbox_clear(ctx, outbox));
        subject.count_taken = count_taken;
    }
    return rt_respond(ctx, response, 200, "text/plain; charset=utf-8",
                      rt_email_conformance_run(ctx, &subject));
}

static void put(rt_json *json, const char *key, const char *text)
{
    rt_json_key(json, key);
    rt_json_put_string(json, text);
}

static const char *member(const rt_json_value *body, const char *key, const char *otherwise)
{
    const char *text = rt_json_string(rt_json_get(body, key));
    return text ? text : otherwise;
}

static void write_outcome(rt_json *json, const rt_email_result *result, const rt_error *error)
{
    put(json, "message", error ? error->message : NULL);
    put(json, "detail", error ? error->detail : NULL);
    put(json, "hint", error ? error->hint : NULL);
    put(json, "domain", error ? error->domain : NULL);
    rt_json_key(json, "retryable"), rt_json_put_bool(json, error && error->retryable);
    put(json, "id", result->id);
    put(json, "providerMessageId", result->provider_message_id);
}

static int send_one(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_json_value *body;
    rt_email_result result = {.size = sizeof result};
    RT_TRY(rt_body_json(ctx, request, &body));
    const char *to[] = {member(body, "to", "ann@example.org")};
    uint64_t bytes = (uint64_t)rt_json_int(rt_json_get(body, "bytes"), 0);
    const rt_email_attachment file = {"zeros.bin", NULL, rt_alloc(ctx, bytes), bytes};
    uint64_t began = rt_now();
    int code = rt_email_send(ctx, email,
                             &(rt_email){.size = sizeof(rt_email),
                                         .from = member(body, "from", "Shop <shop@example.org>"),
                                         .to = to,
                                         .to_count = 1,
                                         .subject = member(body, "subject", "conformance: single"),
                                         .text = member(body, "text", "Hello.\n"),
                                         .html = member(body, "html", NULL),
                                         .attachments = &file,
                                         .attachment_count = bytes > 0},
                             &result);
    rt_json *json = rt_json_new(ctx);
    rt_json_object(json);
    put(json, "code", rt_code_name(code));
    write_outcome(json, &result, code < 0 ? rt_last_error(ctx) : NULL);
    rt_json_key(json, "milliseconds");
    rt_json_put_int(json, (int64_t)((rt_now() - began) / 1000000));
    rt_json_end(json);
    return rt_respond_json(ctx, response, 200, json);
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/conformance/email", run_suite, .timeout = RT_S(60)));
    return rt_route(registry, RT_POST, "/conformance/email/send", send_one);
}
