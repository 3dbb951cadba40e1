/* certificate.h — a certificate with its chain and its key, out of PEM texts
 *
 * What composition judges and what a worker serves with is read by the same function. OpenSSL's
 * error queue is empty after each call.
 */
#ifndef RT_BASE_CERTIFICATE_H
#define RT_BASE_CERTIFICATE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct rt_certificate rt_certificate;
struct ssl_ctx_st;

typedef enum rt_certificate_fault {
    RT_CERTIFICATE_GOOD,
    RT_CERTIFICATE_UNREADABLE, /* no certificate in PEM */
    RT_CERTIFICATE_KEY_UNREADABLE,
    RT_CERTIFICATE_OTHER_KEY, /* the key is another certificate's */
    RT_CERTIFICATE_REFUSED,   /* by OpenSSL: too weak, or not for this */
} rt_certificate_fault;

/* `*certificate` is the caller's to free when the result is GOOD; else `*why`, in the arena. */
rt_certificate_fault rt_certificate_read(rt_arena *arena, const char *certificate_pem,
                                         const char *key_pem, rt_certificate **certificate,
                                         const char **why);
/* What is wrong with certificates of authorities; NULL: all can be read, and there is one. */
const char *rt_certificate_fault_of_all(rt_arena *arena, const char *pem);
void rt_certificate_free(rt_certificate *certificate);

/* -1: not valid yet, 0: valid now, 1: expired. `*date` is the one that says so, in the arena. */
int rt_certificate_age(const rt_certificate *certificate, rt_arena *arena, const char **date);
/* The names it is for (DNS names of its subjectAltName, else its common name), in lower case and in
 * the arena. */
size_t rt_certificate_names(const rt_certificate *certificate, rt_arena *arena,
                            const char ***names);
bool rt_certificate_use(const rt_certificate *certificate, struct ssl_ctx_st *context);

#endif
