/* ip.h — IP addresses and networks: as text, in messages of the kernel, and compared
 *
 * An IPv4 address mapped into IPv6 (::ffff:10.0.0.1) is the IPv4 address everywhere.
 */
#ifndef RT_BASE_IP_H
#define RT_BASE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RT_IP_TEXT 46 /* bytes of the longest text, with its NUL */

struct sockaddr;

typedef struct rt_ip {
    uint8_t version;   /* 4, 6; 0: none, as of the peer of a unix socket */
    uint8_t bytes[16]; /* of IPv4 the first four */
} rt_ip;

typedef struct rt_network {
    rt_ip base; /* version 0: the peers of unix sockets */
    uint8_t bits;
} rt_network;

/* The address alone, neither port nor brackets. False if it is none. */
bool rt_ip_parse(rt_ip *ip, const char *text, size_t length);
/* From 4 or 16 bytes in network order. */
rt_ip rt_ip_of_bytes(const void *bytes, size_t count);
rt_ip rt_ip_of_socket(const struct sockaddr *address);
/* Its length; 0 for none. */
size_t rt_ip_text(const rt_ip *ip, char text[RT_IP_TEXT]);

/* "10.0.0.0/8", "::1", or "unix:". NULL, or what is wrong with the text. */
const char *rt_network_parse(rt_network *network, const char *text);
bool rt_network_holds(const rt_network *network, const rt_ip *ip);

#endif
