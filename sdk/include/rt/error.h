/* rt/error.h — results and errors
 *
 * A call returns 0 (or a count) when it succeeded and a negative `-RT_E…` when it failed. The codes
 * are the canonical codes of gRPC (google.rpc.Code), numbers included, so that they mean the same
 * on the wire, in a log and in a metric. What the code cannot say (a message for people, a domain
 * code, a hint, the cause) is in the `rt_error` of the context the call was made in.
 *
 * Ownership: everything an `rt_error` points to lives as long as the context's unit of work.
 * Waiting: nothing here waits.
 *
 *     static int load(rt_ctx *ctx, const char *id)
 *     {
 *         if (!id[0])
 *             return rt_fail(ctx, RT_EINVALID_ARGUMENT, "the order id is empty");
 *         RT_TRY(fetch(ctx, id));         // returns at once with fetch's error
 *         return 0;
 *     }
 */
#ifndef RT_ERROR_H
#define RT_ERROR_H

#include <stdint.h>

/* X(number, name, wire name, HTTP status, retryable, what it means) */
#define RT_ERRORS(X)                                                                               \
    X(1, ECANCELED, "CANCELLED", 499, 0, "the caller gave up")                                     \
    X(2, EUNKNOWN, "UNKNOWN", 500, 0, "an error that maps to no other code")                       \
    X(3, EINVALID_ARGUMENT, "INVALID_ARGUMENT", 400, 0, "the argument is wrong in any state")      \
    X(4, EDEADLINE, "DEADLINE_EXCEEDED", 504, 1, "time ran out before the work was done")          \
    X(5, ENOT_FOUND, "NOT_FOUND", 404, 0, "what was asked for does not exist")                     \
    X(6, EALREADY_EXISTS, "ALREADY_EXISTS", 409, 0, "what was to be made exists already")          \
    X(7, EPERMISSION_DENIED, "PERMISSION_DENIED", 403, 0, "the caller may not do this")            \
    X(8, ERESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", 429, 1, "a quota, limit or memory is used up") \
    X(9, EFAILED_PRECONDITION, "FAILED_PRECONDITION", 412, 0, "the state does not allow it")       \
    X(10, EABORTED, "ABORTED", 409, 1, "lost a race with another operation")                       \
    X(11, EOUT_OF_RANGE, "OUT_OF_RANGE", 400, 0, "past the end of what is valid")                  \
    X(12, EUNIMPLEMENTED, "UNIMPLEMENTED", 501, 0, "not offered, or nothing is bound")             \
    X(13, EINTERNAL, "INTERNAL", 500, 0, "an invariant is broken")                                 \
    X(14, EUNAVAILABLE, "UNAVAILABLE", 503, 1, "a backend cannot be reached at present")           \
    X(15, EDATA_LOSS, "DATA_LOSS", 500, 0, "data is lost or corrupt for good")                     \
    X(16, EUNAUTHENTICATED, "UNAUTHENTICATED", 401, 0, "the caller is not known")

enum rt_code {
    RT_OK = 0,
#define RT_ERROR_ENUM(number, name, wire, http, retryable, text) RT_##name = (number),
    RT_ERRORS(RT_ERROR_ENUM)
#undef RT_ERROR_ENUM
};

struct rt_field;

/* Why a call failed. `size` lets the struct grow; new members come at the end only. */
typedef struct rt_error {
    uint32_t size;
    int32_t code;       /* an rt_code, positive */
    uint32_t retryable; /* 1: the same call may succeed later */
    uint32_t reserved;
    const char *domain;           /* a code of the backend, such as "UNIQUE_VIOLATION"; or NULL */
    const char *message;          /* lower case, no full stop, quotes its subject */
    const char *detail;           /* what the backend said; or NULL */
    const char *hint;             /* what to change; or NULL */
    const struct rt_error *cause; /* what this error was made of; or NULL */
    /* What else a program may want to know, by name, such as the constraint that was violated:
     * rt_error_text of rt/log.h reads one. Since 1.3. */
    const struct rt_field *fields;
    uint64_t field_count;
} rt_error;

/* Returns from the calling function with the expression's error, if it is one. */
#define RT_TRY(expression)                 \
    do {                                   \
        int rt_try_result_ = (expression); \
        if (rt_try_result_ < 0)            \
            return rt_try_result_;         \
    } while (0)

/* "NOT_FOUND" for RT_ENOT_FOUND or -RT_ENOT_FOUND; "UNKNOWN" for a number that is no code. */
static inline const char *rt_code_name(int code)
{
    switch (code < 0 ? -code : code) {
    case RT_OK:
        return "OK";
#define RT_ERROR_NAME(number, name, wire, http, retryable, text) \
    case number:                                                 \
        return wire;
        RT_ERRORS(RT_ERROR_NAME)
#undef RT_ERROR_NAME
    default:
        return "UNKNOWN";
    }
}

/* The HTTP status that a handler's error becomes; 500 for a number that is no code. */
static inline int rt_code_http_status(int code)
{
    switch (code < 0 ? -code : code) {
    case RT_OK:
        return 200;
#define RT_ERROR_HTTP(number, name, wire, http, retryable, text) \
    case number:                                                 \
        return http;
        RT_ERRORS(RT_ERROR_HTTP)
#undef RT_ERROR_HTTP
    default:
        return 500;
    }
}

/* 1 if an error of this code is worth another try unless its rt_error says otherwise. */
static inline int rt_code_retryable(int code)
{
    switch (code < 0 ? -code : code) {
#define RT_ERROR_RETRY(number, name, wire, http, retryable, text) \
    case number:                                                  \
        return retryable;
        RT_ERRORS(RT_ERROR_RETRY)
#undef RT_ERROR_RETRY
    default:
        return 0;
    }
}

#endif
