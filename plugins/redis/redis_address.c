#include "redis_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define USUAL_PORT 6379
#define MOST_DATABASES 65536

/* 1 to `most`, or `least` to it; -1: the text is no such number. */
static int32_t number_of(const char *text, size_t length, int32_t least, int32_t most)
{
    char digits[8];
    if (!length || length >= sizeof digits || strspn(text, "0123456789") < length)
        return -1;
    memcpy(digits, text, length);
    digits[length] = '\0';
    int32_t number = atoi(digits);
    return number < least || number > most ? -1 : number;
}

static const char *take_host(const char *text, size_t length, rt_redis_address *address)
{
    if (length && text[0] == '[' && text[length - 1] == ']')
        text++, length -= 2;
    if (!length)
        return "it has no host";
    if (length >= sizeof address->host)
        return "its host is too long";
    memcpy(address->host, text, length);
    address->host[length] = '\0';
    return NULL;
}

/* `host`, `host:port`, `[v6]`, `[v6]:port` */
static const char *take_authority(const char *text, size_t length, rt_redis_address *address)
{
    const char *close = memchr(text, ']', length), *from = close ? close : text;
    const char *colon = memchr(from, ':', length - (size_t)(from - text));
    if (text[0] == '[' && !close)
        return "the `[` of an IPv6 address has no `]`";
    address->port = USUAL_PORT;
    if (colon) {
        size_t digits = length - (size_t)(colon + 1 - text);
        int32_t port = number_of(colon + 1, digits, 1, 65535);
        if (port < 0)
            return "its port is no number from 1 to 65535";
        address->port = (uint16_t)port;
        length = (size_t)(colon - text);
    }
    return take_host(text, length, address);
}

static const char *take_socket(const char *path, rt_redis_address *address)
{
    if (strncmp(path, "//", 2) == 0)
        path += 2;
    if (path[0] != '/')
        return "the path of its socket does not begin with `/`";
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return "the path of its socket is too long: 107 bytes at most";
    strcpy(address->host, path);
    return NULL;
}

static const char *take_server(const char *text, rt_redis_address *address)
{
    size_t length = strcspn(text, "/");
    const char *database = text + length + (text[length] == '/');
    if (strpbrk(text, "?#"))
        return "it has parameters; each is an option of its own";
    if (memchr(text, '@', length))
        return "it has a user; `user` and `password` are options of their own";
    if (*database) {
        address->database = number_of(database, strlen(database), 0, MOST_DATABASES - 1);
        if (address->database < 0)
            return "its database is no number";
    }
    return take_authority(text, length, address);
}

const char *rt_redis_address_of_url(const char *url, rt_redis_address *address)
{
    static const char plain[] = "redis://", encrypted[] = "rediss://", local[] = "unix:";
    *address = (rt_redis_address){.database = -1};
    if (strncmp(url, local, sizeof local - 1) == 0)
        return take_socket(url + sizeof local - 1, address);
    if (strncmp(url, plain, sizeof plain - 1) == 0)
        return take_server(url + sizeof plain - 1, address);
    address->tls = true;
    if (strncmp(url, encrypted, sizeof encrypted - 1) == 0)
        return take_server(url + sizeof encrypted - 1, address);
    return "it begins with none of `redis://`, `rediss://` and `unix:`";
}

const char *rt_redis_address_of_pair(const char *pair, rt_redis_address *address)
{
    *address = (rt_redis_address){.database = -1};
    return take_authority(pair, strlen(pair), address);
}

void rt_redis_address_text(const rt_redis_address *address, char *text, uint64_t size)
{
    const char *brackets = strchr(address->host, ':') && address->port ? "[]" : "";
    if (!address->port)
        snprintf(text, size, "unix:%s", address->host);
    else
        snprintf(text, size, "redis%s://%.1s%s%s:%u", address->tls ? "s" : "", brackets,
                 address->host, brackets[0] ? "]" : "", address->port);
}
