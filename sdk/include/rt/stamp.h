/* rt/stamp.h — by whom and when: what repositories write into their rows
 *
 * Both hold for the unit of work that they are set in and those that it starts; what lies outside
 * does not see them. Modules share them.
 *
 *     RT_TRY(rt_set_actor(ctx, user_id));         // created_by, updated_by, deleted_by
 *     RT_TRY(rt_set_time(ctx, 1767225600000000)); // in a test: this is when all of it happens
 *
 * Ownership: the text is copied. Nothing here waits. Errors: -RT_EUNIMPLEMENTED on a host older
 * than 1.3. Part of librt-data, which rt-sdk.pc links.
 */
#ifndef RT_STAMP_H
#define RT_STAMP_H

#include <rt/abi.h>

/* NULL: nobody, also where it was set outside. */
int rt_set_actor(rt_ctx *ctx, const char *actor);
const char *rt_actor(const rt_ctx *ctx);

/* Microseconds since 1970-01-01T00:00:00Z: the time that was set, or the system's. */
int rt_set_time(rt_ctx *ctx, int64_t microseconds);
int64_t rt_time(const rt_ctx *ctx);

#endif
