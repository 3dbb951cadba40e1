/* redis_reply.h — replies out of bytes: hiredis' reader, bounded, building rt_redis_reply
 *
 * What a request waits for is gathered in memory of its own, for the bytes come while another fiber
 * runs; whoever asked copies it into its unit of work. Nothing here waits or dies.
 */
#ifndef PLUGINS_REDIS_REPLY_H
#define PLUGINS_REDIS_REPLY_H

#include <rt/cap/redis.h>

typedef struct rt_redis_reader rt_redis_reader;

/* The replies that one request waits for, in order. */
typedef struct rt_redis_replies {
    rt_redis_reply *at;
    uint32_t expected, count;
    uint64_t used; /* bytes of memory */
    struct rt_redis_chunk *chunks;
    uint32_t near_used;
    _Alignas(16) char near[472]; /* most replies fit in here */
} rt_redis_replies;

/* false: no memory. */
bool rt_redis_replies_begin(rt_redis_replies *replies, uint32_t expected);
void rt_redis_replies_end(rt_redis_replies *replies);

/* Into memory of the unit of work. */
void rt_redis_reply_copy(rt_ctx *ctx, const rt_redis_reply *from, rt_redis_reply *to);

enum rt_redis_reading {
    RT_REDIS_READ_MORE = 0,
    RT_REDIS_READ_ONE = 1,
    RT_REDIS_READ_WRONG = -1,
    RT_REDIS_READ_TOO_LARGE = -2,
};

/* `most` is how much memory the replies of one request may take. NULL: no memory. */
rt_redis_reader *rt_redis_reader_new(uint64_t most);
void rt_redis_reader_free(rt_redis_reader *reader);
enum rt_redis_reading rt_redis_reader_feed(rt_redis_reader *reader, const char *bytes,
                                           size_t length);
/* Takes the next reply, if it is whole, as the next of `replies`; what is wrong is said by
 * rt_redis_reader_failure, and nothing more can be read then. */
enum rt_redis_reading rt_redis_reader_next(rt_redis_reader *reader, rt_redis_replies *replies);
/* No byte is left that belongs to a reply. */
bool rt_redis_reader_empty(const rt_redis_reader *reader);
const char *rt_redis_reader_failure(const rt_redis_reader *reader);

#endif
