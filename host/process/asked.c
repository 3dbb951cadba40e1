#include "process/asked.h"

#include <stdlib.h>
#include <string.h>

/* Workers outlive an upgrade, so a counter would begin anew. */
rt_asked *rt_asked_begin(rt_asked_calls *calls, uint64_t now)
{
    rt_asked *asked = rt_asked_find(calls, 0);
    if (!asked)
        return NULL;
    calls->last = now > calls->last ? now : calls->last + 1;
    *asked = (rt_asked){.number = calls->last};
    return asked;
}

rt_asked *rt_asked_find(rt_asked_calls *calls, uint64_t number)
{
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++)
        if (calls->items[i].number == number)
            return &calls->items[i];
    return NULL;
}

void rt_asked_take(rt_asked_calls *calls, pid_t pid, uint64_t number, const char *status,
                   const char *text)
{
    rt_asked *asked = number ? rt_asked_find(calls, number) : NULL;
    if (!asked || asked->pid != pid || asked->answered || !status)
        return;
    asked->answered = true;
    asked->status = atoi(status);
    asked->text = strdup(text ? text : "");
}

void rt_asked_lose(rt_asked_calls *calls, pid_t pid)
{
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        rt_asked *asked = &calls->items[i];
        if (asked->number && asked->pid == pid && !asked->answered)
            asked->lost = true;
    }
}

void rt_asked_end(rt_asked *asked)
{
    if (asked->text)
        explicit_bzero(asked->text, strlen(asked->text));
    free(asked->text);
    *asked = (rt_asked){0};
}

uint64_t rt_asked_due(const rt_asked_calls *calls)
{
    uint64_t soonest = 0;
    for (size_t i = 0; i < RT_CONTROL_CLIENTS; i++) {
        const rt_asked *asked = &calls->items[i];
        if (asked->number && (!soonest || asked->due < soonest))
            soonest = asked->due;
    }
    return soonest;
}
