/* Commands on sorted sets */
#include "memory_engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- ZADD ------------------------------------------------------------------------------------- */

enum add_flags {
    ONLY_NEW = 1,
    ONLY_OLD = 2,
    ONLY_GREATER = 4,
    ONLY_LESS = 8,
    CHANGED = 16,
    SUM = 32
};

struct adding {
    unsigned flags;
    uint32_t first; /* argument with the first score */
    int64_t added, updated;
    bool skipped; /* the last one was not taken */
    double score; /* what the last one has now */
};

static void read_flags(const rt_call *call, struct adding *adding)
{
    static const char *const words[] = {"NX", "XX", "GT", "LT", "CH", "INCR"};
    for (adding->first = 2; adding->first < call->count; adding->first++) {
        unsigned flag = 0;
        for (unsigned k = 0; k < sizeof words / sizeof words[0]; k++)
            flag |= rt_call_is(call, adding->first, words[k]) ? 1u << k : 0;
        if (!flag)
            return;
        adding->flags |= flag;
    }
}

static bool check_adding(rt_call *call, const struct adding *adding)
{
    uint32_t pairs = call->count - adding->first;
    unsigned flags = adding->flags;
    double score;
    if (!pairs || pairs % 2) {
        rt_reply_syntax(call);
        return false;
    }
    const char *complaint = (flags & ONLY_NEW) && (flags & ONLY_OLD)
                                ? "XX and NX options at the same time are not compatible"
                            : ((flags & ONLY_GREATER) && (flags & (ONLY_NEW | ONLY_LESS))) ||
                                    ((flags & ONLY_LESS) && (flags & ONLY_NEW))
                                ? "GT, LT, and/or NX options at the same time are not compatible"
                            : (flags & SUM) && pairs > 2
                                ? "INCR option supports a single increment-element pair"
                                : NULL;
    if (complaint)
        rt_out_error(call->out, "ERR %s", complaint);
    for (uint32_t i = adding->first; !complaint && i < call->count; i += 2)
        if (!rt_call_float(call, i, &score))
            return false;
    return !complaint;
}

/* False: the reply is an error. */
static bool add_one(rt_call *call, rt_value *value, rt_str name, double score,
                    struct adding *adding)
{
    const rt_entry *old = rt_dict_find(&value->as.zset.members, name);
    unsigned flags = adding->flags;
    if (old && (flags & SUM))
        score += old->score;
    if (isnan(score)) {
        rt_out_error(call->out, "ERR resulting score is not a number (NaN)");
        return false;
    }
    adding->score = score;
    adding->skipped = old ? (flags & ONLY_NEW) || ((flags & ONLY_GREATER) && score <= old->score) ||
                                ((flags & ONLY_LESS) && score >= old->score)
                          : (flags & ONLY_OLD) != 0;
    if (adding->skipped)
        return true;
    adding->added += !old;
    adding->updated += old && old->score != score;
    if (rt_zset_put(&value->as.zset, name, score))
        return true;
    rt_reply_memory(call);
    return false;
}

static void reply_adding(rt_call *call, const struct adding *adding)
{
    if (!(adding->flags & SUM))
        rt_out_integer(call->out, adding->added + (adding->flags & CHANGED ? adding->updated : 0));
    else if (adding->skipped)
        rt_out_null(call->out);
    else
        rt_out_double(call->out, adding->score);
}

static void add_all(rt_call *call, struct adding *adding)
{
    rt_value *value;
    if (!check_adding(call, adding) || !rt_call_read(call, 1, RT_ZSET, &value))
        return;
    adding->skipped = true;
    bool ended = !value && (adding->flags & ONLY_OLD);
    if (!ended && !(value = rt_call_make(call, 1, RT_ZSET)))
        return;
    for (uint32_t i = adding->first; !ended && i < call->count; i += 2) {
        double score = 0;
        rt_text_float(call->arguments[i], &score);
        if (!add_one(call, value, call->arguments[i + 1], score, adding)) {
            rt_key_settle(call->engine, call->arguments[1]);
            return;
        }
    }
    rt_key_settle(call->engine, call->arguments[1]);
    reply_adding(call, adding);
}

void rt_command_zadd(rt_call *call)
{
    struct adding adding = {0};
    read_flags(call, &adding);
    add_all(call, &adding);
}

void rt_command_zincrby(rt_call *call)
{
    add_all(call, &(struct adding){.flags = SUM, .first = 2});
}

/* --- one member ------------------------------------------------------------------------------- */

static rt_entry *find_member(rt_call *call, uint32_t index, const rt_value *value)
{
    return value ? rt_dict_find(&value->as.zset.members, call->arguments[index]) : NULL;
}

void rt_command_zscore(rt_call *call)
{
    rt_value *value;
    if (!rt_call_read(call, 1, RT_ZSET, &value))
        return;
    if (rt_call_named(call, "ZM"))
        rt_out_array(call->out, call->count - 2);
    for (uint32_t i = 2; i < call->count; i++) {
        const rt_entry *member = find_member(call, i, value);
        if (member)
            rt_out_double(call->out, member->score);
        else
            rt_out_null(call->out);
    }
}

void rt_command_zrank(rt_call *call)
{
    rt_value *value;
    if (!rt_call_read(call, 1, RT_ZSET, &value))
        return;
    const rt_entry *member = find_member(call, 2, value);
    if (!member) {
        rt_out_null(call->out);
        return;
    }
    uint64_t rank = rt_zset_rank(&value->as.zset, member);
    bool back = rt_call_named(call, "ZREV");
    rt_out_integer(call->out, (int64_t)(back ? value->as.zset.members.count - 1 - rank : rank));
}

void rt_command_zcard(rt_call *call)
{
    rt_value *value;
    if (rt_call_read(call, 1, RT_ZSET, &value))
        rt_out_integer(call->out, value ? (int64_t)value->as.zset.members.count : 0);
}

void rt_command_zrem(rt_call *call)
{
    int64_t removed = 0;
    rt_value *value;
    if (!rt_call_read(call, 1, RT_ZSET, &value))
        return;
    for (uint32_t i = 2; i < call->count; i++) {
        rt_entry *member = find_member(call, i, value);
        if (member)
            rt_zset_remove(&value->as.zset, member);
        removed += member != NULL;
    }
    rt_key_settle(call->engine, call->arguments[1]);
    rt_out_integer(call->out, removed);
}

static void reply_and_remove(rt_call *call, rt_zset *zset, bool greatest)
{
    rt_entry *member = zset->order[greatest ? zset->members.count - 1 : 0];
    rt_out_string(call->out, rt_entry_name(member));
    rt_out_double(call->out, member->score);
    rt_zset_remove(zset, member);
}

void rt_command_zpop(rt_call *call)
{
    int64_t count = 1;
    rt_value *value;
    if (call->count > 3) {
        rt_reply_syntax(call);
        return;
    }
    if (call->count == 3 && (!rt_text_integer(call->arguments[2], &count) || count < 0)) {
        rt_out_error(call->out, "ERR value is out of range, must be positive");
        return;
    }
    if (!rt_call_read(call, 1, RT_ZSET, &value))
        return;
    uint64_t length = value ? value->as.zset.members.count : 0;
    length = length < (uint64_t)count ? length : (uint64_t)count;
    rt_out_array(call->out, 2 * length);
    for (uint64_t i = 0; i < length; i++)
        reply_and_remove(call, &value->as.zset, rt_call_named(call, "ZPOPMAX"));
    rt_key_settle(call->engine, call->arguments[1]);
}

void rt_command_zpop_blocking(rt_call *call)
{
    int64_t wait;
    if (!rt_call_timeout(call, call->count - 1, &wait))
        return;
    for (uint32_t i = 1; i + 1 < call->count; i++) {
        const rt_entry *key = rt_key_find(call->engine, call->arguments[i]);
        rt_value *value = key ? key->value : NULL;
        if (!value || (value->type != RT_ZSET && (call->how & RT_ENGINE_AGAIN)))
            continue;
        if (value->type != RT_ZSET) {
            rt_reply_wrong_type(call);
            return;
        }
        rt_out_array(call->out, 3);
        rt_out_string(call->out, call->arguments[i]);
        reply_and_remove(call, &value->as.zset, rt_call_named(call, "BZPOPMAX"));
        rt_key_settle(call->engine, call->arguments[i]);
        return;
    }
    rt_call_block(call, wait);
}

/* --- ranges ----------------------------------------------------------------------------------- */

struct bound {
    double score;
    bool exclusive;
};

static bool read_bound(rt_call *call, uint32_t index, struct bound *bound)
{
    rt_str text = call->arguments[index];
    bound->exclusive = text.length && text.data[0] == '(';
    if (bound->exclusive)
        text = (rt_str){text.data + 1, text.length - 1};
    if (rt_text_bound(text, &bound->score))
        return true;
    rt_out_error(call->out, "ERR min or max is not a float");
    return false;
}

/* From the first up to before the last rank of the members between two scores. */
static void find_scores(const rt_value *value, struct bound least, struct bound most,
                        uint64_t *first, uint64_t *end)
{
    *first = *end = 0;
    if (!value)
        return;
    *first = rt_zset_below(&value->as.zset, least.score, least.exclusive);
    *end = rt_zset_below(&value->as.zset, most.score, !most.exclusive);
    if (*end < *first)
        *end = *first;
}

struct range {
    bool by_score, back, with_scores, limited;
    int64_t offset, limit; /* limit below 0: none */
    uint64_t first, end;
};

static bool read_limit(rt_call *call, uint32_t index, struct range *range)
{
    range->limited = true;
    return rt_call_integer(call, index + 1, &range->offset) &&
           rt_call_integer(call, index + 2, &range->limit);
}

static bool read_range_words(rt_call *call, struct range *range)
{
    bool general = call->arguments[0].length == strlen("ZRANGE");
    for (uint32_t i = 4; i < call->count; i++) {
        if (rt_call_is(call, i, "WITHSCORES"))
            range->with_scores = true;
        else if (rt_call_is(call, i, "LIMIT") && i + 2 < call->count) {
            if (!read_limit(call, i, range))
                return false;
            i += 2;
        } else if (general && rt_call_is(call, i, "REV"))
            range->back = true;
        else if (general && rt_call_is(call, i, "BYSCORE"))
            range->by_score = true;
        else {
            rt_reply_syntax(call);
            return false;
        }
    }
    if (!range->limited || range->limit == -1 || range->by_score)
        return true;
    rt_out_error(call->out, "ERR syntax error, LIMIT is only supported in combination with either "
                            "BYSCORE or BYLEX");
    return false;
}

static bool find_by_score(rt_call *call, struct range *range)
{
    struct bound least, most;
    rt_value *value;
    if (!read_bound(call, range->back ? 3 : 2, &least) ||
        !read_bound(call, range->back ? 2 : 3, &most) || !rt_call_read(call, 1, RT_ZSET, &value))
        return false;
    find_scores(value, least, most, &range->first, &range->end);
    uint64_t count = range->end - range->first, offset = (uint64_t)range->offset;
    if (range->offset < 0 || offset > count)
        offset = count;
    uint64_t left = count - offset;
    if (range->limited && range->limit >= 0 && (uint64_t)range->limit < left)
        left = (uint64_t)range->limit;
    range->first = range->back ? range->end - offset - left : range->first + offset;
    range->end = range->first + left;
    return true;
}

static bool find_by_rank(rt_call *call, struct range *range)
{
    int64_t start, stop;
    rt_value *value;
    if (!rt_call_integer(call, 2, &start) || !rt_call_integer(call, 3, &stop) ||
        !rt_call_read(call, 1, RT_ZSET, &value))
        return false;
    uint64_t length = value ? value->as.zset.members.count : 0;
    if (!rt_range_clip(&start, &stop, length))
        return true;
    range->first = range->back ? length - 1 - (uint64_t)stop : (uint64_t)start;
    range->end = range->first + (uint64_t)(stop - start) + 1;
    return true;
}

static void reply_range(rt_call *call, const struct range *range)
{
    const rt_entry *key = rt_key_find(call->engine, call->arguments[1]);
    const rt_value *value = key ? key->value : NULL;
    uint64_t count = range->end - range->first;
    rt_out_array(call->out, range->with_scores ? 2 * count : count);
    for (uint64_t i = 0; i < count; i++) {
        const rt_entry *member =
            value->as.zset.order[range->back ? range->end - 1 - i : range->first + i];
        rt_out_string(call->out, rt_entry_name(member));
        if (range->with_scores)
            rt_out_double(call->out, member->score);
    }
}

/* ZRANGE, ZREVRANGE, ZRANGEBYSCORE, ZREVRANGEBYSCORE */
void rt_command_zrange(rt_call *call)
{
    struct range range = {.back = rt_call_named(call, "ZREV"), .limit = -1};
    range.by_score = call->arguments[0].length > strlen("ZREVRANGE");
    if (read_range_words(call, &range) &&
        (range.by_score ? find_by_score(call, &range) : find_by_rank(call, &range)))
        reply_range(call, &range);
}

void rt_command_zcount(rt_call *call)
{
    struct bound least, most;
    uint64_t first, end;
    rt_value *value;
    if (!read_bound(call, 2, &least) || !read_bound(call, 3, &most) ||
        !rt_call_read(call, 1, RT_ZSET, &value))
        return;
    find_scores(value, least, most, &first, &end);
    rt_out_integer(call->out, (int64_t)(end - first));
}

void rt_command_zremrange(rt_call *call)
{
    struct range range = {.by_score = rt_call_named(call, "ZREMRANGEBYS"), .limit = -1};
    if (!(range.by_score ? find_by_score(call, &range) : find_by_rank(call, &range)))
        return;
    rt_entry *key = rt_key_find(call->engine, call->arguments[1]);
    rt_value *value = key ? key->value : NULL;
    for (uint64_t i = range.end; i > range.first; i--)
        rt_zset_remove(&value->as.zset, value->as.zset.order[i - 1]);
    rt_key_settle(call->engine, call->arguments[1]);
    rt_out_integer(call->out, (int64_t)(range.end - range.first));
}
