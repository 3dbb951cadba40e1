/* proxy.h — the PROXY protocol, versions 1 and 2: who connected to the proxy in front
 *
 * The header comes before everything else on a connection, TLS too. The parser has neither input
 * nor output; while it says RT_HTTP_MORE, every byte it was given belongs to the header, so these
 * can be taken from the socket and nothing behind the header ever is.
 */
#ifndef RT_HTTP_PROXY_H
#define RT_HTTP_PROXY_H

#include "base/ip.h"

#define RT_PROXY_LIMIT 4096u /* bytes of a header of version 2; 107 of version 1 */

typedef struct rt_proxy {
    size_t length; /* of the header */
    rt_ip source;
    bool is_known; /* else the socket's own address counts: a health check, or no IP */
    bool secure;   /* the client spoke TLS to the proxy */
} rt_proxy;

/* RT_HTTP_DONE, RT_HTTP_MORE, or -1: it is malformed. */
int rt_proxy_parse(rt_proxy *proxy, const char *data, size_t length);

#endif
