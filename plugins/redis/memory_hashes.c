/* Commands on hashes and sets */
#include "memory_engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- hashes ----------------------------------------------------------------------------------- */

static rt_entry *find_field(rt_call *call, uint32_t index, const rt_value *hash)
{
    return hash ? rt_dict_find(&hash->as.table, call->arguments[index]) : NULL;
}

static void reply_field(rt_call *call, const rt_entry *field)
{
    if (field)
        rt_out_string(call->out, rt_bytes_str(field->value));
    else
        rt_out_null(call->out);
}

/* False: the reply says that memory is out. */
static bool put_field(rt_call *call, rt_value *hash, rt_str name, rt_str text, bool *added)
{
    rt_bytes *bytes = rt_bytes_new(hash->heap, text);
    rt_entry *field = bytes ? rt_dict_add(&hash->as.table, name, added) : NULL;
    if (!field) {
        rt_heap_free(hash->heap, bytes);
        rt_key_settle(call->engine, call->arguments[1]);
        rt_reply_memory(call);
        return false;
    }
    rt_heap_free(hash->heap, field->value);
    field->value = bytes;
    return true;
}

void rt_command_hset(rt_call *call)
{
    bool old = rt_call_named(call, "HM"), added;
    int64_t count = 0;
    if (call->count % 2) {
        rt_out_error(call->out, "ERR wrong number of arguments for '%s' command",
                     old ? "hmset" : "hset");
        return;
    }
    rt_value *hash = rt_call_make(call, 1, RT_HASH);
    for (uint32_t i = 2; hash && i < call->count; i += 2) {
        if (!put_field(call, hash, call->arguments[i], call->arguments[i + 1], &added))
            return;
        count += added;
    }
    if (hash && old)
        rt_out_status(call->out, "OK");
    else if (hash)
        rt_out_integer(call->out, count);
}

void rt_command_hsetnx(rt_call *call)
{
    rt_value *hash = rt_call_make(call, 1, RT_HASH);
    if (!hash)
        return;
    bool there = find_field(call, 2, hash), added;
    if (there || put_field(call, hash, call->arguments[2], call->arguments[3], &added))
        rt_out_integer(call->out, !there);
}

void rt_command_hget(rt_call *call)
{
    rt_value *hash;
    if (rt_call_read(call, 1, RT_HASH, &hash))
        reply_field(call, find_field(call, 2, hash));
}

void rt_command_hmget(rt_call *call)
{
    rt_value *hash;
    if (!rt_call_read(call, 1, RT_HASH, &hash))
        return;
    rt_out_array(call->out, call->count - 2);
    for (uint32_t i = 2; i < call->count; i++)
        reply_field(call, find_field(call, i, hash));
}

void rt_command_hgetall(rt_call *call)
{
    rt_value *hash;
    bool names = !rt_call_named(call, "HVALS"), values = !rt_call_named(call, "HKEYS");
    if (!rt_call_read(call, 1, RT_HASH, &hash))
        return;
    rt_out_array(call->out, hash ? hash->as.table.count * ((uint64_t)names + values) : 0);
    for (rt_entry *field = NULL; hash && (field = rt_dict_next(&hash->as.table, field));) {
        if (names)
            rt_out_string(call->out, rt_entry_name(field));
        if (values)
            rt_out_string(call->out, rt_bytes_str(field->value));
    }
}

void rt_command_hdel(rt_call *call)
{
    rt_value *hash;
    int64_t removed = 0;
    if (!rt_call_read(call, 1, RT_HASH, &hash))
        return;
    for (uint32_t i = 2; i < call->count; i++) {
        rt_entry *field = find_field(call, i, hash);
        if (!field)
            continue;
        rt_heap_free(hash->heap, field->value);
        rt_dict_remove(&hash->as.table, field);
        removed++;
    }
    rt_key_settle(call->engine, call->arguments[1]);
    rt_out_integer(call->out, removed);
}

void rt_command_hexists(rt_call *call)
{
    rt_value *hash;
    if (rt_call_read(call, 1, RT_HASH, &hash))
        rt_out_integer(call->out, find_field(call, 2, hash) != NULL);
}

void rt_command_hstrlen(rt_call *call)
{
    rt_value *hash;
    if (!rt_call_read(call, 1, RT_HASH, &hash))
        return;
    const rt_entry *field = find_field(call, 2, hash);
    rt_out_integer(call->out, field ? (int64_t)((rt_bytes *)field->value)->length : 0);
}

static void reply_length(rt_call *call, enum rt_value_type type)
{
    rt_value *value;
    if (rt_call_read(call, 1, type, &value))
        rt_out_integer(call->out, value ? (int64_t)rt_value_length(value) : 0);
}

void rt_command_hlen(rt_call *call)
{
    reply_length(call, RT_HASH);
}

void rt_command_hincrby(rt_call *call)
{
    int64_t more, number = 0;
    char text[24];
    rt_value *hash;
    if (!rt_call_integer(call, 3, &more) || !rt_call_read(call, 1, RT_HASH, &hash))
        return;
    const rt_entry *field = find_field(call, 2, hash);
    if (field && !rt_text_integer(rt_bytes_str(field->value), &number)) {
        rt_out_error(call->out, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(number, more, &number)) {
        rt_out_error(call->out, "ERR increment or decrement would overflow");
        return;
    }
    snprintf(text, sizeof text, "%lld", (long long)number);
    hash = rt_call_make(call, 1, RT_HASH);
    if (hash && put_field(call, hash, call->arguments[2], rt_string(text), NULL))
        rt_out_integer(call->out, number);
}

void rt_command_hincrbyfloat(rt_call *call)
{
    long double more, number = 0;
    char text[RT_FLOAT_TEXT];
    rt_value *hash;
    if (!rt_text_long_float(call->arguments[3], &more)) {
        rt_out_error(call->out, "ERR value is not a valid float");
        return;
    }
    if (isinf(more)) {
        rt_out_error(call->out, "ERR value is NaN or Infinity");
        return;
    }
    if (!rt_call_read(call, 1, RT_HASH, &hash))
        return;
    const rt_entry *field = find_field(call, 2, hash);
    if (field && !rt_text_long_float(rt_bytes_str(field->value), &number)) {
        rt_out_error(call->out, "ERR hash value is not a float");
        return;
    }
    if (!rt_text_of_float(number + more, text)) {
        rt_out_error(call->out, "ERR increment would produce NaN or Infinity");
        return;
    }
    hash = rt_call_make(call, 1, RT_HASH);
    if (hash && put_field(call, hash, call->arguments[2], rt_string(text), NULL))
        rt_out_string(call->out, rt_string(text));
}

/* --- sets ------------------------------------------------------------------------------------- */

void rt_command_sadd(rt_call *call)
{
    int64_t count = 0;
    bool added;
    rt_value *set = rt_call_make(call, 1, RT_SET);
    for (uint32_t i = 2; set && i < call->count; i++) {
        if (!rt_dict_add(&set->as.table, call->arguments[i], &added)) {
            rt_key_settle(call->engine, call->arguments[1]);
            rt_reply_memory(call);
            return;
        }
        count += added;
    }
    if (set)
        rt_out_integer(call->out, count);
}

void rt_command_srem(rt_call *call)
{
    rt_value *set;
    int64_t removed = 0;
    if (!rt_call_read(call, 1, RT_SET, &set))
        return;
    for (uint32_t i = 2; set && i < call->count; i++) {
        rt_entry *member = rt_dict_find(&set->as.table, call->arguments[i]);
        if (member)
            rt_dict_remove(&set->as.table, member);
        removed += member != NULL;
    }
    rt_key_settle(call->engine, call->arguments[1]);
    rt_out_integer(call->out, removed);
}

void rt_command_smembers(rt_call *call)
{
    rt_value *set;
    if (!rt_call_read(call, 1, RT_SET, &set))
        return;
    rt_out_array(call->out, set ? set->as.table.count : 0);
    for (rt_entry *member = NULL; set && (member = rt_dict_next(&set->as.table, member));)
        rt_out_string(call->out, rt_entry_name(member));
}

void rt_command_sismember(rt_call *call)
{
    rt_value *set;
    if (!rt_call_read(call, 1, RT_SET, &set))
        return;
    if (rt_call_named(call, "SM"))
        rt_out_array(call->out, call->count - 2);
    for (uint32_t i = 2; i < call->count; i++)
        rt_out_integer(call->out, set && rt_dict_find(&set->as.table, call->arguments[i]));
}

void rt_command_scard(rt_call *call)
{
    reply_length(call, RT_SET);
}

void rt_command_smove(rt_call *call)
{
    rt_value *from, *to;
    if (!rt_key_find(call->engine, call->arguments[1])) {
        rt_out_integer(call->out, 0);
        return;
    }
    if (!rt_call_read(call, 1, RT_SET, &from) || !rt_call_read(call, 2, RT_SET, &to))
        return;
    rt_entry *member = from ? rt_dict_find(&from->as.table, call->arguments[3]) : NULL;
    if (!member || from == to) {
        rt_out_integer(call->out, member != NULL);
        return;
    }
    to = rt_call_make(call, 2, RT_SET);
    if (!to)
        return;
    if (!rt_dict_add(&to->as.table, call->arguments[3], NULL)) {
        rt_key_settle(call->engine, call->arguments[2]);
        rt_reply_memory(call);
        return;
    }
    rt_dict_remove(&from->as.table, member);
    rt_key_settle(call->engine, call->arguments[1]);
    rt_out_integer(call->out, 1);
}

static void pop_member(rt_call *call, rt_value *set)
{
    rt_entry *member = rt_dict_any(&set->as.table, rt_engine_random(call->engine));
    rt_out_string(call->out, rt_entry_name(member));
    rt_dict_remove(&set->as.table, member);
}

void rt_command_spop(rt_call *call)
{
    int64_t count = 1;
    rt_value *set;
    if (call->count > 3) {
        rt_reply_syntax(call);
        return;
    }
    if (call->count == 3 && (!rt_text_integer(call->arguments[2], &count) || count < 0)) {
        rt_out_error(call->out, "ERR value is out of range, must be positive");
        return;
    }
    if (!rt_call_read(call, 1, RT_SET, &set))
        return;
    uint64_t length = set ? set->as.table.count : 0;
    length = length < (uint64_t)count ? length : (uint64_t)count;
    if (call->count == 3)
        rt_out_array(call->out, length);
    else if (!set)
        rt_out_null(call->out);
    for (uint64_t i = 0; i < length; i++)
        pop_member(call, set);
    rt_key_settle(call->engine, call->arguments[1]);
}

void rt_command_srandmember(rt_call *call)
{
    rt_value *set;
    if (!rt_call_read(call, 1, RT_SET, &set))
        return;
    const rt_entry *member =
        set ? rt_dict_any(&set->as.table, rt_engine_random(call->engine)) : NULL;
    if (member)
        rt_out_string(call->out, rt_entry_name(member));
    else
        rt_out_null(call->out);
}

/* --- SINTER, SUNION, SDIFF -------------------------------------------------------------------- */

/* In how many of the sets from argument `from` on the member is. */
static uint32_t count_sets(rt_call *call, uint32_t from, uint32_t to, rt_str member)
{
    uint32_t found = 0;
    for (uint32_t i = from; i < to; i++) {
        const rt_entry *key = rt_key_find(call->engine, call->arguments[i]);
        const rt_value *set = key ? key->value : NULL;
        found += set && rt_dict_find(&set->as.table, member);
    }
    return found;
}

/* Each member once, with the first set that has it: whether the operation takes it. */
static bool is_taken(rt_call *call, uint32_t at, rt_str member)
{
    if (rt_call_named(call, "SU"))
        return count_sets(call, 1, at, member) == 0;
    uint32_t others = at == 1 ? count_sets(call, 2, call->count, member) : UINT32_MAX;
    return rt_call_named(call, "SD") ? others == 0 : others == call->count - 2;
}

void rt_command_combine(rt_call *call)
{
    uint64_t taken = 0, begin;
    rt_value *set;
    for (uint32_t i = 1; i < call->count; i++)
        if (!rt_call_read(call, i, RT_SET, &set))
            return;
    begin = rt_out_begin(call->out);
    for (uint32_t i = 1; i < call->count; i++) {
        rt_entry *member = NULL;
        rt_call_read(call, i, RT_SET, &set);
        while (set && (member = rt_dict_next(&set->as.table, member))) {
            if (!is_taken(call, i, rt_entry_name(member)))
                continue;
            rt_out_string(call->out, rt_entry_name(member));
            taken++;
        }
    }
    rt_out_end(call->out, begin, taken);
}
