/* status.h — the status codes: reason and error code, one table */
#ifndef RT_HTTP_STATUS_H
#define RT_HTTP_STATUS_H

#include <stdint.h>

/* X(status, reason, code in problem+json) */
#define RT_HTTP_STATUSES(X)                                       \
    X(200, "OK", "OK")                                            \
    X(201, "Created", "OK")                                       \
    X(202, "Accepted", "OK")                                      \
    X(203, "Non-Authoritative Information", "OK")                 \
    X(204, "No Content", "OK")                                    \
    X(205, "Reset Content", "OK")                                 \
    X(206, "Partial Content", "OK")                               \
    X(300, "Multiple Choices", "OK")                              \
    X(301, "Moved Permanently", "OK")                             \
    X(302, "Found", "OK")                                         \
    X(303, "See Other", "OK")                                     \
    X(304, "Not Modified", "OK")                                  \
    X(307, "Temporary Redirect", "OK")                            \
    X(308, "Permanent Redirect", "OK")                            \
    X(400, "Bad Request", "INVALID_ARGUMENT")                     \
    X(401, "Unauthorized", "UNAUTHENTICATED")                     \
    X(402, "Payment Required", "FAILED_PRECONDITION")             \
    X(403, "Forbidden", "PERMISSION_DENIED")                      \
    X(404, "Not Found", "NOT_FOUND")                              \
    X(405, "Method Not Allowed", "METHOD_NOT_ALLOWED")            \
    X(406, "Not Acceptable", "FAILED_PRECONDITION")               \
    X(408, "Request Timeout", "DEADLINE_EXCEEDED")                \
    X(409, "Conflict", "ABORTED")                                 \
    X(410, "Gone", "NOT_FOUND")                                   \
    X(411, "Length Required", "INVALID_ARGUMENT")                 \
    X(412, "Precondition Failed", "FAILED_PRECONDITION")          \
    X(413, "Content Too Large", "CONTENT_TOO_LARGE")              \
    X(414, "URI Too Long", "URI_TOO_LONG")                        \
    X(415, "Unsupported Media Type", "INVALID_ARGUMENT")          \
    X(416, "Range Not Satisfiable", "OUT_OF_RANGE")               \
    X(417, "Expectation Failed", "FAILED_PRECONDITION")           \
    X(421, "Misdirected Request", "INVALID_ARGUMENT")             \
    X(422, "Unprocessable Content", "INVALID_ARGUMENT")           \
    X(423, "Locked", "ABORTED")                                   \
    X(425, "Too Early", "FAILED_PRECONDITION")                    \
    X(426, "Upgrade Required", "FAILED_PRECONDITION")             \
    X(428, "Precondition Required", "FAILED_PRECONDITION")        \
    X(429, "Too Many Requests", "RESOURCE_EXHAUSTED")             \
    X(431, "Request Header Fields Too Large", "HEADER_TOO_LARGE") \
    X(451, "Unavailable For Legal Reasons", "PERMISSION_DENIED")  \
    X(499, "Client Closed Request", "CANCELLED")                  \
    X(500, "Internal Server Error", "INTERNAL")                   \
    X(501, "Not Implemented", "UNIMPLEMENTED")                    \
    X(502, "Bad Gateway", "UNAVAILABLE")                          \
    X(503, "Service Unavailable", "UNAVAILABLE")                  \
    X(504, "Gateway Timeout", "DEADLINE_EXCEEDED")                \
    X(505, "HTTP Version Not Supported", "UNIMPLEMENTED")

typedef struct rt_status {
    const char *reason; /* NULL: a status without a name */
    const char *code;
    uint32_t reason_length;
} rt_status;

#define RT_STATUS_LEAST 200
#define RT_STATUS_MOST 599
#define RT_STATUS_GONE 499 /* in logs: the client was gone before the answer */

/* `status` from 200 to 599. */
const rt_status *rt_status_find(uint32_t status);

#endif
