/* measure.h — what a server counts: requests, connections, handshakes, streams
 *
 * Requests go by OpenTelemetry's conventions for HTTP servers. The series of one route, method,
 * status and protocol are found once and kept; counting a request then is a few stores.
 */
#ifndef RT_HTTP_MEASURE_H
#define RT_HTTP_MEASURE_H

#include "http/features.h"

typedef struct rt_measures rt_measures;

rt_measures *rt_measures_open(void);
void rt_measures_free(rt_measures *measures);

/* All may be called without measures (NULL). The head is the server's. */
void rt_measure_begin(rt_measures *measures, rt_exchange *exchange);
void rt_measure_end(rt_measures *measures, const rt_exchange *exchange, const rt_report *report);

void rt_measure_connection(rt_measures *measures, bool opened);
void rt_measure_handshake(rt_measures *measures, bool succeeded);
void rt_measure_stream(rt_measures *measures, const char *kind, bool opened);

#endif
