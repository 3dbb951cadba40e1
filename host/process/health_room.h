/* health_room.h — how a worker's modules are, in its room of the board
 *
 * The worker writes the whole of it anew each time something changes; any process of the generation
 * reads it at any time. A sequence number, odd while it is written, tells the reader to read again.
 * What is read is believed no more than the rest of the board: counts and texts are cut to size.
 */
#ifndef RT_PROCESS_HEALTH_ROOM_H
#define RT_PROCESS_HEALTH_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RT_HEALTH_MODULES 2048 /* those beyond share the last place: the worst of them counts */
#define RT_HEALTH_REASONS 63
#define RT_HEALTH_REASON 220 /* bytes, with the NUL */

typedef enum rt_module_health {
    RT_MODULE_UNKNOWN, /* not asked yet */
    RT_MODULE_HEALTHY,
    RT_MODULE_DEGRADED,
    RT_MODULE_UNHEALTHY,
    RT_MODULE_COUNT,
} rt_module_health;
extern const char *const rt_module_health_names[RT_MODULE_COUNT];

typedef struct rt_health_reason {
    uint32_t module;
    char text[RT_HEALTH_REASON];
} rt_health_reason;

/* Modules go by their place in the plan. Too large for a stack. */
typedef struct rt_health_report {
    uint64_t told; /* monotonic ns: the worker's loop turned at that time */
    uint32_t count;
    uint32_t reason_count;
    uint8_t conditions[RT_HEALTH_MODULES]; /* rt_module_health */
    rt_health_reason reasons[RT_HEALTH_REASONS];
} rt_health_report;

/* Adds a module; the reason may be NULL, and is left out when there is no room for it. */
void rt_health_report_add(rt_health_report *report, size_t module, rt_module_health condition,
                          const char *reason);
rt_module_health rt_health_report_get(const rt_health_report *report, size_t module,
                                      const char **reason);

void rt_health_room_write(void *room, const rt_health_report *report);
/* False: its writer ended in the middle, or the memory was scribbled over. */
bool rt_health_room_read(const void *room, rt_health_report *report);

#endif
