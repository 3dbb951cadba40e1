#include "email_conformance.h"

#include <stdio.h>
#include <string.h>

#define SENDER "Shop <shop@example.org>"
#define CHECK(expression)                      \
    do {                                       \
        const char *complaint_ = (expression); \
        if (complaint_)                        \
            return complaint_;                 \
    } while (0)

static const char *const ann[] = {"ann@example.org"};

/* A sound mail to start from. */
static rt_email mail(const char *subject)
{
    return (rt_email){.size = sizeof(rt_email),
                      .from = SENDER,
                      .to = ann,
                      .to_count = 1,
                      .subject = subject,
                      .text = "Thank you.\n"};
}

static const char *check_taken(rt_ctx *ctx, const rt_email_result *result)
{
    if (result->status != RT_EMAIL_ACCEPTED && result->status != RT_EMAIL_QUEUED)
        return rt_format(ctx, "the status is %u", result->status);
    if (result->error_code || result->error_message)
        return "the result of a taken mail has an error";
    if (!result->id || !strchr(result->id, '@') || strpbrk(result->id, "<> "))
        return rt_format(ctx, "the id is `%s`", result->id ? result->id : "(null)");
    return NULL;
}

static const char *check_refused(rt_ctx *ctx, const rt_email_result *result, int code)
{
    if (result->status != RT_EMAIL_REJECTED || result->error_code != code)
        return rt_format(ctx, "the result has status %u and %s instead of %s", result->status,
                         rt_code_name(result->error_code), rt_code_name(code));
    if (!result->error_message || !result->error_message[0])
        return "the result of a refused mail has no error message";
    return NULL;
}

static const char *count(rt_ctx *ctx, const rt_email_conformance *subject, uint64_t *taken)
{
    *taken = 0;
    if (!subject->count_taken)
        return NULL;
    return rt_conformance_code(ctx, "counting mails", subject->count_taken(ctx, taken), 0);
}

/* Sends and expects `code`, in the answer, in the result, and in what was taken. */
static const char *send(rt_ctx *ctx, const rt_email_conformance *subject, const rt_email *message,
                        int code, const char *what)
{
    rt_email_result result = {.size = sizeof result};
    uint64_t before, after;
    CHECK(count(ctx, subject, &before));
    int got = rt_email_send(ctx, subject->email, message, &result);
    CHECK(rt_conformance_code(ctx, what, got, -code));
    const char *complaint = code ? check_refused(ctx, &result, code) : check_taken(ctx, &result);
    if (complaint)
        return rt_format(ctx, "%s: %s", what, complaint);
    CHECK(count(ctx, subject, &after));
    if (subject->count_taken && (after != before) != (code == 0))
        return rt_format(ctx, "%s: the mail was %s", what, code ? "sent all the same" : "not kept");
    return NULL;
}

/* --- mails that are taken -------------------------------------------------------------------- */

static const char *plain_text(rt_ctx *ctx, void *subject)
{
    rt_email message = mail("conformance: plain text");
    return send(ctx, subject, &message, 0, "a plain text");
}

static const char *no_result(rt_ctx *ctx, void *subject)
{
    const rt_email_conformance *provider = subject;
    rt_email message = mail("conformance: no result");
    return rt_conformance_code(ctx, "sending", rt_email_send(ctx, provider->email, &message, NULL),
                               0);
}

static const char *html_and_text(rt_ctx *ctx, void *subject)
{
    rt_email message = mail("conformance: html and text");
    message.html = "<p>Thank <b>you</b> \xe2\x9c\x93</p>\n";
    CHECK(send(ctx, subject, &message, 0, "html and text"));
    message.subject = "conformance: html alone";
    message.text = NULL;
    return send(ctx, subject, &message, 0, "html alone");
}

/* Dots that SMTP would eat, lines it would refuse, ends and blanks that relays change. */
static const char *difficult_lines(rt_ctx *ctx, void *subject)
{
    char *text = rt_alloc(ctx, 8192);
    strcpy(text, ".\n..\n.hidden\n\nFrom here\n= =3D\ntrailing \t\n\xe2\x82\xac\n.\r\n");
    size_t length = strlen(text);
    memset(text + length, 'x', 4000);
    strcpy(text + length + 4000, "\n.\nlast line without an end");
    rt_email message = mail("conformance: difficult lines");
    message.text = text;
    return send(ctx, subject, &message, 0, "difficult lines");
}

static const char *utf8_names(rt_ctx *ctx, void *subject)
{
    const char *const to[] = {"J\xc3\xbcrgen M\xc3\xbcller <jurgen@example.org>",
                              "\"Last, First \\\"Q\\\"\" <last@example.org>"};
    rt_email message =
        mail("conformance: Gr\xc3\xbc\xc3\x9f"
             "e \xe2\x82\xac \xf0\x9f\x98\x80 and a subject that is so long that it has to be "
             "folded more than once, \xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc");
    message.from = "Caf\xc3\xa9 <cafe@example.org>";
    message.to = to;
    message.to_count = 2;
    return send(ctx, subject, &message, 0, "UTF-8 in subject and names");
}

static const char *long_subject(rt_ctx *ctx, void *subject)
{
    char *text = rt_alloc(ctx, 3072);
    strcpy(text, "conformance: long subject");
    for (int i = 0; i < 40; i++)
        strcat(text, " several words");
    strcat(text, " ");
    memset(text + strlen(text), 'y', 1500);
    rt_email message = mail(text);
    return send(ctx, subject, &message, 0, "a long subject");
}

static const char *all_recipients(rt_ctx *ctx, void *subject)
{
    const char *const cc[] = {"Carl <carl@example.org>", "ANN@example.org"};
    const char *const bcc[] = {"blind@example.org", "ann@example.org"};
    rt_email message = mail("conformance: recipients");
    message.cc = cc, message.cc_count = 2;
    message.bcc = bcc, message.bcc_count = 2;
    message.reply_to = "Desk <desk@example.org>";
    CHECK(send(ctx, subject, &message, 0, "to, cc, bcc and reply_to"));
    message = mail("conformance: blind alone");
    message.to_count = 0;
    message.bcc = bcc, message.bcc_count = 1;
    return send(ctx, subject, &message, 0, "blind recipients alone");
}

static const char *further_headers(rt_ctx *ctx, void *subject)
{
    const rt_email_pair headers[] = {{"X-Campaign", "spring"},
                                     {"List-Unsubscribe", "<https://example.org/u?id=1>"},
                                     {"X-Note", "na\xc3\xafve"}};
    const rt_email_pair metadata[] = {{"order", "17"}};
    const char *const tags[] = {"receipt"};
    rt_email message = mail("conformance: further headers");
    message.headers = headers, message.header_count = 3;
    message.metadata = metadata, message.metadata_count = 1;
    message.tags = tags, message.tag_count = 1;
    return send(ctx, subject, &message, 0, "further headers");
}

/* Bytes of every value, in no short period. */
static unsigned char *sample_bytes(rt_ctx *ctx, uint64_t length)
{
    unsigned char *bytes = rt_alloc(ctx, length);
    for (uint64_t i = 0; i < length; i++)
        bytes[i] = (unsigned char)(i * 7 + (i >> 8));
    return bytes;
}

static const char *attachments(rt_ctx *ctx, void *subject)
{
    const rt_email_attachment files[] = {
        {"bytes.bin", NULL, sample_bytes(ctx, 1000), 1000},
        {"\xc3\x9c"
         "bersicht \xe2\x82\xac.txt",
         "text/plain; charset=utf-8", "hello\n", 6},
        {"empty.txt", "text/plain", NULL, 0},
        {"a \"quoted\" name.pdf", "application/pdf", "%PDF", 4},
    };
    rt_email message = mail("conformance: attachments");
    message.html = "<p>see attachments</p>";
    message.attachments = files, message.attachment_count = 4;
    return send(ctx, subject, &message, 0, "attachments");
}

static const char *large_attachment(rt_ctx *ctx, void *subject)
{
    const rt_email_attachment file = {"large.bin", NULL, sample_bytes(ctx, 1000000), 1000000};
    rt_email message = mail("conformance: large attachment");
    message.attachments = &file, message.attachment_count = 1;
    return send(ctx, subject, &message, 0, "an attachment of 1 MB");
}

/* --- mails that are wrong -------------------------------------------------------------------- */

/* Puts `poison` into one field of a sound mail. */
static rt_email poisoned(rt_ctx *ctx, uint32_t field, const char *poison, const char **name)
{
    static const char *const fields[] = {"from",     "to",          "cc",          "bcc",
                                         "reply_to", "subject",     "header name", "header value",
                                         "filename", "content_type"};
    const char *address = rt_format(ctx, "ann@example.org%s", poison);
    const char *named = rt_format(ctx, "Ann%s <ann@example.org>", poison);
    const char **list = rt_alloc(ctx, sizeof *list);
    rt_email_pair *header = rt_alloc(ctx, sizeof *header);
    rt_email_attachment *file = rt_alloc(ctx, sizeof *file);
    rt_email message = mail("conformance: must never arrive");
    *header = (rt_email_pair){"X-Test", "value"};
    *file = (rt_email_attachment){"file.txt", "text/plain", "x", 1};
    *list = field % 2 ? address : named;
    *name = field < 10 ? fields[field] : NULL;
    switch (field) {
    case 0:
        message.from = named;
        break;
    case 1:
        message.to = list;
        break;
    case 2:
        message.cc = list, message.cc_count = 1;
        break;
    case 3:
        message.bcc = list, message.bcc_count = 1;
        break;
    case 4:
        message.reply_to = address;
        break;
    case 5:
        message.subject = rt_format(ctx, "Hello%s", poison);
        break;
    case 6:
        header->name = rt_format(ctx, "X-Test%s", poison);
        break;
    case 7:
        header->value = rt_format(ctx, "value%s", poison);
        break;
    case 8:
        file->filename = rt_format(ctx, "file%s", poison);
        break;
    case 9:
        file->content_type = rt_format(ctx, "text/plain%s", poison);
        break;
    }
    if (field == 6 || field == 7)
        message.headers = header, message.header_count = 1;
    if (field == 8 || field == 9)
        message.attachments = file, message.attachment_count = 1;
    return message;
}

static const char *injection(rt_ctx *ctx, void *subject)
{
    static const char *const poisons[] = {
        "\r\nBcc: victim@example.org", "\nX: y", "\rX: y", "\x01", "\x7f", "\r\n\r\nbody"};
    for (size_t i = 0; i < sizeof poisons / sizeof poisons[0]; i++) {
        const char *name;
        for (uint32_t field = 0;; field++) {
            rt_email message = poisoned(ctx, field, poisons[i], &name);
            if (!name)
                break;
            CHECK(send(ctx, subject, &message, RT_EINVALID_ARGUMENT,
                       rt_format(ctx, "poison %zu in `%s`", i, name)));
        }
    }
    return NULL;
}

static const char *reserved_headers(rt_ctx *ctx, void *subject)
{
    static const char *const names[] = {"Bcc",     "bcc",  "To",         "From",
                                        "Subject", "Date", "Message-ID", "Content-Type",
                                        "",        "A B",  "A:"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const rt_email_pair header = {names[i], "victim@example.org"};
        rt_email message = mail("conformance: must never arrive");
        message.headers = &header, message.header_count = 1;
        CHECK(send(ctx, subject, &message, RT_EINVALID_ARGUMENT,
                   rt_format(ctx, "further header `%s`", names[i])));
    }
    return NULL;
}

static const char *no_recipient(rt_ctx *ctx, void *subject)
{
    rt_email message = mail("conformance: must never arrive");
    message.to_count = 0;
    return send(ctx, subject, &message, RT_EINVALID_ARGUMENT, "no recipient");
}

static const char *no_body(rt_ctx *ctx, void *subject)
{
    rt_email message = mail("conformance: must never arrive");
    message.text = NULL;
    return send(ctx, subject, &message, RT_EINVALID_ARGUMENT, "no body");
}

static const char *bad_address(rt_ctx *ctx, void *subject)
{
    static const char *const wrong[] = {"",
                                        "ann",
                                        "@example.org",
                                        "ann@",
                                        "ann@@example.org",
                                        "a nn@example.org",
                                        "ann@exa mple.org",
                                        "ann@-example.org",
                                        "ann@example..org",
                                        ".ann@example.org",
                                        "an..n@example.org",
                                        "Ann <ann@example.org",
                                        "Ann <>",
                                        "<ann@example.org> x",
                                        "ann@example.org, bob@example.org",
                                        "ann@ex\xc3\xa4mple.org",
                                        "\xff <ann@example.org>",
                                        "ann@example.org>",
                                        "<ann@example.org><bob@example.org>",
                                        "ann@example.org."};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const char *const to[] = {"bob@example.org", wrong[i]};
        rt_email message = mail("conformance: must never arrive");
        message.to = to, message.to_count = 2;
        CHECK(send(ctx, subject, &message, RT_EINVALID_ARGUMENT,
                   rt_format(ctx, "address %zu `%s`", i, i == 16 ? "(not UTF-8)" : wrong[i])));
    }
    return NULL;
}

/* --- refusals, lists, limits ----------------------------------------------------------------- */

static const char *refusal(rt_ctx *ctx, const rt_email_conformance *subject, const char *recipient,
                           int code, uint32_t retryable)
{
    const char *const to[] = {"bob@example.org", recipient};
    rt_email message = mail("conformance: must never arrive");
    message.to = to, message.to_count = 2;
    CHECK(send(ctx, subject, &message, code, recipient));
    const rt_error *error = rt_last_error(ctx);
    if (!error || error->code != code)
        return "the error of the context is another one";
    if (error->retryable != retryable)
        return rt_format(ctx, "retryable is %u", error->retryable);
    if (!error->message || !strstr(error->message, recipient))
        return rt_format(ctx, "the message does not name the recipient: %s", error->message);
    if (!error->detail || !error->detail[0])
        return "the error has no detail";
    return NULL;
}

static const char *rejected(rt_ctx *ctx, void *subject)
{
    return refusal(ctx, subject, "reject@example.org", RT_EFAILED_PRECONDITION, 0);
}

static const char *greylisted(rt_ctx *ctx, void *subject)
{
    return refusal(ctx, subject, "greylist@example.org", RT_EUNAVAILABLE, 1);
}

static const char *after_refusal(rt_ctx *ctx, void *subject)
{
    CHECK(rejected(ctx, subject));
    rt_email message = mail("conformance: after a refusal");
    return send(ctx, subject, &message, 0, "a mail after a refused one");
}

static const char *batch(rt_ctx *ctx, void *subject)
{
    const rt_email_conformance *provider = subject;
    static const char *const nobody[] = {"not an address"}, *const reject[] = {
                                                                "reject@example.org"};
    rt_email_result results[4];
    rt_email messages[4] = {mail("conformance: batch 0"), mail("conformance: must never arrive"),
                            mail("conformance: must never arrive"), mail("conformance: batch 3")};
    messages[1].to = nobody;
    messages[2].to = reject;
    memset(results, 0xa5, sizeof results);
    for (size_t i = 0; i < 4; i++)
        results[i].size = sizeof results[i];
    int code = rt_email_send_batch(ctx, provider->email, messages, 4, results);
    CHECK(rt_conformance_code(ctx, "a batch with refused mails", code, 0));
    CHECK(check_taken(ctx, &results[0]));
    CHECK(check_refused(ctx, &results[1], RT_EINVALID_ARGUMENT));
    CHECK(check_refused(ctx, &results[2], RT_EFAILED_PRECONDITION));
    CHECK(check_taken(ctx, &results[3]));
    if (strcmp(results[0].id, results[3].id) == 0)
        return "two mails have the same id";
    CHECK(rt_conformance_code(ctx, "a batch without room for results",
                              rt_email_send_batch(ctx, provider->email, messages, 4, NULL),
                              -RT_EINVALID_ARGUMENT));
    return rt_conformance_code(ctx, "an empty batch",
                               rt_email_send_batch(ctx, provider->email, NULL, 0, NULL), 0);
}

/* As a module would have them that was built with a later minor version of the SDK. */
struct later_email {
    rt_email email;
    char more[24];
};
struct later_result {
    rt_email_result result;
    char more[8];
};

static const char *later_version(rt_ctx *ctx, void *subject)
{
    const rt_email_conformance *provider = subject;
    struct later_email messages[2] = {{.email = mail("conformance: later 0")},
                                      {.email = mail("conformance: later 1")}};
    struct later_result results[2];
    memset(messages[0].more, 0xa5, sizeof messages[0].more);
    memset(results, 0xa5, sizeof results);
    for (size_t i = 0; i < 2; i++) {
        messages[i].email.size = sizeof messages[i];
        results[i].result.size = sizeof results[i];
    }
    int code = rt_email_send_batch(ctx, provider->email, &messages[0].email, 2, &results[0].result);
    CHECK(rt_conformance_code(ctx, "a batch of a later version", code, 0));
    for (size_t i = 0; i < 2; i++) {
        CHECK(check_taken(ctx, &results[i].result));
        if (results[i].result.size != sizeof results[i])
            return "the size of a result was changed";
        if (memcmp(results[i].more, (char[8]){0}, sizeof results[i].more) != 0)
            return "what the provider does not know of a result is not zero";
    }
    return NULL;
}

struct attempt {
    const rt_email_conformance *subject;
    char subject_line[64];
    const char *complaint;
    rt_ctx *outer;
};

static int attempt(rt_ctx *ctx, void *argument)
{
    struct attempt *attempt = argument;
    rt_email message = mail(attempt->subject_line);
    rt_email_result result = {.size = sizeof result};
    int code = rt_email_send(ctx, attempt->subject->email, &message, &result);
    const char *complaint = rt_conformance_code(ctx, "one of many", code, 0);
    if (complaint)
        attempt->complaint = rt_format(attempt->outer, "%s", complaint);
    return code;
}

static const char *concurrent(rt_ctx *ctx, void *subject)
{
    enum { MAILS = 20 };
    rt_task *tasks[MAILS];
    struct attempt *attempts = rt_alloc(ctx, MAILS * sizeof *attempts);
    for (int i = 0; i < MAILS; i++) {
        attempts[i] = (struct attempt){.subject = subject, .outer = ctx};
        snprintf(attempts[i].subject_line, sizeof attempts[i].subject_line,
                 "conformance: concurrent %d", i);
        tasks[i] = rt_spawn(ctx, attempt, &attempts[i]);
    }
    for (int i = 0; i < MAILS; i++)
        rt_join(ctx, tasks[i]);
    for (int i = 0; i < MAILS; i++)
        CHECK(attempts[i].complaint);
    return NULL;
}

static const char *limited(rt_ctx *ctx, const rt_email_conformance *subject, uint64_t deadline,
                           rt_cancel *cancel, int code)
{
    struct attempt late = {
        .subject = subject, .subject_line = "conformance: must never arrive", .outer = ctx};
    uint64_t before, after;
    CHECK(count(ctx, subject, &before));
    int got = rt_run(ctx, attempt, &late, .deadline = deadline, .cancel = cancel);
    CHECK(rt_conformance_code(ctx, "sending", got, -code));
    CHECK(count(ctx, subject, &after));
    return before == after ? NULL : "the mail was sent all the same";
}

static const char *past_deadline(rt_ctx *ctx, void *subject)
{
    return limited(ctx, subject, 1, NULL, RT_EDEADLINE);
}

static const char *cancelled(rt_ctx *ctx, void *subject)
{
    rt_cancel *cancel = rt_cancel_new();
    rt_cancel_fire(cancel);
    const char *complaint = limited(ctx, subject, 0, cancel, RT_ECANCELED);
    rt_cancel_free(cancel);
    return complaint;
}

static const rt_conformance_case cases[] = {
    {"a plain text mail is accepted", plain_text},
    {"a sender need not look at the result", no_result},
    {"html with and without text is accepted", html_and_text},
    {"dots, long lines and odd line ends are accepted", difficult_lines},
    {"UTF-8 in subject and names is accepted", utf8_names},
    {"a subject longer than a line may be is accepted", long_subject},
    {"to, cc, bcc and reply_to are accepted", all_recipients},
    {"further headers, tags and metadata are accepted", further_headers},
    {"attachments of every kind are accepted", attachments},
    {"header injection is refused in every field and nothing is sent", injection},
    {"headers that the message itself makes cannot be set", reserved_headers},
    {"a mail without recipient is refused", no_recipient},
    {"a mail without body is refused", no_body},
    {"what is no address is refused", bad_address},
    {"a rejected recipient is a failed precondition and not retryable", rejected},
    {"a greylisted recipient is unavailable and retryable", greylisted},
    {"a mail after a refused one is accepted", after_refusal},
    {"a batch answers in order with bad mails in the middle", batch},
    {"messages and results of a later version are read and filled", later_version},
    {"twenty concurrent mails are accepted", concurrent},
    {"a deadline in the past is honoured and nothing is sent", past_deadline},
    {"cancelled work sends nothing", cancelled},
    {"an attachment of one megabyte is accepted", large_attachment},
};

rt_str rt_email_conformance_run(rt_ctx *ctx, const rt_email_conformance *subject)
{
    return rt_conformance_run(ctx, cases, sizeof cases / sizeof cases[0],
                              (void *)(uintptr_t)subject);
}
