/* Typed ids: a UUID of version 7 in base 32. Within a millisecond, and when the clock went back,
 * the random part is counted up by a random step: the ids ascend, and the next one cannot be told.
 */
#include "id.h"

#include <errno.h>
#include <rt/rt.h>
#include <sys/random.h>

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* --- random bits ------------------------------------------------------------------------------ */

enum { POOL = 256 };

static struct {
    unsigned char bytes[POOL];
    unsigned left;
} pool;

static void fill_pool(rt_ctx *ctx)
{
    for (size_t got = 0; got < POOL;) {
        ssize_t more = getrandom(pool.bytes + got, POOL - got, 0);
        if (more < 0 && errno != EINTR)
            rt_die(ctx, "no random bytes: %s", strerror(errno));
        got += more > 0 ? (size_t)more : 0;
    }
    pool.left = POOL;
}

/* What was taken is gone from the pool: an id that will be made is not in memory before. */
static uint64_t random_bits(rt_ctx *ctx)
{
    uint64_t bits;
    if (pool.left < sizeof bits)
        fill_pool(ctx);
    pool.left -= sizeof bits;
    memcpy(&bits, pool.bytes + pool.left, sizeof bits);
    memset(pool.bytes + pool.left, 0, sizeof bits);
    return bits;
}

/* --- the 128 bits ----------------------------------------------------------------------------- */

#define LOW_BITS 62
#define HIGH_BITS 12
#define TIME_MASK 0xffffffffffffull

/* The last id: milliseconds, and the random part in two pieces. */
struct last {
    uint64_t time, high, low;
};

static void begin_millisecond(rt_ctx *ctx, struct last *last, uint64_t time)
{
    last->time = time & TIME_MASK;
    last->high = random_bits(ctx) >> (64 - HIGH_BITS);
    last->low = random_bits(ctx) >> (64 - LOW_BITS);
}

static void count_up(rt_ctx *ctx, struct last *last)
{
    last->low += 1 + (random_bits(ctx) >> 32);
    if (!(last->low >> LOW_BITS))
        return;
    last->low &= (1ull << LOW_BITS) - 1;
    if (++last->high >> HIGH_BITS)
        begin_millisecond(ctx, last, last->time + 1);
}

/* A time that was set may be any: it has ids of its own, which ascend while it stands. */
void rt_id_next(rt_ctx *ctx, int64_t microseconds, bool set, uint64_t bits[2])
{
    static struct last lasts[2];
    struct last *last = &lasts[set];
    uint64_t time = microseconds > 0 ? (uint64_t)microseconds / 1000 & TIME_MASK : 0;
    if (time > last->time || (set && time < last->time))
        begin_millisecond(ctx, last, time);
    else
        count_up(ctx, last);
    bits[0] = last->time << 16 | 0x7000 | last->high;
    bits[1] = 2ull << LOW_BITS | last->low;
}

/* --- text ------------------------------------------------------------------------------------- */

int rt_id_prefix_check(const char *prefix)
{
    size_t length = prefix ? strlen(prefix) : 0;
    return length >= 1 && length <= RT_ID_PREFIX_MOST &&
           strspn(prefix, "abcdefghijklmnopqrstuvwxyz_") == length && prefix[0] != '_' &&
           prefix[length - 1] != '_';
}

static void put_digits(char *to, const uint64_t bits[2])
{
    unsigned __int128 rest = (unsigned __int128)bits[0] << 64 | bits[1];
    for (int i = RT_ID_DIGITS; i-- > 0; rest >>= 5)
        to[i] = digits[(unsigned)rest & 31];
}

const char *rt_id_make(rt_ctx *ctx, const char *prefix)
{
    uint64_t bits[2];
    if (!rt_id_prefix_check(prefix))
        rt_die(ctx, "`%s` is no prefix of an id", prefix ? prefix : "");
    size_t length = strlen(prefix);
    char *id = rt_alloc(ctx, length + 1 + RT_ID_DIGITS + 1);
    rt_id_next(ctx, rt_time(ctx), rt_time_is_set(ctx), bits);
    memcpy(id, prefix, length);
    id[length] = '_';
    put_digits(id + length + 1, bits);
    return id;
}

/* Where the digits begin, if all of it is well-formed; else NULL. */
static const char *digits_of(const char *id)
{
    const char *line = id ? strrchr(id, '_') : NULL;
    if (!line || line == id || strlen(line + 1) != RT_ID_DIGITS ||
        strspn(line + 1, digits) != RT_ID_DIGITS || line[1] > '7')
        return NULL;
    return line + 1;
}

int rt_id_check(rt_ctx *ctx, const char *prefix, const char *id)
{
    size_t length = strlen(prefix);
    const char *at = digits_of(id);
    if (at && (size_t)(at - id) == length + 1 && memcmp(id, prefix, length) == 0)
        return 0;
    return rt_fail(ctx, RT_EINVALID_ARGUMENT, "`%.80s` is no id of the type `%s`", id ? id : "",
                   prefix);
}

/* The first ten digits are two bits that are 0 and the 48 of the time. */
int64_t rt_id_time(const char *id)
{
    const char *at = digits_of(id);
    uint64_t time = 0;
    for (int i = 0; at && i < 10; i++)
        time = time << 5 | (uint64_t)(strchr(digits, at[i]) - digits);
    return at ? (int64_t)(time * 1000) : -1;
}
