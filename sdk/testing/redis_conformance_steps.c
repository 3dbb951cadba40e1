/* Commands as text, and replies as text. */
#include "redis_conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_WORDS 64

/* --- replies --------------------------------------------------------------------------------- */

static const char *quoted(rt_ctx *ctx, const rt_redis_reply *reply)
{
    char *text = rt_alloc(ctx, reply->length * 4 + 3), *at = text;
    *at++ = '\'';
    for (uint64_t i = 0; i < reply->length; i++) {
        unsigned char c = (unsigned char)reply->text[i];
        if (c >= ' ' && c <= '~')
            *at++ = (char)c;
        else
            at += snprintf(at, 5, "\\x%02x", c);
    }
    *at = '\'';
    return text;
}

static const char *failure(rt_ctx *ctx, int code, const char *text, size_t length)
{
    size_t word = 0;
    while (word < length && text[word] != ' ')
        word++;
    return rt_format(ctx, "!%s %.*s", rt_code_name(code), (int)word, text);
}

static const char *elements(rt_ctx *ctx, const rt_redis_reply *reply)
{
    const char *text = "";
    for (uint64_t i = 0; i < reply->length; i++)
        text = rt_format(ctx, "%s%s%s", text, i ? ", " : "",
                         rt_redis_conformance_text(ctx, 0, &reply->elements[i]));
    return rt_format(ctx, "[%s]", text);
}

const char *rt_redis_conformance_text(rt_ctx *ctx, int code, const rt_redis_reply *reply)
{
    const rt_error *error = code < 0 ? rt_last_error(ctx) : NULL;
    if (code < 0) {
        const char *domain = error && error->domain ? error->domain : "";
        return failure(ctx, code, domain, strlen(domain));
    }
    switch (reply->type) {
    case RT_REDIS_NULL:
        return "null";
    case RT_REDIS_STRING:
        return quoted(ctx, reply);
    case RT_REDIS_INTEGER:
        return rt_format(ctx, "%lld", (long long)reply->integer);
    case RT_REDIS_ARRAY:
        return elements(ctx, reply);
    case RT_REDIS_STATUS:
        return rt_format(ctx, "+%s", reply->text);
    case RT_REDIS_ERROR:
        return failure(ctx, reply->code, reply->text, reply->length);
    default:
        return rt_format(ctx, "a reply of type %u", reply->type);
    }
}

/* --- what is expected ------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *sorted(rt_ctx *ctx, const rt_redis_reply *reply)
{
    const char **texts = rt_alloc(ctx, (reply->length + 1) * sizeof *texts), *text = "";
    for (uint64_t i = 0; i < reply->length; i++)
        texts[i] = rt_redis_conformance_text(ctx, 0, &reply->elements[i]);
    qsort(texts, reply->length, sizeof *texts, by_text);
    for (uint64_t i = 0; i < reply->length; i++)
        text = rt_format(ctx, "%s%s%s", text, i ? ", " : "", texts[i]);
    return rt_format(ctx, "~[%s]", text);
}

static bool is_between(const char *expected, const rt_redis_reply *reply)
{
    char *end;
    long long least = strtoll(expected, &end, 10);
    return end > expected && strncmp(end, "..", 2) == 0 && reply->type == RT_REDIS_INTEGER &&
           reply->integer >= least && reply->integer <= strtoll(end + 2, NULL, 10);
}

static const char *judge(rt_ctx *ctx, const rt_redis_step *step, int code,
                         const rt_redis_reply *reply)
{
    const char *expected = step->expected;
    if (!expected || (code == 0 && is_between(expected, reply)))
        return NULL;
    const char *text = code == 0 && expected[0] == '~' && reply->type == RT_REDIS_ARRAY
                           ? sorted(ctx, reply)
                           : rt_redis_conformance_text(ctx, code, reply);
    const rt_error *error = code < 0 ? rt_last_error(ctx) : NULL;
    if (strcmp(text, expected) == 0)
        return NULL;
    return rt_format(ctx, "`%s`: expected %s, got %s%s%s%s%s", step->command, expected, text,
                     error ? ": " : "", error && error->message ? error->message : "",
                     error && error->detail ? "; " : "",
                     error && error->detail ? error->detail : "");
}

/* --- commands -------------------------------------------------------------------------------- */

static rt_str word_of(rt_ctx *ctx, const char *text, size_t length)
{
    if (length < 2 || strncmp(text, "k:", 2) != 0)
        return (rt_str){text, length};
    return rt_string(rt_format(ctx, "conformance:%.*s", (int)length - 2, text + 2));
}

static rt_redis_arguments parse(rt_ctx *ctx, const char *text)
{
    rt_str *words = rt_alloc(ctx, MOST_WORDS * sizeof *words);
    rt_redis_arguments command = {.arguments = words};
    if (*text == '&') /* it blocks */
        text++, command.flags = RT_REDIS_BLOCKS;
    while (*(text += strspn(text, " ")) && command.count < MOST_WORDS) {
        bool in_quotes = *text == '\'';
        size_t length = strcspn(text += in_quotes, in_quotes ? "'" : " ");
        words[command.count++] = word_of(ctx, text, length);
        text += length + in_quotes;
    }
    return command;
}

const char *rt_redis_conformance_steps(rt_ctx *ctx, struct rt_redis_slot *redis,
                                       const rt_redis_step *steps, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        rt_redis_reply reply = {0};
        rt_redis_arguments command = parse(ctx, steps[i].command);
        int code = rt_redis_command(ctx, redis, &command, &reply);
        const char *complaint = judge(ctx, &steps[i], code, &reply);
        if (complaint)
            return complaint;
    }
    return NULL;
}
