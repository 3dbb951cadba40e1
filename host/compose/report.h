/* report.h — a composition's diagnostics for people; the same words from rtd and from rtctl */
#ifndef RT_COMPOSE_REPORT_H
#define RT_COMPOSE_REPORT_H

#include "compose/compose.h"

#include <stdio.h>

/* Each diagnostic and an empty line behind it, then the verdict:
 *     2 errors, 0 warnings: runtime.conf is not fit for production
 * `strict`: one that has warnings is not fit either. Coloured if `out` wants it. */
void rt_report_print(FILE *out, const rt_composition *composition, bool strict);

/* Is it a terminal, and does NO_COLOR not forbid it? */
bool rt_report_wants_colour(FILE *out);

#endif
