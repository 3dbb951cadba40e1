/* Commands on streams */
#include "memory_streams.h"

#include <stdio.h>
#include <stdlib.h>

/* --- ids -------------------------------------------------------------------------------------- */

static bool parse_natural(rt_str text, uint64_t *number)
{
    *number = 0;
    for (uint64_t i = 0; i < text.length; i++) {
        unsigned digit = (unsigned char)text.data[i] - '0';
        if (digit > 9 || *number > (UINT64_MAX - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    return text.length != 0;
}

bool rt_stream_id_parse(rt_str text, uint64_t otherwise, rt_stream_id *id)
{
    const char *dash = text.length ? memchr(text.data, '-', text.length) : NULL;
    rt_str head = {text.data, dash ? (uint64_t)(dash - text.data) : text.length};
    id->sequence = otherwise;
    return parse_natural(head, &id->milliseconds) &&
           (!dash ||
            parse_natural((rt_str){dash + 1, text.length - head.length - 1}, &id->sequence));
}

static bool reply_bad_id(rt_call *call)
{
    rt_out_error(call->out, "ERR Invalid stream ID specified as stream command argument");
    return false;
}

bool rt_stream_id_read(rt_call *call, uint32_t index, uint64_t otherwise, rt_stream_id *id)
{
    return rt_stream_id_parse(call->arguments[index], otherwise, id) || reply_bad_id(call);
}

bool rt_stream_id_next(rt_stream_id *id)
{
    if (id->sequence++ != UINT64_MAX)
        return true;
    return id->milliseconds++ != UINT64_MAX;
}

static bool id_before(rt_stream_id *id)
{
    if (id->sequence-- != 0)
        return true;
    return id->milliseconds-- != 0;
}

bool rt_stream_bound_read(rt_call *call, uint32_t index, bool last, rt_stream_id *id)
{
    rt_str text = call->arguments[index];
    bool exclusive = text.length > 1 && text.data[0] == '(';
    if (exclusive)
        text = (rt_str){text.data + 1, text.length - 1};
    if (!exclusive && text.length == 1 && (text.data[0] == '-' || text.data[0] == '+')) {
        uint64_t end = text.data[0] == '-' ? 0 : UINT64_MAX;
        *id = (rt_stream_id){end, end};
        return true;
    }
    if (!rt_stream_id_parse(text, last ? UINT64_MAX : 0, id))
        return reply_bad_id(call);
    if (!exclusive || (last ? id_before(id) : rt_stream_id_next(id)))
        return true;
    rt_out_error(call->out, "ERR invalid %s ID for the interval", last ? "end" : "start");
    return false;
}

void rt_out_stream_id(rt_output *out, rt_stream_id id)
{
    char text[RT_STREAM_ID_TEXT];
    snprintf(text, sizeof text, "%llu-%llu", (unsigned long long)id.milliseconds,
             (unsigned long long)id.sequence);
    rt_out_string(out, rt_string(text));
}

void rt_out_stream_item(rt_output *out, const rt_stream_item *item)
{
    rt_out_array(out, 2);
    rt_out_stream_id(out, item->id);
    rt_out_array(out, item->count);
    for (uint64_t i = 0; i < item->count; i++)
        rt_out_string(out, rt_stream_text(item, i));
}

/* --- trimming --------------------------------------------------------------------------------- */

struct trim {
    bool by_length, by_id;
    int64_t length;
    rt_stream_id least;
};

/* MAXLEN [~|=] n, MINID [~|=] id, LIMIT n behind them; `*at` goes on to what is neither. False: an
 * error is the reply. What may be inexact is exact here. */
static bool read_trim(rt_call *call, uint32_t *at, struct trim *trim)
{
    bool length = rt_call_is(call, *at, "MAXLEN"), about = false;
    if (!length && !rt_call_is(call, *at, "MINID"))
        return true;
    if (trim->by_length || trim->by_id) {
        rt_out_error(call->out, "ERR syntax error, MAXLEN and MINID options at the same time are "
                                "not compatible");
        return false;
    }
    ++*at;
    about = rt_call_is(call, *at, "~");
    *at += about || rt_call_is(call, *at, "=");
    if (*at >= call->count) {
        rt_reply_syntax(call);
        return false;
    }
    trim->by_length = length;
    trim->by_id = !length;
    if (length ? !rt_call_integer(call, *at, &trim->length)
               : !rt_stream_id_read(call, *at, 0, &trim->least))
        return false;
    if (length && trim->length < 0) {
        rt_out_error(call->out, "ERR The MAXLEN argument must be >= 0.");
        return false;
    }
    ++*at;
    if (about && rt_call_is(call, *at, "LIMIT") && *at + 1 < call->count)
        *at += 2;
    return true;
}

static int64_t trim_stream(rt_stream *stream, const struct trim *trim)
{
    uint64_t oldest = 0;
    if (trim->by_length && stream->count > (uint64_t)trim->length)
        oldest = stream->count - (uint64_t)trim->length;
    if (trim->by_id)
        oldest = rt_stream_find(stream, trim->least);
    rt_stream_drop(stream, oldest);
    return (int64_t)oldest;
}

void rt_command_xtrim(rt_call *call)
{
    struct trim trim = {0};
    uint32_t at = 2;
    rt_value *value;
    if (!read_trim(call, &at, &trim))
        return;
    if (at != call->count || !(trim.by_length || trim.by_id))
        rt_reply_syntax(call);
    else if (rt_call_read(call, 1, RT_STREAM, &value))
        rt_out_integer(call->out, value ? trim_stream(&value->as.stream, &trim) : 0);
}

/* --- XADD ------------------------------------------------------------------------------------- */

/* What stands for the new id: "*", "5-*" or an id. */
struct new_id {
    bool automatic, next; /* all of it; the sequence alone */
    rt_stream_id id;
};

static bool read_new_id(rt_call *call, uint32_t index, struct new_id *new)
{
    rt_str text = call->arguments[index];
    new->automatic = text.length == 1 && text.data[0] == '*';
    new->next = text.length > 2 && memcmp(text.data + text.length - 2, "-*", 2) == 0;
    if (new->automatic)
        return true;
    if (new->next)
        text.length -= 2;
    if (new->next && memchr(text.data, '-', text.length))
        return reply_bad_id(call);
    if (!rt_stream_id_parse(text, 0, &new->id))
        return reply_bad_id(call);
    if (new->next || new->id.milliseconds || new->id.sequence)
        return true;
    rt_out_error(call->out, "ERR The ID specified in XADD must be greater than 0-0");
    return false;
}

/* False: no id is left, or this one is not greater than all before. */
static bool choose_id(const rt_engine *engine, const rt_stream *stream, struct new_id *new)
{
    rt_stream_id last = stream->last;
    if (new->automatic && (uint64_t)engine->now > last.milliseconds) {
        new->id = (rt_stream_id){(uint64_t)engine->now, 0};
        return true;
    }
    if (new->automatic) {
        new->id = last;
        return rt_stream_id_next(&new->id);
    }
    if (new->next &&new->id.milliseconds == last.milliseconds) {
        new->id.sequence = last.sequence + 1;
        return last.sequence != UINT64_MAX;
    }
    return rt_stream_id_compare(new->id, last) > 0;
}

static void append_item(rt_call *call, struct new_id *new, const struct trim *trim, uint32_t first)
{
    rt_value *value = rt_call_make(call, 1, RT_STREAM);
    if (!value)
        return;
    rt_stream *stream = &value->as.stream;
    const char *complaint = NULL;
    if (!choose_id(call->engine, stream, new))
        complaint = "ERR The ID specified in XADD is equal or smaller than the target stream top "
                    "item";
    else if (!rt_stream_append(stream, new->id, call->arguments + first, call->count - first))
        complaint = "OOM command not allowed when used memory > 'maxmemory'.";
    if (complaint) {
        rt_out_error(call->out, "%s", complaint);
        if (!stream->added && !stream->groups.count)
            rt_key_remove(call->engine, rt_key_find(call->engine, call->arguments[1]));
        return;
    }
    trim_stream(stream, trim);
    rt_out_stream_id(call->out, new->id);
}

void rt_command_xadd(rt_call *call)
{
    struct trim trim = {0};
    struct new_id new;
    bool only_old = false;
    uint32_t at = 2, before;
    do {
        before = at;
        if (!read_trim(call, &at, &trim))
            return;
        if (rt_call_is(call, at, "NOMKSTREAM")) {
            only_old = true;
            at++;
        }
    } while (at != before && at < call->count);
    if (at < call->count && !read_new_id(call, at, &new))
        return;
    if (at + 1 >= call->count || (call->count - at - 1) % 2) {
        rt_out_error(call->out, "ERR wrong number of arguments for 'xadd' command");
        return;
    }
    if (only_old && !rt_key_find(call->engine, call->arguments[1])) {
        rt_out_null(call->out);
        return;
    }
    append_item(call, &new, &trim, at + 1);
}

/* --- what is there ---------------------------------------------------------------------------- */

void rt_command_xlen(rt_call *call)
{
    rt_value *value;
    if (rt_call_read(call, 1, RT_STREAM, &value))
        rt_out_integer(call->out, value ? (int64_t)value->as.stream.count : 0);
}

static bool read_count(rt_call *call, int64_t *most)
{
    *most = INT64_MAX;
    if (call->count == 4)
        return true;
    if (call->count != 6 || !rt_call_is(call, 4, "COUNT")) {
        rt_reply_syntax(call);
        return false;
    }
    if (!rt_call_integer(call, 5, most))
        return false;
    *most = *most < 0 ? 0 : *most;
    return true;
}

void rt_command_xrange(rt_call *call)
{
    bool back = rt_call_named(call, "XREV");
    int64_t most;
    rt_stream_id first, last;
    rt_value *value;
    if (!rt_stream_bound_read(call, back ? 3 : 2, false, &first) ||
        !rt_stream_bound_read(call, back ? 2 : 3, true, &last) || !read_count(call, &most) ||
        !rt_call_read(call, 1, RT_STREAM, &value))
        return;
    if (!value)
        rt_out_array(call->out, 0);
    else if (!most)
        rt_out_null(call->out);
    if (!value || !most)
        return;
    const rt_stream *stream = &value->as.stream;
    uint64_t begin = rt_stream_find(stream, first);
    uint64_t end = rt_stream_id_next(&last) ? rt_stream_find(stream, last) : stream->count;
    uint64_t count = end > begin ? end - begin : 0;
    count = count < (uint64_t)most ? count : (uint64_t)most;
    rt_out_array(call->out, count);
    for (uint64_t i = 0; i < count; i++)
        rt_out_stream_item(call->out, rt_stream_at(stream, back ? end - 1 - i : begin + i));
}

void rt_command_xdel(rt_call *call)
{
    int64_t removed = 0;
    rt_stream_id id;
    rt_value *value;
    if (!rt_call_read(call, 1, RT_STREAM, &value))
        return;
    for (uint32_t i = 2; value && i < call->count; i++)
        if (!rt_stream_id_read(call, i, 0, &id))
            return;
    for (uint32_t i = 2; value && i < call->count; i++) {
        rt_stream *stream = &value->as.stream;
        rt_stream_id_parse(call->arguments[i], 0, &id);
        uint64_t index = rt_stream_find(stream, id);
        if (index == stream->count || rt_stream_id_compare(rt_stream_at(stream, index)->id, id))
            continue;
        rt_stream_remove(stream, index);
        removed++;
    }
    rt_out_integer(call->out, removed);
}

/* --- XREAD, XREADGROUP ------------------------------------------------------------------------ */

struct reading {
    uint32_t group;   /* the argument, the consumer behind it; 0: none */
    uint32_t streams; /* the first key */
    uint32_t count;   /* of keys */
    int64_t most, wait;
    bool blocks, no_ack;
};

static bool read_number(rt_call *call, uint32_t index, int64_t *number)
{
    if (index < call->count)
        return rt_call_integer(call, index, number);
    rt_reply_syntax(call);
    return false;
}

/* One option at `*at`, which goes on behind it; false: an error is the reply. */
static bool read_option(rt_call *call, bool grouped, uint32_t *at, struct reading *reading)
{
    if (rt_call_is(call, *at, "BLOCK")) {
        reading->blocks = true;
        if (++*at >= call->count || !rt_text_integer(call->arguments[*at], &reading->wait)) {
            rt_out_error(call->out, "ERR timeout is not an integer or out of range");
            return false;
        }
        if (reading->wait < 0) {
            rt_out_error(call->out, "ERR timeout is negative");
            return false;
        }
    } else if (rt_call_is(call, *at, "COUNT")) {
        if (!read_number(call, ++*at, &reading->most))
            return false;
        reading->most = reading->most < 0 ? 0 : reading->most;
    } else if (grouped && rt_call_is(call, *at, "GROUP") && *at + 2 < call->count) {
        reading->group = *at + 1;
        *at += 2;
    } else if (grouped && rt_call_is(call, *at, "NOACK"))
        reading->no_ack = true;
    else {
        rt_reply_syntax(call);
        return false;
    }
    ++*at;
    return true;
}

static bool read_reading(rt_call *call, bool grouped, struct reading *reading)
{
    uint32_t at = 1;
    while (at < call->count && !rt_call_is(call, at, "STREAMS"))
        if (!read_option(call, grouped, &at, reading))
            return false;
    uint32_t rest = at < call->count ? call->count - at - 1 : 0;
    if (rest && rest % 2)
        rt_out_error(call->out,
                     "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must "
                     "be specified.");
    else if (!rest)
        rt_reply_syntax(call);
    else if (grouped && !reading->group)
        rt_out_error(call->out, "ERR Missing GROUP option for XREADGROUP");
    else {
        reading->streams = at + 1;
        reading->count = rest / 2;
        return true;
    }
    return false;
}

static bool is_word(rt_str text, char word)
{
    return text.length == 1 && text.data[0] == word;
}

/* False: an error is the reply. */
static bool check_id(rt_call *call, const struct reading *reading, uint32_t index)
{
    rt_str text = call->arguments[index];
    rt_stream_id id;
    if (reading->group && is_word(text, '$'))
        rt_out_error(call->out,
                     "ERR The $ ID is meaningless in the context of XREADGROUP: you want "
                     "to read the history of this consumer by specifying a proper ID, or "
                     "use the > ID to get new messages. The $ ID would just return an "
                     "empty result set.");
    else if (!reading->group && is_word(text, '>'))
        rt_out_error(call->out, "ERR The > ID can be specified only when calling XREADGROUP using "
                                "the GROUP <group> <consumer> option.");
    else
        return is_word(text, '$') || is_word(text, '>') || rt_stream_id_read(call, index, 0, &id);
    return false;
}

static bool check_streams(rt_call *call, const struct reading *reading)
{
    rt_value *value;
    for (uint32_t i = 0; i < reading->count; i++) {
        uint32_t key = reading->streams + i;
        if (!rt_call_read(call, key, RT_STREAM, &value))
            return false;
        if (reading->group &&
            !rt_group_find(call, value ? &value->as.stream : NULL, call->arguments[key],
                           call->arguments[reading->group], "XREADGROUP"))
            return false;
        if (!check_id(call, reading, key + reading->count))
            return false;
    }
    return true;
}

static bool read_after(rt_call *call, const struct reading *reading, uint32_t key, rt_stream_id id)
{
    rt_value *value;
    if (!rt_call_read(call, key, RT_STREAM, &value) || !value || !rt_stream_id_next(&id))
        return false;
    const rt_stream *stream = &value->as.stream;
    uint64_t begin = rt_stream_find(stream, id), count = stream->count - begin;
    if (reading->most && count > (uint64_t)reading->most)
        count = (uint64_t)reading->most;
    if (!count)
        return false;
    rt_out_array(call->out, 2);
    rt_out_string(call->out, call->arguments[key]);
    rt_out_array(call->out, count);
    for (uint64_t i = 0; i < count; i++)
        rt_out_stream_item(call->out, rt_stream_at(stream, begin + i));
    return true;
}

static bool read_group(rt_call *call, const struct reading *reading, uint32_t key)
{
    rt_value *value;
    rt_stream_id id = {0};
    rt_str from = call->arguments[key + reading->count];
    if (!rt_call_read(call, key, RT_STREAM, &value) || !value)
        return false;
    struct rt_group_read read = {.call = call,
                                 .stream = &value->as.stream,
                                 .key = call->arguments[key],
                                 .group =
                                     rt_group_find(call, &value->as.stream, call->arguments[key],
                                                   call->arguments[reading->group], "XREADGROUP"),
                                 .consumer = call->arguments[reading->group + 1],
                                 .most = (uint64_t)reading->most,
                                 .no_ack = reading->no_ack};
    if (is_word(from, '>'))
        return rt_group_read_new(&read);
    rt_stream_id_parse(from, 0, &id);
    rt_out_array(call->out, 2);
    rt_out_string(call->out, call->arguments[key]);
    if (rt_stream_id_next(&id))
        rt_group_read_pending(&read, id);
    else
        rt_out_array(call->out, 0);
    return true;
}

static bool read_stream(rt_call *call, const struct reading *reading, uint32_t key)
{
    rt_str from = call->arguments[key + reading->count];
    rt_stream_id id;
    if (reading->group)
        return read_group(call, reading, key);
    /* `$` is what is there now, and nothing can come while this command runs. */
    return !is_word(from, '$') && rt_stream_id_parse(from, 0, &id) &&
           read_after(call, reading, key, id);
}

void rt_command_xread(rt_call *call)
{
    struct reading reading = {0};
    uint64_t found = 0, begin = call->out->length;
    if (!read_reading(call, rt_call_named(call, "XREADGROUP"), &reading) ||
        !check_streams(call, &reading))
        return;
    uint64_t array = rt_out_begin(call->out);
    for (uint32_t i = 0; i < reading.count; i++)
        found += read_stream(call, &reading, reading.streams + i);
    rt_out_end(call->out, array, found);
    if (found || call->out->failed)
        return;
    call->out->length = begin;
    if (reading.blocks)
        rt_call_block(call, reading.wait);
    else
        rt_out_null(call->out);
}

void rt_engine_settle_ids(rt_engine *engine, rt_str *arguments, uint32_t count, char *room)
{
    uint32_t streams = 0, keys;
    rt_call call = {.engine = engine, .arguments = arguments, .count = count};
    if (!rt_call_is(&call, 0, "XREAD"))
        return;
    while (streams < count && !rt_call_is(&call, streams, "STREAMS"))
        streams++;
    keys = (count - streams - 1) / 2;
    for (uint32_t i = streams + 1; i < streams + 1 + keys; i++, room += RT_STREAM_ID_TEXT) {
        const rt_entry *key = rt_key_find(engine, arguments[i]);
        const rt_value *value = key ? key->value : NULL;
        rt_stream_id last =
            value && value->type == RT_STREAM ? value->as.stream.last : (rt_stream_id){0};
        if (!is_word(arguments[i + keys], '$'))
            continue;
        snprintf(room, RT_STREAM_ID_TEXT, "%llu-%llu", (unsigned long long)last.milliseconds,
                 (unsigned long long)last.sequence);
        arguments[i + keys] = rt_string(room);
    }
}
