/* problem.c — errors as application/problem+json (RFC 9457) */
#include "http/internal.h"
#include "http/status.h"

#include "base/redact.h"
#include "telemetry/log.h"

#include <string.h>

static void member(rt_buffer *json, const char *name, const char *text)
{
    rt_buffer_format(json, ",\"%s\":\"", name);
    rt_buffer_json(json, text, strlen(text));
    rt_buffer_char(json, '"');
}

void rt_problem_answer(rt_ctx *ctx, rt_response *response, uint32_t status, const char *code,
                       const char *detail)
{
    const rt_status *entry = rt_status_find(status);
    rt_buffer json = {0};
    rt_buffer_format(&json, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u",
                     entry->reason ? entry->reason : "Error", status);
    if (detail)
        member(&json, "detail", detail);
    member(&json, "code", code ? code : entry->code ? entry->code : "UNKNOWN");
    member(&json, "correlationId", rt_host_correlation_id(ctx));
    rt_buffer_char(&json, '}');
    rt_redact(&json);
    rt_buffer_recycle(response->server, &response->bytes);
    response->status = 0;
    rt_host_respond(ctx, response, status, "application/problem+json", json.data, json.length);
    rt_buffer_free(&json);
}

/* The message that belongs to the result; an error set earlier and dealt with does not. */
static const rt_error *error_of(const rt_exit *exit)
{
    return exit->error && exit->error->code == -exit->result ? exit->error : NULL;
}

static uint32_t status_of(const rt_exchange *exchange, const rt_exit *exit)
{
    if (exchange->refused && exit->kind == RT_EXIT_FAILURE)
        return exchange->refused->status;
    if (exchange->body_status && exit->kind == RT_EXIT_FAILURE)
        return exchange->body_status;
    if (exit->kind == RT_EXIT_DEFECT)
        return 500;
    if (exit->kind == RT_EXIT_INTERRUPTION)
        return exit->result == -RT_EDEADLINE ? 504 : 503;
    if (!exchange->began) /* no memory for a fiber */
        return 503;
    return (uint32_t)rt_code_http_status(exit->result);
}

static const char *message_of(const rt_exit *exit)
{
    const rt_error *error = error_of(exit);
    if (exit->kind == RT_EXIT_DEFECT)
        return exit->defect;
    return error ? error->message : NULL;
}

void rt_problem_log(rt_ctx *ctx, const rt_exchange *exchange, const rt_exit *exit)
{
    uint32_t status = status_of(exchange, exit);
    const char *message = message_of(exit);
    bool cut = exit->kind == RT_EXIT_INTERRUPTION && exchange->connection->server->interrupted;
    if (status >= 500 && !cut)
        rt_host_log(ctx, RT_LOG_ERROR, "`%s` answered %u: %s",
                    exchange->route ? exchange->route->name : "http", status,
                    message ? message : rt_code_name(exit->result));
}

void rt_problem_of_exit(rt_ctx *ctx, rt_exchange *exchange, const rt_exit *exit)
{
    uint32_t status = status_of(exchange, exit);
    bool named = exit->result < 0 && exit->kind != RT_EXIT_INTERRUPTION;
    bool shown = status < 500 || exchange->connection->server->options.development;
    rt_problem_log(ctx, exchange, exit);
    rt_buffer_free(&exchange->response.headers);
    if (exchange->refused && exchange->refused->headers)
        rt_buffer_text(&exchange->response.headers, exchange->refused->headers);
    rt_problem_answer(ctx, &exchange->response, status, named ? rt_code_name(exit->result) : NULL,
                      shown ? message_of(exit) : NULL);
}
