#include "telemetry/tap.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "telemetry/record.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HIDDEN_INSTANCES 8
#define HIDDEN_TRACES 256 /* of the newest; a trace of an inspecting module is over soon */

struct kept {
    void *record;
    size_t size;
};

struct trace {
    uint64_t high, low;
};

static struct {
    pthread_mutex_t lock;
    struct kept *ring; /* number n lies at n % RT_TAP_RECORDS */
    uint64_t base, first, next;
    uint64_t bytes;
    const char *instances[HIDDEN_INSTANCES];
    size_t instance_count;
    struct trace traces[HIDDEN_TRACES];
    size_t trace_count; /* ever */
} tap = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool rt_tap_opened;

void rt_tap_open(void)
{
    struct timespec now;
    if (tap.ring)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    tap.base = tap.first = tap.next = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    tap.ring = rt_xcalloc(RT_TAP_RECORDS, sizeof *tap.ring);
    rt_tap_opened = true;
}

static void drop_oldest(void)
{
    struct kept *oldest = &tap.ring[tap.first++ % RT_TAP_RECORDS];
    tap.bytes -= oldest->size;
    free(oldest->record);
    *oldest = (struct kept){0};
}

void rt_tap_close(void)
{
    rt_tap_opened = false;
    while (tap.first < tap.next)
        drop_oldest();
    free(tap.ring);
    tap.ring = NULL;
    tap.instance_count = tap.trace_count = 0;
}

void rt_tap_hide(const char *instance)
{
    if (tap.instance_count < HIDDEN_INSTANCES)
        tap.instances[tap.instance_count++] = instance;
}

/* --- what is left out ------------------------------------------------------------------------ */

static bool is_of_hidden_instance(rt_str module)
{
    for (size_t i = 0; i < tap.instance_count; i++)
        if (strlen(tap.instances[i]) == module.length &&
            memcmp(tap.instances[i], module.data, module.length) == 0)
            return true;
    return false;
}

static bool is_hidden_trace(const rt_record *head)
{
    size_t count = tap.trace_count < HIDDEN_TRACES ? tap.trace_count : HIDDEN_TRACES;
    for (size_t i = 0; i < count; i++)
        if (tap.traces[i].high == head->high && tap.traces[i].low == head->low)
            return true;
    return false;
}

/* A whole trace is hidden that begins in such an instance: what others do for it, too. One that
 * only came by there is not. */
static bool is_hidden(const rt_record_view *view)
{
    const rt_record *head = &view->head;
    bool traced = head->high || head->low;
    if (traced && is_hidden_trace(head))
        return true;
    if (!is_of_hidden_instance(view->texts[RT_TEXT_MODULE]))
        return false;
    if (traced && head->kind == RT_RECORD_BEGIN && !head->parent)
        tap.traces[tap.trace_count++ % HIDDEN_TRACES] = (struct trace){head->high, head->low};
    return true;
}

/* --- in and out ------------------------------------------------------------------------------ */

static void keep(const void *record, size_t size)
{
    while (tap.first < tap.next &&
           (tap.next - tap.first == RT_TAP_RECORDS || tap.bytes + size > RT_TAP_BYTES))
        drop_oldest();
    struct kept *place = &tap.ring[tap.next++ % RT_TAP_RECORDS];
    place->record = rt_xcalloc(1, size);
    place->size = size;
    tap.bytes += size;
    memcpy(place->record, record, size);
}

void rt_tap_put(const void *record, size_t size)
{
    rt_record_view view;
    pthread_mutex_lock(&tap.lock);
    if (tap.ring && rt_record_read(&view, record, size) && !is_hidden(&view))
        keep(record, size);
    pthread_mutex_unlock(&tap.lock);
}

bool rt_tap_next(uint64_t *cursor, uint64_t *missed, struct rt_buffer *record)
{
    pthread_mutex_lock(&tap.lock);
    uint64_t number = *cursor + 1;
    if (*cursor < tap.base || *cursor >= tap.next)
        number = tap.first;
    if (number < tap.first) {
        *missed += tap.first - number;
        number = tap.first;
    }
    bool found = number < tap.next;
    if (found) {
        const struct kept *place = &tap.ring[number % RT_TAP_RECORDS];
        rt_buffer_add(record, place->record, place->size);
        *cursor = number;
    }
    pthread_mutex_unlock(&tap.lock);
    return found;
}

size_t rt_tap_count(void)
{
    pthread_mutex_lock(&tap.lock);
    size_t count = (size_t)(tap.next - tap.first);
    pthread_mutex_unlock(&tap.lock);
    return count;
}
