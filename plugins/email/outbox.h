/* outbox.h — a bounded list of mails, for the providers that keep what they are given
 *
 * Nothing waits. The list belongs to one instance and its fibers.
 */
#ifndef RT_EMAIL_OUTBOX_H
#define RT_EMAIL_OUTBOX_H

#include "message.h"

#include <rt/cap/outbox.h>

typedef struct rt_outbox rt_outbox;

/* Keeps the last `capacity` calls; NULL when memory is out. */
rt_outbox *rt_outbox_open(uint32_t capacity);
void rt_outbox_close(rt_outbox *outbox);

/* Copies the call into the list. -RT_ERESOURCE_EXHAUSTED without memory. */
int rt_outbox_record(rt_ctx *ctx, rt_outbox *outbox, const rt_email *message, const char *id,
                     int code);

uint64_t rt_outbox_length(const rt_outbox *outbox);
int rt_outbox_read(rt_ctx *ctx, const rt_outbox *outbox, uint64_t index, rt_outbox_entry *entry);
void rt_outbox_empty(rt_outbox *outbox);

#endif
