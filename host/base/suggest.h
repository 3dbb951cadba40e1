/* suggest.h — "did you mean" */
#ifndef RT_BASE_SUGGEST_H
#define RT_BASE_SUGGEST_H

#include "base/diagnostic.h"

#include <stdio.h>

/* Keeps the nearest of the words it is shown, of equally near ones the first by name; NULL until
 * one is near enough to be a typing slip. */
typedef struct rt_suggestion {
    const char *word;
    const char *nearest;
    size_t distance;
} rt_suggestion;

void rt_suggest_begin(rt_suggestion *suggestion, const char *word);
void rt_suggest(rt_suggestion *suggestion, const char *candidate);

/* "did you mean `nearest`?", at the mark, as help, or behind a complaint; nothing if none is near.
 */
void rt_suggest_label(const rt_suggestion *suggestion, rt_diagnostic *diagnostic);
void rt_suggest_help(const rt_suggestion *suggestion, rt_diagnostic *diagnostic);
void rt_suggest_print(const rt_suggestion *suggestion, FILE *out);

#endif
