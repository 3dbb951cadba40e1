#include "memory_engine.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

typedef struct command {
    const char *name;
    void (*run)(rt_call *call);
    int arity;
    unsigned flags;
} command;

static const command commands[] = {
#define COMMAND(name_, function_, arity_, flags_) {name_, rt_command_##function_, arity_, flags_},
#include "memory_commands.def"
#undef COMMAND
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0], SWEPT = 4 };

void rt_engine_open(rt_engine *engine, uint64_t max_memory, uint64_t seed)
{
    *engine = (rt_engine){.max_memory = max_memory, .random = seed | 1};
    rt_dict_open(&engine->keys, &engine->heap, rt_engine_random(engine));
}

void rt_engine_flush(rt_engine *engine)
{
    for (rt_entry *key = NULL; (key = rt_dict_next(&engine->keys, key));)
        rt_value_free(key->value);
    rt_dict_close(&engine->keys);
}

void rt_engine_close(rt_engine *engine)
{
    rt_engine_flush(engine);
}

void rt_engine_set_time(rt_engine *engine, int64_t nanoseconds)
{
    engine->now = nanoseconds / 1000000;
    engine->now_us = nanoseconds / 1000 % 1000;
}

/* xorshift64*: which element is popped need not be hard to guess. */
uint64_t rt_engine_random(rt_engine *engine)
{
    engine->random ^= engine->random >> 12;
    engine->random ^= engine->random << 25;
    engine->random ^= engine->random >> 27;
    return engine->random * 2685821657736338717u;
}

/* --- expiry ----------------------------------------------------------------------------------- */

static bool is_over(const rt_engine *engine, const rt_entry *key)
{
    return key->number && key->number <= engine->now;
}

struct overdue {
    rt_engine *engine;
    rt_entry *keys[32];
    size_t count;
};

static void note_overdue(void *argument, rt_entry *key)
{
    struct overdue *overdue = argument;
    if (is_over(overdue->engine, key) && overdue->count < 32)
        overdue->keys[overdue->count++] = key;
}

/* Keys that nobody asks for any more have to go too: each command that writes looks at a few. */
static void sweep(rt_engine *engine, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        struct overdue overdue = {.engine = engine};
        engine->sweep = rt_dict_scan(&engine->keys, engine->sweep, note_overdue, &overdue);
        for (size_t k = 0; k < overdue.count; k++) {
            rt_key_remove(engine, overdue.keys[k]);
            engine->expired++;
        }
        if (!engine->sweep)
            return;
    }
}

void rt_engine_expire(rt_engine *engine)
{
    engine->sweep = 0;
    do
        sweep(engine, 1);
    while (engine->sweep);
}

static bool is_full(rt_engine *engine)
{
    if (engine->heap.used <= engine->max_memory)
        return false;
    rt_engine_expire(engine);
    return engine->heap.used > engine->max_memory;
}

/* --- running ---------------------------------------------------------------------------------- */

static bool is_name(rt_str text, const char *name)
{
    return strlen(name) == text.length && strncasecmp(text.data, name, text.length) == 0;
}

static const command *find_command(rt_str name)
{
    size_t low = 0, high = COMMAND_COUNT;
    char capitals[24];
    if (name.length >= sizeof capitals)
        return NULL;
    for (uint64_t i = 0; i < name.length; i++)
        capitals[i] = (char)toupper((unsigned char)name.data[i]);
    capitals[name.length] = '\0';
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(capitals, commands[middle].name);
        if (order == 0)
            return is_name(name, commands[middle].name) ? &commands[middle] : NULL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void reply_unknown(const rt_str *arguments, uint32_t count, rt_output *out)
{
    char list[160];
    int length = 0;
    list[0] = '\0';
    for (uint32_t i = 1; i < count && length < 128; i++) {
        int most = 128 - length;
        int cut = arguments[i].length < (uint64_t)most ? (int)arguments[i].length : most;
        length += snprintf(list + length, sizeof list - (size_t)length, "'%.*s' ", cut,
                           cut ? arguments[i].data : "");
    }
    rt_out_error(out, "ERR unknown command '%.*s', with args beginning with: %s",
                 arguments[0].length < 128 ? (int)arguments[0].length : 128, arguments[0].data,
                 list);
}

static bool has_arity(int arity, uint32_t count)
{
    return arity > 0 ? count == (uint32_t)arity : count >= (uint32_t)-arity;
}

/* "xgroup|create" for XGROUP and CREATE. */
static void reply_arity(const char *name, const char *second, rt_output *out)
{
    char text[48];
    int length =
        snprintf(text, sizeof text, "%s%s%s", name, second ? "|" : "", second ? second : "");
    for (int i = 0; i < length; i++)
        text[i] = (char)tolower((unsigned char)text[i]);
    rt_out_error(out, "ERR wrong number of arguments for '%s' command", text);
}

static bool check_subcommand(const char *name, const rt_str *arguments, uint32_t count,
                             rt_output *out)
{
    static const struct {
        const char *name, *second;
        int arity;
    } rows[] = {{"XGROUP", "CREATE", -5},     {"XGROUP", "SETID", -5},
                {"XGROUP", "DESTROY", 4},     {"XGROUP", "CREATECONSUMER", 5},
                {"XGROUP", "DELCONSUMER", 5}, {"XINFO", "STREAM", -3},
                {"XINFO", "GROUPS", 3},       {"XINFO", "CONSUMERS", 4}};
    bool has_seconds = false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, name) != 0)
            continue;
        has_seconds = true;
        if (!is_name(arguments[1], rows[i].second))
            continue;
        if (!has_arity(rows[i].arity, count))
            reply_arity(name, rows[i].second, out);
        return has_arity(rows[i].arity, count);
    }
    if (has_seconds)
        rt_out_error(out, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                     arguments[1].length < 128 ? (int)arguments[1].length : 128,
                     arguments[1].length ? arguments[1].data : "", name);
    return !has_seconds;
}

static const command *look_up(const rt_str *arguments, uint32_t count, rt_output *out)
{
    const command *found = find_command(arguments[0]);
    if (!found) {
        reply_unknown(arguments, count, out);
        return NULL;
    }
    if (!has_arity(found->arity, count)) {
        reply_arity(found->name, NULL, out);
        return NULL;
    }
    return count < 2 || check_subcommand(found->name, arguments, count, out) ? found : NULL;
}

bool rt_engine_check(const rt_str *arguments, uint32_t count, rt_output *out)
{
    return look_up(arguments, count, out) != NULL;
}

bool rt_engine_is_for_scripts(rt_str name)
{
    const command *found = find_command(name);
    return !found || !(found->flags & RT_COMMAND_NO_SCRIPT);
}

static bool lacks_room(rt_engine *engine, const command *found)
{
    return (found->flags & RT_COMMAND_WRITES) && is_full(engine);
}

bool rt_engine_has_room(rt_engine *engine, rt_str name, rt_output *out)
{
    const command *found = find_command(name);
    if (!found || !lacks_room(engine, found))
        return true;
    rt_reply_memory(&(rt_call){.out = out});
    return false;
}

enum rt_engine_outcome rt_engine_run(rt_engine *engine, const rt_str *arguments, uint32_t count,
                                     unsigned how, rt_output *out)
{
    rt_call call = {
        .engine = engine, .arguments = arguments, .count = count, .how = how, .out = out};
    const command *found = look_up(arguments, count, out);
    if (!found)
        return RT_ENGINE_DONE;
    if (found->flags & (RT_COMMAND_WRITES | RT_COMMAND_DELETES)) {
        sweep(engine, SWEPT);
        engine->changes++;
    }
    if (lacks_room(engine, found))
        rt_reply_memory(&call);
    else
        found->run(&call);
    return call.blocked ? RT_ENGINE_BLOCKED : RT_ENGINE_DONE;
}

/* --- keys ------------------------------------------------------------------------------------- */

rt_entry *rt_key_find(rt_engine *engine, rt_str key)
{
    rt_entry *entry = rt_dict_find(&engine->keys, key);
    if (!entry || !is_over(engine, entry))
        return entry;
    rt_key_remove(engine, entry);
    engine->expired++;
    return NULL;
}

void rt_key_remove(rt_engine *engine, rt_entry *key)
{
    rt_value_free(key->value);
    rt_dict_remove(&engine->keys, key);
}

void rt_key_settle(rt_engine *engine, rt_str key)
{
    rt_entry *entry = rt_dict_find(&engine->keys, key);
    const rt_value *value = entry ? entry->value : NULL;
    if (value && value->type != RT_STRING && value->type != RT_STREAM && !rt_value_length(value))
        rt_key_remove(engine, entry);
}

/* An entry for a new value, of a key that has none. */
static rt_value *add_key(rt_engine *engine, rt_str key, enum rt_value_type type)
{
    rt_value *value = rt_value_new(&engine->heap, type, engine->keys.seed);
    rt_entry *entry = value ? rt_dict_add(&engine->keys, key, NULL) : NULL;
    if (entry)
        entry->value = value;
    else if (value)
        rt_value_free(value);
    return entry ? value : NULL;
}

bool rt_key_set(rt_engine *engine, rt_str key, rt_bytes *bytes, bool keep)
{
    rt_entry *entry = bytes ? rt_key_find(engine, key) : NULL;
    int64_t expiry = keep && entry ? entry->number : 0;
    if (entry && ((rt_value *)entry->value)->type != RT_STRING) {
        rt_key_remove(engine, entry);
        entry = NULL;
    }
    rt_value *value = entry ? entry->value : bytes ? add_key(engine, key, RT_STRING) : NULL;
    if (!value) {
        rt_heap_free(&engine->heap, bytes);
        return false;
    }
    rt_heap_free(&engine->heap, value->as.string);
    value->as.string = bytes;
    rt_dict_find(&engine->keys, key)->number = expiry;
    return true;
}

bool rt_call_read(rt_call *call, uint32_t index, enum rt_value_type type, rt_value **value)
{
    rt_entry *entry = rt_key_find(call->engine, call->arguments[index]);
    *value = entry ? entry->value : NULL;
    if (!*value || (*value)->type == type)
        return true;
    rt_reply_wrong_type(call);
    return false;
}

rt_value *rt_call_make(rt_call *call, uint32_t index, enum rt_value_type type)
{
    rt_value *value;
    if (!rt_call_read(call, index, type, &value))
        return NULL;
    if (!value && !(value = add_key(call->engine, call->arguments[index], type)))
        rt_reply_memory(call);
    return value;
}

/* --- arguments -------------------------------------------------------------------------------- */

bool rt_call_is(const rt_call *call, uint32_t index, const char *word)
{
    return index < call->count && is_name(call->arguments[index], word);
}

bool rt_call_named(const rt_call *call, const char *prefix)
{
    uint64_t length = strlen(prefix);
    return call->arguments[0].length >= length &&
           strncasecmp(call->arguments[0].data, prefix, length) == 0;
}

bool rt_call_integer(rt_call *call, uint32_t index, int64_t *integer)
{
    if (rt_text_integer(call->arguments[index], integer))
        return true;
    rt_out_error(call->out, "ERR value is not an integer or out of range");
    return false;
}

bool rt_call_float(rt_call *call, uint32_t index, double *number)
{
    if (rt_text_float(call->arguments[index], number))
        return true;
    rt_out_error(call->out, "ERR value is not a valid float");
    return false;
}

bool rt_call_timeout(rt_call *call, uint32_t index, int64_t *milliseconds)
{
    double seconds;
    if (!rt_text_float(call->arguments[index], &seconds) || seconds > 9e15 || seconds < -9e15) {
        rt_out_error(call->out, "ERR timeout is not a float or out of range");
        return false;
    }
    if (seconds < 0) {
        rt_out_error(call->out, "ERR timeout is negative");
        return false;
    }
    *milliseconds = seconds > 0 && seconds < 0.001 ? 1 : (int64_t)(seconds * 1000);
    return true;
}

void rt_call_block(rt_call *call, int64_t milliseconds)
{
    call->blocked = call->how & RT_ENGINE_MAY_BLOCK;
    call->engine->wait = milliseconds;
    if (!call->blocked)
        rt_out_null(call->out);
}

/* --- replies that many share ------------------------------------------------------------------ */

void rt_reply_syntax(rt_call *call)
{
    rt_out_error(call->out, "ERR syntax error");
}

void rt_reply_memory(rt_call *call)
{
    rt_out_error(call->out, "OOM command not allowed when used memory > 'maxmemory'.");
}

void rt_reply_wrong_type(rt_call *call)
{
    rt_out_error(call->out, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

bool rt_range_clip(int64_t *start, int64_t *stop, uint64_t length)
{
    int64_t size = (int64_t)length;
    *start = *start < 0 ? *start + size : *start;
    *stop = *stop < 0 ? *stop + size : *stop;
    *start = *start < 0 ? 0 : *start;
    *stop = *stop >= size ? size - 1 : *stop;
    return *start <= *stop && *start < size;
}
