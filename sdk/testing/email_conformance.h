/* email_conformance.h — what every provider of email/1 has to do
 *
 * The provider must lead to a server, or be a double, that refuses recipients beginning with
 * `reject` for good (550) and with `greylist` for now (451), and takes all others.
 * Every mail that is sent has a subject of its own beginning with `conformance`, so that a test
 * which sees what arrived can compare. Waits; takes a few seconds at most.
 */
#ifndef RT_TESTING_EMAIL_CONFORMANCE_H
#define RT_TESTING_EMAIL_CONFORMANCE_H

#include "conformance.h"

#include <rt/cap/email.h>

typedef struct rt_email_conformance {
    struct rt_email_slot *email; /* the handle of RT_REQUIRES(email, 1) */
    /* How many mails the provider has taken; NULL where that cannot be seen from here. */
    int (*count_taken)(rt_ctx *ctx, uint64_t *count);
} rt_email_conformance;

/* Runs all cases on the caller's provider and returns the TAP. */
rt_str rt_email_conformance_run(rt_ctx *ctx, const rt_email_conformance *subject);

#endif
