/* outlet.h — records on their way from a process to the exporter, never waiting for it
 *
 * Records are collected in room that the supervisor sees too (the board's RT_ROOM_RECORDS), and
 * sent in batches into a socket (SOCK_SEQPACKET, one message a batch) that the exporter reads. A
 * batch leaves when 32 KiB are collected, or after 100 ms. When the socket is full they stay, and
 * when the room is full new ones are dropped and counted. What a crashed process left there, its
 * supervisor sends.
 *
 * The loop's thread uses the room; other threads send each record at once. A process without a loop
 * (the supervisor) sends at once as well.
 */
#ifndef RT_TELEMETRY_OUTLET_H
#define RT_TELEMETRY_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RT_BATCH_MAGIC 0x68637462u /* "btch" */

/* What a message on the socket begins with; whole records follow. */
typedef struct rt_batch {
    uint32_t magic;
    uint32_t pid;
    uint32_t worker, generation; /* 0: the supervisor */
    uint64_t dropped[2];         /* by the sender since its start: spans, log lines */
} rt_batch;

typedef struct rt_outlet_options {
    int socket;  /* not blocking or with MSG_DONTWAIT, the caller's; -1: there is no exporter */
    void *room;  /* or NULL: records are sent at once */
    size_t size; /* of the room */
    uint32_t worker, generation;
    bool spans, logs; /* which kinds are wanted */
} rt_outlet_options;

void rt_outlet_open(const rt_outlet_options *options);
/* On the loop: from now on batches leave by its timer. */
void rt_outlet_attach(void);
/* Sends what is there, as far as it goes without waiting; before the loop is closed. */
void rt_outlet_detach(void);

bool rt_outlet_takes(uint32_t kind); /* rt_record_kind */
/* Room for a record; NULL: there is none. rt_outlet_taken follows, on the same thread. */
void *rt_outlet_take(size_t size);
void rt_outlet_taken(size_t size);
void rt_outlet_dropped(uint32_t kind);
void rt_outlet_flush(void);

/* In the supervisor: sends what a process that ended has left in its room, and empties it. Believes
 * nothing of it. */
void rt_outlet_rescue(void *room, size_t size, int socket);

#endif
