#include "recorder.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    uint32_t method; /* its index */
    int32_t code;
    char *arguments;
};

/* What the test wants of one method. */
struct wish {
    int32_t code; /* rt_code, for `calls` more calls */
    uint32_t calls;
    void *replacement;
};

struct rt_recorder {
    const char *const *methods;
    uint32_t method_count;
    uint32_t capacity;
    void (*reset)(rt_ctx *ctx);
    uint64_t recorded; /* ever; call n lies at n % capacity */
    uint64_t first;    /* the oldest one kept */
    struct kept *ring;
    struct wish *wishes; /* by method; after them one of any method */
};

rt_recorder *rt_recorder_open(const char *const *methods, uint32_t capacity,
                              void (*reset)(rt_ctx *ctx))
{
    rt_recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder)
        return NULL;
    recorder->methods = methods;
    while (methods[recorder->method_count])
        recorder->method_count++;
    recorder->capacity = capacity ? capacity : 1;
    recorder->reset = reset;
    recorder->ring = calloc(recorder->capacity, sizeof *recorder->ring);
    recorder->wishes = calloc(recorder->method_count + 1, sizeof *recorder->wishes);
    if (recorder->ring && recorder->wishes)
        return recorder;
    rt_recorder_close(recorder);
    return NULL;
}

static void forget_calls(rt_recorder *recorder)
{
    for (uint64_t i = recorder->first; i < recorder->recorded; i++) {
        struct kept *kept = &recorder->ring[i % recorder->capacity];
        free(kept->arguments);
        kept->arguments = NULL;
    }
    recorder->first = recorder->recorded;
}

void rt_recorder_close(rt_recorder *recorder)
{
    if (!recorder)
        return;
    forget_calls(recorder);
    free(recorder->ring);
    free(recorder->wishes);
    free(recorder);
}

/* method_count: there is none of that name. */
static uint32_t find_method(const rt_recorder *recorder, const char *method)
{
    uint32_t index = 0;
    while (index < recorder->method_count && strcmp(recorder->methods[index], method) != 0)
        index++;
    return index;
}

/* --- recording ------------------------------------------------------------------------------- */

static int record(rt_ctx *ctx, rt_recorder *recorder, uint32_t method, const char *arguments)
{
    char *copy = strdup(arguments ? arguments : "{}");
    if (!copy)
        return rt_fail(ctx, RT_ERESOURCE_EXHAUSTED, "out of memory to record a call");
    struct kept *place = &recorder->ring[recorder->recorded++ % recorder->capacity];
    free(place->arguments);
    *place = (struct kept){.method = method, .code = -RT_EUNKNOWN, .arguments = copy};
    if (recorder->recorded - recorder->first > recorder->capacity)
        recorder->first++;
    return 0;
}

/* The code that this call is to fail with; 0: none. */
static int take_failure(rt_recorder *recorder, uint32_t method)
{
    struct wish *wish = &recorder->wishes[method];
    if (!wish->calls)
        wish = &recorder->wishes[recorder->method_count];
    if (!wish->calls)
        return 0;
    wish->calls--;
    return wish->code;
}

int rt_recorder_begin(rt_ctx *ctx, rt_recorder *recorder, const char *method, const char *arguments,
                      rt_recorder_call *call)
{
    uint32_t index = find_method(recorder, method);
    if (index == recorder->method_count)
        rt_die(ctx, "the double has no method `%s` to record", method);
    RT_TRY(record(ctx, recorder, index, arguments));
    *call = (rt_recorder_call){.number = recorder->recorded - 1,
                               .replacement = recorder->wishes[index].replacement};
    int code = take_failure(recorder, index);
    if (!code)
        return 0;
    return rt_recorder_end(recorder, call,
                           rt_fail(ctx, code, "the test wants this call of `%s` to fail", method));
}

int rt_recorder_end(rt_recorder *recorder, const rt_recorder_call *call, int result)
{
    /* By now it may have been pushed out, or forgotten by a reset. */
    if (call->number >= recorder->first)
        recorder->ring[call->number % recorder->capacity].code = result;
    return result;
}

/* --- bytes ----------------------------------------------------------------------------------- */

/* Bytes of the character at `text`, of `left` bytes that are there; 0: it is none. */
static uint64_t character_length(const unsigned char *text, uint64_t left)
{
    static const struct {
        unsigned char mask, bits;
        uint32_t least;
    } forms[] = {{0x80, 0, 1}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (uint64_t more = 0; more < sizeof forms / sizeof forms[0]; more++) {
        if ((text[0] & forms[more].mask) != forms[more].bits)
            continue;
        uint32_t character = text[0] & (unsigned char)~forms[more].mask;
        for (uint64_t i = 1; i <= more; i++) {
            if (i >= left || (text[i] & 0xc0) != 0x80)
                return 0;
            character = character << 6 | (text[i] & 0x3fu);
        }
        bool surrogate = character >= 0xd800 && character < 0xe000;
        return character < forms[more].least || character > 0x10ffff || surrogate ? 0 : more + 1;
    }
    return 0;
}

static bool is_text(rt_str bytes)
{
    for (uint64_t at = 0, length; at < bytes.length; at += length) {
        length = character_length((const unsigned char *)bytes.data + at, bytes.length - at);
        if (!length)
            return false;
    }
    return true;
}

static rt_str to_base64(rt_ctx *ctx, rt_str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char mark[] = "base64:";
    uint64_t length = sizeof mark - 1 + (bytes.length + 2) / 3 * 4;
    char *text = rt_alloc(ctx, length + 1), *to = text + sizeof mark - 1;
    memcpy(text, mark, sizeof mark - 1);
    for (uint64_t i = 0; i < bytes.length; i += 3) {
        uint32_t group = 0;
        for (uint64_t k = 0; k < 3; k++)
            group = group << 8 | (i + k < bytes.length ? (unsigned char)bytes.data[i + k] : 0);
        for (uint64_t k = 0; k < 4; k++)
            *to++ = i + k > bytes.length ? '=' : digits[group >> (18 - 6 * k) & 63];
    }
    return (rt_str){text, length};
}

void rt_recorder_put_bytes(rt_ctx *ctx, rt_json *json, rt_str bytes)
{
    rt_json_put_str(json, is_text(bytes) ? bytes : to_base64(ctx, bytes));
}

/* --- test-double/1 --------------------------------------------------------------------------- */

int rt_recorder_count(rt_ctx *ctx, uint64_t *count)
{
    const rt_recorder *recorder = rt_recorder_of(ctx);
    *count = recorder->recorded - recorder->first;
    return 0;
}

int rt_recorder_get(rt_ctx *ctx, uint64_t index, rt_double_call *call)
{
    const rt_recorder *recorder = rt_recorder_of(ctx);
    if (!call || !RT_HAS(call, arguments))
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the call has no `size`");
    if (index >= recorder->recorded - recorder->first)
        return rt_fail(ctx, RT_ENOT_FOUND, "no call %llu was recorded", (unsigned long long)index);
    const struct kept *kept =
        &recorder->ring[(recorder->recorded - 1 - index) % recorder->capacity];
    rt_struct_copy(call, &(rt_double_call){.size = sizeof *call,
                                           .code = kept->code,
                                           .method = recorder->methods[kept->method],
                                           .arguments = rt_format(ctx, "%s", kept->arguments)});
    return 0;
}

static int check_method(rt_ctx *ctx, const rt_recorder *recorder, const char *method)
{
    if (method && find_method(recorder, method) < recorder->method_count)
        return 0;
    return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the double has no method `%s`",
                   method ? method : "");
}

int rt_recorder_fail_next(rt_ctx *ctx, const char *method, int32_t code, uint32_t calls)
{
    rt_recorder *recorder = rt_recorder_of(ctx);
    if (!method || strcmp(method, "*") != 0)
        RT_TRY(check_method(ctx, recorder, method));
    if (code < RT_ECANCELED || code > RT_EUNAUTHENTICATED)
        return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%d` is no error code", code);
    struct wish *wish = &recorder->wishes[find_method(recorder, method)];
    wish->code = code;
    wish->calls = calls;
    return 0;
}

int rt_recorder_replace(rt_ctx *ctx, const char *method, void *function)
{
    rt_recorder *recorder = rt_recorder_of(ctx);
    RT_TRY(check_method(ctx, recorder, method));
    recorder->wishes[find_method(recorder, method)].replacement = function;
    return 0;
}

int rt_recorder_reset(rt_ctx *ctx)
{
    rt_recorder *recorder = rt_recorder_of(ctx);
    forget_calls(recorder);
    memset(recorder->wishes, 0, (recorder->method_count + 1) * sizeof *recorder->wishes);
    if (recorder->reset)
        recorder->reset(ctx);
    return 0;
}
