/* http.h — the HTTP server of a worker: HTTP/1.1 and HTTP/2, plain and over TLS
 *
 * Strict parser (RFC 9112: every doubtful form is 400 and the connection closes), router,
 * keep-alive and pipelining, limits and time-outs, graceful drain. README.md says how and why.
 */
#ifndef RT_HTTP_SERVER_H
#define RT_HTTP_SERVER_H

#include <rt/http.h>
#include <rt/module.h>
#include <rt/sse.h>
#include <rt/websocket.h>
#include <stdbool.h>

typedef struct rt_router rt_router;
typedef struct rt_http_server rt_http_server;

typedef struct rt_http_options {
    uint64_t request_timeout, header_timeout, idle_timeout; /* ns */
    uint64_t ping_interval;                                 /* ns; of streams that are silent */
    uint64_t max_header, max_body, max_message;             /* bytes */
    uint32_t max_requests, max_connections;                 /* at once */
    /* Groups and lists of the configuration, as host_schema.c declares them; NULL: off. */
    const rt_setting *trusted_proxies, *cors, *compression, *access_log;
    const char *access_format; /* pretty, json, combined; NULL or off: no access log */
    int access_output;         /* of rt_http_access_output, to be closed; 0: opened then */
    const char *service;       /* named in a JSON access log */
    uint64_t hsts;             /* ns; 0: none */
    struct rt_tls *tls;        /* tls.h; the caller's; NULL: no listener may be of TLS */
    uint32_t max_streams;      /* of one HTTP/2 connection, at once */
    bool http1_only;
    bool spans;         /* requests are part of traces */
    uint64_t *requests; /* counts those that routes were started for; or NULL */
    bool measured;      /* counts what measure.h says */
    bool security_headers;
    bool development; /* problem+json then carries the message of 5xx errors */
} rt_http_options;

rt_router *rt_router_new(void);
void rt_router_free(rt_router *router);
/* 0; -RT_EINVALID_ARGUMENT for a malformed pattern; -RT_EALREADY_EXISTS, with `*conflict` the name
 * of the instance that has it. `stack_size`: of the fibers that run it; 0: default. */
int rt_router_add(rt_router *router, rt_instance *instance, uint32_t stack_size, uint32_t method,
                  const char *pattern, rt_handler handler, const rt_route_options *options,
                  const char **conflict);

/* What the access log is written to, opened while that is still allowed. -1 with errno. */
int rt_http_access_output(const rt_setting *access_log);
/* From now on the access log, if there is one, is this descriptor's; the caller's stays open. 0 or
 * -errno. */
int rt_http_reopen_access(rt_http_server *server, int fd);
/* On the loop of fiber/fiber.h, which is open. NULL with errno: the access log cannot be opened. */
rt_http_server *rt_http_open(const rt_http_options *options, rt_router *router);
/* What connections of a listening socket begin with. */
enum rt_listen_flags {
    RT_LISTEN_PROXY = 1, /* a PROXY protocol header */
    RT_LISTEN_TLS = 2,   /* then a TLS handshake */
    RT_LISTEN_ADMIN = 4, /* nothing: it tells whose socket it is, and the server does not look */
};
/* Serves a listening socket, which stays the caller's. 0 or -errno. */
int rt_http_listen(rt_http_server *server, int fd, uint32_t flags);
/* Stops accepting; idle connections close, active ones answer what was read of them, the last with
 * `Connection: close`; `drained` is called, from the loop, when no connection is left. */
void rt_http_drain(rt_http_server *server, void (*drained)(void *argument), void *argument);
/* The same where a successor serves: idle connections stay for their next request, which is
 * answered with `Connection: close`, until their time limit or rt_http_interrupt. */
void rt_http_retire(rt_http_server *server, void (*drained)(void *argument), void *argument);
/* Cancels running requests and closes what is left; `drained` still comes. */
void rt_http_interrupt(rt_http_server *server);
void rt_http_close(rt_http_server *server);             /* after `drained` */
uint32_t rt_http_running(const rt_http_server *server); /* requests */

/* Behind the SDK's table. */
rt_str rt_host_request_header(const rt_request *request, const char *name);
rt_str rt_host_request_param(const rt_request *request, const char *name);
int rt_host_request_query(rt_ctx *ctx, const rt_request *request, const char *name, rt_str *value);
int rt_host_response_header(rt_ctx *ctx, rt_response *response, const char *name,
                            const char *value);
int rt_host_respond(rt_ctx *ctx, rt_response *response, uint32_t status, const char *content_type,
                    const char *body, uint64_t length);
int rt_host_body_read(rt_ctx *ctx, const rt_request *request, void *into, uint64_t size,
                      uint64_t *got);
int rt_host_respond_begin(rt_ctx *ctx, rt_response *response, uint32_t status,
                          const char *content_type);
int rt_host_respond_write(rt_ctx *ctx, rt_response *response, const char *data, uint64_t length);
rt_str rt_host_request_trailer(rt_ctx *ctx, const rt_request *request, const char *name);
int rt_host_respond_trailer(rt_ctx *ctx, rt_response *response, const char *name,
                            const char *value);
int rt_host_respond_file(rt_ctx *ctx, const rt_request *request, rt_response *response,
                         const char *folder, const char *path, uint64_t length,
                         const char *content_type);
int rt_host_stream_ends(const rt_response *response);
int rt_host_stream_on_end(rt_ctx *ctx, rt_response *response, void (*function)(void *argument),
                          void *argument);
int rt_host_sse_begin(rt_ctx *ctx, const rt_request *request, rt_response *response);
int rt_host_sse_send(rt_ctx *ctx, rt_response *response, const rt_sse_event *event);
int rt_host_websocket_accept(rt_ctx *ctx, const rt_request *request, rt_response *response,
                             const rt_websocket_options *options, rt_websocket **accepted);
int rt_host_websocket_receive(rt_ctx *ctx, rt_websocket *socket, rt_websocket_message *message);
int rt_host_websocket_send(rt_ctx *ctx, rt_websocket *socket, uint32_t type, const char *data,
                           uint64_t length);
int rt_host_websocket_close(rt_ctx *ctx, rt_websocket *socket, uint32_t code, const char *reason);
const char *rt_host_websocket_subprotocol(const rt_websocket *socket);
rt_json *rt_host_json_new(rt_ctx *ctx);
void rt_host_json_event(rt_json *json, uint32_t event, const void *value, uint64_t length);
int rt_host_json_text(rt_json *json, rt_str *text);
int rt_host_json_parse(rt_ctx *ctx, const char *text, uint64_t length, const rt_json_value **value);

#endif
