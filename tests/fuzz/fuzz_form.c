/* Whatever JSON `rtctl call` is given: what is taken is written back, and that is taken again and
 * written the same. */
#include "fiber/fiber.h"
#include "http/http.h"
#include "process/form.h"

#include <rt/cap/outbox.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
    const char *text;
    size_t length;
} input;

/* Of mails, there and back: the result is the argument. */
#define RT_FORMS_post ~, RT_EMAIL_FORMS
#define POST_METHODS(M)                                                      \
    M(post, copy, RT_NO_FLAGS, (const rt_email *, mails), (uint32_t, count), \
      (rt_email *, mails_back))
RT_CAPABILITY(post, 1, POST_METHODS)

typedef struct rt_post_copy_arguments_ arguments;

/* 0; or -RT_E…, which must come with a message. */
static int there_and_back(rt_ctx *ctx, const char *text, size_t length, rt_str *back)
{
    const rt_form_method *method = rt_form_find(rt_post_methods_form_(), "copy");
    const rt_json_value *json;
    void *given;
    RT_TRY(rt_host_json_parse(ctx, text, length, &json));
    RT_TRY(rt_form_read(ctx, method, json, &given));
    const arguments *read = given;
    for (uint32_t i = 0; i < read->count; i++)
        if (read->mails[i].size != sizeof(rt_email))
            abort();
    if (read->count)
        memcpy(read->mails_back, read->mails, read->count * sizeof(rt_email));
    return rt_form_write(ctx, method, given, back);
}

static int run(rt_ctx *ctx, void *argument)
{
    const input *in = argument;
    rt_str once, twice;
    static const char head[] = "{\"mails_back\":";
    int code = there_and_back(ctx, in->text, in->length, &once);
    if (code < 0 && !rt_host_last_error(ctx)->message)
        abort();
    if (code < 0)
        return code;
    uint64_t length = once.length - (sizeof head - 1);
    char *again = rt_host_format(ctx, "{\"mails\":%.*s", (int)length, once.data + sizeof head - 1);
    if (there_and_back(ctx, again, strlen(again), &twice) < 0 || twice.length != once.length ||
        memcmp(once.data, twice.data, once.length) != 0)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rt_instance instance = {
        .magic = RT_INSTANCE_MAGIC, .size = sizeof instance, .name = "fuzz", .module = "fuzz"};
    static bool open;
    input in = {.text = malloc(size + !size), .length = size};
    memcpy((char *)in.text, data, size);
    if (!open && rt_loop_open(&(rt_loop_options){0}) == 0)
        open = true;
    rt_unit_options options = {.instance = &instance, .name = "fuzz"};
    if (!open || rt_unit_start(&options, run, &in))
        abort();
    free((char *)in.text);
    return 0;
}
