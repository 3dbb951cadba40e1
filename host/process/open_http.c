#include "process/open_http.h"

#include "telemetry/log.h"

#include <errno.h>
#include <string.h>

rt_http_server *rt_open_http(const rt_plan *plan, rt_router *router, uint64_t *requests)
{
    rt_http_options options = {
        .request_timeout = (uint64_t)plan->host.http.request_timeout,
        .header_timeout = (uint64_t)plan->host.http.header_timeout,
        .idle_timeout = (uint64_t)plan->host.http.idle_timeout,
        .max_header = (uint64_t)plan->host.http.max_header,
        .max_body = (uint64_t)plan->host.http.max_body,
        .max_message = (uint64_t)plan->host.http.max_message,
        .ping_interval = (uint64_t)plan->host.http.ping_interval,
        .max_requests = (uint32_t)plan->host.http.max_requests,
        .max_connections = (uint32_t)plan->host.http.max_connections,
        .trusted_proxies = plan->host.http.trusted_proxies,
        .cors = plan->host.http.cors,
        .compression = plan->host.http.compression,
        .access_log = plan->host.http.access_log,
        .access_format = plan->host.http.access_format,
        .service = plan->host.name,
        .requests = requests,
        .hsts = (uint64_t)plan->host.http.hsts,
        .security_headers = plan->host.http.security_headers,
        .development = plan->environment == RT_DEVELOPMENT,
    };
    rt_http_server *server = rt_http_open(&options, router);
    if (!server)
        rt_log_host(RT_LOG_ERROR, "cannot open the access log: %s", strerror(errno));
    return server;
}
