/* list.h — a ring of links inside the things it holds; a zeroed link is in no list */
#ifndef RT_FIBER_LIST_H
#define RT_FIBER_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct rt_list {
    struct rt_list *next;
    struct rt_list *previous;
} rt_list;

#define RT_ENTRY(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

static inline void rt_list_init(rt_list *list)
{
    list->next = list->previous = list;
}

static inline bool rt_list_empty(const rt_list *list)
{
    return list->next == list;
}

static inline void rt_list_append(rt_list *list, rt_list *link)
{
    link->next = list;
    link->previous = list->previous;
    list->previous->next = link;
    list->previous = link;
}

static inline void rt_list_remove(rt_list *link)
{
    if (!link->next)
        return;
    link->next->previous = link->previous;
    link->previous->next = link->next;
    link->next = link->previous = NULL;
}

/* The first one, taken out; NULL if there is none. */
static inline rt_list *rt_list_take(rt_list *list)
{
    if (rt_list_empty(list))
        return NULL;
    rt_list *first = list->next;
    rt_list_remove(first);
    return first;
}

/* Moves all that `from` holds to the end of nothing: `to` becomes it, `from` is empty. */
static inline void rt_list_move(rt_list *to, rt_list *from)
{
    rt_list_init(to);
    if (rt_list_empty(from))
        return;
    *to = *from;
    to->next->previous = to->previous->next = to;
    rt_list_init(from);
}

#endif
