/* listener.h — an entry of `http.listen`: an address and words behind it
 *
 * "127.0.0.1:8080", "[::]:443 tls", "unix:/run/rt/http.sock proxy_protocol mode=0666".
 */
#ifndef RT_CONFIG_LISTENER_H
#define RT_CONFIG_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#define RT_UNIX_PATH_MOST 107 /* bytes; the kernel's limit */

typedef struct rt_listener_spec {
    char address[320]; /* without the words */
    const char *path;  /* of a unix socket, in `address`; else NULL */
    bool tls, proxy_protocol;
    uint32_t mode; /* of a unix socket */
} rt_listener_spec;

/* NULL, or what is wrong with the text. */
const char *rt_listener_parse(rt_listener_spec *spec, const char *text);
const char *rt_listener_check(const char *text);
/* Likewise for a listener that speaks plain HTTP with whoever connects. */
const char *rt_listener_check_plain(const char *text);

#endif
