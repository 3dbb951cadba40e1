/* websocket_accept.c — the handshake (RFC 6455, section 4.2) */
#include "http/field.h"
#include "http/internal.h"
#include "http/websocket.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LENGTH 24 /* base64 of 16 bytes */

/* --- lists of words -------------------------------------------------------------------------- */

static bool same(rt_str a, rt_str b)
{
    return a.length == b.length && (!a.length || !memcmp(a.data, b.data, a.length));
}

static rt_str text_of(const char *text)
{
    return (rt_str){text, strlen(text)};
}

static bool lists(rt_str list, rt_str word)
{
    while (list.length)
        if (same(rt_field_next(&list, ','), word))
            return true;
    return false;
}

/* All fields of a name as one list (RFC 9110, 5.3), in the arena. */
static rt_str all_of(rt_ctx *ctx, const rt_request *request, const char *name)
{
    rt_str joined = {0};
    for (uint64_t i = 0; i < request->header_count; i++) {
        const rt_header *header = &request->headers[i];
        if (!rt_http_same(header->name, name))
            continue;
        if (joined.length)
            joined.data = rt_host_format(ctx, "%.*s, %.*s", (int)joined.length, joined.data,
                                         (int)header->value.length, header->value.data);
        joined = joined.length ? text_of(joined.data) : header->value;
    }
    return joined;
}

/* Whether a header lists the word, without case. */
static bool asks_for(rt_ctx *ctx, const rt_request *request, const char *name, const char *word)
{
    rt_str list = all_of(ctx, request, name);
    while (list.length)
        if (rt_http_same(rt_field_next(&list, ','), word))
            return true;
    return false;
}

/* --- what is wrong with it ------------------------------------------------------------------- */

static const rt_refusal upgrade_required = {
    426, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"};
static const rt_refusal wrong_method = {405, "Allow: GET\r\n"};

static int refuse(rt_ctx *ctx, rt_exchange *exchange, const rt_refusal *refusal,
                  const char *problem)
{
    exchange->refused = refusal;
    return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "%s", problem);
}

static int check_asked(rt_ctx *ctx, const rt_request *request, rt_exchange *exchange)
{
    if (request->method != RT_GET)
        return refuse(ctx, exchange, &wrong_method, "a WebSocket is opened by GET");
    if (!exchange->way->upgrade)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "a WebSocket is opened over HTTP/1.1");
    if (!asks_for(ctx, request, "upgrade", "websocket"))
        return refuse(ctx, exchange, &upgrade_required, "a WebSocket was to be asked for");
    if (!same(all_of(ctx, request, "sec-websocket-version"), RT_STR("13")))
        return refuse(ctx, exchange, &upgrade_required, "the WebSocket version is not 13");
    if (!asks_for(ctx, request, "connection", "upgrade"))
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "`Connection` does not name `upgrade`");
    if (request->body.length || exchange->body_open)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT, "a WebSocket is asked for without a body");
    return 0;
}

static int check_key(rt_ctx *ctx, rt_str key)
{
    unsigned char bytes[KEY_LENGTH];
    if (key.length != KEY_LENGTH || memcmp(key.data + KEY_LENGTH - 2, "==", 2) ||
        memchr(key.data, '=', KEY_LENGTH - 2) ||
        EVP_DecodeBlock(bytes, (const unsigned char *)key.data, KEY_LENGTH) != 18)
        return rt_host_fail(ctx, RT_EINVALID_ARGUMENT,
                            "`Sec-WebSocket-Key` is not the base64 of 16 bytes");
    return 0;
}

/* `https://host:port` without what precedes the host. */
static rt_str host_of(rt_str origin)
{
    const char *found = memmem(origin.data, origin.length, "://", 3);
    if (!found)
        return (rt_str){0};
    found += 3;
    return (rt_str){found, origin.length - (uint64_t)(found - origin.data)};
}

static bool same_host(rt_str a, rt_str b)
{
    return a.length && a.length == b.length && !strncasecmp(a.data, b.data, a.length);
}

static int check_origin(rt_ctx *ctx, const rt_request *request, const char *allowed)
{
    rt_str origin = rt_host_request_header(request, "origin");
    if (!origin.data || (allowed && !strcmp(allowed, "*")))
        return 0;
    if (allowed ? lists(text_of(allowed), origin) : same_host(host_of(origin), request->authority))
        return 0;
    return rt_host_fail(ctx, RT_EPERMISSION_DENIED, "pages of `%.*s` may not open this",
                        (int)(origin.length > 128 ? 128 : origin.length), origin.data);
}

/* --- the answer ------------------------------------------------------------------------------ */

static void answer_key(rt_response *response, rt_str key)
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[KEY_LENGTH + sizeof magic], encoded[32];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    memcpy(text, key.data, KEY_LENGTH);
    memcpy(text + KEY_LENGTH, magic, sizeof magic);
    if (!EVP_Digest(text, sizeof text - 1, digest, &length, EVP_sha1(), NULL))
        length = 0;
    EVP_EncodeBlock((unsigned char *)encoded, digest, (int)length);
    rt_response_add_line(response, "Sec-WebSocket-Accept", encoded);
}

static const char *choose_subprotocol(rt_ctx *ctx, const rt_request *request, const char *ours)
{
    rt_str offered = all_of(ctx, request, "sec-websocket-protocol");
    rt_str rest = ours ? text_of(ours) : (rt_str){0};
    while (rest.length) {
        rt_str word = rt_field_next(&rest, ',');
        if (word.length && lists(offered, word))
            return rt_host_format(ctx, "%.*s", (int)word.length, word.data);
    }
    return NULL;
}

static void agree(rt_ctx *ctx, const rt_request *request, rt_response *response,
                  const rt_websocket_options *options, rt_websocket *socket)
{
    rt_buffer extension = {0};
    rt_str offers = all_of(ctx, request, "sec-websocket-extensions");
    answer_key(response, rt_host_request_header(request, "sec-websocket-key"));
    socket->subprotocol = choose_subprotocol(ctx, request, options->subprotocols);
    if (socket->subprotocol)
        rt_response_add_line(response, "Sec-WebSocket-Protocol", socket->subprotocol);
    socket->deflates =
        !options->uncompressed && rt_ws_deflate_agree(&socket->deflate, offers, &extension);
    if (socket->deflates)
        rt_response_add_line(response, "Sec-WebSocket-Extensions", extension.data);
    rt_buffer_free(&extension);
}

static void set_limits(rt_websocket *socket, const rt_http_server *server, uint64_t max_message)
{
    socket->limit = max_message ? max_message : server->options.max_message;
    socket->reader.compresses = socket->deflates;
    socket->reader.limit = socket->limit;
    if (socket->deflates) /* what cannot be compressed grows a little */
        socket->reader.limit += socket->limit / 1000 + 64;
}

static int check_request(rt_ctx *ctx, const rt_request *request, rt_exchange *exchange,
                         const char *origins)
{
    RT_TRY(rt_response_check_open(ctx, &exchange->response));
    RT_TRY(check_asked(ctx, request, exchange));
    RT_TRY(check_key(ctx, all_of(ctx, request, "sec-websocket-key")));
    RT_TRY(check_origin(ctx, request, origins));
    return rt_live_check(ctx, exchange);
}

int rt_host_websocket_accept(rt_ctx *ctx, const rt_request *request, rt_response *response,
                             const rt_websocket_options *options, rt_websocket **accepted)
{
    rt_exchange *exchange = ((const rt_full_request *)request)->exchange;
    rt_websocket_options known = {.size = sizeof known};
    rt_struct_copy(&known, options);
    *accepted = NULL;
    RT_TRY(check_request(ctx, request, exchange, known.origins));
    rt_websocket *socket = rt_xcalloc(1, sizeof *socket);
    agree(ctx, request, response, &known, socket);
    set_limits(socket, exchange->connection->server, known.max_message);
    socket->magic = RT_WEBSOCKET_MAGIC;
    RT_TRY(rt_live_open(ctx, &socket->live, &rt_websocket_kind, exchange));
    rt_features_decorate(exchange);
    response->status = 101;
    response->streamed = true;
    if (!exchange->gone)
        exchange->way->upgrade(ctx, exchange, "websocket");
    *accepted = socket;
    return 0;
}
