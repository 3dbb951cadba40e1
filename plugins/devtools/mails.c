/* mails.c — the mails that a double of email/1 kept (outbox/1) */
#include "devtools/devtools.h"

#include <rt/cap/outbox.h>
#include <string.h>

RT_USES(outbox)

uint64_t devtools_mail_count(rt_ctx *ctx)
{
    uint64_t count = 0;
    if (!rt_bound(ctx, outbox) || rt_outbox_count(ctx, outbox, &count) < 0)
        return 0;
    return count;
}

/* --- the list -------------------------------------------------------------------------------- */

static void put_text(rt_json *json, const char *name, const char *text)
{
    rt_json_key(json, name);
    rt_json_put_string(json, text);
}

static void put_texts(rt_json *json, const char *name, const char *const *texts, uint32_t count)
{
    rt_json_key(json, name);
    rt_json_array(json);
    for (uint32_t i = 0; i < count; i++)
        rt_json_put_string(json, texts[i]);
    rt_json_end(json);
}

static void put_pairs(rt_json *json, const char *name, const rt_email_pair *pairs, uint32_t count)
{
    rt_json_key(json, name);
    rt_json_array(json);
    for (uint32_t i = 0; i < count; i++) {
        rt_json_object(json);
        put_text(json, "name", pairs[i].name);
        put_text(json, "value", pairs[i].value);
        rt_json_end(json);
    }
    rt_json_end(json);
}

static void put_attachments(rt_json *json, const rt_email *mail)
{
    rt_json_key(json, "attachments");
    rt_json_array(json);
    for (uint32_t i = 0; i < mail->attachment_count; i++) {
        const rt_email_attachment *attachment = &mail->attachments[i];
        rt_json_object(json);
        put_text(json, "filename", attachment->filename);
        put_text(json, "content_type", attachment->content_type);
        rt_json_key(json, "length"), rt_json_put_int(json, (int64_t)attachment->length);
        rt_json_end(json);
    }
    rt_json_end(json);
}

static void put_mail(rt_json *json, const rt_outbox_entry *entry)
{
    const rt_email *mail = entry->message;
    rt_json_object(json);
    put_text(json, "id", entry->id);
    put_text(json, "refused", entry->code ? rt_code_name(entry->code) : NULL);
    put_text(json, "subject", mail->subject);
    put_text(json, "from", mail->from);
    put_text(json, "reply_to", mail->reply_to);
    put_texts(json, "to", mail->to, mail->to_count);
    put_texts(json, "cc", mail->cc, mail->cc_count);
    put_texts(json, "bcc", mail->bcc, mail->bcc_count);
    put_texts(json, "tags", mail->tags, mail->tag_count);
    put_pairs(json, "headers", mail->headers, mail->header_count);
    put_text(json, "text", mail->text);
    rt_json_key(json, "html"), rt_json_put_bool(json, mail->html != NULL);
    put_attachments(json, mail);
    rt_json_end(json);
}

int devtools_mails(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    rt_outbox_entry entry = {.size = sizeof entry};
    rt_json *json = rt_json_new(ctx);
    RT_TRY(devtools_admit(ctx, request, response));
    uint64_t count = devtools_mail_count(ctx);
    rt_json_object(json);
    rt_json_key(json, "captured"), rt_json_put_bool(json, rt_bound(ctx, outbox));
    rt_json_key(json, "mails"), rt_json_array(json);
    for (uint64_t i = 0; i < count && rt_outbox_get(ctx, outbox, i, &entry) == 0; i++)
        put_mail(json, &entry);
    rt_json_end(json), rt_json_end(json);
    RT_TRY(rt_respond_header(ctx, response, "Cache-Control", "no-store"));
    return rt_respond_json(ctx, response, 200, json);
}

int devtools_clear_mails(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    RT_TRY(devtools_admit(ctx, request, response));
    if (rt_bound(ctx, outbox))
        RT_TRY(rt_outbox_clear(ctx, outbox));
    return 0;
}

/* --- parts of one ---------------------------------------------------------------------------- */

/* By its id: others may come or go meanwhile. */
static int find_mail(rt_ctx *ctx, const rt_request *request, const rt_email **mail)
{
    rt_outbox_entry entry = {.size = sizeof entry};
    rt_str id = rt_param(request, "id");
    uint64_t count = devtools_mail_count(ctx);
    for (uint64_t i = 0; i < count && rt_outbox_get(ctx, outbox, i, &entry) == 0; i++) {
        *mail = entry.message;
        if (entry.id && devtools_is(id, entry.id))
            return 0;
    }
    return rt_fail(ctx, RT_ENOT_FOUND, "that mail is not kept");
}

/* In a frame of its own address, not in `srcdoc`, which would be under the page's policy: mails are
 * styled inline. */
int devtools_mail_html(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_email *mail;
    RT_TRY(devtools_admit_frame(ctx, request, response));
    RT_TRY(find_mail(ctx, request, &mail));
    if (!mail->html)
        return rt_fail(ctx, RT_ENOT_FOUND, "that mail has no html");
    RT_TRY(rt_respond_header(ctx, response, "Cache-Control", "no-store"));
    return rt_respond(ctx, response, 200, "text/html; charset=utf-8",
                      (rt_str){mail->html, strlen(mail->html)});
}

static const rt_email_attachment *find_attachment(const rt_email *mail, rt_str number)
{
    uint64_t index = 0;
    for (uint64_t i = 0; i < number.length; i++) {
        if (number.data[i] < '0' || number.data[i] > '9' || i == 9)
            return NULL;
        index = index * 10 + (uint64_t)(number.data[i] - '0');
    }
    return index < mail->attachment_count ? &mail->attachments[index] : NULL;
}

/* Never shown by the browser, only saved. */
int devtools_attachment(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    const rt_email *mail;
    RT_TRY(devtools_admit(ctx, request, response));
    RT_TRY(find_mail(ctx, request, &mail));
    const rt_email_attachment *attachment = find_attachment(mail, rt_param(request, "number"));
    if (!attachment)
        return rt_fail(ctx, RT_ENOT_FOUND, "that mail has no such attachment");
    RT_TRY(rt_respond_header(ctx, response, "Cache-Control", "no-store"));
    RT_TRY(rt_respond_header(ctx, response, "Content-Disposition", "attachment"));
    return rt_respond(ctx, response, 200, "application/octet-stream",
                      (rt_str){attachment->data, attachment->length});
}
