/* From messages of outlets to bundles, and from bundles to requests. */
#include "export/exporter.h"

#include "export/otlp.h"
#include "telemetry/outlet.h"

#include <string.h>

const char *const rt_signal_names[RT_SIGNAL_COUNT] = {"traces", "metrics", "logs"};

#define NAME_MOST 256   /* bytes of a scope's name or version */
#define SCOPES_MOST 256 /* of a request: they are looked through one by one */

size_t rt_exporter_held(const rt_exporter *exporter)
{
    size_t held = 0;
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++)
        held += exporter->ways[i].sender.held + rt_bundle_held(&exporter->ways[i].bundle);
    return held;
}

/* --- records --------------------------------------------------------------------------------- */

/* A receiver refuses a whole request for one span without an id. */
static bool is_span(const rt_record *head)
{
    return head->kind == RT_RECORD_SPAN && (head->high || head->low) && head->span;
}

static enum rt_signal signal_of(const rt_record *head)
{
    return head->kind == RT_RECORD_LOG ? RT_SIGNAL_LOGS
           : is_span(head)             ? RT_SIGNAL_TRACES
                                       : RT_SIGNAL_COUNT;
}

static const char *terminated(char *to, rt_str text)
{
    size_t length = text.length < NAME_MOST ? text.length : NAME_MOST - 1;
    if (length)
        memcpy(to, text.data, length);
    to[length] = '\0';
    return to;
}

static void put(rt_export_way *way, enum rt_signal signal, rt_record_view *view, uint64_t now)
{
    char name[NAME_MOST], version[NAME_MOST];
    rt_buffer *items = rt_bundle_items(&way->bundle, terminated(name, view->texts[RT_TEXT_MODULE]),
                                       terminated(version, view->texts[RT_TEXT_VERSION]));
    if (signal == RT_SIGNAL_LOGS)
        rt_otlp_log(items, view);
    else
        rt_otlp_span(items, view);
    rt_bundle_added(&way->bundle, 1, now);
}

/* The newest are dropped, not the oldest: it costs nothing but reading them, what is held already
 * has been paid for, and how trouble began is worth more than how it went on. */
static size_t take_records(rt_exporter *exporter, const char *at, const char *end, bool keep,
                           uint64_t now, size_t dropped[RT_SIGNAL_COUNT])
{
    rt_record_view view;
    size_t count = 0;
    for (; at < end && rt_record_read(&view, at, (size_t)(end - at)); at += view.head.size) {
        enum rt_signal signal = signal_of(&view.head);
        count++;
        if (signal == RT_SIGNAL_COUNT || !exporter->ways[signal].is_open)
            continue;
        if (keep)
            put(&exporter->ways[signal], signal, &view, now);
        else
            dropped[signal]++;
    }
    return at == end ? count : 0;
}

/* Outlets tell with each message what they have dropped since they began. */
static void note_losses(rt_exporter *exporter, const rt_batch *head, uint64_t now)
{
    static const enum rt_signal signals[] = {RT_SIGNAL_TRACES, RT_SIGNAL_LOGS};
    rt_outlet_losses *known = &exporter->outlets[head->pid % RT_OUTLETS];
    bool is_new = known->pid != head->pid || known->generation != head->generation;
    if (is_new)
        *known = (rt_outlet_losses){.pid = head->pid, .generation = head->generation};
    for (size_t i = 0; i < 2; i++) {
        rt_export_way *way = &exporter->ways[signals[i]];
        bool is_more = head->dropped[i] > known->dropped[i];
        if (is_more && way->is_open && !(is_new && exporter->follows))
            rt_sender_lose(&way->sender, head->dropped[i] - known->dropped[i], now);
        known->dropped[i] = is_more ? head->dropped[i] : known->dropped[i];
    }
}

bool rt_exporter_take(rt_exporter *exporter, const char *bytes, size_t length, uint64_t now)
{
    rt_batch head;
    size_t dropped[RT_SIGNAL_COUNT] = {0};
    if (length <= sizeof head)
        return false;
    memcpy(&head, bytes, sizeof head);
    if (head.magic != RT_BATCH_MAGIC)
        return false;
    note_losses(exporter, &head, now);
    bool keep = rt_exporter_held(exporter) + 2 * length <= exporter->room;
    size_t count = take_records(exporter, bytes + sizeof head, bytes + length, keep, now, dropped);
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++)
        if (dropped[i])
            rt_sender_drop(&exporter->ways[i].sender, dropped[i], now);
    return count != 0;
}

/* --- requests -------------------------------------------------------------------------------- */

static bool is_full(const rt_exporter *exporter, const rt_export_way *way)
{
    return way->bundle.items >= RT_BUNDLE_ITEMS || way->bundle.scope_count >= SCOPES_MOST ||
           rt_bundle_size(&way->bundle) >= exporter->bundle_most;
}

/* While a request is under way the next one grows, so that fewer and larger ones are sent when
 * there is much to send. */
static bool is_to_leave(const rt_exporter *exporter, const rt_export_way *way, uint64_t now)
{
    if (!way->bundle.items)
        return false;
    if (is_full(exporter, way))
        return true;
    return !way->sender.first && (exporter->flushing || way->bundle.items >= way->batch ||
                                  now - way->bundle.began >= way->delay);
}

static void close_bundle(rt_exporter *exporter, rt_export_way *way)
{
    rt_buffer body = {0};
    size_t items = way->bundle.items;
    rt_bundle_body(&way->bundle, &exporter->resource, &body);
    rt_bundle_empty(&way->bundle);
    rt_sender_push(&way->sender, &body, items);
}

void rt_exporter_advance(rt_exporter *exporter, uint64_t now)
{
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++) {
        rt_export_way *way = &exporter->ways[i];
        if (!way->is_open)
            continue;
        if (is_to_leave(exporter, way, now))
            close_bundle(exporter, way);
        rt_sender_advance(&way->sender, now);
    }
}

/* No more metrics will come until the next time, so the last of them need not wait. */
void rt_exporter_metrics(rt_exporter *exporter, const rt_metric_view *view,
                         const rt_metric_times *times)
{
    rt_export_way *way = &exporter->ways[RT_SIGNAL_METRICS];
    uint64_t now = rt_export_now();
    size_t dropped = 0;
    for (size_t i = 0; way->is_open && i < view->family_count; i++) {
        const rt_metric_family *family = view->families[i];
        for (size_t from = 0, count; from < family->point_count; from += count) {
            if (rt_exporter_held(exporter) >= exporter->room) {
                dropped += family->point_count - from;
                break;
            }
            if (way->bundle.items && is_full(exporter, way))
                close_bundle(exporter, way);
            count = rt_otlp_family(rt_bundle_items(&way->bundle, "rt", RT_VERSION), family, from,
                                   times);
            rt_bundle_added(&way->bundle, count, now);
        }
    }
    if (dropped)
        rt_sender_drop(&way->sender, dropped, now);
    if (way->bundle.items)
        close_bundle(exporter, way);
}

static void sooner(uint64_t *due, uint64_t other)
{
    if (other && (!*due || other < *due))
        *due = other;
}

uint64_t rt_exporter_due(const rt_exporter *exporter)
{
    uint64_t due = 0;
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++) {
        const rt_export_way *way = &exporter->ways[i];
        if (way->bundle.items && !way->sender.first)
            sooner(&due, exporter->flushing ? 1 : way->bundle.began + way->delay);
        sooner(&due, rt_sender_due(&way->sender));
    }
    return due;
}

void rt_exporter_give_up(rt_exporter *exporter)
{
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++) {
        rt_export_way *way = &exporter->ways[i];
        if (!way->is_open)
            continue;
        rt_sender_give_up(&way->sender, way->bundle.items);
        rt_bundle_empty(&way->bundle);
    }
}

bool rt_exporter_is_idle(const rt_exporter *exporter)
{
    for (size_t i = 0; i < RT_SIGNAL_COUNT; i++)
        if (exporter->ways[i].bundle.items || exporter->ways[i].sender.first)
            return false;
    return true;
}
