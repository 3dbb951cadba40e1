#include "process/open_http.h"

#include "telemetry/log.h"

#include <errno.h>
#include <string.h>

static void complain(int error)
{
    rt_log_host(RT_LOG_ERROR, "cannot open the access log: %s", strerror(error));
}

int rt_open_access_output(const rt_plan *plan)
{
    if (strcmp(plan->host.http.access_format, "off") == 0)
        return 0;
    int output = rt_http_access_output(plan->host.http.access_log);
    if (output >= 0)
        return output;
    int error = errno;
    complain(error);
    return -error;
}

rt_http_server *rt_open_http(const rt_plan *plan, rt_router *router, const rt_http_parts *parts)
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
        .access_output = parts->access_output,
        .service = plan->host.name,
        .requests = parts->requests,
        .spans = plan->host.telemetry.traces,
        .hsts = (uint64_t)plan->host.http.hsts,
        .max_streams = (uint32_t)plan->host.http.max_streams,
        .http1_only = !plan->host.http.http2,
        .tls = parts->tls,
        .measured = plan->host.telemetry.metrics,
        .security_headers = plan->host.http.security_headers,
        .development = plan->environment == RT_DEVELOPMENT,
    };
    rt_http_server *server = rt_http_open(&options, router);
    if (!server)
        complain(errno);
    return server;
}
