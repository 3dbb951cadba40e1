#include "http/measure.h"

#include "http/internal.h"
#include "http/status.h"
#include "telemetry/metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 256u /* a power of two */

/* OpenTelemetry's, and finer below 5 ms, where most answers of one process are. */
static const double seconds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                 0.025,  0.05,    0.075,  0.1,   0.25,   0.5,   0.75,
                                 1,      2.5,     5,      7.5,   10};
static const double bytes[] = {0, 128, 1024, 8192, 65536, 1 << 20, 8 << 20, 64 << 20};

#define BOUNDS(array) .bounds = (array), .bound_count = sizeof(array) / sizeof *(array)

static rt_instrument duration = {.name = "http.server.request.duration",
                                 .unit = "s",
                                 .help = "Time from a request's head to its handler's end",
                                 .kind = RT_HISTOGRAM,
                                 BOUNDS(seconds)};
static rt_instrument taken = {.name = "http.server.request.body.size",
                              .unit = "By",
                              .help = "Bytes of request bodies, where the head told them",
                              .kind = RT_HISTOGRAM,
                              BOUNDS(bytes)};
static rt_instrument sent = {.name = "http.server.response.body.size",
                             .unit = "By",
                             .help = "Bytes of answers' bodies, as they were sent",
                             .kind = RT_HISTOGRAM,
                             BOUNDS(bytes)};
static rt_instrument active = {.name = "http.server.active_requests",
                               .unit = "{request}",
                               .help = "Requests that are being answered",
                               .kind = RT_GAUGE};
static rt_instrument connections = {.name = "rt.http.connections",
                                    .unit = "{connection}",
                                    .help = "Connections that are open",
                                    .kind = RT_GAUGE};
static rt_instrument accepted = {.name = "rt.http.connections.accepted",
                                 .unit = "{connection}",
                                 .help = "Connections that were accepted",
                                 .kind = RT_COUNTER};
static rt_instrument handshakes = {.name = "rt.http.tls.handshakes",
                                   .unit = "{handshake}",
                                   .help = "TLS handshakes by how they ended",
                                   .kind = RT_COUNTER};
static rt_instrument streams = {.name = "rt.http.streams",
                                .unit = "{stream}",
                                .help = "Event streams and WebSockets that are open",
                                .kind = RT_GAUGE};

/* What the series of a request go by. */
struct kind {
    const rt_route *route; /* NULL: the host's own answer */
    uint32_t status;
    uint8_t method, version;
    bool secure;
};

struct kept {
    struct kind kind;
    rt_series *duration, *taken, *sent; /* NULL: the place is free */
};

#define METHODS 8
enum { VERSION_1_0, VERSION_1_1, VERSION_2 };

struct rt_measures {
    struct kept kept[KEPT];
    rt_series *active[METHODS][2]; /* by method and whether the client speaks TLS */
    rt_series *connections, *accepted, *handshakes[2];
};

rt_measures *rt_measures_open(void)
{
    static const char *const outcomes[] = {"failure", "success"};
    rt_measures *measures = rt_xcalloc(1, sizeof *measures);
    measures->connections = rt_series_of(&connections, NULL, 0);
    measures->accepted = rt_series_of(&accepted, NULL, 0);
    for (size_t i = 0; i < 2; i++) {
        rt_metric_label outcome = {"outcome", {outcomes[i], strlen(outcomes[i])}};
        measures->handshakes[i] = rt_series_of(&handshakes, &outcome, 1);
    }
    return measures;
}

void rt_measures_free(rt_measures *measures)
{
    free(measures);
}

/* --- requests -------------------------------------------------------------------------------- */

static const char *method_text(uint32_t method)
{
    static const char *const names[METHODS] = {
#define NAME(number, name) [number] = #name,
        RT_HTTP_METHODS(NAME)
#undef NAME
    };
    return method < METHODS && names[method] ? names[method] : "_OTHER";
}

static rt_metric_label label(const char *name, const char *value)
{
    return (rt_metric_label){name, {value, strlen(value)}};
}

static struct kept *find_series(struct kept *kept, const struct kind *kind)
{
    static const char *const versions[] = {"1.0", "1.1", "2"};
    char status[16];
    rt_metric_label labels[6];
    size_t count = 0;
    snprintf(status, sizeof status, "%u", kind->status);
    labels[count++] = label("http.request.method", method_text(kind->method));
    labels[count++] = label("http.response.status_code", status);
    labels[count++] = label("network.protocol.version", versions[kind->version]);
    labels[count++] = label("url.scheme", kind->secure ? "https" : "http");
    if (kind->route)
        labels[count++] = label("http.route", kind->route->pattern);
    if (kind->status >= 500 || kind->status == RT_STATUS_GONE)
        labels[count++] = label("error.type", status);
    kept->kind = *kind;
    kept->duration = rt_series_of(&duration, labels, count);
    kept->taken = rt_series_of(&taken, labels, count);
    kept->sent = rt_series_of(&sent, labels, count);
    return kept;
}

static struct kept *series_of(rt_measures *measures, const struct kind *kind)
{
    uint64_t hash = ((uintptr_t)kind->route >> 4) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= (kind->status << 6 | (uint32_t)kind->method << 3 | (uint32_t)kind->version << 1 |
             kind->secure) *
            UINT64_C(0xd6e8feb86659fd93);
    struct kept *kept = &measures->kept[hash >> 40 & (KEPT - 1)];
    bool same = kept->duration && kept->kind.route == kind->route &&
                kept->kind.status == kind->status && kept->kind.method == kind->method &&
                kept->kind.version == kind->version && kept->kind.secure == kind->secure;
    return same ? kept : find_series(kept, kind);
}

static rt_series *active_of(rt_measures *measures, uint32_t method, bool secure)
{
    rt_series **kept = &measures->active[method < METHODS ? method : 0][secure];
    if (*kept)
        return *kept;
    const rt_metric_label labels[] = {label("http.request.method", method_text(method)),
                                      label("url.scheme", secure ? "https" : "http")};
    return *kept = rt_series_of(&active, labels, 2);
}

void rt_measure_begin(rt_measures *measures, rt_exchange *exchange)
{
    if (!measures)
        return;
    const rt_http_head *head = &exchange->connection->server->head;
    rt_marks *marks = &exchange->marks;
    marks->method = (uint8_t)(head->method < METHODS ? head->method : 0);
    marks->version = exchange->way->protocol ? VERSION_2 : head->minor ? VERSION_1_1 : VERSION_1_0;
    marks->secure = marks->origin.secure;
    marks->received = head->chunked ? exchange->body.length : head->content_length;
    rt_series_change(active_of(measures, marks->method, marks->secure), 1);
}

void rt_measure_end(rt_measures *measures, const rt_exchange *exchange, const rt_report *report)
{
    if (!measures)
        return;
    const rt_marks *marks = &exchange->marks;
    struct kind kind = {.route = report->route,
                        .status = report->status,
                        .method = marks->method,
                        .version = marks->version,
                        .secure = marks->secure};
    const struct kept *series = series_of(measures, &kind);
    rt_series_observe(series->duration, (double)report->duration / 1e9);
    rt_series_observe(series->taken, (double)marks->received);
    rt_series_observe(series->sent, (double)report->bytes);
    rt_series_change(active_of(measures, marks->method, marks->secure), -1);
}

/* --- connections ----------------------------------------------------------------------------- */

void rt_measure_connection(rt_measures *measures, bool opened)
{
    if (!measures)
        return;
    rt_series_change(measures->connections, opened ? 1 : -1);
    rt_series_add(measures->accepted, opened);
}

void rt_measure_handshake(rt_measures *measures, bool succeeded)
{
    if (measures)
        rt_series_add(measures->handshakes[succeeded], 1);
}

void rt_measure_stream(rt_measures *measures, const char *kind, bool opened)
{
    if (!measures)
        return;
    const rt_metric_label label_of_kind = label("kind", kind);
    rt_series_change(rt_series_of(&streams, &label_of_kind, 1), opened ? 1 : -1);
}
