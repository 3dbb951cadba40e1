/* observe.h — the span of a request
 *
 * It begins where `traceparent` says, else with a trace of its own, and ends with the exchange.
 * Source: OpenTelemetry's semantic conventions for HTTP servers, 1.27; W3C Trace Context.
 */
#ifndef RT_HTTP_OBSERVE_H
#define RT_HTTP_OBSERVE_H

#include "http/exchange.h"
#include "telemetry/span.h"

/* The head is the server's; `trace` is where the unit of work will begin. */
void rt_observe_begin(rt_exchange *exchange, rt_trace *trace);
/* In the unit of work, while the head is still there: what outlives that. */
void rt_observe_enter(rt_ctx *ctx, const rt_exchange *exchange);
void rt_observe_end(const rt_ctx *ctx, rt_exchange *exchange, const rt_exit *exit, uint32_t status,
                    uint64_t now);

#endif
