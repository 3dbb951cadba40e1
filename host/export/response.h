/* response.h — what a collector answers to an export */
#ifndef RT_EXPORT_RESPONSE_H
#define RT_EXPORT_RESPONSE_H

#include <stddef.h>
#include <stdint.h>

typedef struct rt_partial {
    uint64_t rejected;   /* of the items that were sent; 0: none */
    const char *message; /* within the answer, not ended by NUL; a warning where none is rejected */
    size_t length;
} rt_partial;

/* Reads an Export…ServiceResponse, which is the same for all signals: 0, or -EPROTO if the bytes
 * are none. Unknown fields are passed over. */
int rt_response_read(const char *bytes, size_t length, rt_partial *partial);

/* The message of a google.rpc.Status, with which a collector explains a refusal: 0, or -EPROTO if
 * the bytes are none. */
int rt_response_reason(const char *bytes, size_t length, rt_partial *reason);

#endif
