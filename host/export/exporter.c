#include "export/exporter.h"

#include "base/arena.h"
#include "telemetry/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MESSAGE_MOST ((size_t)160 << 10) /* more than any outlet sends */
#define MESSAGES_A_TURN 64               /* so that requests go on meanwhile */
#define BUNDLES 8                        /* at least, of what may be held */
#define SECOND UINT64_C(1000000000)

uint64_t rt_export_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* --- opening --------------------------------------------------------------------------------- */

static bool open_way(rt_exporter *exporter, const struct rt_telemetry_settings *telemetry,
                     enum rt_signal signal, const char **error)
{
    const rt_telemetry_signal *settings = &telemetry->signals[signal];
    rt_export_way *way = &exporter->ways[signal];
    rt_sender_options options = {.signal = rt_signal_names[signal],
                                 .endpoint = settings->endpoint,
                                 .headers = settings->headers,
                                 .certificate = settings->ca,
                                 .timeout = settings->timeout,
                                 .gzip = strcmp(settings->compression, "gzip") == 0};
    way->is_open = true;
    way->batch = (size_t)settings->batch;
    way->delay = (uint64_t)settings->delay;
    return rt_sender_open(&way->sender, exporter->curl, exporter->multi, &options, error);
}

rt_exporter *rt_exporter_open(const rt_export_settings *settings, int records, const char **error)
{
    const struct rt_telemetry_settings *telemetry = settings->telemetry;
    const rt_curl *curl = rt_curl_load(error);
    if (!curl)
        return NULL;
    rt_exporter *exporter = rt_xcalloc(1, sizeof *exporter);
    exporter->curl = curl;
    exporter->records = records;
    exporter->follows = settings->follows;
    exporter->room = (size_t)telemetry->buffer;
    exporter->bundle_most =
        exporter->room / BUNDLES < RT_BUNDLE_BYTES ? exporter->room / BUNDLES : RT_BUNDLE_BYTES;
    exporter->message = rt_xmalloc(MESSAGE_MOST);
    exporter->multi = curl->multi_init();
    rt_export_resource(&exporter->resource, settings);
    bool open = exporter->multi != NULL;
    for (size_t i = 0; i < RT_SIGNAL_COUNT && open; i++)
        open = !telemetry->signals[i].endpoint ||
               open_way(exporter, telemetry, (enum rt_signal)i, error);
    if (open)
        return exporter;
    rt_exporter_close(exporter);
    return NULL;
}

void rt_exporter_close(rt_exporter *exporter)
{
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++) {
        rt_export_way *way = &exporter->ways[i];
        if (!way->is_open)
            continue;
        rt_bundle_empty(&way->bundle);
        rt_sender_close(&way->sender);
    }
    if (exporter->multi)
        exporter->curl->multi_cleanup(exporter->multi);
    rt_buffer_free(&exporter->resource);
    free(exporter->message);
    free(exporter);
}

/* --- the loop's turn ------------------------------------------------------------------------- */

static void tell_strange(rt_exporter *exporter)
{
    if (exporter->strange++ == 0)
        rt_log_host(RT_LOG_WARN, "what a worker sent to be exported is damaged, and was dropped");
}

/* True if there may be more. */
static bool read_record(rt_exporter *exporter, uint64_t now)
{
    ssize_t got =
        recv(exporter->records, exporter->message, MESSAGE_MOST, MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0)
        return errno == EINTR;
    if (got == 0) { /* all writers are gone */
        exporter->records = -1;
        return false;
    }
    if ((size_t)got > MESSAGE_MOST ||
        !rt_exporter_take(exporter, exporter->message, (size_t)got, now))
        tell_strange(exporter);
    return true;
}

static bool read_records(rt_exporter *exporter, uint64_t now)
{
    bool more = exporter->records >= 0;
    for (int i = 0; i < MESSAGES_A_TURN && more; i++) {
        more = read_record(exporter, now);
        rt_exporter_advance(exporter, now);
    }
    return more;
}

static void end_transfers(rt_exporter *exporter, uint64_t now)
{
    CURLMsg *message;
    int left;
    while ((message = exporter->curl->multi_info_read(exporter->multi, &left))) {
        CURLcode result = message->data.result;
        char *sender = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        exporter->curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &sender);
        rt_sender_ended((rt_sender *)(void *)sender, result, now);
    }
}

static void wait(rt_exporter *exporter, struct curl_waitfd *extra, unsigned count, uint64_t due)
{
    uint64_t now = rt_export_now(), own = rt_exporter_due(exporter);
    uint64_t limit = due && (!own || due < own) ? due : own;
    int timeout = !limit ? INT_MAX : limit <= now ? 0 : (int)((limit - now) / 1000000 + 1);
    int ready;
    exporter->curl->multi_poll(exporter->multi, extra, count, timeout, &ready);
}

bool rt_exporter_turn(rt_exporter *exporter, int control, uint64_t due)
{
    struct curl_waitfd extra[2] = {{.fd = control, .events = CURL_WAIT_POLLIN}};
    unsigned count = 1;
    int running;
    if (exporter->records >= 0)
        extra[count++] = (struct curl_waitfd){.fd = exporter->records, .events = CURL_WAIT_POLLIN};
    wait(exporter, extra, count, due);
    uint64_t now = rt_export_now();
    read_records(exporter, now);
    exporter->curl->multi_perform(exporter->multi, &running);
    end_transfers(exporter, now);
    rt_exporter_advance(exporter, now); /* what it starts makes the next wait end at once */
    return poll(&(struct pollfd){.fd = control, .events = POLLIN}, 1, 0) > 0;
}

void rt_exporter_flush(rt_exporter *exporter)
{
    exporter->flushing = true;
}

void rt_exporter_drain(rt_exporter *exporter, uint64_t until)
{
    uint64_t now = rt_export_now();
    while (read_records(exporter, now) && now < until)
        now = rt_export_now();
    exporter->records = -1;
}
