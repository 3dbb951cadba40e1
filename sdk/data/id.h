/* id.h — the bits of an id, before they are text */
#ifndef RT_DATA_ID_H
#define RT_DATA_ID_H

#include <rt/abi.h>
#include <stdbool.h>

/* Those of an id that is made at that time, and follows all that this process made before; if the
 * time was set, those that it made at set times. */
void rt_id_next(rt_ctx *ctx, int64_t microseconds, bool set, uint64_t bits[2]);

/* Whether rt_set_time holds here. */
bool rt_time_is_set(const rt_ctx *ctx);

#endif
