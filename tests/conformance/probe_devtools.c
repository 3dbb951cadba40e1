/* probe_devtools.c — probe-devtools: work to look at with the developer tools
 *
 *     GET  /held/{name}   does some work inside of another, then waits for /release
 *     GET  /release       lets one that is held go on
 *     GET  /refused       sends a mail that is refused, and fails
 *     POST /letter        sends a mail with HTML, a script in it, and an attachment
 *     GET  /leak          logs its secret, and fails with it
 *     GET  /spy           asks for a document, which it may not
 */
#include <rt/cap/email.h>
#include <rt/rt.h>
#include <stdlib.h>

RT_MODULE("probe-devtools", "0.1.0", "Does work to look at")
RT_SERVES(routes)
RT_REQUIRES(email, 1)
RT_OPTION(secret, key, , "Not to be seen")

struct gate {
    rt_channel *opens;
};

static const char letter[] =
    "<html><body style=\"font-family: sans-serif; padding: 24px\"><h1 style=\"color: #14713f\">"
    "Thank you</h1><p>Your order is on its way.</p><table style=\"border: 1px solid #c4cad5\"><tr>"
    "<td>Darjeeling</td><td>2 tins</td></tr></table><img src=\"https://tracker.example/pixel.png\">"
    "<script>document.title = parent.document.title = 'broken out';</script></body></html>";

static int brew(rt_ctx *ctx, void *name)
{
    rt_log(ctx, RT_LOG_INFO, "brewing %s", (const char *)name);
    return rt_sleep(ctx, RT_MS(12));
}

static int prepare(rt_ctx *ctx, void *name)
{
    RT_TRY(rt_sleep(ctx, RT_MS(4)));
    RT_TRY(rt_run(ctx, brew, name, .name = "tea.brew"));
    return rt_run(ctx, brew, name, .name = "tea.brew_again");
}

static int hold(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct gate *gate = rt_state(ctx);
    rt_str name = rt_param(request, "name");
    void *item;
    RT_TRY(rt_run(ctx, prepare, rt_format(ctx, "%.*s", (int)name.length, name.data),
                  .name = "tea.prepare"));
    RT_TRY(rt_channel_receive(ctx, gate->opens, &item));
    return rt_respond(ctx, response, 200, "text/plain", RT_STR("released\n"));
}

static int release(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    struct gate *gate = rt_state(ctx);
    (void)request;
    RT_TRY(rt_channel_send(ctx, gate->opens, gate));
    return rt_respond(ctx, response, 200, "text/plain", RT_STR("open\n"));
}

static int send_to(rt_ctx *ctx, const char *recipient, const char *subject, const char *html)
{
    const char *to[] = {recipient};
    const rt_email_attachment attachment = {
        .filename = "bill.txt", .content_type = "text/plain", .data = "2 tins\n", .length = 7};
    const rt_email mail = {.size = sizeof mail,
                           .from = "Shop <shop@example.org>",
                           .to = to,
                           .to_count = 1,
                           .subject = subject,
                           .text = "Thank you.\nYour order is on its way.\n",
                           .html = html,
                           .attachments = &attachment,
                           .attachment_count = html ? 1 : 0};
    return rt_email_send(ctx, email, &mail, NULL);
}

static int post_letter(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    RT_TRY(send_to(ctx, "Ann <ann@example.org>", "Your tea", letter));
    return rt_respond(ctx, response, 202, "text/plain", RT_STR("sent\n"));
}

static int be_refused(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request, (void)response;
    if (send_to(ctx, "reject@example.org", "Nobody reads this", NULL) == 0)
        return 0;
    return rt_fail(ctx, RT_EINTERNAL, "the kettle is broken");
}

static int leak(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const char *key = RT_GET(ctx, key);
    (void)request, (void)response;
    rt_log_with(ctx, RT_LOG_WARN, rt_format(ctx, "the key is %s", key), {"key", key});
    return rt_fail(ctx, RT_EINTERNAL, "the key `%s` does not fit", key);
}

static int spy(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_str text;
    rt_observation seen = {.size = sizeof seen};
    (void)request;
    if (rt_observe(ctx, &seen) != -RT_EPERMISSION_DENIED)
        return rt_fail(ctx, RT_EINTERNAL, "records are for everybody");
    RT_TRY(rt_inspect(ctx, "plan", &text));
    return rt_respond(ctx, response, 200, "application/json", text);
}

static int open_gate(rt_ctx *ctx)
{
    struct gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory");
    gate->opens = rt_channel_new(0);
    rt_set_state(ctx, gate);
    return 0;
}

static int close_gate(rt_ctx *ctx)
{
    struct gate *gate = rt_state(ctx);
    rt_channel_close(gate->opens);
    rt_channel_free(gate->opens);
    free(gate);
    return 0;
}

RT_REGISTER(registry)
{
    RT_TRY(rt_on(registry, .start = open_gate, .stop = close_gate));
    RT_TRY(rt_route(registry, RT_GET, "/held/{name}", hold));
    RT_TRY(rt_route(registry, RT_GET, "/release", release));
    RT_TRY(rt_route(registry, RT_GET, "/refused", be_refused));
    RT_TRY(rt_route(registry, RT_POST, "/letter", post_letter));
    RT_TRY(rt_route(registry, RT_GET, "/leak", leak));
    return rt_route(registry, RT_GET, "/spy", spy);
}
