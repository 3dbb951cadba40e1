/* admin.h — the listener for operators: how this server is
 *
 * A server and a router of a worker's own, apart from those of the modules: other limits, no
 * connection of one counts for the other. It answers from before the modules start until they have
 * stopped. Another route is another row of the table in admin.c.
 */
#ifndef RT_PROCESS_ADMIN_H
#define RT_PROCESS_ADMIN_H

#include "compose/plan.h"
#include "fiber/fiber.h"
#include "http/http.h"
#include "process/board.h"
#include "process/listen.h"

typedef struct rt_admin {
    rt_instance instance; /* of its units of work */
    const rt_plan *plan;
    rt_board *board;
    uint32_t worker; /* its number */
    int metrics;     /* descriptor of the pool; -1: none */
    rt_sockets sockets;
    rt_router *router;
    rt_http_server *server; /* NULL: it is off, or closed */
    rt_channel *drained;
    bool retired;
} rt_admin;

/* Serves those of the sockets that are marked RT_LISTEN_ADMIN; nothing happens where none is. 0 or
 * -errno. */
int rt_admin_open(rt_admin *admin, const rt_plan *plan, rt_board *board, uint32_t worker,
                  const rt_sockets *sockets, int metrics);
/* Another generation answers from now on, and this one only those who are connected already;
 * rt_admin_await waits until they are gone, which its time limits or rt_admin_interrupt bring
 * about.
 */
void rt_admin_retire(rt_admin *admin);
void rt_admin_await(rt_ctx *ctx, const rt_admin *admin);
void rt_admin_interrupt(const rt_admin *admin);
/* At once, whoever is connected; closes the sockets. Harmless when repeated. */
void rt_admin_close(rt_ctx *ctx, rt_admin *admin);

#endif
