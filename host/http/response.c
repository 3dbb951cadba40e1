#include "http/file.h"
#include "http/internal.h"
#include "http/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* For the lines of a head that do not grow with the handler's: status, date, lengths, id. */
#define FIXED_ROOM 512

/* --- buffers --------------------------------------------------------------------------------- */

rt_buffer rt_buffer_take(rt_http_server *server)
{
    rt_buffer buffer = {0};
    if (server->spare_count)
        buffer = server->spares[--server->spare_count];
    buffer.length = 0;
    return buffer;
}

void rt_buffer_recycle(rt_http_server *server, rt_buffer *buffer)
{
    if (!buffer->data)
        return;
    if (buffer->capacity > RT_SPARE_CAPACITY || server->spare_count == RT_SPARE_BUFFERS) {
        rt_buffer_free(buffer);
        return;
    }
    server->spares[server->spare_count++] = *buffer;
    *buffer = (rt_buffer){0};
}

void rt_response_begin(rt_response *response, rt_http_server *server, bool head_only)
{
    memset(response, 0, sizeof *response);
    response->magic = RT_RESPONSE_MAGIC;
    response->server = server;
    response->head_only = head_only;
}

void rt_response_discard(rt_response *response)
{
    if (response->server) {
        rt_buffer_recycle(response->server, &response->bytes);
        rt_buffer_free(&response->headers);
        rt_buffer_free(&response->trailers);
    }
    response->magic = 0;
    response->status = 0;
}

/* --- what a handler calls -------------------------------------------------------------------- */

static bool is_hosts_own(rt_str name)
{
    static const char *const names[] = {
        "connection", "content-length",    "content-type",    "date", "keep-alive", "te", "trailer",
        "upgrade",    "transfer-encoding", "x-correlation-id"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (rt_http_same(name, names[i]))
            return true;
    return false;
}

int rt_response_check_open(rt_ctx *ctx, const rt_response *response)
{
    if (!response || response->magic != RT_RESPONSE_MAGIC)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "the response is over");
    if (response->status)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "the request is answered already");
    return 0;
}

static void add_line(rt_buffer *lines, const char *name, const char *value)
{
    size_t name_length = strlen(name), length = strlen(value);
    rt_buffer_reserve(lines, name_length + length + 4);
    rt_buffer_add(lines, name, name_length);
    rt_buffer_add(lines, ": ", 2);
    rt_buffer_add(lines, value, length);
    rt_buffer_add(lines, "\r\n", 2);
}

void rt_response_add_line(rt_response *response, const char *name, const char *value)
{
    add_line(&response->headers, name, value);
}

int rt_host_response_header(rt_ctx *ctx, rt_response *response, const char *name, const char *value)
{
    RT_TRY(rt_response_check_open(ctx, response));
    if (!name || !value)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "a header needs a name and a value");
    rt_str n = {name, strlen(name)}, v = {value, strlen(value)};
    if (!rt_http_is_token(n))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "`%.64s` cannot name a header", name);
    if (is_hosts_own(n))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the host sets `%s` itself", name);
    if (!rt_http_is_text(v))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the value of `%s` has control characters",
                            name);
    rt_response_add_line(response, name, value);
    return 0;
}

bool rt_status_has_body(uint32_t status)
{
    return status != 204 && status != 205 && status != 304;
}

static int check_answer(rt_ctx *ctx, uint32_t status, const char *content_type, uint64_t length)
{
    if (status < RT_STATUS_LEAST || status > RT_STATUS_MOST)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the status %u is not between 200 and 599",
                            status);
    if (content_type && !rt_http_is_text((rt_str){content_type, strlen(content_type)}))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the content type has control characters");
    if (length && !rt_status_has_body(status))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "an answer of status %u has no body",
                            status);
    return 0;
}

int rt_response_check(rt_ctx *ctx, const rt_response *response, uint32_t status,
                      const char *content_type, uint64_t length)
{
    RT_TRY(rt_response_check_open(ctx, response));
    return check_answer(ctx, status, content_type, length);
}

int rt_response_open(rt_ctx *ctx, rt_response *response, uint32_t status, const char *content_type,
                     uint64_t length)
{
    RT_TRY(rt_response_check(ctx, response, status, content_type, length));
    size_t type_length = content_type ? strlen(content_type) : 0;
    rt_features_decorate(rt_exchange_of(response));
    response->content_type =
        content_type ? rt_arena_copy_n(rt_unit_arena(ctx), content_type, type_length) : NULL;
    response->type_length = type_length;
    response->status = status;
    response->length = length;
    response->bytes = rt_buffer_take(response->server);
    response->body_at =
        FIXED_ROOM + type_length + response->headers.length + response->common.length;
    rt_buffer_reserve(&response->bytes, response->body_at + (response->head_only ? 0 : length));
    response->bytes.length = response->body_at;
    return 0;
}

static int respond(rt_ctx *ctx, rt_response *response, uint32_t status, const char *content_type,
                   const char *body, uint64_t length)
{
    RT_TRY(rt_response_open(ctx, response, status, content_type, length));
    if (!response->head_only)
        rt_buffer_add(&response->bytes, body, length);
    return 0;
}

int rt_host_respond(rt_ctx *ctx, rt_response *response, uint32_t status, const char *content_type,
                    const char *body, uint64_t length)
{
    rt_buffer coded = {0};
    bool is_open = response && response->magic == RT_RESPONSE_MAGIC;
    if (!is_open || !response->server->features.compression)
        return respond(ctx, response, status, content_type, body, length);
    RT_TRY(rt_response_check(ctx, response, status, content_type, length));
    int result = rt_compress_whole(ctx, rt_exchange_of(response), status, content_type, &body,
                                   &length, &coded);
    if (!result)
        result = respond(ctx, response, status, content_type, body, length);
    rt_buffer_free(&coded);
    return result;
}

/* --- the date -------------------------------------------------------------------------------- */

static void write_date(rt_http_server *server)
{
    char date[RT_TIME_SIZE];
    rt_http_time_write(time(NULL), date);
    snprintf(server->date_line, sizeof server->date_line, "Date: %s\r\n", date);
}

const char *rt_date_line(rt_http_server *server)
{
    uint64_t second = uv_now(server->loop) / 1000;
    if (server->date_second != second || !server->date_line[0]) {
        server->date_second = second;
        write_date(server);
    }
    return server->date_line;
}
