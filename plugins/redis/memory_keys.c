/* Commands on keys of any type */
#include "memory_engine.h"

#include <stdio.h>
#include <strings.h>

void rt_command_del(rt_call *call)
{
    int64_t removed = 0;
    for (uint32_t i = 1; i < call->count; i++) {
        rt_entry *key = rt_key_find(call->engine, call->arguments[i]);
        if (!key)
            continue;
        rt_key_remove(call->engine, key);
        removed++;
    }
    rt_out_integer(call->out, removed);
}

void rt_command_exists(rt_call *call)
{
    int64_t found = 0;
    for (uint32_t i = 1; i < call->count; i++)
        found += rt_key_find(call->engine, call->arguments[i]) != NULL;
    rt_out_integer(call->out, found);
}

void rt_command_type(rt_call *call)
{
    const rt_entry *key = rt_key_find(call->engine, call->arguments[1]);
    rt_out_status(call->out, key ? rt_value_types[((rt_value *)key->value)->type] : "none");
}

/* --- expiry ----------------------------------------------------------------------------------- */

enum expire_flags { IF_NONE = 1, IF_SOME = 2, IF_GREATER = 4, IF_LESS = 8 };

static bool read_conditions(rt_call *call, unsigned *flags)
{
    static const char *const words[] = {"NX", "XX", "GT", "LT"};
    *flags = 0;
    for (uint32_t i = 3; i < call->count; i++) {
        unsigned flag = 0;
        for (unsigned k = 0; k < 4; k++)
            flag |= rt_call_is(call, i, words[k]) ? 1u << k : 0;
        if (!flag) {
            rt_out_error(call->out, "ERR Unsupported option %.*s",
                         (int)(call->arguments[i].length < 128 ? call->arguments[i].length : 128),
                         call->arguments[i].data);
            return false;
        }
        *flags |= flag;
    }
    if ((*flags & IF_NONE) && (*flags & ~(unsigned)IF_NONE)) {
        rt_out_error(call->out,
                     "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if ((*flags & IF_GREATER) && (*flags & IF_LESS)) {
        rt_out_error(call->out, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

/* A key without expiry lives longer than any other. */
static bool is_wanted(unsigned flags, int64_t before, int64_t expiry)
{
    return !((flags & IF_NONE) && before) && !((flags & IF_SOME) && !before) &&
           !((flags & IF_GREATER) && (!before || expiry <= before)) &&
           !((flags & IF_LESS) && before && expiry >= before);
}

void rt_command_expire(rt_call *call)
{
    int64_t expiry, factor = rt_call_named(call, "P") ? 1 : 1000;
    bool absolute =
        call->arguments[0].length > strlen("PEXPIRE") || rt_call_named(call, "EXPIREAT");
    int64_t base = absolute ? 0 : call->engine->now;
    unsigned flags;
    if (!read_conditions(call, &flags) || !rt_call_integer(call, 2, &expiry))
        return;
    if (__builtin_mul_overflow(expiry, factor, &expiry) ||
        __builtin_add_overflow(expiry, base, &expiry)) {
        rt_out_error(call->out, "ERR invalid expire time in '%s%s' command", factor == 1 ? "p" : "",
                     absolute ? "expireat" : "expire");
        return;
    }
    rt_entry *key = rt_key_find(call->engine, call->arguments[1]);
    bool wanted = key && is_wanted(flags, key->number, expiry);
    if (wanted && expiry <= call->engine->now)
        rt_key_remove(call->engine, key);
    else if (wanted)
        key->number = expiry;
    rt_out_integer(call->out, wanted);
}

void rt_command_ttl(rt_call *call)
{
    const rt_entry *key = rt_key_find(call->engine, call->arguments[1]);
    bool milliseconds = rt_call_named(call, "P");
    bool absolute = call->arguments[0].length > strlen("PTTL");
    if (!key || !key->number) {
        rt_out_integer(call->out, key ? -1 : -2);
        return;
    }
    int64_t left = absolute ? key->number : key->number - call->engine->now;
    rt_out_integer(call->out, milliseconds ? left : (left + (absolute ? 0 : 500)) / 1000);
}

void rt_command_persist(rt_call *call)
{
    rt_entry *key = rt_key_find(call->engine, call->arguments[1]);
    bool expired = key && key->number;
    if (expired)
        key->number = 0;
    rt_out_integer(call->out, expired);
}

/* --- names ------------------------------------------------------------------------------------ */

static void move_value(rt_engine *engine, rt_entry *from, rt_str name)
{
    rt_entry *to = rt_dict_find(&engine->keys, name);
    rt_value_free(to->value);
    to->value = from->value;
    to->number = from->number;
    rt_dict_remove(&engine->keys, from);
}

void rt_command_rename(rt_call *call)
{
    rt_engine *engine = call->engine;
    bool only_new = rt_call_named(call, "RENAMENX");
    rt_str from = call->arguments[1], to = call->arguments[2];
    rt_entry *key = rt_key_find(engine, from);
    if (!key) {
        rt_out_error(call->out, "ERR no such key");
        return;
    }
    bool same = rt_str_compare(from, to) == 0;
    bool refused = only_new && rt_key_find(engine, to);
    if (!same && !refused) {
        /* An empty string holds the place, so that nothing is lost when memory is out. */
        if (!rt_key_set(engine, to, rt_bytes_new(&engine->heap, (rt_str){"", 0}), false)) {
            rt_reply_memory(call);
            return;
        }
        move_value(engine, key, to);
    }
    if (only_new)
        rt_out_integer(call->out, !refused && !same);
    else
        rt_out_status(call->out, "OK");
}

/* --- all of them ------------------------------------------------------------------------------ */

void rt_command_dbsize(rt_call *call)
{
    rt_engine_expire(call->engine);
    rt_out_integer(call->out, (int64_t)call->engine->keys.count);
}

void rt_command_randomkey(rt_call *call)
{
    rt_engine_expire(call->engine);
    const rt_entry *key = rt_dict_any(&call->engine->keys, rt_engine_random(call->engine));
    if (key)
        rt_out_string(call->out, rt_entry_name(key));
    else
        rt_out_null(call->out);
}

void rt_command_flush(rt_call *call)
{
    bool mode = rt_call_is(call, 1, "SYNC") || rt_call_is(call, 1, "ASYNC");
    if (call->count > 2 || (call->count == 2 && !mode)) {
        rt_reply_syntax(call);
        return;
    }
    rt_engine_flush(call->engine);
    rt_out_status(call->out, "OK");
}

void rt_command_keys(rt_call *call)
{
    uint64_t begin = rt_out_begin(call->out), count = 0;
    rt_engine_expire(call->engine);
    for (rt_entry *key = NULL; (key = rt_dict_next(&call->engine->keys, key));) {
        if (!rt_text_matches(call->arguments[1], rt_entry_name(key)))
            continue;
        rt_out_string(call->out, rt_entry_name(key));
        count++;
    }
    rt_out_end(call->out, begin, count);
}

/* --- SCAN, HSCAN, SSCAN, ZSCAN ---------------------------------------------------------------- */

struct scan {
    rt_call *call;
    const rt_str *pattern, *type;
    const rt_value *value; /* NULL: of the keyspace */
    int64_t most;
    uint64_t visited, found;
};

static bool has_type(const struct scan *scan, const rt_entry *key)
{
    const char *type = rt_value_types[((rt_value *)key->value)->type];
    return !scan->type || (scan->type->length == strlen(type) &&
                           strncasecmp(scan->type->data, type, scan->type->length) == 0);
}

static void visit(void *argument, rt_entry *entry)
{
    struct scan *scan = argument;
    rt_output *out = scan->call->out;
    scan->visited++;
    if (scan->pattern && !rt_text_matches(*scan->pattern, rt_entry_name(entry)))
        return;
    if (!scan->value) {
        bool over = entry->number && entry->number <= scan->call->engine->now;
        if (over || !has_type(scan, entry))
            return;
    }
    rt_out_string(out, rt_entry_name(entry));
    scan->found++;
    if (scan->value && scan->value->type == RT_HASH)
        rt_out_string(out, rt_bytes_str(entry->value));
    if (scan->value && scan->value->type == RT_ZSET)
        rt_out_double(out, entry->score);
    scan->found += scan->value && scan->value->type != RT_SET;
}

static bool read_scan(struct scan *scan, uint32_t from)
{
    rt_call *call = scan->call;
    for (uint32_t i = from; i < call->count; i += 2) {
        bool pair = i + 1 < call->count;
        if (pair && rt_call_is(call, i, "MATCH"))
            scan->pattern = &call->arguments[i + 1];
        else if (pair && from == 2 && rt_call_is(call, i, "TYPE"))
            scan->type = &call->arguments[i + 1];
        else if (pair && rt_call_is(call, i, "COUNT")) {
            if (!rt_call_integer(call, i + 1, &scan->most))
                return false;
            if (scan->most < 1) {
                rt_reply_syntax(call);
                return false;
            }
        } else {
            rt_reply_syntax(call);
            return false;
        }
    }
    return true;
}

static bool read_cursor(rt_call *call, uint32_t index, uint64_t *cursor)
{
    rt_str text = call->arguments[index];
    *cursor = 0;
    for (uint64_t i = 0; i < text.length; i++) {
        unsigned digit = (unsigned char)text.data[i] - '0';
        if (digit > 9 || *cursor > (UINT64_MAX - digit) / 10) {
            rt_out_error(call->out, "ERR invalid cursor");
            return false;
        }
        *cursor = *cursor * 10 + digit;
    }
    return true;
}

/* What is found stands behind the cursor, which is known last. */
static void run_scan(struct scan *scan, const rt_dict *dict, uint64_t cursor)
{
    rt_output *out = scan->call->out;
    char text[24];
    int64_t rounds = scan->most > INT64_MAX / 10 ? INT64_MAX : scan->most * 10;
    rt_output found = {0};
    uint64_t begin = rt_out_begin(&found);
    scan->call->out = &found;
    do
        cursor = rt_dict_scan(dict, cursor, visit, scan);
    while (cursor && (int64_t)scan->visited < scan->most && --rounds);
    scan->call->out = out;
    rt_out_end(&found, begin, scan->found);
    rt_out_array(out, 2);
    snprintf(text, sizeof text, "%llu", (unsigned long long)cursor);
    rt_out_string(out, rt_string(text));
    rt_out_append(out, &found);
    rt_output_close(&found);
}

void rt_command_scan(rt_call *call)
{
    struct scan scan = {.call = call, .most = 10};
    uint64_t cursor;
    if (read_cursor(call, 1, &cursor) && read_scan(&scan, 2))
        run_scan(&scan, &call->engine->keys, cursor);
}

void rt_command_collection_scan(rt_call *call)
{
    struct scan scan = {.call = call, .most = 10};
    enum rt_value_type type = rt_call_named(call, "H")   ? RT_HASH
                              : rt_call_named(call, "S") ? RT_SET
                                                         : RT_ZSET;
    rt_dict none = {0};
    rt_value *value;
    uint64_t cursor;
    if (!read_cursor(call, 2, &cursor) || !rt_call_read(call, 1, type, &value) ||
        !read_scan(&scan, 3))
        return;
    scan.value = value;
    run_scan(&scan,
             !value            ? &none
             : type == RT_ZSET ? &value->as.zset.members
                               : &value->as.table,
             cursor);
}
