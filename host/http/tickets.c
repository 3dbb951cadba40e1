#include "http/tickets.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

static void derive(const uint64_t chain[4], const char *label, unsigned char out[32])
{
    unsigned int length = 32;
    if (!HMAC(EVP_sha256(), chain, 32, (const unsigned char *)label, strlen(label), out, &length))
        abort();
}

static void next_link(uint64_t chain[4])
{
    unsigned char next[32];
    derive(chain, "next epoch", next);
    memcpy(chain, next, sizeof next);
    OPENSSL_cleanse(next, sizeof next);
}

bool rt_ticket_secret_make(rt_ticket_secret *secret, uint64_t now)
{
    secret->epoch = now / RT_TICKET_EPOCH;
    return secret->epoch && RAND_bytes((unsigned char *)secret->chain, sizeof secret->chain) == 1;
}

void rt_ticket_secret_advance(rt_ticket_secret *secret, uint64_t now)
{
    for (uint64_t epoch = now / RT_TICKET_EPOCH; secret->epoch < epoch; secret->epoch++)
        next_link(secret->chain);
}

static void make_key(rt_ticket_key *key, const uint64_t chain[4])
{
    unsigned char name[32];
    derive(chain, "name", name);
    memcpy(key->name, name, sizeof key->name);
    derive(chain, "cipher", key->cipher);
    derive(chain, "mac", key->mac);
}

static void make_keys(rt_tickets *tickets)
{
    uint64_t chain[4];
    memcpy(chain, tickets->secret.chain, sizeof chain);
    make_key(&tickets->previous, chain);
    next_link(chain);
    make_key(&tickets->present, chain);
    OPENSSL_cleanse(chain, sizeof chain);
}

void rt_tickets_begin(rt_tickets *tickets, const rt_ticket_secret *secret)
{
    tickets->secret = *secret;
    make_keys(tickets);
}

void rt_tickets_advance(rt_tickets *tickets, uint64_t now)
{
    if (now / RT_TICKET_EPOCH <= tickets->secret.epoch)
        return;
    rt_ticket_secret_advance(&tickets->secret, now);
    make_keys(tickets);
}
