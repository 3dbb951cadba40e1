/* router.h — which route serves a path: a tree of segments */
#ifndef RT_HTTP_ROUTER_H
#define RT_HTTP_ROUTER_H

#include "http/http.h"
#include "http/parser.h"

/* Bytes of a fiber's stack from which on its answers are compressed: brotli takes up to 19 KiB. */
#define RT_COMPRESSION_STACK 49152u

typedef struct rt_route {
    rt_instance *instance;
    rt_handler handler;
    const char *name; /* "GET /orders/{id}" */
    const char *pattern;
    uint32_t method;
    uint32_t stack_size;
    uint32_t entry;             /* the worker's mark while it runs; 0: none */
    const uint8_t *quarantined; /* not 0 there: it is refused */
    uint64_t max_body;          /* 0: the default */
    uint64_t timeout;           /* ns; 0: the default */
    bool streams;               /* its handler reads the body in pieces */
    bool uncompressed;          /* its answers stay as they are */
    bool takes_rest;            /* by its last parameter */
    uint32_t parameter_count;
    const char *parameters[RT_HTTP_SEGMENTS];
    uint8_t parameter_segments[RT_HTTP_SEGMENTS]; /* which segment of the path each one is */
} rt_route;

/* What rt_router_add added last, to be given more than a module says; NULL before the first. */
rt_route *rt_router_newest(rt_router *router);

/* The route for head->method (GET's for HEAD), or NULL with the methods that the path has as bits
 * (1 << rt_http_method); none: there is no such path. */
const rt_route *rt_router_find(const rt_router *router, const rt_http_head *head,
                               uint32_t *allowed);
/* Calls the function for each route, by path and method. */
void rt_router_each(const rt_router *router,
                    void (*function)(void *argument, const rt_route *route), void *argument);
const char *rt_http_method_name(uint32_t method); /* "GET"; method is a rt_http_method */
/* "GET, HEAD, OPTIONS" for the bits. */
void rt_router_allow(uint32_t allowed, rt_buffer *text);

#endif
