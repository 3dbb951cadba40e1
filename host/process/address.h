/* address.h — the addresses rtd listens on, kept over generations
 *
 * A listening socket belongs to the supervisor, by the address as it is configured. A generation
 * that names an address which is open already gets the same socket, so nothing that waits in it is
 * lost at a switch; one that names a new address has it opened; what nobody names any more is
 * closed after the switch.
 */
#ifndef RT_PROCESS_ADDRESS_H
#define RT_PROCESS_ADDRESS_H

#include "compose/plan.h"
#include "process/listen.h"

typedef struct rt_address {
    struct rt_address *next;
    rt_arena arena; /* of the texts */
    const char *text;
    uint32_t flags; /* of each of its sockets, RT_LISTEN_ADMIN among them */
    rt_sockets sockets;
} rt_address;

typedef struct rt_addresses {
    rt_address *first;
} rt_addresses;

/* Makes `*view` the sockets of the plan's addresses, opening what is not open. 0, or -1 with the
 * reason; what was opened then goes with rt_addresses_keep. */
int rt_addresses_open(rt_addresses *addresses, rt_arena *arena, const rt_plan *plan,
                      rt_sockets *view, const char **error);
/* The plan serves from now on: unix sockets take the modes that it gives them. */
void rt_addresses_settle(rt_addresses *addresses, const rt_plan *plan);
/* Closes those that are not in the view; all for NULL. */
void rt_addresses_keep(rt_addresses *addresses, const rt_sockets *view);
rt_address *rt_address_add(rt_addresses *addresses, const char *text, uint32_t flags);

bool rt_plan_serves_routes(const rt_plan *plan);

#endif
