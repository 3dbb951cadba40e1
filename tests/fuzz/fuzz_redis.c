/* Whatever a server says, the replies are the same in one piece, cut in two, and byte by byte, and
 * take no more memory than they may. The first two bytes say where it is cut, the third how much
 * that is and how many replies a request waits for. */
#include "redis/redis_reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_REQUESTS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const rt_host *rt_host_table;

struct session {
    rt_redis_reader *reader;
    rt_redis_replies replies;
    uint64_t digest, most;
    uint32_t requests, expected;
    enum rt_redis_reading verdict;
};

static void note(struct session *session, uint64_t value)
{
    session->digest = (session->digest ^ value) * 0x100000001b3u;
}

static void note_reply(struct session *session, const rt_redis_reply *reply, unsigned depth)
{
    if (depth > 8 || (reply->text && reply->text[reply->length]))
        abort();
    if ((reply->type == RT_REDIS_ERROR) != (reply->code < 0))
        abort();
    note(session, reply->type);
    note(session, (uint64_t)reply->integer);
    note(session, reply->length);
    for (uint64_t i = 0; reply->text && i < reply->length; i++)
        note(session, (unsigned char)reply->text[i]);
    for (uint64_t i = 0; reply->type == RT_REDIS_ARRAY && i < reply->length; i++)
        note_reply(session, &reply->elements[i], depth + 1);
}

static void begin_request(struct session *session)
{
    if (!rt_redis_replies_begin(&session->replies, session->expected))
        abort();
}

static void end_request(struct session *session)
{
    for (uint32_t i = 0; i < session->replies.count; i++)
        note_reply(session, &session->replies.at[i], 0);
    if (session->replies.used > session->most + 4096)
        abort();
    rt_redis_replies_end(&session->replies);
    session->requests++;
}

static void feed(struct session *session, const char *bytes, size_t length)
{
    if (session->verdict >= 0)
        session->verdict = rt_redis_reader_feed(session->reader, bytes, length);
    while (session->verdict >= 0 && session->requests < MOST_REQUESTS) {
        session->verdict = rt_redis_reader_next(session->reader, &session->replies);
        if (session->verdict != RT_REDIS_READ_ONE)
            break;
        if (session->replies.count == session->replies.expected) {
            end_request(session);
            begin_request(session);
        }
    }
}

static void begin(struct session *session, uint8_t shape)
{
    *session = (struct session){.most = 1u << (shape & 15), .expected = 1 + (shape >> 4)};
    session->reader = rt_redis_reader_new(session->most);
    if (!session->reader)
        abort();
    begin_request(session);
}

static void end(struct session *session)
{
    bool wrong = session->verdict < 0;
    if (wrong != (rt_redis_reader_failure(session->reader) != NULL))
        abort();
    rt_redis_replies_end(&session->replies);
    rt_redis_reader_free(session->reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session sessions[3];
    if (size < 3)
        return 0;
    size_t length = size - 3, cut = length ? (data[0] | data[1] << 8) % length : 0;
    char *bytes = malloc(length + !length);
    memcpy(bytes, data + 3, length);
    for (int i = 0; i < 3; i++)
        begin(&sessions[i], data[2]);
    feed(&sessions[0], bytes, length);
    feed(&sessions[1], bytes, cut);
    feed(&sessions[1], bytes + cut, length - cut);
    for (size_t i = 0; i < length; i++)
        feed(&sessions[2], bytes + i, 1);
    for (int i = 1; i < 3; i++)
        if (sessions[i].digest != sessions[0].digest ||
            sessions[i].requests != sessions[0].requests)
            abort();
    for (int i = 0; i < 3; i++)
        end(&sessions[i]);
    free(bytes);
    return 0;
}
