/* forwarded.h — who made a request, when trusted proxies stand in between
 *
 * `Forwarded` (RFC 7239), or where that is absent X-Forwarded-For, -Proto and -Host, is read from
 * the right, where the nearest proxy has written: each entry counts only because the host that it
 * came from is trusted. The first untrusted address is the client. A malformed field counts as
 * none.
 */
#ifndef RT_HTTP_FORWARDED_H
#define RT_HTTP_FORWARDED_H

#include "base/ip.h"
#include "http/parser.h"

#define RT_HOPS_MOST 32 /* trusted proxies in a row; the one beyond is taken for the client */

typedef struct rt_trust {
    rt_network *networks;
    uint32_t count;
} rt_trust;

typedef struct rt_origin {
    rt_ip ip;         /* of the client; none: the peer of a unix socket */
    bool secure;      /* the scheme is https */
    rt_str authority; /* host and port that the client asked for */
} rt_origin;

bool rt_trust_holds(const rt_trust *trust, const rt_ip *ip);
/* `origin` has what the connection and Host say. What replaces it points into the head. */
void rt_forwarded_judge(rt_origin *origin, const rt_http_head *head, const rt_trust *trust);

#endif
