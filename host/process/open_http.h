/* open_http.h — the HTTP server of a worker, as the plan wants it */
#ifndef RT_PROCESS_OPEN_HTTP_H
#define RT_PROCESS_OPEN_HTTP_H

#include "compose/plan.h"
#include "http/http.h"
#include "http/tls.h"

/* NULL after having said why. */
rt_http_server *rt_open_http(const rt_plan *plan, rt_router *router, rt_tls *tls);

#endif
