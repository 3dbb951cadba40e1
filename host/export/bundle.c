#include "export/bundle.h"

#include "base/arena.h"
#include "export/otlp_fields.h"
#include "export/protobuf.h"

#include <stdlib.h>
#include <string.h>

#define SCHEMA "https://opentelemetry.io/schemas/1.27.0"
#define SCOPE_COST 192 /* bytes that a scope takes beside its items */

typedef struct rt_bundle_scope {
    char *name, *version;
    rt_buffer items;
} rt_bundle_scope;

static bool is_scope(const rt_bundle_scope *scope, const char *name, const char *version)
{
    return strcmp(scope->name, name) == 0 && strcmp(scope->version, version) == 0;
}

static rt_bundle_scope *add_scope(rt_bundle *bundle, const char *name, const char *version)
{
    if (bundle->scope_count == bundle->scope_room) {
        bundle->scope_room = bundle->scope_room ? 2 * bundle->scope_room : 8;
        bundle->scopes = rt_xrealloc(bundle->scopes, bundle->scope_room * sizeof *bundle->scopes);
    }
    bundle->last = bundle->scope_count++;
    rt_bundle_scope *scope = &bundle->scopes[bundle->last];
    *scope = (rt_bundle_scope){.name = strdup(name), .version = strdup(version)};
    return scope;
}

rt_buffer *rt_bundle_items(rt_bundle *bundle, const char *name, const char *version)
{
    name = name ? name : "";
    version = version ? version : "";
    if (bundle->last < bundle->scope_count &&
        is_scope(&bundle->scopes[bundle->last], name, version))
        return &bundle->scopes[bundle->last].items;
    for (size_t i = 0; i < bundle->scope_count; i++)
        if (is_scope(&bundle->scopes[i], name, version)) {
            bundle->last = i;
            return &bundle->scopes[i].items;
        }
    return &add_scope(bundle, name, version)->items;
}

void rt_bundle_added(rt_bundle *bundle, size_t items, uint64_t now)
{
    if (!bundle->items)
        bundle->began = now;
    bundle->items += items;
}

size_t rt_bundle_size(const rt_bundle *bundle)
{
    size_t size = 0;
    for (size_t i = 0; i < bundle->scope_count; i++)
        size += SCOPE_COST + bundle->scopes[i].items.length;
    return size;
}

size_t rt_bundle_held(const rt_bundle *bundle)
{
    size_t held = 0;
    for (size_t i = 0; i < bundle->scope_count; i++)
        held += SCOPE_COST + 2 * bundle->scopes[i].items.length; /* it grows by doubling */
    return held;
}

static void write_scope(const rt_bundle_scope *scope, rt_buffer *body)
{
    rt_buffer head = {0};
    size_t at = rt_pb_open(&head, RT_OTLP_OF_SCOPE_SCOPE);
    rt_pb_text(&head, RT_OTLP_SCOPE_NAME, scope->name);
    if (*scope->version)
        rt_pb_text(&head, RT_OTLP_SCOPE_VERSION, scope->version);
    rt_pb_close(&head, at);
    rt_pb_head(body, RT_OTLP_OF_RESOURCE_SCOPES, head.length + scope->items.length);
    rt_buffer_add(body, head.data, head.length);
    rt_buffer_add(body, scope->items.data, scope->items.length);
    rt_buffer_free(&head);
}

void rt_bundle_body(const rt_bundle *bundle, const rt_buffer *resource, rt_buffer *body)
{
    rt_buffer_reserve(body, rt_bundle_size(bundle) + resource->length + 256);
    size_t at = rt_pb_open(body, RT_OTLP_REQUEST_RESOURCES);
    rt_pb_bytes(body, RT_OTLP_OF_RESOURCE_RESOURCE, resource->data, resource->length);
    for (size_t i = 0; i < bundle->scope_count; i++)
        write_scope(&bundle->scopes[i], body);
    rt_pb_text(body, RT_OTLP_OF_RESOURCE_SCHEMA, SCHEMA);
    rt_pb_close(body, at);
}

void rt_bundle_empty(rt_bundle *bundle)
{
    for (size_t i = 0; i < bundle->scope_count; i++) {
        free(bundle->scopes[i].name);
        free(bundle->scopes[i].version);
        rt_buffer_free(&bundle->scopes[i].items);
    }
    free(bundle->scopes);
    *bundle = (rt_bundle){0};
}
