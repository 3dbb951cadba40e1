/* tls.h — what TLS needs of the processes: tickets of the supervisor, certificates for a worker */
#ifndef RT_PROCESS_TLS_H
#define RT_PROCESS_TLS_H

#include "http/tls.h"
#include "process/message.h"

/* The supervisor's secret, made when it is first asked for and as it is now. It stays over reloads,
 * so that clients resume their sessions. All zero: there is no randomness, and each worker makes
 * one. */
rt_ticket_secret rt_tickets_of_host(void);
/* Carries it over an upgrade in place. */
void rt_tickets_take_over(const rt_ticket_secret *secret);

/* NULL: nothing is served by TLS, or the reason is in `*why`. */
rt_tls *rt_tls_of_plan(const rt_setup *setup, rt_arena *arena, const char **why);

#endif
