/* How many spans a second an exporter takes from its socket, encodes, compresses and sends to a
 * collector that discards them. Workers, exporter and collector are a process each, as they are in
 * earnest; the worker sends what an outlet sends, and waits when the socket is full, so that every
 * span goes the whole way.
 *
 *     bench-export [gzip|none] */
#include "export/exporter.h"
#include "telemetry/outlet.h"
#include "telemetry/record.h"

#include <arpa/inet.h>
#include <rt/rt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPANS 400000u
#define MESSAGE 32768u
#define SECOND 1e9
#define TARGET 100000.0

/* --- the collector --------------------------------------------------------------------------- */

static size_t length_of_body(const char *head)
{
    const char *length = strcasestr(head, "content-length:");
    return length ? strtoul(length + 15, NULL, 10) : 0;
}

static void serve(int client)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"
                                 "Content-Length: 0\r\n\r\n";
    static char bytes[1 << 18];
    size_t have = 0, left = 0;
    for (;;) {
        ssize_t got = read(client, bytes + have, sizeof bytes - 1 - have);
        if (got <= 0)
            return;
        have += (size_t)got;
        bytes[have] = '\0';
        const char *end = left ? bytes : strstr(bytes, "\r\n\r\n");
        if (!end)
            continue;
        if (!left)
            left = length_of_body(bytes) + (size_t)(end + 4 - bytes);
        left -= have < left ? have : left;
        have = 0;
        if (!left && write(client, answer, sizeof answer - 1) < 0)
            return;
    }
}

static pid_t start_collector(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    for (*port = 23000; *port < 32000; ++*port) {
        address.sin_port = htons((uint16_t)*port);
        if (bind(listener, (struct sockaddr *)&address, size) == 0)
            break;
    }
    listen(listener, 8);
    fflush(stdout); /* or each child would print it too */
    pid_t pid = fork();
    if (pid == 0)
        for (;;) {
            int client = accept(listener, NULL, NULL);
            serve(client);
            close(client);
        }
    close(listener);
    return pid;
}

/* --- the worker ------------------------------------------------------------------------------ */

static rt_str text_of(const char *text)
{
    return (rt_str){text, strlen(text)};
}

/* As a request with an effect has them: eight attributes. */
static size_t make_span(char *to, uint64_t number, rt_buffer *notes)
{
    static const char *const names[] = {"http.request.method", "http.route",     "url.path",
                                        "url.scheme",          "server.address", "client.address",
                                        "correlation.id"};
    char path[32];
    snprintf(path, sizeof path, "/orders/%ju", (uintmax_t)number);
    notes->length = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        rt_notes_add((struct rt_buffer *)notes, &(rt_span_note){.type = RT_NOTE_TEXT,
                                                                .name = text_of(names[i]),
                                                                .text = text_of(path)});
    rt_notes_add((struct rt_buffer *)notes,
                 &(rt_span_note){.type = RT_NOTE_INTEGER,
                                 .name = text_of("http.response.status_code"),
                                 .integer = 200});
    rt_record_parts parts = {
        .head = {.kind = RT_RECORD_SPAN,
                 .level = 2,
                 .high = number * UINT64_C(0x9E3779B97F4A7C15),
                 .low = ~number,
                 .span = number + 1,
                 .time = UINT64_C(1700000000000000000) + number * 1000,
                 .duration = 1000 + number % 977,
                 .flags = 1,
                 .note_count = 8},
        .texts = {text_of("GET /orders/{id}"), text_of("orders"), text_of("1.0.0")},
        .notes = {notes->data, notes->length}};
    size_t size = rt_record_size(&parts);
    rt_record_write(to, &parts, size);
    return size;
}

static void work(int socket)
{
    static char bytes[MESSAGE + 4096] __attribute__((aligned(8)));
    rt_batch head = {.magic = RT_BATCH_MAGIC, .pid = (uint32_t)getpid(), .worker = 1};
    rt_buffer notes = {0};
    size_t length = sizeof head;
    memcpy(bytes, &head, sizeof head);
    for (uint64_t i = 0; i < SPANS; i++) {
        length += make_span(bytes + length, i, &notes);
        if (length < MESSAGE && i + 1 < SPANS)
            continue;
        if (send(socket, bytes, length, 0) < 0)
            exit(1);
        length = sizeof head;
    }
    exit(0);
}

/* --- the exporter ---------------------------------------------------------------------------- */

static uint64_t ended(const rt_sender *sender)
{
    uint64_t count = 0;
    for (size_t i = 0; i < RT_SENT_KINDS; i++)
        count += sender->counts[i];
    return count;
}

static double own_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Spans a second; `*cost`: of the exporter's processor time, ns a span. */
static double export(const char *compression, double *cost)
{
    int port, records[2], room = 4 << 20;
    char endpoint[64];
    const char *error = "";
    pid_t collector = start_collector(&port);
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d/v1/traces", port);
    struct rt_telemetry_settings telemetry = {.buffer = INT64_C(1) << 30, .service_name = "bench"};
    telemetry.signals[RT_SIGNAL_TRACES] = (rt_telemetry_signal){.endpoint = endpoint,
                                                                .compression = compression,
                                                                .timeout = INT64_C(10000000000),
                                                                .batch = 512,
                                                                .delay = 1000000000};
    rt_export_settings settings = {
        .telemetry = &telemetry, .environment = "test", .instance = "bench"};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, records) < 0)
        exit(1);
    setsockopt(records[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    rt_exporter *exporter = rt_exporter_open(&settings, records[0], &error);
    if (!exporter) {
        fprintf(stderr, "bench-export: %s\n", error);
        exit(1);
    }
    uint64_t began = rt_export_now();
    double used = own_seconds();
    pid_t worker = fork();
    if (worker == 0)
        work(records[1]);
    const rt_sender *sender = &exporter->ways[RT_SIGNAL_TRACES].sender;
    while (ended(sender) < SPANS)
        rt_exporter_turn(exporter, -1, 0);
    *cost = (own_seconds() - used) * SECOND / SPANS;
    double seconds = (double)(rt_export_now() - began) / SECOND;
    if (sender->counts[RT_SENT_EXPORTED] != SPANS)
        printf("  %ju did not arrive\n", (uintmax_t)(SPANS - sender->counts[RT_SENT_EXPORTED]));
    double rate = (double)sender->counts[RT_SENT_EXPORTED] / seconds;
    waitpid(worker, NULL, 0);
    rt_exporter_close(exporter);
    close(records[0]);
    close(records[1]);
    kill(collector, SIGKILL);
    waitpid(collector, NULL, 0);
    return rate;
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    static const char *const forms[] = {"gzip", "none"};
    printf("spans a second to a collector that discards, %u spans of 8 attributes, 5 runs: "
           "least, median, most\n",
           SPANS);
    for (size_t i = 0; i < 2; i++) {
        double rates[5], costs[5];
        if (argc > 1 && strcmp(argv[1], forms[i]) != 0)
            continue;
        for (size_t k = 0; k < 5; k++)
            rates[k] = export(forms[i], &costs[k]);
        qsort(rates, 5, sizeof rates[0], by_size);
        qsort(costs, 5, sizeof costs[0], by_size);
        printf("  %s: %.0f %.0f %.0f, target %.0f: %s; the exporter's own time, ns a span: "
               "%.0f %.0f %.0f\n",
               forms[i], rates[0], rates[2], rates[4], TARGET,
               rates[2] >= TARGET ? "met" : "MISSED", costs[0], costs[2], costs[4]);
    }
    return 0;
}
