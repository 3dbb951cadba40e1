/* features.c — what the host adds to every exchange: opening it, and the order of its parts */
#include "http/features.h"

#include "http/internal.h"
#include "http/measure.h"
#include "http/observe.h"
#include "telemetry/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Harmless to what only programs read, and what browsers need where a page is served after all. */
static const char security_lines[] = "X-Content-Type-Options: nosniff\r\n"
                                     "X-Frame-Options: SAMEORIGIN\r\n"
                                     "Referrer-Policy: strict-origin-when-cross-origin\r\n";

rt_str rt_head_field(const rt_http_head *head, const char *lower)
{
    size_t length = strlen(lower);
    for (uint32_t i = 0; i < head->header_count; i++)
        if (head->headers[i].name.length == length && rt_http_same(head->headers[i].name, lower))
            return head->headers[i].value;
    return (rt_str){0};
}

rt_str rt_lines_field(const rt_buffer *lines, const char *lower)
{
    if (!lines->length)
        return (rt_str){0};
    const char *at = lines->data, *end = at + lines->length;
    for (const char *stop; at < end; at = stop + 2) {
        stop = memchr(at, '\r', (size_t)(end - at));
        const char *colon = memchr(at, ':', (size_t)(stop - at));
        if (rt_http_same((rt_str){at, (uint64_t)(colon - at)}, lower))
            return (rt_str){colon + 2, (uint64_t)(stop - colon - 2)};
    }
    return (rt_str){0};
}

/* --- settings -------------------------------------------------------------------------------- */

static void open_trust(rt_trust *trust, const rt_setting *list)
{
    if (!list || list->type != RT_SETTING_LIST)
        return;
    trust->networks = rt_xcalloc(list->count + 1, sizeof *trust->networks);
    for (uint32_t i = 0; i < list->count; i++)
        if (!rt_network_parse(&trust->networks[trust->count], list->value.members[i].value.text))
            trust->count++;
}

int rt_features_open(rt_features *features, const rt_http_options *options, uv_loop_t *loop)
{
    const char *format = options->access_format;
    bool logs = format && strcmp(format, "off") != 0;
    open_trust(&features->trust, options->trusted_proxies);
    features->cors = rt_cors_open(options->cors);
    features->compression = rt_compression_open(options->compression);
    if (options->security_headers)
        rt_buffer_text(&features->security, security_lines);
    if (options->hsts >= RT_S(1))
        rt_buffer_format(&features->hsts, "Strict-Transport-Security: max-age=%llu\r\n",
                         (unsigned long long)(options->hsts / RT_S(1)));
    features->measures = options->measured ? rt_measures_open() : NULL;
    features->spans = options->spans;
    features->marks = features->cors || features->compression || logs;
    if (!logs)
        return 0;
    features->access =
        rt_access_open(options->access_log, format, options->service, options->access_output, loop);
    return features->access ? 0 : -errno;
}

void rt_features_close(rt_features *features)
{
    free(features->trust.networks);
    rt_cors_free(features->cors);
    rt_compression_free(features->compression);
    rt_access_close(features->access);
    rt_measures_free(features->measures);
    rt_buffer_free(&features->security);
    rt_buffer_free(&features->hsts);
    *features = (rt_features){0};
}

/* --- one exchange ---------------------------------------------------------------------------- */

void rt_marks_free(rt_marks *marks)
{
    rt_buffer_free(&marks->cors);
    rt_encoder_free(marks->encoder);
    rt_access_free(marks->access);
    *marks = (rt_marks){0};
}

void rt_features_begin(rt_exchange *exchange, rt_trace *trace)
{
    const rt_connection *connection = exchange->connection;
    const rt_features *features = &connection->server->features;
    const rt_http_head *head = &connection->server->head;
    rt_marks *marks = &exchange->marks;
    marks->coding = RT_CODING_IDENTITY;
    marks->span = NULL;
    marks->began = marks->sent = 0;
    marks->origin = (rt_origin){connection->peer, connection->secure, head->host};
    if (features->trust.count)
        rt_forwarded_judge(&marks->origin, head, &features->trust);
    if (features->cors)
        rt_cors_begin(features->cors, marks, head);
    if (features->compression)
        rt_compression_begin(features->compression, marks, head);
    if (features->access || features->spans || features->measures)
        marks->began = rt_clock_now();
    if (features->access)
        rt_access_begin(features->access, exchange);
    if (features->spans)
        rt_observe_begin(exchange, trace);
    rt_measure_begin(features->measures, exchange);
}

/* Adds the lines that the handler has not set. */
static void add_missing(rt_buffer *to, const rt_buffer *lines)
{
    const char *at = lines->data, *end = at + lines->length;
    for (const char *stop; at < end; at = stop) {
        char name[64];
        stop = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
        size_t length = (size_t)((const char *)memchr(at, ':', (size_t)(stop - at)) - at);
        for (size_t i = 0; i < length; i++)
            name[i] = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] | 0x20) : at[i];
        name[length] = '\0';
        if (!rt_lines_field(to, name).data)
            rt_buffer_add(to, at, (size_t)(stop - at));
    }
}

void rt_features_decorate(rt_exchange *exchange)
{
    rt_response *response = &exchange->response;
    const rt_features *features = &response->server->features;
    response->common = (rt_str){0};
    if (features->cors)
        rt_cors_decorate(features->cors, &exchange->marks, &response->headers);
    if (features->hsts.length && exchange->marks.origin.secure)
        add_missing(&response->headers, &features->hsts);
    if (features->security.length && response->headers.length)
        add_missing(&response->headers, &features->security);
    else
        response->common = (rt_str){features->security.data, features->security.length};
}

void rt_features_end(rt_ctx *ctx, rt_exchange *exchange, const rt_exit *exit, uint32_t status)
{
    rt_marks *marks = &exchange->marks;
    const rt_features *features = &exchange->connection->server->features;
    uint64_t now = rt_clock_now();
    rt_report report = {exchange->route, status, now - marks->began, marks->sent};
    if (features->access)
        rt_access_end(features->access, ctx, exchange, &report);
    rt_measure_end(features->measures, exchange, &report);
    rt_observe_end(ctx, exchange, exit, status, now);
}
