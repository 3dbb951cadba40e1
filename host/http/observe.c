#include "http/observe.h"

#include "http/internal.h"

#include <stdio.h>
#include <string.h>

/* Stands for a `tracestate` that is yet to be read. */
static const char unread[] = "";

/* --- where it begins ------------------------------------------------------------------------- */

/* A field that comes twice counts as none, as the specification has it. */
static rt_str single_field(const rt_http_head *head, const char *lower)
{
    rt_str found = rt_head_field(head, lower);
    if (!found.length)
        return found;
    size_t length = strlen(lower), count = 0;
    for (uint32_t i = 0; i < head->header_count; i++)
        count +=
            head->headers[i].name.length == length && rt_http_same(head->headers[i].name, lower);
    return count == 1 ? found : (rt_str){0};
}

static void find_place(const rt_http_head *head, rt_trace *trace)
{
    rt_str parent = single_field(head, "traceparent");
    if (parent.length && rt_traceparent_read(trace, parent))
        trace->state = unread;
    else
        rt_trace_begin(trace);
}

static const char *joined_state(rt_arena *arena, const rt_http_head *head)
{
    const char *all = NULL;
    for (uint32_t i = 0; i < head->header_count; i++) {
        const rt_header *field = &head->headers[i];
        if (!rt_http_same(field->name, "tracestate"))
            continue;
        all = rt_arena_format(arena, "%s%s%.*s", all ? all : "", all ? "," : "",
                              (int)field->value.length, field->value.data);
    }
    return all;
}

void rt_observe_enter(rt_ctx *ctx, const rt_exchange *exchange)
{
    rt_trace *trace = rt_trace_of(ctx);
    if (exchange->marks.span)
        rt_span_enter(ctx, exchange->marks.span);
    if (trace->state != unread)
        return;
    rt_arena *arena = rt_unit_arena(ctx);
    const char *all = joined_state(arena, &exchange->connection->server->head);
    rt_str kept = all ? rt_tracestate_judge((rt_str){all, strlen(all)}) : (rt_str){0};
    trace->state = kept.length ? rt_arena_copy_n(arena, kept.data, kept.length) : NULL;
    if (exchange->marks.span)
        exchange->marks.span->place.state = trace->state;
}

/* --- what is known at the beginning ---------------------------------------------------------- */

/* NULL: none of those that are known. */
static const char *method_name(uint32_t method)
{
#define NAME(number_, name_) [number_] = #name_,
    static const char *const names[] = {RT_HTTP_METHODS(NAME)};
#undef NAME
    return method < sizeof names / sizeof names[0] ? names[method] : NULL;
}

/* The values that these have are none of a trace's business. */
static bool is_secret(const char *name, size_t length)
{
    static const char *const secrets[] = {
        "AWSAccessKeyId",      "Signature",    "sig",           "X-Goog-Signature",
        "X-Amz-Signature",     "access_token", "refresh_token", "id_token",
        "X-Amz-Credential",    "token",        "password",      "secret",
        "client_secret",       "api_key",      "apikey",        "code",
        "X-Amz-Security-Token"};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        if (strlen(secrets[i]) == length && strncasecmp(secrets[i], name, length) == 0)
            return true;
    return false;
}

static void add_query(rt_span *span, rt_str query)
{
    rt_buffer text = {0};
    const char *at = query.data, *end = at + query.length;
    while (at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        stop = stop ? stop : end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        bool hidden = equals && is_secret(at, (size_t)(equals - at));
        rt_buffer_add(&text, at, (size_t)((hidden ? equals + 1 : stop) - at));
        rt_buffer_text(&text, hidden ? "REDACTED" : "");
        rt_buffer_text(&text, stop < end ? "&" : "");
        at = stop + 1;
    }
    rt_span_bytes(span, "url.query", (rt_str){text.data, text.length});
    rt_buffer_free(&text);
}

/* `host:port`; the port only where it stands there. */
static void add_authority(rt_span *span, rt_str authority)
{
    const char *colon = authority.length ? memrchr(authority.data, ':', authority.length) : NULL;
    if (colon && memchr(colon, ']', authority.length - (size_t)(colon - authority.data)))
        colon = NULL; /* of an IPv6 address */
    rt_str host = authority;
    if (colon)
        host.length = (size_t)(colon - authority.data);
    rt_span_bytes(span, "server.address", host);
    if (!colon)
        return;
    int64_t port = 0;
    for (const char *c = colon + 1; c < authority.data + authority.length; c++)
        port = port * 10 + (*c - '0');
    rt_span_integer(span, "server.port", port);
}

static void add_address(rt_span *span, const char *name, const rt_ip *ip)
{
    char text[RT_IP_TEXT];
    if (rt_ip_text(ip, text))
        rt_span_text(span, name, text);
}

static void describe(rt_span *span, const rt_exchange *exchange)
{
    const rt_connection *connection = exchange->connection;
    const rt_http_head *head = &connection->server->head;
    const rt_origin *origin = &exchange->marks.origin;
    const char *protocol = exchange->way->protocol;
    const char *method = method_name(head->method);
    rt_span_text(span, "http.request.method", method ? method : "_OTHER");
    if (!method)
        rt_span_bytes(span, "http.request.method_original", head->method_name);
    if (exchange->route)
        rt_span_text(span, "http.route", exchange->route->pattern);
    rt_span_bytes(span, "url.path", head->path);
    if (head->query.length)
        add_query(span, head->query);
    rt_span_text(span, "url.scheme", origin->secure ? "https" : "http");
    add_authority(span, origin->authority);
    add_address(span, "client.address", &origin->ip);
    add_address(span, "network.peer.address", &connection->peer);
    rt_span_text(span, "network.protocol.version", protocol ? "2" : head->minor ? "1.1" : "1.0");
    rt_span_bytes(span, "user_agent.original", rt_head_field(head, "user-agent"));
}

void rt_observe_begin(rt_exchange *exchange, rt_trace *trace)
{
    const rt_http_head *head = &exchange->connection->server->head;
    const rt_route *route = exchange->route;
    const char *method = method_name(head->method);
    find_place(head, trace);
    rt_span *span =
        rt_span_begin(trace,
                      route    ? route->name
                      : method ? method
                               : "HTTP",
                      RT_SPAN_SERVER, route ? route->instance : NULL, exchange->marks.began);
    exchange->marks.span = span;
    if (span)
        describe(span, exchange);
    rt_span_announce(span);
}

/* --- what it came to ------------------------------------------------------------------------- */

static const char *message_of(const rt_exit *exit)
{
    if (exit->defect)
        return exit->defect;
    return exit->error && exit->error->message ? exit->error->message : rt_code_name(exit->result);
}

static rt_str judge(rt_span *span, const rt_exit *exit, uint32_t status)
{
    bool failed = exit && exit->kind != RT_EXIT_SUCCESS;
    const char *message = failed ? message_of(exit) : "";
    char type[32];
    snprintf(type, sizeof type, "%s", failed && exit->defect ? "defect" : "");
    if (!*type && failed)
        snprintf(type, sizeof type, "%s", rt_code_name(exit->result));
    else if (!*type)
        snprintf(type, sizeof type, "%u", status);
    if (failed)
        rt_span_event(span, "exception",
                      (rt_field[]){{"exception.type", type, 0}, {"exception.message", message, 0}},
                      2);
    if (status < 500)
        return (rt_str){0};
    rt_span_text(span, "error.type", type);
    return (rt_str){message, strlen(message)};
}

void rt_observe_end(const rt_ctx *ctx, rt_exchange *exchange, const rt_exit *exit, uint32_t status,
                    uint64_t now)
{
    rt_span *span = exchange->marks.span;
    if (!span)
        return;
    exchange->marks.span = NULL;
    rt_span_integer(span, "http.response.status_code", status);
    rt_span_end(ctx, span, now, judge(span, exit, status));
}
