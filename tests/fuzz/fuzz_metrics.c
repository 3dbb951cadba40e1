/* Whatever lies in a room of metrics: a reader ends, the text it makes has whole lines of UTF-8,
 * and a process that is given the room can count in it. */
#include "telemetry/prometheus.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ROOM ((size_t)256 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const rt_buffer *text)
{
    if (text->length && text->data[text->length - 1] != '\n')
        abort();
    for (size_t at = 0, sequence; at < text->length; at += sequence)
        if (!(sequence = rt_utf8_sequence(text->data + at, text->length - at)))
            abort();
}

static uint64_t read_room(const void *room)
{
    rt_metric_view *view = rt_metric_view_new();
    rt_buffer text = {0};
    rt_metric_view_add(view, room, ROOM, &(rt_metric_source){.alive = true, .worker = 1});
    rt_metric_view_finish(view);
    rt_prometheus_text(view, &text);
    check(&text);
    const rt_metric_family *family = rt_metric_view_find(view, "fuzz.counted");
    uint64_t counted = family ? *family->points[0]->values : 0;
    rt_buffer_free(&text);
    rt_metric_view_free(view);
    return counted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rt_instrument counter = {.name = "fuzz.counted", .unit = "{time}", .help = "Times"};
    char *room = calloc(1, ROOM);
    memcpy(room, data, size < ROOM ? size : ROOM);
    read_room(room);
    rt_metrics_open(room, ROOM);
    rt_series_add(rt_series_of(&counter, NULL, 0), 1);
    read_room(room);
    rt_metrics_close();
    free(room);
    return 0;
}
