/* trailer.c — fields behind a body (RFC 9110, 6.5) */
#include "http/field.h"
#include "http/internal.h"

#include <string.h>

/* What frames, routes, authenticates or describes the content before it is read: RFC 9110 6.5.1
 * allows none of these behind it. */
static const char *const forbidden[] = {
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "warning",
    "www-authenticate",
    "x-correlation-id",
};

static bool is_forbidden(rt_str name)
{
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        if (rt_http_same(name, forbidden[i]))
            return true;
    return false;
}

/* --- the request's --------------------------------------------------------------------------- */

/* The parser has judged the lines: `name:value\r\n` each. */
rt_str rt_host_request_trailer(rt_ctx *ctx, const rt_request *request, const char *name)
{
    const rt_exchange *exchange = ((const rt_full_request *)request)->exchange;
    const rt_buffer *lines = &exchange->trailers;
    rt_str wanted = {name, strlen(name)};
    (void)ctx;
    if (exchange->body_open || exchange->body_status || is_forbidden(wanted))
        return (rt_str){0};
    const char *at = lines->data, *end = lines->length ? at + lines->length : at;
    while (at < end) {
        const char *stop = memchr(at, '\r', (size_t)(end - at));
        const char *colon = memchr(at, ':', (size_t)(stop - at));
        if ((uint64_t)(colon - at) == wanted.length && !strncasecmp(at, name, wanted.length))
            return rt_field_trim((rt_str){colon + 1, (uint64_t)(stop - colon - 1)});
        at = stop + 2;
    }
    return (rt_str){0};
}

/* --- the answer's ---------------------------------------------------------------------------- */

static int check(rt_ctx *ctx, const rt_response *response, const char *name, const char *value)
{
    if (!response || response->magic != RT_RESPONSE_MAGIC)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "the response is over");
    if (response->status && !response->streamed)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "only a streamed answer has trailers");
    if (!value && response->status)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION,
                            "trailers are announced before the answer begins");
    if (!name || !rt_http_is_token((rt_str){name, strlen(name)}))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "`%.64s` cannot name a trailer",
                            name ? name : "");
    if (is_forbidden((rt_str){name, strlen(name)}))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "`%s` cannot follow a body", name);
    if (value && !rt_http_is_text((rt_str){value, strlen(value)}))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the value of `%s` has control characters",
                            name);
    return 0;
}

int rt_host_respond_trailer(rt_ctx *ctx, rt_response *response, const char *name, const char *value)
{
    RT_TRY(check(ctx, response, name, value));
    if (!response->takes_trailers)
        return 0;
    if (value)
        rt_buffer_format(&response->trailers, "%s: %s\r\n", name, value);
    else
        rt_response_add_line(response, "Trailer", name);
    return 0;
}
