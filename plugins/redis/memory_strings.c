/* Commands on strings, and those on nothing */
#include "memory_engine.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

enum { LONGEST_STRING = 512 << 20 };

/* --- expiry of SET and GETEX ------------------------------------------------------------------ */

enum set_flags {
    ONLY_NEW = 1,
    ONLY_OLD = 2,
    KEEP_TTL = 4,
    GET_OLD = 8,
    PERSIST = 16,
    EXPIRES = 32
};

struct set_options {
    unsigned flags;
    const struct expiry_word *unit; /* or NULL */
    uint32_t number;                /* the argument behind it */
    int64_t expiry;                 /* ms since 1970 */
};

/* The words of an expiry: in seconds or milliseconds, from now or since 1970. */
static const struct expiry_word {
    const char *word;
    int64_t factor;
    bool absolute;
} expiry_words[] = {{"EX", 1000, false}, {"PX", 1, false}, {"EXAT", 1000, true}, {"PXAT", 1, true}};

static bool reply_bad_expiry(rt_call *call)
{
    char name[16] = "";
    for (uint64_t i = 0; i < call->arguments[0].length && i < sizeof name - 1; i++)
        name[i] = (char)(call->arguments[0].data[i] | 0x20);
    rt_out_error(call->out, "ERR invalid expire time in '%s' command", name);
    return false;
}

static bool read_expiry(rt_call *call, uint32_t index, int64_t factor, bool absolute,
                        int64_t *expiry)
{
    int64_t base = absolute ? 0 : call->engine->now;
    if (!rt_call_integer(call, index, expiry))
        return false;
    if (*expiry <= 0 || *expiry > (INT64_MAX - base) / factor)
        return reply_bad_expiry(call);
    *expiry = *expiry * factor + base;
    return true;
}

static unsigned flag_of(const rt_call *call, uint32_t index, bool of_set)
{
    static const struct {
        const char *word;
        unsigned flag;
        bool of_set;
    } words[] = {{"NX", ONLY_NEW, true},
                 {"XX", ONLY_OLD, true},
                 {"GET", GET_OLD, true},
                 {"KEEPTTL", KEEP_TTL, true},
                 {"PERSIST", PERSIST, false}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i].of_set == of_set && rt_call_is(call, index, words[i].word))
            return words[i].flag;
    return 0;
}

static bool are_allowed(unsigned have, unsigned more)
{
    unsigned when = KEEP_TTL | PERSIST | EXPIRES, who = ONLY_NEW | ONLY_OLD;
    if ((more & when) && (have & when & ~(more & ~(unsigned)EXPIRES)))
        return false;
    return !(more & who) || !(have & who & ~more);
}

static const struct expiry_word *find_expiry_word(const rt_call *call, uint32_t index)
{
    for (size_t i = 0; i < sizeof expiry_words / sizeof expiry_words[0]; i++)
        if (rt_call_is(call, index, expiry_words[i].word))
            return &expiry_words[i];
    return NULL;
}

/* Only words; their number is read by read_time: that is the order in which the server complains.
 */
static bool read_options(rt_call *call, uint32_t from, bool of_set, struct set_options *options)
{
    *options = (struct set_options){0};
    for (uint32_t i = from; i < call->count; i++) {
        const struct expiry_word *word = find_expiry_word(call, i);
        unsigned flag = word ? EXPIRES : flag_of(call, i, of_set);
        if (!flag || !are_allowed(options->flags, flag) || (word && i + 1 >= call->count)) {
            rt_reply_syntax(call);
            return false;
        }
        options->flags |= flag;
        if (word) {
            options->unit = word;
            options->number = ++i;
        }
    }
    return true;
}

static bool read_time(rt_call *call, struct set_options *options)
{
    const struct expiry_word *unit = options->unit;
    return !unit ||
           read_expiry(call, options->number, unit->factor, unit->absolute, &options->expiry);
}

/* --- SET and its kin -------------------------------------------------------------------------- */

static void reply_string(rt_call *call, const rt_value *value)
{
    if (value)
        rt_out_string(call->out, rt_bytes_str(value->as.string));
    else
        rt_out_null(call->out);
}

static bool store(rt_call *call, rt_str key, rt_str text, bool keep)
{
    if (rt_key_set(call->engine, key, rt_bytes_new(&call->engine->heap, text), keep))
        return true;
    rt_reply_memory(call);
    return false;
}

static void set_key(rt_call *call, rt_str text, const struct set_options *options)
{
    rt_engine *engine = call->engine;
    rt_str key = call->arguments[1];
    rt_value *old = NULL;
    uint64_t begin = call->out->length;
    if ((options->flags & GET_OLD) && !rt_call_read(call, 1, RT_STRING, &old))
        return;
    bool there = rt_key_find(engine, key);
    bool refused = there ? options->flags & ONLY_NEW : options->flags & ONLY_OLD;
    if (options->flags & GET_OLD)
        reply_string(call, old);
    if (refused) {
        if (!(options->flags & GET_OLD))
            rt_out_null(call->out);
        return;
    }
    if (!rt_key_set(engine, key, rt_bytes_new(&engine->heap, text), options->flags & KEEP_TTL)) {
        call->out->length = begin;
        rt_reply_memory(call);
        return;
    }
    if (options->flags & EXPIRES)
        rt_dict_find(&engine->keys, key)->number = options->expiry;
    if (!(options->flags & GET_OLD))
        rt_out_status(call->out, "OK");
}

void rt_command_set(rt_call *call)
{
    struct set_options options;
    if (read_options(call, 3, true, &options) && read_time(call, &options))
        set_key(call, call->arguments[2], &options);
}

void rt_command_setex(rt_call *call)
{
    struct set_options options = {.flags = EXPIRES};
    if (read_expiry(call, 2, rt_call_named(call, "P") ? 1 : 1000, false, &options.expiry))
        set_key(call, call->arguments[3], &options);
}

void rt_command_setnx(rt_call *call)
{
    bool there = rt_key_find(call->engine, call->arguments[1]);
    if (there || store(call, call->arguments[1], call->arguments[2], false))
        rt_out_integer(call->out, !there);
}

void rt_command_get(rt_call *call)
{
    rt_value *value;
    if (rt_call_read(call, 1, RT_STRING, &value))
        reply_string(call, value);
}

void rt_command_getset(rt_call *call)
{
    set_key(call, call->arguments[2], &(struct set_options){.flags = GET_OLD});
}

void rt_command_getdel(rt_call *call)
{
    rt_value *value;
    if (!rt_call_read(call, 1, RT_STRING, &value))
        return;
    reply_string(call, value);
    if (value)
        rt_key_remove(call->engine, rt_dict_find(&call->engine->keys, call->arguments[1]));
}

void rt_command_getex(rt_call *call)
{
    struct set_options options;
    rt_value *value;
    if (!read_options(call, 2, false, &options) || !rt_call_read(call, 1, RT_STRING, &value) ||
        (value && !read_time(call, &options)))
        return;
    reply_string(call, value);
    if (value && (options.flags & (PERSIST | EXPIRES)))
        rt_dict_find(&call->engine->keys, call->arguments[1])->number = options.expiry;
}

void rt_command_mget(rt_call *call)
{
    rt_out_array(call->out, call->count - 1);
    for (uint32_t i = 1; i < call->count; i++) {
        rt_entry *entry = rt_key_find(call->engine, call->arguments[i]);
        rt_value *value = entry ? entry->value : NULL;
        reply_string(call, value && value->type == RT_STRING ? value : NULL);
    }
}

void rt_command_mset(rt_call *call)
{
    bool only_new = rt_call_named(call, "MSETNX"), there = false;
    if (call->count % 2 == 0) {
        rt_out_error(call->out, "ERR wrong number of arguments for '%s' command",
                     only_new ? "msetnx" : "mset");
        return;
    }
    for (uint32_t i = 1; only_new && i < call->count; i += 2)
        there = there || rt_key_find(call->engine, call->arguments[i]);
    for (uint32_t i = 1; !there && i < call->count; i += 2)
        if (!store(call, call->arguments[i], call->arguments[i + 1], false))
            return;
    if (only_new)
        rt_out_integer(call->out, !there);
    else
        rt_out_status(call->out, "OK");
}

/* --- numbers ---------------------------------------------------------------------------------- */

static void add(rt_call *call, int64_t more)
{
    rt_value *value;
    int64_t number = 0;
    char text[24];
    if (!rt_call_read(call, 1, RT_STRING, &value))
        return;
    if (value && !rt_text_integer(rt_bytes_str(value->as.string), &number)) {
        rt_out_error(call->out, "ERR value is not an integer or out of range");
        return;
    }
    if (__builtin_add_overflow(number, more, &number)) {
        rt_out_error(call->out, "ERR increment or decrement would overflow");
        return;
    }
    snprintf(text, sizeof text, "%lld", (long long)number);
    if (store(call, call->arguments[1], rt_string(text), true))
        rt_out_integer(call->out, number);
}

void rt_command_increment(rt_call *call)
{
    add(call, rt_call_named(call, "D") ? -1 : 1);
}

void rt_command_increment_by(rt_call *call)
{
    int64_t more;
    if (!rt_call_integer(call, 2, &more))
        return;
    if (rt_call_named(call, "D") && more == INT64_MIN)
        rt_out_error(call->out, "ERR decrement would overflow");
    else
        add(call, rt_call_named(call, "D") ? -more : more);
}

void rt_command_incrbyfloat(rt_call *call)
{
    rt_value *value;
    long double number = 0, more;
    char text[RT_FLOAT_TEXT];
    if (!rt_call_read(call, 1, RT_STRING, &value))
        return;
    if ((value && !rt_text_long_float(rt_bytes_str(value->as.string), &number)) ||
        !rt_text_long_float(call->arguments[2], &more)) {
        rt_out_error(call->out, "ERR value is not a valid float");
        return;
    }
    if (!rt_text_of_float(number + more, text))
        rt_out_error(call->out, "ERR increment would produce NaN or Infinity");
    else if (store(call, call->arguments[1], rt_string(text), true))
        rt_out_string(call->out, rt_string(text));
}

/* --- parts ------------------------------------------------------------------------------------ */

/* The string of argument 1 with `text` at `offset`, zeros in between; the reply is its length. */
static void splice(rt_call *call, rt_value *value, uint64_t offset, rt_str text)
{
    rt_str old = value ? rt_bytes_str(value->as.string) : (rt_str){NULL, 0};
    uint64_t length = offset + text.length > old.length ? offset + text.length : old.length;
    if (length > LONGEST_STRING) {
        rt_out_error(call->out, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return;
    }
    rt_bytes *bytes = rt_heap_alloc(&call->engine->heap, sizeof *bytes + length + 1);
    if (bytes) {
        bytes->length = length;
        if (old.length)
            memcpy(bytes->data, old.data, old.length);
        if (text.length)
            memcpy(bytes->data + offset, text.data, text.length);
    }
    if (rt_key_set(call->engine, call->arguments[1], bytes, true))
        rt_out_integer(call->out, (int64_t)length);
    else
        rt_reply_memory(call);
}

void rt_command_append(rt_call *call)
{
    rt_value *value;
    if (rt_call_read(call, 1, RT_STRING, &value))
        splice(call, value, value ? value->as.string->length : 0, call->arguments[2]);
}

void rt_command_setrange(rt_call *call)
{
    rt_value *value;
    int64_t offset;
    if (!rt_call_integer(call, 2, &offset))
        return;
    if (offset < 0)
        rt_out_error(call->out, "ERR offset is out of range");
    else if (!rt_call_read(call, 1, RT_STRING, &value))
        return;
    else if (!call->arguments[3].length)
        rt_out_integer(call->out, value ? (int64_t)value->as.string->length : 0);
    else if (offset > LONGEST_STRING)
        rt_out_error(call->out, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    else
        splice(call, value, (uint64_t)offset, call->arguments[3]);
}

void rt_command_getrange(rt_call *call)
{
    rt_value *value;
    int64_t start, stop;
    if (!rt_call_integer(call, 2, &start) || !rt_call_integer(call, 3, &stop) ||
        !rt_call_read(call, 1, RT_STRING, &value))
        return;
    rt_str text = value ? rt_bytes_str(value->as.string) : (rt_str){"", 0};
    bool backwards = start < 0 && stop < 0 && start > stop;
    int64_t length = (int64_t)text.length;
    stop =
        stop < 0 && stop + length < 0 ? -length : stop; /* as the server: never before the start */
    if (backwards || !rt_range_clip(&start, &stop, text.length))
        rt_out_string(call->out, (rt_str){"", 0});
    else
        rt_out_string(call->out, (rt_str){text.data + start, (uint64_t)(stop - start + 1)});
}

void rt_command_string_length(rt_call *call)
{
    rt_value *value;
    if (rt_call_read(call, 1, RT_STRING, &value))
        rt_out_integer(call->out, value ? (int64_t)value->as.string->length : 0);
}

/* --- without keys ----------------------------------------------------------------------------- */

void rt_command_ping(rt_call *call)
{
    if (call->count == 1)
        rt_out_status(call->out, "PONG");
    else if (call->count == 2)
        rt_out_string(call->out, call->arguments[1]);
    else
        rt_out_error(call->out, "ERR wrong number of arguments for 'ping' command");
}

void rt_command_echo(rt_call *call)
{
    rt_out_string(call->out, call->arguments[1]);
}

void rt_command_time_now(rt_call *call)
{
    char text[24];
    rt_out_array(call->out, 2);
    snprintf(text, sizeof text, "%lld", (long long)(call->engine->now / 1000));
    rt_out_string(call->out, rt_string(text));
    snprintf(text, sizeof text, "%lld",
             (long long)(call->engine->now % 1000 * 1000 + call->engine->now_us));
    rt_out_string(call->out, rt_string(text));
}

/* Nobody can subscribe: a connection of redis/1 is shared. */
void rt_command_publish(rt_call *call)
{
    rt_out_integer(call->out, 0);
}
