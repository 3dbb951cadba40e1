/* Commands on the groups of streams */
#include "memory_streams.h"

#include <stdio.h>
#include <stdlib.h>

#define SHORT(text_) (int)((text_).length < 128 ? (text_).length : 128), (text_).data

static rt_stream_group *find_group(const rt_stream *stream, rt_str name)
{
    const rt_entry *entry = stream ? rt_dict_find(&stream->groups, name) : NULL;
    return entry ? entry->value : NULL;
}

rt_stream_group *rt_group_find(rt_call *call, rt_stream *stream, rt_str key, rt_str name,
                               const char *command)
{
    rt_stream_group *group = find_group(stream, name);
    bool reads = strcmp(command, "XREADGROUP") == 0;
    if (!group)
        rt_out_error(call->out, "NOGROUP No such key '%.*s' or consumer group '%.*s'%s", SHORT(key),
                     SHORT(name), reads ? " in XREADGROUP with GROUP option" : "");
    return group;
}

/* The consumer, made if need be, and seen now; NULL: memory is out. */
static rt_entry *see_consumer(rt_call *call, rt_stream_group *group, rt_str name)
{
    rt_entry *consumer = rt_dict_add(&group->consumers, name, NULL);
    if (consumer)
        consumer->number = call->engine->now;
    return consumer;
}

static uint64_t count_pending(const rt_stream_group *group, const rt_entry *consumer)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < group->pending_count; i++)
        count += group->pending[i].consumer == consumer;
    return count;
}

/* By name, as the server lists them: the next one after `before`. */
static rt_entry *next_by_name(const rt_dict *dict, const rt_entry *before)
{
    rt_entry *best = NULL;
    for (rt_entry *entry = NULL; (entry = rt_dict_next(dict, entry));) {
        if (before &&
            (entry == before || rt_str_compare(rt_entry_name(entry), rt_entry_name(before)) < 0))
            continue;
        if (!best || rt_str_compare(rt_entry_name(entry), rt_entry_name(best)) < 0)
            best = entry;
    }
    return best;
}

static const rt_stream_item *find_item(const rt_stream *stream, rt_stream_id id)
{
    uint64_t index = rt_stream_find(stream, id);
    const rt_stream_item *item = index < stream->count ? rt_stream_at(stream, index) : NULL;
    return item && rt_stream_id_compare(item->id, id) == 0 ? item : NULL;
}

/* --- XREADGROUP ------------------------------------------------------------------------------- */

static bool deliver(const struct rt_group_read *read, rt_entry *consumer, rt_stream_id id)
{
    read->group->last = id;
    if (read->group->read >= 0)
        read->group->read++;
    if (read->no_ack)
        return true;
    rt_pending *pending = rt_pending_put(read->group, id);
    if (!pending)
        return false;
    pending->consumer = consumer;
    pending->delivered = read->call->engine->now;
    pending->times = 1;
    return true;
}

bool rt_group_read_new(const struct rt_group_read *read)
{
    const rt_stream *stream = read->stream;
    rt_output *out = read->call->out;
    rt_stream_id after = read->group->last;
    uint64_t begin = rt_stream_id_next(&after) ? rt_stream_find(stream, after) : stream->count;
    uint64_t count = stream->count - begin;
    count = read->most && read->most < count ? read->most : count;
    /* A consumer is made when it is served: not by asking in vain. */
    rt_entry *consumer = count ? see_consumer(read->call, read->group, read->consumer) : NULL;
    if (!consumer)
        return false;
    rt_out_array(out, 2);
    rt_out_string(out, read->key);
    uint64_t array = rt_out_begin(out), delivered = 0;
    while (delivered < count) {
        const rt_stream_item *item = rt_stream_at(stream, begin + delivered);
        if (!deliver(read, consumer, item->id))
            break;
        rt_out_stream_item(out, item);
        delivered++;
    }
    rt_out_end(out, array, delivered);
    return true;
}

void rt_group_read_pending(const struct rt_group_read *read, rt_stream_id from)
{
    rt_stream_group *group = read->group;
    rt_output *out = read->call->out;
    const rt_entry *consumer = see_consumer(read->call, group, read->consumer);
    uint64_t array = rt_out_begin(out), count = 0;
    for (uint64_t i = rt_pending_find(group, from); i < group->pending_count; i++) {
        rt_pending *pending = &group->pending[i];
        if (pending->consumer != consumer)
            continue;
        if (read->most && count == read->most)
            break;
        count++;
        const rt_stream_item *item = find_item(read->stream, pending->id);
        if (item) {
            rt_out_stream_item(out, item);
            pending->delivered = read->call->engine->now;
            pending->times++;
        } else {
            rt_out_array(out, 2);
            rt_out_stream_id(out, pending->id);
            rt_out_null(out);
        }
    }
    rt_out_end(out, array, count);
}

void rt_command_xack(rt_call *call)
{
    int64_t acknowledged = 0;
    rt_stream_id id;
    rt_value *value;
    if (!rt_call_read(call, 1, RT_STREAM, &value))
        return;
    rt_stream_group *group = value ? find_group(&value->as.stream, call->arguments[2]) : NULL;
    for (uint32_t i = 3; group && i < call->count; i++)
        if (!rt_stream_id_read(call, i, 0, &id))
            return;
    for (uint32_t i = 3; group && i < call->count; i++) {
        rt_stream_id_parse(call->arguments[i], 0, &id);
        uint64_t index = rt_pending_find(group, id);
        if (index == group->pending_count || rt_stream_id_compare(group->pending[index].id, id))
            continue;
        rt_pending_remove(group, index);
        acknowledged++;
    }
    rt_out_integer(call->out, acknowledged);
}

/* --- XGROUP ----------------------------------------------------------------------------------- */

/* Entries that came after the id. */
static uint64_t count_after(const rt_stream *stream, rt_stream_id id)
{
    return rt_stream_id_next(&id) ? stream->count - rt_stream_find(stream, id) : 0;
}

static bool read_group_options(rt_call *call, bool *make, int64_t *read)
{
    for (uint32_t i = 5; i < call->count; i++) {
        if (rt_call_is(call, i, "MKSTREAM") && rt_call_is(call, 1, "CREATE"))
            *make = true;
        else if (rt_call_is(call, i, "ENTRIESREAD") && i + 1 < call->count) {
            if (!rt_call_integer(call, ++i, read))
                return false;
        } else {
            rt_out_error(call->out,
                         "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try "
                         "XGROUP HELP.",
                         SHORT(call->arguments[1]));
            return false;
        }
    }
    return true;
}

static bool read_group_id(rt_call *call, const rt_stream *stream, rt_stream_id *id)
{
    rt_str text = call->arguments[4];
    *id = stream ? stream->last : (rt_stream_id){0};
    return (text.length == 1 && text.data[0] == '$') || rt_stream_id_read(call, 4, 0, id);
}

static void place_group(rt_stream_group *group, const rt_stream *stream, rt_stream_id id,
                        int64_t read)
{
    group->last = id;
    bool whole = stream->added == stream->count;
    group->read = read >= 0 ? read
                  : whole   ? (int64_t)(stream->count - count_after(stream, id))
                            : -1;
}

static void create_group(rt_call *call, rt_value *value)
{
    bool make = false;
    int64_t read = -1;
    rt_stream_id id;
    if (!read_group_options(call, &make, &read))
        return;
    if (!value && !make) {
        rt_out_error(call->out,
                     "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE "
                     "you may want to use the MKSTREAM option to create an empty stream "
                     "automatically.");
        return;
    }
    if (!read_group_id(call, value ? &value->as.stream : NULL, &id))
        return;
    value = rt_call_make(call, 2, RT_STREAM);
    if (!value)
        return;
    if (find_group(&value->as.stream, call->arguments[3])) {
        rt_out_error(call->out, "BUSYGROUP Consumer Group name already exists");
        return;
    }
    rt_stream_group *group = rt_stream_group_add(&value->as.stream, call->arguments[3]);
    if (!group) {
        rt_reply_memory(call);
        return;
    }
    place_group(group, &value->as.stream, id, read);
    rt_out_status(call->out, "OK");
}

static void move_group(rt_call *call, rt_value *value)
{
    bool make = false;
    int64_t read = -1;
    rt_stream_id id;
    rt_stream_group *group = find_group(&value->as.stream, call->arguments[3]);
    if (!read_group_options(call, &make, &read) || !read_group_id(call, &value->as.stream, &id))
        return;
    place_group(group, &value->as.stream, id, read);
    rt_out_status(call->out, "OK");
}

static void destroy_group(rt_call *call, rt_value *value)
{
    rt_entry *entry = rt_dict_find(&value->as.stream.groups, call->arguments[3]);
    if (entry)
        rt_stream_group_remove(&value->as.stream, entry);
    rt_out_integer(call->out, entry != NULL);
}

static void create_consumer(rt_call *call, rt_value *value)
{
    rt_stream_group *group = find_group(&value->as.stream, call->arguments[3]);
    bool there = rt_dict_find(&group->consumers, call->arguments[4]);
    if (there || see_consumer(call, group, call->arguments[4]))
        rt_out_integer(call->out, !there);
    else
        rt_reply_memory(call);
}

static void delete_consumer(rt_call *call, rt_value *value)
{
    rt_stream_group *group = find_group(&value->as.stream, call->arguments[3]);
    rt_entry *consumer = rt_dict_find(&group->consumers, call->arguments[4]);
    int64_t removed = 0;
    for (uint64_t i = group->pending_count; consumer && i > 0; i--) {
        if (group->pending[i - 1].consumer != consumer)
            continue;
        rt_pending_remove(group, i - 1);
        removed++;
    }
    if (consumer)
        rt_dict_remove(&group->consumers, consumer);
    rt_out_integer(call->out, removed);
}

static const struct subcommand {
    const char *name;
    bool needs_key, needs_group;
    void (*run)(rt_call *call, rt_value *value);
} subcommands[] = {
    {"CREATE", false, false, create_group},       {"SETID", true, true, move_group},
    {"DESTROY", true, false, destroy_group},      {"CREATECONSUMER", true, true, create_consumer},
    {"DELCONSUMER", true, true, delete_consumer},
};

static void run_subcommand(rt_call *call, const struct subcommand *row)
{
    rt_value *value;
    if (!rt_call_read(call, 2, RT_STREAM, &value))
        return;
    if (!value && row->needs_key)
        rt_out_error(call->out,
                     "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE "
                     "you may want to use the MKSTREAM option to create an empty stream "
                     "automatically.");
    else if (row->needs_group && !find_group(&value->as.stream, call->arguments[3]))
        rt_out_error(call->out, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                     SHORT(call->arguments[3]), SHORT(call->arguments[2]));
    else
        row->run(call, value);
}

/* The engine has looked at the second word: it is one of these. */
void rt_command_xgroup(rt_call *call)
{
    for (size_t i = 0; i < sizeof subcommands / sizeof subcommands[0]; i++)
        if (rt_call_is(call, 1, subcommands[i].name))
            run_subcommand(call, &subcommands[i]);
}

/* --- XINFO ------------------------------------------------------------------------------------ */

static void put_number(rt_output *out, const char *name, int64_t number)
{
    rt_out_string(out, rt_string(name));
    rt_out_integer(out, number);
}

static void put_id(rt_output *out, const char *name, rt_stream_id id)
{
    rt_out_string(out, rt_string(name));
    rt_out_stream_id(out, id);
}

static void put_item(rt_output *out, const char *name, const rt_stream *stream, uint64_t index)
{
    rt_out_string(out, rt_string(name));
    if (stream->count)
        rt_out_stream_item(out, rt_stream_at(stream, index));
    else
        rt_out_null(out);
}

static void describe_stream(rt_call *call, const rt_stream *stream)
{
    rt_output *out = call->out;
    rt_out_array(out, 16);
    put_number(out, "length", (int64_t)stream->count);
    put_id(out, "last-generated-id", stream->last);
    put_id(out, "max-deleted-entry-id", stream->deleted);
    put_number(out, "entries-added", (int64_t)stream->added);
    put_id(out, "recorded-first-entry-id",
           stream->count ? rt_stream_at(stream, 0)->id : (rt_stream_id){0});
    put_number(out, "groups", (int64_t)stream->groups.count);
    put_item(out, "first-entry", stream, 0);
    put_item(out, "last-entry", stream, stream->count - 1);
}

static void describe_groups(rt_call *call, const rt_stream *stream)
{
    rt_output *out = call->out;
    rt_out_array(out, stream->groups.count);
    for (rt_entry *entry = NULL; (entry = next_by_name(&stream->groups, entry));) {
        const rt_stream_group *group = entry->value;
        rt_out_array(out, 12);
        rt_out_string(out, RT_STR("name"));
        rt_out_string(out, rt_entry_name(entry));
        put_number(out, "consumers", (int64_t)group->consumers.count);
        put_number(out, "pending", (int64_t)group->pending_count);
        put_id(out, "last-delivered-id", group->last);
        rt_out_string(out, RT_STR("entries-read"));
        if (group->read >= 0)
            rt_out_integer(out, group->read);
        else
            rt_out_null(out);
        put_number(out, "lag", (int64_t)count_after(stream, group->last));
    }
}

static void describe_consumers(rt_call *call, const rt_stream *stream)
{
    rt_output *out = call->out;
    const rt_stream_group *group = find_group(stream, call->arguments[3]);
    if (!group) {
        rt_out_error(out, "NOGROUP No such consumer group '%.*s' for key name '%.*s'",
                     SHORT(call->arguments[3]), SHORT(call->arguments[2]));
        return;
    }
    rt_out_array(out, group->consumers.count);
    for (rt_entry *consumer = NULL; (consumer = next_by_name(&group->consumers, consumer));) {
        rt_out_array(out, 6);
        rt_out_string(out, RT_STR("name"));
        rt_out_string(out, rt_entry_name(consumer));
        put_number(out, "pending", (int64_t)count_pending(group, consumer));
        put_number(out, "idle", call->engine->now - consumer->number);
    }
}

void rt_command_xinfo(rt_call *call)
{
    static const struct {
        const char *name;
        void (*run)(rt_call *call, const rt_stream *stream);
    } rows[] = {{"STREAM", describe_stream},
                {"GROUPS", describe_groups},
                {"CONSUMERS", describe_consumers}};
    rt_value *value;
    if (!rt_call_read(call, 2, RT_STREAM, &value))
        return;
    if (!value) {
        rt_out_error(call->out, "ERR no such key");
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rt_call_is(call, 1, rows[i].name))
            rows[i].run(call, &value->as.stream);
}

/* --- XPENDING --------------------------------------------------------------------------------- */

static void summarize(rt_call *call, const rt_stream_group *group)
{
    rt_output *out = call->out;
    rt_out_array(out, 4);
    rt_out_integer(out, (int64_t)group->pending_count);
    if (!group->pending_count) {
        for (int i = 0; i < 3; i++)
            rt_out_null(out);
        return;
    }
    rt_out_stream_id(out, group->pending[0].id);
    rt_out_stream_id(out, group->pending[group->pending_count - 1].id);
    uint64_t array = rt_out_begin(out), listed = 0;
    for (rt_entry *consumer = NULL; (consumer = next_by_name(&group->consumers, consumer));) {
        char text[24];
        uint64_t count = count_pending(group, consumer);
        if (!count)
            continue;
        snprintf(text, sizeof text, "%llu", (unsigned long long)count);
        rt_out_array(out, 2);
        rt_out_string(out, rt_entry_name(consumer));
        rt_out_string(out, rt_string(text));
        listed++;
    }
    rt_out_end(out, array, listed);
}

struct pending_range {
    rt_stream_id first, last;
    int64_t idle, most;
    uint32_t consumer; /* the argument; 0: all */
};

static bool read_pending_range(rt_call *call, struct pending_range *range)
{
    uint32_t at = 3;
    *range = (struct pending_range){0};
    if (rt_call_is(call, 3, "IDLE")) {
        if (call->count < 5 || !rt_call_integer(call, 4, &range->idle))
            return call->count < 5 ? (rt_reply_syntax(call), false) : false;
        at = 5;
    }
    if (call->count < at + 3 || call->count > at + 4) {
        rt_reply_syntax(call);
        return false;
    }
    range->consumer = call->count == at + 4 ? at + 3 : 0;
    if (!rt_call_integer(call, at + 2, &range->most))
        return false;
    range->most = range->most < 0 ? 0 : range->most;
    return rt_stream_bound_read(call, at, false, &range->first) &&
           rt_stream_bound_read(call, at + 1, true, &range->last);
}

static void list_pending(rt_call *call, const rt_stream_group *group,
                         const struct pending_range *range)
{
    const rt_entry *consumer =
        range->consumer ? rt_dict_find(&group->consumers, call->arguments[range->consumer]) : NULL;
    uint64_t array = rt_out_begin(call->out);
    int64_t listed = 0, now = call->engine->now;
    for (uint64_t i = rt_pending_find(group, range->first);
         i < group->pending_count && listed < range->most; i++) {
        const rt_pending *pending = &group->pending[i];
        if (rt_stream_id_compare(pending->id, range->last) > 0)
            break;
        if ((range->consumer && pending->consumer != consumer) ||
            now - pending->delivered < range->idle)
            continue;
        rt_out_array(call->out, 4);
        rt_out_stream_id(call->out, pending->id);
        rt_out_string(call->out, rt_entry_name(pending->consumer));
        rt_out_integer(call->out, now - pending->delivered);
        rt_out_integer(call->out, (int64_t)pending->times);
        listed++;
    }
    rt_out_end(call->out, array, (uint64_t)listed);
}

void rt_command_xpending(rt_call *call)
{
    struct pending_range range;
    rt_value *value;
    if (call->count > 3 && !read_pending_range(call, &range))
        return;
    if (!rt_call_read(call, 1, RT_STREAM, &value))
        return;
    const rt_stream_group *group = rt_group_find(
        call, value ? &value->as.stream : NULL, call->arguments[1], call->arguments[2], "XPENDING");
    if (!group)
        return;
    if (call->count == 3)
        summarize(call, group);
    else
        list_pending(call, group, &range);
}

/* --- XCLAIM, XAUTOCLAIM ----------------------------------------------------------------------- */

struct claim {
    const rt_stream *stream;
    rt_stream_group *group;
    int64_t idle, delivered, times; /* times below 0: one more */
    bool force, ids_alone;
};

/* Gives one pending entry to the consumer, who is made with the first, and replies it. */
static bool take_over(rt_call *call, struct claim *claim, rt_stream_id id,
                      const rt_stream_item *item)
{
    rt_entry *consumer = see_consumer(call, claim->group, call->arguments[3]);
    rt_pending *pending = consumer ? rt_pending_put(claim->group, id) : NULL;
    if (!pending)
        return false;
    pending->consumer = consumer;
    pending->delivered = claim->delivered;
    if (claim->times >= 0)
        pending->times = (uint64_t)claim->times;
    else if (!claim->ids_alone)
        pending->times++;
    if (claim->ids_alone)
        rt_out_stream_id(call->out, item->id);
    else
        rt_out_stream_item(call->out, item);
    return true;
}

static bool read_claim_option(rt_call *call, uint32_t *at, struct claim *claim)
{
    static const char *const words[] = {"IDLE", "TIME", "RETRYCOUNT", "LASTID"};
    int64_t number = 0;
    rt_stream_id last;
    claim->force = claim->force || rt_call_is(call, *at, "FORCE");
    claim->ids_alone = claim->ids_alone || rt_call_is(call, *at, "JUSTID");
    if (rt_call_is(call, *at, "FORCE") || rt_call_is(call, *at, "JUSTID"))
        return true;
    size_t word = 0;
    while (word < 4 && !rt_call_is(call, *at, words[word]))
        word++;
    if (word == 4 || *at + 1 >= call->count) {
        rt_out_error(call->out, "ERR Unrecognized XCLAIM option '%.*s'",
                     SHORT(call->arguments[*at]));
        return false;
    }
    ++*at;
    if (word == 3) {
        if (!rt_stream_id_read(call, *at, 0, &last))
            return false;
        if (rt_stream_id_compare(last, claim->group->last) > 0)
            claim->group->last = last;
        return true;
    }
    if (!rt_text_integer(call->arguments[*at], &number)) {
        rt_out_error(call->out, "ERR Invalid %s option argument for XCLAIM", words[word]);
        return false;
    }
    if (word == 2)
        claim->times = number;
    else
        claim->delivered = word == 0 ? call->engine->now - number : number;
    if (claim->delivered > call->engine->now || claim->delivered < 0)
        claim->delivered = call->engine->now;
    return true;
}

static void claim_one(rt_call *call, struct claim *claim, rt_stream_id id, uint64_t *claimed)
{
    rt_stream_group *group = claim->group;
    uint64_t index = rt_pending_find(group, id);
    bool pending =
        index < group->pending_count && rt_stream_id_compare(group->pending[index].id, id) == 0;
    const rt_stream_item *item = find_item(claim->stream, id);
    if (pending && !item) {
        rt_pending_remove(group, index);
        return;
    }
    if (!item || (!pending && !claim->force))
        return;
    if (pending && call->engine->now - group->pending[index].delivered < claim->idle)
        return;
    *claimed += take_over(call, claim, id, item);
}

static bool read_idle(rt_call *call, const char *name, struct claim *claim)
{
    if (!rt_text_integer(call->arguments[4], &claim->idle)) {
        rt_out_error(call->out, "ERR Invalid min-idle-time argument for %s", name);
        return false;
    }
    claim->idle = claim->idle < 0 ? 0 : claim->idle;
    return true;
}

static bool begin_claim(rt_call *call, const char *name, struct claim *claim)
{
    rt_value *value;
    if (!rt_call_read(call, 1, RT_STREAM, &value))
        return false;
    claim->stream = value ? &value->as.stream : NULL;
    claim->group = rt_group_find(call, value ? &value->as.stream : NULL, call->arguments[1],
                                 call->arguments[2], name);
    claim->delivered = call->engine->now;
    claim->times = -1;
    return claim->group != NULL;
}

void rt_command_xclaim(rt_call *call)
{
    struct claim claim = {0};
    uint32_t end = 5;
    rt_stream_id id;
    if (!begin_claim(call, "XCLAIM", &claim) || !read_idle(call, "XCLAIM", &claim))
        return;
    while (end < call->count && rt_stream_id_parse(call->arguments[end], 0, &id))
        end++;
    for (uint32_t i = end; i < call->count; i++)
        if (!read_claim_option(call, &i, &claim))
            return;
    uint64_t array = rt_out_begin(call->out), claimed = 0;
    for (uint32_t i = 5; i < end; i++) {
        rt_stream_id_parse(call->arguments[i], 0, &id);
        claim_one(call, &claim, id, &claimed);
    }
    rt_out_end(call->out, array, claimed);
}

static bool read_autoclaim(rt_call *call, struct claim *claim, rt_stream_id *from, int64_t *most)
{
    *most = 100;
    if (!rt_stream_bound_read(call, 5, false, from))
        return false;
    for (uint32_t i = 6; i < call->count; i++) {
        if (rt_call_is(call, i, "JUSTID"))
            claim->ids_alone = true;
        else if (rt_call_is(call, i, "COUNT") && i + 1 < call->count) {
            if (!rt_text_integer(call->arguments[++i], most) || *most < 1 ||
                *most > INT64_MAX / 16) {
                rt_out_error(call->out, "ERR COUNT must be > 0");
                return false;
            }
        } else {
            rt_reply_syntax(call);
            return false;
        }
    }
    return true;
}

/* Claims what is old enough from `*index` on, at most `most` entries; those that are in the stream
 * no more are told apart and forgotten. */
static void claim_range(rt_call *call, struct claim *claim, uint64_t *index, int64_t most,
                        rt_output *deleted)
{
    rt_stream_group *group = claim->group;
    uint64_t claimed = 0, gone = 0;
    uint64_t claimed_array = rt_out_begin(call->out), deleted_array = rt_out_begin(deleted);
    for (int64_t left = most * 10; left > 0 && (int64_t)(claimed + gone) < most; left--) {
        if (*index >= group->pending_count)
            break;
        const rt_pending *pending = &group->pending[*index];
        const rt_stream_item *item = find_item(claim->stream, pending->id);
        if (!item) {
            rt_out_stream_id(deleted, pending->id);
            gone++;
            rt_pending_remove(group, *index);
            continue;
        }
        if (call->engine->now - pending->delivered >= claim->idle)
            claimed += take_over(call, claim, pending->id, item);
        ++*index;
    }
    rt_out_end(call->out, claimed_array, claimed);
    rt_out_end(deleted, deleted_array, gone);
}

void rt_command_xautoclaim(rt_call *call)
{
    struct claim claim = {0};
    rt_stream_id from;
    rt_output deleted = {0}, found = {0}, *out = call->out;
    int64_t most;
    if (!read_idle(call, "XAUTOCLAIM", &claim) || !read_autoclaim(call, &claim, &from, &most) ||
        !begin_claim(call, "XAUTOCLAIM", &claim))
        return;
    uint64_t index = rt_pending_find(claim.group, from);
    call->out = &found;
    claim_range(call, &claim, &index, most, &deleted);
    call->out = out;
    rt_out_array(out, 3);
    rt_out_stream_id(out, index < claim.group->pending_count ? claim.group->pending[index].id
                                                             : (rt_stream_id){0});
    rt_out_append(out, &found);
    rt_out_append(out, &deleted);
    rt_output_close(&found);
    rt_output_close(&deleted);
}
