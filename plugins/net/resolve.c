#include "resolve.h"

struct lookup {
    const char *host, *port;
    int flags;
    struct addrinfo *found;
    int error;
};

static int look_up(void *argument)
{
    struct lookup *lookup = argument;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = lookup->flags};
    lookup->error = getaddrinfo(lookup->host, lookup->port, &hints, &lookup->found);
    return 0;
}

int rt_resolve(rt_ctx *ctx, const char *host, const char *port, struct addrinfo **found,
               const char **why)
{
    struct lookup lookup = {.host = host, .port = port, .flags = AI_NUMERICHOST};
    look_up(&lookup);
    if (lookup.error) {
        lookup.flags = AI_ADDRCONFIG;
        RT_TRY(rt_blocking(ctx, look_up, &lookup));
    }
    *found = lookup.error ? NULL : lookup.found;
    *why = lookup.error ? gai_strerror(lookup.error) : NULL;
    return lookup.error ? -RT_EUNAVAILABLE : 0;
}
