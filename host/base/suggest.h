/* suggest.h — "did you mean" */
#ifndef RT_BASE_SUGGEST_H
#define RT_BASE_SUGGEST_H

#include <stddef.h>

/* Keeps the nearest of the words it is shown, of equally near ones the first by name; NULL until
 * one is near enough to be a typing slip. */
typedef struct rt_suggestion {
    const char *word;
    const char *nearest;
    size_t distance;
} rt_suggestion;

void rt_suggest_begin(rt_suggestion *suggestion, const char *word);
void rt_suggest(rt_suggestion *suggestion, const char *candidate);

#endif
