/* pairs.h — lists of the form NAME=VALUE,NAME=VALUE with values percent-encoded, as OpenTelemetry's
 * variables have them for headers and resource attributes */
#ifndef RT_BASE_PAIRS_H
#define RT_BASE_PAIRS_H

#include <stdbool.h>

/* Calls `take` for each pair, decoded and without blanks around, until it gives false. NULL if the
 * text (NULL: an empty list) is such a list; else what is wrong with it, which quotes nothing of
 * it: it may be a secret. */
const char *rt_pairs_each(const char *text,
                          bool (*take)(void *user, const char *name, const char *value),
                          void *user);

#endif
