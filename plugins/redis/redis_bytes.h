/* redis_bytes.h — commands as bytes, in a buffer that is filled at one end and sent at the other */
#ifndef PLUGINS_REDIS_BYTES_H
#define PLUGINS_REDIS_BYTES_H

#include <rt/cap/redis.h>

typedef struct rt_redis_bytes {
    char *data;
    size_t begin, end, room;
    uint64_t taken; /* bytes that have been taken since the beginning of time */
} rt_redis_bytes;

/* false: no memory, and nothing was added. */
bool rt_redis_put(rt_redis_bytes *bytes, const rt_redis_arguments *command);
void rt_redis_bytes_take(rt_redis_bytes *bytes, size_t length);
/* Also what was sent, for it may hold a password. */
void rt_redis_bytes_free(rt_redis_bytes *bytes);

static inline size_t rt_redis_bytes_left(const rt_redis_bytes *bytes)
{
    return bytes->end - bytes->begin;
}

/* The place in the stream of bytes at which the next command begins. */
static inline uint64_t rt_redis_bytes_place(const rt_redis_bytes *bytes)
{
    return bytes->taken + (bytes->end - bytes->begin);
}

#endif
