#include "http/internal.h"
#include "http/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* For the lines of a head that do not grow with the handler's: status, date, lengths, id. */
#define FIXED_ROOM 512

/* --- buffers --------------------------------------------------------------------------------- */

static rt_buffer take_buffer(rt_http_server *server)
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

static int check_open(rt_ctx *ctx, const rt_response *response)
{
    if (!response || response->magic != RT_RESPONSE_MAGIC)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "the response is over");
    if (response->status)
        return rt_host_fail(ctx, RT_EFAILED_PRECONDITION, "the request is answered already");
    return 0;
}

int rt_host_response_header(rt_ctx *ctx, rt_response *response, const char *name, const char *value)
{
    RT_TRY(check_open(ctx, response));
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
    rt_buffer_reserve(&response->headers, n.length + v.length + 4);
    rt_buffer_add(&response->headers, name, n.length);
    rt_buffer_add(&response->headers, ": ", 2);
    rt_buffer_add(&response->headers, value, v.length);
    rt_buffer_add(&response->headers, "\r\n", 2);
    return 0;
}

static bool has_no_body(uint32_t status)
{
    return status == 204 || status == 205 || status == 304;
}

static int check_answer(rt_ctx *ctx, uint32_t status, const char *content_type, uint64_t length)
{
    if (status < RT_STATUS_LEAST || status > RT_STATUS_MOST)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the status %u is not between 200 and 599",
                            status);
    if (content_type && !rt_http_is_text((rt_str){content_type, strlen(content_type)}))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "the content type has control characters");
    if (length && has_no_body(status))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "an answer of status %u has no body",
                            status);
    return 0;
}

int rt_host_respond(rt_ctx *ctx, rt_response *response, uint32_t status, const char *content_type,
                    const char *body, uint64_t length)
{
    RT_TRY(check_open(ctx, response));
    RT_TRY(check_answer(ctx, status, content_type, length));
    size_t type_length = content_type ? strlen(content_type) : 0;
    response->content_type =
        content_type ? rt_arena_copy_n(rt_unit_arena(ctx), content_type, type_length) : NULL;
    response->status = status;
    response->length = length;
    response->bytes = take_buffer(response->server);
    response->body_at = FIXED_ROOM + type_length + response->headers.length;
    rt_buffer_reserve(&response->bytes, response->body_at + (response->head_only ? 0 : length));
    response->bytes.length = response->body_at;
    if (!response->head_only)
        rt_buffer_add(&response->bytes, body, length);
    return 0;
}

/* --- the head -------------------------------------------------------------------------------- */

static void refresh_date(rt_http_server *server)
{
    uint64_t second = uv_now(server->loop) / 1000;
    if (server->date_second == second && server->date_line[0])
        return;
    server->date_second = second;
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    snprintf(server->date_line, sizeof server->date_line,
             "Date: %.3s, %02u %.3s %04u %02u:%02u:%02u GMT\r\n", days + parts.tm_wday * 3,
             (unsigned)parts.tm_mday % 100, months + parts.tm_mon * 3,
             (unsigned)(parts.tm_year + 1900) % 10000, (unsigned)parts.tm_hour % 100,
             (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100);
}

#define DATE_LENGTH 37 /* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" */

/* The head is written from its end to its start, right before the body. */
static char *prepend(char *at, const char *text, size_t length)
{
    return memcpy(at - length, text, length);
}

#define PREPEND(at, literal) prepend(at, literal, sizeof literal - 1)

static char *prepend_number(char *at, uint64_t number)
{
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    return at;
}

static char *prepend_body_fields(char *at, const rt_response *response)
{
    uint32_t status = response->status;
    if (status != 204 && status != 304) {
        at = PREPEND(at, "\r\n");
        at = prepend_number(at, response->length);
        at = PREPEND(at, "Content-Length: ");
    }
    if (response->content_type) {
        at = PREPEND(at, "\r\n");
        at = prepend(at, response->content_type, strlen(response->content_type));
        at = PREPEND(at, "Content-Type: ");
    }
    return at;
}

static char *prepend_status_line(char *at, uint32_t status)
{
    const rt_status *entry = rt_status_find(status);
    at = PREPEND(at, "\r\n");
    if (entry->reason)
        at = prepend(at, entry->reason, entry->reason_length);
    at = PREPEND(at, " ");
    at = prepend_number(at, status);
    return PREPEND(at, "HTTP/1.1 ");
}

static char *write_head(rt_ctx *ctx, const rt_connection *connection)
{
    const rt_response *response = &connection->response;
    const char *id = rt_host_correlation_id(ctx);
    char *at = response->bytes.data + response->body_at;
    at = PREPEND(at, "\r\n");
    if (connection->last)
        at = PREPEND(at, "Connection: close\r\n");
    at = PREPEND(at, "\r\n");
    at = prepend(at, id, strlen(id));
    at = PREPEND(at, "X-Correlation-Id: ");
    if (response->headers.length)
        at = prepend(at, response->headers.data, response->headers.length);
    at = prepend_body_fields(at, response);
    at = prepend(at, connection->server->date_line, DATE_LENGTH);
    return prepend_status_line(at, response->status);
}

void rt_response_commit(rt_ctx *ctx, rt_connection *connection)
{
    rt_response *response = &connection->response;
    refresh_date(connection->server);
    size_t start = (size_t)(write_head(ctx, connection) - response->bytes.data);
    if (connection->out.length == 0) {
        rt_buffer_recycle(connection->server, &connection->out);
        connection->out = response->bytes;
        connection->sent = start;
        response->bytes = (rt_buffer){0};
    } else {
        rt_buffer_add(&connection->out, response->bytes.data + start,
                      response->bytes.length - start);
    }
    rt_response_discard(response);
}
