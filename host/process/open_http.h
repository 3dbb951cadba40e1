/* open_http.h — the HTTP server of a worker, as the plan wants it */
#ifndef RT_PROCESS_OPEN_HTTP_H
#define RT_PROCESS_OPEN_HTTP_H

#include "compose/plan.h"
#include "http/http.h"
#include "http/tls.h"

/* What a worker has made ready. */
typedef struct rt_http_parts {
    rt_tls *tls;        /* NULL: nothing is served by it */
    int access_output;  /* of rt_open_access_output */
    uint64_t *requests; /* counts those that routes were started for; or NULL */
} rt_http_parts;

/* For rt_open_http, before the privileges go: the file of the access log may be root's. 0: there is
 * no access log; -errno after having said why. */
int rt_open_access_output(const rt_plan *plan);
/* NULL after having said why. */
rt_http_server *rt_open_http(const rt_plan *plan, rt_router *router, const rt_http_parts *parts);

#endif
