#include "verdict.h"

#include <ctype.h>
#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_NAME 24
#define SCRIPT_HEAD 3                           /* EVAL, the source, the number of keys */
#define MOST_ARGUMENTS (1024 * 1024)            /* the server's own limits: beyond them it ends */
#define LONGEST_ARGUMENT (512u * 1024u * 1024u) /* the connection, and so its neighbours */

/* --- names ----------------------------------------------------------------------------------- */

/* In capitals; false if it is longer than any command we look for. */
static bool to_capitals(rt_str text, char name[LONGEST_NAME + 1])
{
    if (text.length > LONGEST_NAME)
        return false;
    for (uint64_t i = 0; i < text.length; i++)
        name[i] = (char)toupper((unsigned char)text.data[i]);
    name[text.length] = '\0';
    return true;
}

static bool is_word(rt_str text, const char *word)
{
    char name[LONGEST_NAME + 1];
    return to_capitals(text, name) && strlen(name) == text.length && strcmp(name, word) == 0;
}

const char *rt_redis_name(rt_ctx *ctx, const rt_redis_arguments *command)
{
    rt_str name = command->count ? command->arguments[0] : (rt_str){"", 0};
    uint64_t length = name.length < LONGEST_NAME ? name.length : LONGEST_NAME;
    char *text = rt_alloc(ctx, length + 1);
    for (uint64_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name.data[i];
        text[i] = isalnum(c) || strchr("-_.", c) ? (char)toupper(c) : '.';
    }
    return text;
}

/* --- what is not carried --------------------------------------------------------------------- */

/* Sorted. `second`: only with one of these words behind it. */
static const struct refused {
    const char *name;
    const char *second;
    const char *hint;
} refused[] = {
    {"ASKING", NULL, NULL},
    {"AUTH", NULL, "set `user` and `password` of the provider"},
    {"CLIENT", "REPLY TRACKING CACHING NO-EVICT NO-TOUCH SETNAME", NULL},
    {"DISCARD", NULL, "use redis.atomic"},
    {"EXEC", NULL, "use redis.atomic"},
    {"HELLO", NULL, NULL},
    {"MONITOR", NULL, NULL},
    {"MULTI", NULL, "use redis.atomic"},
    {"PSUBSCRIBE", NULL, NULL},
    {"PSYNC", NULL, NULL},
    {"PUNSUBSCRIBE", NULL, NULL},
    {"QUIT", NULL, NULL},
    {"READONLY", NULL, NULL},
    {"READWRITE", NULL, NULL},
    {"REPLCONF", NULL, NULL},
    {"RESET", NULL, NULL},
    {"SCRIPT", "DEBUG", NULL},
    {"SELECT", NULL, "set `database` of the provider, or use an instance for each database"},
    {"SSUBSCRIBE", NULL, NULL},
    {"SUBSCRIBE", NULL, NULL},
    {"SUNSUBSCRIBE", NULL, NULL},
    {"SYNC", NULL, NULL},
    {"UNSUBSCRIBE", NULL, NULL},
    {"UNWATCH", NULL, "use a script"},
    {"WATCH", NULL, "use a script"},
};

/* Sorted. */
static const char *const blocking[] = {"BLMOVE", "BLMPOP",   "BLPOP",    "BRPOP", "BRPOPLPUSH",
                                       "BZMPOP", "BZPOPMAX", "BZPOPMIN", "WAIT",  "WAITAOF"};

static int by_name(const void *name, const void *row)
{
    return strcmp(name, ((const struct refused *)row)->name);
}

static int by_text(const void *name, const void *row)
{
    return strcmp(name, *(const char *const *)row);
}

static bool is_listed(rt_str text, const char *words)
{
    char name[LONGEST_NAME + 1];
    if (!to_capitals(text, name) || !name[0])
        return false;
    size_t length = strlen(name);
    for (const char *at = words; (at = strstr(at, name)); at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
            return true;
    return false;
}

static int refuse(rt_ctx *ctx, const char *hint, const char *message)
{
    return rt_fail_with(ctx, &(rt_error){.size = sizeof(rt_error),
                                         .code = RT_EINVALID_ARGUMENT,
                                         .domain = "ERR",
                                         .message = message,
                                         .hint = hint});
}

/* XREAD and XREADGROUP block only with an option of that name, which a group may be called too. */
static bool has_block_option(const rt_redis_arguments *command)
{
    for (uint32_t i = 1; i < command->count; i++) {
        if (is_word(command->arguments[i], "BLOCK"))
            return true;
        if (is_word(command->arguments[i], "STREAMS"))
            return false;
        i += is_word(command->arguments[i], "COUNT")   ? 1
             : is_word(command->arguments[i], "GROUP") ? 2
                                                       : 0;
    }
    return false;
}

static bool may_block(const rt_redis_arguments *command, const char *name)
{
    if (strcmp(name, "XREAD") == 0 || strcmp(name, "XREADGROUP") == 0)
        return has_block_option(command);
    return bsearch(name, blocking, sizeof blocking / sizeof blocking[0], sizeof blocking[0],
                   by_text);
}

static int check_shape(rt_ctx *ctx, const rt_redis_arguments *command)
{
    if (!command->count || !command->arguments || !command->arguments[0].length)
        return refuse(ctx, NULL, "the command has no name");
    if (command->count > MOST_ARGUMENTS)
        return refuse(ctx, NULL, rt_format(ctx, "a command of %u arguments", command->count));
    for (uint32_t i = 0; i < command->count; i++) {
        rt_str text = command->arguments[i];
        if (text.length && !text.data)
            return refuse(ctx, NULL, rt_format(ctx, "argument %u has a length and no bytes", i));
        if (text.length > LONGEST_ARGUMENT)
            return refuse(ctx, NULL, rt_format(ctx, "argument %u is longer than 512 MiB", i));
    }
    if (command->flags & ~(uint32_t)(RT_REDIS_BLOCKS | RT_REDIS_IDEMPOTENT))
        return refuse(ctx, NULL, rt_format(ctx, "unknown flags %u", command->flags));
    return 0;
}

static int check_name(rt_ctx *ctx, const rt_redis_arguments *command, const char *name)
{
    const struct refused *row =
        bsearch(name, refused, sizeof refused / sizeof refused[0], sizeof refused[0], by_name);
    if (!row ||
        (row->second && (command->count < 2 || !is_listed(command->arguments[1], row->second))))
        return 0;
    return refuse(
        ctx, row->hint,
        rt_format(
            ctx, "`%s%s%s` changes a connection that others share", name, row->second ? " " : "",
            row->second
                ? rt_redis_name(
                      ctx, &(rt_redis_arguments){.arguments = command->arguments + 1, .count = 1})
                : ""));
}

int rt_redis_check_command(rt_ctx *ctx, const rt_redis_arguments *command,
                           enum rt_redis_place place)
{
    char name[LONGEST_NAME + 1];
    RT_TRY(check_shape(ctx, command));
    bool blocks = command->flags & RT_REDIS_BLOCKS;
    if (blocks && place == RT_REDIS_TOGETHER)
        return refuse(
            ctx, NULL,
            rt_format(ctx, "`%s` is to block in a pipeline", rt_redis_name(ctx, command)));
    if (!to_capitals(command->arguments[0], name))
        return 0;
    RT_TRY(check_name(ctx, command, name));
    if (!blocks && may_block(command, name))
        return refuse(ctx, "flag it RT_REDIS_BLOCKS",
                      rt_format(ctx, "`%s` may block and does not say so", name));
    return 0;
}

int rt_redis_check_commands(rt_ctx *ctx, const rt_redis_arguments *commands, uint32_t count)
{
    if (count > MOST_ARGUMENTS)
        return refuse(ctx, NULL, rt_format(ctx, "a pipeline of %u commands", count));
    for (uint32_t i = 0; i < count; i++)
        RT_TRY(rt_redis_check_command(ctx, &commands[i], RT_REDIS_TOGETHER));
    return 0;
}

static int check_texts(rt_ctx *ctx, const char *what, const rt_str *texts, uint32_t count)
{
    if (count > MOST_ARGUMENTS || (count && !texts))
        return refuse(ctx, NULL, rt_format(ctx, "a script with %u %s", count, what));
    for (uint32_t i = 0; i < count; i++)
        if ((texts[i].length && !texts[i].data) || texts[i].length > LONGEST_ARGUMENT)
            return refuse(ctx, NULL, rt_format(ctx, "text %u of a script's %s is none", i, what));
    return 0;
}

int rt_redis_check_script(rt_ctx *ctx, const rt_redis_script *script)
{
    if (!script->source)
        return refuse(ctx, NULL, "the script has no source");
    if (script->flags & ~(uint32_t)RT_REDIS_IDEMPOTENT)
        return refuse(ctx, NULL, "a script cannot block");
    RT_TRY(check_texts(ctx, "keys", script->keys, script->key_count));
    RT_TRY(check_texts(ctx, "arguments", script->arguments, script->argument_count));
    if (script->key_count + script->argument_count > MOST_ARGUMENTS - SCRIPT_HEAD)
        return refuse(ctx, NULL, "the script has more keys and arguments than a command may have");
    return 0;
}

/* --- error replies --------------------------------------------------------------------------- */

/* What is not here is a failed precondition: the state of the data is to blame. */
static const struct meaning {
    const char *word;
    int code;
    const char *hint;
} meanings[] = {
    {"ERR", RT_EINVALID_ARGUMENT, NULL},
    {"CROSSSLOT", RT_EINVALID_ARGUMENT, "keys of one command must lie on one node of a cluster"},
    {"OOM", RT_ERESOURCE_EXHAUSTED, "raise `maxmemory` of the server, or let keys expire"},
    {"NOPERM", RT_EINTERNAL, "let the user of the provider do this: `ACL SETUSER`"},
    {"NOAUTH", RT_EUNAVAILABLE, "set `password` of the provider"},
    {"WRONGPASS", RT_EUNAVAILABLE, "check `user` and `password` of the provider"},
    {"LOADING", RT_EUNAVAILABLE, NULL},
    {"MASTERDOWN", RT_EUNAVAILABLE, NULL},
    {"CLUSTERDOWN", RT_EUNAVAILABLE, NULL},
    {"READONLY", RT_EUNAVAILABLE, "the server is a replica: lead the provider to its master"},
    {"TRYAGAIN", RT_EUNAVAILABLE, NULL},
    {"NOREPLICAS", RT_EUNAVAILABLE, NULL},
    {"MISCONF", RT_EUNAVAILABLE, NULL},
    {"BUSY", RT_EUNAVAILABLE, "a script runs for long: `SCRIPT KILL`"},
};

static uint64_t word_length(const char *text, uint64_t length)
{
    uint64_t end = 0;
    while (end < length && (isupper((unsigned char)text[end]) ||
                            isdigit((unsigned char)text[end]) || text[end] == '_'))
        end++;
    return end && (end == length || text[end] == ' ') ? end : 0;
}

static const struct meaning *find_meaning(const char *text, uint64_t length)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strlen(meanings[i].word) == length && memcmp(meanings[i].word, text, length) == 0)
            return &meanings[i];
    return NULL;
}

int rt_redis_code_of(const char *text, uint64_t length)
{
    const struct meaning *meaning = find_meaning(text, word_length(text, length));
    return meaning ? -meaning->code : -RT_EFAILED_PRECONDITION;
}

rt_str rt_redis_reason_of(const char *text, uint64_t length)
{
    static const char discarded[] = "EXECABORT Transaction discarded because of: ";
    uint64_t skip = sizeof discarded - 1;
    bool has_reason = length > skip && memcmp(text, discarded, skip) == 0;
    return has_reason ? (rt_str){text + skip, length - skip} : (rt_str){text, length};
}

bool rt_redis_blames_server(const char *text, uint64_t length)
{
    int code = rt_redis_code_of(text, length);
    return code != -RT_EINVALID_ARGUMENT && code != -RT_EFAILED_PRECONDITION;
}

int rt_redis_fail_reply(rt_ctx *ctx, const char *subject, const char *text, uint64_t length)
{
    uint64_t word = word_length(text, length), rest = word ? word + 1 : 0;
    const struct meaning *meaning = find_meaning(text, word);
    int code = meaning ? meaning->code : RT_EFAILED_PRECONDITION;
    if (rest > length)
        rest = length;
    return rt_fail_with(
        ctx, &(rt_error){.size = sizeof(rt_error),
                         .code = code,
                         .retryable = code == RT_EUNAVAILABLE || code == RT_ERESOURCE_EXHAUSTED,
                         .domain = word ? rt_format(ctx, "%.*s", (int)word, text) : NULL,
                         .message = rt_format(ctx, "redis refused `%s`", subject),
                         .detail = rt_format(ctx, "%.*s",
                                             (int)(length - rest < 1024 ? length - rest : 1024),
                                             text + rest),
                         .hint = meaning ? meaning->hint : NULL});
}
