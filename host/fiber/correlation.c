#include "fiber/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define LENGTH_MOST 128

static uint64_t state[2];

int rt_correlation_seed(void)
{
    ssize_t got = getrandom(state, sizeof state, 0);
    if (got != (ssize_t)sizeof state)
        return got < 0 ? -errno : -EIO;
    state[0] |= 1; /* never all zero */
    return 0;
}

/* xorshift128+: ids must differ, not be secret. */
static uint64_t next_random(void)
{
    uint64_t old = state[0], new = state[1];
    state[0] = new;
    old ^= old << 23;
    state[1] = old ^ new ^ (old >> 18) ^ (new >> 5);
    return state[1] + new;
}

uint64_t rt_random_id(void)
{
    uint64_t id = next_random();
    return id ? id : 1;
}

bool rt_correlation_valid(const char *id)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (!id)
        return false;
    size_t length = strspn(id, allowed);
    return length > 0 && length <= LENGTH_MOST && id[length] == '\0';
}

typedef uint8_t digits __attribute__((vector_size(16)));

static digits as_hexadecimal(digits values)
{
    return values + '0' + ((digits)(values > 9) & ('a' - '9' - 1));
}

/* All digits at once: every request has such an id. */
static const char *make_id(rt_arena *arena)
{
    char *id = rt_arena_alloc(arena, 33);
    uint64_t random[2] = {next_random(), next_random()};
    digits bytes, high, low;
    memcpy(&bytes, random, sizeof bytes);
    high = as_hexadecimal(bytes >> 4);
    low = as_hexadecimal(bytes & 15);
    memcpy(id, &high, sizeof high);
    memcpy(id + sizeof high, &low, sizeof low);
    return id;
}

/* Children and nested work share the one of the outermost unit, which outlives them. */
const char *rt_host_correlation_id(const rt_ctx *ctx)
{
    rt_unit *root = rt_unit_of(ctx)->root;
    if (!root->correlation)
        root->correlation = make_id(&root->arena);
    return root->correlation;
}
