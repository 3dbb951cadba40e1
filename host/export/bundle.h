/* bundle.h — encoded items of one signal, by scope, until they leave in a request
 *
 *     rt_buffer *out = rt_bundle_items(&bundle, "orders", "1.0.0");
 *     ... one field RT_OTLP_OF_SCOPE_ITEMS is written to `out` ...
 *     rt_bundle_added(&bundle, 1, now);
 *     ...
 *     rt_bundle_body(&bundle, &resource, &body);
 *     rt_bundle_empty(&bundle);
 */
#ifndef RT_EXPORT_BUNDLE_H
#define RT_EXPORT_BUNDLE_H

#include "base/buffer.h"

#include <stdint.h>

#define RT_BUNDLE_ITEMS 8192              /* a request at most */
#define RT_BUNDLE_BYTES ((size_t)4 << 20) /* likewise, but for the one item that goes beyond */

typedef struct rt_bundle {
    struct rt_bundle_scope *scopes;
    size_t scope_count, scope_room;
    size_t last; /* that was asked for */
    size_t items;
    uint64_t began; /* monotonic ns: when the first item came */
} rt_bundle;

/* What the items of the scope are appended to, until the next call of any function here. */
rt_buffer *rt_bundle_items(rt_bundle *bundle, const char *name, const char *version);
void rt_bundle_added(rt_bundle *bundle, size_t items, uint64_t now);
size_t rt_bundle_size(const rt_bundle *bundle); /* bytes that it will send, about */
size_t rt_bundle_held(const rt_bundle *bundle); /* bytes of memory, at most */

/* The request's body; `resource` holds the attributes, encoded as fields of a Resource. */
void rt_bundle_body(const rt_bundle *bundle, const rt_buffer *resource, rt_buffer *body);
void rt_bundle_empty(rt_bundle *bundle);

#endif
