/* Whether what is published is handled, and the other way round. */
#include "compose/internal.h"

#include <string.h>

static const rt_candidate *publisher(const rt_composer *composer, const rt_event *handled)
{
    for (size_t i = 0; i < composer->order_count; i++)
        for (size_t k = 0; k < composer->order[i]->manifest->publishes_count; k++) {
            const rt_event *event = &composer->order[i]->manifest->publishes[k];
            if (strcmp(event->topic, handled->topic) == 0 && event->version == handled->version)
                return composer->order[i];
        }
    return NULL;
}

static bool is_handled(const rt_composer *composer, const rt_event *published)
{
    for (size_t i = 0; i < composer->order_count; i++)
        for (size_t k = 0; k < composer->order[i]->manifest->handles_count; k++) {
            const rt_event *event = &composer->order[i]->manifest->handles[k];
            if (strcmp(event->topic, published->topic) == 0 && event->version == published->version)
                return true;
        }
    return false;
}

static void judge_wire_name(rt_composer *composer, size_t at, const rt_event *event)
{
    for (size_t i = 0; i < at; i++)
        for (size_t k = 0; k < composer->order[i]->manifest->publishes_count; k++) {
            const rt_event *other = &composer->order[i]->manifest->publishes[k];
            if (composer->order[i]->manifest == composer->order[at]->manifest ||
                strcmp(other->wire, event->wire) != 0 || other->version != event->version)
                continue;
            rt_diagnostic *diagnostic = RT_DIAGNOSE(
                composer->diagnostics, WIRE_NAME_TWICE, PLACE_OF(composer->order[at]), event->wire,
                event->version, composer->order[i]->name, composer->order[at]->name);
            rt_help(diagnostic, "one of the two modules must name its event otherwise");
        }
}

void rt_events_judge(rt_composer *composer)
{
    for (size_t i = 0; i < composer->order_count; i++) {
        const rt_candidate *candidate = composer->order[i];
        for (size_t k = 0; k < candidate->manifest->handles_count; k++) {
            const rt_event *event = &candidate->manifest->handles[k];
            if (!publisher(composer, event))
                RT_DIAGNOSE(composer->diagnostics, EVENT_UNPUBLISHED, PLACE_OF(candidate),
                            candidate->name, event->topic, event->version);
        }
        for (size_t k = 0; k < candidate->manifest->publishes_count; k++) {
            const rt_event *event = &candidate->manifest->publishes[k];
            if (!is_handled(composer, event))
                RT_DIAGNOSE(composer->diagnostics, EVENT_UNHANDLED, PLACE_OF(candidate),
                            event->topic, event->version, candidate->name);
            judge_wire_name(composer, i, event);
        }
    }
}
