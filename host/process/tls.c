#include "process/tls.h"

#include <string.h>
#include <time.h>

static rt_ticket_secret secret; /* of the supervisor */

rt_ticket_secret rt_tickets_of_host(void)
{
    uint64_t now = (uint64_t)time(NULL);
    if (!secret.epoch && !rt_ticket_secret_make(&secret, now))
        return (rt_ticket_secret){0};
    rt_ticket_secret_advance(&secret, now);
    return secret;
}

void rt_tickets_take_over(const rt_ticket_secret *taken)
{
    secret = *taken;
}

rt_tls *rt_tls_of_plan(const rt_setup *setup, rt_arena *arena, const char **why)
{
    const rt_host_settings *host = &setup->plan->host;
    size_t count = host->http.certificate_count;
    rt_tls_pair *pairs = rt_arena_alloc(arena, (count + 1) * sizeof *pairs);
    *why = NULL;
    for (size_t i = 0; i < count; i++)
        pairs[i] =
            (rt_tls_pair){host->http.certificates[i].certificate, host->http.certificates[i].key};
    rt_tls_options options = {.pairs = pairs,
                              .count = count,
                              .only_1_3 = host->http.only_tls_1_3,
                              .http1_only = !host->http.http2,
                              .tickets = setup->tickets.epoch ? &setup->tickets : NULL};
    return count ? rt_tls_open(&options, arena, why) : NULL;
}
