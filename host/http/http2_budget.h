/* http2_budget.h — what a peer may send that brings no request forward
 *
 * Two buckets, refilled with time: frames that only keep the server busy (PING, SETTINGS, PRIORITY,
 * WINDOW_UPDATE, empty DATA, unknown ones), and streams reset, by the peer or for its fault (rapid
 * reset, CVE-2023-44487). What moves a request or an answer gives frames back. Who has emptied a
 * bucket is sent away.
 */
#ifndef RT_HTTP_HTTP2_BUDGET_H
#define RT_HTTP_HTTP2_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define RT_HTTP2_FRAMES 2000 /* at once */
#define RT_HTTP2_FRAMES_SECOND 500
#define RT_HTTP2_RESETS 200
#define RT_HTTP2_RESETS_SECOND 50
#define RT_HTTP2_GIVEN_BACK 2 /* frames, for each of a request or an answer */

typedef struct rt_http2_budget {
    uint64_t refilled;      /* ms */
    int64_t frames, resets; /* thousandths */
} rt_http2_budget;

void rt_http2_budget_begin(rt_http2_budget *budget, uint64_t now);
/* False: the bucket is empty. `now` in ms. */
bool rt_http2_charge_frame(rt_http2_budget *budget, uint64_t now);
bool rt_http2_charge_reset(rt_http2_budget *budget, uint64_t now);
void rt_http2_give_back(rt_http2_budget *budget);

#endif
