#include "http/characters.h"
#include "http/internal.h"

#include <stddef.h>
#include <string.h>

static rt_str moved(rt_str text, ptrdiff_t distance)
{
    if (text.data)
        text.data += distance;
    return text;
}

static void copy_headers(rt_full_request *full, rt_arena *arena, const rt_http_head *head,
                         ptrdiff_t distance)
{
    rt_header *headers = rt_arena_alloc(arena, head->header_count * sizeof *headers);
    for (uint32_t i = 0; i < head->header_count; i++) {
        headers[i].name = moved(head->headers[i].name, distance);
        headers[i].value = moved(head->headers[i].value, distance);
    }
    /* RFC 9112, 3.2.2: an absolute target's host replaces the field. */
    if (head->is_absolute && head->host_field)
        headers[head->host_field - 1].value = moved(head->host, distance);
    full->request.headers = headers;
    full->request.header_count = head->header_count;
}

static rt_str peer_of(rt_arena *arena, const rt_connection *connection, const rt_ip *ip)
{
    char text[RT_IP_TEXT];
    if (!memcmp(ip, &connection->peer, sizeof *ip))
        return (rt_str){connection->peer_text, connection->peer_length};
    size_t length = rt_ip_text(ip, text);
    return (rt_str){rt_arena_copy_n(arena, text, length), length};
}

static bool is_within(rt_str text, const rt_http_head *head)
{
    return text.data >= head->start && text.data < head->start + head->length;
}

static void copy_origin(rt_full_request *full, rt_arena *arena, const rt_http_head *head,
                        ptrdiff_t distance)
{
    static const rt_str schemes[] = {{"http", 4}, {"https", 5}};
    const rt_origin *origin = &full->exchange->marks.origin;
    rt_request *request = &full->request;
    rt_str authority = origin->authority;
    request->peer = peer_of(arena, full->exchange->connection, &origin->ip);
    request->scheme = schemes[origin->secure];
    request->authority = authority;
    if (is_within(authority, head))
        request->authority = moved(authority, distance);
    else if (authority.length)
        request->authority.data = rt_arena_copy_n(arena, authority.data, authority.length);
}

static void copy_path(rt_full_request *full, rt_arena *arena, const rt_http_head *head,
                      ptrdiff_t distance)
{
    if (head->is_decoded) {
        const char *path = rt_arena_copy_n(arena, head->path.data, head->path.length);
        distance = path - head->path.data;
    } else if (head->path.data < head->start || head->path.data >= head->start + head->length) {
        distance = 0; /* the constant path of an absolute target without one */
    }
    full->request.path = moved(head->path, distance);
    const rt_route *route = full->route;
    if (!route || !route->parameter_count)
        return;
    full->parameters = rt_arena_alloc(arena, route->parameter_count * sizeof(rt_str));
    for (uint32_t i = 0; i < route->parameter_count; i++)
        full->parameters[i] = moved(head->segments[route->parameter_segments[i]], distance);
    if (route->takes_rest) {
        rt_str *rest = &full->parameters[route->parameter_count - 1];
        rest->length = (uint64_t)(full->request.path.data + full->request.path.length - rest->data);
    }
}

rt_full_request *rt_request_build(rt_ctx *ctx, rt_exchange *exchange)
{
    const rt_http_head *head = &exchange->connection->server->head;
    rt_arena *arena = rt_unit_arena(ctx);
    rt_full_request *full = RT_NEW(arena, rt_full_request);
    ptrdiff_t distance = rt_arena_copy_n(arena, head->start, head->length) - head->start;
    full->route = exchange->route;
    full->exchange = exchange;
    full->request.size = sizeof full->request;
    full->request.method = head->method;
    full->request.query = moved(head->query, distance);
    if (!rt_exchange_streams(exchange))
        full->request.body = (rt_str){exchange->body.data, exchange->body.length};
    copy_origin(full, arena, head, distance);
    copy_headers(full, arena, head, distance);
    copy_path(full, arena, head, distance);
    return full;
}

rt_str rt_host_request_header(const rt_request *request, const char *name)
{
    size_t length = strlen(name);
    for (uint64_t i = 0; i < request->header_count; i++) {
        const rt_header *header = &request->headers[i];
        if (header->name.length == length && !strncasecmp(header->name.data, name, length))
            return header->value;
    }
    return (rt_str){0};
}

rt_str rt_host_request_param(const rt_request *request, const char *name)
{
    const rt_full_request *full = (const rt_full_request *)request;
    if (full->parameters)
        for (uint32_t i = 0; i < full->route->parameter_count; i++)
            if (!strcmp(full->route->parameters[i], name))
                return full->parameters[i];
    return (rt_str){0};
}

/* Cuts the text before the next `separator` off the front of `rest`. */
static rt_str cut(rt_str *rest, char separator)
{
    const char *end = rest->data + rest->length;
    const char *found = rest->length ? memchr(rest->data, separator, rest->length) : NULL;
    rt_str first = {rest->data, (uint64_t)((found ? found : end) - rest->data)};
    rest->data = found ? found + 1 : end;
    rest->length = (uint64_t)(end - rest->data);
    return first;
}

static int decode(rt_ctx *ctx, rt_str text, rt_str *decoded)
{
    char *out = rt_arena_alloc(rt_unit_arena(ctx), text.length + 1);
    int64_t length = rt_http_decode(text, true, out);
    if (length < 0)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT,
                            "the query has a `%%` that encodes no character");
    *decoded = (rt_str){out, (uint64_t)length};
    return 0;
}

int rt_host_request_query(rt_ctx *ctx, const rt_request *request, const char *name, rt_str *value)
{
    size_t length = strlen(name);
    *value = (rt_str){0};
    for (rt_str rest = request->query; rest.length;) {
        rt_str pair = cut(&rest, '&'), key = cut(&pair, '=');
        if (memchr(key.data, '%', key.length) || memchr(key.data, '+', key.length))
            RT_TRY(decode(ctx, key, &key));
        if (key.length == length && !memcmp(key.data, name, length))
            return decode(ctx, pair, value);
    }
    return -RT_ENOT_FOUND;
}
