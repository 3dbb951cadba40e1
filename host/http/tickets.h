/* tickets.h — the keys of TLS session tickets, the same in all workers and over reloads
 *
 * Time is cut into epochs. The supervisor makes one secret at its start and gives every worker what
 * it has become; from then on each derives the next epoch's by itself, one way, and forgets the one
 * before: nobody has to send keys, and who reads a secret today cannot open yesterday's tickets. A
 * ticket is accepted in its epoch and the next.
 */
#ifndef RT_HTTP_TICKETS_H
#define RT_HTTP_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#define RT_TICKET_EPOCH 43200 /* seconds */
#define RT_TICKET_NAME 16

typedef struct rt_ticket_secret {
    uint64_t epoch;    /* the present one; 0: there is no secret */
    uint64_t chain[4]; /* of the epoch before, from which the present one's is derived */
} rt_ticket_secret;

typedef struct rt_ticket_key {
    unsigned char name[RT_TICKET_NAME];
    unsigned char cipher[32];
    unsigned char mac[32];
} rt_ticket_key;

typedef struct rt_tickets {
    rt_ticket_secret secret;
    rt_ticket_key present, previous;
} rt_tickets;

/* A new one; `now` in seconds since 1970. False: there is no randomness. */
bool rt_ticket_secret_make(rt_ticket_secret *secret, uint64_t now);
/* Follows the time, forwards only. */
void rt_ticket_secret_advance(rt_ticket_secret *secret, uint64_t now);

void rt_tickets_begin(rt_tickets *tickets, const rt_ticket_secret *secret);
/* The keys of `now`. */
void rt_tickets_advance(rt_tickets *tickets, uint64_t now);

#endif
