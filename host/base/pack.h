/* pack.h — values as bytes, for what the supervisor hands its workers through a pipe
 *
 * Both ends are the same program, so there is no versioning; but the reader trusts nothing: once
 * something does not fit, `failed` is set and every further read gives zero or NULL.
 */
#ifndef RT_BASE_PACK_H
#define RT_BASE_PACK_H

#include "base/arena.h"
#include "base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct rt_unpack {
    const char *next;
    const char *end;
    rt_arena *arena; /* texts are copied into it */
    bool failed;
} rt_unpack;

void rt_pack_u64(rt_buffer *buffer, uint64_t number);
void rt_pack_text(rt_buffer *buffer, const char *text); /* NULL survives */

uint64_t rt_unpack_u64(rt_unpack *unpack);
char *rt_unpack_text(rt_unpack *unpack);
/* A count of items of at least one byte each: never more than bytes are left. */
uint32_t rt_unpack_count(rt_unpack *unpack);

#endif
