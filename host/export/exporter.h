/* exporter.h — from records and metrics to requests, and on to collectors
 *
 * The whole of what an exporter does but for its process: process/export_child.c gives it sockets
 * and a loop. What it holds is bounded: beyond `buffer` new items are dropped and counted, so that
 * a collector that is gone costs no more than reading what will be dropped.
 *
 *     rt_exporter *exporter = rt_exporter_open(&settings, records, &error);
 *     while (...) {
 *         bool ready = rt_exporter_turn(exporter, control, due);
 *         ...
 *     }
 *     rt_exporter_flush(exporter);
 *     while (!rt_exporter_is_idle(exporter) && ...)
 *         rt_exporter_turn(exporter, control, due);
 *     rt_exporter_close(exporter);
 */
#ifndef RT_EXPORT_EXPORTER_H
#define RT_EXPORT_EXPORTER_H

#include "compose/plan.h"
#include "export/bundle.h"
#include "export/metrics.h"
#include "export/sender.h"

#include <rt/abi.h>

typedef struct rt_export_way {
    rt_sender sender;
    rt_bundle bundle; /* that is being filled */
    bool is_open;     /* there is an endpoint */
    size_t batch;     /* items that make a request at once */
    uint64_t delay;   /* ns: what fewer wait for more */
} rt_export_way;

/* What an outlet has said that it dropped. */
typedef struct rt_outlet_losses {
    uint32_t pid, generation;
    uint64_t dropped[2]; /* spans, log lines */
} rt_outlet_losses;
#define RT_OUTLETS 1024u

typedef struct rt_exporter {
    rt_export_way ways[RT_SIGNAL_COUNT];
    const rt_curl *curl;
    CURLM *multi;
    int records;        /* socket; -1: no more are taken */
    rt_buffer resource; /* encoded */
    size_t room;        /* bytes that may be held */
    size_t bundle_most; /* bytes of a request */
    bool flushing;
    bool follows;                         /* another exporter: what outlets said before is known */
    rt_outlet_losses outlets[RT_OUTLETS]; /* by pid; two that share a place forget each other */
    uint64_t strange;                     /* messages on the socket that were none */
    char *message;                        /* room for one */
} rt_exporter;

typedef struct rt_export_settings {
    const struct rt_telemetry_settings *telemetry;
    const char *environment; /* `deployment.environment.name` */
    const char *instance;    /* `service.instance.id` */
    bool follows;            /* another exporter, which ended */
} rt_export_settings;

/* NULL with the reason. `records`: what outlets send to. */
rt_exporter *rt_exporter_open(const rt_export_settings *settings, int records, const char **error);

/* Waits for whatever comes first, until `due` (monotonic ns; 0: for ever), and does it. True if
 * `control` has something to read. */
bool rt_exporter_turn(rt_exporter *exporter, int control, uint64_t due);

/* A finished view; not kept. */
void rt_exporter_metrics(rt_exporter *exporter, const rt_metric_view *view,
                         const rt_metric_times *times);

/* From now on nothing waits for more to come with it. */
void rt_exporter_flush(rt_exporter *exporter);
/* Takes what is on the socket, until then (monotonic ns) at most, and no more. */
void rt_exporter_drain(rt_exporter *exporter, uint64_t until);
bool rt_exporter_is_idle(const rt_exporter *exporter);
/* What is left counts as given up. */
void rt_exporter_give_up(rt_exporter *exporter);
void rt_exporter_close(rt_exporter *exporter);

size_t rt_exporter_held(const rt_exporter *exporter); /* bytes */
uint64_t rt_export_now(void);                         /* monotonic ns */

/* intake.c: one message of the records' socket. False: it was none. */
bool rt_exporter_take(rt_exporter *exporter, const char *bytes, size_t length, uint64_t now);
/* Puts what has waited long enough, or is enough, into a request. */
void rt_exporter_advance(rt_exporter *exporter, uint64_t now);
uint64_t rt_exporter_due(const rt_exporter *exporter);

/* resource.c: the attributes of the resource as fields of OTLP's Resource. */
void rt_export_resource(rt_buffer *out, const rt_export_settings *settings);

extern const char *const rt_signal_names[RT_SIGNAL_COUNT]; /* "traces", … */

#endif
