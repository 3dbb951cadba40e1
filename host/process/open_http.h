/* open_http.h — the HTTP server of a worker, as the plan wants it */
#ifndef RT_PROCESS_OPEN_HTTP_H
#define RT_PROCESS_OPEN_HTTP_H

#include "compose/plan.h"
#include "http/http.h"

/* NULL after having said why. `requests` counts those that are started. */
rt_http_server *rt_open_http(const rt_plan *plan, rt_router *router, uint64_t *requests);

#endif
