/* http2_memory.h — memory of HTTP/2: pieces of a few sizes, kept for the next stream
 *
 * Streams, frames and header fields come and go by the hundred a turn, more than the allocator's
 * own cache holds of one size. Up to RT_HTTP2_KEPT bytes are kept for the whole process. For the
 * loop's thread alone.
 */
#ifndef RT_HTTP_HTTP2_MEMORY_H
#define RT_HTTP_HTTP2_MEMORY_H

#include <nghttp2/nghttp2.h>

#define RT_HTTP2_KEPT (1u << 20)

/* For sessions. */
extern nghttp2_mem rt_http2_memory;

/* NULL without memory. */
void *rt_http2_alloc_zeroed(size_t size);
void rt_http2_free(void *memory);
/* Bytes. */
size_t rt_http2_memory_kept(void);
/* Gives them back to the allocator. */
void rt_http2_memory_clear(void);

#endif
