/* metric_pool.h — the rooms for metrics of all workers, of whatever generation
 *
 * One sealed memory file for the supervisor's life, and over upgrades: a slot a worker and one for
 * the supervisor itself. A slot that is free because its worker has ended keeps what was counted
 * there, and the next worker that gets it counts on; so the sum over all slots is what has ever
 * been counted, at any time and to any reader, and it never goes back: not when a worker dies, not
 * while two generations run, not at an upgrade.
 *
 *     supervisor                                       worker
 *     slot = rt_metric_pool_take(pool, 3, 1)           room = rt_metric_slot_map(fd, slot)
 *     … the worker ends …                              rt_metrics_open(room, RT_METRIC_ROOM)
 *     rt_metric_pool_give(pool, slot)                  rt_metric_pool_read(fd, view)
 */
#ifndef RT_PROCESS_METRIC_POOL_H
#define RT_PROCESS_METRIC_POOL_H

#include "base/buffer.h"
#include "telemetry/metric_view.h"

/* The most workers of a generation, times those that may live at once: one that starts, one that
 * serves, two that drain. */
#define RT_METRIC_SLOTS 1024u

typedef struct rt_metric_pool {
    int fd; /* -1: there is none */
    struct rt_metric_index *index;
    /* The supervisor's own copies of what is not to be changed by others: */
    struct {
        uint32_t generation, worker; /* worker 0: free */
    } slots[RT_METRIC_SLOTS];
    uint32_t used; /* slots that were ever taken */
} rt_metric_pool;

/* The supervisor's. Made at the first use; where there is no memory for it metrics are private. */
rt_metric_pool *rt_metric_pool_of_host(void);
/* Takes over one that another rtd made; 0, -errno, or -EPROTO: it is none of this form. */
int rt_metric_pool_adopt(int fd);
void rt_metric_pool_close(void);

/* Lowest first. 0: none is free. */
uint32_t rt_metric_pool_take(rt_metric_pool *pool, uint32_t generation, uint32_t worker);
/* Likewise, which one is known. */
void rt_metric_pool_retake(rt_metric_pool *pool, uint32_t slot, uint32_t generation,
                           uint32_t worker);
void rt_metric_pool_give(rt_metric_pool *pool, uint32_t slot);

/* The room of a slot, RT_METRIC_ROOM bytes, to be written; slot 0 is the supervisor's. NULL with
 * errno. */
void *rt_metric_slot_map(int fd, uint32_t slot);
/* Adds all slots. By any process that has the descriptor, in any thread; 0 or -errno. */
int rt_metric_pool_read(int fd, rt_metric_view *view);
/* The same, as a scrape gets it. */
int rt_metrics_text(int fd, rt_buffer *out);
/* When counting began, ns since 1970. */
uint64_t rt_metric_pool_began(int fd);

#endif
