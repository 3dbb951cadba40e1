/* redis_address.h — where a server is: redis://host:port/database, rediss:// with TLS, unix:/path
 */
#ifndef PLUGINS_REDIS_ADDRESS_H
#define PLUGINS_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct rt_redis_address {
    char host[256]; /* the path of a unix socket */
    uint16_t port;  /* 0: a unix socket */
    bool tls;
    int32_t database; /* -1: none is named */
} rt_redis_address;

/* NULL, or what is wrong with the text. */
const char *rt_redis_address_of_url(const char *url, rt_redis_address *address);
/* "host:port" or "[v6]:port" */
const char *rt_redis_address_of_pair(const char *pair, rt_redis_address *address);
/* For errors and logs. */
void rt_redis_address_text(const rt_redis_address *address, char *text, uint64_t size);

#endif
