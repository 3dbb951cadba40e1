/* rt/id.h — typed ids that sort by the time they were made
 *
 *     ord_01kah3qv5kfd5v4w0k8w6m1t9z
 *
 * A prefix that says what it names, `_`, and 26 characters: the 128 bits of a UUID of version 7
 * (RFC 9562: 48 bits of milliseconds, 74 that cannot be guessed) in Crockford's base 32, lower
 * case. The form is that of TypeID. Ids that one worker makes ascend strictly, also within a
 * millisecond and when the clock is set back.
 *
 * Ownership: what rt_id_make returns lives as long as the unit of work. Nothing here waits.
 * Part of librt-data, which rt-sdk.pc links.
 */
#ifndef RT_ID_H
#define RT_ID_H

#include <rt/abi.h>

enum { RT_ID_PREFIX_MOST = 32, RT_ID_DIGITS = 26 };

/* A new one; a prefix that rt_id_prefix_check refuses ends the unit of work as a defect. */
const char *rt_id_make(rt_ctx *ctx, const char *prefix);

/* 1 if a prefix consists of 1 to RT_ID_PREFIX_MOST letters a to z and `_`, the latter inside. */
int rt_id_prefix_check(const char *prefix);

/* 0, or -RT_EINVALID_ARGUMENT if `id` is NULL, malformed, or has another prefix. */
int rt_id_check(rt_ctx *ctx, const char *prefix, const char *id);

/* When it was made: microseconds since 1970, exact to the millisecond; -1 if it is malformed. */
int64_t rt_id_time(const char *id);

#endif
