#include "http/router.h"

#include "base/arena.h"
#include "http/characters.h"

#include <stdlib.h>
#include <string.h>

#define PATTERN_LIMIT 1024
#define METHODS 8 /* rt_http_method, from 1 */

static const char *const method_names[METHODS] = {
#define METHOD(number, name) [number] = #name,
    RT_HTTP_METHODS(METHOD)
#undef METHOD
};

typedef struct node {
    rt_str literal;
    struct node **children; /* of literals, sorted by `compare` */
    size_t child_count;
    struct node *parameter, *rest;
    const rt_route *routes[METHODS];
} node;

struct rt_router {
    rt_arena arena;
    node root;
    rt_route *newest;
};

rt_router *rt_router_new(void)
{
    rt_router *router = rt_xcalloc(1, sizeof *router);
    rt_arena_init(&router->arena);
    return router;
}

void rt_router_free(rt_router *router)
{
    if (!router)
        return;
    rt_arena_free(&router->arena);
    free(router);
}

static int compare(rt_str a, rt_str b)
{
    if (a.length != b.length)
        return a.length < b.length ? -1 : 1;
    return a.length ? memcmp(a.data, b.data, a.length) : 0;
}

/* Where the literal is among the children, or where it belongs. */
static size_t position(const node *parent, rt_str literal, bool *found)
{
    size_t low = 0, high = parent->child_count;
    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(literal, parent->children[middle]->literal);
        *found = order == 0;
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static node *literal_child(rt_router *router, node *parent, rt_str literal)
{
    bool found;
    size_t at = position(parent, literal, &found);
    if (found)
        return parent->children[at];
    node *child = RT_NEW(&router->arena, node);
    child->literal = literal;
    parent->children =
        rt_arena_grow(&router->arena, parent->children, sizeof(node *), parent->child_count);
    memmove(&parent->children[at + 1], &parent->children[at],
            (parent->child_count++ - at) * sizeof(node *));
    parent->children[at] = child;
    return child;
}

static node *parameter_child(rt_router *router, node *parent)
{
    if (!parent->parameter)
        parent->parameter = RT_NEW(&router->arena, node);
    return parent->parameter;
}

/* --- patterns -------------------------------------------------------------------------------- */

static bool is_name(rt_str name)
{
    for (uint64_t i = 0; i < name.length; i++)
        if (!rt_is(name.data[i], RT_IDENTIFIER_CHARACTER) || strchr(".-", name.data[i]))
            return false;
    return name.length > 0 && !rt_is(name.data[0], RT_DIGIT_CHARACTER);
}

static bool is_literal(rt_str text, bool last)
{
    for (uint64_t i = 0; i < text.length; i++)
        if (!rt_is(text.data[i], RT_TEXT_CHARACTER) || strchr("{}%?#\t", text.data[i]))
            return false;
    bool dots = (text.length == 1 || text.length == 2) && !memcmp(text.data, "..", text.length);
    return !dots && (text.length > 0 || last);
}

static bool add_parameter(rt_arena *arena, rt_route *route, rt_str name, uint32_t segment)
{
    if (!is_name(name))
        return false;
    const char *copy = rt_arena_copy_n(arena, name.data, name.length);
    for (uint32_t i = 0; i < route->parameter_count; i++)
        if (!strcmp(route->parameters[i], copy))
            return false;
    route->parameter_segments[route->parameter_count] = (uint8_t)segment;
    route->parameters[route->parameter_count++] = copy;
    return true;
}

static node *rest_child(rt_router *router, node *parent)
{
    if (!parent->rest)
        parent->rest = RT_NEW(&router->arena, node);
    return parent->rest;
}

/* The node of a `{name}`, or of a `{name...}`, which takes all that is left and so comes last. */
static node *place_parameter(rt_router *router, node *at, rt_route *route, rt_str name,
                             uint32_t segment, bool last)
{
    bool rest = name.length > 3 && !memcmp(name.data + name.length - 3, "...", 3);
    if (rest)
        name.length -= 3;
    if ((rest && !last) || !add_parameter(&router->arena, route, name, segment))
        return NULL;
    route->takes_rest = rest;
    return rest ? rest_child(router, at) : parameter_child(router, at);
}

/* The node of the pattern, made if need be; NULL if the pattern is malformed. `route->pattern` is
 * the router's own copy, so literals can point into it. */
static node *place(rt_router *router, rt_route *route)
{
    node *at = &router->root;
    const char *text = route->pattern;
    if (*text != '/' || strlen(text) > PATTERN_LIMIT)
        return NULL;
    for (uint32_t segment = 0; at && *text == '/'; segment++) {
        const char *start = ++text;
        text = strchrnul(start, '/');
        rt_str piece = {start, (uint64_t)(text - start)};
        if (segment == RT_HTTP_SEGMENTS)
            return NULL;
        if (piece.length > 2 && start[0] == '{' && text[-1] == '}') {
            rt_str name = {start + 1, piece.length - 2};
            at = place_parameter(router, at, route, name, segment, !*text);
        } else {
            at = is_literal(piece, !*text) ? literal_child(router, at, piece) : NULL;
        }
    }
    return at;
}

static void take_options(rt_route *route, const rt_route_options *options)
{
    if (options && RT_HAS(options, max_body))
        route->max_body = options->max_body;
    if (options && RT_HAS(options, timeout))
        route->timeout = options->timeout;
    if (options && RT_HAS(options, streams))
        route->streams = options->streams != 0;
    if (options && RT_HAS(options, uncompressed))
        route->uncompressed = options->uncompressed != 0;
    if (route->stack_size && route->stack_size < RT_COMPRESSION_STACK)
        route->uncompressed = true;
}

int rt_router_add(rt_router *router, rt_instance *instance, uint32_t stack_size, uint32_t method,
                  const char *pattern, rt_handler handler, const rt_route_options *options,
                  const char **conflict)
{
    if (!pattern || !handler || method == 0 || method >= METHODS)
        return -RT_EINVALID_ARGUMENT;
    static const uint8_t never;
    rt_route *route = RT_NEW(&router->arena, rt_route);
    route->instance = instance;
    route->quarantined = &never;
    route->handler = handler;
    route->method = method;
    route->stack_size = stack_size;
    route->pattern = rt_arena_copy(&router->arena, pattern);
    route->name = rt_arena_format(&router->arena, "%s %s", method_names[method], pattern);
    take_options(route, options);
    node *leaf = place(router, route);
    if (!leaf)
        return -RT_EINVALID_ARGUMENT;
    if (leaf->routes[method]) {
        if (conflict)
            *conflict = leaf->routes[method]->instance ? leaf->routes[method]->instance->name : "";
        return -RT_EALREADY_EXISTS;
    }
    leaf->routes[method] = router->newest = route;
    return 0;
}

rt_route *rt_router_newest(rt_router *router)
{
    return router->newest;
}

/* --- look-up --------------------------------------------------------------------------------- */

static const rt_route *of_method(const node *leaf, uint32_t method, uint32_t *allowed)
{
    const rt_route *route = leaf->routes[method];
    if (!route && method == RT_HEAD)
        route = leaf->routes[RT_GET];
    if (route)
        return route;
    for (uint32_t i = 1; i < METHODS; i++)
        if (leaf->routes[i])
            *allowed |= 1u << i;
    return NULL;
}

/* Depth is at most RT_HTTP_SEGMENTS. A literal that leads nowhere gives way to the parameter, and
 * that to what takes the rest. */
static const rt_route *descend(const node *at, const rt_http_head *head, uint32_t segment,
                               uint32_t *allowed)
{
    if (segment == head->segment_count)
        return of_method(at, head->method, allowed);
    bool found;
    size_t child = position(at, head->segments[segment], &found);
    const rt_route *route = found ? descend(at->children[child], head, segment + 1, allowed) : NULL;
    if (!route && at->parameter && head->segments[segment].length)
        route = descend(at->parameter, head, segment + 1, allowed);
    if (!route && at->rest)
        route = of_method(at->rest, head->method, allowed);
    return route;
}

const rt_route *rt_router_find(const rt_router *router, const rt_http_head *head, uint32_t *allowed)
{
    *allowed = 0;
    if (head->asterisk) {
        *allowed = (1u << METHODS) - 2;
        return NULL;
    }
    if (head->too_many_segments)
        return NULL;
    const rt_route *route = descend(&router->root, head, 0, allowed);
    if (!route && *allowed & 1u << RT_GET)
        *allowed |= 1u << RT_HEAD;
    if (!route && *allowed)
        *allowed |= 1u << RT_OPTIONS;
    return route;
}

static void visit(const node *at, void (*function)(void *argument, const rt_route *route),
                  void *argument)
{
    for (uint32_t i = 1; i < METHODS; i++)
        if (at->routes[i])
            function(argument, at->routes[i]);
    for (size_t i = 0; i < at->child_count; i++)
        visit(at->children[i], function, argument);
    if (at->parameter)
        visit(at->parameter, function, argument);
    if (at->rest)
        visit(at->rest, function, argument);
}

void rt_router_each(const rt_router *router,
                    void (*function)(void *argument, const rt_route *route), void *argument)
{
    visit(&router->root, function, argument);
}

const char *rt_http_method_name(uint32_t method)
{
    return method_names[method];
}

void rt_router_allow(uint32_t allowed, rt_buffer *text)
{
    for (uint32_t i = 1; i < METHODS; i++)
        if (allowed & 1u << i) {
            rt_buffer_text(text, text->length ? ", " : "");
            rt_buffer_text(text, method_names[i]);
        }
}
