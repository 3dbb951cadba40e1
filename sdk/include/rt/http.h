/* rt/http.h — routes, requests and responses
 *
 * A handler runs in a fiber of its own and may wait. It answers by rt_respond… and returns 0, or
 * returns -RT_E…, which becomes an application/problem+json answer (RFC 9457) with the status of
 * the code (rt/error.h). Returning 0 without having answered is 204 No Content.
 *
 * The correlation id is that of the request's field X-Correlation-Id, or else a new one; every
 * answer has it. A client that resets its connection cancels the handler; one that only closes its
 * side is still answered.
 *
 * Ownership: the request and all it points to live until the handler returns; a response's body and
 * headers are copied before rt_respond returns.
 * Sources: RFC 9110 (semantics), RFC 9112 (HTTP/1.1), RFC 9457 (problem details).
 *
 *     static int get_order(rt_ctx *ctx, const rt_request *request, rt_response *response)
 *     {
 *         rt_str id = rt_param(request, "id");                       // of /orders/{id}
 *         if (!id.length)
 *             return rt_fail(ctx, RT_ENOT_FOUND, "no such order");   // 404
 *         return rt_respond(ctx, response, 200, "application/json", RT_STR("{}"));
 *     }
 */
#ifndef RT_HTTP_H
#define RT_HTTP_H

#include <rt/abi.h>
#include <rt/host.h>
#include <rt/json.h>

/* X(number, name): the methods of RFC 9110 and RFC 5789 that a route can have. A GET route answers
 * HEAD too; OPTIONS is answered with Allow unless a route takes it. */
#define RT_HTTP_METHODS(X) \
    X(1, GET) X(2, HEAD) X(3, POST) X(4, PUT) X(5, DELETE) X(6, OPTIONS) X(7, PATCH)

enum rt_http_method {
#define RT_HTTP_METHOD_ENUM(number, name) RT_##name = (number),
    RT_HTTP_METHODS(RT_HTTP_METHOD_ENUM)
#undef RT_HTTP_METHOD_ENUM
};

typedef struct rt_header {
    rt_str name; /* as received; compare without case */
    rt_str value;
} rt_header;

typedef struct rt_request {
    uint32_t size;
    uint32_t method; /* rt_http_method */
    rt_str path;     /* decoded, without query; what rt_param warns of holds for it too */
    rt_str query;    /* raw, without `?`: a `%` may encode nothing; rt_query decodes */
    rt_str body;     /* any bytes */
    const rt_header *headers;
    uint64_t header_count;
    rt_str peer;      /* the client's IP address; empty: it came over a unix socket */
    rt_str scheme;    /* "http" or "https" */
    rt_str authority; /* host and perhaps port that it asked for: any that it likes */
} rt_request;

typedef struct rt_response rt_response;

/* Options of a route; zero means the default. */
typedef struct rt_route_options {
    uint32_t size;
    uint32_t reserved;
    uint64_t max_body; /* bytes; 413 beyond; default `http.max_body` */
    uint64_t timeout;  /* nanoseconds; 504 beyond; default `http.request_timeout` */
    uint32_t streams;  /* 1: the handler starts before the body is there: rt_body_read */
    uint32_t reserved_too;
    uint32_t uncompressed; /* 1: answers are not compressed; see below */
    uint32_t reserved_more;
} rt_route_options;

/* In RT_REGISTER: rt_route(registry, RT_GET, "/orders/{id}", get_order, .timeout = RT_S(2)).
 * A pattern is literal segments and `{name}` segments; literal wins over `{name}`, and that over a
 * last `{name...}`, which matches all that is left of the path, nothing too (`/static/`, but not
 * `/static`). It is copied; the handler runs as the instance that registered it.
 * -RT_EALREADY_EXISTS: the same method and pattern twice; -RT_EFAILED_PRECONDITION: no
 * RT_SERVES(routes), or outside of RT_REGISTER; -RT_EINVALID_ARGUMENT: a malformed pattern. Each
 * ends the start with the reason in the log.
 *
 * An answer that holds a secret beside text that the asker can choose says by its compressed length
 * how much of the two is alike (BREACH): such a route sets .uncompressed = 1. */
#define rt_route(registry_, method_, pattern_, handler_, ...)    \
    rt_host_table->route(registry_, method_, pattern_, handler_, \
                         &(rt_route_options){.size = sizeof(rt_route_options), __VA_ARGS__})

/* A header's value, or {NULL, 0}. Case does not matter; the first of several. */
static inline rt_str rt_request_header(const rt_request *request, const char *name)
{
    return rt_host_table->request_header(request, name);
}

/* The segment that `{name}` of the pattern matched, or {NULL, 0}. Percent-decoded, never empty, and
 * neither `.` nor `..`; yet it may hold `/`, `../`, line ends, invalid UTF-8: any byte but NUL, for
 * `..%2Fsecret` is one segment. Never make a file name, a command or a query of it unchecked. */
static inline rt_str rt_param(const rt_request *request, const char *name)
{
    return rt_host_table->request_param(request, name);
}

/* The decoded value of the first query parameter of that name (`+` is a space): 0, -RT_ENOT_FOUND,
 * or -RT_EINVALID_ARGUMENT where a `%` encodes no character or NUL. It may be empty, be `..`, and
 * hold any byte but NUL: what rt_param warns of holds for it too. */
static inline int rt_query(rt_ctx *ctx, const rt_request *request, const char *name, rt_str *value)
{
    return rt_host_table->request_query(ctx, request, name, value);
}

/* Adds a header before rt_respond. -RT_EINVALID_ARGUMENT for a name that is no token, a value with
 * control characters, or a header that the host itself sets (Content-Length, Connection, …). */
static inline int rt_respond_header(rt_ctx *ctx, rt_response *response, const char *name,
                                    const char *value)
{
    return rt_host_table->response_header(ctx, response, name, value);
}

/* Answers. Once: a second answer is -RT_EFAILED_PRECONDITION. status: 200 to 599. */
static inline int rt_respond(rt_ctx *ctx, rt_response *response, uint32_t status,
                             const char *content_type, rt_str body)
{
    return rt_host_table->respond(ctx, response, status, content_type, body.data, body.length);
}

/* Answers with what was written to `json`. */
static inline int rt_respond_json(rt_ctx *ctx, rt_response *response, uint32_t status,
                                  rt_json *json)
{
    rt_str text;
    RT_TRY(rt_host_table->json_text(json, &text));
    return rt_respond(ctx, response, status, "application/json", text);
}

/* Reads more of the body of a route that streams: at most `size` bytes; `*got` is 0 at its end.
 * Waits, and the peer waits while 64 KiB are not taken. -RT_EINVALID_ARGUMENT: it is malformed or
 * cut; -RT_EOUT_OF_RANGE: longer than the route's max_body; -RT_EDEADLINE: it did not come
 * in time. Returned from the handler, these are 400, 413 and 408. A body that is not read to its
 * end ends the connection. */
static inline int rt_body_read(rt_ctx *ctx, const rt_request *request, void *into, uint64_t size,
                               uint64_t *got)
{
    return rt_host_table->body_read(ctx, request, into, size, got);
}

/* Begins an answer whose body follows in pieces of any size and number; sends the head. When the
 * handler then fails, the client sees that the body is cut. */
static inline int rt_respond_begin(rt_ctx *ctx, rt_response *response, uint32_t status,
                                   const char *content_type)
{
    return rt_host_table->respond_begin(ctx, response, status, content_type);
}

/* Sends a piece; it leaves at once, so collect small ones. Waits while 64 KiB wait for the client,
 * at most until the deadline. -RT_ECANCELED: the client is gone. */
static inline int rt_respond_write(rt_ctx *ctx, rt_response *response, rt_str piece)
{
    return rt_host_table->respond_write(ctx, response, piece.data, piece.length);
}

/* A field behind the body, once that was read to its end; or {NULL, 0}. Those that RFC 9110 6.5.1
 * forbids there (framing, routing, authentication, …) are ignored, as is right for who merges none
 * into the header. */
static inline rt_str rt_request_trailer(rt_ctx *ctx, const rt_request *request, const char *name)
{
    return rt_host_table->request_trailer(ctx, request, name);
}

/* Adds a field behind a streamed body, until the handler ends; it is sent to a client that said
 * `TE: trailers`, and else dropped. Before rt_respond_begin a NULL value announces the name
 * in `Trailer`. -RT_EINVALID_ARGUMENT as for headers, and for names that are forbidden there. */
static inline int rt_respond_trailer(rt_ctx *ctx, rt_response *response, const char *name,
                                     const char *value)
{
    return rt_host_table->respond_trailer(ctx, response, name, value);
}

/* Answers with a regular file, as the request's conditions and ranges want it (RFC 9110 13, 14):
 * 200, 206, 304 or 416, with ETag, Last-Modified and Accept-Ranges. An error (412 of If-Match,
 * -RT_ENOT_FOUND: there is none, or it is no regular file; -RT_EPERMISSION_DENIED) is returned for
 * the handler to return. content_type NULL: by the name's end. The path is the author's word:
 * symbolic links are followed. Waits for the client and the disk without a deadline, unless the
 * route has a timeout. A file that shrinks meanwhile cuts the answer. */
static inline int rt_respond_file(rt_ctx *ctx, const rt_request *request, rt_response *response,
                                  const char *path, const char *content_type)
{
    return rt_host_table->respond_file(ctx, request, response, NULL, path, __builtin_strlen(path),
                                       content_type);
}

/* The same for a path that the client chose: nothing outside of the folder is reached, by `..` or
 * by a link, and no file or folder whose name begins with `.` but `.well-known`. An empty path, or
 * one that ends in `/`, means its index.html.
 *     rt_route(registry, RT_GET, "/static/{path...}", files)
 *     return rt_respond_file_within(ctx, request, response, folder, rt_param(request, "path"), 0);
 */
static inline int rt_respond_file_within(rt_ctx *ctx, const rt_request *request,
                                         rt_response *response, const char *folder, rt_str path,
                                         const char *content_type)
{
    return rt_host_table->respond_file(ctx, request, response, folder, path.data, path.length,
                                       content_type);
}

/* 1 once a streamed answer (rt_respond_begin, an event stream, a WebSocket) should end: the server
 * drains, or the client is gone. */
static inline int rt_stream_ends(const rt_response *response)
{
    return rt_host_table->stream_ends(response);
}

/* Has a function called when the server begins to drain, for a handler that waits for something
 * else than its client: close its channel there, say. It runs on the loop and must not wait. At
 * once if that has begun. For event streams and WebSockets; another replaces it. */
static inline int rt_stream_on_end(rt_ctx *ctx, rt_response *response,
                                   void (*function)(void *argument), void *argument)
{
    return rt_host_table->stream_on_end(ctx, response, function, argument);
}

/* Parses the request's body: -RT_EINVALID_ARGUMENT (400) if it is not valid JSON. */
static inline int rt_body_json(rt_ctx *ctx, const rt_request *request, const rt_json_value **value)
{
    return rt_json_parse(ctx, request->body, value);
}

#endif
