#include "redis_reply.h"

#include "verdict.h"

#include <hiredis/hiredis.h>
#include <rt/rt.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_LINE (64 * 1024) /* of what is no bulk string: a status, an error, a number */
#define LONGEST_LENGTH 32        /* digits of a bulk string's length, and their line end */
#define FIRST_CHUNK 4096

struct rt_redis_chunk {
    struct rt_redis_chunk *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

struct rt_redis_reader {
    redisReader *hiredis;
    rt_redis_replies *into;
    uint64_t most;
    enum rt_redis_reading verdict;
    const char *failure;
};

/* --- memory of a request --------------------------------------------------------------------- */

static void *take(rt_redis_replies *replies, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    replies->used += size;
    if (size <= sizeof replies->near - replies->near_used) {
        replies->near_used += (uint32_t)size;
        return replies->near + replies->near_used - size;
    }
    struct rt_redis_chunk *chunk = replies->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = chunk && chunk->size < (1u << 20) ? chunk->size * 2 : FIRST_CHUNK;
        room = room < size ? size : room;
        chunk = malloc(sizeof *chunk + room);
        if (!chunk)
            return NULL;
        *chunk = (struct rt_redis_chunk){.next = replies->chunks, .size = room};
        replies->chunks = chunk;
    }
    chunk->used += size;
    return chunk->bytes + chunk->used - size;
}

bool rt_redis_replies_begin(rt_redis_replies *replies, uint32_t expected)
{
    replies->expected = expected;
    replies->count = 0;
    replies->used = 0;
    replies->chunks = NULL;
    replies->near_used = 0;
    replies->at = take(replies, expected * sizeof(rt_redis_reply));
    replies->used = 0; /* of what comes */
    if (replies->at)
        memset(replies->at, 0, expected * sizeof(rt_redis_reply));
    return replies->at != NULL;
}

void rt_redis_replies_end(rt_redis_replies *replies)
{
    for (struct rt_redis_chunk *chunk = replies->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    replies->chunks = NULL;
    replies->at = NULL;
}

/* As deep as the reader lets a reply be: seven arrays. */
void rt_redis_reply_copy(rt_ctx *ctx, const rt_redis_reply *from, rt_redis_reply *to)
{
    *to = *from;
    if (from->type == RT_REDIS_ARRAY && from->length) {
        rt_redis_reply *elements = rt_alloc(ctx, from->length * sizeof *elements);
        for (uint64_t i = 0; i < from->length; i++)
            rt_redis_reply_copy(ctx, &from->elements[i], &elements[i]);
        to->elements = elements;
    } else if (from->text) {
        char *text = rt_alloc(ctx, from->length + 1);
        memcpy(text, from->text, from->length);
        to->text = text;
    }
}

/* --- what hiredis calls ---------------------------------------------------------------------- */

static void *fail(rt_redis_reader *reader, enum rt_redis_reading verdict, const char *failure)
{
    reader->verdict = verdict;
    reader->failure = failure;
    return NULL;
}

static void *take_bounded(rt_redis_reader *reader, size_t size)
{
    if (size > reader->most || reader->into->used > reader->most - size)
        return fail(reader, RT_REDIS_READ_TOO_LARGE, "a reply is larger than `max_reply`");
    void *memory = take(reader->into, size);
    return memory ? memory : fail(reader, RT_REDIS_READ_TOO_LARGE, "no memory for a reply");
}

/* Where the value belongs: into its array, or next among those that are waited for. */
static rt_redis_reply *place_of(const redisReadTask *task)
{
    rt_redis_reader *reader = task->privdata;
    if (!task->parent)
        return &reader->into->at[reader->into->count];
    const rt_redis_reply *array = task->parent->obj;
    return (rt_redis_reply *)&array->elements[task->idx];
}

static void *make_text(const redisReadTask *task, char *text, size_t length)
{
    rt_redis_reader *reader = task->privdata;
    rt_redis_reply *reply = place_of(task);
    if (text[length] != '\r' || text[length + 1] != '\n') /* hiredis skips them unseen */
        return fail(reader, RT_REDIS_READ_WRONG, "a string does not end where it should");
    char *copy = take_bounded(reader, length + 1);
    if (!copy)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *reply = (rt_redis_reply){.type = task->type == REDIS_REPLY_STATUS  ? RT_REDIS_STATUS
                                      : task->type == REDIS_REPLY_ERROR ? RT_REDIS_ERROR
                                                                        : RT_REDIS_STRING,
                              .text = copy,
                              .length = length};
    if (reply->type == RT_REDIS_ERROR)
        reply->code = rt_redis_code_of(copy, length);
    return reply;
}

static void *make_array(const redisReadTask *task, int count)
{
    rt_redis_reader *reader = task->privdata;
    rt_redis_reply *reply = place_of(task), *elements = NULL;
    if (count && !(elements = take_bounded(reader, (size_t)count * sizeof *elements)))
        return NULL;
    if (count)
        memset(elements, 0, (size_t)count * sizeof *elements);
    *reply =
        (rt_redis_reply){.type = RT_REDIS_ARRAY, .length = (uint64_t)count, .elements = elements};
    return reply;
}

static void *make_integer(const redisReadTask *task, long long value)
{
    rt_redis_reply *reply = place_of(task);
    *reply = (rt_redis_reply){.type = RT_REDIS_INTEGER, .integer = value};
    return reply;
}

static void *make_null(const redisReadTask *task)
{
    rt_redis_reply *reply = place_of(task);
    *reply = (rt_redis_reply){.type = RT_REDIS_NULL};
    return reply;
}

static void leave(void *reply)
{
    (void)reply; /* its request frees it */
}

/* --- the reader ------------------------------------------------------------------------------ */

rt_redis_reader *rt_redis_reader_new(uint64_t most)
{
    static redisReplyObjectFunctions functions = {.createString = make_text,
                                                  .createArray = make_array,
                                                  .createInteger = make_integer,
                                                  .createNil = make_null,
                                                  .freeObject = leave};
    rt_redis_reader *reader = calloc(1, sizeof *reader);
    if (reader && !(reader->hiredis = redisReaderCreateWithFunctions(&functions))) {
        free(reader);
        return NULL;
    }
    if (reader) {
        reader->most = most;
        reader->hiredis->privdata = reader;
    }
    return reader;
}

void rt_redis_reader_free(rt_redis_reader *reader)
{
    if (reader)
        redisReaderFree(reader->hiredis);
    free(reader);
}

/* hiredis says what it found, unless it was one of our functions that refused. */
static enum rt_redis_reading failed(rt_redis_reader *reader)
{
    if (!reader->verdict)
        fail(reader, RT_REDIS_READ_WRONG, reader->hiredis->errstr);
    return reader->verdict;
}

enum rt_redis_reading rt_redis_reader_feed(rt_redis_reader *reader, const char *bytes,
                                           size_t length)
{
    if (reader->verdict)
        return reader->verdict;
    return redisReaderFeed(reader->hiredis, bytes, length) == REDIS_OK ? RT_REDIS_READ_MORE
                                                                       : failed(reader);
}

/* A bulk string whose end is to come: it must not be gathered first and refused then. */
static void judge_string(rt_redis_reader *reader, const char *text, size_t length)
{
    bool whole = memchr(text, '\n', length < LONGEST_LENGTH ? length : LONGEST_LENGTH);
    if (!whole && length >= LONGEST_LENGTH)
        fail(reader, RT_REDIS_READ_WRONG, "the length of a string is no number");
    else if (whole && strtoll(text, NULL, 10) > (long long)reader->most)
        fail(reader, RT_REDIS_READ_TOO_LARGE, "a reply is larger than `max_reply`");
}

/* What has begun and is not whole. hiredis reads a line anew with every byte that comes. */
static void judge_rest(rt_redis_reader *reader)
{
    const redisReader *hiredis = reader->hiredis;
    const redisReadTask *task = hiredis->ridx >= 0 ? &hiredis->rstack[hiredis->ridx] : NULL;
    size_t left = hiredis->len - hiredis->pos;
    if (!task || task->type < 0 || !left)
        return;
    if (task->type == REDIS_REPLY_STRING)
        judge_string(reader, hiredis->buf + hiredis->pos, left);
    else if (left > LONGEST_LINE)
        fail(reader, RT_REDIS_READ_WRONG, "a line without an end");
}

enum rt_redis_reading rt_redis_reader_next(rt_redis_reader *reader, rt_redis_replies *replies)
{
    void *reply = NULL;
    if (reader->verdict)
        return reader->verdict;
    reader->into = replies;
    if (redisReaderGetReply(reader->hiredis, &reply) != REDIS_OK)
        return failed(reader);
    if (reply) {
        replies->count++;
        return RT_REDIS_READ_ONE;
    }
    judge_rest(reader);
    return reader->verdict;
}

bool rt_redis_reader_empty(const rt_redis_reader *reader)
{
    return reader->hiredis->len == reader->hiredis->pos && reader->hiredis->ridx < 0;
}

const char *rt_redis_reader_failure(const rt_redis_reader *reader)
{
    return reader->failure;
}
