#include "process/health_room.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define ATTEMPTS 1000

struct room {
    uint64_t sequence; /* odd: it is being written */
    uint64_t words[sizeof(rt_health_report) / sizeof(uint64_t)];
};
_Static_assert(sizeof(rt_health_report) % sizeof(uint64_t) == 0, "it is copied by words");
_Static_assert(sizeof(struct room) <= 16384, "RT_ROOM_HEALTH of board.c has so much room");

const char *const rt_module_health_names[RT_MODULE_COUNT] = {"unknown", "healthy", "degraded",
                                                             "unhealthy"};

/* --- one report ------------------------------------------------------------------------------ */

static size_t place_of(size_t module)
{
    return module < RT_HEALTH_MODULES ? module : RT_HEALTH_MODULES - 1;
}

void rt_health_report_add(rt_health_report *report, size_t module, rt_module_health condition,
                          const char *reason)
{
    size_t place = place_of(module);
    if (report->conditions[place] < condition)
        report->conditions[place] = (uint8_t)condition;
    if (report->count <= place)
        report->count = (uint32_t)place + 1;
    if (!reason || !*reason || report->reason_count == RT_HEALTH_REASONS)
        return;
    rt_health_reason *kept = &report->reasons[report->reason_count++];
    kept->module = (uint32_t)module;
    snprintf(kept->text, sizeof kept->text, "%s", reason);
}

rt_module_health rt_health_report_get(const rt_health_report *report, size_t module,
                                      const char **reason)
{
    size_t place = place_of(module);
    *reason = NULL;
    for (uint32_t i = 0; i < report->reason_count && !*reason; i++)
        if (report->reasons[i].module == module)
            *reason = report->reasons[i].text;
    return place < report->count ? (rt_module_health)report->conditions[place] : RT_MODULE_UNKNOWN;
}

/* --- the memory ------------------------------------------------------------------------------ */

/* Word by word with release and acquire, which keeps the sequence numbers on their sides of the
 * data: a plain copy may be moved past them. */
void rt_health_room_write(void *memory, const rt_health_report *report)
{
    struct room *room = memory;
    const char *from = (const char *)report;
    uint64_t odd = __atomic_load_n(&room->sequence, __ATOMIC_RELAXED) | 1, word;
    __atomic_store_n(&room->sequence, odd, __ATOMIC_RELAXED);
    for (size_t i = 0; i < sizeof room->words / sizeof room->words[0]; i++) {
        memcpy(&word, from + i * sizeof word, sizeof word);
        __atomic_store_n(&room->words[i], word, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&room->sequence, odd + 1, __ATOMIC_RELEASE);
}

static bool read_once(const struct room *room, rt_health_report *report)
{
    char *to = (char *)report;
    uint64_t before = __atomic_load_n(&room->sequence, __ATOMIC_ACQUIRE), word;
    if (before & 1)
        return false;
    for (size_t i = 0; i < sizeof room->words / sizeof room->words[0]; i++) {
        word = __atomic_load_n(&room->words[i], __ATOMIC_ACQUIRE);
        memcpy(to + i * sizeof word, &word, sizeof word);
    }
    return __atomic_load_n(&room->sequence, __ATOMIC_RELAXED) == before;
}

static void cut_to_size(rt_health_report *report)
{
    if (report->count > RT_HEALTH_MODULES)
        report->count = RT_HEALTH_MODULES;
    if (report->reason_count > RT_HEALTH_REASONS)
        report->reason_count = RT_HEALTH_REASONS;
    for (uint32_t i = 0; i < report->count; i++)
        if (report->conditions[i] >= RT_MODULE_COUNT)
            report->conditions[i] = RT_MODULE_UNKNOWN;
    for (uint32_t i = 0; i < report->reason_count; i++)
        report->reasons[i].text[RT_HEALTH_REASON - 1] = '\0';
}

bool rt_health_room_read(const void *memory, rt_health_report *report)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        if (read_once(memory, report)) {
            cut_to_size(report);
            return true;
        }
        sched_yield(); /* its writer, a few microseconds from the end, may share this core */
    }
    return false;
}
